"""How soon the screen stands and answers: prints ratios taken in one run.

python tests/bench/screen.py [RUNS]

Times on a busy machine say little; what is compared is run in turn, and medians are set beside each other.
"""

from __future__ import annotations

import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from terminal import ROOT, Terminal, python, running

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
RNNSTEP = [sys.executable, "-m", "rnnstep"]
RIGHT, ACROSS = b"\x1b[C", b"]"
BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    BINDINGS = [("q", "quit", "quit")]

    def compose(self):
        yield Static("FIRST FRAME")

Bare().run()
"""
BARE_WITH_TORCH = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("FIRST FRAME")

    def on_mount(self):
        self.call_after_refresh(self.load)

    def load(self):
        import torch
        self.query_one(Static).update(f"TORCH {torch.ones(1).item()}")

Bare().run()
"""
SCENARIO = """
[input]
random = {{shape = [{steps}, 1, {size}], seed = 0}}
[recurrent]
module = "{module}"
hidden_size = {size}
[weights]
seed = 0
"""


def say(line: str) -> None:
    """Print at once: a run takes a minute or two."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def ratio(name: str, ours: list[float], theirs: list[float], reach: float) -> None:
    """Print two medians and how they compare."""
    one, other = statistics.median(ours), statistics.median(theirs)
    say(f"{name:48} {one * 1000:7.0f} ms  {other * 1000:7.0f} ms  {one / other:5.2f} ×  (reach {reach} ×)")


def in_turn(*measures: Callable[[], float]) -> list[list[float]]:
    """Take measures in turn, so that what else the machine does falls on all of them."""
    taken = [[measure() for measure in measures] for _ in range(RUNS)]
    return [list(column) for column in zip(*taken, strict=True)]


def until(arguments: list[str], wanted: bytes) -> Callable[[], float]:
    """Give the measure of the time from the start of a process to what it writes."""

    def measure() -> float:
        with running(arguments) as terminal:
            return terminal.wait_for(wanted)

    return measure


def gone(arguments: list[str], ready: bytes) -> Callable[[], float]:
    """Give the measure of the time from `q` to the end of the process."""

    def measure() -> float:
        with running(arguments) as terminal:
            terminal.wait_for(ready)
            terminal.settle()
            pressed = time.perf_counter()
            os.write(terminal.fd, b"q")
            return terminal.wait_until_gone() - pressed

    return measure


def finished(arguments: list[str]) -> Callable[[], float]:
    """Give the measure of a whole process."""

    def measure() -> float:
        started = time.perf_counter()
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        return time.perf_counter() - started

    return measure


def percentiles(name: str, times: Iterable[float]) -> None:
    """Print the median, the 95th percentile and the worst of keys' times."""
    found = sorted(times)
    middle, high = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))]
    say(
        f"{name:48} median {middle * 1000:5.1f}  95 % {high * 1000:5.1f}  worst {found[-1] * 1000:5.1f} ms"
        "  (reach 16 / 40)"
    )


def keys(folder: Path, module: str, size: int, width: int, height: int) -> None:
    """Time keys from the first screen on, while torch loads and after."""
    path = folder / f"{module}{size}.toml"
    path.write_text(SCENARIO.format(steps=60, size=size, module=module), "utf-8")
    with running([*RNNSTEP, str(path)], width, height) as terminal:
        terminal.wait_for(b"start")
        terminal.settle(0.05)
        early = [pressed(terminal, count) for count in range(20)]
        if b"torch" in terminal.written:
            terminal.wait_for("✓".encode())
        terminal.settle(1.0)
        late = [pressed(terminal, count) for count in range(80)]
    percentiles(f"key, {module} {size}×{size} at {width}×{height}, torch loading", early)
    percentiles(f"key, {module} {size}×{size} at {width}×{height}", late)


def pressed(terminal: Terminal, count: int) -> float:
    """Press one of the keys that people press: on, into, across the steps, out."""
    script = (RIGHT, b"\x1b[B", b"\x1b[B", RIGHT, b"\x1b[B", ACROSS, RIGHT, b"\x1b[A", b"\x1b[A", RIGHT)
    return terminal.press(script[count % len(script)])


def held(folder: Path, size: int, width: int, height: int) -> None:
    """Hold a key at 30 a second for four seconds, and count the keys that painted nothing of their own."""
    path = folder / f"RNN{size}.toml"
    with running([*RNNSTEP, str(path), "--at", "1/L0/ih"], width, height) as terminal:
        terminal.wait_for(b"ih")
        terminal.settle(2.0)
        dropped, start = 0, time.perf_counter()
        for count in range(120):
            terminal.written.clear()
            os.write(terminal.fd, RIGHT)
            while (left := start + (count + 1) / 30 - time.perf_counter()) > 0:
                terminal.read(left)
            dropped += not terminal.written
    say(f"key held at 30 a second, RNN {size}×{size} at {width}×{height}: {dropped} of 120 frames dropped")


def main() -> None:
    """Print all of it."""
    compileall.compile_dir(ROOT / "rnnstep", quiet=1)  # as pip does when it installs
    hello = [*RNNSTEP, "hello"]
    ours, theirs = in_turn(until(hello, b"hello"), until(python(BARE), b"FIRST FRAME"))
    ratio("first frame / bare app", ours, theirs, 1.15)
    ours, theirs = in_turn(
        until([*hello, "--at", "2"], "✓".encode()), until(python(BARE_WITH_TORCH), b"TORCH 1.0")
    )
    ratio("torch's numbers / bare app + import torch", ours, theirs, 1.3)
    ours, theirs = in_turn(gone([*hello, "--at", "2"], "✓".encode()), gone(python(BARE), b"FIRST FRAME"))
    ratio("q → process gone / bare app", ours, theirs, 1.1)
    ours, theirs = in_turn(finished([*RNNSTEP, "--help"]), finished(python("pass")))
    ratio("rnnstep --help / python -c pass", ours, theirs, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height in ((160, 48), (240, 67)):
            for module, size in (("RNN", 4), ("LSTM", 4), ("RNN", 64), ("LSTM", 64), ("RNN", 1024)):
                keys(folder, module, size, width, height)
            for size in (4, 64, 1024):
                held(folder, size, width, height)


if __name__ == "__main__":
    main()
