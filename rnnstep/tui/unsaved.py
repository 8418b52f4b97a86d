"""Questions of one key over the debugger: what to do about edits that are not saved, or were not."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from rnnstep.language import Text
from rnnstep.tui.modal import Modal
from rnnstep.views.look import Look

Choice = Literal["save", "lose", "stay"]


class _OneKey(Modal[str]):
    """One line at the foot of what is seen; a key answers it."""

    DEFAULT_CSS = """
    _OneKey { background: transparent; }
    _OneKey Static {
        dock: bottom;
        height: auto;
        background: $panel;
        color: $warning;
        text-style: bold;
        padding: 0 1;
    }
    """

    def __init__(self, look: Look, question: Text) -> None:
        super().__init__()
        self._line = Content(look.say(question))

    def compose(self) -> ComposeResult:
        """The line."""
        yield Static(self._line)


class Unsaved(_OneKey):
    """Asks before an edit is lost; Esc stays."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,ctrl+s", "dismiss('save')", show=False),
        Binding("q,y,enter,ctrl+c,ctrl+q", "dismiss('lose')", show=False),
        Binding("escape,n", "dismiss('stay')", show=False),
    ]

    def __init__(self, look: Look, going_on: Text) -> None:
        super().__init__(
            look,
            Text(
                "An edit is not saved.  s saves it   Enter: {going_on} without it   Esc stays",
                going_on=going_on,
            ),
        )


class Offered(_OneKey):
    """Offers the edits that were not saved when the program ended; Esc leaves them for the next time."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "dismiss('take')", show=False),
        Binding("d,n", "dismiss('drop')", show=False),
        Binding("escape", "dismiss('later')", show=False),
        Binding("ctrl+c", "app.leave", show=False),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(
            look,
            Text("The program ended before edits were saved.  Enter takes them   d drops them   Esc: later"),
        )
