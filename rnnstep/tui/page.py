"""A page of rows over the debugger: help and info; it scrolls, finds words, and any closing key closes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from rnnstep.language import Text
from rnnstep.tui.canvas import Canvas
from rnnstep.tui.modal import Modal
from rnnstep.views.compose import fit, pad
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, plain

MakeRows = Callable[[Look, int], list[Row]]


class PageScreen(Modal[str]):
    """Shows what `rows` gives for a width; dismissed with the target that was clicked, or ""."""

    DEFAULT_CSS = """
    Page Input { dock: bottom; background: $panel; color: $foreground; padding: 0 1; }
    """
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
        Binding("slash,ctrl+f", "find", show=False),
    ]

    def __init__(self, title: Text, rows: MakeRows, look: Look) -> None:
        super().__init__()
        self._title_text = title
        self._make = rows
        self._look = look
        self._offset = 0

    def compose(self) -> ComposeResult:
        """One canvas, the whole screen, and a line to find words with, which comes with its key."""
        yield Canvas()
        line = Input(compact=True)
        line.display = False
        yield line

    def action_find(self) -> None:
        """Ask for a word."""
        line = self.query_one(Input)
        line.display = True
        line.value = ""
        line.focus()

    @on(Input.Changed)
    def _find(self, event: Input.Changed) -> None:
        """Scroll to the first row with what is typed, from the one on top on."""
        self._go_to(event.value, self._offset)

    @on(Input.Submitted)
    def _find_next(self, event: Input.Submitted) -> None:
        """Enter goes on to the next one."""
        self._go_to(event.value, self._offset + 1)

    def _go_to(self, typed: str, first: int) -> None:
        wanted = typed.strip().lower()
        rows = self._make(self._look, self.query_one(Canvas).size.width)
        order = [*range(first, len(rows)), *range(min(first, len(rows)))]
        found = next((number for number in order if wanted in plain([rows[number]]).lower()), None)
        if wanted and found is not None:
            self._offset = found
            self.paint()

    def on_key(self, event: events.Key) -> None:
        """Esc takes the line away; without one the page goes."""
        line = self.query_one(Input)
        if event.key == "escape" and line.display:
            line.display = False
            self.query_one(Canvas).focus()
            event.stop()
            event.prevent_default()

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
                Span(" /", "key"),
                Span(f" {say(Text('find'))} ", "dim"),
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
