"""The worker's end: a process that imports torch at once, then answers the newest request, until its input ends.

While nothing is asked it goes on with torch's own training of the newest scenario, epoch by epoch.

Started by `rnnstep.reference.worker.client`; by hand `python -m rnnstep.reference.worker` waits for messages on its
standard input. Standard output carries replies and nothing else.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from rnnstep.errors import RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reference.run.installed import INSTALL, missing, require
from rnnstep.reference.worker.messages import Failed, Request, receive, send

if TYPE_CHECKING:
    from rnnstep.reference.worker.answers import Answering


class _Inbox:
    """The newest request. A thread reads, so that the other end never waits, and ends the process at end of file."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._newest: Request | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def take(self) -> Request:
        """Wait for a request."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None)
            request, self._newest = self._newest, None
        assert request is not None
        return request

    def has_newer(self) -> bool:
        """Whether what is being worked on is wanted no more."""
        return self._newest is not None

    def _read(self) -> None:
        while True:
            try:
                request = receive(self._pipe)
            except (EOFError, OSError):
                os._exit(0)  # whatever else is being done, importing torch too, is of no use now
            with self._changed:
                self._newest = request
                self._changed.notify()


def main() -> None:
    """Answer requests until standard input ends."""
    requests, replies = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)  # a library's stray print must not get between the replies
    os.nice(5)  # the screen's keys come first
    inbox = _Inbox(requests)
    missing = _import_torch()
    answers = None if missing is not None else _answers(inbox)
    while True:
        try:
            if answers is not None and answers.course is not None and not inbox.has_newer():
                _go_on(answers, replies)
                continue
            request = inbox.take()
            if answers is None:
                assert missing is not None
                send(replies, Failed(request.revision, _lacking(request) or missing))
            else:
                _answer(request, answers, replies)
        except OSError:
            os._exit(0)


def _answers(inbox: _Inbox) -> Answering:
    from rnnstep.reference.worker.answers import Answering

    return Answering(inbox.has_newer)


def _lacking(request: Request) -> Text | None:
    """What a scenario waits for that torch alone gives: without it there are no numbers to stand alone."""
    if request.scenario.pending is None:
        return None
    try:
        require(request.scenario.pending)
    except UsageError as error:
        return error.message
    return None


def _import_torch() -> Text | None:
    """Import torch and all that a request needs; say what is wrong if that fails."""
    reason = missing()
    if reason is not None:
        return Text(
            "nothing stands beside these numbers: torch cannot be imported ({reason}); install it with {install}",
            reason=reason,
            install=INSTALL,
        )
    import torch

    import rnnstep.reference.worker.answers  # noqa: F401 - imported now so that the first answer comes sooner

    # Threads wait by turning round; on two cores that takes the screen's core, and small products gain nothing.
    torch.set_num_threads(1)
    return None


def _answer(request: Request, answers: Answering, replies: int) -> None:
    try:
        for reply in answers.replies(request):
            send(replies, reply)
    except OSError:
        raise
    except ScenarioError as error:
        send(replies, Failed(request.revision, error.message, error.problems))
    except RnnstepError as error:
        send(replies, Failed(request.revision, error.message))
    except MemoryError:
        send(replies, Failed(request.revision, Text("there is not enough memory to run torch beside")))
    except Exception as error:  # noqa: BLE001 -- the screen tells; a worker that dies silently would not
        reason = Text("torch's process failed: {reason}", reason=_reason(error))
        send(replies, Failed(request.revision, reason))


def _go_on(answers: Answering, replies: int) -> None:
    """Train on for a little while; a training that fails, for want of memory perhaps, is left where it is."""
    assert answers.course is not None
    try:
        trained = answers.course.next()
    except Exception:  # noqa: BLE001 -- torch's curve is an extra: what was asked for is answered
        trained = None
    if trained is None:
        answers.course = None
    else:
        send(replies, trained)


def _reason(error: Exception) -> str:
    return printable(str(error).partition("\n")[0]) or type(error).__name__


if __name__ == "__main__":
    main()
