"""How the debugger is to open: what the command line hands on. Imports nothing of the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rnnstep.settings import Settings


class Options(NamedTuple):
    """The options of `rnnstep SCENARIO…`.

    Attributes:
        language: "en" or "zh"; None: as the scenario says, else the settings, else the environment.
        at: Where to open, as `3/L0/hh[1]`; None: at start.
        beside: What stands beside the first scenario, as `--beside` takes it; None: nothing.
        theme: "dark", "light", "high-contrast" or "16"; None: as the settings say, else dark.
        decimals: How many are shown; None: as the scenario says, else the settings.
        dtype: "float32" or "float64"; None: as the scenario says.
        is_ascii: Draw with plain ASCII signs.
        has_mouse: Listen to the mouse.
        is_remote: A presenter's remote is in use: `b` and `.` blank the screen.
        memory_limit: What a scenario may need, in bytes; None: the standard limit.
        allow_outside: Whether files outside the scenario's own folder may be read.
        settings: What the user's file of settings says.
        stop: The stop at which to open, from 1; None: a lesson's first, and a scenario's start.
    """

    language: str | None = None
    at: str | None = None
    beside: str | None = None
    theme: str | None = None
    decimals: int | None = None
    dtype: str | None = None
    is_ascii: bool = False
    has_mouse: bool = True
    is_remote: bool = False
    memory_limit: int | None = None
    allow_outside: bool = False
    settings: Settings = Settings()
    stop: int | None = None

    def words(self) -> Iterator[str]:
        """Give the words of the command line that say the same, but for the place and what stands beside; the settings go without saying."""
        for option, value in (
            ("--language", self.language),
            ("--theme", self.theme),
            ("--decimals", self.decimals),
            ("--dtype", self.dtype),
        ):
            if value is not None:
                yield from (option, str(value))
        yield from ["--ascii"] if self.is_ascii else []
        yield from [] if self.has_mouse else ["--no-mouse"]
        yield from ["--remote"] if self.is_remote else []
        if self.memory_limit is not None:
            yield from ("--memory-limit", str(self.memory_limit))
        yield from ["--allow-outside"] if self.allow_outside else []
