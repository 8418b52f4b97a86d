"""torch's module stepped by hand: one time step, layer and direction at a time, so that every h_t and c_t is seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rnnstep.engine import Block
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.reference.layout import Mask, previous
from rnnstep.reference.modules import Tensor, array, step_module, tensor
from rnnstep.reference.operations import TorchValues
from rnnstep.scenario.model import Scenario

Stepper = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]]  # x (b, I), states (b, n) → states


def stepper(scenario: Scenario, block: Block) -> Stepper:
    """What takes one step: torch.nn's module; for a cell of one's own its equations in torch's operations."""
    if scenario.recurrent.is_own:
        return _equations_stepper(scenario, block)
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


def _equations_stepper(scenario: Scenario, block: Block) -> Stepper:
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
        before = previous(value, first[name], living, is_reversed=is_reversed)
        known[f"{name}_prev"] = tensor(before[:steps][alive])
    values = evaluate_lines(block.program.lines, known, TorchValues(scenario.dtype))
    found = {}
    for name in names:
        found[name] = np.zeros((steps, x.shape[1], sizes[name]), x.dtype)
        found[name][alive] = array(values[name])
    return found
