"""Breakpoints: at an operation, at a block, at a step, or where a condition holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rnnstep.engine import Block
from rnnstep.engine.watch import Watch
from rnnstep.language import Text
from rnnstep.session.moves import Position, next_place
from rnnstep.session.run import Run
from rnnstep.session.tree import Path, Spot


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where `c` stops: everything that is given must hold.

    Attributes:
        key: a block's key, at every step.
        operation: one of its operations, at every step; without it the block's last one.
        step: a step, from 0; the last operation of it when no block is named.
        condition: an expression, looked at when a recurrent block's step is complete.
    """

    key: str | None = None
    operation: str | None = None
    step: int | None = None
    condition: Watch | None = None

    def __str__(self) -> str:
        if self.condition is not None:
            return self.condition.text
        parts = (None if self.step is None else str(self.step + 1), self.key, self.operation)
        return "/".join(part for part in parts if part is not None)

    def means(self, other: Breakpoint) -> bool:
        """Whether another one stops at the same places, however its condition is spaced."""
        if self.condition is None or other.condition is None:
            return self == other
        return self.condition.expression == other.condition.expression

    def read_again(self, blocks: Iterable[Block]) -> Breakpoint | None:
        """Give the same breakpoint for the blocks of another run; None where its condition fits none of them."""
        if self.condition is None:
            return self
        condition = self.condition.read_again(blocks)
        return None if condition is None else replace(self, condition=condition)

    def stops_at(self, run: Run, spot: Spot) -> bool:
        """Whether running stops after the operation of `spot`."""
        block = run.tree.block(spot)
        is_last = spot.operation == block.program.names[-1]
        if self.condition is not None:
            if not is_last or block.kind != "recurrent":
                return False
            assert spot.t is not None
            values = run.trace.passes[spot.batch].values(block.key, spot.t)
            return self.condition.holds(block, values, spot.t)
        if self.step is not None and (spot.t != self.step or not is_last):
            return False
        if self.key is not None and spot.key != self.key:
            return False
        return spot.operation == self.operation if self.operation is not None else is_last


def toggled(breakpoints: tuple[Breakpoint, ...], one: Breakpoint) -> tuple[tuple[Breakpoint, ...], Text]:
    """Add a breakpoint, or take away the one that means the same; say which."""
    kept = tuple(other for other in breakpoints if not other.means(one))
    if kept != breakpoints:
        return kept, Text("breakpoint removed: {what}", what=str(one))
    if one.condition is not None:
        told = Text("c stops where {what}; B with the same or nothing removes it", what=str(one))
    else:
        told = Text("breakpoint set: {what}", what=str(one))
    return (*breakpoints, one), told


def without_conditions(breakpoints: tuple[Breakpoint, ...]) -> tuple[tuple[Breakpoint, ...], Text]:
    """Take away every breakpoint that has a condition; say so."""
    kept = tuple(one for one in breakpoints if one.condition is None)
    if kept == breakpoints:
        return kept, Text("there is no condition to remove")
    return kept, Text("all conditions removed")


def next_stop(run: Run, position: Position, breakpoints: Iterable[Breakpoint]) -> Path | None:
    """Give the first operation after the cursor at which one of the breakpoints stops; None when none does."""
    tree = run.tree
    depth = tree.level("operation")
    path = position.path
    while path and len(path) < depth:  # the last operation that is computed where the cursor stands
        path = (*path, tree.count(path) - 1)
    cursor = next_place(tree, Position(path[:depth], depth))
    while cursor is not None:
        spot = tree.locate(cursor.path)
        if any(one.stops_at(run, spot) for one in breakpoints):
            return cursor.path
        cursor = next_place(tree, cursor)
    return None
