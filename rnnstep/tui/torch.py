"""torch's process as the screen uses it: requests go out, answers come back on the screen's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rnnstep.errors import RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.reference import Checked
    from rnnstep.reference.judge.whole_run import TorchAnswer
    from rnnstep.reference.worker.messages import (
        Completed,
        Failed,
        PlaceInTraining,
        Referenced,
        Reply,
        Trained,
    )
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.run import SessionRun

    Heard = Callable[[Reply], None]
    Answered = Callable[[Checked | RnnstepError], None]
    Filled = Callable[[Scenario | RnnstepError], None]


class WorkerLike(Protocol):
    """What is asked of `rnnstep.reference.worker.client.Worker`."""

    def submit(self, revision: int, scenario: Scenario, place: PlaceInTraining | None = None) -> None:
        """Ask for torch's numbers; replies to earlier requests are dropped from now on."""

    def close(self) -> None:
        """End the process at once."""


class _Asked:
    """The newest request, the only one whose replies count."""

    def __init__(self, scenario: Scenario, epoch: int = 0, filled: Filled | None = None) -> None:
        self.scenario = scenario
        self.epoch = epoch
        self.filled = filled
        self.run: SessionRun | None = None
        self.answered: Answered | None = None
        self.answers: dict[int, TorchAnswer] = {}  # by batch, as far as they are there
        self.newest = 0  # of the comparisons that were begun, so that an older one does not come last
        self.failed: RnnstepError | None = None


class Torch:
    """Asks for torch's numbers of one run at a time; `start` starts a process that hears for us.

    The process is started with this object, before Textual and numpy are imported; nothing is asked
    before `attach` has said how to get onto the screen's thread.
    """

    def __init__(self, start: Callable[[Heard], WorkerLike]) -> None:
        self._start = start
        self._ticket = 0
        self._training = 0  # the ticket under which the scenario that is trained came first
        self._asked: _Asked | None = None
        self._later: Callable[..., object] = lambda *_: None
        self._trained: Callable[[Trained], None] = lambda _: None
        self._refused: UsageError | None = None
        self._another: Torch | None = None
        self._worker = self._started()

    def attach(self, later: Callable[..., object], trained: Callable[[Trained], None]) -> None:
        """Take the way to the screen's thread, and who hears of torch's own training.

        Args:
            later: `later(function, *arguments)` from any thread.
            trained: called with each part of torch's own training.
        """
        self._later = later
        self._trained = trained

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()
        self.leave_another()

    def another(self) -> Torch:
        """Give torch for a second run, in a process of its own; one at most, started when it is first asked for."""
        if self._another is None:
            self._another = Torch(self._start)
            self._another.attach(self._later, lambda _: None)
        return self._another

    def leave_another(self) -> None:
        """End the process of the second run: nothing stands beside any more."""
        if self._another is not None:
            self._another.close()
            self._another = None

    def complete(self, scenario: Scenario, done: Filled) -> None:
        """Ask for the parameters that a scenario waits for; its numbers follow when `check` asks for them."""
        self._submit(_Asked(scenario, filled=done))
        if self._refused is not None:
            done(self._refused)

    def check(self, run: SessionRun, batch: int, done: Answered) -> None:
        """Ask for torch's numbers beside those of a run's epoch, of one batch before all others.

        `done` is called with what there is so far, each time there is more; an error says why there is nothing.
        """
        asked = self._asked
        if asked is None or asked.scenario is not run.scenario or asked.epoch != run.epoch.index:
            is_new = asked is None or asked.scenario is not run.scenario
            asked = _Asked(run.scenario, run.epoch.index)
            self._submit(asked, None if is_new and not run.epoch.index else run, batch, is_new=is_new)
        asked.run, asked.answered = run, done
        failed = self._refused or asked.failed
        if failed is not None:
            done(failed)
        elif asked.answers:
            self._compare(asked)

    def _submit(
        self, asked: _Asked, run: SessionRun | None = None, batch: int = 0, *, is_new: bool = True
    ) -> None:
        self._asked = asked
        self._ticket += 1
        if is_new:
            self._training = self._ticket
        if self._worker is None:
            self._worker = self._started()
        if self._worker is not None:
            place = None if run is None and not batch else self._place(run, batch)
            self._worker.submit(self._ticket, asked.scenario, place)

    def _place(self, run: SessionRun | None, batch: int) -> PlaceInTraining:
        from rnnstep.reference.worker.messages import PlaceInTraining

        if run is None:
            return PlaceInTraining(self._training, batch=batch)
        return PlaceInTraining(self._training, run.epoch.index, run.epoch.state, batch)

    def _started(self) -> WorkerLike | None:
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
        from rnnstep.reference.worker.messages import Completed, Failed, Referenced, Trained

        asked = self._asked
        if isinstance(reply, Trained):
            if reply.revision == self._training:
                self._trained(reply)
            return
        if asked is None or reply.revision != self._ticket:
            return
        match reply:
            case Completed():
                self._fill(asked, reply)
            case Referenced():
                self._take(asked, reply)
            case Failed():
                self._fail(asked, reply)

    def _fill(self, asked: _Asked, reply: Completed) -> None:
        from rnnstep.reference.run.pending_parameters import filled

        asked.scenario = filled(asked.scenario, reply.parameters)
        if asked.filled is not None:
            asked.filled(asked.scenario)

    def _take(self, asked: _Asked, reply: Referenced) -> None:
        """Put what came of a batch to what came of it before: the forward pass comes first."""
        from rnnstep.reference.judge.whole_run import TorchAnswer

        known, more = asked.answers.get(reply.batch, TorchAnswer()), reply.answer
        asked.answers[reply.batch] = TorchAnswer(
            more.forward or known.forward, more.backward or known.backward, more.update or known.update
        )
        if asked.run is not None:
            self._compare(asked)

    def _compare(self, asked: _Asked) -> None:
        """Set torch's numbers beside the engine's in a thread: large runs take longer than a frame."""
        asked.newest += 1
        number, answers = asked.newest, dict(asked.answers)

        def work() -> None:
            from rnnstep.reference.judge.whole_run import set_beside

            assert asked.run is not None
            assert asked.answered is not None
            try:
                answer: Checked | RnnstepError = set_beside(asked.run.epoch, answers)
            except Exception as error:  # noqa: BLE001  # all else on the screen goes on without torch
                answer = UsageError(Text("comparing with torch failed: {reason}", reason=repr(error)))
            if number == asked.newest:
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
