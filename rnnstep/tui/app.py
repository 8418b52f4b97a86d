"""The Textual application: themes, keys, and the one screen that everything happens on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import App
from textual.binding import BindingType

from rnnstep.tui.debugger import Debugger
from rnnstep.tui.options import Options
from rnnstep.tui.sources import Source
from rnnstep.tui.themes import PALETTES, textual_theme, theme_name


class DebuggerApp(App[int]):
    """Holds the debugger's screen; what it leaves behind is read after it has run.

    Attributes:
        problem: Why it could not open, for standard error; None when all went well.
        debugger: The screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = []
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, sources: Sequence[Source], options: Options) -> None:
        super().__init__()
        self.problem: str | None = None
        for palette in PALETTES.values():
            self.register_theme(textual_theme(palette))
        self.theme = theme_name(options.theme)
        self.debugger = Debugger(sources, options)

    def get_default_screen(self) -> Debugger:
        """Open on the debugger."""
        return self.debugger

    def fail(self, problem: str) -> None:
        """Leave, with a message for standard error."""
        self.problem = problem
        self.exit(2)
