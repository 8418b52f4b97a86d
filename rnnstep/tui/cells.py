"""What stands on the terminal, cell by cell, and the shortest text that turns it into what shall stand there.

Textual writes each row that changed from its start, and each run of one style with the whole of its style and a
reset behind it: forty bytes for a digit. `Cells` reads what Textual writes, keeps what stands on the terminal, and
gives the cells alone that differ, with what their styles have other than the one before. The way in is text, so
that all that Textual paints comes by: pages, prompts and messages too.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from itertools import compress
from operator import is_not, ne, or_
from typing import NamedTuple

from rich.cells import get_character_cell_size

from rnnstep.views.rows import is_plainly_narrow

_MOVE = re.compile(r"\x1b\[(\d+);(\d+)H")
_TEXT = r"[^\x00-\x1f\x7f-\x9f]*"
_RUN = re.compile(rf"{_TEXT}(?:\x1b\[[0-9;]+m{_TEXT}\x1b\[0m{_TEXT})*")
"""All that stands between the moves of a repaint: text, and text in a style that ends with it."""

_PIECE = re.compile(rf"(?:^|\x1b\[([0-9;]+)m)({_TEXT})")

# What moves nothing and paints nothing: modes (but for the alternate screen), questions, OSC strings, the bell.
_ELSEWHERE = re.compile(
    r"(?:\x1b\[\?(?!1049|1047|47[hl])[0-9;]*(?:[hl]|\$p)|\x1b\[[<>][0-9;]*u|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x07)*"
)

_GAP = 4
"""So many cells of one style that stand already are written again rather than stepped over: a step takes as many."""


class _Unreadable(Exception):
    """What was written is no repaint, or none that can be told cell by cell."""


class _Run(NamedTuple):
    """Neighbouring cells as they shall stand, of one row; nobody changes them."""

    characters: list[str | None]
    styles: list[str]


@lru_cache(maxsize=1024)
def _run_of(written: str) -> _Run:
    """Read what was written after a move; equal styles are the same object.

    Raises:
        _Unreadable: it is no text in styles, or begins with a mark that has no cell of its own.
    """
    if _RUN.fullmatch(written) is None:
        raise _Unreadable
    characters: list[str | None] = []
    styles: list[str] = []
    for parameters, text in _PIECE.findall(written):
        if text:
            style = "" if parameters == "0" else sys.intern(parameters)
            found = list(text) if is_plainly_narrow(text) else _split(text, characters)
            characters += found
            styles += [style] * len(found)
    return _Run(characters, styles)


def read_ahead(written: str) -> None:
    """Read the text of a row that may be written next, so that it need not be read then."""
    with contextlib.suppress(_Unreadable):
        _run_of(written)


class _Row(NamedTuple):
    """A row's characters and styles; None for what is not known, "" for the second half of a wide character."""

    characters: list[str | None]
    styles: list[str]


class Cells:
    """The cells of a terminal, as far as they are known: none at first."""

    def __init__(self) -> None:
        self._rows: dict[int, _Row] = {}

    def forget(self) -> None:
        """Know nothing of what stands there: it has another size, or somebody else wrote to it."""
        self._rows.clear()

    def changes(self, written: str) -> str:
        """Give what has the same effect as `written` on the terminal as it stands; it stands so from now on."""
        if _ELSEWHERE.fullmatch(written) is not None:
            return written
        try:
            painted = list(_painted(written))
        except _Unreadable:
            self.forget()
            return written
        out = _Out()
        for y, x, run in painted:
            if run.characters:
                self._put(y, x, run, out)
            out.at = (y, x + len(run.characters))
        return out.finished()

    def _put(self, y: int, x: int, run: _Run, out: _Out) -> None:
        """Put cells on a row, and write those that differ."""
        characters, styles = run
        row = self._rows.get(y)
        if row is None:
            row = self._rows[y] = _Row([], [])
        end = x + len(characters)
        if (missing := end - len(row.characters)) > 0:
            row.characters.extend([None] * missing)
            row.styles.extend([""] * missing)
        old, old_styles = row.characters[x:end], row.styles[x:end]
        if old == characters and old_styles == styles:
            return
        differs = map(or_, map(ne, old, characters), map(is_not, old_styles, styles))
        changed = list(compress(range(len(characters)), differs))
        # A wide character of which one half is written over is gone as a whole.
        if x and row.characters[x] == "":
            row.characters[x - 1] = None
        if end < len(row.characters) and row.characters[end] == "":
            row.characters[end] = None
        row.characters[x:end], row.styles[x:end] = characters, styles
        for start, stop in _spans(changed, styles):
            out.go(y, x + start)
            out.write(characters[start:stop], styles[start:stop])


