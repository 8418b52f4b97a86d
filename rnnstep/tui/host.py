"""What the parts of the screen know of the screen that holds them, and of each other.

`Debugger` is a `Host`, `DebuggerApp` a `Application`, `Files` are `Scenarios`, `SecondRun` is a `Second`, `Toasts` are `Messages` and `Player` is a
`Playing`; a part that is handed its host depends on these alone, so no file needs the one that needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from textual.app import App
    from textual.notifications import SeverityLevel
    from textual.timer import Timer

    from rnnstep.errors import RnnstepError
    from rnnstep.language import Text
    from rnnstep.session.lesson import Following
    from rnnstep.session.session import Session
    from rnnstep.tui.sources import Source
    from rnnstep.tui.state import ScreenState
    from rnnstep.tui.torch import Torch


class Application(Protocol):
    """The application around the screen."""

    def take_keymap(self) -> None:
        """Use the keys of the user's own, and tell what is wrong with them."""

    def next_theme(self) -> None:
        """Go on to the next theme."""

    def save_picture(self) -> None:
        """Save the screen as an SVG."""

    def fail(self, problem: str) -> None:
        """Leave, with a message for standard error."""

    def leave(self, session: Session | None) -> None:
        """Leave, with the line that comes back to where the session is."""


class Scenarios(Protocol):
    """The scenarios that were asked for.

    Attributes:
        sources: all of them.
        source: the one that is open; None before the first.
        is_reading: whether another one is on its way.
    """

    sources: tuple[Source, ...]
    source: Source | None
    is_reading: bool

    def open(self, source: Source, place: str | None = None) -> None:
        """Read a scenario and step through it."""

    def other(self, by: int) -> None:
        """Open another one of them."""

    def reload(self) -> None:
        """Read the one that is open again."""

    def go_to_stop(self, following: Following) -> None:
        """Go to a stop of a lesson."""

    def take_unsaved(self) -> bool:
        """Show again what was left for another stop and has edits that are not saved; whether there is any."""

    def saved_as(self, path: Path) -> None:
        """Take the file just written for the one that is open."""


class Second(Protocol):
    """What puts a second run beside the one that is open."""

    def toggle(self) -> None:
        """Put one there, or take it away."""

    def put(self, text: str) -> None:
        """Put the one there that `--beside` takes so."""

    def put_or_tell(self, text: str) -> None:
        """The same; a value that is none is told."""

    def stand_beside(self, text: str | None) -> None:
        """Have there what a stop of a lesson says."""

    def take_away(self, reason: Text | None = None) -> None:
        """Take what stands there away, and say why where there is a reason."""


class Messages(Protocol):
    """Messages that are longer than a line."""

    def tell_error(self, error: RnnstepError) -> None:
        """Say what is wrong with a file, all of it."""


class Playing(Protocol):
    """One place after another, by itself."""

    def start(self) -> None:
        """Play on from where the cursor is."""

    def change_speed(self, factor: float) -> None:
        """Play `factor` times as fast."""


class Host(Protocol):
    """The debugger's screen.

    Attributes:
        torch: where torch's numbers come from.
    """

    torch: Torch

    @property
    def state(self) -> ScreenState:
        """All that is shown."""

    @property
    def session(self) -> Session | None:
        """Where the user is; None while the first scenario is being read."""

    @property
    def app(self) -> App[Any]:
        """Textual's application."""

    @property
    def program(self) -> Application:
        """The same as the application that it is."""

    @property
    def files(self) -> Scenarios:
        """The scenarios that were asked for."""

    @property
    def second(self) -> Second:
        """What puts a second run beside the one that is open."""

    @property
    def toasts(self) -> Messages:
        """What says more than a line."""

    @property
    def player(self) -> Playing:
        """What plays."""

    def change(self, state: ScreenState) -> None:
        """Show another state."""

    def say(self, text: Text | None) -> None:
        """Say something on the screen's own line, or clear it."""

    def ask(self, command: str, typed: str = "") -> None:
        """Open the prompt of a command."""

    def run(self, command: str, *, key: str = "") -> None:
        """Obey any command of the table."""

    def move(self, command: str, message: Text | None = None) -> None:
        """Obey a command that changes the state alone."""

    def follow_target(self, target: str | None) -> None:
        """Do what a span's target says."""

    def opened(self, session: Session, *, is_again: bool, following: Following | None = None) -> None:
        """Show a session that was read."""

    def arrived(self, session: Session, following: Following) -> None:
        """Show a session that was open before at a stop of a lesson."""

    def fail(self, errors: Sequence[RnnstepError]) -> None:
        """Leave: there is nothing to show."""

    def call_later(self, callback: Callable[..., Any], *arguments: Any) -> bool:
        """Do something when what is going on is done; from any thread."""

    def set_interval(self, interval: float, callback: Callable[[], None]) -> Timer:
        """Do something again and again."""

    def notify(self, message: str, *, severity: SeverityLevel, timeout: float, markup: bool) -> None:
        """Show a message of Textual's."""
