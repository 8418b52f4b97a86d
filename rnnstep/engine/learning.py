"""Training as a row of epochs, each of which can be gone to and stepped through.

The states of epochs are kept sparsely and computed anew from the nearest one: the same operations on the same
numbers give the same bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from rnnstep.engine.epoch import Epoch
from rnnstep.engine.model import Model
from rnnstep.engine.structure import Structure
from rnnstep.engine.trainer import Record, State, Trainer
from rnnstep.equations.operations import Array
from rnnstep.scenario.model import Scenario

KEPT_STATES = 64  # of a whole training at most, and fewer where they are large
KEPT_BYTES = 256 << 20
EPOCHS_AT_HAND = 2


class Learning:
    """A scenario's training, computed as far as it was asked for. Without [training] there is one epoch, and no update.

    It may be asked from two threads: one goes on through the epochs while the other looks at some.

    Attributes:
        scenario: what is trained.
        num_epochs: how many epochs there are.
        structure: what there is to step through in each of them.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.num_epochs = (
            scenario.training.epochs if scenario.training is not None and scenario.has_loss else 1
        )
        self.trainer = Trainer(Model(scenario))
        self.structure = Structure(self.trainer)
        self._lock = threading.RLock()
        self._last: State = self.trainer.start()
        self._states: dict[int, State] = {0: self._last}
        self._records: list[Record] = []
        self._recent: dict[int, Epoch] = {}
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
            record, self._last = self.trainer.advance(self._last)
            self._records.append(replace(record, index=len(self._records)))
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

    def trained(self) -> dict[str, Array]:
        """The parameters at the end of training, under torch's names."""
        return self.trainer.by_name(self.state(self.num_epochs).parameters)
