"""A debugger in a terminal that is not there: no torch process, no keys of the developer's own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import textual.app
import textual.pilot
from textual.pilot import Pilot

from rnnstep.scenario import bundled
from rnnstep.scenario.model import Scenario
from rnnstep.tui.app import DebuggerApp
from rnnstep.tui.drawing_ahead import Ahead
from rnnstep.tui.options import Options
from rnnstep.tui.remembered import Remembered, remember
from rnnstep.tui.sources import FileSource, LiveSource
from rnnstep.tui.torch import Torch

PATIENCE = 20.0  # seconds that something may take on a busy machine


class FakeWorker:
    """Hears requests and says nothing until a test does."""

    def __init__(self, heard) -> None:
        self.reply = heard
        self.requests = []
        self.is_closed = False

    def submit(self, revision, scenario, place=None) -> None:  # noqa: ARG002 - the worker's own
        self.requests.append((revision, scenario))

    def close(self) -> None:
        self.is_closed = True


class Screen:
    """A running debugger as a test sees it."""

    def __init__(self, app: DebuggerApp, pilot: Pilot[int], workers: list[FakeWorker]) -> None:
        self.app = app
        self.pilot = pilot
        self.workers = workers

    @property
    def debugger(self):
        return self.app.debugger

    @property
    def session(self):
        return self.app.debugger.session

    @property
    def look(self):
        return self.app.debugger.state.look

    @property
    def text(self) -> str:
        """What stands on the screen, cell for cell."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    @property
    def words(self) -> str:
        """The same, whatever the line breaks."""
        return " ".join(self.text.split())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        await self.press(*text)

    async def resize(self, width: int, height: int) -> None:
        await self.pilot.resize_terminal(width, height)
        await self.until(lambda: self.debugger.canvas.size == (width, height))

    async def until(self, is_true: Callable[[], object]) -> None:
        """Wait for what comes from another thread."""
        end = asyncio.get_running_loop().time() + PATIENCE
        while not is_true():
            assert asyncio.get_running_loop().time() < end, f"waited in vain\n{self.text}"
            await asyncio.sleep(0.005)
        await self.pilot.pause()


@pytest.fixture(autouse=True)
def no_keys_of_ones_own(tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    remember(Remembered({}, has_seen_card=True))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("SHELL", "/bin/bash")
    for name in ("LC_ALL", "LC_MESSAGES", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def nothing_drawn_ahead(request, monkeypatch):
    """Each screen is drawn once, but for the tests of drawing ahead and of what a terminal shows."""
    if request.node.path.stem not in ("test_ahead", "test_painting"):
        monkeypatch.setattr(Ahead, "expect", lambda *_: None)


@pytest.fixture
def opened():
    """Give a way to open scenarios: `async with opened("hello", size=(80, 24)) as screen`."""

    @contextlib.asynccontextmanager
    async def opening(
        *scenarios: str | Path | Scenario, size=(80, 24), start=None, is_waited_for=True, **options
    ) -> AsyncIterator[Screen]:
        workers: list[FakeWorker] = []

        def started(heard):
            workers.append(FakeWorker(heard))
            return workers[-1]

        torch = Torch(start or started)
        sources = [
            LiveSource.of(scenario)
            if isinstance(scenario, Scenario)
            else FileSource(bundled.find(str(scenario)))
            for scenario in scenarios
        ]
        app = DebuggerApp(sources, Options(**options), torch)
        app.animation_level = "none"
        try:
            async with app.run_test(size=size, notifications=True) as pilot:
                screen = Screen(app, pilot, workers)
                if scenarios and is_waited_for:
                    await screen.until(lambda: screen.session is not None)
                yield screen
        finally:
            torch.close()

    return opening


_waited_for: weakref.WeakKeyDictionary[threading.Thread, float] = weakref.WeakKeyDictionary()


async def until_idle(min_sleep: float = 0.0, max_sleep: float = 1.0) -> None:
    """Wait until the event loop has nothing left to do, and until the debugger's threads are done, a second for each at most.

    Textual's tests look whether the processor is used, for a fiftieth of a second at least. What is still to be done stands in the
    loop's queue, however busy the machine is: empty, only time, a file or a thread can bring something.
    """
    loop: Any = asyncio.get_running_loop()
    start = time.monotonic()
    while True:
        await asyncio.sleep(1 / 1000)  # timers that are due
        while (  # noqa: ASYNC110 - whatever is left to do ends it: no one event
            loop._ready and time.monotonic() < start + max_sleep
        ):
            await asyncio.sleep(0)
        now = time.monotonic()
        threads = [one for one in threading.enumerate() if one.name.startswith("rnnstep-")]
        is_waited_for = [now - _waited_for.setdefault(one, now) < max_sleep for one in threads]
        if now - start >= max_sleep or (now - start >= min_sleep and not any(is_waited_for)):
            return


@pytest.fixture(autouse=True)
def pauses_that_are_short(monkeypatch):
    """A key takes three of them."""
    for room in (textual.app, textual.pilot):
        monkeypatch.setattr(room, "wait_for_idle", until_idle)
