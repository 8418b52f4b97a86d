"""Ends against the user's will: the terminal is given back, the status tells it, and no edit is lost."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from rnnstep.scenario import bundled
from tests.tui.emulator import Emulator
from tests.tui.test_start import OPEN, PATIENCE, Program

BROKEN = OPEN.replace(
    "sys.exit",
    "import rnnstep.tui.actions\nrnnstep.tui.actions.ACTIONS['theme'] = lambda debugger: 1 / 0\nsys.exit",
)
# a signal in the middle of an import that does not let exceptions through
WHILE_IMPORTING = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "textual.app":
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            except BaseException as error:
                print("Traceback", error)
sys.meta_path.insert(0, Finder())
"""
# torch's process imports torch as long as it lives: where nothing is asked of it, nobody is there
ALONE = """
import rnnstep.tui.start
class Nobody:
    def submit(self, *_): pass
    def close(self): pass
rnnstep.tui.start._process = lambda heard: Nobody()
"""
# a program that opens the debugger, and one that hears signals itself
HOST = """
import sys, rnnstep
rnnstep.load(sys.argv[1]).open()
print("went on")
"""
HEARS = """
import signal, sys
def heard(number, frame):
    print("heard", number)
    sys.exit(7)
signal.signal(signal.SIGTERM, heard)
"""
SHELL = {"7", "25"}  # the modes that a shell has on: lines wrap, the cursor is seen


