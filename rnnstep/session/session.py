"""The session: a run, a cursor in it and the way that led there, and what the user has put there.

Frozen; every call makes a new one. What cannot be obeyed gives a session at the same place with a `note` that says
why. A place in another epoch takes the run along: its numbers are those of the cursor's epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.modules import remarks
from rnnstep.session import moves
from rnnstep.session.beside import RunBeside
from rnnstep.session.breakpoints import (
    PATIENCE,
    Breakpoint,
    breakpoint_at,
    next_stop,
    not_reached,
    toggled,
    without_conditions,
)
from rnnstep.session.edits import Edit, EditTarget, apply, change_in_words, changes, current, read_edit
from rnnstep.session.moves import Position
from rnnstep.session.place import read_place, read_row, write_place, write_row
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Path, Spot, Tree
from rnnstep.session.watching import PassWatch, read_again, read_condition, read_watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rnnstep.reference import Checked
    from rnnstep.session.own_answers import OwnAnswers

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
class Session:
    """Where a user is in a run, with breakpoints, watches and edits.

    Attributes:
        run: at the epoch of the cursor.
        kept: the same training at the epochs that were left last.
        before: the run before the last edit, for old values; at the cursor's epoch where it was trained so far.
        unedited: the scenario as it was opened, once there are edits.
        undone: edits, the latest last, for redo.
        saved: the edits that stand in a file.
        mistaken: the run with the mistake, while its cure is looked at.
        own: a writer's own numbers, beside the run's.
        asked: a place and a row whose numbers are hidden, predicting or not, until they are said or revealed.
        beside: a second run under the same cursor.
    """

    run: SessionRun
    position: Position
    past: Past | None = None
    note: Text | None = None
    kept: tuple[SessionRun, ...] = ()
    before: SessionRun | None = None
    is_predicting: bool = False
    is_revealed: bool = True
    unedited: Scenario | None = None
    edits: tuple[Edit, ...] = ()
    undone: tuple[Edit, ...] = ()
    saved: tuple[Edit, ...] = ()
    breakpoints: tuple[Breakpoint, ...] = ()
    watches: tuple[PassWatch, ...] = ()
    mistaken: SessionRun | None = None
    own: OwnAnswers | None = None
    asked: tuple[Path, int] | None = None
    beside: RunBeside | None = None

    @classmethod
    def open(cls, run: SessionRun) -> Self:
        """Open a run at start, looking at steps."""
        note = next(iter(remarks(run.scenario)), None)
        return cls(run, Position((), run.tree.level("step")), note=note)

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
        return self.tree.levels_at(self.position.path)[self.position.zoom - 1]

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
            beside = None if self.beside is None else self.beside.along(self.run)
            return replace(self, position=position, note=None, beside=beside)
        if not self.run.learning.reach(epoch, PATIENCE):
            return not_reached(self.run, epoch)
        newest = max(run.revision for run in (self.run, *self.kept))
        run = next((one for one in self.kept if one.epoch.index == epoch), None)
        kept = tuple(one for one in self.kept if one is not run)
        run = run or self.run.at_epoch(epoch, newest + 1)
        return replace(
            self,
            run=run,
            beside=None if self.beside is None else self.beside.along(run),
            kept=(self.run, *kept)[:_KEPT],
            before=None if self.before is None else _at(self.before, epoch),
            position=position,
            note=None,
        )

    # ── edits and files ──────────────────────────────────────────────────────────────

    @property
    def has_unsaved_edits(self) -> bool:
        """Whether quitting would lose something."""
        return self.edits != self.saved

    # ── running to a breakpoint ──────────────────────────────────────────────────────

    def toggle_breakpoint(self) -> Session:
        """`b`: set a breakpoint at the operation, block, step or pass at the cursor, or take it away."""
        found = breakpoint_at(self.spot, self.tree.phases)
        if found is None:
            return self.say(Text("go to a step or an operation to set a breakpoint"))
        return self._with_breakpoints(*toggled(self.breakpoints, found))

    def break_when(self, text: str) -> Session:
        """Set a breakpoint with a condition, or take it away; an empty text takes away all of them.

        Raises:
            EquationError: The condition cannot be read.
        """
        if not text.strip():
            return self._with_breakpoints(*without_conditions(self.breakpoints))
        condition = read_condition(self.tree, text)
        one = Breakpoint(condition=condition, phase=condition.phase)
        return self._with_breakpoints(*toggled(self.breakpoints, one))

    def _with_breakpoints(self, breakpoints: tuple[Breakpoint, ...], note: Text) -> Session:
        return replace(self, breakpoints=breakpoints, note=note)

    def watch(self, text: str) -> Session:
        """Add a watch. Raises EquationError when it cannot be read."""
        return replace(self, watches=(*self.watches, read_watch(self.tree, text)), note=None)

    def drop_watches(self) -> Session:
        """Take all watches away."""
        note = None if self.watches else Text("nothing is watched; w watches an expression")
        return replace(self, watches=(), note=note)

    def resume(self) -> Session:
        """`c`: run on to the next breakpoint, or to the end; not further than is trained in a moment."""
        path, unsaid = next_stop(self.run, self.position, self.breakpoints)
        if path is not None:
            moved = self.jump(path) if path != self.position.path else self
            return moved if unsaid is None else moved.say(unsaid)
        ended = self.end()
        if ended.position == self.position and ended.note is not None and not self._is_at_end():
            return ended
        text = (
            Text("no breakpoint ahead: this is the end")
            if self.breakpoints
            else Text("no breakpoint set; b sets one")
        )
        return ended.say(text)

    def resume_back(self) -> Session:
        """`C`: run back to the last place before where a breakpoint is set or a condition held, or to the start."""
        path, unsaid = next_stop(self.run, self.position, self.breakpoints, is_back=True)
        if path is not None:
            moved = self.jump(path) if path != self.position.path else self
            return moved if unsaid is None else moved.say(unsaid)
        text = (
            Text("no breakpoint before this: this is the start")
            if self.breakpoints
            else Text("no breakpoint set; b sets one")
        )
        return self.home().say(text)

    def _is_at_end(self) -> bool:
        return moves.end(self.tree, self.position).path == self.position.path

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
        asked = None if self.is_at_asked else self.asked
        return replace(self, is_revealed=True, asked=asked, note=note)

    def asking(self, *, is_open: bool) -> Self:
        """Hide the numbers of the place at the cursor until they are said or revealed, or those of no place."""
        return replace(self, asked=(self.position.path, self.position.row) if is_open else None)

    @property
    def is_at_asked(self) -> bool:
        """Whether the cursor is at the place whose numbers are asked for."""
        return self.asked is not None and self.asked == (self.position.path, self.position.row)

    @property
    def is_hidden(self) -> bool:
        """Whether the value at the cursor is hidden."""
        is_unsaid = self.is_predicting and not self.is_revealed
        return (is_unsaid or self.is_at_asked) and not self.position.is_start

    # ── the user's own answers ───────────────────────────────────────────────────────

    def with_answers(self, text: str) -> Session:
        """Put answers beside the run, and go to the first wrong one; an empty text takes them away.

        Args:
            text: the path of a file, or `h_1 = 0.54 ? 0.00 0.84`.

        Raises:
            UsageError, ScenarioError: they cannot be read, or are of what the run does not have.
        """
        from rnnstep.checking import Marks
        from rnnstep.session.own_answers import first_wrong_spot, read_own

        if not text.strip():
            return replace(self, own=None, note=Text("your answers are taken away"))
        own = read_own(text)
        marked = Marks.of(self.run.learning, own.answers)
        right, count = marked.score
        spot = first_wrong_spot(marked)
        path = None if spot is None else self.tree.path_to(spot)
        found = replace(self, own=own)
        if path is None:
            return found.say(Text("{right} of {count} right", right=right, count=count))
        assert marked.first_wrong is not None
        label = marked.marks[marked.first_wrong].label
        moved = found.jump(path) if path != self.position.path else found
        return moved.say(
            Text(
                "{right} of {count} right; this is the first wrong one: {label}",
                right=right,
                count=count,
                label=label,
            )
        )

    # ── what if ──────────────────────────────────────────────────────────────────────

    def edit_text(self, text: str) -> Session:
        """Edit as it is typed: `W_hh[0,2] = 0.5`; a bad one is told and changes nothing."""
        spot = self._spot_with(text.partition("[")[0].strip())
        try:
            edit = read_edit(text, self.run, spot, self.position.row)
        except RnnstepError as error:
            return self.say(error.message)
        return self.edit(edit)

    def _spot_with(self, name: str) -> Spot:
        """The operation at the cursor, or of the forward step's first recurrent block where only that knows the name."""
        depth = self.tree.level("operation")
        spot = self.tree.locate(moves.first_below(self.position.path, depth)[:depth])
        block = self.tree.block(spot)
        if (block.kind == "recurrent" and spot.phase == "forward") or name in block.program.shapes:
            return spot
        t = 0 if spot.phase == "update" else spot.t
        there = replace(spot, t=t, operation=None, phase="forward")
        if block.kind == "recurrent":
            return there
        stage = self.tree.stage(there)
        return replace(there, key=next(one.key for one in stage.blocks if one.kind == "recurrent"))

    def edit(self, edit: Edit) -> Session:
        """Change one number and compute anew all that depends on it."""
        if not changes(self.run.scenario, edit):
            return self.say(Text("{what} is that already", what=edit.target.shown))
        return self._edited((*self.edits, edit), (), edit.target)

    def edit_all(self, edits: Sequence[Edit]) -> Session:
        """Make edits, one or more, that each change something; each is undone alone."""
        return self._edited((*self.edits, *edits), (), edits[-1].target)

    def unsaved_numbers(self) -> tuple[Edit, ...]:
        """What a file would need, to hold what the edits and their undoing made of the numbers in it."""
        if not self.has_unsaved_edits:
            return ()
        targets = dict.fromkeys(edit.target for edit in (*self.saved, *self.edits))
        return tuple(Edit(target, current(self.run.scenario, target)) for target in targets)

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

    def _edited(self, edits: tuple[Edit, ...], undone: tuple[Edit, ...], target: EditTarget) -> Session:
        unedited = self.unedited or self.run.scenario
        newest = max(run.revision for run in (self.run, *self.kept))
        run = SessionRun.of(apply(unedited, edits), newest + 1)
        said = change_in_words(self.run.scenario, run.scenario, target)
        epoch = self.run.epoch.index
        edited = replace(
            self,
            run=run,
            kept=(),
            before=self.run,
            unedited=unedited,
            edits=edits,
            undone=undone,
            note=said,
            is_revealed=True,
        )
        if epoch and run.learning.reach(epoch, PATIENCE):
            edited = replace(edited, run=run.at_epoch(epoch, run.revision))
        if edited.beside is not None:
            edited = replace(edited, beside=edited.beside.edited(edited.run, edits))
        if edited.run.epoch.index == epoch:
            return edited
        # Training has begun anew, and the cursor cannot stay where it is not yet.
        text = Text("{change}; {reason}", change=said, reason=not_reached(run, epoch))
        first = (0, *self.position.path[1:])
        is_there = self.tree.path_to(self.tree.locate(first)) is not None
        return replace(edited.jump(first if is_there else first[:-1]), is_revealed=True, note=text)

    def switch_cure(self) -> Session:
        """`m`: from a mistake to its cure, at the same place, and back."""
        if self.has_unsaved_edits:
            return self.say(Text("there are edits: undo them (u) or save them first"))
        if self.mistaken is not None:
            return self.moved_to(self.mistaken).say(Text("with the mistake again"))
        cure = self.run.scenario.cure
        if cure is None:
            return self.say(Text("this scenario has no mistake in it that has a cure"))
        if self.run.is_refused:
            return self.say(Text("torch stops at this mistake (see i): the numbers here are the cure's"))
        newest = max(run.revision for run in (self.run, *self.kept))
        cured = self.moved_to(SessionRun.of(cure, newest + 1))
        return replace(cured, mistaken=self.run, note=Text("with the cure; m goes back to the mistake"))

    def saved_as(self, name: str) -> Session:
        """Note that the edits stand in a file of this name, which is the scenario's from now on."""
        unedited = None if self.unedited is None else replace(self.unedited, name=name)
        runs = [replace(run, scenario=replace(run.scenario, name=name)) for run in (self.run, *self.kept)]
        return replace(self, run=runs[0], kept=tuple(runs[1:]), unedited=unedited, saved=self.edits)

    # ── torch ────────────────────────────────────────────────────────────────────────

    def with_checked(self, checked: Checked, revision: int) -> Session:
        """Put torch's numbers beside the engine's; those of another revision are dropped."""
        if revision != self.run.revision:
            return self
        return replace(self, run=self.run.with_checked(checked))

    def with_beside(self, beside: RunBeside | None) -> Session:
        """Put a second run under the cursor, or take it away."""
        return replace(self, beside=beside, note=None)

    def moved_to(self, run: SessionRun) -> Session:
        """Go on in another run of the same file (read again), at the same place if it has it."""
        tree = run.tree
        breakpoints = tuple(found for one in self.breakpoints if (found := one.read_again(tree)) is not None)
        watches = tuple(watch for one in self.watches if (watch := read_again(tree, one)) is not None)
        row = min(self.position.wanted_row, run.num_rows(0) - 1)
        start = Position((), tree.level(self.level), row, wanted_row=self.position.wanted_row)
        fresh = Session(
            run,
            start,
            breakpoints=breakpoints,
            watches=watches,
            is_predicting=self.is_predicting,
            own=self.own,
            asked=self.asked,
            beside=None if self.beside is None else self.beside.turned(self.run, run),
        )
        spot = self.spot
        if spot is None:
            return fresh
        path = tree.path_to(spot)
        there = (
            fresh.go(self.place)
            if path is None or len(path) != tree.level(self.level, path)
            else fresh.jump(path)
        )
        return there.say(None)


def batch_of(tree: Tree, path: Path) -> int:
    """The batch of a place; at start the first, of a whole epoch the last, which is just computed."""
    if len(path) > 1:
        return path[1]
    return tree.num_batches - 1 if path else 0


def _at(run: SessionRun, epoch: int) -> SessionRun:
    """A run at another epoch, where that takes no time to speak of; else as it is."""
    is_there = epoch < run.tree.num_epochs and run.learning.reach(epoch, PATIENCE / 4)
    return run.at_epoch(epoch, run.revision) if is_there else run
