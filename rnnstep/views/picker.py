"""The list of scenarios to choose from: headings, names, titles, and what the chosen one is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnstep.language import Text
from rnnstep.views.compose import RowBlock, blank, clip, cut, fit, pad, text_row, wrap
from rnnstep.views.help import help_rows, keys_rows
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, width

_SUMMARY = 6  # rows at most for what the chosen one is about
_WITH_SUMMARY = 12  # rows from which there is room for it

WHAT_IT_IS = Text("step through every number of an RNN, LSTM or GRU")

_KEYS: tuple[tuple[str, Text], ...] = (
    ("↑ ↓", Text("choose")),
    ("Enter", Text("open the one that is chosen")),
    (
        "a … z",
        Text("narrow the list by names and words, in both languages; a path of a file may stand there, too"),
    ),
    ("?", Text("this page, where nothing is typed; F1 always")),
    ("Esc", Text("close the list; q too, where nothing is typed")),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario of the list, with its title and summary in the language of the screen.

    Attributes:
        name: How it is called.
        path: Its file.
        title: Its title.
        summary: What it is about.
        heading: Under which it stands.
        keywords: More words that find it, in small letters.
        both: Titles and summaries in both languages, in small letters.
    """

    name: str
    path: Path
    title: str
    summary: str
    heading: Text
    keywords: str = ""
    both: str = ""


def picker(
    entries: Sequence[Entry],
    chosen: int,
    typed: str,
    look: Look,
    cells: int,
    height: int,
    *,
    is_first: bool = False,
) -> list[Row]:
    """Give the list at exactly `cells` × `height`, scrolled so that the chosen entry is seen.

    Without anything typed the entries stand under their headings. `is_first`: nothing was open before, so that the
    program says what it is.
    """
    title = Text("rnnstep: {what}", what=WHAT_IT_IS) if is_first else Text("open a scenario")
    if not entries:
        hint = Text("no scenario of this name here; Enter opens `{typed}` as a path", typed=typed)
        told = [text_row(f" {line}", "dim") for line in wrap(look.say(hint), cells - 2)]
        return pad([_head(look, cells, title, ""), (), *told], cells, height)
    about = (
        _about(entries[chosen], look, cells, min(_SUMMARY, height // 4)) if height >= _WITH_SUMMARY else []
    )
    room = max(1, height - 1 - len(about))
    columns: dict[str, int] = {}
    for entry in entries:
        section = "" if typed else str(entry.heading)
        columns[section] = max(columns.get(section, 0), width(entry.name) + 3)
    lines: list[tuple[Row, int | None]] = []
    for number, entry in enumerate(entries):
        if not typed and (number == 0 or entry.heading != entries[number - 1].heading):
            lines.append((text_row(f" {look.say(entry.heading)}", "title"), None))
        column = columns["" if typed else str(entry.heading)]
        lines.append((_line(entry, number, column, look, cells, is_chosen=number == chosen), number))
    at = next(index for index, (_, number) in enumerate(lines) if number == chosen)
    first = max(0, min(at - room // 2, len(lines) - room))
    above = sum(number is not None for _, number in lines[:first])
    below = sum(number is not None for _, number in lines[first + room :])
    rows: RowBlock = [_head(look, cells, title, _unseen(look, above, below))]
    rows += [row for row, _ in lines[first : first + room]]
    return pad([*pad(rows, cells, height - len(about), look.alphabet), *about], cells, height, look.alphabet)


def picker_help(look: Look, cells: int) -> list[Row]:
    """Give the page of help of the list: what the program is, the list's keys, and then all others."""
    about = Text(
        "rnnstep computes a small recurrent network and shows every number on its way, with torch's beside it. "
        "Each entry of the list is a file that holds such a network; those that come with it make a course."
    )
    return [*keys_rows(Text("The list"), about, _KEYS, look, cells), *help_rows(look, cells)]


def _line(entry: Entry, number: int, column: int, look: Look, cells: int, *, is_chosen: bool) -> Row:
    style = "selected" if is_chosen else ""
    sign = look.alphabet.current if is_chosen else " "
    row: Row = (
        Span(f" {sign} ", style),
        Span(entry.name, style or "label", f"pick {number}"),
        blank(max(1, column - width(entry.name)), style),
        Span(look.alphabet.spell(entry.title), style, f"pick {number}"),
    )
    row = clip(row, cells, look.alphabet)
    return (*row, blank(max(0, cells - sum(width(span.text) for span in row)), style))


def _head(look: Look, cells: int, title: Text, unseen: str) -> Row:
    """The title, and at the right how much of the list is not seen."""
    named = clip((Span(f" {look.say(title)} ", "header bold"),), max(0, cells - width(unseen)), look.alphabet)
    gap = max(0, cells - sum(width(span.text) for span in named) - width(unseen))
    return fit((*named, Span(" " * gap, "header"), Span(unseen, "header")), cells, look.alphabet)


def _unseen(look: Look, above: int, below: int) -> str:
    """`↑ 3 ↓ 12`: how many entries the list can be scrolled to."""
    parts = ((look.alphabet.up, above), (look.alphabet.down, below))
    return "".join(f"{sign} {count} " for sign, count in parts if count > 0)


def _about(entry: Entry, look: Look, cells: int, most: int) -> RowBlock:
    wide = min(cells, 100) - 2
    lines = wrap(look.alphabet.spell(entry.summary), wide)
    if len(lines) > most:  # what is left out is said to be
        sign = f" {look.alphabet.ellipsis}"
        lines = [*lines[: most - 1], f"{cut(lines[most - 1], wide - width(sign)).rstrip()}{sign}"]
    return [text_row(look.alphabet.horizontal * cells, "border"), *(text_row(f" {line}") for line in lines)]
