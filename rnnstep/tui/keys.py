"""What comes in from a terminal: keys from any bytes, and one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import re
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.worker import WorkerError

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message
    from textual.message_pump import MessagePump

_START = b"\x1b["
_OLD_MOUSE = re.compile(rb"\x1b\[M(?:(.)(.)(.)|.{0,2}\Z)", re.DOTALL)

_LEAVING, _UNBOUND = ("ctrl+c", "ctrl+q"), ""  # names of keys
_MOMENT = 0.01  # seconds between looks whether it is still too early
_GLANCE = 0.05  # seconds after which a key that waits looks whether what it waits for can still come
_GLANCES = 20  # at one that does not end
_ROUNDS = 8  # that screens and focus may take to come to rest after a key


class Keys:
    """What a terminal sends, as Textual's messages; bytes may come in any portions, and may be any."""

    def __init__(self, *, is_debugging: bool = False) -> None:
        self._is_debugging = is_debugging
        self._parser = XTermParser(is_debugging)
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._begun = b""  # the start of a sequence that the parser has already
        self._held = b""  # what of an old mouse report is there so far: its bytes may be no text

    def feed(self, data: bytes) -> Iterator[Message]:
        """Give the messages that end within these bytes."""
        data = self._begun + self._held + data
        read = 0  # up to where reports go
        end = len(data)
        for found in _OLD_MOUSE.finditer(data):
            if found[1] is None:
                end = found.start() + len(_START)
            else:
                read = found.end()
        ready, self._held = data[:end], data[end:]
        written = _OLD_MOUSE.sub(_as_new_mouse, ready)[len(self._begun) :]
        self._begun = next((start for start in (_START, _START[:1]) if ready[read:].endswith(start)), b"")
        yield from self._parsed(self._decode(written))

    def tick(self) -> Iterator[Message]:
        """Give what was waiting for more that did not come: a lone Esc."""
        try:
            waited = list(self._parser.tick())
        except Exception:  # noqa: BLE001 - whatever a sequence does to the parser, the keys after it are wanted
            waited = []
            self._begin_anew()
        if waited:
            yield from waited
            held, self._held, self._begun = self._held, b"", b""
            yield from self._parsed(self._decode(held))

    def _parsed(self, text: str) -> Iterator[Message]:
        for character in text:
            try:
                yield from self._parser.feed(character)
            except Exception:  # noqa: BLE001 - as above
                self._begin_anew()

    def _begin_anew(self) -> None:
        """Take another parser for the one that broke, which knows as much of the terminal."""
        old, self._parser = self._parser, XTermParser(self._is_debugging)
        for name in ("last_x", "last_y", "mouse_pixels", "terminal_size", "terminal_pixel_size"):
            setattr(self._parser, name, getattr(old, name))


def _as_new_mouse(found: re.Match[bytes]) -> bytes:
    """Write an X10 mouse report, whose bytes are often no text, as the SGR report of the same."""
    buttons, x, y = (byte - 32 for (byte,) in found.groups())
    is_released = buttons & 0b1000011 == 3
    buttons = buttons & ~3 if is_released else buttons
    return b"\x1b[<%d;%d;%d%c" % (buttons, max(1, x), max(1, y), b"m" if is_released else b"M")


class OneByOne:
    """Gives the application what was typed as if it were typed slowly: each key when the one before is dealt with.

    Textual sends keys to whatever has the focus when they come in. Of `o` and `Enter` in one read, the second would
    go to the screen that `o` is about to cover. What is typed before there is anything to see waits for it, too.

    Args:
        app: the application.
        is_too_early: whether a key, by its name, must wait.
    """

    def __init__(self, app: App[Any], is_too_early: Callable[[str], bool]) -> None:
        self._app = app
        self._is_too_early = is_too_early
        self._waiting: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._is_busy = False

    @property
    def is_busy(self) -> bool:
        """Whether anything that was typed is not dealt with yet."""
        return self._is_busy or not self._waiting.empty()

    def put(self, message: Message) -> None:
        """Take a message; called on the application's thread."""
        if self._task is None:
            self._task = asyncio.create_task(self._deliver(), name="rnnstep-keys")
        key = message.key if isinstance(message, events.Key) else ""
        if key in _LEAVING and self._is_too_early(_UNBOUND):  # past all that waits
            self._app.post_message(message)
            return
        if key == "ctrl+j" and self._is_too_early(key):  # Enter, of a terminal that was not ours yet
            message = events.Key("enter", "\r")
        self._waiting.put_nowait(message)

    async def _deliver(self) -> None:
        while True:
            message = await self._waiting.get()
            self._is_busy = True
            while (  # noqa: ASYNC110 - a file that opens, fails or asks torch ends it: no one event
                isinstance(message, events.Key) and self._is_too_early(message.key)
            ):
                await asyncio.sleep(_MOMENT)
            self._app.post_message(message)
            if isinstance(message, events.Key | events.Paste | events.MouseDown | events.MouseUp):
                await self._dealt_with()
            self._is_busy = False

    async def _dealt_with(self) -> None:
        """Wait until what was sent has gone its way: from the focus up to the application, and into new screens."""
        await _reached(self._app)
        before = None
        for _ in range(_ROUNDS):
            screen = self._app.screen
            focus: MessagePump = self._app.focused or screen
            if before == (screen, focus):
                break
            before = (screen, focus)
            node: MessagePump | None = focus
            while node is not None:
                await _reached(node)
                node = node._parent  # noqa: SLF001 - `ancestors` are of widgets that are mounted
        if len(self._app.screen_stack) > 1:
            await self._laid_out()

    async def _laid_out(self) -> None:
        """Wait until a page that covers the screen is as it will be seen: the palette lists its commands as they come."""
        searches = [worker for worker in self._app.workers if not worker.is_finished]
        laid_out = asyncio.Event()
        with contextlib.suppress(TimeoutError, WorkerError):
            if searches:
                await asyncio.wait_for(self._app.workers.wait_for_complete(searches), _GLANCE * _GLANCES)
            if self._app.screen.call_after_refresh(laid_out.set):
                await asyncio.wait_for(laid_out.wait(), _GLANCE * _GLANCES)


async def _reached(node: MessagePump) -> None:
    """Wait until a node has dealt with what it was sent so far, or is gone."""
    reached = asyncio.Event()
    if not node.call_later(reached.set):
        return
    for _ in range(_GLANCES):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reached.wait(), _GLANCE)
            return
        if not node.is_running:
            return
