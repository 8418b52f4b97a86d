"""torch's modules stepped by hand, so that every h_t and c_t is seen: one time step, layer and direction at a time.

`walk` takes the steps so that autograd can follow: nothing is written over what it still needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from rnnstep.cells.cell import KEEP
from rnnstep.engine import Block
from rnnstep.equations.evaluate import evaluate, evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.reference.run.equations import TorchValues
from rnnstep.reference.run.layout import Mask, states_before
from rnnstep.reference.run.modules import Parameters, Tensor, array, one_layer, tensor
from rnnstep.scenario.model import Scenario

MANY = 4096
"""Beyond so many steps a module is stepped as torch's cell: calling an nn.LSTM takes four times as long as its step does."""

States = tuple[Tensor, ...]
Stepper = Callable[[Tensor, States], States]  # x (b, I), states (b, n) → states


# ── one step ─────────────────────────────────────────────────────────────────────────────────────


def module_stepper(scenario: Scenario, block: Block, parameters: Parameters) -> Stepper:
    """What takes one step of a block: the module that the scenario names, one layer and direction of it."""
    recurrent = scenario.recurrent_of(block)
    if recurrent.is_own or recurrent.is_cell:
        return cell_stepper(scenario, block, parameters)
    module = one_layer(recurrent, block, parameters, is_cell=False)
    return lambda x, states: tuple(
        state[0]
        for state in _as_tuple(module(x[None], _state_argument(tuple(state[None] for state in states)))[1])
    )


def cell_stepper(scenario: Scenario, block: Block, parameters: Parameters) -> Stepper:
    """What takes one step of a block: torch.nn's RNNCell, LSTMCell or GRUCell with the block's weights.

    torch has no cell with a projection: there the module itself takes the step, one layer and direction of it.
    A user-defined cell is its equations in torch's operations.
    """
    recurrent = scenario.recurrent_of(block)
    if recurrent.is_own:
        return equations_stepper(scenario, block, parameters)
    if recurrent.proj_size:
        return module_stepper(scenario, block, parameters)
    # What calling the cell comes to, but that no step looks for hooks, which it has none of.
    step = one_layer(recurrent, block, parameters, is_cell=True).forward
    return lambda x, states: _as_tuple(step(x, _state_argument(states)))


def equations_stepper(scenario: Scenario, block: Block, parameters: Parameters) -> Stepper:
    """What takes one step by the equations in torch's operations.

    The states it gives are the very tensors that later lines read, so that their gradients are total.
    """
    import torch

    reading = TorchValues(scenario.dtype)
    known = equation_parameters(block, parameters)
    names = tuple(block.program.states)
    entering, *resets = block.program.inputs
    # A row that is reset has zeros already when a step begins, as in a program: `Walking` sees to it.
    known |= {name: torch.ones(1, dtype=next(iter(known.values())).dtype) for name in resets}

    def step(x: Tensor, states: States) -> States:
        before = {f"{name}_prev": state for name, state in zip(names, states, strict=True)}
        seen = {**known, entering: x, **before}
        for line in block.program.lines:
            value = evaluate(line.expression, seen, reading)
            if line.name in block.program.states:
                # A tensor of its own, also where the line only names another.
                value = value.expand(len(x), value.shape[-1])
                if not value.requires_grad:  # no parameter is behind it; its gradient is asked for
                    value = value.clone().requires_grad_()
            seen[line.name] = value
        return tuple(seen[name] for name in names)

    return step


def equation_parameters(block: Block, parameters: Parameters) -> dict[str, Tensor]:
    """The equations' parameters, `W_ii` …, as rows of torch's."""
    return {name: where.of(parameters[where.torch]) for name, where in block.kept_in.items()}


def _state_argument(states: States) -> Tensor | States:
    return states[0] if len(states) == 1 else states


def _as_tuple(states: Tensor | States) -> States:
    return states if isinstance(states, tuple) else (states,)


# ── all steps ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Walk:
    """What stepping one layer in one direction gave.

    Attributes:
        after: by step the states after it, each (live rows, n); steps that no row reaches are missing.
        live: by step the rows that took part; None where all did.
        ends: the states at each row's end, (B, n).
        shape: T and B.
    """

    after: Mapping[int, States]
    live: Mapping[int, Tensor | None]
    ends: States
    shape: tuple[int, int]

    def whole(self, state: int) -> Tensor:
        """A state after every step, (T, B, n); zeros where a packed row is over."""
        import torch

        zeros = torch.zeros_like(self.ends[state])
        steps = []
        for t in range(self.shape[0]):
            live = self.live.get(t)
            value = self.after[t][state] if t in self.after else zeros
            steps.append(value if live is None else zeros.index_put((live,), value))
        return torch.stack(steps)


