"""Training as a row of epochs, each of which can be gone to and stepped through.

The states of epochs are kept sparsely and computed anew from the nearest one: the same operations on the same
numbers give the same bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from rnnstep.engine.epoch import Epoch, UpdatePass
from rnnstep.engine.model import Model
from rnnstep.engine.not_finite import NotFinite, first_of_pass
from rnnstep.engine.structure import Phase, Stage, Structure
from rnnstep.engine.trainer import Looked, Record, State, Trainer
from rnnstep.equations.magnitudes import UNKNOWN, largest
from rnnstep.equations.operations import Array
from rnnstep.scenario.model import Scenario

if TYPE_CHECKING:
    from rnnstep.engine.backward import BackwardPass
    from rnnstep.engine.passes import Pass

KEPT_STATES = 64  # of a whole training at most, and fewer where they are large
KEPT_BYTES = 256 << 20
EPOCHS_AT_HAND = 2
TAME = 1e15  # gradients whose squares, and these divided by a bias correction, are far from overflowing


class Learning:
    """A scenario's training, computed as far as it was asked for. Without [training] there is one epoch, and no update.

    It may be asked from two threads: one goes on through the epochs while the other looks at some.

    Attributes:
        scenario: what is trained.
        num_epochs: how many epochs there are.
        structure: what there is to step through in each of them.
    """

    def __init__(self, scenario: Scenario, *, is_looked_through: bool = True) -> None:
        """Take a scenario; `is_looked_through` is whether numbers that are not finite are looked for on the way."""
        self.trainer = Trainer(Model(scenario))
        self.scenario = scenario = self.trainer.scenario
        self.num_epochs = (
            scenario.training.epochs if scenario.training is not None and scenario.has_loss else 1
        )
        self.structure = Structure(self.trainer)
        self._lock = threading.RLock()
        self._last: State = self.trainer.start()
        self._states: dict[int, State] = {0: self._last}
        self._records: list[Record] = []
        self._recent: dict[int, Epoch] = {}
        self._finding: NotFinite | None = None
        self._is_looked_through = is_looked_through
        self._looked_through = 0
        self._batches_looked_at = 0
        self._looked_up_to = self._last
        size = max(1, self._last.num_bytes)
        self._stride = max(1, -(-self.num_epochs // max(2, min(KEPT_STATES, KEPT_BYTES // size))))

    @property
    def records(self) -> Sequence[Record]:
        """What the epochs that were gone through came to."""
        return tuple(self._records)

    def record(self, index: int) -> Record:
        """What an epoch came to before its updates; index from 0. Goes through all epochs up to it.

        Raises:
            IndexError: there is no such epoch.
        """
        if not 0 <= index < self.num_epochs:
            raise IndexError(index)
        while len(self._records) <= index:
            self.advance()
        return self._records[index]

    def reach(self, index: int, seconds: float) -> bool:
        """Go on until the start of an epoch is known, or the time is over; whether it is known."""
        end = time.monotonic() + seconds
        while len(self._records) < min(index, self.num_epochs):
            if time.monotonic() > end:
                return False
            self.advance()
        return True

    def advance(self) -> None:
        """Go through one more epoch, if there is one."""
        with self._lock:
            if len(self._records) == self.num_epochs:  # the other thread came first
                return
            index = len(self._records)
            is_looked_at = self._is_looked_through and self._finding is None and self._looked_through == index
            found: list[NotFinite] = []
            notice = partial(self._look, index, found) if is_looked_at else None
            record, self._last = self.trainer.advance(self._last, notice)
            self._records.append(replace(record, index=index))
            if is_looked_at:
                self._finding = found[0] if found else None
                self._looked_through = index + 1
            if len(self._records) % self._stride == 0:
                self._states[len(self._records)] = self._last

    def state(self, index: int) -> State:
        """The parameters and buffers at the start of an epoch; that of `num_epochs` is the end of training."""
        if index > 0:
            self.record(index - 1)
        with self._lock:
            if index == len(self._records):
                return self._last
            known = max(number for number in self._states if number <= index)
            state = self._states[known]
            for _ in range(index - known):
                state = self.trainer.advance(state)[1]
            return state

    def epoch(self, index: int) -> Epoch:
        """An epoch to step through; computed as far as it is looked at."""
        with self._lock:
            found = self._recent.get(index)
            if found is None:
                found = Epoch(index, self.trainer, self.state(index))
                while len(self._recent) >= EPOCHS_AT_HAND:
                    del self._recent[next(iter(self._recent))]
                self._recent[index] = found
            return found

    # ── what is not finite ───────────────────────────────────────────────────────────

    @property
    def finding(self) -> NotFinite | None:
        """The first number that is not finite, in the order of computation; None as far as was looked."""
        return self._finding

    @property
    def num_looked_through(self) -> int:
        """How many epochs, from the first on, were looked through for a number that is not finite."""
        return self._looked_through

    def look_on(self, seconds: float, is_wanted: Callable[[], bool] = lambda: True) -> bool:
        """Look for the first number that is not finite, training on; whether it is known now, or that there is none.

        Args:
            seconds: how long to go on, past the end of an epoch.
            is_wanted: whether to go on, asked after each batch of a run that is not trained, and after each epoch.
        """
        end = time.monotonic() + seconds
        while self._finding is None and self._looked_through < self.num_epochs:
            if not is_wanted() or time.monotonic() > end:
                return False
            if self.trainer.optimizer is None or not self.scenario.has_loss:
                return self._look_through_batches(end, is_wanted)
            self.advance()
        return True

    def _look_through_batches(self, end: float, is_wanted: Callable[[], bool]) -> bool:
        """The same for a run without updates, whose batches depend on each other where a state is carried alone."""
        epoch = self.epoch(0)
        for index in range(self._batches_looked_at, self.structure.num_batches):
            if not is_wanted() or time.monotonic() > end:
                return False
            model = self.trainer.model_of(self._looked_up_to)
            done = epoch.forward(index) if index == 0 else model.run_batch(index)
            self._looked_up_to = self.trainer.went_on(self._looked_up_to, done)
            found: list[NotFinite] = []
            self._look(0, found, Looked(index, done, model.backward(done), None))
            self._batches_looked_at = index + 1
            if found:
                self._finding = found[0]
                return True
        self._looked_through = 1
        return True

    def _look(self, epoch: int, found: list[NotFinite], batch: Looked) -> None:
        """Note the first number of a batch's passes that is not finite, unless one was found already."""
        if found:
            return
        phases: tuple[Phase, ...] = ("forward", "backward", "update")
        update = None
        if batch.update is not None and not _is_tame(*batch.update):
            update = UpdatePass(self.trainer, batch.index, *batch.update[:2])
        for phase, passed in zip(phases, (batch.forward, batch.backward, update), strict=True):
            if passed is None:
                continue
            finding = first_of_pass(
                passed,
                self._stage(epoch, batch.index, phase, passed),
                is_by_time=self.structure.is_by_time,
                epoch=epoch,
                batch=batch.index,
            )
            if finding is not None:
                found.append(finding)
                return

    def _stage(self, epoch: int, batch: int, phase: Phase, passed: Pass | BackwardPass | UpdatePass) -> Stage:
        """A pass's blocks and steps; the lines of a later update may be others than those of the first."""
        stage = self.structure.stage(batch, phase)
        return replace(stage, blocks=passed.blocks) if phase == "update" and (epoch or batch) else stage

    def trained(self) -> dict[str, Array]:
        """The parameters at the end of training, under torch's names."""
        return self.trainer.parameters_at(self.state(self.num_epochs))


def _is_tame(before: State, fresh: Array, after: State) -> bool:
    """Whether the numbers of an update are so small that no line of it can have been infinite on the way."""
    kept = (*before.buffers.values(), *after.buffers.values())
    gradients = (fresh, *(one for one in (before.gathered, after.gathered) if one is not None))
    return (
        largest(after.parameters) < UNKNOWN
        and all(largest(one) < TAME for one in gradients)
        and all(largest(one) < TAME**2 for one in kept)
    )
