"""The law of painting: after any keys the terminal shows what a full repaint would."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from textual.command import Hits
from textual.driver import Driver
from textual.message import Message

from rnnstep.scenario import bundled
from rnnstep.tui.app import DebuggerApp
from rnnstep.tui.cells import Cells
from rnnstep.tui.keys import Keys, OneByOne
from rnnstep.tui.options import Options
from rnnstep.tui.palette import Commands
from rnnstep.tui.sources import FileSource
from rnnstep.tui.torch import Torch
from tests.tui.conftest import FakeWorker
from tests.tui.emulator import Emulator

PATIENCE = 30.0
KEYS = (
    *(
        b"\x1b[A",
        b"\x1b[B",
        b"\x1b[B",
        b"\x1b[C",
        b"\x1b[C",
        b"\x1b[D",
        b"]",
        b"[",
        b"\x1b[H",
        b"\x1b[F",
        b"\x7f",
    ),
    *(
        b"p",
        b"z",
        b"m",
        b"L",
        b"t",
        b"b",
        b"D",
        b"u",
        b"j",
        b"h",
        b".",
        b"N",
        b"c",
        b"?",
        b"\x1b",
        b"i",
        b"\x1b",
    ),
    *(
        b"o",
        b"\r",
        b"\r",
        b"\x10",
        b"\x1b[6~",
        b"\x1b[5~",
        b"\x1b",
        b"et",
        b"=1\r",
        b"\x1b",
        b"e0\r",
        b"w",
        b"R",
    ),
    *(
        b"\xff",
        b"\xe9",
        b"\x1b[M\xff\xff\xff",
        b"\x1b[1114112u",
        b"\x1b[<0;9;9M",
        b"\x1b[<0;9;9m",
        b"\x1b[<64;5;5M",
    ),
)


class Recording(Driver):
    """A terminal of this size that is an emulator behind our `Cells`."""

    def __init__(self, app: DebuggerApp, *, debug: bool, mouse: bool, size: tuple[int, int] | None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        assert size is not None
        self.emulator = Emulator(*size)
        self.cells = Cells()
        self.bytes = 0
        self.keys = Keys()
        self.one_by_one = OneByOne(app, app.debugger.is_too_early)

    async def type(self, data: bytes) -> None:
        """Send what comes in one read, and after it what waited for more."""
        for message in self.keys.feed(data):
            self.put(message)
        if data.endswith(b"\x1b"):
            await asyncio.sleep(0.12)  # a lone Esc
        for message in self.keys.tick():
            self.put(message)

    def put(self, message: Message) -> None:
        message.set_sender(self._app)
        self.one_by_one.put(message)

    def write(self, data: str) -> None:
        changes = self.cells.changes(data)
        self.bytes += len(changes)
        self.emulator.feed(changes)

    def start_application_mode(self) -> None:
        pass

    def disable_input(self) -> None:
        pass

    def stop_application_mode(self) -> None:
        pass


class Recorded(DebuggerApp):
    def get_driver_class(self) -> type[Driver]:
        return Recording


@asynccontextmanager
async def running(
    name: str, size: tuple[int, int], *, is_waited_for: bool = True, **options: object
) -> AsyncIterator[Recorded]:
    torch = Torch(FakeWorker)
    app = Recorded([FileSource(bundled.find(name))], Options(**options), torch)
    app.animation_level = "none"
    task = asyncio.create_task(app.run_async(size=size))
    try:
        await until(task, lambda: app._driver if not is_waited_for else app.debugger.session is not None)
        yield app
    finally:
        app.exit()
        await task
        torch.close()
    assert app.return_code == 0


async def until(task: asyncio.Task, is_true) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while not is_true():
        assert not task.done(), task.result()
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.01)


async def quiet(app: Recorded) -> None:
    """Wait until no key is waiting, no file is being read, and nothing was painted for a while."""
    before, same = -1, 0
    while same < 3:
        is_busy = app._driver.one_by_one.is_busy or app.debugger.files.is_reading or app.screen._dirty_widgets
        same = 0 if is_busy or before != app._driver.bytes else same + 1
        before = app._driver.bytes
        await asyncio.sleep(0.04)


def repainted(app: Recorded) -> Emulator:
    """What a terminal shows to which the whole screen is written anew."""
    fresh = Emulator(app.size.width, app.size.height)
    for y, strip in enumerate(app.screen._compositor.render_strips()):
        fresh.feed(f"\x1b[{y + 1};1H{strip.render(app.console)}")
    return fresh


async def test_the_terminal_shows_what_a_full_repaint_would() -> None:
    """Several at once: most of the time is waiting."""
    await asyncio.gather(
        _shows_what_a_full_repaint_would("hello", (80, 24), seed=1),
        _shows_what_a_full_repaint_would("hello_lstm", (200, 60), seed=2),
        _shows_what_a_full_repaint_would("rnn_cell_batch", (120, 35), seed=3),
        _shows_what_a_full_repaint_would("bidirectional", (120, 35), seed=4),
    )


async def _shows_what_a_full_repaint_would(name: str, size: tuple[int, int], *, seed: int) -> None:
    draws = random.Random(seed)
    async with running(name, size, language="zh" if seed % 2 else "en") as app:
        for _ in range(12):
            await app._driver.type(b"".join(draws.choices(KEYS, k=draws.choice((1, 1, 2, 6)))))
            await quiet(app)
            assert app._driver.emulator.rows == repainted(app).rows


async def test_what_comes_in_one_read_does_what_it_does_typed_slowly() -> None:
    all_typed = (
        (b"\x10", b"\x1b[6~", b"\x1b[6~", b"\x1b[5~", b"\r"),
        (b"?", b"?", b"i", b"\x1b"),
        (b"?", b"q", b"i", b"\x1b[B", b"i"),
        (b"\x1b[B", b"g", b"3", b"/", b"L", b"0", b"\r", b"\x1b[C"),
        (b"\x1b[B", b"o", b"l", b"\x1b[B", b"\x1b[B"),
    )
    at_once = await asyncio.gather(*(_text_after((b"".join(typed),)) for typed in all_typed))
    slowly = await asyncio.gather(*(_text_after(typed) for typed in all_typed))
    assert at_once == slowly


async def _text_after(portions: tuple[bytes, ...]) -> str:
    async with running("hello", (120, 35)) as app:
        for portion in portions:
            await app._driver.type(portion)
            await quiet(app)
        return app._driver.emulator.text


async def test_a_page_asked_for_twice_opens_once_and_one_left_twice_is_left_once() -> None:
    async with running("hello", (80, 24)) as app:
        for typed, pages in ((b"o\r\r\r", 0), (b"??", 0), (b"ii\x1b", 0), (b"oo", 1), (b"\x1b\x1b\x1b", 0)):
            await app._driver.type(typed)
            await quiet(app)
            assert len(app.screen_stack) == 1 + pages


async def test_a_key_typed_before_the_commands_are_found_waits_for_them(monkeypatch) -> None:
    search = Commands.search

    async def late(self: Commands, query: str) -> Hits:
        await asyncio.sleep(0.1)
        async for hit in search(self, query):
            yield hit

    monkeypatch.setattr(Commands, "search", late)
    async with running("hello", (120, 35)) as app:
        await app._driver.type(b"\x10to the last place\r")
        await quiet(app)
        assert str(app.debugger.state.session.place) == "e15:update:"


@pytest.fixture
def read_when_told(monkeypatch):
    """A file is read when the event that this gives is set."""
    told, read = threading.Event(), FileSource.read

    def wait(self, options):
        assert told.wait(PATIENCE)
        return read(self, options)

    monkeypatch.setattr(FileSource, "read", wait)
    return told


@pytest.mark.parametrize("end", [b"\r", b"\n"])  # what a terminal makes of it that is not ours yet
async def test_keys_wait_for_the_scenario_in_their_order(read_when_told, end: bytes) -> None:
    """`L` belongs to a place here, and does not change the language."""
    async with running("hello", (80, 24), language="en", is_waited_for=False) as app:
        await app._driver.type(b"g3/L0/h" + end + b"\x1b[C")
        await asyncio.sleep(0.1)
        assert app.debugger.session is None
        read_when_told.set()
        await until(asyncio.current_task(), lambda: app.debugger.session is not None)
        await quiet(app)
        assert app.debugger.session.place == "3/loss/p"
        assert app.debugger.state.look.language == "en"


@pytest.mark.parametrize("typed", [b"\x11", b"\x1b[C\x11", b"\x1b[C\x03"])
async def test_leaving_waits_for_no_scenario(read_when_told, typed: bytes) -> None:
    async with running("hello", (80, 24), is_waited_for=False) as app:
        await app._driver.type(typed)
        await until(asyncio.current_task(), lambda: app.return_code == 0)
        read_when_told.set()


async def test_what_needs_no_scenario_is_done_before_it_is_there(read_when_told) -> None:
    async with running("hello", (80, 24), language="en", is_waited_for=False) as app:
        await app._driver.type(b"L")
        await until(asyncio.current_task(), lambda: app.debugger.state.look.language == "zh")
        await app._driver.type(b"\x1b[CL")  # this one comes after the step
        await asyncio.sleep(0.1)
        assert app.debugger.state.look.language == "zh"
        read_when_told.set()
        await until(asyncio.current_task(), lambda: app.debugger.session is not None)
        await quiet(app)
        assert (app.debugger.session.place, app.debugger.state.look.language) == ("1", "en")
