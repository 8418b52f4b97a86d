"""Blocks of rows: cut, padded, framed and put beside or above each other.

A block is a list of rows. What these functions give always has the width asked
for, in terminal cells: a Chinese character takes two and is never cut in half,
a combining mark takes none and stays with its letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Literal

from rnnstep.views.alphabet import UNICODE, Alphabet
from rnnstep.views.rows import Row, Span, character_width, row_width, width

RowBlock = list[Row]
Align = Literal["top", "middle", "bottom"]


def text_row(text: str, style: str = "", target: str = "") -> Row:
    """Give a row of one span."""
    return (Span(text, style, target),)


def cut(text: str, cells: int) -> str:
    """Give the longest beginning of `text` that takes at most `cells` cells, with its combining marks."""
    if width(text) <= cells:
        return text
    if text.isascii():
        return text[: max(0, cells)]
    taken = 0
    for index, character in enumerate(text):
        taken += character_width(character)
        if taken > cells:
            return text[:index]
    return text


def clip(row: Row, cells: int, alphabet: Alphabet = UNICODE) -> Row:
    """Cut a row that is wider than `cells`, with `…` at its end; one that fits is given as it is.

    Where nothing but blanks is cut off, there is no `…`. The result is one cell short of `cells`
    where a Chinese character would have been cut in half.
    """
    if row_width(row) <= cells:
        return row
    text = "".join([span.text for span in row])
    sign = cut(alphabet.ellipsis, max(0, cells)) if width(text.rstrip(" ")) > cells else ""
    room = cells - len(sign)
    kept: list[Span] = []
    for span in row:
        size = width(span.text)
        if size > room:
            kept.append(Span(cut(span.text, room) + sign, span.style, span.target))
            break
        room -= size
        kept.append(span)
    return tuple(kept)


def fit(row: Row, cells: int, alphabet: Alphabet = UNICODE) -> Row:
    """Give the row cut or padded with blanks to exactly `cells` cells."""
    missing = cells - row_width(row)
    if missing == 0:
        return row
    if missing < 0:
        row = clip(row, cells, alphabet)
        missing = cells - row_width(row)
    return (*row, blank(missing)) if missing else row


@lru_cache(maxsize=1024)
def blank(cells: int, style: str = "") -> Span:
    """Give a span of blanks."""
    return Span(" " * cells, style)


def block_width(rows: Iterable[Row]) -> int:
    """Count the cells of the widest row; 0 for none."""
    return max(map(row_width, rows), default=0)


def pad(rows: Sequence[Row], cells: int, height: int | None = None, alphabet: Alphabet = UNICODE) -> RowBlock:
    """Give the rows at exactly `cells` cells each, and exactly `height` of them if given."""
    kept = rows if height is None else rows[: max(0, height)]
    block = [fit(row, cells, alphabet) for row in kept]
    if height is not None and len(block) < height:
        block.extend([(blank(cells),)] * (height - len(block)))
    return block


def _squared(rows: Sequence[Row]) -> RowBlock:
    """Pad all rows to the widest."""
    widths = list(map(row_width, rows))
    widest = max(widths, default=0)
    return [
        row if size == widest else (*row, blank(widest - size))
        for row, size in zip(rows, widths, strict=True)
    ]


def place(rows: Sequence[Row], height: int, align: Align) -> RowBlock:
    """Put rows of one width into `height` rows: at the top, in the middle or at the bottom."""
    spare = height - len(rows)
    if spare <= 0:
        return list(rows)
    above_it = {"top": 0, "middle": spare // 2, "bottom": spare}[align]
    empty: Row = (blank(block_width(rows)),)
    return [empty] * above_it + list(rows) + [empty] * (spare - above_it)


def beside(blocks: Iterable[Sequence[Row]], gap: int = 1, align: Align = "top") -> RowBlock:
    """Put blocks next to each other, `gap` blanks between; the height is that of the highest."""
    padded = [_squared(rows) for rows in blocks]
    height = max(map(len, padded), default=0)
    columns = [place(rows, height, align) for rows in padded]
    if not gap:
        return [tuple([span for part in parts for span in part]) for parts in zip(*columns, strict=True)]
    between = blank(gap)
    joined: RowBlock = []
    for parts in zip(*columns, strict=True):
        spans: list[Span] = []
        for part in parts:
            spans += part
            spans.append(between)
        spans.pop()
        joined.append(tuple(spans))
    return joined


def above(blocks: Iterable[Sequence[Row]], gap: int = 0) -> RowBlock:
    """Put blocks under each other, `gap` empty rows between; the width is that of the widest."""
    stacked: list[Row] = []
    for rows in blocks:
        if stacked and rows:
            stacked += [()] * gap
        stacked += rows
    return _squared(stacked)


def box(
    rows: Sequence[Row],
    title: str,
    cells: int,
    height: int,
    style: str = "border",
    right_title: str = "",
    *,
    title_style: str = "title",
    alphabet: Alphabet = UNICODE,
) -> RowBlock:
    """Frame the rows: `cells` by `height` with the frame, a blank at both sides, the title in its top.

    Rows that find no place are counted in the frame's foot (`↓ 3`), never dropped without a word.
    `cells` is at least 4 and `height` at least 2.
    """
    left_top, line, right_top, side, left_foot, right_foot = tuple(alphabet.rounded)
    inner = cells - 4
    unseen = len(rows) - (height - 2)
    foot = f"{alphabet.down} {unseen}" if unseen > 0 else ""
    before, after = Span(side + " ", style), Span(" " + side, style)
    return [
        _edge(left_top, line, right_top, cells, (title, title_style), right_title, style, alphabet),
        *((before, *row, after) for row in pad(rows, inner, height - 2, alphabet)),
        _edge(left_foot, line, right_foot, cells, ("", ""), foot, style, alphabet),
    ]


def _edge(
    start: str,
    line: str,
    end: str,
    cells: int,
    title: tuple[str, str],
    right: str,
    style: str,
    alphabet: Alphabet,
) -> Row:
    """Give the upper or lower edge of a frame: `╭ title ──── right ─╮`."""
    room = cells - 2
    head = clip((Span(f" {title[0]} ", title[1]),), room, alphabet) if title[0] else ()
    room -= row_width(head)
    tail: Row = (Span(f" {right} ", "dim"), Span(line, style)) if right else ()
    if row_width(tail) > room:
        tail = ()
    room -= row_width(tail)
    return (Span(start, style), *head, Span(line * room, style), *tail, Span(end, style))


def bracket(rows: Sequence[Row], alphabet: Alphabet = UNICODE, style: str = "bracket") -> RowBlock:
    """Put the brackets of a matrix around rows: `┌ ┐`, `│ │`, `└ ┘`; `[ ]` around a single row."""
    last = len(rows) - 1
    left_top, right_top, side, left_foot, right_foot = tuple(alphabet.bracket)
    signs = [(side, side)] * len(rows)
    if last >= 0:
        signs[0], signs[last] = (left_top, right_top), (left_foot, right_foot)
    if last == 0:
        signs[0] = ("[", "]")
    padded = _squared(rows)
    return [
        (Span(left, style), *row, Span(right, style))
        for (left, right), row in zip(signs, padded, strict=True)
    ]


def flow(spans: Iterable[Span], cells: int, indent: int = 0) -> RowBlock:
    """Run spans on over as many rows as they need, none wider than `cells`; broken only between spans.

    Rows after the first begin with `indent` blanks. A span that is wider than a row is cut into pieces.
    """
    rows: list[Row] = []
    line: list[Span] = []
    room = cells
    for span in spans:
        for text in _pieces(span.text, cells - indent):
            if width(text) > room and line:
                rows.append(tuple(line))
                line = [blank(indent)] if indent else []
                room = cells - indent
                # A blank that parted two spans parts nothing at the start of a row.
                shown = text.lstrip(" ")
            else:
                shown = text
            line.append(span._replace(text=shown))
            room -= width(shown)
    return [*rows, tuple(line)] if line else rows


def _pieces(text: str, cells: int) -> Iterator[str]:
    """Cut a text that is wider than `cells` into pieces that are not."""
    while width(text) > cells:
        head = cut(text, cells) or text[:1]
        yield head
        text = text[len(head) :]
    yield text


# What may not begin a line and what may not end one (the rules of Chinese setting).
_CLOSING = "，。、；：？！）》」』】〉”’…—·,.;:?!)]}%"
_OPENING = "（《「『【〈“‘([{"
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0003fffd"


# Compiling it takes as long as several modules, and the first frame has nothing to break.
@cache
def _atom() -> re.Pattern[str]:
    """What is kept together: a Chinese character or a word, with the punctuation that belongs to it."""
    opening, closing = re.escape(_OPENING), re.escape(_CLOSING)
    return re.compile(rf"[{opening}]*(?:[{_WIDE}]|[^\s{_WIDE}{opening}]+)[{closing}]*|\s+|.")


def wrap(text: str, cells: int) -> list[str]:
    """Break running text into lines of at most `cells` cells (at least 2).

    Latin breaks between words, Chinese between characters, but never before `，。）` nor after
    `（《`; line ends of the text are kept; a word longer than a line is cut.
    """
    return [line for paragraph in text.split("\n") for line in _wrap_paragraph(paragraph, max(2, cells))]


def _wrap_paragraph(text: str, cells: int) -> list[str]:
    if width(text) <= cells:
        return [text.rstrip()]
    lines: list[str] = []
    line = ""
    for atom in _atom().findall(text):
        if width(line) + width(atom.rstrip()) <= cells:
            line += atom
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = atom.lstrip()
        while width(line) > cells:
            head = cut(line, cells)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line.rstrip()] if line.strip() or not lines else lines
