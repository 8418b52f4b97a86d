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
from rnnstep.tui.reading import read, session_of
from rnnstep.tui.sources import Source

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.session import Session
    from rnnstep.tui.debugger import Debugger

CHANGED = Text("changed on disk: R reads it again")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A file on its way to the screen: where to open it, and whether it takes the place of what is open."""

    source: Source
    stamp: tuple[int, int] | None
    place: str | None = None
    is_again: bool = False


class Files:
    """The scenarios that were asked for, and the one that is open.

    Attributes:
        sources: All that N and P walk through.
        source: The one that is open; None before the first.
        is_reading: Whether another one is on its way.
    """

    def __init__(self, debugger: Debugger, sources: Sequence[Source], options: Options) -> None:
        self.sources = tuple(sources)
        self.source: Source | None = None
        self.is_reading = False
        self._debugger = debugger
        self._options = options
        self._number = 0  # of the one that N and P go on from
        self._ticket = 0  # of the reading whose result is wanted
        self._stamp: tuple[int, int] | None = None
        self._places: dict[Source, str] = {}  # where those were left that are not open
        self._refusals: list[RnnstepError] = []  # while there is nothing to show

    # ── opening ──────────────────────────────────────────────────────────────────────

    def open(self, source: Source, place: str | None = None) -> None:
        """Read a scenario and step through it, from `place` or from where it was left."""
        state = self._debugger.state
        if state.session is None:
            self._debugger.change(replace(state, name=source.name, waiting=None))
        elif self.source is not None:
            self._places[self.source] = state.session.place_and_row
        self._read(_Reading(source, source.stamp(), place))

    def reload(self) -> None:
        """`R`: read the file again and stay at the place; a bad one keeps the old run."""
        source = self.source
        if source is not None:
            self._read(_Reading(source, source.stamp(), is_again=True))

    def other(self, by: int) -> None:
        """`N` and `P`: another of the scenarios that were given."""
        number = self._number + by
        if 0 <= number < len(self.sources):
            self._number = number
            self.open(self.sources[number])
        else:
            self._debugger.say(Text("no other scenario was given that way; o opens one"))

    def saved_as(self, path: Path) -> None:
        """Take the file just written for the one that is open: it holds what is on the screen."""
        self.source = Source(path)
        self._stamp = self.source.stamp()

    def look_at_disk(self) -> None:
        """Say so when the file was changed; called once a second."""
        if self.source is None or self._stamp is None:
            return
        stamp = self.source.stamp()
        debugger = self._debugger
        is_silent = debugger.state.look.message is None and not (debugger.session and debugger.session.note)
        if stamp is not None and stamp != self._stamp and is_silent:
            debugger.say(CHANGED)

    # ── in the background ────────────────────────────────────────────────────────────

    def _read(self, reading: _Reading) -> None:
        def work() -> Scenario:
            scenario = read(reading.source, self._options)
            import rnnstep.views.screen  # noqa: F401  # while nobody waits for a key

            return scenario

        self._ticket += 1
        self.is_reading = True
        self._in_background(
            work,
            lambda scenario: self._run(scenario, reading),
            lambda error: self._refused(reading, error),
        )

    def _run(self, scenario: Scenario, reading: _Reading) -> None:
        """Run a scenario that was read; one that waits for torch's numbers waits."""
        if scenario.pending is not None:
            self._wait_for_torch(scenario, reading)
            return
        self._in_background(
            lambda: session_of(scenario, reading.place),
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
        self.source, self._stamp, self.is_reading = reading.source, reading.stamp, False
        old = self._debugger.session
        if reading.is_again and old is not None:
            session = old.moved_to(session.run).say(Text("read again"))
        elif reading.place is None and reading.source in self._places:
            session = session.go(self._places[reading.source]).say(None)
        self._debugger.opened(session, is_again=reading.is_again)

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


def _raise(error: BaseException) -> None:
    raise error
