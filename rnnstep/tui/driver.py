"""The terminal as the debugger uses it: Textual's driver, but sparing in what it writes and patient with what it reads.

Whatever bytes come in, keys come out: what is no UTF-8 becomes `�`, and a sequence that Textual's parser breaks on is
dropped (Textual's own thread ends there, and takes the application along; textualize/textual issue 6456). What goes
out goes through `Cells`, so that a key writes the cells alone that it changed.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import termios
from typing import TYPE_CHECKING, Any, cast

from textual import events
from textual.drivers.linux_driver import LinuxDriver

from rnnstep.tui.cells import Cells
from rnnstep.tui.keys import Keys, OneByOne

if TYPE_CHECKING:
    from types import FrameType

    from textual.app import App
    from textual.message import Message

_READ = 4096
_GIVEN_BACK = (
    b"\x1b[?2026l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l\x1b[?2004l\x1b[?2048l\x1b[?1004l"
    b"\x1b[?7h\x1b[<u\x1b[m\x1b[?1049l\x1b[?25h"
)
"""What ends the modes that Textual's driver begins."""
_TICK = 0.1  # seconds until a lone Esc is taken for the key
_LARGEST = 10_000  # cells across or down that a terminal can have


class TerminalDriver(LinuxDriver):
    """Textual's driver for Linux and macOS with `Cells` behind it and `Keys` before it."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._cells = Cells()
        self._is_stale = False
        debugger = cast(Any, app).debugger  # of the one application that has this driver
        self._one_by_one = OneByOne(app, debugger.is_too_early)

    def write(self, data: str) -> None:
        """Write what differs from what stands there; nothing where the terminal is gone."""
        if self._writer_thread is None or not self._writer_thread.is_alive():
            return
        if self._is_stale:
            self._is_stale = False
            self._cells.forget()
        super().write(self._cells.changes(data))

    def start_application_mode(self) -> None:
        """Start, knowing nothing of what stands on the terminal; nor is anything known after it was resized."""
        self._is_stale = True
        super().start_application_mode()  # type: ignore[no-untyped-call]
        resized = signal.getsignal(signal.SIGWINCH)

        def forget_and_resize(number: int, frame: FrameType | None) -> None:
            self._is_stale = True
            if callable(resized):
                resized(number, frame)

        signal.signal(signal.SIGWINCH, forget_and_resize)

    def process_message(self, message: Message) -> None:
        """Send a message on; a size that no terminal has is none."""
        if isinstance(message, events.Resize):
            self._is_stale = True
            if not (0 < message.size.width <= _LARGEST and 0 < message.size.height <= _LARGEST):
                return
        super().process_message(message)

    def send_message(self, message: Message) -> None:
        """Send a message from the terminal's thread to the application's."""
        self._loop.call_soon_threadsafe(self._one_by_one.put, message)

    def give_back(self) -> None:
        """Give the terminal back as it was, at once and from any thread, without the application."""
        assert self._file is not None
        number = self._file.fileno()
        with contextlib.suppress(OSError, termios.error):
            if self.attrs_before is not None:
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
            os.set_blocking(number, False)  # a terminal that was stopped takes nothing
            os.write(number, _GIVEN_BACK)
            os.set_blocking(number, True)

    def run_input_thread(self) -> None:
        """Read keys until the application ends, or the terminal does."""
        keys = Keys(is_debugging=self._debug)
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_TICK):
                    try:
                        data = os.read(self.fileno, _READ)
                    except OSError:  # the terminal was closed
                        data = b""
                    if not data:
                        os.kill(os.getpid(), signal.SIGHUP)
                        return
                    for message in keys.feed(data):
                        self.process_message(message)
                for message in keys.tick():
                    self.process_message(message)
