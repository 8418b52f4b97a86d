"""torch's process as the screen uses it: requests go out, answers come back on the screen's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rnnstep.errors import RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.reference import Checked
    from rnnstep.reference.messages import Completed, Failed, Referenced, Reply
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.run import Run

    Heard = Callable[[Reply], None]
    Answered = Callable[[Checked | RnnstepError], None]
    Filled = Callable[[Scenario | RnnstepError], None]


class Worker(Protocol):
    """What is asked of `rnnstep.reference.client.Worker`."""

    def submit(self, revision: int, scenario: Scenario) -> None:
        """Ask for torch's numbers; replies to earlier requests are dropped from now on."""

    def close(self) -> None:
        """End the process at once."""


class _Asked:
    """The newest request, the only one whose replies count."""

    def __init__(self, scenario: Scenario, filled: Filled | None = None) -> None:
        self.scenario = scenario
        self.filled = filled
        self.run: Run | None = None
        self.answered: Answered | None = None
        # These came before the completed scenario was run here.
        self.early: Referenced | None = None
        self.failed: RnnstepError | None = None


class Torch:
    """Asks for torch's numbers of one run at a time; `start` starts a process that hears for us.

    The process is started with this object, before Textual and numpy are imported; nothing is asked
    before `attach` has said how to get onto the screen's thread.
    """

    def __init__(self, start: Callable[[Heard], Worker]) -> None:
        self._start = start
        self._ticket = 0
        self._asked: _Asked | None = None
        self._later: Callable[..., object] = lambda *_: None
        self._refused: UsageError | None = None
        self._worker = self._started()

    def attach(self, later: Callable[..., object]) -> None:
        """Take the way to the screen's thread: `later(function, *arguments)` from any thread."""
        self._later = later

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()

    def complete(self, scenario: Scenario, done: Filled) -> None:
        """Ask for the parameters that a scenario waits for; its numbers follow when `check` asks for them."""
        self._submit(_Asked(scenario, filled=done))
        if self._refused is not None:
            done(self._refused)

    def check(self, run: Run, done: Answered) -> None:
        """Ask for torch's numbers beside a run's; an error says why there are none."""
        asked = self._asked
        scenario = run.trace.scenario  # with the parameters that the epoch begins with
        if asked is None or asked.scenario is not scenario:
            asked = _Asked(scenario)
            self._submit(asked)
        asked.run, asked.answered = run, done
        failed = self._refused or asked.failed
        if failed is not None:
            done(failed)
        elif asked.early is not None:
            self._compare(asked, asked.early)

    def _submit(self, asked: _Asked) -> None:
        self._asked = asked
        self._ticket += 1
        if self._worker is None:
            self._worker = self._started()
        if self._worker is not None:
            self._worker.submit(self._ticket, asked.scenario)

    def _started(self) -> Worker | None:
        try:
            worker = self._start(self._overhear)
        except OSError as error:
            reason = error.strerror or str(error)
            self._refused = UsageError(Text("torch's process could not be started: {reason}", reason=reason))
            return None
        self._refused = None
        return worker

    def _overhear(self, reply: Reply) -> None:
        """Take a reply from the process's thread to the screen's."""
        self._later(self._hear, reply)

    # ── replies, on the screen's thread ──────────────────────────────────────────────

    def _hear(self, reply: Reply) -> None:
        from rnnstep.reference.messages import Completed, Failed, Referenced

        asked = self._asked
        if asked is None or reply.revision != self._ticket:
            return
        match reply:
            case Completed():
                self._fill(asked, reply)
            case Referenced() if asked.run is None:
                asked.early = reply
            case Referenced():
                self._compare(asked, reply)
            case Failed():
                self._fail(asked, reply)

    def _fill(self, asked: _Asked, reply: Completed) -> None:
        from rnnstep.reference.pending import filled

        asked.scenario = filled(asked.scenario, reply.parameters)
        if asked.filled is not None:
            asked.filled(asked.scenario)

    def _compare(self, asked: _Asked, reply: Referenced) -> None:
        """Set torch's numbers beside ours in a thread: large runs take longer than a frame."""

        def work() -> None:
            assert asked.run is not None
            assert asked.answered is not None
            try:
                answer: Checked | RnnstepError = _beside(asked.run, reply)
            except Exception as error:  # noqa: BLE001  # all else on the screen goes on without torch
                answer = UsageError(Text("comparing with torch failed: {reason}", reason=repr(error)))
            self._later(asked.answered, answer)

        threading.Thread(target=work, daemon=True, name="rnnstep-comparing").start()

    def _fail(self, asked: _Asked, reply: Failed) -> None:
        error = ScenarioError(reply.problems) if reply.problems else UsageError(reply.message)
        if not reply.problems:
            self.close()  # the next request starts another process
            self._worker = None
        asked.failed = error
        if asked.answered is not None:
            asked.answered(error)
        elif asked.filled is not None and asked.scenario.pending is not None:
            asked.filled(error)


def _beside(run: Run, reply: Referenced) -> Checked:
    """Torch's numbers beside a run's; of batches that are learnt from one after another, the first's.

    The process has run all batches with the parameters that the first begins with.
    """
    from rnnstep.reference.comparison import Checked, compare, set_beside

    if "update" not in run.tree.phases or run.tree.num_batches == 1:
        return set_beside(run.trace, reply.references, reply.verdicts)
    return Checked(run.trace, (compare(run.trace.passes[0], reply.references[0], reply.verdicts[0]),))
