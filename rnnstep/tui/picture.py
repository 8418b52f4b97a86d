"""The screen as an SVG picture, for a README or a course page."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.views.rows import width

if TYPE_CHECKING:
    from rnnstep.tui.app import DebuggerApp

_TEXT = re.compile(r'(<text [^>]*textLength=")([\d.]+)("[^>]*>)([^<]*)(</text>)')


def picture(svg: str) -> str:
    """Mend a screenshot: `textLength` counts characters, where a Chinese one takes two cells."""

    def mended(match: re.Match[str]) -> str:
        before, length, between, content, after = match.groups()
        text = html.unescape(content)
        if not text or text.isascii():
            return match[0]
        cells = float(length) / len(text) * width(text)
        return f"{before}{cells:g}{between}{content}{after}"

    return _TEXT.sub(mended, svg)


def save_picture(app: DebuggerApp) -> None:
    """Write what is on the screen into the working directory, under a free name."""
    number = 1
    while (path := Path(f"rnnstep-{number}.svg")).exists():
        number += 1
    try:
        path.write_text(picture(app.export_screenshot()), encoding="utf-8")
    except OSError as error:
        app.debugger.say(
            Text("cannot write {path}: {reason}", path=str(path), reason=error.strerror or str(error))
        )
    else:
        app.debugger.say(Text("saved as {path}", path=str(path)))
