"""One epoch to step through: of each batch the forward pass, the backward pass and the update, computed when looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import overload

import numpy as np

from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.model import Model
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase
from rnnstep.engine.trace import Trace
from rnnstep.engine.trainer import State, Trainer
from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Block

CLIP = "clip"


class Epoch:
    """One epoch, from its state.

    Attributes:
        index: from 0.
        state: what it begins with.
    """

    def __init__(self, index: int, trainer: Trainer, state: State) -> None:
        self.index = index
        self.state = state
        self._trainer = trainer
        self._states: dict[int, State] = {0: state}  # before each batch
        self._models: dict[int, Model] = {}
        self._passes: dict[int, Pass] = {}
        self._backward: dict[int, BackwardPass | None] = {}
        self._updates: dict[int, UpdatePass | None] = {}

    @property
    def num_batches(self) -> int:
        """How many batches there are."""
        return len(self._trainer.scenario.batches)

    @property
    def has_update(self) -> bool:
        """Whether a batch ends with an update."""
        return self._trainer.optimizer is not None and self._trainer.scenario.has_loss

    @cached_property
    def trace(self) -> Trace:
        """The forward passes; each is run when it is asked for."""
        scenario = self._trainer.model_of(self.state).scenario
        return Trace(scenario, Passes(self.num_batches, self.forward))

    def state_before(self, batch: int) -> State:
        """The state that a batch begins with."""
        known = max(one for one in self._states if one <= batch)
        for before in range(known, batch):  # one after the other, so that many batches are no deep recursion
            self._states[before + 1] = self._after(before)
        return self._states[batch]

    def _after(self, batch: int) -> State:
        """The state that a batch leaves."""
        before = self._states[batch]
        if not (self.has_update or self._trainer.is_moved):
            return before
        done = self.forward(batch)
        back = self.backward(batch) if self.has_update else None
        if back is None:
            return self._trainer.went_on(before, done)
        return self._trainer.updated(before, done, self._trainer.flat(back.parameters))

    def _model(self, batch: int) -> Model:
        if batch not in self._models:
            self._models[batch] = self._trainer.model_of(self.state_before(batch))
        return self._models[batch]

    def running(self, batch: int) -> tuple[Mapping[str, Array], Mapping[str, Array]]:
        """The running statistics before a batch and after it, under torch's names; none where no module keeps any."""
        state = self.state_before(batch)
        before = self._trainer.parameters_at(state)
        return before, self._trainer.running_after(state, self.forward(batch))

    def forward(self, batch: int) -> Pass:
        """The forward pass of a batch."""
        if batch not in self._passes:
            self._passes[batch] = self._model(batch).run_batch(batch)
        return self._passes[batch]

    def backward(self, batch: int) -> BackwardPass | None:
        """The backward pass of a batch; None without a loss or gradients that are given."""
        if batch not in self._backward:
            self._backward[batch] = self._model(batch).backward(self.forward(batch))
        return self._backward[batch]

    def passed(self, phase: Phase, batch: int) -> Pass | BackwardPass | UpdatePass | None:
        """A pass by its name; None where there is none."""
        return {"forward": self.forward, "backward": self.backward, "update": self.update}[phase](batch)

    def update(self, batch: int) -> UpdatePass | None:
        """The update after a batch; None where nothing is updated."""
        if batch not in self._updates:
            back = self.backward(batch)
            if back is None or not self.has_update:
                self._updates[batch] = None
            else:
                before = self.state_before(batch)
                fresh = self._trainer.flat(back.parameters)
                self._updates[batch] = UpdatePass(self._trainer, batch, before, fresh)
        return self._updates[batch]


class Passes(Sequence[Pass]):
    """Forward passes that are run when they are asked for."""

    def __init__(self, count: int, make: Callable[[int], Pass]) -> None:
        self._count = count
        self._make = make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Pass: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pass]: ...
    def __getitem__(self, index: int | slice) -> Pass | list[Pass]:
        """One pass, or some."""
        if isinstance(index, slice):
            return [self._make(number) for number in range(self._count)[index]]
        return self._make(range(self._count)[index])

    def __iter__(self) -> Iterator[Pass]:
        return map(self._make, range(self._count))


class UpdatePass:
    """The optimizer's step after a batch: one block a parameter, under torch's name; before them the clipping.

    Attributes:
        index: the batch.
        blocks: in order.
        before: the state that is updated.
        fresh: the gradients of this batch, flat.
        gradient: what the optimizer is given: with what was not set to zero, where that is the mistake.
    """

    phase = "update"

    def __init__(self, trainer: Trainer, index: int, before: State, fresh: Array) -> None:
        assert trainer.optimizer is not None
        self._trainer = trainer
        self._optimizer = trainer.optimizer
        self.index = index
        self.before = before
        self.fresh = fresh
        self.gradient = trainer.gathered(before, fresh)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks, in order."""
        return self._trainer.update_blocks(self.before.updates)

    @cached_property
    def by_key(self) -> dict[str, Block]:
        """Each block under its key."""
        return {block.key: block for block in self.blocks}

    @cached_property
    def _clipping(self) -> dict[str, Array]:
        return self._optimizer.clipping(self._trainer.norms(self.gradient))

    @cached_property
    def _all(self) -> dict[str, Array]:
        """Every line's value for all parameters, flat; numbers as they are."""
        with np.errstate(all="ignore"):
            return self._optimizer.step(
                self.before.parameters,
                self.fresh,
                self.before.buffers,
                self.before.updates,
                self._trainer.clip_coef(self.gradient),
                self.before.gathered,
            )

    def values(self, key: str, t: int = 0) -> dict[str, Array]:
        """All values of a block: the parameter's elements in its shape, and what is one number for all."""
        if key == CLIP:
            return dict(self._clipping)
        place, shape = self._trainer.places[key]
        return {
            name: np.asarray(value[place].reshape(shape) if np.ndim(value) else value)
            for name, value in self._all.items()
        }

    def value(self, key: str, name: str, t: int = 0) -> Array:
        """One value of a block."""
        return self.values(key)[name]

    def known(self, key: str, t: int, row: int) -> dict[str, Array]:
        """All that a block's lines read and give."""
        return self.values(key)

    def row_index(self, key: str, t: int, row: int) -> int:
        """Parameters belong to all rows."""
        return row
