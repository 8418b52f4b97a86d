"""A pseudo-terminal to run programs in, and the times of what they write to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(
    tempfile.mkdtemp(prefix="rnnstep-bench-")
)  # no settings of the developer's, and no card of a first start
(HOME / "rnnstep").mkdir()
(HOME / "rnnstep" / "remembered.json").write_text('{"card": "seen"}', "utf-8")
PATIENCE = 60.0  # seconds until something is taken to be wrong


class Terminal:
    """A program in a terminal of `width` × `height` cells; all that it writes is read and dated."""

    def __init__(self, arguments: Sequence[str], width: int = 160, height: int = 48) -> None:
        self.fd, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        environment |= {"XDG_CONFIG_HOME": str(HOME), "XDG_STATE_HOME": str(HOME)}
        environment |= {"TEXTUAL_ANIMATIONS": "none", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            arguments, stdin=end, stdout=end, stderr=end, start_new_session=True, env=environment, cwd=ROOT
        )
        os.close(end)
        self.written = bytearray()
        self.last = self.started  # when something was written

    def read(self, seconds: float) -> bool:
        """Read what is there, waiting at most so long; False when nothing came."""
        if not select.select([self.fd], [], [], max(0.0, seconds))[0]:
            return False
        try:
            data = os.read(self.fd, 1 << 20)
        except OSError:  # the program is gone
            return False
        self.last = time.perf_counter()
        self.written += data
        return bool(data)

    def wait_for(self, wanted: bytes) -> float:
        """Read until `wanted` was written since the last call; give the seconds since the start."""
        end = time.perf_counter() + PATIENCE
        while wanted not in self.written:
            if time.perf_counter() > end:
                raise TimeoutError(bytes(self.written[-400:]))
            self.read(0.5)
        self.written.clear()
        return self.last - self.started

    def settle(self, quiet: float = 0.2) -> None:
        """Read until nothing was written for `quiet` seconds."""
        while self.read(quiet):
            pass
        self.written.clear()

    def press(self, keys: bytes, quiet: float = 0.03) -> float:
        """Send keys and give the seconds until the last of what they paint is written.

        A repaint ends with Textual's end of a synchronized update; terminals that do not have it get
        none, and there the quiet after it ends it.
        """
        self.written.clear()
        sent = time.perf_counter()
        os.write(self.fd, keys)
        end = sent + 2.0
        while not self.written and time.perf_counter() < end:
            self.read(0.5)
        while self.read(quiet):
            pass
        return self.last - sent

    def wait_until_gone(self) -> float:
        """Wait for the end of the program and give the time it came."""
        while self.process.poll() is None:
            self.read(0.0005)
        return time.perf_counter()

    def close(self) -> None:
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
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
