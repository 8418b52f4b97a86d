"""What the command line says about how the debugger opens."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.scenario.document import Limits


@dataclass(frozen=True, slots=True)
class OpenOptions:
    """The options of `rnnstep SCENARIO…`, for `rnnstep.tui.start.open_debugger`."""

    limits: Limits
    language: str | None = None  # None: as the scenario, else the environment says
    at: str | None = None  # "3/L0/hh[1]"
    theme: str | None = None  # one of `THEMES`; None: as the configuration says
    decimals: int | None = None  # None: as the scenario says
    dtype: str | None = None  # None: as the scenario says
    is_ascii: bool = False
    has_mouse: bool = True
    is_remote: bool = False  # a presenter's remote: `b` and `.` blank the screen
