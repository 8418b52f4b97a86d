"""The session: a run, a cursor in it, and what the user has put there. Frozen; a move makes a new one.

A call that cannot be obeyed gives a session at the same place with a `note` that says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnstep.engine.watch import Watch
from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.scenario.model import Scenario
from rnnstep.session import moves
from rnnstep.session.breakpoints import Breakpoint, next_stop, toggled, without_conditions
from rnnstep.session.edits import Edit, Target, apply, change_in_words, changes, read_edit
from rnnstep.session.moves import Position
from rnnstep.session.place import read_place, read_row, write_place, write_row
from rnnstep.session.run import Run
from rnnstep.session.tree import Path, Spot, Tree

if TYPE_CHECKING:
    from rnnstep.reference import Checked


_NOTHING_YET = Text("nothing is computed yet: → makes the first step")
_AT_START = Text("this is the start")
_AT_END = Text("this is the end; Home starts over")


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Positions that were left, the latest first: what Backspace goes back along."""

    position: Position
    before: Past | None


@dataclass(frozen=True, eq=False)
class Session:
    """Where a user is in a run."""

    run: Run
    position: Position
    past: Past | None = None
    note: Text | None = None
    unedited: Scenario | None = None  # the scenario as it was opened, once there are edits
    edits: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()  # the latest last, for redo
    before: Run | None = None  # the run before the last edit, for old values
    saved: tuple[Edit, ...] = ()  # the edits that stand in a file
    breakpoints: tuple[Breakpoint, ...] = ()
    watches: tuple[Watch, ...] = ()
    is_predicting: bool = False
    is_revealed: bool = True

    @classmethod
    def open(cls, run: Run) -> Session:
        """Open a run at start, looking at steps."""
        return cls(run, Position((), run.tree.level("step")))

    @property
    def tree(self) -> Tree:
        """The places of the run."""
        return self.run.tree

    @property
    def spot(self) -> Spot | None:
        """What the cursor is at; None at start."""
        return None if self.position.is_start else self.tree.locate(self.position.path)

    @property
    def level(self) -> str:
        """The zoom's name: "step", "block", "operation", "element", "term" or "batch"."""
        return self.tree.levels[self.position.zoom - 1]

    @property
    def place(self) -> str:
        """The place as it is written."""
        return write_place(self.tree, self.position.path, has_batches=moves.has_batches(self.tree))

    @property
    def place_and_row(self) -> str:
        """The place as it is written, with the row of the batch: what `at` comes back to."""
        return self.place + write_row(self.position.row)

    @property
    def has_unsaved_edits(self) -> bool:
        """Whether quitting would lose something."""
        return self.edits != self.saved

    def is_done(self, path: Path) -> bool:
        """Whether a place is computed."""
        return moves.is_done(self.tree, self.position, path)

    # ── moving ───────────────────────────────────────────────────────────────────────

    def right(self) -> Session:
        """`→`: the next place at this zoom."""
        return self._to(moves.next_place(self.tree, self.position), _AT_END)

    def left(self) -> Session:
        """`←`: the place before."""
        return self._to(moves.previous_place(self.tree, self.position), _AT_START)

    def into(self) -> Session:
        """`↓`: into the place."""
        refusal = _NOTHING_YET if self.position.is_start else Text("there is nothing deeper here")
        return self._to(moves.into(self.tree, self.position), refusal)

    def out(self) -> Session:
        """`↑`: out of the place."""
        return self._to(moves.out(self.tree, self.position), Text("this is the outermost view"))

    def same_place(self, steps: int) -> Session:
        """`]` (1) and `[` (−1): the same operation and element of another step."""
        refusal = Text("no later step here") if steps > 0 else Text("no earlier step here")
        refusal = _NOTHING_YET if self.position.is_start else refusal
        return self._to(moves.same_place(self.tree, self.position, steps), refusal)

    def other_row(self, rows: int) -> Session:
        """`}` (1) and `{` (−1): another row of the batch."""
        row = self.position.row + rows
        spot = self.spot
        if 0 <= row < self.run.num_rows(spot.batch if spot else 0):
            return self._to(replace(self.position, row=row, wanted_row=row), None)
        return self.say(Text("no other row of the batch that way"))

    def home(self) -> Session:
        """To start."""
        return self._to(moves.start(self.position), _AT_START)

    def end(self) -> Session:
        """To the last place at this zoom."""
        return self._to(moves.end(self.tree, self.position), _AT_END)

    def go(self, text: str) -> Session:
        """To a place as it is written, `3/L0/hh[1]`; a bad one is told."""
        try:
            return self.at(text)
        except UsageError as error:
            return self.say(error.message)

    def at(self, text: str) -> Session:
        """To a place as it is written, `3/L0/hh[1]`, in the row that it names, `3/L0/hh[1]@row5`.

        Raises:
            UsageError: There is no such place or row.
        """
        path = read_place(self.tree, text)
        row = read_row(text, self.run.num_rows(path[0] if path else 0))
        position = moves.jump(self.position, path)
        return self._to(position if row is None else replace(position, row=row, wanted_row=row), None)

    def jump(self, path: Path) -> Session:
        """To a path."""
        return self._to(moves.jump(self.position, path), None)

    def back(self) -> Session:
        """Backspace: undo the last move."""
        if self.past is None:
            return self.say(Text("no move to undo"))
        return replace(self, position=self.past.position, past=self.past.before, note=None, is_revealed=True)

    def _to(self, position: Position | None, refusal: Text | None) -> Session:
        if position is None:
            return self.say(refusal)
        if position == self.position:
            return self.say(refusal)
        rows = self.run.num_rows(position.path[0]) if position.path else self.run.num_rows(0)
        position = replace(position, row=min(position.wanted_row, rows - 1))
        past = Past(self.position, self.past)
        return replace(self, position=position, past=past, note=None, is_revealed=not self.is_predicting)

    def say(self, note: Text | None) -> Session:
        """Stay, and say something."""
        return replace(self, note=note)

    # ── running to a breakpoint ──────────────────────────────────────────────────────

    def toggle_breakpoint(self) -> Session:
        """`b`: set a breakpoint at the operation or block at the cursor, at every step, or take it away."""
        spot = self.spot
        if spot is None or (spot.key is None and spot.t is None):
            return self.say(Text("go to a step or an operation to set a breakpoint"))
        found = Breakpoint(spot.key, spot.operation, spot.t if spot.key is None else None)
        return self._with_breakpoints(*toggled(self.breakpoints, found))

    def break_when(self, text: str) -> Session:
        """Set a breakpoint with a condition, or take it away; an empty text takes away all of them.

        Raises:
            EquationError: The condition cannot be read.
        """
        if not text.strip():
            return self._with_breakpoints(*without_conditions(self.breakpoints))
        return self._with_breakpoints(*toggled(self.breakpoints, Breakpoint(condition=self._watch(text))))

    def _with_breakpoints(self, breakpoints: tuple[Breakpoint, ...], note: Text) -> Session:
        return replace(self, breakpoints=breakpoints, note=note)

    def watch(self, text: str) -> Session:
        """Add a watch. Raises EquationError when it cannot be read."""
        return replace(self, watches=(*self.watches, self._watch(text)), note=None)

    def _watch(self, text: str) -> Watch:
        spot = self.spot
        done = self.run.trace.passes[spot.batch if spot else 0]
        return Watch.parse(text, (run.block for run in done.runs.values()))

    def drop_watches(self) -> Session:
        """Take all watches away."""
        note = None if self.watches else Text("nothing is watched; w watches an expression")
        return replace(self, watches=(), note=note)

    def resume(self) -> Session:
        """`c`: run on to the next breakpoint, or to the end."""
        path = next_stop(self.run, self.position, self.breakpoints)
        if path is not None:
            return self.jump(path)
        ended = self.end()
        text = (
            Text("no breakpoint ahead: this is the end")
            if self.breakpoints
            else Text("no breakpoint set; b sets one")
        )
        return ended.say(text)

    # ── predicting ───────────────────────────────────────────────────────────────────

    def toggle_predict(self) -> Session:
        """`p`: hide what each move computes until it is revealed, or no longer."""
        on = not self.is_predicting
        note = (
            Text("predict: what comes next is hidden until . or = reveals it")
            if on
            else Text("predict is off")
        )
        return replace(self, is_predicting=on, is_revealed=True, note=note)

    def reveal(self) -> Session:
        """`.`: show what was hidden."""
        note = None if self.is_hidden else Text("nothing is hidden")
        return replace(self, is_revealed=True, note=note)

    @property
    def is_hidden(self) -> bool:
        """Whether the value at the cursor is hidden."""
        return self.is_predicting and not self.is_revealed and not self.position.is_start

    # ── what if ──────────────────────────────────────────────────────────────────────

    def edit_text(self, text: str) -> Session:
        """Edit as it is typed: `W_hh[0,2] = 0.5`; a bad one is told and changes nothing."""
        spot = self._spot_with(text.partition("[")[0].strip())
        try:
            edit = read_edit(text, self.run.scenario, self.tree.block(spot), spot, self.position.row)
        except RnnstepError as error:
            return self.say(error.message)
        return self.edit(edit)

    def _spot_with(self, name: str) -> Spot:
        """The operation at the cursor, or of the step's first recurrent block where only that knows the name."""
        spot = self.tree.locate(moves.first_below(self.position.path, self.tree.level("operation"))[:4])
        block = self.tree.block(spot)
        if block.kind == "recurrent" or name in block.program.shapes:
            return spot
        return replace(spot, key=next(iter(self.run.trace.passes[spot.batch].runs)), operation=None)

    def edit(self, edit: Edit) -> Session:
        """Change one number and compute anew all that depends on it."""
        if not changes(self.run.scenario, edit):
            return self.say(Text("{what} is that already", what=edit.target.shown))
        return self._edited((*self.edits, edit), (), edit.target)

    def undo(self) -> Session:
        """`u`: undo the last edit."""
        if not self.edits:
            return self.say(Text("no edit to undo"))
        return self._edited(self.edits[:-1], (*self.undone, self.edits[-1]), self.edits[-1].target)

    def redo(self) -> Session:
        """Redo the edit undone last."""
        if not self.undone:
            return self.say(Text("no edit to redo"))
        return self._edited((*self.edits, self.undone[-1]), self.undone[:-1], self.undone[-1].target)

    def _edited(self, edits: tuple[Edit, ...], undone: tuple[Edit, ...], target: Target) -> Session:
        unedited = self.unedited or self.run.scenario
        run = Run.of(apply(unedited, edits), self.run.revision + 1)
        return replace(
            self,
            run=run,
            before=self.run,
            unedited=unedited,
            edits=edits,
            undone=undone,
            note=change_in_words(self.run.scenario, run.scenario, target),
            is_revealed=True,
        )

    def saved_as(self, name: str) -> Session:
        """Note that the edits stand in a file of this name, which is the scenario's from now on."""
        unedited = None if self.unedited is None else replace(self.unedited, name=name)
        run = replace(self.run, scenario=replace(self.run.scenario, name=name))
        return replace(self, run=run, unedited=unedited, saved=self.edits)

    # ── torch ────────────────────────────────────────────────────────────────────────

    def with_checked(self, checked: Checked, revision: int) -> Session:
        """Put torch's numbers beside ours; those of another revision are dropped."""
        if revision != self.run.revision:
            return self
        return replace(self, run=self.run.with_checked(checked))

    def moved_to(self, run: Run) -> Session:
        """Go on in another run of the same file (read again), at the same place if it has it."""
        blocks = [done.block for done in run.trace.passes[0].runs.values()]
        breakpoints = tuple(
            found for one in self.breakpoints if (found := one.read_again(blocks)) is not None
        )
        watches = tuple(watch for one in self.watches if (watch := one.read_again(blocks)) is not None)
        row = min(self.position.wanted_row, run.num_rows(0) - 1)
        start = Position((), run.tree.level(self.level), row, wanted_row=self.position.wanted_row)
        fresh = Session(
            run, start, breakpoints=breakpoints, watches=watches, is_predicting=self.is_predicting
        )
        return fresh.go(self.place).say(None) if not self.position.is_start else fresh
