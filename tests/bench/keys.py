"""What a person's keys cost: bytes, time and processor time of each, on a pseudo-terminal.

python tests/bench/keys.py [SCENARIO …] [--presses N] [--size WIDTHxHEIGHT]

Opens a scenario, waits for torch, goes into the first step down to its elements (→ ↓ ↓ ↓) and presses keys as people do. Bytes are
exact. Times on a busy machine say little, so each run stands beside a bare Textual app that repaints as many cells
of as many rows for a key, pressed in turn with ours, and beside the processor time that the process took for it.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from terminal import ROOT, Terminal, python, running

RNNSTEP = [sys.executable, "-m", "rnnstep"]
UP, DOWN, RIGHT, LEFT = b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D"
CELLS = 400  # that a key changes at 200×60, spread over two rows in three
BARE = f"""
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

class Numbers(Widget, can_focus=True):
    pressed = 0

    def render_line(self, y):
        width = self.size.width
        if y % 3 == 2:
            return Strip([Segment(" " * width)], width)
        changed = {CELLS} * 3 // 2 // self.size.height
        style = Style.parse("#e0e0e0 on #101010")
        return Strip([Segment(str(self.pressed % 10) * changed, style), Segment("." * (width - changed))], width)

    def key_right(self):
        self.pressed += 1
        changed = {CELLS} * 3 // 2 // self.size.height
        self.refresh(*[Region(0, y, changed, 1) for y in range(self.size.height) if y % 3 != 2])

class Bare(App):
    def compose(self):
        yield Numbers()

    def on_mount(self):
        self.query_one(Numbers).focus()

Bare().run()
"""


def say(line: str) -> None:
    """Print at once: a run takes a minute or two."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass
class Taken:
    """What keys of one kind wrote and took."""

    sizes: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    spent: float = 0.0  # seconds of the processor

    def add(self, terminal: Terminal, keys: bytes) -> None:
        """Press and note."""
        before = processor_time(terminal)
        self.times.append(terminal.press(keys, quiet=0.05))
        self.spent += processor_time(terminal) - before
        self.sizes.append(len(terminal.written))

    def told(self, name: str, reach: str = "") -> str:
        """Give the line of the table."""
        found = sorted(self.times)
        middle, high = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.95))]
        return (
            f"  {name:14} {statistics.median(self.sizes):8,.0f} bytes   {middle * 1000:5.1f} / {high * 1000:5.1f} ms"
            f"   {self.spent / len(found) * 1000:5.1f} ms of the processor{reach}"
        )


def processor_time(terminal: Terminal) -> float:
    """The seconds of the processor that a terminal's process took so far, in all its threads."""
    threads = Path(f"/proc/{terminal.process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text("ascii").split()[0]) for thread in threads) / 1e9


@contextmanager
def opened(arguments: list[str], width: int, height: int, ready: bytes) -> Iterator[Terminal]:
    """Run a program, as a terminal that has synchronized updates does, until `ready` is there and all is quiet."""
    with running(arguments, width, height) as terminal:
        os.write(terminal.fd, b"\x1b[?2026;2$y")
        terminal.wait_for(ready)
        terminal.settle(1.0)
        yield terminal


def keys_of(name: str, width: int, height: int, presses: int) -> None:
    """Print what keys do in a scenario at a size, beside the bare app."""
    kinds: dict[str, Taken] = {}
    bare = Taken()
    with (
        opened([*RNNSTEP, name], width, height, b"start") as terminal,
        opened(python(BARE), width, height, b"0") as other,
    ):
        for key in (RIGHT, DOWN, DOWN, DOWN):
            terminal.press(key)
        for _ in range(presses):
            kinds.setdefault("→", Taken()).add(terminal, RIGHT)
            bare.add(other, RIGHT)
        script = [
            ("]", b"]"),
            ("←", LEFT),
            ("↑", UP),
            ("↓", DOWN),
            ("→ after ↓ [", RIGHT),
            ("[", b"["),
            ("→ after ↓ [", RIGHT),
        ]
        for count in range(presses):
            label, key = script[count % len(script)]
            kinds.setdefault(label, Taken()).add(terminal, key)
        for place in ("2", "1/L0", "start", "3"):
            for character in f"g{place}":
                terminal.press(character.encode())
            kinds.setdefault("g PLACE Enter", Taken()).add(terminal, b"\r")
    say(f"{name} at {width}×{height}")
    for label, taken in kinds.items():
        ratio = statistics.median(taken.times) / statistics.median(bare.times)
        say(taken.told(label, f"   {ratio:4.2f} × bare" if label == "→" else ""))
    say(bare.told("bare app →"))


def walking(names: list[str], width: int, height: int, presses: int) -> None:
    """Print what N and P cost between scenarios at the same place."""
    taken = Taken()
    with opened([*RNNSTEP, *names], width, height, b"start") as terminal:
        for count in range(min(presses, 12)):
            key = b"N" if count % (2 * len(names) - 2) < len(names) - 1 else b"P"
            terminal.press(key, quiet=0.3)
            taken.add(terminal, RIGHT)
    say(taken.told("→ after N, P"))


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("scenarios", nargs="*", default=["hello", "hello_lstm", "names"])
    parser.add_argument("--presses", type=int, default=60)
    parser.add_argument("--size", action="append", type=lambda text: tuple(map(int, re.split("[x×]", text))))
    asked = parser.parse_args()
    compileall.compile_dir(ROOT / "rnnstep", quiet=1)  # as pip does when it installs
    for width, height in asked.size or [(120, 35), (200, 60)]:
        for name in asked.scenarios:
            keys_of(name, width, height, asked.presses)
        walking(asked.scenarios, width, height, asked.presses)


if __name__ == "__main__":
    main()
