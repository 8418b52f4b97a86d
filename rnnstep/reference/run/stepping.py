"""torch's modules stepped by hand, so that every h_t and c_t is seen: one time step, layer and direction at a time.

Two kinds of it. `stepper` and `run_steps` give arrays of all steps. `cell_stepper` and `walk` step torch's cells so that
autograd can follow: nothing is written over what it still needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from rnnstep.engine import Block
from rnnstep.equations.evaluate import evaluate, evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.network.time import Mask, states_before
from rnnstep.reference.run.equations import TorchValues
from rnnstep.reference.run.modules import Module, Parameters, Tensor, array, cell_module, step_module, tensor
from rnnstep.scenario.model import Scenario

_MANY = 4096
"""Beyond so many steps an nn.LSTM is stepped without oneDNN, which takes four times as long to begin as a step does."""

Stepper = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]  # x (b, I), states (b, n) → states


def stepper(scenario: Scenario, block: Block) -> Stepper:
    """What takes one step: torch.nn's module; for a cell of one's own its equations in torch's operations."""
    if scenario.recurrent.is_own:
        return _own_cell_stepper(scenario, block)
    module = step_module(scenario, block)
    if scenario.recurrent.is_cell:
        return lambda x, states: _as_tuple(module(x, _state_argument(states)))
    return lambda x, states: tuple(
        state[0]
        for state in _as_tuple(module(x[None], _state_argument(tuple(state[None] for state in states)))[1])
    )


