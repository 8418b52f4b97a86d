"""Messages that are longer than a line: they stand over the screen until the next key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rnnstep.errors import RnnstepError, ScenarioError
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.tui.debugger import Debugger

SECONDS = 60.0


class Toasts:
    """Shows messages in Textual's toasts, as plain text."""

    CSS = """
    Toast { width: 76; max-width: 90%; padding: 0 1; margin-top: 0; }
    Debugger.-ascii Toast { border: none; }
    """

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger
        self._are_there = False

    def clear(self) -> None:
        """Take them away."""
        if self._are_there:
            self._debugger.app.clear_notifications()
            self._are_there = False

    def tell(self, text: Text) -> None:
        """Say something that is worth a look."""
        self._show(text.into(self._debugger.state.look.language), "warning")

    def tell_error(self, error: RnnstepError) -> None:
        """Say what is wrong with a file, all of it, and the first of it on the screen's own line."""
        language = self._debugger.state.look.language
        if not isinstance(error, ScenarioError):
            self._debugger.say(error.message)
            return
        # The name says enough here, and a path would take the room of the message.
        short = [replace(problem, path=Path(problem.path).name).into(language) for problem in error.problems]
        self._show("\n".join(short), "error")
        self._debugger.say(Text("not opened: {problem}", problem=short[0]))

    def _show(self, text: str, severity: Literal["warning", "error"]) -> None:
        spelt = self._debugger.state.look.alphabet.spell(text)
        self._debugger.notify(spelt, severity=severity, timeout=SECONDS, markup=False)
        self._are_there = True
