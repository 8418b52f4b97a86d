"""The one thing that views make: rows of styled plain text.

A row is a tuple of spans. A span's style is a role, never a colour: the theme
gives roles their colours, and `--ascii`, `NO_COLOR` and golden tests need none.
Its target says what a click does. Nothing here knows Textual or numpy.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

ROLES = {
    "dim": "what stands back: not computed yet, hints, units",
    "bold": "what carries the line",
    "label": "the name of a quantity: W_hh, h_prev",
    "title": "the name of a panel",
    "header": "the bar that says where we are",
    "changed": "what the last move or edit changed",
    "cursor": "where the cursor stands",
    "read": "what the element at the cursor reads",
    "now": "the operation or step being computed",
    "selected": "the line chosen in a list",
    "ok": "agrees",
    "bad": "disagrees, NaN, a mistake",
    "warn": "worth a look: an edit not saved, a limit reached",
    "old": "the value before the edit",
    "own": "what somebody worked out by hand",
    "pending": "on its way: torch's column before torch is there",
    "hidden": "covered until it is revealed",
    "torch": "what torch says",
    "says": "what the network predicts",
    "wants": "what the target is",
    "link": "what Enter or a click follows",
    "breakpoint": "a breakpoint's mark",
    "border": "the frame of a panel",
    "focus": "the frame of the panel that has the keys",
    "bracket": "the brackets of a matrix",
    "operator": "the signs between blocks: ·, +, =",
    "axis": "the axes of a plot",
    "key": "a key's name in the footer",
}
"""Every plain role, and what it says; `series:N` and `heat:…` are the two families beside them."""

SERIES = 6
"""Roles `series:0` to `series:5` tell the lines of a plot apart."""

# Characters that take one cell each, so that a text of these needs no look at every character.
_NOT_PLAINLY_NARROW = re.compile(
    "[^ -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0482\u2010-\u2027\u2030-\u205e\u2070-\u20cf"
    "\u2100-\u2319\u2500-\u25fc\u2713-\u2718\u2800-\u28ff]"
)


class Span(NamedTuple):
    """A run of text in one style.

    `style` is "" or roles separated by spaces, later ones over earlier ones: a name of
    `ROLES`; `series:N`, N from 0 to 5; `heat:KIND:LEVEL` with KIND one of `weight`,
    `state`, `gate` and LEVEL from −8 to 8 or `nan`; `heat:KIND:UPPER:LOWER` for the two
    halves of a `▀`.
    `target` is what a click on it does, in the words of the key bindings:
    "go 3/L0/hh[1]", "press right", or "".
    """

    text: str
    style: str = ""
    target: str = ""


Row = tuple[Span, ...]


def plain(rows: Iterable[Row]) -> str:
    """Give the rows as text, without style, trailing blanks cut: what golden tests hold."""
    return "\n".join("".join(span.text for span in row).rstrip() for row in rows)


def is_plainly_narrow(text: str) -> bool:
    """Whether each character is known to take one cell, without a look at each of them."""
    return text.isascii() or not _NOT_PLAINLY_NARROW.search(text)


def width(text: str) -> int:
    """Count the terminal cells of `text`: Chinese characters take two, combining marks none."""
    return len(text) if text.isascii() else _width_beyond_ascii(text)


# Composing measures the same rows several times over, and the next frame most of them again.
@lru_cache(maxsize=4096)
def _width_beyond_ascii(text: str) -> int:
    if is_plainly_narrow(text):
        return len(text)
    return sum(map(character_width, text))


def character_width(character: str) -> int:
    """Count the terminal cells of one character: 0, 1 or 2."""
    category = unicodedata.category(character)
    if category in {"Mn", "Me"} or (category == "Cf" and character != "\u00ad"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def row_width(row: Row) -> int:
    """Count the terminal cells of a row."""
    text = "".join([span[0] for span in row])
    return len(text) if text.isascii() else _width_beyond_ascii(text)  # as `width`, whose call costs as much
