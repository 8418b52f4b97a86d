"""A module's output beside the equations: each step is taken from the h before it that the module itself gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.compile import ROWS
from rnnstep.equations.operations import Array
from rnnstep.network.time import TimeAxis
from rnnstep.reference.judge.block_bounds import LiveRows, bounded, flat, given_parameters, spans
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.run_bounds import carried_errors


@dataclass(frozen=True, eq=False)
class Followed:
    """What the equations give beside a module's output: by state (T, B, n), zeros where a row is over."""

    values: Mapping[str, Array]
    errors: Mapping[str, Error]


def follow(block: Block, x: Array, h: Array, first: Mapping[str, Array], axis: TimeAxis) -> Followed:
    """Take every step of a block from the h before it that a module gave.

    Args:
        block: a recurrent block.
        x: what entered the module's layer, (T, B, I).
        h: what it gave in the block's direction, (T, B, n).
        first: each state before the first step, (B, n).
        axis: the steps, and which rows take part in which.
    """

    def turned(whole: NDArray[Any]) -> NDArray[Any]:
        return axis.in_order(whole, block.direction)

    output, *others = block.program.states
    inputs = {next(iter(block.program.inputs)): turned(x)}
    inputs[f"{output}_prev"] = axis.before(turned(h), first[output], "forward")
    known: dict[str, Pair] = {name: Given(value) for name, value in inputs.items()}
    if others:
        known |= _others(_given_output(block), inputs, {name: first[name] for name in others}, axis)
    values = {name: np.empty((*h.shape[:2], len(first[name][0])), x.dtype) for name in block.program.states}
    errors = {name: np.empty(value.shape) for name, value in values.items()}
    rounding, parameters = Rounding(x.dtype), given_parameters(block)
    for span in spans(block, *h.shape[:2]):
        rows = LiveRows(None, span)
        given = {name: flat(rows, pair) for name, pair in known.items()}
        found = bounded(block, given, rounding, parameters)
        for name in block.program.states:
            values[name][span], errors[name][span] = (rows.back(part) for part in found[name])
    values, errors = ({name: turned(whole) for name, whole in each.items()} for each in (values, errors))
    living = axis.alive()
    if living is not None:
        for whole in (*values.values(), *errors.values()):
            whole[~living] = 0
    return Followed(values, errors)


def _given_output(block: Block) -> Block:
    """The block with its output's state before as an input, running forwards."""
    program = block.program
    output, *others = program.states
    inputs = {**program.inputs, f"{output}_prev": program.states[output]}
    states = {name: program.states[name] for name in others}
    return replace(block, direction="forward", program=replace(program, inputs=inputs, states=states))


def _others(
    block: Block, inputs: Mapping[str, Array], first: Mapping[str, Array], axis: TimeAxis
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
        before[name] = axis.before(kept[index][..., start:stop], state, "forward")
    dtype = next(iter(inputs.values())).dtype
    given = {name: Given(value) for name, value in inputs.items()}
    errors = carried_errors(block, given, before, dtype, axis.alive())
    return {
        f"{name}_prev": (value, axis.before(errors[name], np.zeros(value.shape[1:]), "forward"))
        for name, value in before.items()
    }
