"""Opening scenarios: read in the background, run, and put on the screen; the old one stays until then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnstep.errors import RnnstepError
from rnnstep.language import Text
from rnnstep.tui.options import Options
from rnnstep.tui.remembered import recall, remember
from rnnstep.tui.sources import FileSource, Source

if TYPE_CHECKING:
    from rnnstep.scenario.lesson import Lesson
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.lesson import Following
    from rnnstep.session.session import Session
    from rnnstep.tui.host import Host

MOST_ASIDE = 4
CHANGED = Text("changed on disk: R reads it again")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A scenario on its way to the screen.

    Attributes:
        source: The file, or what was made in memory.
        stamp: What changes when the file does.
        place: Where to open it; None: at start, or where it was left.
        is_again: Whether it is the one that is open.
        came_from: What it is compared with: it opens at the counterpart of that one's place.
        returned_to: Where it was left for `came_from`, at a place that was not moved from.
        following: The stop of a lesson that it is read for, or at which it is read again.
        note: What is to be said when it stands.
    """

    source: Source
    stamp: tuple[int, int] | None
    place: str | None = None
    is_again: bool = False
    came_from: Session | None = None
    returned_to: str | None = None
    following: Following | None = None
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """The last turn with N or P: which file was left at which place, and where one arrived in the other."""

    left: Source
    left_at: str
    to: Source
    arrived_at: str


@dataclass(frozen=True, slots=True)
class _Aside:
    """A session that was left, and what its file was like then."""

    session: Session
    stamp: tuple[int, int] | None


