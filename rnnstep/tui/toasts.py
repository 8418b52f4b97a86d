"""Messages that are longer than a line: they stand over the screen until the next key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rnnstep.errors import RnnstepError, ScenarioError
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.tui.host import Host

SECONDS = 24 * 3600.0  # until the next key


class Toasts:
    """Shows messages in Textual's toasts, as plain text."""

    CSS = """
    ToastRack { overflow-y: auto; }
    Toast { width: 100%; max-width: 100%; padding: 0 1; margin-top: 0; }
    Debugger.-ascii Toast { border: none; }
    """

    def __init__(self, debugger: Host) -> None:
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

    def tell_settings(self, error: RnnstepError) -> None:
        """Say what is wrong with the user's settings, all of it; the rest of them is used."""
        language = self._debugger.state.look.language
        self._show(
            "\n".join([error.into(language), Text("what is wrong there is left out").into(language)]),
            "warning",
        )

    def tell_error(self, error: RnnstepError) -> None:
        """Say what is wrong with a file, all of it."""
        language = self._debugger.state.look.language
        lines = [error.into(language)]
        if isinstance(error, ScenarioError):
            # The name says enough here, and a path would take the room of the message.
            lines = [replace(found, path=Path(found.path).name).into(language) for found in error.problems]
        self._debugger.say(None)  # an older line would be read as a part of it
        self._show("\n".join([Text("not opened:").into(language), *lines]), "error")

    def _show(self, text: str, severity: Literal["warning", "error"]) -> None:
        spelt = self._debugger.state.look.alphabet.spell(text)
        self._debugger.notify(spelt, severity=severity, timeout=SECONDS, markup=False)
        self._are_there = True
