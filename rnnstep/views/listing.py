"""The cell's equations like source code: `▶` at the current line, the values beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnstep.equations.write import BLACKBOARD, write_line
from rnnstep.views import numbers, torch_column
from rnnstep.views.compose import Block, clip, fit
from rnnstep.views.grids import window
from rnnstep.views.rows import Row, Span, row_width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.syntax import Line

_VALUES_SHOWN = 8
_VALUE_ROOM = 16
"""The cells that a line keeps for its marks and one number at least."""


def listing(scene: Scene, cells: int, height: int) -> Block:
    """List the block's equations, the current one always in sight."""
    lines = scene.block.program.lines
    here = next((k for k, line in enumerate(lines) if line.name == scene.spot.operation), None)
    shown = window(len(lines), height, here)
    formulas = [scene.look.alphabet.spell(write_line(line, BLACKBOARD)) for line in lines]
    widest = min(max(map(len, formulas)), max(12, cells - _VALUE_ROOM))
    return [
        fit(_line(scene, lines[k], formulas[k], widest, cells, is_here=k == here), cells, scene.look.alphabet)
        for k in range(shown.start, shown.stop)
    ]


def _line(scene: Scene, line: Line, formula: str, widest: int, cells: int, *, is_here: bool) -> Row:
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
    gap = Span(" " * max(1, widest + 4 - row_width(head)))
    return (*head, gap, *_values(scene, line.name, cells - widest - 5, is_done=is_done))


def _values(scene: Scene, name: str, cells: int, *, is_done: bool) -> Row:
    """The line's value for this row, torch's mark before it: `✓ −0.17 0.41 …`."""
    if not is_done or scene.known is None:
        return ()
    if scene.is_hidden(name):
        return (Span("?", "hidden"),)
    alphabet = scene.look.alphabet
    verdict = torch_column.agrees(scene, name)
    mark = "" if verdict is None else (alphabet.check if verdict else alphabet.wrong) + " "
    values = scene.known[name].reshape(-1)
    decimals = min(scene.look.decimals, 4)
    room = max(1, cells // (decimals + 4))
    text = " ".join(numbers.column(values[: min(room, _VALUES_SHOWN)], decimals, alphabet=alphabet))
    more = f" {alphabet.ellipsis}" if len(values) > min(room, _VALUES_SHOWN) else ""
    style = "changed" if scene.has_changed(name) else ""
    return (Span(mark, "ok" if verdict else "bad"), Span(text + more, style))
