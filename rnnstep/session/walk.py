"""Moving about: a run, a cursor in it, and the way that led there. Frozen; a move makes a new one.

A move that cannot be made gives the same place with a `note` that says why. A place in another epoch takes
the run along: its numbers are those of the cursor's epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.modules import idle_dropout
from rnnstep.session import moves
from rnnstep.session.breakpoints import PATIENCE, not_reached
from rnnstep.session.moves import Position
from rnnstep.session.place import read_place, read_row, write_place, write_row
from rnnstep.session.run import Run
from rnnstep.session.tree import Path, Spot, Tree

_NOTHING_YET = Text("nothing is computed yet: → makes the first step")
_AT_START = Text("this is the start")
_AT_END = Text("this is the end; Home starts over")
_KEPT = 3  # runs of other epochs: torch need not be asked about them again


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Positions that were left, the latest first: what Backspace goes back along."""

    position: Position
    before: Past | None


@dataclass(frozen=True, eq=False)
class Walk:
    """Where a user is in a run.

    Attributes:
        run: at the epoch of the cursor.
        kept: the same training at the epochs that were left last.
        before: the run before the last edit, for old values; at the cursor's epoch where it was trained so far.
    """

    run: Run
    position: Position
    past: Past | None = None
    note: Text | None = None
    kept: tuple[Run, ...] = ()
    before: Run | None = None
    is_predicting: bool = False
    is_revealed: bool = True

    @classmethod
    def open(cls, run: Run) -> Self:
        """Open a run at start, looking at steps."""
        return cls(run, Position((), run.tree.level("step")), note=idle_dropout(run.scenario.recurrent))

    @property
    def tree(self) -> Tree:
        """The places of the run."""
        return self.run.tree

    @cached_property
    def spot(self) -> Spot | None:
        """What the cursor is at; None at start."""
        return None if self.position.is_start else self.tree.locate(self.position.path)

    @property
    def level(self) -> str:
        """The zoom's name: "step", "block", "operation", "element", "term", or "pass", "batch", "epoch"."""
        return self.tree.levels[self.position.zoom - 1]

    @property
    def batch(self) -> int:
        """The batch of the cursor; at start the first, of a whole epoch the last."""
        return batch_of(self.tree, self.position.path)

    @property
    def place(self) -> str:
        """The place as it is written."""
        return write_place(self.tree, self.position.path)

    @property
    def place_and_row(self) -> str:
        """The place as it is written, with the row of the batch: what `at` comes back to."""
        return self.place + write_row(self.position.row)

    def is_done(self, path: Path) -> bool:
        """Whether a place is computed."""
        return moves.is_done(self.tree, self.position, path)

    # ── moving ───────────────────────────────────────────────────────────────────────

    def right(self) -> Self:
        """`→`: the next place at this zoom."""
        return self._to(moves.next_place(self.tree, self.position), _AT_END)

    def left(self) -> Self:
        """`←`: the place before."""
        return self._to(moves.previous_place(self.tree, self.position), _AT_START)

    def into(self) -> Self:
        """`↓`: into the place."""
        refusal = _NOTHING_YET if self.position.is_start else Text("there is nothing deeper here")
        return self._to(moves.into(self.tree, self.position), refusal)

    def out(self) -> Self:
        """`↑`: out of the place."""
        return self._to(moves.out(self.tree, self.position), Text("this is the outermost view"))

    def same_place(self, steps: int) -> Self:
        """`]` (1) and `[` (−1): the same operation and element of another step; of a pass or update in another epoch."""
        refusal = Text("no later step here") if steps > 0 else Text("no earlier step here")
        if self.tree.num_epochs > 1 and moves.is_by_epoch(self.tree, self.position.path):
            refusal = Text("no later epoch") if steps > 0 else Text("no earlier epoch")
        refusal = _NOTHING_YET if self.position.is_start else refusal
        return self._to(moves.same_place(self.tree, self.position, steps), refusal)

    def other_row(self, rows: int) -> Self:
        """`}` (1) and `{` (−1): another row of the batch."""
        row = self.position.row + rows
        if 0 <= row < self.run.num_rows(self.batch):
            return self._to(replace(self.position, row=row, wanted_row=row), None)
        return self.say(Text("no other row of the batch that way"))

    def home(self) -> Self:
        """To start."""
        return self._to(moves.start(self.position), _AT_START)

    def end(self) -> Self:
        """To the last place at this zoom."""
        return self._to(moves.end(self.tree, self.position), _AT_END)

    def go(self, text: str) -> Self:
        """To a place as it is written, `3/L0/hh[1]`; a bad one is told."""
        try:
            return self.at(text)
        except UsageError as error:
            return self.say(error.message)

    def at(self, text: str) -> Self:
        """To a place as it is written, `3/L0/hh[1]`, in the row that it names, `3/L0/hh[1]@row5`.

        Raises:
            UsageError: There is no such place or row.
        """
        path = read_place(self.tree, text, self.spot or Spot(0))  # at the start the first step is meant
        return self.jump(path, read_row(text, self.run.num_rows(batch_of(self.tree, path))))

    def jump(self, path: Path, row: int | None = None) -> Self:
        """To a path, in a row of the batch; without one the row stays."""
        position = moves.jump(self.position, path)
        return self._to(position if row is None else replace(position, row=row, wanted_row=row), None)

    def having_been_at(self, place: str | None) -> Self:
        """The same, with a place that Backspace goes to first: where one was in the file before."""
        if place is None:
            return self
        try:
            path = read_place(self.tree, place)
            row = read_row(place, self.run.num_rows(batch_of(self.tree, path))) or 0
        except UsageError:  # the file was changed meanwhile
            return self
        position = replace(moves.jump(self.position, path), row=row, wanted_row=row)
        return self if position == self.position else replace(self, past=Past(position, self.past))

    def back(self) -> Self:
        """Backspace: undo the last move."""
        if self.past is None:
            return self.say(Text("no move to undo"))
        moved = self._arrived(self.past.position)
        if isinstance(moved, Text):
            return self.say(moved)
        return replace(moved, past=self.past.before, is_revealed=True)

    def say(self, note: Text | None) -> Self:
        """Stay, and say something."""
        return replace(self, note=note)

    def _to(self, position: Position | None, refusal: Text | None) -> Self:
        if position is None or position == self.position:
            return self.say(refusal)
        rows = self.run.num_rows(batch_of(self.tree, position.path))
        position = replace(position, row=min(position.wanted_row, rows - 1))
        moved = self._arrived(position)
        if isinstance(moved, Text):
            return self.say(moved)
        past = Past(self.position, self.past)
        return replace(moved, past=past, is_revealed=not self.is_predicting)

    def _arrived(self, position: Position) -> Self | Text:
        """Be at a position, with the run of its epoch; or the reason why that cannot be."""
        epoch = position.path[0] if position.path else 0
        if epoch == self.run.epoch.index:
            return replace(self, position=position, note=None)
        if not self.run.learning.reach(epoch, PATIENCE):
            return not_reached(self.run, epoch)
        newest = max(run.revision for run in (self.run, *self.kept))
        run = next((one for one in self.kept if one.epoch.index == epoch), None)
        kept = tuple(one for one in self.kept if one is not run)
        return replace(
            self,
            run=run or self.run.at_epoch(epoch, newest + 1),
            kept=(self.run, *kept)[:_KEPT],
            before=None if self.before is None else _at(self.before, epoch),
            position=position,
            note=None,
        )


def batch_of(tree: Tree, path: Path) -> int:
    """The batch of a place; at start the first, of a whole epoch the last, which is just computed."""
    if len(path) > 1:
        return path[1]
    return tree.num_batches - 1 if path else 0


def _at(run: Run, epoch: int) -> Run:
    """A run at another epoch, where that takes no time to speak of; else as it is."""
    is_there = epoch < run.tree.num_epochs and run.learning.reach(epoch, PATIENCE / 4)
    return run.at_epoch(epoch, run.revision) if is_there else run
