"""The screen as an SVG picture, for a README or a course page."""

from __future__ import annotations

import html
import os
import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.views.rows import character_width, width

if TYPE_CHECKING:
    from rnnstep.tui.app import DebuggerApp

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


def save_picture(app: DebuggerApp) -> None:
    """Write what is on the screen into the working directory, under a free name."""
    from rnnstep.scenario.whole_file import whole_file

    number = 1
    while os.path.lexists(path := Path(f"rnnstep-{number}.svg")):
        number += 1
    try:
        with whole_file(path) as file:
            file.write(picture(app.export_screenshot()).encode())
    except UsageError as error:
        app.debugger.say(error.message)
    else:
        app.debugger.say(Text("saved as {path}", path=str(path)))
