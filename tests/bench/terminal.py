"""A pseudo-terminal to run programs in, and the times of what they write to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Terminal:
    """A program in a terminal of `width` × `height` cells; everything it writes is read and dated."""

    def __init__(self, arguments: Sequence[str], width: int = 160, height: int = 48) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
            os.environ.update(
                TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8", TEXTUAL_ANIMATIONS="none"
            )
            os.environ["PYTHONPATH"] = str(ROOT)
            for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
                os.environ[name] = "1"
            os.execv(arguments[0], list(arguments))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.written = bytearray()
        self.last = self.started

    def read(self, seconds: float) -> bool:
        """Read what is there, waiting at most so long; False when nothing came."""
        ready, _, _ = select.select([self.fd], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self.fd, 1 << 20)
        except OSError:  # the program is gone
            return False
        self.last = time.perf_counter()
        self.written += data
        return bool(data)

    def wait_for(self, wanted: bytes | Callable[[bytes], bool], seconds: float = 60.0) -> float:
        """Read until `wanted` was written since the last call, and give the time from the start."""
        is_there = wanted if callable(wanted) else lambda written: wanted in written
        end = time.perf_counter() + seconds
        while not is_there(bytes(self.written)):
            if time.perf_counter() > end:
                raise TimeoutError(bytes(self.written[-400:]))
            self.read(0.5)
        self.written.clear()
        return self.last - self.started

    def settle(self, quiet: float = 0.15, most: float = 30.0) -> None:
        """Read until nothing was written for `quiet` seconds."""
        end = time.perf_counter() + most
        while self.read(quiet) and time.perf_counter() < end:
            pass
        self.written.clear()

    def press(self, keys: bytes) -> float:
        """Send keys; give the time it was done."""
        now = time.perf_counter()
        os.write(self.fd, keys)
        return now

    def wait_until_gone(self) -> float:
        """Wait for the end of the program and give the time it came."""
        while True:
            self.read(0.001)
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                self.pid = 0
                return time.perf_counter()

    def close(self) -> None:
        """End the program if it still runs."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@contextlib.contextmanager
def running(arguments: Sequence[str], width: int = 160, height: int = 48) -> Iterator[Terminal]:
    """Run a program in a terminal and end it afterwards."""
    terminal = Terminal(arguments, width, height)
    try:
        yield terminal
    finally:
        terminal.close()


def python(code: str, *arguments: str) -> list[str]:
    """Give the command that runs Python code."""
    return [sys.executable, "-c", code, *arguments]
