"""The screen as an SVG picture, for a README or a course page."""

from __future__ import annotations

import html
import io
import os
import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.tui.themes import palette_of
from rnnstep.views.rows import character_width, width

if TYPE_CHECKING:
    from textual.app import App

SIXTEEN_COLOURS = TerminalTheme(
    (0, 0, 0),
    (170, 170, 170),
    [
        (0, 0, 0),
        (170, 0, 0),
        (0, 170, 0),
        (170, 85, 0),
        (0, 0, 170),
        (170, 0, 170),
        (0, 170, 170),
        (170, 170, 170),
    ],
    [
        (85, 85, 85),
        (255, 85, 85),
        (85, 255, 85),
        (255, 255, 85),
        (85, 85, 255),
        (255, 85, 255),
        (85, 255, 255),
        (255, 255, 255),
    ],
)
"""The sixteen colours of the text mode of IBM's VGA, on which all that is written reads well."""

_TEXT = re.compile(r'<text ([^>]*)x="([\d.]+)"([^>]*)textLength="([\d.]+)"([^>]*)>([^<]*)</text>')


def picture(svg: str) -> str:
    """Mend a screenshot: its `textLength` counts characters, where a Chinese one takes two cells.

    Runs of Chinese and of Latin become texts of their own, each at the cell where it begins, so that
    columns stand under each other whatever the fonts are.
    """
    return _TEXT.sub(_mended, svg)


def _mended(match: re.Match[str]) -> str:
    first, x, middle, length, last, content = match.groups()
    text = html.unescape(content)
    if text.isascii() or len(text) == width(text):
        return match[0]
    cell = float(length) / len(text)
    place = float(x)
    runs = []
    for _, characters in groupby(text, character_width):
        run = "".join(characters)
        size = width(run) * cell
        written = html.escape(run).replace("\u00a0", "&#160;")
        runs.append(f'<text {first}x="{place:g}"{middle}textLength="{size:g}"{last}>{written}</text>')
        place += size
    return "".join(runs)


def screenshot(app: App[Any]) -> str:
    """Give the screen as SVG. The colours of a terminal's own theme are those of a fixed palette, whatever it has."""
    console = Console(
        width=app.size.width,
        height=app.size.height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
        safe_box=False,
    )
    layers = app._background_screens  # noqa: SLF001 - as Textual's own export_screenshot does, which takes no theme
    console.print(app.screen._compositor.render_update(full=True, screen_stack=layers))  # noqa: SLF001 - for the same reason
    has_sixteen = palette_of(app.theme).has_sixteen_colours
    return picture(
        console.export_svg(title=app.title, theme=SIXTEEN_COLOURS if has_sixteen else SVG_EXPORT_THEME)
    )


def save_picture(app: App[Any]) -> Text:
    """Write what is on the screen into the working directory, under a free name; say where, or why not."""
    from rnnstep.scenario.file.atomic_write import whole_file

    number = 1
    while os.path.lexists(path := Path(f"rnnstep-{number}.svg")):
        number += 1
    try:
        with whole_file(path) as file:
            file.write(screenshot(app).encode())
    except UsageError as error:
        return error.message
    return Text("saved as {path}", path=str(path))
