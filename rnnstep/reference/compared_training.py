"""Our training beside torch's: epoch by epoch along the way, and each update from torch's own numbers before it.

As along a run, two right trainings may part: an optimizer such as Adam divides by the size of a gradient, so that where
that is next to nothing its last digit decides which way a parameter goes. So agreement is judged from the
parameters and buffers that torch's training has before a batch: from these our loss must be torch's, and our update
as well, within what the errors of the run, carried back to the gradients and through the optimizer, allow. Where
these have outgrown the gradients, as in a long run of an LSTM, some updates are judged step by step besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Model
from rnnstep.engine.epoch import UpdatePass
from rnnstep.engine.optimizers import TORCH_BUFFERS
from rnnstep.engine.trainer import Record, State, Trainer
from rnnstep.language import Text
from rnnstep.reference.back_verdict import judge_way_back
from rnnstep.reference.compared_update import ORDERS, judge_update
from rnnstep.reference.epoch_bounds import Bounded, bounded_update
from rnnstep.reference.judging import Finding, Tally, differences
from rnnstep.reference.training import TorchEpoch, TorchTraining
from rnnstep.reference.verdict import judge
from rnnstep.scenario.model import Scenario

MOST_JUDGED = 48  # updates from the start on; of a longer training as many more, spread over it
FEWEST_JUDGED = 4
JUDGED_PRODUCTS = 150_000_000  # of weights with rows and steps, in as many updates: fewer of a large model


@dataclass(frozen=True, eq=False)
class ComparedEpoch:
    """One epoch of both.

    Attributes:
        index: which, from 0.
        record: what ours came to.
        torch: what torch's came to.
        difference: of the losses, each training on its own way.
        is_judged: whether an update of it was judged from torch's own numbers before it.
        faults: the disagreements among those; none if all agrees.
        worst: where a difference takes up most of what is allowed; None where nothing was judged.
    """

    index: int
    record: Record
    torch: TorchEpoch
    difference: float
    is_judged: bool
    faults: tuple[Finding, ...]
    worst: Finding | None

    @property
    def agrees(self) -> bool:
        """Whether nothing disagrees."""
        return not self.faults

    @property
    def finding(self) -> Finding | None:
        """The first disagreement, with its place and message; None if all agrees."""
        return self.faults[0] if self.faults else None


class TrainingComparison:
    """A training of ours and one of torch's, from the same start. Imports torch when it is made.

    Attributes:
        scenario: what is trained.
        trainer: ours.
        state: where ours has come to.
        epochs_done: what the epochs came to that both have gone through.
    """

    def __init__(self, scenario: Scenario) -> None:
        assert scenario.training is not None
        self.scenario = scenario
        self.trainer = Trainer(Model(scenario))
        self.state: State = self.trainer.start()
        self.epochs_done: list[ComparedEpoch] = []
        self._torch = TorchTraining(scenario)
        self._training = scenario.training
        self._count = _judged(scenario)
        self._stride = max(1, scenario.training.epochs * len(scenario.batches) // self._count)

    @property
    def num_epochs(self) -> int:
        """How many epochs there are."""
        return self._training.epochs

    def epochs(self) -> Iterator[ComparedEpoch]:
        """Go through the epochs that are left, giving each when it is done."""
        while len(self.epochs_done) < self.num_epochs:
            yield self.advance()

    def advance(self) -> ComparedEpoch:
        """Go through one more epoch of both."""
        index = len(self.epochs_done)
        record, self.state = self.trainer.advance(self.state)
        tallies: list[Tally] = []
        losses: list[float] = []
        predictions: list[NDArray[np.int64]] = []
        for batch in range(len(self.scenario.batches)):
            tally = self._tally(index, batch) if self._is_judged(self._torch.updates) else None
            loss, prediction = self._torch.update(batch) if tally is None else self._judged(batch, tally)
            tallies += [] if tally is None else [tally]
            losses.append(loss)
            predictions += [] if prediction is None else [prediction]
        torch = TorchEpoch(index, sum(losses) / len(losses), tuple(predictions) or None)
        worst = [tally.worst for tally in tallies if tally.worst is not None]
        done = ComparedEpoch(
            index,
            replace(record, index=index),
            torch,
            float(differences(np.array([record.loss]), np.array([torch.loss]))[0]),
            bool(tallies),
            tuple(fault for tally in tallies for fault in tally.faults.values()),
            max(worst, key=lambda finding: finding.share, default=None),
        )
        self.epochs_done.append(done)
        return done

    # ── one update ───────────────────────────────────────────────────────────────────

    def _is_judged(self, updates: int) -> bool:
        return updates < self._count or updates % self._stride == 0

    def _tally(self, index: int, batch: int) -> Tally:
        epoch = f"e{index + 1}:" if self.num_epochs > 1 else ""
        within = f"{epoch}{batch + 1}:" if len(self.scenario.batches) > 1 else epoch
        return Tally(1, "update", within)

    def _judged(self, batch: int, tally: Tally) -> tuple[float, NDArray[np.int64] | None]:
        """Take a batch with torch, and from the same numbers with ours."""
        updates, state = self._torch.updates, self._state_of_torch()
        ours = bounded_update(self.trainer, state, batch)
        if not ours.is_close and not updates & (updates - 1):  # 0, 1, 2, 4, 8 …
            self._judge_steps(ours, state, batch, tally)
        loss, prediction = self._torch.update(batch)
        _compare(ours, loss, self._state_of_torch(), self.trainer, tally)
        return loss, prediction

    def _judge_steps(self, ours: Bounded, state: State, batch: int, tally: Tally) -> None:
        """Judge a batch as it is when it is looked at: every step forth and back, and the update."""
        from rnnstep.reference.gradients import run_gradients
        from rnnstep.reference.run import run_reference
        from rnnstep.reference.update_steps import run_update

        update = UpdatePass(self.trainer, batch, state, self.trainer.flat(ours.back.parameters))
        for verdict in (
            judge(ours.done, run_reference(ours.done)),
            judge_way_back(ours.back, run_gradients(ours.done)),
            judge_update(update, run_update(update, self._training)),
        ):
            tally.take(verdict)

    def _state_of_torch(self) -> State:
        """Where torch's training is, as a state of ours."""
        torch, trainer = self._torch, self.trainer
        start = trainer.start()
        names = TORCH_BUFFERS[self._training.optimizer]
        zeros = trainer.by_name(np.zeros_like(start.parameters))
        kept = torch.buffers
        buffers = {
            ours: trainer.flat({name: kept[name].get(names[ours], zeros[name]) for name in zeros})
            for ours in start.buffers
        }
        has_gathered = trainer.mistake == "no_zero_grad" and torch.updates
        return State(
            trainer.flat(torch.parameters),
            buffers,
            torch.updates,
            trainer.flat(torch.gradients) if has_gathered else None,
            {f"{name}_0": np.asarray(end) for name, end in torch.ends.items()},
        )

    # ── the whole, as far as it has gone ─────────────────────────────────────────────

    @property
    def agrees(self) -> bool:
        """Whether nothing disagrees."""
        return all(epoch.agrees for epoch in self.epochs_done)

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The disagreements."""
        return tuple(fault for epoch in self.epochs_done for fault in epoch.faults)

    @property
    def worst(self) -> Finding | None:
        """Where a difference takes up most of what is allowed."""
        found = [epoch.worst for epoch in self.epochs_done if epoch.worst is not None]
        return max([*self.faults, *found], key=lambda finding: finding.share, default=None)

    @property
    def max_abs_diff(self) -> dict[str, float]:
        """How far the losses are apart at most, each training on its own way."""
        return {"loss": max((epoch.difference for epoch in self.epochs_done), default=0.0)}

    @property
    def parting(self) -> int | None:
        """The first epoch, from 0, by which half of the loss's digits are gone though every update agrees, or None."""
        half = float(np.sqrt(np.finfo(self.scenario.dtype).eps))
        if not self.agrees:
            return None
        for epoch in self.epochs_done:
            size = max(abs(epoch.record.loss), abs(epoch.torch.loss))
            if epoch.difference > half * (size if np.isfinite(size) else 0.0):
                return epoch.index
        return None

    @property
    def explanation(self) -> Text:
        """One sentence on how the two stand to each other."""
        if self.faults:
            return Text("torch disagrees: {fault}", fault=self.faults[0].message)
        if self.parting is not None:
            if not np.isfinite(self.epochs_done[self.parting].difference):
                return Text(
                    "no update disagrees with torch; from epoch {epoch} on the losses are not finite alike: so near to"
                    " overflow the order of a sum decides, and neither confirms the other",
                    epoch=self.parting + 1,
                )
            return Text(
                "from the same parameters every update agrees with torch; from epoch {epoch} on the trainings part:"
                " a last digit grows from update to update, and both are right",
                epoch=self.parting + 1,
            )
        return Text("the training agrees with torch's")


def _judged(scenario: Scenario) -> int:
    """How many updates are judged from the start on."""
    numbers = sum(value.size for name, value in scenario.parameters.items() if name != "embedding.weight")
    batch = max(scenario.batches, key=lambda batch: batch.num_steps * batch.num_rows)
    products = max(1, numbers * batch.num_steps * batch.num_rows)
    return max(FEWEST_JUDGED, min(MOST_JUDGED, JUDGED_PRODUCTS // products))


def _compare(ours: Bounded, loss: float, theirs: State, trainer: Trainer, tally: Tally) -> None:
    """Set our loss and our state after an update beside torch's."""
    value, error = (np.full((1, 1, 1), number) for number in ours.loss)
    tally.compare("epoch", "total", "loss", value, np.full((1, 1, 1), loss), error, None, "forward")
    for name in ("w", *ours.after.buffers):
        flat = ours.after.parameters if name == "w" else ours.after.buffers[name]
        other = theirs.parameters if name == "w" else theirs.buffers[name]
        both = trainer.by_name(flat), trainer.by_name(other)
        for key, errors in ours.errors.items():
            tally.compare_parameter("epoch", key, name, both[0][key], both[1][key], ORDERS * errors[name])
