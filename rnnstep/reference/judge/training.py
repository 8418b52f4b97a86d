"""The engine's training beside torch's: epoch by epoch, and each update from torch's own numbers before it.

As along a run, two right trainings may part: an optimizer such as Adam divides by the size of a gradient, so that where
that is next to nothing its last digit decides which way a parameter goes. So agreement is judged from the
parameters and buffers that torch's training has before a batch: from these the engine's loss must be torch's, and its
update as well, within what the errors of the run, carried back to the gradients and through the optimizer, allow.
Where these have outgrown the gradients, as in a long run of an LSTM, some updates are judged step by step besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Model, Pass
from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.epoch import CLIP, UpdatePass
from rnnstep.engine.optimizers import TORCH_BUFFERS
from rnnstep.engine.trainer import Record, State, Trainer
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.operations import Array
from rnnstep.language import Text
from rnnstep.network.blocks import Where
from rnnstep.reference.judge.backward import judge_gradients
from rnnstep.reference.judge.backward_passes import EngineRun, EngineSteps
from rnnstep.reference.judge.bounds import Error
from rnnstep.reference.judge.findings import Finding, Tally, differences
from rnnstep.reference.judge.forward import judge
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.judge.update import ORDERS, judge_update, number, update_lines
from rnnstep.reference.run.training import TorchEpoch, TorchTraining
from rnnstep.scenario.model import Scenario


@dataclass(frozen=True, eq=False)
class Bounded:
    """One batch of the engine's, trained on from a state.

    Attributes:
        done: our run of the batch.
        back: our backward pass.
        loss: our loss and its error.
        is_close: whether the errors say something: half of the digits of the largest gradient at least.
        after: our state after the update.
        errors: of each parameter under torch's name, of `w` and of each buffer after the update.
    """

    done: Pass
    back: BackwardPass
    loss: tuple[float, float]
    is_close: bool
    after: State
    errors: Mapping[str, Mapping[str, Error]]


def bounded_update(trainer: Trainer, state: State, index: int) -> Bounded:
    """Train on one batch from a state, and bound what comes of it.

    Args:
        trainer: the engine's.
        state: what the batch begins with.
        index: which batch.
    """
    model = trainer.model_of(state)
    done = model.run_batch(index)
    back = model.backward(done)
    assert back is not None
    fresh = trainer.flat(back.parameters)
    gradient = trainer.gathered(state, fresh)
    with np.errstate(all="ignore"):
        loss, errors = gradient_errors(done, back)
        flat = np.asarray(trainer.flat(errors), np.float64)
        if state.gathered is not None:  # what was not set to zero is given, and is added to
            flat = flat + np.abs(gradient, dtype=np.float64) * float(np.finfo(gradient.dtype).eps) / 2
        half = float(np.sqrt(np.finfo(gradient.dtype).eps))
        is_close = bool(np.max(flat) <= half * np.max(np.abs(gradient)))
        after = trainer.updated(state, done, fresh)
        return Bounded(done, back, loss, is_close, after, _after_update(trainer, state, gradient, flat))


def gradient_errors(done: Pass, back: BackwardPass) -> tuple[tuple[float, float], dict[str, Error]]:
    """Our loss with its error, and the error of each parameter's gradient along the run, under torch's names."""
    along, unread = RunErrors(done), Tally(done.batch.longest, "backward")
    own = EngineSteps(back, unread, along, has_sums=False)
    own.go()
    run = EngineRun(back, None, unread, along, own.read_by_key)
    run.go()
    errors = {name: np.zeros(value.shape) for name, value in done.scenario.learnt.items()}
    totals = {name: np.zeros(value.shape) for name, value in done.scenario.learnt.items()}
    known: set[Where] = set()
    unit = float(np.finfo(done.scenario.dtype).eps) / 2
    for key, parts in run.sums.items():
        for part, (share, error) in parts.items():
            where = done.by_key[key].kept_in[part]
            errors[where.torch][where.part] += error
            totals[where.torch][where.part] += share
            if where in known:  # a tied parameter's shares are added up
                errors[where.torch][where.part] += unit * np.abs(totals[where.torch][where.part])
            known.add(where)
    assert along.loss is not None
    return (back.loss, float(along.loss.loss[1].reshape(-1)[0])), errors


def _after_update(
    trainer: Trainer, state: State, gradient: Array, flat: Error
) -> dict[str, dict[str, Error]]:
    optimizer = trainer.optimizer
    assert optimizer is not None
    dtype = gradient.dtype
    values, before = trainer.by_name(gradient), trainer.by_name(state.parameters)
    errors = {name: np.asarray(error, np.float64) for name, error in trainer.by_name(flat).items()}
    buffers = {name: trainer.by_name(kept) for name, kept in state.buffers.items()}
    clip: Pair | None = None
    found: dict[str, dict[str, Error]] = {
        name: {kept: np.zeros(before[name].shape) for kept in ("w", *buffers)} for name in trainer.unreached
    }
    for block in trainer.update_blocks(state.updates):
        if block.key == CLIP:
            norms = _norms(trainer, gradient, values, errors)
            clip = update_lines(block, {"norms": norms}, dtype)["clip_coef"]
            continue
        known: dict[str, Pair] = {"w_prev": Given(before[block.key])}
        if optimizer.adds_up:  # the bound of the sum covers that of what is added
            left = np.zeros_like(gradient) if state.gathered is None else state.gathered
            parts = trainer.by_name(left), trainer.by_name(gradient - left)
            known["grad_before"] = Given(parts[0][block.key])
            known["grad_now"] = parts[1][block.key], errors[block.key]
        else:
            known["grad"] = values[block.key], errors[block.key]
        known |= {f"{name}_prev": Given(kept[block.key]) for name, kept in buffers.items()}
        for name, value in optimizer.numbers(state.updates, 1.0).items():
            known[name] = number(value)
        if clip is not None:
            known["clip_coef"] = number(clip[0][0], float(np.max(clip[1])))
        found[block.key] = _kept(block, update_lines(block, known, dtype), buffers)
    return found


def _kept(block: Block, lines: Mapping[str, Pair], buffers: Mapping[str, object]) -> dict[str, Error]:
    return {
        name: np.array(np.broadcast_to(lines[name][1], np.shape(lines[name][0])))
        for name in ("w", *buffers)
        if name in block.program.states
    }


def _norms(
    trainer: Trainer, gradient: Array, values: Mapping[str, Array], errors: Mapping[str, Error]
) -> Pair:
    """The norm of each gradient: that of its errors, and the rounding of as many squares as it has elements."""
    norms = trainer.norms(gradient)
    roundoff = float(np.finfo(norms.dtype).eps) / 2
    names = [name for name in values if name not in trainer.unreached]
    brought = np.array([float(np.sqrt(np.sum(errors[name] ** 2))) for name in names])
    counts = np.array([values[name].size for name in names])
    return norms, brought + np.abs(norms, dtype=np.float64) * (counts + 3) * roundoff


# ── epoch by epoch ───────────────────────────────────────────────────────────────────────────────

MOST_JUDGED = 48  # updates from the start on; of a longer training as many more, spread over it
FEWEST_JUDGED = 4
JUDGED_PRODUCTS = 150_000_000  # of weights with rows and steps, in as many updates: fewer of a large model


@dataclass(frozen=True, eq=False)
class ComparedEpoch:
    """One epoch of both.

    Attributes:
        index: which, from 0.
        record: what the engine's came to.
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
    """A training of the engine's and one of torch's, from the same start. Imports torch when it is made.

    Attributes:
        scenario: what is trained.
        trainer: the engine's.
        state: where the engine's has come to.
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
        """Take a batch with torch, and from the same numbers with the engine's."""
        updates, state = self._torch.updates, self._state_of_torch()
        ours = bounded_update(self.trainer, state, batch)
        if not ours.is_close and not updates & (updates - 1):  # 0, 1, 2, 4, 8 …
            self._judge_steps(ours, state, batch, tally)
        loss, prediction = self._torch.update(batch)
        _compare(ours, loss, self._state_of_torch(), self.trainer, tally)
        return loss, prediction

    def _judge_steps(self, ours: Bounded, state: State, batch: int, tally: Tally) -> None:
        """Judge a batch as it is when it is looked at: every step forth and back, and the update."""
        from rnnstep.reference.run.forward import run_reference
        from rnnstep.reference.run.gradients import run_gradients
        from rnnstep.reference.run.training import run_update

        update = UpdatePass(self.trainer, batch, state, self.trainer.flat(ours.back.parameters))
        for verdict in (
            judge(ours.done, run_reference(ours.done)),
            judge_gradients(ours.back, run_gradients(ours.done)),
            judge_update(update, run_update(update, self._training)),
        ):
            tally.take(verdict)

    def _state_of_torch(self) -> State:
        """Where torch's training is, as a state of the engine's."""
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
            torch.running if torch.updates else {},
            torch.updates if trainer.running else 0,
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
    batch = max(scenario.batches, key=lambda batch: batch.longest * batch.num_rows)
    products = max(1, numbers * batch.longest * batch.num_rows)
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
    for key, error in running_errors(trainer, ours).items():
        pair = ours.after.running[key], theirs.running[key]
        tally.compare_parameter("epoch", key, "running", *pair, ORDERS * error)


def running_errors(trainer: Trainer, ours: Bounded) -> dict[str, Error]:
    """The error of each running statistic after a batch: of the batch's own, and of moving what was there before."""
    found = {}
    for module in trainer.running:
        errors = RunErrors(ours.done)
        for key, value in module.moves.items():
            whole, error = errors.given(f"{module.key}.{value}")
            size = np.abs(whole[0, 0]) + np.abs(ours.after.running[key])
            rounding = 8 * float(np.finfo(whole.dtype).eps)
            found[key] = 2 * np.broadcast_to(error, whole.shape)[0, 0] + rounding * size.astype(np.float64)
    return found
