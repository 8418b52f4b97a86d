"""Opening scenarios: read in the background, run, and put on the screen; the old one stays until then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
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


class Files:
    """The scenarios that were asked for, and the one that is open.

    Attributes:
        sources: All that N and P walk through.
        source: The one that is open or being read; None before the first.
    """

    def __init__(self, debugger: Debugger, sources: Sequence[Source], options: Options) -> None:
        self.sources = tuple(sources)
        self.source: Source | None = None
        self._debugger = debugger
        self._options = options
        self._number = 0  # of the one that N and P go on from
        self._ticket = 0  # of the reading whose result is wanted
        self._stamp: tuple[int, int] | None = None

    # ── opening ──────────────────────────────────────────────────────────────────────

    def open(self, source: Source, place: str | None = None) -> None:
        """Read a scenario and step through it, from `place` if there is one."""
        state = self._debugger.state
        if state.session is None:
            self._debugger.change(replace(state, name=source.name, waiting=None))
        self._read(source, lambda scenario: self._run(scenario, place, is_again=False))

    def reload(self) -> None:
        """`R`: read the file again and stay at the place; a bad one keeps the old run."""
        source = self.source
        if source is not None:
            self._read(source, lambda scenario: self._run(scenario, None, is_again=True))

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
        source = Source(path)
        self._take(source, source.stamp())

    def look_at_disk(self) -> None:
        """Say so when the file was changed; called once a second."""
        if self.source is None or self._stamp is None:
            return
        stamp = self.source.stamp()
        state = self._debugger.state
        if stamp is not None and stamp != self._stamp and state.look.message is None:
            self._debugger.say(CHANGED)

    # ── in the background ────────────────────────────────────────────────────────────

    def _read(self, source: Source, then: Callable[[Scenario], None]) -> None:
        stamp = source.stamp()

        def work() -> Scenario:
            scenario = read(source, self._options)
            import rnnstep.views.screen  # noqa: F401  # while nobody waits for a key

            return scenario

        def done(scenario: Scenario) -> None:
            self._take(source, stamp)
            then(scenario)

        self._ticket += 1
        self._in_background(work, done, lambda error: self._refused(source, stamp, error))

    def _run(self, scenario: Scenario, place: str | None, *, is_again: bool) -> None:
        """Run a scenario that was read; one that waits for torch's numbers waits."""
        if scenario.pending is not None:
            self._wait_for_torch(scenario, lambda complete: self._run(complete, place, is_again=is_again))
            return
        self._in_background(
            lambda: session_of(scenario, place),
            lambda session: self._show(session, is_again=is_again),
            lambda error: self._refused(None, None, error),
        )

    def _wait_for_torch(self, scenario: Scenario, then: Callable[[Scenario], None]) -> None:
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
                self._refused(None, None, result)
            else:
                then(result)

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

    def _take(self, source: Source, stamp: tuple[int, int] | None) -> None:
        self.source = source
        self._stamp = stamp

    def _show(self, session: Session, *, is_again: bool) -> None:
        debugger = self._debugger
        old = debugger.session
        if is_again and old is not None:
            session = old.moved_to(session.run).say(Text("read again"))
        debugger.opened(session, is_again=is_again)

    def _refused(self, source: Source | None, stamp: tuple[int, int] | None, error: RnnstepError) -> None:
        """Tell what is wrong with a scenario; nothing else is open only when the program was started with it."""
        if self._debugger.session is None and not self._debugger.has_opened:
            self._debugger.fail(error)
            return
        if stamp is not None and source == self.source:
            self._stamp = stamp  # told once for each state of the file
        self._debugger.toasts.tell_error(error)


def _raise(error: BaseException) -> None:
    raise error
