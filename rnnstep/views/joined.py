"""The joined form: `[W_hh W_ih]·[h_prev; x]` is the same number as the two products and their sum.

Course notes write it this way; torch keeps the two matrices apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.equations.syntax import Apply, Name
from rnnstep.language import Text
from rnnstep.views import grids
from rnnstep.views.compose import RowBlock, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.operands import Piece
from rnnstep.views.rows import Span, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.equations.operations import Array

_LEAST_LINE = 3
"""A name, the name of a window, and a row of numbers."""
_LEAST_CELLS = 12


def joined(scene: Scene, cells: int, height: int) -> RowBlock:
    """Draw the joined product of the sums `ih + hh`, gate below gate, or say why there is none.

    Where the two halves do not fit beside each other they stand below each other, and where the rows of all gates do
    not fit they are seen in a window: both halves have all their columns.
    """
    sums = _sums(scene)
    if scene.known is None or not sums:
        return _why_not(scene, Text("this block has no joined form"), cells)[:height]
    beside_it = _grids(scene, sums)
    is_one_row = _width(scene, beside_it) <= cells
    lines = [beside_it] if is_one_row else _halves(scene, beside_it, cells)
    if height - 1 < _LEAST_LINE * len(lines):
        return _why_not(scene, Text("the joined form needs a larger window, or z"), cells)[:height]
    note = Text("joined form: the same sums, written as one product")
    if not is_one_row:
        note = Text("joined form in two halves: one product, the same sums")
    rows: RowBlock = [(Span(scene.look.say(note), "dim"),)]
    for line in lines:
        rows += _drawn(scene, line, cells, (height - 1) // len(lines))
    return pad(rows, cells, None, scene.look.alphabet)


def _drawn(scene: Scene, line: list[Piece], cells: int, height: int) -> RowBlock:
    """A line of signs and grids, rows that do not fit cut to a window."""
    alphabet, decimals = scene.look.alphabet, scene.look.decimals
    shown = [piece for piece in line if not isinstance(piece, str)]
    room = max(_LEAST_CELLS, cells - _width(scene, [piece for piece in line if piece is not shown[0]]))
    limits = {id(piece): room if piece is shown[0] else cells for piece in shown}  # a matrix stands first
    has_caption = any(grids.is_cut(piece, decimals, height, limits[id(piece)]) for piece in shown)
    tall = min(height, 1 + has_caption + max(piece.rows for piece in shown))
    blocks = [
        grids.operator(alphabet.spell(piece), tall, gap=0, head=1 + has_caption)
        if isinstance(piece, str)
        else grids.draw(
            piece, decimals, height, limits[id(piece)], has_caption=has_caption, alphabet=alphabet
        )
        for piece in line
    ]
    return beside(blocks, gap=0, align="middle")


def _halves(scene: Scene, line: list[Piece], cells: int) -> list[list[Piece]]:
    """`[W_hh · [h_prev;` and below it `W_ih] · x] + b = a`, the end of it in a line of its own where it does not fit."""
    matrix, dot, vector, *rest = line
    assert isinstance(matrix, Grid)
    assert isinstance(vector, Grid)
    assert matrix.values is not None
    assert vector.values is not None
    size = scene.shape("h_prev")[0]
    upper: list[Piece] = [
        _part(matrix, "[W_hh", matrix.values[:, :size]),
        dot,
        _part(vector, f"[{scene.block.program.read_for('h')};", vector.values[:size]),
    ]
    lower: list[Piece] = [
        _part(matrix, "W_ih]", matrix.values[:, size:]),
        dot,
        _part(vector, "x]", vector.values[size:]),
    ]
    if _width(scene, [*lower, *rest]) <= cells:
        return [upper, [*lower, *rest]]
    return [upper, lower, rest]


def _part(grid: Grid, title: str, values: Array) -> Grid:
    return replace(grid, title=title, values=values, shape=values.shape)


def whole_height(scene: Scene, cells: int) -> int:
    """Give the rows in which no row of it is cut off: a note, names, the longer of matrix and vector."""
    sums = _sums(scene)
    if scene.known is None or not sums:
        return 1
    line = _grids(scene, sums)
    lines = [line] if _width(scene, line) <= cells else _halves(scene, line, cells)
    return 1 + sum(1 + max(piece.rows for piece in one if isinstance(piece, Grid)) for one in lines)


def _why_not(scene: Scene, text: Text, cells: int) -> RowBlock:
    return pad([(Span(scene.look.say(text), "dim"),)], cells, None, scene.look.alphabet)


def _width(scene: Scene, line: Sequence[Piece]) -> int:
    """The cells that a line takes whole."""
    return sum(
        width(piece) if isinstance(piece, str) else grids.grid_width(piece, scene.look.decimals)
        for piece in line
    )


def _sums(scene: Scene) -> list[tuple[str, str, str]]:
    """The lines that add what x and h_prev bring: their name, and the names of both."""
    if scene.block.kind != "recurrent" or scene.scenario.recurrent_of(scene.forward_block).is_own:
        return []
    return [
        (line.name, left, right)
        for line in scene.block.program.lines
        if isinstance(line.expression, Apply) and line.expression.op == "add"
        for left, right in [_two_names(line.expression.args)]
        if left.startswith("ih") and right.startswith("hh")
    ]


def _two_names(args: tuple[object, ...]) -> tuple[str, str]:
    left, right = args
    return (left.id, right.id) if isinstance(left, Name) and isinstance(right, Name) else ("", "")


def _grids(scene: Scene, sums: list[tuple[str, str, str]]) -> list[Piece]:
    """The joined matrix and vector, the sum of the biases (of one bias itself), and the sums themselves as the trace has them."""
    known, parameters = scene.known, scene.block.parameters
    assert known is not None
    suffixes = [name.partition("_")[2] for name, _, _ in sums]  # "" of an RNN, else the gate's letter
    letters = [("i" + suffix, "h" + suffix) if suffix else ("ih", "hh") for suffix in suffixes]
    matrix = np.concatenate([np.hstack([parameters[f"W_{h}"], parameters[f"W_{i}"]]) for i, h in letters])
    h = scene.block.program.read_for("h")
    vector = np.concatenate([known[h], known["x"]])
    both = [[parameters[f"b_{part}"] for part in pair if f"b_{part}" in parameters] for pair in letters]
    is_done = all(scene.is_line_done(name) and not scene.is_hidden(name) for name, _, _ in sums)
    total = np.concatenate([known[name] for name, _, _ in sums]) if is_done else None
    weight, state = scene.scale("weight"), scene.scale("state")
    row = _row_at(scene, suffixes)
    focus = (row if scene.level in ("element", "term") else None, None)
    centre = (row, None)
    gates = [suffix for suffix in suffixes if suffix]
    found: list[Piece] = [
        Grid("[W_hh W_ih]", matrix, matrix.shape, "weight", weight, gates=gates, focus=focus, centre=centre),
        "@" if scene.look.alphabet.is_ascii else "·",
        Grid(f"[{h}; x]", vector, vector.shape, "state", state),
    ]
    if all(both):
        bias = np.concatenate([np.sum(pair, axis=0) for pair in both])
        name = "b_ih+b_hh" if len(both[0]) > 1 else "b_ih"
        found += ["+", Grid(name, bias, bias.shape, "weight", weight, focus=focus, centre=centre)]
    return [*found, "=", Grid("a", total, (len(matrix),), "state", state, focus=focus, centre=centre)]


def _row_at(scene: Scene, suffixes: Sequence[str]) -> int | None:
    """The row that the cursor's element is worked out in, of an operation the first of its gate; None elsewhere."""
    name = scene.spot.operation
    if name is None:
        return None
    gate = name if name in suffixes else name.partition("_")[2]
    size = scene.shape(scene.block.output)[0]
    return (suffixes.index(gate) if gate in suffixes else 0) * size + (scene.spot.element or 0) % size
