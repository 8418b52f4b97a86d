"""The worker's end: a process that imports torch at once, then answers the newest request, until its input ends.

Started by `rnnstep.reference.client`; by hand `python -m rnnstep.reference.worker` waits for messages on its
standard input. Standard output carries replies and nothing else.
"""

from __future__ import annotations

import os
import threading

from rnnstep.errors import RnnstepError, ScenarioError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reference.messages import Completed, Failed, Referenced, Reply, Request, receive, send

INNER_BYTES = 32 << 20  # inner values that are worth the way through a pipe


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

    @property
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
    while True:
        request = inbox.take()
        try:
            if missing is not None:
                send(replies, Failed(request.revision, missing))
            else:
                _answer(request, inbox, replies)
        except OSError:
            os._exit(0)


def _import_torch() -> Text | None:
    """Import torch and all that a request needs; say what is wrong if that fails."""
    try:
        import torch

        import rnnstep.engine
        import rnnstep.reference.run
        import rnnstep.reference.verdict  # noqa: F401 - imported now so that the first answer comes sooner
    except Exception as error:  # noqa: BLE001 -- a broken installation raises what it likes
        return Text("torch cannot be imported: {reason}", reason=_reason(error))
    # Threads wait by turning round; on two cores that takes the screen's core, and small products gain nothing.
    torch.set_num_threads(1)
    return None


def _answer(request: Request, inbox: _Inbox, replies: int) -> None:
    try:
        found = _numbers(request, inbox, replies)
    except ScenarioError as error:
        found = Failed(request.revision, error.message, error.problems)
    except RnnstepError as error:
        found = Failed(request.revision, error.message)
    except MemoryError:
        found = Failed(request.revision, Text("there is not enough memory to run torch beside"))
    except Exception as error:  # noqa: BLE001 -- the screen tells; a worker that dies silently would not
        found = Failed(request.revision, Text("torch's process failed: {reason}", reason=_reason(error)))
    if found is not None:
        send(replies, found)


def _numbers(request: Request, inbox: _Inbox, replies: int) -> Reply | None:
    """Run engine and torch, batch by batch; None when a newer request has come in between."""
    from rnnstep.engine import Model
    from rnnstep.reference.pending import complete
    from rnnstep.reference.run import run_reference
    from rnnstep.reference.verdict import judge

    scenario = request.scenario
    if scenario.pending is not None:
        names = scenario.pending.names
        scenario = complete(scenario)
        send(replies, Completed(request.revision, {name: scenario.parameters[name] for name in names}))
    model = Model(scenario)
    references, verdicts = [], []
    for index in range(len(scenario.batches)):
        if inbox.has_newer:
            return None
        done = model.run_batch(index)
        references.append(run_reference(done, inner_bytes=INNER_BYTES // len(scenario.batches)))
        verdicts.append(judge(done, references[-1]))
    return Referenced(request.revision, tuple(references), tuple(verdicts))


def _reason(error: Exception) -> str:
    return printable(str(error).partition("\n")[0]) or type(error).__name__


if __name__ == "__main__":
    main()
