"""The cell's equations like source code: `▶` at the current line, the values beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnstep.equations.write import BLACKBOARD, SOURCE, write_line
from rnnstep.language import Text
from rnnstep.views import numbers, torch_column
from rnnstep.views.compose import RowBlock, clip, fit
from rnnstep.views.grids import window
from rnnstep.views.look import Look
from rnnstep.views.rows import Row, Span, row_width, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.syntax import Line

_VALUES_SHOWN = 8
_HEAD = 3
"""The cells before a formula: a breakpoint's mark, the pointer, and a space."""
_MOST_DECIMALS = 4
_SEEN_TOGETHER = 4
"""How many numbers a line is to show where the formulas let it."""
_ENOUGH = 2
"""So many beside the longest formula, and all values stand below each other."""


def listing(scene: Scene, cells: int, height: int) -> RowBlock:
    """List the block's equations, the current one always in sight."""
    lines = scene.block.program.lines
    here = _here(scene)
    shown = window(len(lines), height, here)
    formulas = [formula(scene.look, line) for line in lines]
    longest, decimals = max(map(len, formulas)), min(scene.look.decimals, _MOST_DECIMALS)
    room = cells - _HEAD
    if any(scene.is_line_done(line.name) for line in lines):
        # A formula that one decimal less leaves whole is worth it.
        decimals -= decimals == _MOST_DECIMALS and longest == room - _value_room(decimals) + 1
        room -= _value_room(decimals)
    widest = min(longest, max(12, room))
    column = widest
    if widest > _longest_with(cells, decimals, _ENOUGH):
        # Values of long formulas stand behind these: one long line leaves the others room for more than one number.
        most = _longest_with(cells, decimals, _SEEN_TOGETHER)
        column = max((len(text) for text in formulas if len(text) <= most), default=widest)
    rows = [
        _line(
            scene,
            lines[k],
            formulas[k],
            (max(column, min(len(formulas[k]), widest)), cells, decimals),
            is_here=k == here,
        )
        for k in range(shown.start, shown.stop)
    ]
    return [fit(row, cells, scene.look.alphabet) for row in rows]


def _longest_with(cells: int, decimals: int, numbers_beside: int) -> int:
    """The cells of a formula that leaves room for a mark and so many numbers."""
    return cells - _HEAD - len(" ✓ ") - numbers_beside * (decimals + len("−0. ")) - len("…")


def formula(look: Look, line: Line) -> str:
    """Write an equation: in ASCII as it is typed, where `@` is a product of matrices and `*` is not."""
    return look.alphabet.spell(write_line(line, SOURCE if look.alphabet.is_ascii else BLACKBOARD))


def _value_room(decimals: int) -> int:
    """The cells beside a formula for a mark and a number, such as ` ✓ −0.1234 …`."""
    return len(" ✓ −0. …") + decimals


def listing_title(scene: Scene, height: int) -> str:
    """Give the panel's title, with the lines that are seen in `height` where that is not all."""
    title = scene.look.say(Text("equations"))
    if scene.spot.phase == "update":
        title = scene.look.alphabet.spell(f"{title} · {scene.block.key}")
    shown = window(len(scene.block.program.lines), height, _here(scene))
    if shown.is_whole:
        return title
    return scene.look.alphabet.spell(f"{title} {shown.start + 1}–{shown.stop}/{shown.size}")


def _here(scene: Scene) -> int | None:
    """The number of the line that the cursor is at; None where it is above them."""
    names = [line.name for line in scene.block.program.lines]
    return names.index(scene.spot.operation) if scene.spot.operation in names else None


def _line(scene: Scene, line: Line, formula: str, room: tuple[int, int, int], *, is_here: bool) -> Row:
    """A line in `room`: the cells of its formula up to its values, those of the row, the values' decimals."""
    widest, cells, decimals = room
    alphabet = scene.look.alphabet
    is_done = scene.is_line_done(line.name)
    here = (scene.spot.phase, scene.spot.key, line.name)
    stop = any((one.phase, one.key, one.operation) == here for one in scene.session.breakpoints)
    mark = alphabet.breakpoint if stop else " "
    pointer = alphabet.current if is_here else " "
    place = scene.place(line.name)
    style = "now" if is_here else "" if is_done else "dim"
    head: Row = (
        Span(mark, "breakpoint", f"break {place}"),
        Span(pointer + " ", "now"),
        *clip((Span(formula, style, f"go {place}"),), widest, alphabet),
    )
    gap = Span(" " * max(1, widest + _HEAD + 1 - row_width(head)))
    return (*head, gap, *_values(scene, line.name, cells - widest - _HEAD - 1, decimals, is_done=is_done))


def _values(scene: Scene, name: str, cells: int, decimals: int, *, is_done: bool) -> Row:
    """The line's value for this row, torch's mark before it: `✓ −0.17 0.41 …`."""
    if not is_done or scene.known is None:
        return ()
    if scene.is_hidden(name):
        return (Span("?", "hidden"),)
    alphabet = scene.look.alphabet
    verdict = torch_column.agrees(scene, name)
    values = scene.known[name].reshape(-1)
    sign = None if verdict is None else torch_column.sign(scene, values, agrees=verdict)
    cells -= 0 if sign is None else 2
    for shown in range(max(1, min(len(values), _VALUES_SHOWN, (cells + 1) // (decimals + 4))), 0, -1):
        more = f" {alphabet.ellipsis}" if len(values) > shown else ""
        text = " ".join(numbers.column(values[:shown], decimals, alphabet=alphabet)) + more
        if width(text) <= cells:
            break
    style = "changed" if scene.has_changed(name) else ""
    marked = () if sign is None else (sign._replace(text=f"{sign.text} "),)
    return (*marked, Span(text, style))
