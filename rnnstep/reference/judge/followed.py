"""A module's output beside the equations: each step is taken from the h before it that the module itself gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from rnnstep.engine import Block
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.compile import ROWS
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Line, names_in
from rnnstep.network.time import Mask, TimeAxis
from rnnstep.reference.judge.block_bounds import LiveRows, Pairs
from rnnstep.reference.judge.bounds import Product
from rnnstep.reference.judge.run_bounds import carried_errors
from rnnstep.reference.judge.step_bounds import StepBounds, reached
from rnnstep.reference.run.stepping import varying


class FollowedSteps:
    """A block whose every step is taken from the h before it that a module gave. Steps are counted as they are computed.

    Attributes:
        h: what the module gave.
        final: each state where each row ended, (B, n), of the rows that have ended.

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
        self._axis, self._bounds = axis, bounds
        self._living = axis.alive()
        self.h = axis.in_order(h, block.direction)
        output, *others = block.program.states
        self._x, self._first = axis.in_order(x, block.direction), first[output]
        self._last = np.array([axis.last_step(row) for row in range(axis.num_rows)])
        self._parted = _parted(block.program)
        self._walked = replace(block, direction="forward", program=self._parted.between)
        self._ends: dict[str, Pair] = {name: Given(first[name]) for name in others}
        self.final: Pairs = {
            name: (np.zeros(state.shape, x.dtype), np.zeros(state.shape)) for name, state in first.items()
        }

    def take(self, span: slice) -> Pair:
        """Take some steps, which follow on those taken last; give the output and the bound of its error, (steps, B, n)."""
        rows, (output, *_) = LiveRows(None, span), self.final
        before = self._axis.before(self.h, self._first, "forward", span)
        given = {
            next(iter(self._bounds.block.program.inputs)): Given(rows.of(self._x)),
            f"{output}_prev": Given(rows.of_part(before)),
        }
        seen = {**given, **self._bounds.entered(given), **self._bounds.states(given)}
        apart = tuple(line for line in self._parted.apart if line.name not in seen)
        seen |= evaluate_lines(apart, seen, self._bounds.reading)
        living = None if self._living is None else self._living[span]
        if self._ends:
            read = {name: _by_step(seen[name], rows) for name in self._parted.between.inputs}
            after = _walk(self._walked, read, self._ends, living)
            seen |= {f"{name}_prev": _flat_before(pair, self._ends[name]) for name, pair in after.items()}
            self._ends = {name: (value[-1], error[-1]) for name, (value, error) in after.items()}
        seen |= evaluate_lines(self._parted.reached, seen, self._bounds.reading)
        found = {name: _by_step(seen[name], rows) for name in self.final}
        if living is not None:
            found = {name: _masked(pair, living) for name, pair in found.items()}
        self._note_ends(found, span)
        return found[output]

    def _note_ends(self, found: Mapping[str, Pair], span: slice) -> None:
        rows = np.flatnonzero((self._last >= span.start) & (self._last < span.stop))
        for name, pair in found.items():
            for part, final in zip(pair, self.final[name], strict=True):
                final[rows] = part[self._last[rows] - span.start, rows]


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


def _masked(pair: Pair, living: Mask) -> Pair:
    """A pair with zeros where a row is over."""
    value, error = (np.where(living[..., None], part, 0.0) for part in pair)
    return value, error


def _flat_before(after: Pair, first: Pair) -> Pair:
    """A state before each step as rows, from that after each, (steps, B, n), and that before the first, (B, n)."""
    parts = (
        np.concatenate((end, part[:-1].reshape(-1, part.shape[-1])))
        for part, end in zip(after, first, strict=True)
    )
    value, error = parts
    return value, error