def _painted(written: str) -> Iterator[tuple[int, int, _Run]]:
    """Give the runs of a repaint, each with the row and column that it begins at.

    Raises:
        _Unreadable: something else was written.
    """
    before, *parts = _MOVE.split(written)
    if before:
        raise _Unreadable
    for row, column, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield int(row) - 1, int(column) - 1, _run_of(text.removesuffix("\n"))


class _Out:
    """The text of a repaint while it is made: where the cursor is and in which style it writes."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._row = -1
        self._style = ""
        self.at = (0, 0)  # where the cursor is to be left

    def go(self, y: int, x: int) -> None:
        """Move to a cell; within a row by its column alone."""
        self._parts.append(f"\x1b[{x + 1}G" if y == self._row else f"\x1b[{y + 1};{x + 1}H")
        self._row = y

    def write(self, characters: list[str | None], styles: list[str]) -> None:
        """Write cells, a style where it is another one."""
        start, count = 0, len(characters)
        while start < count:
            style = styles[start]
            stop = start + 1
            while stop < count and styles[stop] is style:
                stop += 1
            if style is not self._style:
                self._parts.append(_step(self._style, style))
                self._style = style
            self._parts.append("".join(filter(None, characters[start:stop])))
            start = stop

    def finished(self) -> str:
        """Give the text, with the cursor where it is to be and no style left on."""
        y, x = self.at
        return "".join([*self._parts, _step(self._style, ""), f"\x1b[{y + 1};{x + 1}H"])


def _split(text: str, before: list[str | None]) -> list[str | None]:
    """Give text cell by cell; a mark without a cell of its own goes to the cell before."""
    found: list[str | None] = []
    for character in text:
        size = get_character_cell_size(character)
        if size == 0:
            cells = found or before
            last = next((k for k in range(len(cells) - 1, -1, -1) if cells[k]), None)
            if last is None:
                raise _Unreadable
            cells[last] = f"{cells[last]}{character}"
            continue
        found.append(character)
        if size == 2:
            found.append("")
    return found


def _spans(changed: list[int], styles: list[str]) -> Iterator[tuple[int, int]]:
    """Give the runs of cells to write, small gaps of one style closed."""
    if not changed:
        return
    start = last = changed[0]
    for k in changed[1:]:
        gap = k - last - 1
        if gap and (gap > _GAP or any(style is not styles[last] for style in styles[last : k + 1])):
            yield start, last + 1
            start = k
        last = k
    yield start, last + 1


# ── styles ───────────────────────────────────────────────────────────────────────────

_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28", "9": "29"}
"""What ends an attribute; bold and dim end together."""


class _Style(NamedTuple):
    attributes: frozenset[str]
    ink: str
    ground: str


@lru_cache(maxsize=16384)
def _step(old: str, new: str) -> str:
    """Give the shortest way from one style to another; styles are the parameters of Textual's SGR."""
    if old is new or old == new:
        return ""
    whole = f"0;{new}" if old and new else new
    ways = [f"\x1b[{whole}m"]
    before, after = _read(old), _read(new)
    if before is not None and after is not None and new:
        ended = {_OFF[one] for one in before.attributes - after.attributes}
        kept = {one for one in after.attributes if _OFF[one] in ended or one not in before.attributes}
        codes = [*sorted(ended), *sorted(kept)]
        if after.ink != before.ink:
            codes.append(after.ink or "39")
        if after.ground != before.ground:
            codes.append(after.ground or "49")
        ways.append(f"\x1b[{';'.join(codes)}m" if codes else "")
    return min(ways, key=len)


@lru_cache(maxsize=4096)
def _read(style: str) -> _Style | None:
    """Read a style's attributes and colours; None where it has something else."""
    attributes: set[str] = set()
    ink = ground = ""
    codes = iter(style.split(";") if style else ())
    for code in codes:
        if code in _OFF:
            attributes.add(code)
            continue
        if code in ("38", "48"):
            kind = next(codes, "")
            rest = [next(codes, "") for _ in range({"5": 1, "2": 3}.get(kind, 0))]
            colour = ";".join([code, kind, *rest])
        else:
            colour = code
        if re.fullmatch(r"3[0-79]|9[0-7]|38;.+", colour):
            ink = "" if colour == "39" else colour
        elif re.fullmatch(r"4[0-79]|10[0-7]|48;.+", colour):
            ground = "" if colour == "49" else colour
        else:
            return None
    return _Style(frozenset(attributes), ink, ground)
