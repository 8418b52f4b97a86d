"""The joined form: `[W_hh W_ih]·[h_prev; x]` is the same number as the two products and their sum.

Course notes write it this way; torch keeps the two matrices apart.
"""

from __future__ import annotations

import numpy as np

from rnnstep.equations.syntax import Apply, Name
from rnnstep.language import Text
from rnnstep.views import grids
from rnnstep.views.compose import Block, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene

_LEAST_HEIGHT = 4
_MOST_DECIMALS = 2
_WITHOUT_BIAS = 3


def joined(scene: Scene, cells: int, height: int) -> Block:
    """Draw the joined product of the sums `ih + hh`, gate below gate, or say why there is none."""
    sums = _sums(scene)
    if scene.known is None or not sums:
        return _why_not(scene, Text("this block has no joined form"), cells)[:height]
    if height < _LEAST_HEIGHT:
        return _why_not(scene, Text("the joined form needs a larger window, or z"), cells)[:height]
    parts = _grids(scene, sums)
    alphabet = scene.look.alphabet
    signs = "·+=" if len(parts) > _WITHOUT_BIAS else "·="
    fitted = _fitted(parts, cells)
    has_caption = any(grids.is_cut(part, decimals, height - 1, limit) for part, decimals, limit in fitted)
    drawn = [
        grids.draw(part, decimals, height - 1, limit, has_caption=has_caption, alphabet=alphabet)
        for part, decimals, limit in fitted
    ]
    tall = max(map(len, drawn))
    row = [drawn[0]]
    for sign, block in zip(signs, drawn[1:], strict=True):
        row += [grids.operator(alphabet.spell(sign), tall, gap=0), block]
    note = scene.look.say(Text("joined form: the same sums, written as one product"))
    return pad([(Span(note, "dim"),), *beside(row, gap=0)], cells, None, alphabet)


def whole_height(scene: Scene, cells: int) -> int:
    """Give the rows in which no row of it is cut off: a note, names, captions, the longer of matrix and vector."""
    sums = _sums(scene)
    if scene.known is None or not sums:
        return 1
    parts = _grids(scene, sums)
    longest = max(part.shape[0] for part in parts)
    return (
        2
        + longest
        + any(
            grids.is_cut(part, decimals, longest + 1, limit)
            for part, decimals, limit in _fitted(parts, cells)
        )
    )


def _fitted(parts: list[Grid], cells: int) -> list[tuple[Grid, int, int]]:
    """The parts with their decimals and cells: the matrix has what all else leaves."""
    signs = len(parts) - 1
    decimals = next((d for d in (_MOST_DECIMALS, 1) if _width(parts, d) + signs <= cells), 1)
    room = max(12, cells - _width(parts[1:], decimals) - signs)
    return [(part, decimals, cells if index else room) for index, part in enumerate(parts)]


def _why_not(scene: Scene, text: Text, cells: int) -> Block:
    return pad([(Span(scene.look.say(text), "dim"),)], cells, None, scene.look.alphabet)


def _width(parts: list[Grid], decimals: int) -> int:
    return sum(grids.grid_width(part, decimals) for part in parts)


def _sums(scene: Scene) -> list[tuple[str, str, str]]:
    """The lines that add what x and h_prev bring: their name, and the names of both."""
    if scene.block.kind != "recurrent" or scene.scenario.recurrent.is_own:
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


def _grids(scene: Scene, sums: list[tuple[str, str, str]]) -> list[Grid]:
    """The joined matrix and vector, the sum of the biases, and the sums themselves as the trace has them."""
    known, parameters = scene.known, scene.block.parameters
    assert known is not None
    suffixes = [name.partition("_")[2] for name, _, _ in sums]  # "" of an RNN, else the gate's letter
    letters = [("i" + suffix, "h" + suffix) if suffix else ("ih", "hh") for suffix in suffixes]
    matrix = np.concatenate([np.hstack([parameters[f"W_{h}"], parameters[f"W_{i}"]]) for i, h in letters])
    vector = np.concatenate([known["h_prev"], known["x"]])
    both = [[parameters[f"b_{part}"] for part in pair if f"b_{part}" in parameters] for pair in letters]
    is_done = all(scene.is_line_done(name) and not scene.is_hidden(name) for name, _, _ in sums)
    total = np.concatenate([known[name] for name, _, _ in sums]) if is_done else None
    weight, state = scene.scale("weight"), scene.scale("state")
    found = [
        Grid("[W_hh W_ih]", matrix, matrix.shape, "weight", weight, gates=[s for s in suffixes if s]),
        Grid("[h_prev; x]", vector, vector.shape, "state", state),
    ]
    if all(both):
        bias = np.concatenate([np.sum(pair, axis=0) for pair in both])
        found.append(Grid("b_ih+b_hh", bias, bias.shape, "weight", weight))
    return [*found, Grid("a", total, (len(matrix),), "state", state)]
