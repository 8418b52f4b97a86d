"""Breakpoints: at an operation, at a block, at a step, after a pass, or where a condition holds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rnnstep.engine.structure import Phase
from rnnstep.language import Text
from rnnstep.session.moves import Position, next_place, previous_place
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Path, Spot, Tree
from rnnstep.session.watching import PassWatch, is_read_in, read_again

PATIENCE = 0.4  # seconds that a key may train for
_SEARCH = 2.0  # seconds that `c` looks on for a condition


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where `c` stops, in every batch and epoch: everything that is given must hold.

    Attributes:
        key: a block's key, at every step.
        operation: one of its operations, at every step; without it the block's last one.
        step: a step, from 0; the last operation of it when no block is named.
        condition: an expression, looked at when a recurrent block's step or a parameter's update is complete.
        phase: the pass that it is in; with nothing else its end.
        sequence: of several, the one whose step is meant; with nothing else its end.
    """

    key: str | None = None
    operation: str | None = None
    step: int | None = None
    condition: PassWatch | None = None
    phase: Phase = "forward"
    sequence: str | None = None

    def __str__(self) -> str:
        if self.condition is not None:
            return self.condition.text
        parts = (None if self.step is None else str(self.step + 1), self.key, self.operation)
        written = "/".join(part for part in parts if part is not None)
        written = written if self.sequence is None else f"{self.sequence}:{written}"
        return written if written and self.phase == "forward" else f"{self.phase}:{written}"

    def means(self, other: Breakpoint) -> bool:
        """Whether another one stops at the same places, however its condition is spaced."""
        if self.condition is None or other.condition is None:
            return self == other
        return (
            self.condition.watch.expression == other.condition.watch.expression and self.phase == other.phase
        )

    def read_again(self, tree: Tree) -> Breakpoint | None:
        """Give the same breakpoint for another run; None where its condition fits nothing there."""
        if self.condition is None:
            return self
        condition = read_again(tree, self.condition)
        return None if condition is None else replace(self, condition=condition, phase=condition.phase)

    def stops_at(self, run: SessionRun, spot: Spot) -> bool:
        """Whether running stops after the operation of `spot`; of a condition the run is at the spot's epoch."""
        if spot.phase != self.phase:
            return False
        tree = run.tree
        block = tree.block(spot)
        is_last = spot.operation == block.program.names[-1]
        if self.operation is not None:
            return spot.operation == self.operation and self.key in (None, spot.key)
        if not is_last:
            return False
        assert spot.t is not None
        if self.condition is not None:
            if not is_read_in(self.phase, block):
                return False
            done = run.pass_of(spot)
            return self.condition.holds(done.by_key[block.key], done.values(block.key, spot.t), spot.t)
        if self.key is not None:
            return spot.key == self.key and self.step in (None, spot.t)
        if self.sequence not in (None, block.sequence):
            return False
        if self.step is not None:
            return spot.t == self.step and _is_complete(tree, spot, "step")
        return _is_complete(tree, spot, "pass" if self.sequence is None else "sequence")


def _is_complete(tree: Tree, spot: Spot, level: str) -> bool:
    """Whether a step or pass is complete with a spot's operation. Where the order is by layer, each block's step is."""
    path = tree.path_to(spot)
    assert path is not None
    ends = range(tree.level(level, path), len(path))
    return all(path[depth] == tree.count(path[:depth]) - 1 for depth in ends)


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


def breakpoint_at(spot: Spot | None, phases: Sequence[Phase]) -> Breakpoint | None:
    """The breakpoint that `b` sets at a place; None at start and where the place is wider than a pass."""
    if spot is None or spot.phase is None:
        return None
    if spot.key is not None:
        return Breakpoint(spot.key, spot.operation, phase=spot.phase)
    if spot.t is not None and spot.phase != "update":
        return Breakpoint(step=spot.t, phase=spot.phase, sequence=spot.sequence)
    if spot.sequence is not None:
        return Breakpoint(phase=spot.phase, sequence=spot.sequence)
    return Breakpoint(phase=spot.phase) if len(phases) > 1 else None


def not_reached(run: SessionRun, epoch: int) -> Text:
    """Say that training has not come to an epoch yet."""
    return Text(
        "epoch {epoch} is not reached yet: {done} of {count} are trained",
        epoch=epoch + 1,
        done=len(run.learning.records),
        count=run.tree.num_epochs,
    )


def next_stop(
    run: SessionRun,
    position: Position,
    breakpoints: Sequence[Breakpoint],
    *,
    is_back: bool = False,
    seconds: float = _SEARCH,
) -> tuple[Path | None, Text | None]:
    """Find the first operation after the cursor at which one of the breakpoints stops; or the last one before it.

    Returns:
        Its path; None where there is none up to the end, or the start. With a text, the path is as far as was looked,
        and the text says why no further.
    """
    tree = run.tree
    depth = tree.level("operation")
    path = position.path
    while path and len(path) < depth:  # the last operation that is computed where the cursor stands
        path = (*path, tree.count(path) - 1)
    has_conditions = any(one.condition is not None for one in breakpoints)
    first = run.epoch.index if path else -1
    end = time.monotonic() + seconds
    here, looked = run, path[:depth]
    step = previous_place if is_back else next_place
    cursor = step(tree, Position(looked, depth))
    while cursor is not None and cursor.path:
        epoch = cursor.path[0]
        if not has_conditions and abs(epoch - first) > 1:
            return None, None  # each epoch has the same places
        if has_conditions and epoch != here.epoch.index:
            if not run.learning.reach(epoch, PATIENCE):
                return looked, not_reached(run, epoch)
            here = here.at_epoch(epoch, here.revision)
        looked = cursor.path
        spot = tree.locate(looked)
        if any(one.stops_at(here, spot) for one in breakpoints):
            return looked, None
        if has_conditions and time.monotonic() > end:
            if is_back:
                return looked, Text("no condition held back to here; C looks further")
            return looked, Text("no condition holds up to here; c looks further")
        cursor = step(tree, cursor)
    return None, None