class Files:
    """The scenarios that were asked for, and the one that is open.

    Attributes:
        sources: All that N and P walk through.
        source: The one that is open; None before the first.
        is_reading: Whether another one is on its way.
    """

    def __init__(self, debugger: Host, sources: Sequence[Source], options: Options) -> None:
        self.sources = tuple(sources)
        self.source: Source | None = None
        self.is_reading = False
        self._debugger = debugger
        self._options = options
        self._number = 0  # of the one that N and P go on from
        self._ticket = 0  # of the reading whose result is wanted
        self._stamp: tuple[int, int] | None = None
        self._lesson_stamp: tuple[FileSource, tuple[int, int] | None] | None = None
        self._places: dict[Source, str] = {}  # where those were left that are not open
        self._turn: _Turn | None = None
        self._refusals: list[RnnstepError] = []  # while there is nothing to show
        self._aside: dict[Source, _Aside] = {}  # what a lesson left for another scenario, edits and all
        self._stop = options.stop  # of the first lesson that is opened

    # ── opening ──────────────────────────────────────────────────────────────────────

    def open(self, source: Source, place: str | None = None) -> None:
        """Read a scenario and step through it, from `place` or from where it was left."""
        state = self._debugger.state
        if state.session is None:
            self._debugger.change(replace(state, name=source.name, waiting=None))
        self.leave()
        self._read(_Reading(source, source.stamp(), place))

    def leave(self) -> None:
        """Remember where one is in the file that is open."""
        session = self._debugger.session
        if session is not None and self.source is not None:
            self._places[self.source] = session.place_and_row
            if self.source.path is not None:
                remember(recall().at(self.source.path, session.place_and_row))
        following = self._debugger.state.following
        if following is not None and following.lesson.path is not None and not following.lesson.is_own:
            remember(recall().at(following.lesson.path, f"stop {following.number + 1}"))

    def reload(self) -> None:
        """`R`: read the file again and stay at the place; a bad one keeps the old run."""
        source, session, following = self.source, self._debugger.session, self._debugger.state.following
        is_here = following is not None and session is not None and following.is_at(session)
        lesson = self._lesson_file
        if following is not None and lesson is not None:
            following = self._read_lesson_again(following, lesson)
            if following.stop.scenario != (None if source is None else source.path):
                is_here = False
        if source is not None:
            stop = following if is_here else None  # its place, and what it shows, are those of the file now
            self._read(_Reading(source, source.stamp(), is_again=True, following=stop))

    @property
    def _lesson_file(self) -> FileSource | None:
        """The file of the lesson that is followed; None without one, and where the stops are the scenario's own."""
        following = self._debugger.state.following
        if following is None or following.lesson.path is None or following.lesson.is_own:
            return None
        return FileSource(following.lesson.path)

    def _read_lesson_again(self, following: Following, source: FileSource) -> Following:
        """Take the lesson as its file says now, at the same stop; a bad one keeps the old."""
        debugger = self._debugger
        self._lesson_stamp = source, source.stamp()
        try:
            lesson = source.read_lesson(self._options)
        except RnnstepError as error:
            debugger.toasts.tell_error(error)
            return following
        if lesson is not None:
            following = following.read_again(lesson)
            debugger.change(replace(debugger.state, following=following))
        return following

    def other(self, by: int) -> None:
        """`N` and `P`: another of the scenarios that were given."""
        number = self._number + by
        if 0 <= number < len(self.sources):
            self._number = number
            self._turn_to(self.sources[number])
        else:
            self._debugger.say(Text("no other scenario was given that way; o opens one"))

    def _turn_to(self, source: Source) -> None:
        """Open a file at the counterpart of the place that one is at, or where one came from if one did not move."""
        session, turn = self._debugger.session, self._turn
        if session is None or self.source is None:
            self.open(source)
            return
        is_back = turn is not None and (turn.left, turn.to, turn.arrived_at) == (
            source,
            self.source,
            session.place_and_row,
        )
        returned_to = turn.left_at if turn is not None and is_back else None
        self.leave()
        self._read(_Reading(source, source.stamp(), came_from=session, returned_to=returned_to))

    # ── stops ────────────────────────────────────────────────────────────────────────

    def go_to_stop(self, following: Following, note: Text | None = None) -> None:
        """Go to a stop of a lesson; in another scenario than the one that is open, that one is kept aside, edits and all."""
        path = following.stop.scenario or following.lesson.path
        source = self.source if path is None else FileSource(path)
        if source is None:
            return
        session = self._debugger.session if source == self.source else self._left_aside(source)
        self.leave()
        if session is None:
            self._read(_Reading(source, source.stamp(), following=following, note=note))
            return
        from rnnstep.session.lesson import at_stop, epoch_of

        def arrived(session: Session) -> None:
            if source != self.source:
                self._put_aside()
                self._aside.pop(source, None)
                self.source, self._stamp = source, source.stamp()
            self._debugger.arrived(session, following)

        try:
            epoch = epoch_of(session, following.stop)
        except RnnstepError:
            epoch = 0  # told below, with line and column
        if not session.run.learning.reach(epoch, 0):
            self._debugger.say(Text("training to epoch {number} …", number=epoch + 1))
            self._ticket += 1
            self._in_background(
                lambda: at_stop(session, following), arrived, self._debugger.toasts.tell_error
            )
            return
        try:
            arrived(at_stop(session, following))
        except RnnstepError as error:
            self._debugger.toasts.tell_error(error)

    def _left_aside(self, source: Source) -> Session | None:
        """The session that was kept of a file, as long as the file is the same."""
        left = self._aside.get(source)
        return left.session if left is not None and left.stamp == source.stamp() else None

    def _put_aside(self) -> None:
        """Keep the session that is left; of those without edits a few, so that going back is quick."""
        session = self._debugger.session
        if session is None or self.source is None:
            return
        self._aside[self.source] = _Aside(session, self._stamp)
        plain = [source for source, left in self._aside.items() if not left.session.has_unsaved_edits]
        for source in plain[:-MOST_ASIDE]:
            del self._aside[source]

    def take_unsaved(self) -> bool:
        """Show again a session that was kept aside and has edits that are not saved; whether there is one."""
        for source, left in self._aside.items():
            if left.session.has_unsaved_edits:
                del self._aside[source]
                self.source, self._stamp = source, left.stamp
                self._debugger.opened(left.session, is_again=True)
                return True
        return False

    def _follow(self, lesson: Lesson, reading: _Reading) -> None:
        """Open a lesson that was read: its first stop, or the one that the command line names."""
        from rnnstep.session.lesson import Following, numbered

        number, self._stop = self._stop, None
        try:
            following = numbered(Following(lesson), number)
        except RnnstepError as error:
            self._refused(reading, error)
            return
        last = _last_time(reading.source) if number is None else None
        last = None if last == f"stop {following.number + 1}" else last
        self.is_reading = False
        if lesson.path is not None:
            self._lesson_stamp = FileSource(lesson.path), reading.stamp
        self.go_to_stop(
            following,
            None
            if last in (None, "stop 1")
            else Text(
                "the last time you came to stop {number}; S lists the stops",
                number=last.removeprefix("stop "),
            ),
        )

    def saved_as(self, path: Path) -> None:
        """Take the file just written for the one that is open: it holds what is on the screen."""
        self.source = FileSource(path)
        self._stamp = self.source.stamp()

    def look_at_disk(self) -> None:
        """Say so when the file was changed; called once a second."""
        debugger, lesson = self._debugger, self._lesson_file
        of_lesson = self._lesson_stamp[1] if self._lesson_stamp and self._lesson_stamp[0] == lesson else None
        pairs = [(self.source, self._stamp), (lesson, of_lesson)]
        is_silent = debugger.state.look.message is None and not (debugger.session and debugger.session.note)
        if is_silent and any(source and old and source.stamp() not in (None, old) for source, old in pairs):
            debugger.say(CHANGED)

    # ── in the background ────────────────────────────────────────────────────────────

    def _read(self, reading: _Reading) -> None:
        def work() -> Scenario | Lesson:
            lesson = None if reading.following is not None else reading.source.read_lesson(self._options)
            if lesson is not None:
                return lesson
            scenario = reading.source.read(self._options)
            import rnnstep.views.screen  # noqa: F401  # while nobody waits for a key

            return scenario

        self._ticket += 1
        self.is_reading = True
        self._in_background(
            work,
            lambda found: self._read_whole(found, reading),
            lambda error: self._refused(reading, error),
        )

    def _read_whole(self, found: Scenario | Lesson, reading: _Reading) -> None:
        from rnnstep.scenario.lesson import Lesson, own_lesson
        from rnnstep.session.lesson import Following, numbered

        if isinstance(found, Lesson):
            self._follow(found, reading)
            return
        own = own_lesson(found)
        stop = reading.following
        if reading.is_again and stop is not None and stop.lesson.is_own:
            reading = replace(reading, following=None if own is None else stop.read_again(own))
        if own is not None and self._stop is not None:  # --stop of a scenario's own stops
            number, self._stop = self._stop, None
            try:
                reading = replace(reading, following=numbered(Following(own), number))
            except RnnstepError as error:
                self._refused(reading, error)
                return
        self._run(found, reading)

    def _run(self, scenario: Scenario, reading: _Reading) -> None:
        """Run a scenario that was read; one that waits for torch's numbers waits."""
        if scenario.pending is not None:
            self._wait_for_torch(scenario, reading)
            return
        self._in_background(
            lambda: session_of(scenario, reading.place, reading.following),
            lambda session: self._show(session, reading),
            lambda error: self._refused(reading, error, is_file_bad=reading.place is None),
        )

    def _wait_for_torch(self, scenario: Scenario, reading: _Reading) -> None:
        ticket = self._ticket
        debugger = self._debugger
        if debugger.session is None:
            waiting = Text("the embedding's values come from torch: on their way …")
            debugger.change(replace(debugger.state, waiting=waiting))
        else:
            debugger.say(
                Text(
                    "{name}: torch gives the embedding's values; they are on their way …", name=scenario.name
                )
            )

        def completed(result: Scenario | RnnstepError) -> None:
            if ticket != self._ticket:
                return
            if isinstance(result, RnnstepError):
                self._refused(reading, result)
            else:
                self._run(result, reading)

        debugger.torch.complete(scenario, completed)

    def _in_background(
        self, work: Callable[[], Any], done: Callable[[Any], None], refused: Callable[[RnnstepError], None]
    ) -> None:
        """Do work in a thread that ends with the process; its result is dropped when another was started."""
        ticket = self._ticket
        debugger = self._debugger

        def finish(then: Callable[[Any], None], result: object) -> None:
            if ticket == self._ticket:
                then(result)

        def run() -> None:
            try:
                result = work()
            except RnnstepError as error:
                debugger.call_later(finish, refused, error)
            except BaseException as error:  # noqa: BLE001  # a fault of the program: it ends with its traceback
                debugger.call_later(_raise, error)
            else:
                debugger.call_later(finish, done, result)

        threading.Thread(target=run, daemon=True, name="rnnstep-reading").start()

    # ── results ──────────────────────────────────────────────────────────────────────

    def _show(self, session: Session, reading: _Reading) -> None:
        left = self.source
        if reading.following is not None and not reading.is_again:
            self._put_aside()
        self.source, self._stamp, self.is_reading = reading.source, reading.stamp, False
        old = self._debugger.session
        if reading.following is not None and reading.is_again and old is not None:
            from rnnstep.session.lesson import at_stop

            session = at_stop(old.moved_to(session.run), reading.following).say(Text("read again"))
            self._debugger.opened(session, is_again=True, following=reading.following)
            return
        if reading.following is not None:
            self._debugger.opened(session.say(reading.note), is_again=False, following=reading.following)
            self._offer(reading.source, session.run.scenario)
            return
        if reading.is_again and old is not None:
            session = old.moved_to(session.run).say(Text("read again"))
        elif reading.came_from is not None:
            session = self._turned(session, reading, reading.came_from)
            if left is not None:
                way = reading.came_from.place_and_row, session.place_and_row
                self._turn = _Turn(left, way[0], reading.source, way[1])
        elif reading.place is None and reading.source in self._places:
            session = session.go(self._places[reading.source]).say(None)
        elif reading.place is None:
            session = _offering(session, _last_time(reading.source))
        self._debugger.opened(session, is_again=reading.is_again)
        if not reading.is_again:
            self._offer(reading.source, session.run.scenario)
        # A file that one turns to, or that is read again, has the same beside it; one that is chosen has nothing.
        is_kept = reading.is_again or reading.came_from is not None
        word = self._options.beside if old is None else _word_beside(old) if is_kept else None
        if word is not None:
            self._debugger.second.put_or_tell(word)

    def _offer(self, source: Source, scenario: Scenario) -> None:
        """Offer the edits that were kept when the program ended before they were saved."""
        from rnnstep.tui.kept_edits import drop, kept

        path = source.path
        edits = () if path is None else kept(path, scenario)
        if path is None or not edits:
            return
        from rnnstep.tui.unsaved import Offered

        debugger = self._debugger

        def answered(answer: str | None) -> None:
            session = debugger.session
            if answer == "take" and session is not None and session.run.scenario is scenario:
                debugger.change(replace(debugger.state, session=session.edit_all(edits)))
            if answer in ("take", "drop"):
                drop(path)

        debugger.app.push_screen(Offered(debugger.state.look), answered)

    def _turned(self, session: Session, reading: _Reading, came_from: Session) -> Session:
        """Be at the counterpart of the place that one came from, or back where one left and did not move since."""
        from rnnstep.session.counterpart import turned_to

        if reading.returned_to is not None:
            return session.go(reading.returned_to).say(None)
        turned = turned_to(session, came_from, self._last_in(reading.source))
        if not turned.position.is_start:
            return turned
        from rnnstep.views.markdown import plain_markdown

        summary = plain_markdown(session.run.scenario.summary.into(self._debugger.state.look.language))
        return turned.say(
            Text("{name}: {summary}", name=reading.source.name, summary=" ".join(summary.split()))
        )

    def _last_in(self, source: Source) -> str | None:
        return self._places.get(source) or _last_time(source)

    def _refused(self, reading: _Reading, error: RnnstepError, *, is_file_bad: bool = True) -> None:
        """Tell what is wrong with a scenario; what is open stays, and where nothing is, the next one is opened."""
        self.is_reading = False
        debugger = self._debugger
        if reading.source == self.source:
            self._stamp = reading.stamp  # told once for each state of the file
        if debugger.session is not None:
            debugger.toasts.tell_error(error)
        elif not self.sources:
            debugger.run("open")
            debugger.toasts.tell_error(error)
        elif is_file_bad and self._number + 1 < len(self.sources):
            self._refusals.append(error)
            debugger.toasts.tell_error(error)
            self.other(1)
        else:
            debugger.fail([*self._refusals, error])


def _word_beside(session: Session) -> str | None:
    """What stands beside a session, to be read again for the next one."""
    return None if session.beside is None else session.beside.value.word


def _last_time(source: Source) -> str | None:
    """Give where one was in a source's file when the program ran before."""
    return None if source.path is None else recall().place(source.path)


def _offering(session: Session, last: str | None) -> Session:
    """Open at start, and say where one was in the file the last time."""
    if last is None:
        return session
    offered = session.having_been_at(last)
    return (
        offered
        if offered is session
        else offered.say(Text("Backspace goes to where you last were: {last}", last=last))
    )


def _raise(error: BaseException) -> None:
    raise error


# ── from a scenario to a session ─────────────────────────────────────────────────────────────────


def session_of(scenario: Scenario, place: str | None = None, following: Following | None = None) -> Session:
    """Run a complete scenario and open it, at `place` if there is one, or at the stop that is followed.

    Raises:
        UsageError: It has no such place.
        ScenarioError: It has not what the stop says.
    """
    from rnnstep.session.run import SessionRun
    from rnnstep.session.session import Session

    session = Session.open(SessionRun.of(scenario))
    if following is not None:
        from rnnstep.session.lesson import at_stop

        return at_stop(session, following)
    return session if place is None else session.at(place)
