"""The list of scenarios to choose from: names, titles, and what the chosen one is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnstep.language import Text
from rnnstep.views.compose import Block, blank, clip, fit, pad, text_row, wrap
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, width

_SUMMARY = 6  # rows at most for what the chosen one is about


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario of the list, with its title and summary in the language of the screen."""

    name: str
    path: Path
    title: str
    summary: str


def picker(
    entries: Sequence[Entry], chosen: int, typed: str, look: Look, cells: int, height: int
) -> list[Row]:
    """Give the list at exactly `cells` × `height`, scrolled so that the chosen entry is seen."""
    if not entries:
        head = _head(look, cells, "")
        hint = Text("no scenario of this name here; Enter opens `{typed}` as a path", typed=typed)
        return pad(
            [head, (), *(text_row(f" {line}", "dim") for line in wrap(look.say(hint), cells - 2))],
            cells,
            height,
        )
    about = _about(entries[chosen], look, cells) if height >= 12 else []
    room = max(1, height - 1 - len(about))
    first = max(0, min(chosen - room // 2, len(entries) - room))
    column = max(width(entry.name) for entry in entries) + 4
    rows: Block = [_head(look, cells, _unseen(look, first, len(entries) - first - room))]
    for number, entry in enumerate(entries[first : first + room], first):
        style = "selected" if number == chosen else ""
        sign = look.alphabet.current if number == chosen else " "
        row: Row = (
            Span(f" {sign} ", style),
            Span(entry.name, style or "label", f"pick {number}"),
            blank(max(1, column - width(entry.name)), style),
            Span(look.alphabet.spell(entry.title), style, f"pick {number}"),
        )
        row = clip(row, cells, look.alphabet)
        rows.append((*row, blank(max(0, cells - sum(width(span.text) for span in row)), style)))
    return pad([*pad(rows, cells, height - len(about), look.alphabet), *about], cells, height, look.alphabet)


def _head(look: Look, cells: int, unseen: str) -> Row:
    """The title, and at the right how much of the list is not seen."""
    title = Span(f" {look.say(Text('open a scenario'))} ", "header bold")
    gap = max(0, cells - width(title.text) - width(unseen))
    return fit((title, Span(" " * gap, "header"), Span(unseen, "header")), cells, look.alphabet)


def _unseen(look: Look, above: int, below: int) -> str:
    """`↑ 3 ↓ 12`: how many entries the list can be scrolled to."""
    parts = ((look.alphabet.up, above), (look.alphabet.down, below))
    return "".join(f"{sign} {count} " for sign, count in parts if count > 0)


def _about(entry: Entry, look: Look, cells: int) -> Block:
    lines = wrap(look.alphabet.spell(entry.summary), min(cells, 100) - 2)[:_SUMMARY]
    return [text_row(look.alphabet.horizontal * cells, "border"), *(text_row(f" {line}") for line in lines)]