class Walking:
    """One layer in one direction while it is stepped.

    Args:
        step: what takes one step.
        first: each state before the first step, (B, n).
        living: which rows take part in which step, (T, B); None when all do.
        shape: T and B.
        keep: 0 where a row's states are zeros before a step, else 1, (T, B, 1); None where none is reset.
    """

    def __init__(
        self,
        step: Stepper,
        first: States,
        living: Mask | None,
        shape: tuple[int, int],
        keep: Array | None = None,
    ) -> None:
        self._step, self._states, self._living, self._shape = step, first, living, shape
        self._keep = None if keep is None else tensor(keep)
        self._after: dict[int, States] = {}
        self._live: dict[int, Tensor | None] = {}

    def advance(self, t: int, x: Tensor) -> Tensor:
        """Take step `t`, which follows on the one taken last, on what enters it, (B, I).

        Gives the first state after it, (B, n), zeros where a row is over.
        """
        import torch

        if self._keep is not None:
            self._states = tuple(self._keep[t] * state for state in self._states)
        living = None if self._living is None else self._living[t]
        if living is None or living.all():
            self._live[t] = None
            self._after[t] = self._states = self._step(x, self._states)
            return self._states[0]
        zeros = torch.zeros_like(self._states[0])
        if not living.any():
            return zeros
        live = self._live[t] = tensor(np.flatnonzero(living))
        after = self._after[t] = self._step(x[live], tuple(state[live] for state in self._states))
        self._states = tuple(
            state.index_put((live,), value) for state, value in zip(self._states, after, strict=True)
        )
        return zeros.index_put((live,), after[0])

    @property
    def done(self) -> Walk:
        """What the steps taken so far gave."""
        return Walk(self._after, self._live, self._states, self._shape)


def walk(
    step: Stepper,
    x: Tensor,
    first: States,
    living: Mask | None,
    *,
    is_reversed: bool,
    keep: Array | None = None,
) -> Walk:
    """Take every step.

    Args:
        step: what takes one.
        x: (T, B, I).
        first: each state before the first step, (B, n).
        living: which rows take part in which step, (T, B); None when all do.
        is_reversed: whether the last step comes first.
        keep: as of `Walking`.
    """
    steps, rows = int(x.shape[0]), int(x.shape[1])
    walking = Walking(step, first, living, (steps, rows), keep)
    for t in range(steps - 1, -1, -1) if is_reversed else range(steps):
        walking.advance(t, x[t])
    return walking.done


@dataclass(frozen=True, eq=False)
class Along:
    """Arrays along a stepped run: torch's values, or the derivatives of the loss by them.

    Attributes:
        entered: what enters each layer, (T, B, I), by the key of its first block. As a derivative: by what all its blocks
            read.
        x: what enters each block, (T, B, I). As a derivative: by what this block alone read.
        states: each state after every step, (T, B, n), zeros where a packed row is over. As a derivative: the
            total one, with what comes from above and from the step after.
        first: each state before the first step, (B, n).
        output: the first state as what stands above the block reads it, (T, B, n). As a derivative: what comes from
            above alone, that of a final state that the linear layer reads included; also in the padding, whose
            zeros are read as well.
        ends: of the states beside the first those that are read where each row ended, (B, n), by block and name. As a
            derivative: by what reads them there.
        through: of the states of a cell those that are read after every step, (T, B, n), likewise.
        scores: what the loss reads, (T, B, C), or (B, C).
        read, gave: what the modules without states read, all inputs side by side, and gave, by their keys, (T, B, n), or
            (B, n). As a derivative of what was read: by what this module alone read.
        read_whole: what attention looked at, by its key and as it calls it, (S, B, n). As a derivative: by what it read.
    """

    entered: Mapping[str, Array]
    x: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    first: Mapping[str, Mapping[str, Array]]
    output: Mapping[str, Array]
    scores: Array
    read: Mapping[str, Array] = field(default_factory=dict)
    gave: Mapping[str, Array] = field(default_factory=dict)
    ends: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    through: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    read_whole: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)


# ── every line, beside the steps ─────────────────────────────────────────────────────────────────


def varying(program: Program) -> tuple[str, ...]:
    """The lines that read an input or a state; what is of parameters alone is the same at every step."""
    reached = {*program.inputs, *(f"{name}_prev" for name in program.states)}
    for line in program.lines:
        if not reached.isdisjoint(names_in(line.expression)):
            reached.add(line.name)
    return tuple(name for name in program.names if name in reached)


def inner_values(
    scenario: Scenario,
    block: Block,
    x: Array,
    states: Mapping[str, Array],
    first: Mapping[str, Array],
    living: Mask | None,
    most_bytes: int,
    keep: Array | None = None,
) -> dict[str, Array]:
    """Every line but the states in torch's operations, (T', B, n), from what torch's stepped module had.

    T' is T, or as many steps as `most_bytes` hold.
    """
    names = [name for name in varying(block.program) if name not in block.program.states]
    sizes = {name: int((block.program.shapes[name] or (1,))[0]) for name in names}
    step_bytes = max(1, sum(sizes.values()) * x.shape[1] * x.dtype.itemsize)
    steps = min(x.shape[0], most_bytes // step_bytes)
    alive = None if living is None else living[:steps]

    def live(whole: Array) -> Tensor:
        """The live rows of all steps, one behind the other."""
        part = whole[:steps]
        return tensor(part.reshape(-1, part.shape[-1]) if alive is None else part[alive])

    is_reversed = block.direction == "backward"
    known = {name: tensor(value) for name, value in block.parameters.items()}
    known["x"] = live(x)
    if keep is not None:
        known[KEEP] = live(keep)
    for name, value in states.items():
        # With the step after those that are looked at, which a backward direction reads.
        few, these = value[: steps + 1], None if living is None else living[: steps + 1]
        before = states_before(few, first[name], these, is_reversed=is_reversed)
        known[f"{name}_prev"] = live(before)
    values = evaluate_lines(block.program.lines, known, TorchValues(scenario.dtype))
    found = {}
    for name in names:
        rows, shape = array(values[name]), (steps, x.shape[1], sizes[name])
        if alive is None:
            found[name] = np.ascontiguousarray(rows).reshape(shape)
        else:
            found[name] = np.zeros(shape, x.dtype)
            found[name][alive] = rows
    return found