class Walk(Program):
    """The program in a terminal whose settings and modes are looked at."""

    def __init__(self, name: str | Path, code: str = OPEN, **options: Any) -> None:
        self.log = b""
        super().__init__(name if isinstance(name, Path) else bundled.find(name), code=code, **options)
        self.settings = termios.tcgetattr(self.fd)

    def read(self) -> bool:
        before = self.output
        more = super().read()
        self.log += self.output[len(before) :]
        return more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.fd)

    @property
    def text(self) -> str:
        """What stands on the screen."""
        terminal = Emulator(80, 30)
        terminal.feed(self.log.decode("utf-8", "replace"))
        return terminal.text

    def see(self, wanted: str) -> None:
        """Wait until something stands on the screen."""
        self._read_until(lambda: wanted in self.text)

    def see_no_more(self, unwanted: str) -> None:
        """Wait until something is gone from the screen."""
        self._read_until(lambda: unwanted not in self.text)

    def _read_until(self, is_true: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not is_true():
            assert time.monotonic() < end, self.text
            self.read()

    def workers(self) -> list[int]:
        """The processes that this one started and that still run."""
        stats = {entry.name: _stat(entry) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
        return [int(name) for name, stat in stats.items() if stat[1:2] == [str(self.process.pid)]]

    def ended(self) -> tuple[int, str]:
        """Give the status and what was told behind the screen, once the terminal is found as it was."""
        self.read_all()
        status = self.process.wait(PATIENCE)
        terminal = Emulator(1, 1)
        terminal.feed("".join(re.findall(r"\x1b\[\?[0-9;]+[hl]", self.log.decode("utf-8", "replace"))))
        assert terminal.modes == SHELL
        assert termios.tcgetattr(self.fd)[:4] == self.settings[:4]
        return status, self.log.rpartition(b"\x1b[?1049l")[2].decode()


def _stat(process: Path) -> list[str]:
    try:
        return (process / "stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return []


@contextlib.contextmanager
def edited(code: str = ALONE + OPEN) -> Iterator[Walk]:
    """The program with an edit that is not saved."""
    with Walk("hello", code) as walk:
        walk.see("hello → ohlol")
        walk.press(b"g1/L0/hh[0]\r")
        walk.see("hh[0]")
        walk.press(b"\x1b[Be")
        walk.see("W_hh[0,0] =")
        walk.press(b"7.5\r")
        walk.see("→ 7.5")
        yield walk


def ended_by(walk: Walk, number: signal.Signals) -> list[int]:
    """End it by a signal; give the processes in which torch ran for it."""
    workers = walk.workers()
    assert workers
    walk.process.send_signal(number)
    status, told = walk.ended()
    assert status == 128 + number
    assert "Traceback" not in told
    return workers


def end_with_it(workers: list[int]) -> None:
    """Wait until none of some processes runs; of one that is over the name may be left (Z)."""
    end = time.monotonic() + 10
    while any(_stat(Path(f"/proc/{one}"))[:1] not in ([], ["Z"]) for one in workers):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_gives_the_terminal_back_and_ends_torch(number: signal.Signals) -> None:
    with Walk("hello") as walk:
        walk.see("hello → ohlol")
        walk.press(b"?")
        walk.see("help")
        workers = ended_by(walk, number)
    end_with_it(workers)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_deep_in_a_long_training_ends_it_and_torchs(number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "long.toml"
    text = bundled.find("hello").read_text("utf-8").replace("epochs = 15", "epochs = 900000")
    assert "900000" in text
    path.write_text(text, "utf-8")
    with Walk(path) as walk:
        walk.see("hello → ohlol")
        walk.see("✓ torch")  # whose training goes on in a process of its own
        walk.press(b"ge900000:3\r")
        walk.see("of 900000 are trained")
        walk.press(b"\x15e100:3\r")  # the line is still open
        walk.see("epoch 100/900000")
        workers = ended_by(walk, number)
    end_with_it(workers)


@pytest.mark.parametrize("wait", [0.05, 0.3, 0.6, 1.0])
def test_a_signal_while_it_starts_leaves_nothing_behind(wait: float) -> None:
    with Walk("vanishing", start=subprocess.Popen) as walk:  # which trains
        time.sleep(wait)
        walk.process.send_signal(signal.SIGTERM)
        status, told = walk.ended()
    assert status in (128 + signal.SIGTERM, -signal.SIGTERM)  # before its first line Python ends as it does
    assert "Traceback" not in told


def test_a_signal_in_the_middle_of_an_import_raises_nothing_there() -> None:
    with Walk("hello", WHILE_IMPORTING + OPEN, start=subprocess.Popen) as walk:
        assert walk.ended() == (128 + signal.SIGTERM, "")


@pytest.mark.parametrize(
    ("host", "number", "status", "told"),
    [
        (HEARS + HOST, signal.SIGTERM, 7, "heard 15"),
        (HOST, signal.SIGTERM, -signal.SIGTERM, ""),
        (HOST, signal.SIGINT, -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_a_signal_is_handed_on_to_the_program_that_opened_it(
    host: str, number: signal.Signals, status: int, told: str
) -> None:
    with Walk("hello", ALONE + host, start=subprocess.Popen) as walk:  # a forked one ends otherwise
        walk.see("hello → ohlol")
        walk.process.send_signal(number)
        ended, said = walk.ended()
    assert ended == status
    assert told in said
    assert "went on" not in said


def test_a_terminal_that_goes_away_ends_it() -> None:
    with edited() as walk:
        os.close(walk.fd)
        assert walk.process.wait(30) == 128 + signal.SIGHUP
    with Walk("hello", ALONE + OPEN) as again:
        again.see("Enter takes them")


@pytest.mark.parametrize("how", ["SIGTERM", "fault"])
def test_edits_that_were_not_saved_are_kept_and_offered(how: str) -> None:
    with edited(ALONE + (BROKEN if how == "fault" else OPEN)) as walk:
        if how == "fault":
            walk.press(b"t")
        else:
            walk.process.send_signal(signal.SIGTERM)
        status, told = walk.ended()
    assert status == (1 if how == "fault" else 128 + signal.SIGTERM)
    assert "edits that were not saved are kept" in told
    with Walk("hello", ALONE + OPEN) as again:
        again.see("Enter takes them")
        again.press(b"\r")
        again.see("→ 7.5")
        again.process.kill()
        again.process.wait()
    with Walk("hello", ALONE + OPEN) as last:
        last.see("hello → ohlol")
        last.press(b"\x1b[C\x1b[C")
        last.see("step 2/5")
        assert "takes them" not in last.log.decode()
        last.press(b"q")
        assert last.ended()[0] == 0


def test_kept_edits_that_are_put_off_are_offered_again_and_those_dropped_are_not() -> None:
    with edited() as walk:
        walk.process.send_signal(signal.SIGTERM)
        walk.ended()
    for key in (b"\x1b", b"d"):
        with Walk("hello", ALONE + OPEN) as again:
            again.see("Enter takes them")
            again.press(key)
            again.see_no_more("takes them")  # a lone Esc is one when nothing has followed
            again.press(b"\x1b[C")
            again.see("step 1/5")
            again.press(b"q")
            assert again.ended()[0] == 0
    with Walk("hello", ALONE + OPEN) as last:
        last.see("hello → ohlol")
        last.press(b"\x1b[C")
        last.see("step 1/5")
        assert "takes them" not in last.log.decode()
