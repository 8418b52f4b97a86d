"""`z`, the blackboard: the formula, the worked line and the picture with as much air as there is room for.

The header above it keeps the place, the step and torch's verdict. What the back row cannot read from afar (the
timeline, links, listings) makes room: rows of matrices are spaced first, then lines of text.
"""

from __future__ import annotations

import re

from rnnstep.views.compose import RowBlock, block_width
from rnnstep.views.now import now
from rnnstep.views.picture import picture
from rnnstep.views.rows import Row, Span, row_width
from rnnstep.views.scene import Scene
from rnnstep.views.worked import expansion

_MOST_TEXT = 6
_AIR = (2, 1)
_HIGH = 40
"""The rows of the picture from which on there is air for two."""
_NUMBER = re.compile(r"\d[.e]\d")
_MARGIN = 2


def blackboard(scene: Scene, width: int, room: int) -> RowBlock:
    """Draw the cursor's place in exactly `width` by at most `room`."""
    cells = width - 2 * _MARGIN
    text = [row for row in now(scene, expansion(scene), cells, _text_room(scene, room)) if row_width(row)]
    tall = room - len(text) - 1
    drawn, is_spaced = _drawn(scene, cells, tall, len(text))
    if is_spaced:
        text = _spaced(text)
    rows = room - len(text) - len(drawn)
    above_it = max(min(1, rows), rows // 3)
    inset = (cells - block_width(drawn)) // 2
    lines = [*text, *([()] * above_it), *(_moved(row, max(0, inset)) for row in drawn)]
    first = 1 if len(lines) < room else 0  # the text does not hang on the header
    return [*([()] * first), *(_moved(row, _MARGIN) for row in lines)]


def _text_room(scene: Scene, room: int) -> int:
    """The rows for words and numbers."""
    return max(3, room // 2) if scene.level == "start" else min(_MOST_TEXT, max(3, room // 3))


def _drawn(scene: Scene, cells: int, tall: int, lines: int) -> tuple[RowBlock, bool]:
    """The picture with the most air that leaves it whole, and whether the text above it can be spaced, too."""
    plain = picture(scene, cells, tall)
    for air in _AIR if tall >= _HIGH else _AIR[1:]:
        drawn = picture(scene, cells, tall, air)
        is_whole = len(drawn) <= tall and block_width(drawn) <= cells and _numbers(drawn) >= _numbers(plain)
        if is_whole and len(drawn) > len(plain) // 2:
            return drawn, len(drawn) + lines <= tall
    return plain, len(plain) + lines <= tall


def _numbers(rows: RowBlock) -> int:
    """How many numbers are written: none is to be cut off to make room for air."""
    return sum(len(_NUMBER.findall("".join(span.text for span in row))) for row in rows)


def _spaced(rows: RowBlock) -> RowBlock:
    """Lines with a blank one between, those that belong to one sentence or sum kept together."""
    found: RowBlock = []
    for number, row in enumerate(rows):
        if number and not _goes_on(row):
            found.append(())
        found.append(row)
    return found


def _goes_on(row: Row) -> bool:
    """Whether a line is the rest of the one before it."""
    return bool(row) and row[0].text.startswith("    ")


def _moved(row: Row, cells: int) -> Row:
    return (Span(" " * cells), *row) if cells and row else row
