"""The card that greets a newcomer once: five lines over the first screen, and any key closes it."""

from __future__ import annotations

from rnnstep.language import Text
from rnnstep.views.compose import RowBlock, box
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, character_width, row_width

_LINES: tuple[tuple[str, Text], ...] = (
    ("→  ←", Text("compute the next step or number; take it back")),
    ("↓  ↑", Text("into it, down to each product; out again")),
    ("p", Text("predict: hides what comes next: guess first")),
    ("?", Text("help: it begins with what is under the cursor")),
    ("q", Text("quit; nothing here can break anything")),
)
_TITLE = Text("first time here? any key closes this, and works")


def with_card(rows: RowBlock, look: Look, cells: int, height: int) -> list[Row]:
    """Lay the card over the rows at the foot, above the keys."""
    lines = [
        (Span(f" {look.alphabet.spell(keys):5}", "key"), Span(f" {look.say(text)}")) for keys, text in _LINES
    ]
    title = look.say(_TITLE)
    wide = min(cells, max(row_width((Span(title),)), *(row_width(line) for line in lines)) + 6)
    card = box(lines, title, wide, len(lines) + 2, "focus", alphabet=look.alphabet)
    left = (cells - wide) // 2
    first = max(1, height - 1 - len(card))
    laid = [
        (*_part(row, 0, left), *above, *_part(row, left + wide, cells))
        for row, above in zip(rows[first : height - 1], card, strict=False)
    ]
    return [*rows[:first], *laid, *rows[first + len(laid) :]]


def _part(row: Row, first: int, stop: int) -> Row:
    """The cells of a row from `first` to `stop`; half of a wide character is a blank, and so is what the row has not."""
    spans: list[Span] = []
    at = 0
    for span in row:
        kept = ""
        for character in span.text:
            here, at = at, at + character_width(character)
            seen = min(at, stop) - max(here, first)
            if seen > 0:
                kept += character if seen == at - here else " " * seen
        if kept:
            spans.append(span._replace(text=kept))
    missing = stop - max(at, first)
    return (*spans, Span(" " * missing)) if missing > 0 else tuple(spans)
