"""Ends that come from outside: at SIGTERM, SIGHUP and SIGINT the terminal is given back, and the status is 128 + n.

A signal asks the application to leave as `q` does, without a question. Where it does not get to it, because it waits for
something or its terminal is gone, the rest is done without it after a moment.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

if TYPE_CHECKING:
    from textual.app import App

SIGNALLED = 128
"""A program that signal n ended has the status 128 + n, as a shell gives it."""
_NAMES = ("SIGTERM", "SIGHUP", "SIGINT")
_PATIENCE = 2.0  # seconds for an application that was asked to leave


class Ending:
    """Hears signals while it is entered.

    Attributes:
        status: SIGNALLED + n once a signal n has come; else None.
        last: What is still done where no application leaves by itself.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.last: Callable[[], None] = lambda: None
        self._app: App[int] | None = None
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def ask(self, app: App[int], last: Callable[[], None]) -> None:
        """Ask this application to leave when a signal comes; `last` is done where it does not leave."""
        self._app, self.last = app, last

    def __enter__(self) -> Self:
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks for
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before or signal.SIG_DFL)

    def _heard(self, number: int, _: FrameType | None) -> None:
        if self.status is not None:
            return
        self.status = SIGNALLED + number
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._end()  # raises nothing: it may be in the middle of an import
        threading.Thread(target=self._insist, daemon=True, name="rnnstep-ending").start()
        if self._app is not None:
            loop.call_soon_threadsafe(self._app.exit, None, self.status)

    def _insist(self) -> None:
        time.sleep(_PATIENCE)
        self._end()

    def _end(self) -> NoReturn:
        try:
            self.last()
        finally:
            os._exit(self.status or 1)
