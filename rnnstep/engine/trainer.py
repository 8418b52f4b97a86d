"""One epoch of training from any state: forward pass, backward pass and update of each batch.

All parameters lie in one flat array while they are learnt, as an optimizer does the same to every element.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.model import Model
from rnnstep.engine.optimizers import Optimizer
from rnnstep.engine.passes import Pass
from rnnstep.engine.prediction import Score, prediction, score
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.network.blocks import Block
from rnnstep.network.graph import Graph

_NOTHING: Mapping[str, Array] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class State:
    """All that the next epoch depends on; arrays are never written to.

    Attributes:
        parameters: of the whole model, flat.
        buffers: what the optimizer keeps, flat as well.
        updates: how many updates were made.
        gathered: the gradients that were not set to zero, where that is the mistake; else None.
        initial: the states that the next batch begins with where they go on, each (L·D, B, n): with `carry`, or as they were
            not reset, where that is the mistake.
        running: statistics that batches move, under torch's names; empty before the first.
        batches: how many batches moved them.
    """

    parameters: Array
    buffers: Mapping[str, Array] = field(default_factory=dict)
    updates: int = 0
    gathered: Array | None = None
    initial: Mapping[str, Array] = field(default_factory=dict)
    running: Mapping[str, Array] = field(default_factory=dict)
    batches: int = 0

    @property
    def num_bytes(self) -> int:
        """The memory that it takes."""
        return self.parameters.nbytes * (2 + len(self.buffers))


@dataclass(frozen=True, slots=True)
class Record:
    """What an epoch came to, before its updates.

    Attributes:
        index: from 0.
        loss: the loss; of several batches their mean, each before its update.
        prediction: what each row says, all batches one after the other; None where there are no classes.
        accuracy: the share of right answers; None where there are no classes.
        test_accuracy: that of the rows kept apart, from the epoch's first parameters; None without them.
    """

    index: int
    loss: float
    prediction: tuple[str, ...] | None
    accuracy: float | None
    test_accuracy: float | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Looked:
    """What is computed of a batch in training.

    Attributes:
        index: which, from 0.
        forward: its pass.
        backward: its backward pass; None without a loss.
        update: the state that is updated, the gradients, flat, and the state after it; None where nothing is updated.
    """

    index: int
    forward: Pass
    backward: BackwardPass | None
    update: tuple[State, Array, State] | None


class Trainer:
    """Goes through epochs of a scenario's training; without [training] nothing is updated.

    Attributes:
        model: the scenario's model, with the parameters it begins with.
        optimizer: None where nothing is updated.
        places: where each parameter lies in the flat array, and its shape.
        running: the modules whose running statistics each batch moves.
        unreached: the parameters that the loss does not depend on; no update changes them.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        self.scenario = model.scenario
        training = self.scenario.training
        self.optimizer = None if training is None else Optimizer.of(training)
        self.mistake = None if training is None else training.mistake
        shapes = {name: value.shape for name, value in self.scenario.learnt.items()}
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes.values())])
        self.places = {
            name: (slice(int(start), int(stop)), shape)
            for (name, shape), (start, stop) in zip(shapes.items(), pairwise(ends), strict=True)
        }
        self.running = tuple(one for one in self.scenario.layers if one.moves)
        batches = self.scenario.batches
        longest = {
            name: max(batch.axis(name).num_steps for batch in batches) for name in batches[0].sequences
        }
        self.unreached = unreached(model.blocks, longest)

    def update_blocks(self, updates: int = 0) -> tuple[Block, ...]:
        """The blocks of an update: the clipping, if there is one, and each parameter under torch's name."""
        assert self.optimizer is not None
        found = [
            self.optimizer.block(name, shape, updates)
            for name, (_, shape) in self.places.items()
            if name not in self.unreached
        ]
        clip = [self.optimizer.clip_block(len(found))] if self.optimizer.clip else []
        return (*clip, *found)

    def start(self) -> State:
        """The state before the first epoch."""
        flat = self.flat(self.scenario.parameters)
        buffers = () if self.optimizer is None else self.optimizer.buffers
        beginning = 0.0 if self.optimizer is None else self.optimizer.beginning
        return State(flat, MappingProxyType({name: np.full_like(flat, beginning) for name in buffers}))

    def flat(self, by_name: Mapping[str, Array]) -> Array:
        """Lay arrays of all parameters in one."""
        parts = [np.asarray(by_name[name]).reshape(-1) for name in self.places]
        return np.concatenate(parts) if parts else np.empty(0, self.scenario.dtype)

    def by_name(self, flat: Array) -> dict[str, Array]:
        """Give a flat array as those of the parameters, under torch's names; views of it."""
        return {name: flat[place].reshape(shape) for name, (place, shape) in self.places.items()}

    def model_of(self, state: State) -> Model:
        """The model with a state's parameters."""
        model = self._with_parameters(state)
        return model.beginning_with(state.initial) if state.initial else model

    def _with_parameters(self, state: State) -> Model:
        if state.updates == 0 and not state.running:
            return self.model
        return self.model.with_parameters({**self.by_name(state.parameters), **state.running})

    def parameters_at(self, state: State) -> dict[str, Array]:
        """All parameters of a state under torch's names, those that are not learnt, too."""
        return {**self.scenario.parameters, **self.by_name(state.parameters), **state.running}

    @staticmethod
    def gathered(state: State, fresh: Array) -> Array:
        """What stands in the parameters' `.grad`: the gradients of a batch, and what was not set to zero before."""
        return fresh if state.gathered is None else state.gathered + fresh

    def clip_coef(self, gradient: Array) -> float:
        """What gradients are multiplied with so that their norm is at most `clip_grad_norm`."""
        if self.optimizer is None or not self.optimizer.clip:
            return 1.0
        return float(self.optimizer.clipping(self.norms(gradient))["clip_coef"][0])

    def norms(self, gradient: Array) -> Array:
        """The norm of each gradient that is there, its elements held within `clip_grad_value`."""
        assert self.optimizer is not None
        gradient = self.optimizer.clamped(gradient)
        found = [
            np.sqrt(np.dot(gradient[place], gradient[place]))
            for name, (place, _) in self.places.items()
            if name not in self.unreached
        ]
        return np.array(found, gradient.dtype)

    def updated(self, state: State, done: Pass, fresh: Array) -> State:
        """The state after a batch's update with its gradients, flat."""
        if self.optimizer is None:
            return self.went_on(state, done)
        gradient = self.gathered(state, fresh)
        clip_coef = self.clip_coef(gradient)
        with np.errstate(all="ignore"):
            values = self.optimizer.step(
                state.parameters, fresh, state.buffers, state.updates, clip_coef, state.gathered
            )
        if self.unreached:
            values |= self._with_others_left_alone(state, values)
        # Clipping changes the gradients that stand in the parameters' `.grad`.
        left = self.optimizer.clamped(gradient)
        left = left * gradient.dtype.type(clip_coef) if self.optimizer.clip else left
        return State(
            values["w"],
            MappingProxyType({name: values[name] for name in self.optimizer.buffers}),
            state.updates + 1,
            left if self.mistake == "no_zero_grad" else None,
            done.ended(self.scenario.recurrents) if self.mistake == "hidden_not_reset" else done.carried(),
            **self._moved(state, done),
        )

    def _moved(self, state: State, done: Pass) -> dict[str, Any]:
        """What a batch leaves of a state's running statistics."""
        running = self.running_after(state, done)
        return {"running": MappingProxyType(running), "batches": state.batches + 1} if running else {}

    def running_after(self, state: State, done: Pass) -> dict[str, Array]:
        """The running statistics after a batch that began with a state, under torch's names."""
        running: dict[str, Array] = {}
        for module in self.running:
            seen = {name: done.whole(f"{module.key}.{name}")[0, 0] for name in module.moves.values()}
            before = {**self.scenario.parameters, **state.running}
            count = done.num_read(f"{module.key}.{next(iter(seen))}")
            running |= module.moved(before, seen, count, state.batches)
        return running

    def went_on(self, state: State, done: Pass) -> State:
        """The state after a batch without an update."""
        if not self.is_moved:
            return state
        return replace(state, initial=done.carried(), **self._moved(state, done))

    @property
    def is_moved(self) -> bool:
        """Whether a batch without an update leaves another state."""
        return self.scenario.carries or bool(self.running)

    def at_end_of_epoch(self, state: State) -> State:
        """A state after the last batch as the next epoch begins with it: what was carried is not."""
        is_kept = self.mistake == "hidden_not_reset" or not state.initial
        return state if is_kept else replace(state, initial=_NOTHING)

    def _with_others_left_alone(self, state: State, values: Mapping[str, Array]) -> dict[str, Array]:
        """The parameters and buffers after an update, with those that have no gradient as they were."""
        found = {}
        for name, before in (("w", state.parameters), *state.buffers.items()):
            found[name] = values[name].copy()
            for place, _ in (self.places[parameter] for parameter in self.unreached):
                found[name][place] = before[place]
        return found

    def advance(self, state: State, notice: Callable[[Looked], None] | None = None) -> tuple[Record, State]:
        """Go through an epoch; give what it came to, its index 0, and the state after it.

        `notice` is told of each batch when it is done.
        """
        losses: list[float] = []
        said: list[str] = []
        right = Score()
        test = self._tested(state)
        for index in range(len(self.scenario.batches)):
            model = self.model_of(state)
            done = model.run_batch(index)
            assert done.loss is not None
            losses.append(done.loss)
            said += prediction(done) or ()
            right += score(done)
            if self.optimizer is not None:
                back = model.backward(done)
                assert back is not None
                fresh = self.flat(back.parameters)
                before, state = state, self.updated(state, done, fresh)
                if notice is not None:
                    notice(Looked(index, done, back, (before, fresh, state)))
            else:
                state = self.went_on(state, done)
        loss = losses[0] if len(losses) == 1 else float(np.mean(losses))
        return Record(0, loss, tuple(said) or None, right.share, test), self.at_end_of_epoch(state)

    def _tested(self, state: State) -> float | None:
        """The share of right answers among the rows kept apart."""
        if not self.scenario.test_batches:
            return None
        model = self._with_parameters(state)  # no state of the training rows goes with them
        found = Score()
        for index in range(len(self.scenario.test_batches)):
            found += score(model.run_test_batch(index))
        return found.share


