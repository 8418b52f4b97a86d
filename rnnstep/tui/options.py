"""How the debugger was asked to open: what the command line hands on. Imports nothing of the screen."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.language import environment_language


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `rnnstep SCENARIO…`.

    Attributes:
        language: "en" or "zh"; None: as the scenario says, else the environment.
        theme: "dark", "light", "high-contrast" or "16".
        decimals: How many are shown, 0 to 12; None: as the scenario says.
        dtype: "float32" or "float64"; None: as the scenario says.
        memory_limit: What a scenario may need, in bytes.
        allow_outside: Whether files outside the scenario's own folder may be read.
        is_ascii: Draw with plain ASCII signs.
        has_mouse: Listen to the mouse.
        is_remote: A presenter's remote is in use: `b` and `.` blank the screen.
        place: Where to open, as `3/L0/hh[1]`; None: at start.
    """

    language: str | None = None
    theme: str = "dark"
    decimals: int | None = None
    dtype: str | None = None
    memory_limit: int = 4 << 30
    allow_outside: bool = False
    is_ascii: bool = False
    has_mouse: bool = True
    is_remote: bool = False
    place: str | None = None

    @property
    def first_language(self) -> str:
        """What is spoken before a scenario could say otherwise."""
        return self.language or environment_language()
