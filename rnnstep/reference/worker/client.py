"""The screen's end of the worker: torch in a process of its own, started before anything heavy is imported.

Nothing here waits: requests are written and replies read by two threads, and closing is a kill. What the
threads need is imported when they first run, so that the process can be started within milliseconds.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnstep.reference.worker.messages import PlaceInTraining, Reply, Request
    from rnnstep.scenario.model import Scenario

_PACKAGE_FOLDER = str(Path(__file__).resolve().parents[3])
# The worker must find this very package, and must not look for modules in the folder it is started from, where a
# scenario's author may have put a torch.py.
_START = """\
import sys
if sys.argv[1] not in sys.path:
    sys.path.insert(0, sys.argv[1])
from rnnstep.reference.worker.__main__ import main
main()
"""


class Worker:
    """A process that runs torch on the newest scenario it was given.

    Args:
        on_reply: called from a thread of the worker's with each reply to the newest request: `Completed` first
            if parameters were pending, then `Referenced`, one or more for each batch; or `Failed`. And `Trained`,
            whenever there is nothing else to do.
    """

    def __init__(self, on_reply: Callable[[Reply], None]) -> None:
        self._on_reply = on_reply
        self._newest: Request | None = None
        self._revision: int | None = None
        self._training: int | None = None
        self._is_closed = False
        self._has_threads = False
        self._changed = threading.Condition()
        self._process = subprocess.Popen(  # noqa: S603 - this Python, on this package
            [sys.executable, "-P", "-c", _START, _PACKAGE_FOLDER],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that Ctrl+C in the terminal is the screen's alone
        )

    def submit(self, revision: int, scenario: Scenario, place: PlaceInTraining | None = None) -> None:
        """Ask for torch's numbers of a scenario; replies to earlier requests are dropped from now on.

        Args:
            revision: a number of its own, which replies carry.
            scenario: what is looked at.
            place: which epoch of its training, and which batch; without it the first, of a scenario that is new.
        """
        from rnnstep.reference.worker.messages import Request

        with self._changed:
            self._newest = Request(revision, scenario, place)
            self._revision = revision
            self._training = revision if place is None else place.training
            self._changed.notify()
        if not self._has_threads:
            self._has_threads = True
            threading.Thread(target=self._write, daemon=True).start()
            threading.Thread(target=self._read, daemon=True).start()

    def close(self) -> None:
        """End the process, whatever it is doing; does not wait for it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._process.kill()
        if not self._has_threads:  # they would see to what is left of it
            threading.Thread(target=self._clear_away, daemon=True).start()

    def _clear_away(self) -> None:
        with self._process:  # closes the pipes and waits
            pass

    def _write(self) -> None:
        from rnnstep.reference.worker.messages import send

        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._newest is not None or self._is_closed)
                    request, self._newest = self._newest, None
                if request is None or self._is_closed:
                    return
                try:
                    send(pipe.fileno(), request)
                except OSError:
                    return  # the worker is gone; the reading thread says so

    def _read(self) -> None:
        from rnnstep.language import Text
        from rnnstep.reference.worker.messages import Failed, receive

        assert self._process.stdout is not None
        with self._process.stdout as pipe:
            while True:
                try:
                    reply: Reply = receive(pipe.fileno())
                except (EOFError, OSError):
                    break
                self._hand_on(reply)
        status = self._process.wait()
        with self._changed:
            revision, is_closed = self._revision, self._is_closed
        if not is_closed:
            message = Text("torch's process has ended (status {status})", status=status)
            self._on_reply(Failed(revision if revision is not None else 0, message))

    def _hand_on(self, reply: Reply) -> None:
        from rnnstep.reference.worker.messages import Trained

        with self._changed:
            awaited = self._training if isinstance(reply, Trained) else self._revision
            is_awaited = reply.revision == awaited and not self._is_closed
        if is_awaited:
            self._on_reply(reply)
