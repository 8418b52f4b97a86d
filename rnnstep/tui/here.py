"""The debugger from a program that is running: opened on scenarios in memory, or its screen as a picture."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rnnstep.settings import read_settings
from rnnstep.tui.options import Options
from rnnstep.tui.signals import SIGNALLED
from rnnstep.tui.sources import LiveSource

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario
    from rnnstep.views.rows import Row

MOST_CHECKED = 1 << 20
"""Numbers of an output up to which torch's are computed for a picture: it is wanted at once."""


class StillPicture:
    """A picture of a screen: SVG, which a notebook shows.

    Attributes:
        svg: The picture.
        text: The same as text.
    """

    def __init__(self, svg: str, text: str) -> None:
        self.svg = svg
        self.text = text

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def open_here(scenarios: Sequence[tuple[str, Callable[[], Scenario]]], at: str | None) -> None:
    """Open the debugger on scenarios, in this terminal: their names, and what gives each when it is looked at.

    A signal that ends it is handed on to the program, which it was meant for: to its own handler, or it ends the program.
    """
    from rnnstep.tui.start import open_debugger

    status = open_debugger([LiveSource(*one) for one in scenarios], Options(at=at, settings=read_settings()))
    if status > SIGNALLED:
        signal.raise_signal(status - SIGNALLED)


def still(scenario: Scenario, at: str | None, width: int, height: int) -> StillPicture:
    """Give the screen at a place as a picture; without one at the beginning.

    Args:
        scenario: What is run.
        at: A place, such as "3/L0/hh[1]".
        width: In characters.
        height: In lines.

    Raises:
        UsageError: There is no such place.
    """
    from rnnstep.language import environment_language
    from rnnstep.reference import check
    from rnnstep.session.run import SessionRun
    from rnnstep.session.session import Session
    from rnnstep.views.look import Look
    from rnnstep.views.rows import plain
    from rnnstep.views.screen import screen

    settings = read_settings()
    run = SessionRun.of(scenario)
    output = run.epoch.trace.output
    is_checked = output is not None and output.size <= MOST_CHECKED
    if is_checked:
        run = run.with_checked(check(run.epoch.trace))
    session = Session.open(run)
    if at is not None:
        session = session.at(at)
    language = settings.language or scenario.display.language or environment_language()
    look = Look(
        language=language,
        decimals=scenario.display.decimals,
        torch="ready" if is_checked else "none",
    )
    rows = screen(session, look, width, height)
    return StillPicture(_svg(rows, width, scenario.name, settings.theme or ""), plain(rows))


def _svg(rows: Sequence[Row], width: int, title: str, theme: str) -> str:
    """Draw rows in the colours of a theme."""
    from rich.console import Console
    from rich.text import Text as Styled

    from rnnstep.tui.palettes import DARK, PALETTES
    from rnnstep.tui.picture import picture
    from rnnstep.tui.themes import heat_style, role_styles

    palette = PALETTES.get(theme, DARK)
    styles = role_styles(palette)
    console = Console(
        width=width,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
        safe_box=False,
    )
    ground = f"{palette.ink} on {palette.background}"
    for row in rows:
        line = Styled(style=ground, no_wrap=True, end="")
        for span in row:
            each = [
                heat_style(palette, role) if role.startswith("heat:") else styles[role]
                for role in span.style.split()
            ]
            line.append(span.text)
            for one in each:
                line.stylize(one, len(line) - len(span.text))
        console.print(line)
    return picture(console.export_svg(title=title))
