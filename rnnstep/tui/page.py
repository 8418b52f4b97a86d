"""A page of rows over the debugger: help and info; it scrolls, and any closing key closes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from rnnstep.language import Text
from rnnstep.tui.canvas import Canvas
from rnnstep.tui.modal import Modal
from rnnstep.views.compose import fit, pad
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span

Rows = Callable[[Look, int], list[Row]]


class Page(Modal[str]):
    """Shows what `rows` gives for a width; dismissed with the target that was clicked, or ""."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,question_mark,i,f1,？,ctrl+c", "dismiss('')", show=False),
        Binding("L", "dismiss('press language')", show=False),
        Binding("t", "dismiss('press theme')", show=False),
        Binding("down,j,n,right", "scroll(1)", show=False),
        Binding("up,k,left", "scroll(-1)", show=False),
        Binding("pagedown,space", "leaf(1)", show=False),
        Binding("pageup,b", "leaf(-1)", show=False),
        Binding("home,g", "scroll(-1000000)", show=False),
        Binding("end,G", "scroll(1000000)", show=False),
    ]

    def __init__(self, title: Text, rows: Rows, look: Look) -> None:
        super().__init__()
        self._title_text = title
        self._make = rows
        self._look = look
        self._offset = 0

    def compose(self) -> ComposeResult:
        """One canvas, the whole screen."""
        yield Canvas()

    @on(Canvas.Resized)
    def paint(self) -> None:
        """Paint the part that the page is scrolled to."""
        canvas = self.query_one(Canvas)
        width, height = canvas.size
        rows = self._make(self._look, width)
        room = max(1, height - 2)
        self._offset = max(0, min(self._offset, len(rows) - room))
        unseen = max(0, len(rows) - room - self._offset)
        shown = pad(rows[self._offset : self._offset + room], width, room, self._look.alphabet)
        canvas.show([self._head(width), *shown, self._foot(width, unseen)])

    def _head(self, width: int) -> Row:
        title = self._look.say(self._title_text)
        return fit(
            (Span(f" {title} ", "header bold"), Span(" " * width, "header")), width, self._look.alphabet
        )

    def _foot(self, width: int, unseen: int) -> Row:
        say = self._look.say
        more = f"  {self._look.alphabet.down} {unseen}" if unseen else ""
        return fit(
            (
                Span(f" {self._look.alphabet.up} {self._look.alphabet.down}", "key"),
                Span(f" {say(Text('scroll'))} ", "dim"),
                Span(" Esc", "key", "press close"),
                Span(f" {say(Text('close'))}{more}", "dim", "press close"),
            ),
            width,
            self._look.alphabet,
        )

    def action_scroll(self, rows: int) -> None:
        """Scroll by rows."""
        self._offset += rows
        self.paint()

    def action_leaf(self, pages: int) -> None:
        """Scroll by pages."""
        self.action_scroll(pages * max(1, self.query_one(Canvas).size.height - 3))

    @on(Canvas.Scrolled)
    def _wheel(self, message: Canvas.Scrolled) -> None:
        self.action_scroll(3 * message.direction)

    @on(Canvas.Clicked)
    def _click(self, message: Canvas.Clicked) -> None:
        self.dismiss("" if message.target == "press close" else message.target)
