"""How the sections of a page that scrolls are set: a title, running text and tables, one step in."""

from __future__ import annotations

from collections.abc import Iterable

from rnnstep.language import Text
from rnnstep.views.compose import RowBlock, wrap
from rnnstep.views.look import Look
from rnnstep.views.prose import columns, said
from rnnstep.views.rows import Row, Span

INDENT = 2


class Page:
    """The setting of a page's sections."""

    def __init__(self, look: Look, cells: int) -> None:
        self._look = look
        self._cells = cells - INDENT - 1

    def _head(self, title: Text) -> RowBlock:
        return [(Span(" "), *row) for row in said(title, self._look, self._cells, "title")]

    def _said(self, text: Text, style: str = "") -> RowBlock:
        return [indented(*row) for row in said(text, self._look, self._cells, style)]

    def _table(self, lines: Iterable[Row]) -> RowBlock:
        return [indented(*row) for row in columns(lines, self._cells)]

    def _written(self, text: str, style: str, *, step_in: int = 0) -> RowBlock:
        """A formula or a line of code, broken where it is longer than the page is wide."""
        lines = wrap(self._spelt(text), self._cells - step_in)
        return [indented(Span(" " * step_in + line, style)) for line in lines]

    def _spelt(self, text: str) -> str:
        return self._look.alphabet.spell(text)


def indented(*spans: Span) -> Row:
    """A row one step in."""
    return (Span(" " * INDENT), *spans)
