"""The list of the stops of a lesson, over the debugger: one is chosen, and gone to."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from rnnstep.session.lesson import Following
from rnnstep.tui.canvas import Canvas
from rnnstep.tui.modal import Modal
from rnnstep.views.lesson import stop_list
from rnnstep.views.look import Look

CLOSE = -1


class StopList(Modal[int]):
    """Dismissed with the number of the stop to go to, from 0, `CLOSE` to close the lesson, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,S,ctrl+c", "dismiss(None)", show=False),
        Binding("enter", "take", show=False),
        Binding("x", f"dismiss({CLOSE})", show=False),
        Binding("down,j,n,tab", "choose(1)", show=False),
        Binding("up,k,shift+tab", "choose(-1)", show=False),
        Binding("pagedown", "choose(10)", show=False),
        Binding("pageup", "choose(-10)", show=False),
        Binding("home,g", "choose(-1000)", show=False),
        Binding("end,G", "choose(1000)", show=False),
    ]

    def __init__(self, following: Following, look: Look) -> None:
        super().__init__()
        self._following = following
        self._look = look
        self._chosen = following.number

    def compose(self) -> ComposeResult:
        """One canvas, the whole screen."""
        yield Canvas()

    @on(Canvas.Resized)
    def paint(self) -> None:
        """Paint the list."""
        canvas = self.query_one(Canvas)
        canvas.show(stop_list(self._following, self._chosen, self._look, *canvas.size))

    def action_choose(self, by: int) -> None:
        """Go down or up in the list."""
        self._chosen = max(0, min(self._chosen + by, len(self._following.lesson.stops) - 1))
        self.paint()

    def action_take(self) -> None:
        """Go to the one that is chosen."""
        self.dismiss(self._chosen)

    @on(Canvas.Scrolled)
    def _wheel(self, message: Canvas.Scrolled) -> None:
        self.action_choose(message.direction)

    @on(Canvas.Clicked)
    def _click(self, message: Canvas.Clicked) -> None:
        verb, _, number = message.target.partition(" ")
        if verb == "stop":
            self.dismiss(int(number))
