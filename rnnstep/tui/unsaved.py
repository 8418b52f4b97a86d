"""A question of one key over the debugger: what to do about an edit that is not saved."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from rnnstep.language import Text
from rnnstep.tui.modal import Modal
from rnnstep.views.look import Look

Answer = Literal["save", "lose", "stay"]


class Unsaved(Modal[Answer]):
    """Asks before an edit is lost; Esc stays."""

    DEFAULT_CSS = """
    Unsaved { background: transparent; }
    Unsaved Static {
        dock: bottom;
        height: auto;
        background: $panel;
        color: $warning;
        text-style: bold;
        padding: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,ctrl+s", "dismiss('save')", show=False),
        Binding("q,y,enter,ctrl+c,ctrl+q", "dismiss('lose')", show=False),
        Binding("escape,n", "dismiss('stay')", show=False),
    ]

    def __init__(self, look: Look, going_on: Text) -> None:
        super().__init__()
        self._look = look
        self._going_on = going_on

    def compose(self) -> ComposeResult:
        """One line, at the foot."""
        question = Text(
            "An edit is not saved.  s saves it   Enter: {going_on} without it   Esc stays",
            going_on=self._going_on,
        )
        yield Static(Content(self._look.say(question)))
