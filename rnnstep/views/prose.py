"""Running text and loose tables for pages that scroll: any width, any number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rnnstep.language import Text
from rnnstep.views.compose import RowBlock, wrap
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, width

_STEP_IN = 2


def said(text: Text, look: Look, cells: int, style: str = "") -> RowBlock:
    """Break a text into rows of at most `cells`."""
    return [(Span(line, style),) for line in wrap(look.say(text), cells) if line]


def columns(lines: Iterable[Row], cells: int) -> RowBlock:
    """Set the spans of each line in columns; one that does not fit beside goes below, a step in."""
    lines = list(lines)
    most = max(map(len, lines), default=0)
    widths = [
        max((width(line[column].text) for line in lines if column < len(line)), default=0)
        for column in range(most)
    ]
    return [row for line in lines for row in _set(line, widths, cells)]


def _set(line: Row, widths: Sequence[int], cells: int) -> Iterator[Row]:
    row: list[Span] = []
    start = used = 0  # where the next column begins, and what is used so far
    for span, size in zip(line, widths, strict=False):
        if not span.text:
            continue
        if row and start + width(span.text) > cells:
            yield tuple(row)
            row, used, start = [], 0, _STEP_IN
        *pieces, last = wrap(span.text, max(2, cells - start))
        for piece in pieces:
            yield (*row, Span(" " * (start - used)), span._replace(text=piece))
            row, used, start = [], 0, _STEP_IN
        row += [Span(" " * (start - used)), span._replace(text=last)]
        used = start + width(last)
        start = max(used, start + size) + 2
    yield tuple(row)
