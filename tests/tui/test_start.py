"""The program in a terminal of its own: what it leaves behind, and with which status."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time

import pytest

from tests.forked import Forked

LEAVE = b"\x1b[?1049l"  # back from the alternate screen
OPEN = """
import sys
from pathlib import Path
from rnnstep.tui.options import Options
from rnnstep.tui.sources import FileSource
from rnnstep.tui.start import open_debugger
sys.exit(open_debugger([FileSource(Path(path)) for path in sys.argv[1:]], Options(language="en")))
"""


PATIENCE = 30.0  # seconds that something may take on a busy machine


class Program:
    """The debugger in a pseudo-terminal."""

    def __init__(
        self, *paths: object, code: str = OPEN, start: type[subprocess.Popen[bytes]] = Forked
    ) -> None:
        self.fd, terminal = pty.openpty()
        self.process = start(
            [sys.executable, "-c", code, *map(str, paths)],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"},
        )
        os.close(terminal)
        self.output = b""

    def read_until(self, wanted: bytes) -> None:
        end = time.monotonic() + PATIENCE
        while wanted not in self.output:
            assert time.monotonic() < end, self.output[-2000:]
            self.read()

    def read(self) -> bool:
        if not select.select([self.fd], [], [], 0.2)[0]:
            return True
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            return False
        self.output += data
        return bool(data)

    def read_all(self) -> None:
        """Read until the program has left its terminal; one that stays is ended, and the test fails."""
        end = time.monotonic() + PATIENCE
        while self.read():
            if time.monotonic() > end:
                self.process.kill()
                raise AssertionError(self.output[-2000:])

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def end(self) -> tuple[int, str]:
        """Give the exit status and what stands in the terminal after the screen is gone."""
        self.read_all()
        status = self.process.wait(PATIENCE)
        os.close(self.fd)
        return status, self.output.rpartition(LEAVE)[2].decode()


@pytest.fixture
def scenarios():
    from rnnstep.scenario import bundled

    return bundled.folder()


def test_quitting_tells_how_to_come_back(scenarios):
    program = Program(scenarios / "hello.toml")
    program.read_until(b"RNNCell")
    program.press(b"\x1b[C\x1b[C\x1b[Bq")
    status, left = program.end()
    assert status == 0
    assert "rnnstep hello --language en --at 2/L0" in left
    assert "Traceback" not in left


def test_bad_scenario_leaves_the_terminal_and_its_messages(tmp_path, scenarios):
    bad = tmp_path / "bad.toml"
    bad.write_text(
        (scenarios / "hello.toml").read_text("utf-8").replace("hidden_size", "hiden_size"), "utf-8"
    )
    status, left = Program(bad).end()
    assert status == 2
    assert f"{bad}:" in left
    assert "did you mean `hidden_size`" in left
    assert "Traceback" not in left


def test_quitting_before_torch_is_there_does_not_wait_for_it(scenarios):
    program = Program(scenarios / "hello.toml")
    program.read_until(b"RNNCell")
    program.press(b"q")
    started = time.monotonic()
    status, _ = program.end()
    assert status == 0
    assert time.monotonic() - started < 5
