"""How far a long run is: a bar on standard error where that is a terminal, and Ctrl-C that stops between two epochs."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

from rnnstep.cli.speech import say
from rnnstep.language import Text

PATIENCE = 0.5  # seconds before there is a bar at all: a short run needs none
PAUSE = 0.1  # seconds from one drawing to the next
WIDTH = 30
_CLEAR = "\r\x1b[K"


class Bar:
    """A bar of one line that is drawn over and over, and cleared before anything else is written."""

    def __init__(self, total: int, label: str) -> None:
        self._total = total
        self._label = label
        self._is_shown = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._started = time.monotonic()
        self._drawn_at = self._started + PATIENCE - PAUSE
        self._is_drawn = False
        self._is_writing = False
        self._told_later: Callable[[], None] | None = None

    def draw(self, done: int) -> None:
        """Show how much is done, unless that was shown a moment ago."""
        now = time.monotonic()
        if not self._is_shown or now < self._drawn_at + PAUSE:
            return
        self._drawn_at = now
        self._is_drawn = True
        full = WIDTH * done // self._total
        left = (now - self._started) / done * (self._total - done) if done else None
        time_left = "" if left is None else f"  {_clock(left)}"
        bar = "#" * full + "-" * (WIDTH - full)
        self._write(f"{_CLEAR}{self._label} [{bar}] {done}/{self._total}{time_left}")

    def clear(self) -> None:
        """Leave the line as if nothing had been there."""
        if self._is_drawn:
            self._is_drawn = False
            self._write(_CLEAR)

    def when_written(self, tell: Callable[[], None]) -> None:
        """Run what writes to standard error: at once, or in a signal's handler after the writing that the signal came in."""
        if self._is_writing:  # a stream of Python's cannot be written to while it is written to
            self._told_later = tell
        else:
            tell()

    def _write(self, text: str) -> None:
        self._is_writing = True
        sys.stderr.write(text)
        sys.stderr.flush()
        self._is_writing = False
        tell, self._told_later = self._told_later, None
        if tell is not None:
            tell()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Interrupts:
    """Takes the first Ctrl-C as a wish to stop when the epoch is done; the second one stops at once.

    Attributes:
        is_asked: whether it was pressed.
    """

    def __init__(self, bar: Bar, language: str) -> None:
        self.is_asked = False
        self._bar = bar
        self._language = language
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self._is_main:
            self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._before)
        self._bar.clear()

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
        if sys.stderr.isatty():
            self._bar.when_written(self._tell)

    def _tell(self) -> None:
        self._bar.clear()
        say(Text("stopping after this epoch; Ctrl-C once more stops at once"), self._language)