# ── which parameters the loss depends on ─────────────────────────────────────────────────────────


def unreached(blocks: Sequence[Block], longest: Mapping[str, int]) -> frozenset[str]:
    """Torch's names of the parameters that no output depends on: spare ones of a user-defined cell.

    Args:
        blocks: of a model, in order of computation.
        longest: how many steps each sequence has in its longest batch: in a single step no state is carried.
    """
    graph = Graph(blocks)
    reached: set[str] = set()
    waiting = [(blocks[-1].key, blocks[-1].output)]  # values that are read
    seen: set[tuple[str, str]] = set()
    while waiting:
        at = waiting.pop()
        if at in seen or not at[0]:
            continue
        seen.add(at)
        block = graph.by_key[at[0]]
        read = names_read(block.program, at[1], is_carried=longest[block.sequence] > 1)
        reached |= {where.torch for name, where in block.learnt_in.items() if name in read}
        for name in block.wires:
            state = block.state_before(name)
            if (name if state is None else block.program.before(state)) in read:
                waiting += [(part.wire.block, part.wire.value) for part in graph.entering(block.key, name)]
    return frozenset(where.torch for block in blocks for where in block.learnt_in.values()) - reached


def names_read(program: Program, output: str, *, is_carried: bool) -> set[str]:
    """All names that an output depends on; with `is_carried` by way of the steps before, too."""
    lines = {program.before(state): state for state in program.states} if is_carried else {}
    found: set[str] = set()
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in program.by_name:
            waiting += names_in(program.by_name[name].expression)
        elif name in lines:
            waiting.append(lines[name])
    return found
