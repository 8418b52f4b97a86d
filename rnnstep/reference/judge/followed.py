"""A module's output beside the equations: each step is taken from the h before it that the module itself gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.compile import ROWS
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Line, names_in
from rnnstep.network.time import Mask, TimeAxis
from rnnstep.reference.judge.block_bounds import LiveRows
from rnnstep.reference.judge.bounds import Error, Product
from rnnstep.reference.judge.run_bounds import carried_errors
from rnnstep.reference.judge.step_bounds import StepBounds, reached
from rnnstep.reference.run.stepping import varying


@dataclass(frozen=True, eq=False)
class Followed:
    """What the equations give beside a module's output: by state (T, B, n), zeros where a row is over."""

    values: Mapping[str, Array]
    errors: Mapping[str, Error]


class Following:
    """A block whose every step is taken from the h before it that a module gave.

    Args:
        block: a recurrent block.
        x: what entered the module's layer, (T, B, I).
        h: what it gave in the block's direction, (T, B, n).
        first: each state before the first step, (B, n).
        axis: the steps, and which rows take part in which.
        bounds: of the block.
    """

    def __init__(
        self,
        block: Block,
        x: Array,
        h: Array,
        first: Mapping[str, Array],
        axis: TimeAxis,
        bounds: StepBounds,
    ) -> None:
        self._axis, self._bounds, self._direction = axis, bounds, block.direction
        self._living = axis.alive()
        output, *others = block.program.states
        self._known = {
            next(iter(block.program.inputs)): self._turned(x),
            f"{output}_prev": axis.before(self._turned(h), first[output], "forward"),
        }
        self._parted = _parted(block.program)
        self._walked = replace(block, direction="forward", program=self._parted.between)
        self._ends: dict[str, Pair] = {name: Given(first[name]) for name in others}
        shapes = {name: (*h.shape[:2], state.shape[-1]) for name, state in first.items()}
        self._values = {name: np.empty(shape, x.dtype) for name, shape in shapes.items()}
        self._errors = {name: np.empty(shape) for name, shape in shapes.items()}

    def _turned(self, whole: NDArray[Any]) -> NDArray[Any]:
        return self._axis.in_order(whole, self._direction)

    def take(self, span: slice) -> None:
        """Take some steps, counted as they are computed; they follow on those taken last."""
        rows = LiveRows(None, span)
        given = {name: Given(rows.of(value)) for name, value in self._known.items()}
        seen = {**given, **self._bounds.entered(given)}
        apart = tuple(line for line in self._parted.apart if line.name not in seen)
        seen |= evaluate_lines(apart, seen, self._bounds.reading)
        if self._ends:
            read = {name: _by_step(seen[name], rows) for name in self._parted.between.inputs}
            after = _walk(
                self._walked, read, self._ends, None if self._living is None else self._living[span]
            )
            seen |= {f"{name}_prev": _flat_before(pair, self._ends[name]) for name, pair in after.items()}
            self._ends = {name: (value[-1], error[-1]) for name, (value, error) in after.items()}
        seen |= evaluate_lines(self._parted.reached, seen, self._bounds.reading)
        for name in self._values:
            self._values[name][span], self._errors[name][span] = (rows.back(part) for part in seen[name])

    @property
    def followed(self) -> Followed:
        """What all steps gave, in the order of time."""
        values, errors = (
            {name: self._turned(whole) for name, whole in each.items()}
            for each in (self._values, self._errors)
        )
        if self._living is not None:
            for whole in (*values.values(), *errors.values()):
                whole[~self._living] = 0
        return Followed(values, errors)


@dataclass(frozen=True, eq=False)
class _Parted:
    """The lines of a program whose output is known at every step.

    Attributes:
        apart: those that no other state reaches: known for many steps at once.
        between: those that make the other states, as a program that reads what is apart.
        reached: those that another state reaches, in the step or from the one before.
    """

    apart: tuple[Line, ...]
    between: Program
    reached: tuple[Line, ...]


@lru_cache(maxsize=256)
def _parted(program: Program) -> _Parted:
    _, *others = program.states
    carried = reached(program, program.befores[1:])
    within = {*carried, *others, *set(program.names).difference(varying(program))}
    needed = set(others)
    for line in reversed(program.lines):
        if line.name in needed & within:
            needed.update(names_in(line.expression))
    lines = tuple(line for line in program.lines if line.name in needed & within)
    read = needed - within - {*program.parameters}
    inputs = {**program.inputs} | {name: shape for name, shape in program.shapes.items() if name in read}
    states = {name: program.states[name] for name in others}
    return _Parted(
        tuple(line for line in program.lines if line.name not in carried),
        replace(program, lines=lines, inputs=inputs, states=states),
        tuple(line for line in program.lines if line.name in carried),
    )


def _walk(
    block: Block, read: Mapping[str, Pair], ends: Mapping[str, Pair], living: Mask | None
) -> dict[str, Pair]:
    """Each state after every step, (steps, B, n), from what the steps read and what was there before them, (B, n)."""
    dtype = next(iter(read.values()))[0].dtype
    prepared = block.compiled.prepare(block.parameters, dtype, ROWS)
    inputs = [np.ascontiguousarray(value) for value, _ in read.values()]
    with np.errstate(all="ignore"):
        kept = block.compiled.function(ROWS)(*inputs, *(value for value, _ in ends.values()), *prepared)
    columns = zip(ends, block.compiled.state_columns, strict=True)
    values = {name: kept[index][..., start:stop] for name, (index, start, stop) in columns}
    before = {name: np.concatenate((ends[name][0][None], value[:-1])) for name, value in values.items()}
    errors = carried_errors(
        block, read, before, dtype, living, {name: error for name, (_, error) in ends.items()}
    )
    return {name: (value, errors[name]) for name, value in values.items()}


def _by_step(pair: Pair, rows: LiveRows) -> Pair:
    """(rows of the steps, n) → (steps, B, n)."""
    value, error = (rows.back(part) for part in pair)
    return Product(value, error, pair.terms) if isinstance(pair, Product) else (value, error)


def _flat_before(after: Pair, first: Pair) -> Pair:
    """A state before each step as rows, from that after each, (steps, B, n), and that before the first, (B, n)."""
    parts = (
        np.concatenate((end, part[:-1].reshape(-1, part.shape[-1])))
        for part, end in zip(after, first, strict=True)
    )
    value, error = parts
    return value, error
