"""A second run beside the one that is open: read in the background, put under the cursor, and torch asked about it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.tui.options import Options
from rnnstep.tui.sources import limits_of
from rnnstep.views.commands import BY_ID

if TYPE_CHECKING:
    from rnnstep.reference import Checked
    from rnnstep.scenario.beside_value import BesideValue
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.beside import RunBeside
    from rnnstep.session.run import SessionRun
    from rnnstep.session.session import Session
    from rnnstep.tui.host import Host
    from rnnstep.tui.sources import Source

_A_WHILE = 0.5  # seconds of training between looks whether it is still wanted


class SecondRun:
    """What stands beside the open run, and how it gets there.

    The session holds the second run itself; this one reads it, and has torch's word put beside its numbers.
    """

    def __init__(self, debugger: Host, options: Options) -> None:
        self._debugger = debugger
        self._options = options
        self._ticket = 0  # of the reading whose result is wanted
        self._beside_of: Source | None = None  # the file that was open when it was asked for
        self._asked: SessionRun | None = None  # about which torch was asked last
        self._of_a_stop: str | None = None  # what the stop of a lesson put there

    # ── putting and taking away ──────────────────────────────────────────────────────

    def toggle(self) -> None:
        """`|`: the run before an edit, the cure, or what is asked for; take away what stands there."""
        session = self._debugger.session
        if session is None:
            return
        if session.beside is not None:
            self.take_away()
        elif session.edits:
            from rnnstep.session.across import with_run_before_edit

            self._show(with_run_before_edit(session))
        elif session.run.cured is not None or session.mistaken is not None:
            self.put("cure")
        else:
            self._debugger.ask("beside")

    def take_away(self, reason: Text | None = None) -> None:
        """Take the second run away."""
        self._ticket += 1
        state, session = self._debugger.state, self._debugger.session
        if session is None or session.beside is None:
            return
        note = Text("nothing stands beside any more")
        if reason is not None:
            note = Text("nothing stands beside any more: {reason}", reason=reason)
        self._debugger.change(replace(state.say(None), session=session.with_beside(None).say(note)))

    def put(self, text: str) -> None:
        """Put a run beside the open one: a scenario, `dtype=float64`, `weights=FILE`, `epoch=15`, `cure`.

        It is read in the background, and stands there in the place of any other when it is; what is wrong with it
        is told.

        Raises:
            UsageError: It is no such value.
        """
        from rnnstep.scenario.beside_value import read_value

        value = read_value(text)
        session = self._debugger.session
        if session is None:
            return
        if value.kind == "cure" and session.run.is_refused:
            raise UsageError(Text("torch stops at this mistake (see i): the numbers here are the cure's"))
        self._ticket += 1
        self._beside_of = self._debugger.files.source
        first = session.unedited or session.run.scenario
        mistaken = session.mistaken

        def read() -> Scenario:
            if value.kind == "cure" and mistaken is not None:
                return mistaken.scenario
            return self._read(value, first)

        if value.word != self._of_a_stop:
            self._debugger.say(Text("{name} is being read …", name=value.word))
        self._in_background(read, lambda scenario: self._complete(value, scenario))

    def stand_beside(self, text: str | None) -> None:
        """Have beside the run what a stop of a lesson says; what the stop before put there goes."""
        session = self._debugger.session
        there = None if session is None or session.beside is None else session.beside.value.word
        before, self._of_a_stop = self._of_a_stop, text
        pair = None if session is None else session.beside
        if text is not None and (text != there or self._is_behind(pair)):
            self.put_or_tell(text)
        elif text is None and there is not None and there == before and session is not None:
            self._ticket += 1
            self._debugger.change(replace(self._debugger.state, session=session.with_beside(None)))

    def _is_behind(self, pair: RunBeside | None) -> bool:
        """Whether a second run has not been trained as far as the epoch that is to stand beside."""
        session = self._debugger.session
        if pair is None or session is None:
            return False
        wanted = min(pair.epoch_beside(session.run), pair.run.tree.num_epochs - 1)
        return pair.run.epoch.index != wanted

    def put_or_tell(self, text: str) -> None:
        """The same; a value that is none is told, too."""
        try:
            self.put(text)
        except UsageError as error:
            self._debugger.toasts.tell_error(error)

    def _read(self, value: BesideValue, first: Scenario) -> Scenario:
        from rnnstep.scenario.beside import second_scenario

        options = self._options
        return second_scenario(
            value,
            first,
            limits_of(options),
            dtype=options.dtype,
            usual_decimals=options.settings.decimals,
        )

    def _complete(self, value: BesideValue, scenario: Scenario) -> None:
        """Ask torch for what only torch can draw, then run."""
        if scenario.pending is None:
            self._run(value, scenario)
            return
        ticket = self._ticket

        def completed(result: Scenario | RnnstepError) -> None:
            if ticket != self._ticket:
                return
            if isinstance(result, RnnstepError):
                self._debugger.toasts.tell_error(result)
            else:
                self._run(value, result)

        self._debugger.torch.another().complete(scenario, completed)

    def _run(self, value: BesideValue, scenario: Scenario) -> None:
        from rnnstep.session.beside import RunBeside

        session = self._debugger.session
        if session is None or self._debugger.files.source != self._beside_of:
            return  # another file was opened meanwhile
        run, ticket = session.run, self._ticket

        def trained() -> RunBeside:
            pair = RunBeside.of(value, scenario, run)
            wanted = min(pair.epoch_beside(run), pair.run.tree.num_epochs - 1)
            while not pair.run.learning.reach(wanted, _A_WHILE) and ticket == self._ticket:
                pass
            return pair.along(run)

        self._in_background(trained, lambda pair: self._stand(pair, run))

    def _stand(self, pair: RunBeside, beside_of: SessionRun) -> None:
        """Put what was read beside the run that is open now: it may have been moved or edited meanwhile."""
        session = self._debugger.session
        if session is None or self._debugger.files.source != self._beside_of:
            return
        run = session.run
        if session.edits or run.learning is not beside_of.learning:
            pair = pair.edited(run, session.edits)
        self._show(session.with_beside(pair.along(run)))

    def _show(self, session: Session) -> None:
        assert session.beside is not None
        if session.beside.value.word == self._of_a_stop and self._of_a_stop is not None:
            self._debugger.change(replace(self._debugger.state, session=session))
            return
        first, second = session.beside.names(session.run)
        key = self._debugger.state.look.key(BY_ID["beside"])
        note = Text(
            "{first} | {second}: every move moves both; {key} takes it away",
            first=first,
            second=second,
            key=key,
        )
        self._debugger.change(replace(self._debugger.state.say(None), session=session.say(note)))

    def _in_background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Do work in a thread that ends with the process; its result is dropped when another was started."""
        ticket, debugger = self._ticket, self._debugger

        def finish(then: Callable[[], None]) -> None:
            if ticket == self._ticket:
                then()

        def run() -> None:
            try:
                result = work()
            except RnnstepError as error:
                found = error  # the name of an except clause ends with it
                debugger.call_later(finish, lambda: self._refused(found))
            except BaseException as error:  # noqa: BLE001  # a fault of the program: it ends with its traceback
                fault = error
                debugger.call_later(_raise, fault)
            else:
                debugger.call_later(finish, lambda: done(result))

        threading.Thread(target=run, daemon=True, name="rnnstep-reading-beside").start()

    def _refused(self, error: RnnstepError) -> None:
        self._debugger.say(None)
        self._debugger.toasts.tell_error(error)

    # ── torch ────────────────────────────────────────────────────────────────────────

    def follow(self) -> None:
        """Ask torch about a second run that it has not seen; leave its process when nothing stands beside."""
        debugger, session = self._debugger, self._debugger.session
        pair = None if session is None else session.beside
        if session is None or pair is None:
            if self._asked is not None:
                self._asked = None
                debugger.torch.leave_another()
            return
        run = pair.run
        if run.checked is not None or (self._asked is not None and run.epoch is self._asked.epoch):
            return
        self._asked = run
        debugger.change(debugger.state.seen(torch_beside="loading"))
        batch = min(session.batch, run.tree.num_batches - 1)
        debugger.torch.another().check(run, batch, lambda result: self._checked(run, result))

    def _checked(self, run: SessionRun, result: Checked | RnnstepError) -> None:
        """Put torch's numbers beside the second run they are of; those of another one are dropped."""
        debugger, session = self._debugger, self._debugger.session
        pair = None if session is None else session.beside
        if session is None or pair is None or pair.run.epoch is not run.epoch:
            return
        if isinstance(result, RnnstepError):
            debugger.change(debugger.state.seen(torch_beside="failed"))
            return
        session = replace(session, beside=pair.with_checked(result))
        debugger.change(replace(debugger.state.seen(torch_beside="ready"), session=session))


def _raise(error: BaseException) -> None:
    raise error