def _state_argument(states: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    return states[0] if len(states) == 1 else states


def _as_tuple(states: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return states if isinstance(states, tuple) else (states,)


def _own_cell_stepper(scenario: Scenario, block: Block) -> Stepper:
    reading = TorchValues(scenario.dtype)
    parameters = {name: tensor(value) for name, value in block.parameters.items()}
    names = tuple(block.program.states)

    def step(x: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        before = {f"{name}_prev": state for name, state in zip(names, states, strict=True)}
        values = evaluate_lines(block.program.lines, {**parameters, "x": x, **before}, reading)
        return tuple(values[name].expand(state.shape) for name, state in zip(names, states, strict=True))

    return step


def run_steps(
    block: Block, step: Stepper, x: Tensor, first: tuple[Tensor, ...], living: Mask | None
) -> dict[str, Tensor]:
    """Step through time; give each state after every step, (T, B, n), zeros where a packed row is over."""
    import torch

    is_long = x.shape[0] > _MANY
    with torch.backends.mkldnn.flags(enabled=False) if is_long else nullcontext():
        return _run_steps(block, step, x, first, living)


def _run_steps(
    block: Block, step: Stepper, x: Tensor, first: tuple[Tensor, ...], living: Mask | None
) -> dict[str, Tensor]:
    import torch

    steps = x.shape[0]
    whole = [torch.zeros((steps, *state.shape), dtype=state.dtype) for state in first]
    states = first
    order = range(steps - 1, -1, -1) if block.direction == "backward" else range(steps)
    for t in order:
        live = slice(None) if living is None else tensor(np.flatnonzero(living[t]))
        if living is not None and not living[t].any():
            continue
        after = step(x[t, live], tuple(state[live] for state in states))
        for kept, value in zip(whole, after, strict=True):
            kept[t, live] = value
        if living is None or living[t].all():
            states = after
        else:
            states = tuple(_put(state, live, value) for state, value in zip(states, after, strict=True))
    return dict(zip(block.program.states, whole, strict=True))


def _put(state: Tensor, live: Tensor, value: Tensor) -> Tensor:
    changed = state.clone()
    changed[live] = value
    return changed


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
) -> dict[str, Array]:
    """Every line but the states in torch's operations, (T', B, n), from what torch's stepped module had.

    T' is T, or as many steps as `most_bytes` hold.
    """
    names = [name for name in varying(block.program) if name not in block.program.states]
    sizes = {name: int((block.program.shapes[name] or (1,))[0]) for name in names}
    step_bytes = max(1, sum(sizes.values()) * x.shape[1] * x.dtype.itemsize)
    steps = min(x.shape[0], most_bytes // step_bytes)
    alive = np.ones((steps, x.shape[1]), np.bool_) if living is None else living[:steps]
    is_reversed = block.direction == "backward"
    known = {name: tensor(value) for name, value in block.parameters.items()}
    known["x"] = tensor(x[:steps][alive])
    for name, value in states.items():
        before = states_before(value, first[name], living, is_reversed=is_reversed)
        known[f"{name}_prev"] = tensor(before[:steps][alive])
    values = evaluate_lines(block.program.lines, known, TorchValues(scenario.dtype))
    found = {}
    for name in names:
        found[name] = np.zeros((steps, x.shape[1], sizes[name]), x.dtype)
        found[name][alive] = array(values[name])
    return found


# ── so that autograd can follow ──────────────────────────────────────────────────────────────────

States = tuple[Tensor, ...]


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


def walk(step: Stepper, x: Tensor, first: States, living: Mask | None, *, is_reversed: bool) -> Walk:
    """Take every step.

    Args:
        step: what takes one.
        x: (T, B, I).
        first: each state before the first step, (B, n).
        living: which rows take part in which step, (T, B); None when all do.
        is_reversed: whether the last step comes first.
    """
    steps, rows = int(x.shape[0]), int(x.shape[1])
    states = first
    after: dict[int, States] = {}
    lives: dict[int, Tensor | None] = {}
    for t in range(steps - 1, -1, -1) if is_reversed else range(steps):
        if living is None or living[t].all():
            lives[t] = None
            after[t] = states = step(x[t], states)
        elif living[t].any():
            live = lives[t] = tensor(np.flatnonzero(living[t]))
            after[t] = step(x[t, live], tuple(state[live] for state in states))
            states = tuple(
                state.index_put((live,), value) for state, value in zip(states, after[t], strict=True)
            )
    return Walk(after, lives, states, (steps, rows))


def cell_stepper(scenario: Scenario, block: Block, parameters: Parameters) -> Stepper:
    """What takes one step of a block: torch.nn's RNNCell, LSTMCell or GRUCell with the block's weights.

    torch has no cell with a projection: there the module itself takes the step, one layer and direction of it.
    A cell of one's own is its equations in torch's operations.
    """
    if scenario.recurrent.is_own:
        return equations_stepper(scenario, block, parameters)
    if scenario.recurrent.proj_size:
        return _module_stepper(step_module(scenario, block, parameters))
    cell = cell_module(scenario, block, parameters)
    return lambda x, states: _as_tuple(cell(x, _state_argument(states)))


def equations_stepper(scenario: Scenario, block: Block, parameters: Parameters) -> Stepper:
    """What takes one step by the equations in torch's operations.

    The states it gives are the very tensors that later lines read, so that their gradients are total.
    """
    reading = TorchValues(scenario.dtype)
    known = equation_parameters(block, parameters)
    names = tuple(block.program.states)
    (entering,) = block.program.inputs

    def step(x: Tensor, states: States) -> States:
        before = {f"{name}_prev": state for name, state in zip(names, states, strict=True)}
        seen = {**known, entering: x, **before}
        for line in block.program.lines:
            value = evaluate(line.expression, seen, reading)
            if (
                line.name in block.program.states
            ):  # a tensor of its own, also where the line only names another
                value = value.expand(len(x), value.shape[-1])
                if (
                    not value.requires_grad
                ):  # no parameter is behind it; its gradient is asked for all the same
                    value = value.clone().requires_grad_()
            seen[line.name] = value
        return tuple(seen[name] for name in names)

    return step


def equation_parameters(block: Block, parameters: Parameters) -> dict[str, Tensor]:
    """The equations' parameters, `W_ii` …, as rows of torch's."""
    return {name: parameters[where.torch][where.start : where.stop] for name, where in block.kept_in.items()}


def _module_stepper(module: Module) -> Stepper:
    return lambda x, states: tuple(
        state[0]
        for state in _as_tuple(module(x[None], _state_argument(tuple(state[None] for state in states)))[1])
    )
