"""The help page: all keys by group from the table of commands, and what is on the screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.views.commands import COMMANDS, GROUPS, Command
from rnnstep.views.compose import RowBlock, blank, text_row, wrap
from rnnstep.views.glossary import GLOSSARY
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, width

if TYPE_CHECKING:
    from rnnstep.session.session import Session

_WIDEST = 100
_KEY = 7  # cells of the key's column
_NAME = 18

_ABOUT = Text(
    "A run is a tree: epoch, batch, pass (forward, backward, update), sequence, step, block, operation, element, "
    "term; "
    "levels with one member are passed over. The cursor is a place in it; all up to there is computed and "
    "shown, nothing after it. Four keys do everything: → and ← go to the next place and back at this zoom, ↓ "
    "goes into it and ↑ out of it."
)

# Signs by their names in the alphabet, so that help shows those that the screen has.
_SIGNS: tuple[tuple[str, str, Text], ...] = (
    ("check", "ok", Text("torch computes the same, within what rounding allows")),
    ("wrong", "bad", Text("torch computes something else")),
    ("1.25", "changed", Text("what the cursor's place has just computed")),
    ("1.25", "cursor", Text("the number under the cursor")),
    ("ahead", "dim", Text("not computed yet")),
    ("1.25", "old", Text("the value before the last edit")),
    ("current", "now", Text("the step or line that is being computed")),
    ("breakpoint", "breakpoint", Text("a breakpoint: c runs to it")),
    ("1.25", "heat:weight:-6", Text("a negative number; the further from zero, the stronger the colour")),
    ("1.25", "heat:weight:6", Text("a positive number")),
)

_REMOTE = Text(
    "Presenter's remote: Page Down and Page Up go on and back, F5 starts; with --remote b and . blank the screen."
)
_CONFIG = Text(
    'Keys can be changed in keys.toml, by the names in the last column: right = "l,right"; language, theme, decimals'
    " and the step of + and - in config.toml. `rnnstep config` says where they stand."
)
_MOUSE = Text(
    "Mouse: a click goes to a number or presses a key of the bar below, a second click goes into it, the wheel steps."
)


def help_rows(look: Look, cells: int, session: Session | None = None) -> list[Row]:
    """Give the page at a width; it may be longer than the screen. With a session it begins with what is at the cursor."""
    cells = max(20, cells)
    rows: RowBlock = []
    if session is not None:
        from rnnstep.views.under_cursor import here  # with numpy, which the list of scenarios does without

        rows += here(session, look, cells)
    rows += [(), *_paragraph(_ABOUT, look, cells)]
    for group, name in GROUPS.items():
        rows += [(), text_row(f" {look.say(name)}", "title")]
        for command in COMMANDS:
            if command.group == group:
                rows += _command(command, look, cells)
    rows += [(), text_row(f" {look.say(Text('On the screen'))}", "title")]
    for sign, style, meaning in _SIGNS:
        rows += _entry(
            (Span(f"  {look.alphabet.spell(getattr(look.alphabet, sign, sign))}", style),),
            look.say(meaning),
            cells,
        )
    rows += [(), text_row(f" {look.say(Text('Signs and words'))}", "title")]
    for entry in GLOSSARY:
        rows += _entry(
            (
                Span(
                    f"  {look.alphabet.spell(entry.into(look.language, is_ascii=look.alphabet.is_ascii))}",
                    "label",
                ),
            ),
            look.say(entry.meaning),
            cells,
        )
    for text in (_MOUSE, _REMOTE, _CONFIG):
        rows += [(), *_paragraph(text, look, cells)]
    return rows


def keys_rows(
    title: Text, about: Text, keys: Iterable[tuple[str, Text]], look: Look, cells: int
) -> list[Row]:
    """Give a section of its own for a page that has other keys: what it is, and each key with what it does."""
    cells = max(20, cells)
    rows: RowBlock = [(), text_row(f" {look.say(title)}", "title"), *_paragraph(about, look, cells)]
    for key, text in keys:
        rows += _entry((Span(f"  {look.alphabet.spell(key)}", "key"),), look.say(text), cells)
    return rows


def _paragraph(text: Text, look: Look, cells: int) -> RowBlock:
    return [text_row(f" {line}") for line in wrap(look.say(text), min(cells, _WIDEST) - 2)]


def _command(command: Command, look: Look, cells: int) -> RowBlock:
    """The key, the name and the sentence; a click presses it."""
    target = f"press {command.id}"
    shown = look.key(command)
    name = look.say(command.name)
    head = (
        Span("  "),
        Span(shown, "key", target),
        blank(max(1, _KEY - width(shown))),
        Span(name, "bold", target),
    )
    rows = _entry(head, look.say(command.sentence), cells)
    if cells >= _WIDEST + len(command.id) + 3:
        first = rows[0]
        used = sum(width(span.text) for span in first)
        rows[0] = (*first, blank(max(2, _WIDEST + 1 - used)), Span(command.id, "dim"))
    return rows


def _entry(head: Row, text: str, cells: int) -> RowBlock:
    """A head in its column and a text beside it, over as many rows as it needs."""
    column = 2 + _KEY + _NAME
    used = sum(width(span.text) for span in head)
    if cells < column + 24:
        return [head, *((blank(4), Span(line, "dim")) for line in wrap(text, cells - 5))]
    lines = wrap(text, min(cells, _WIDEST) - column - 1)
    rows: RowBlock = [(*head, blank(max(1, column - used)), Span(lines[0]))]
    return rows + [(blank(column), Span(line)) for line in lines[1:]]
