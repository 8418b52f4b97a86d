"""torch's whole module, step by step from its own output: what the module alone gives away of its states.

The bound carried along a run of a large or chaotic model grows beyond all use. What the module returned can still
be judged closely: its h_{t-1} is known, so that h_t must follow from it by the equations; only a state
that it does not return at every step (an LSTM's c) is carried along, and its error with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.equations.bounds import Pair
from rnnstep.equations.compile import ROWS
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Error, Rounding, exact
from rnnstep.reference.carried import carried_errors
from rnnstep.reference.layout import Mask, previous
from rnnstep.reference.one_step import Rows, bounded


@dataclass(frozen=True, eq=False)
class Followed:
    """What the equations give beside a module's output: by state (T, B, n), zeros where a row is over."""

    values: Mapping[str, Array]
    errors: Mapping[str, Error]


def follow(block: Block, x: Array, h: Array, first: Mapping[str, Array], living: Mask | None) -> Followed:
    """Take every step of a block from the h before it that a module gave.

    Args:
        block: a recurrent block.
        x: what entered the module's layer, (T, B, I).
        h: what it gave in the block's direction, (T, B, n).
        first: each state before the first step, (B, n).
        living: which rows take part in which step, (T, B); None when all do.
    """
    order = _Order(h.shape[0], h.shape[1], living, is_reversed=block.direction == "backward")
    output, *others = block.program.states
    inputs = {next(iter(block.program.inputs)): order.of(x)}
    inputs[f"{output}_prev"] = previous(order.of(h), first[output], None, is_reversed=False)
    known: dict[str, tuple[Array, Error]] = {name: exact(value) for name, value in inputs.items()}
    if others:
        known |= _others(_given_output(block), inputs, {name: first[name] for name in others}, living)
    rows = Rows(None, slice(None))
    flat = {
        name: (rows.of(value), rows.of(np.broadcast_to(error, value.shape)))
        for name, (value, error) in known.items()
    }
    found = bounded(block, flat, Rounding(x.dtype))
    values, errors = (
        {name: order.of(rows.back(found[name][part])) for name in block.program.states} for part in (0, 1)
    )
    if living is not None:
        for whole in (*values.values(), *errors.values()):
            whole[~living] = 0
    return Followed(values, errors)


class _Order:
    """Between the order of time and that in which a block computes; turning round twice is as before."""

    def __init__(self, steps: int, rows: int, living: Mask | None, *, is_reversed: bool) -> None:
        t = np.arange(steps)[:, None]
        lengths = np.full(rows, steps) if living is None else living.sum(axis=0)
        self._t = (
            np.where(t < lengths, lengths - 1 - t, t) if is_reversed else np.broadcast_to(t, (steps, rows))
        )
        self._row = np.arange(rows)

    def of(self, whole: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(whole[self._t, self._row])


def _given_output(block: Block) -> Block:
    """The block with its output's state before as an input, running forwards."""
    program = block.program
    output, *others = program.states
    inputs = {**program.inputs, f"{output}_prev": program.states[output]}
    states = {name: program.states[name] for name in others}
    return replace(block, direction="forward", program=replace(program, inputs=inputs, states=states))


def _others(
    block: Block, inputs: Mapping[str, Array], first: Mapping[str, Array], living: Mask | None
) -> dict[str, Pair]:
    """What each step reads of the states that the module does not return, and its error, (T, B, n)."""
    compiled = block.compiled
    prepared = compiled.prepare(block.parameters, next(iter(inputs.values())).dtype, ROWS)
    with np.errstate(all="ignore"):
        kept = compiled.function(ROWS)(
            *map(np.ascontiguousarray, inputs.values()), *first.values(), *prepared
        )
    before = {}
    for name, state in first.items():
        index, start, stop = compiled.columns[name]
        before[name] = previous(kept[index][..., start:stop], state, None, is_reversed=False)
    dtype = next(iter(inputs.values())).dtype
    errors = carried_errors(
        block, {name: exact(value) for name, value in inputs.items()}, before, dtype, living
    )
    return {
        f"{name}_prev": (value, previous(errors[name], np.zeros(value.shape[1:]), None, is_reversed=False))
        for name, value in before.items()
    }
