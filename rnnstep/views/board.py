"""The operation under the cursor as it stands on a blackboard: blocks with `·`, `+`, `=` between.

  W_hh 4×4                   h_prev    b_hh       hh       torch
┌ 0.31 −0.07  0.25  0.40 ┐ ┌  0.42 ┐   ┌ 0.12 ┐   ┌ 0.1811 ┐
│ …                      │·│       │ + │      │ = │        │  self-check ✓
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnstep.equations.expand import Expansion
from rnnstep.session.tree import index_of
from rnnstep.views import grids, own_column, torch_column
from rnnstep.views.compose import RowBlock, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.operands import Piece, pieces_of
from rnnstep.views.parts import element_target
from rnnstep.views.rows import Span, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.views.alphabet import Alphabet

_LEAST_MATRIX = 8
_LEAST_HEIGHT = 3
_NO_LIMIT = 10_000


def board(scene: Scene, cells: int, height: int, expansion: Expansion | None, air: int = 0) -> RowBlock:
    """Draw the line at the cursor in `cells` by `height`, with `air` blank rows between its rows.

    Where there is too little room, the air around the signs goes first, then the columns beside the
    result (the panel above tells them too), then the row goes on in a second line, the writer's own
    numbers with it; then a matrix is cut to a window, and where that does not help either, the
    result stands first, as in the formula, and `…` behind it where operands find no line. It is never cut off. Decimals are not given up: a matrix
    has the same on every screen.
    """
    line = scene.run.line(scene.spot)
    operands = [_with_air(piece, air) for piece in pieces_of(scene, line.expression, expansion)]
    beside_it = [replace(grid, air=air) for grid in result_grids(scene, line.name)]
    most = scene.look.decimals
    own = [grid for grid in beside_it if grid.style == "own"]
    for result in (beside_it, [grid for grid in beside_it if grid.style != "torch"], beside_it[:1]):
        if own and result == beside_it[:1]:
            lines = _in_lines([*operands, "="], [*result, *own], cells, height, most)
            if lines is not None:
                return _drawn(lines, cells, height, scene.look.alphabet)
        for gap in (3, 1, 0) if air else (1, 0):
            parts = _parts([*operands, "="], result, most, gap)
            if sum(part.width for part in parts) - 1 <= cells:
                return _drawn([parts], cells, height, scene.look.alphabet)
    whole = _lines(parts, cells)
    is_high = sum(_height(line) for line in whole) > height
    if is_high or any(part.width > cells for part in parts):
        whole = _lines(_cut(parts, cells), cells)
        if len(whole) > 1 and sum(_height_with_caption(line, height) for line in whole) > height:
            first = _parts([], beside_it[:1], most, 0)
            rest = _parts(["=", *operands], [], most, 0)
            whole = _lines(_cut([*first, *rest], cells), cells)
            most_lines = max(1, height // _LEAST_HEIGHT)
            if len(whole) > most_lines:  # what finds no line is said to be there
                more = _Part(scene.look.alphabet.ellipsis, most, 1)
                whole = [*whole[: most_lines - 1], _with_more(whole[most_lines - 1], more, cells)]
    return _drawn(whole, cells, height, scene.look.alphabet)


def _with_air(piece: Piece, air: int) -> Piece:
    return replace(piece, air=air) if isinstance(piece, Grid) else piece


def _in_lines(
    operands: list[Piece], result: list[Grid], cells: int, height: int, most: int
) -> list[list[_Part]] | None:
    """The row in several lines, whole; None where there is no room for them."""
    parts = _parts(operands, result, most, 0)
    lines = _lines(parts, cells)
    is_whole = all(part.width <= cells for part in parts) and sum(map(_height, lines)) <= height
    return lines if is_whole else None


@dataclass(frozen=True, eq=False)
class _Part:
    """A sign or a grid of the row: its decimals, the cells it may take, and the air around or behind it."""

    piece: Piece
    decimals: int
    gap: int
    limit: int = _NO_LIMIT

    @property
    def width(self) -> int:
        if isinstance(self.piece, str):
            return width(self.piece) + 2 * self.gap
        return min(self.limit, grids.grid_width(self.piece, self.decimals)) + self.gap

    def is_cut(self, height: int) -> bool:
        """Whether a grid does not fit whole."""
        return isinstance(self.piece, Grid) and grids.is_cut(self.piece, self.decimals, height, self.limit)

    def draw(self, height: int, alphabet: Alphabet, *, has_caption: bool) -> RowBlock:
        """Draw a grid with the air behind it, a sign in the middle of `height` rows."""
        if isinstance(self.piece, str):
            head = 1 + has_caption
            return grids.operator(alphabet.spell(self.piece), height, gap=self.gap, head=head)
        drawn = grids.draw(
            self.piece, self.decimals, height, self.limit, has_caption=has_caption, alphabet=alphabet
        )
        return [(*row, Span(" " * self.gap)) for row in drawn] if self.gap else drawn


def _parts(operands: list[Piece], result: list[Grid], decimals: int, gap: int) -> list[_Part]:
    """The row's parts: signs with air around them, operands close to the signs, results apart."""
    found = [_Part(piece, decimals, gap if isinstance(piece, str) else 0) for piece in operands]
    return found + [_Part(grid, decimals, 1) for grid in result]


def _cut(parts: list[_Part], cells: int) -> list[_Part]:
    """Give the matrices the cells that all else leaves in one line, equal shares."""
    matrices = [part for part in parts if isinstance(part.piece, Grid) and part.piece.columns > 1]
    if not matrices:
        return parts
    rest = cells - sum(part.width for part in parts if part not in matrices)
    share = max(_LEAST_MATRIX, rest // len(matrices))
    return [replace(part, limit=share) if part in matrices else part for part in parts]


def _lines(parts: list[_Part], cells: int) -> list[list[_Part]]:
    """Put parts in lines of `cells`; a line is begun by the sign before a grid."""
    lines: list[list[_Part]] = [[]]
    used = 0
    for index, part in enumerate(parts):
        ahead = part.width
        if isinstance(part.piece, str) and index + 1 < len(parts):
            ahead += parts[index + 1].width
        if used + ahead > cells and lines[-1]:
            lines.append([])
            used = 0
        lines[-1].append(part)
        used += part.width
    return lines


def _with_more(line: list[_Part], more: _Part, cells: int) -> list[_Part]:
    """A line with the sign that the row goes on, in the place of what would leave it none."""
    while len(line) > 1 and sum(part.width for part in line) + more.width > cells:
        line = line[:-1]
    return [*line, more]


def _height(line: list[_Part]) -> int:
    return 1 + max((part.piece.tall for part in line if isinstance(part.piece, Grid)), default=1)


def _height_with_caption(line: list[_Part], height: int) -> int:
    return _height(line) + any(part.is_cut(height) for part in line)


def _drawn(lines: list[list[_Part]], cells: int, height: int, alphabet: Alphabet) -> RowBlock:
    """Draw lines; where they are too high together, the first gets what it needs and the others their share."""
    is_high = sum(_height_with_caption(line, height) for line in lines) > height
    rows: RowBlock = []
    for number, line in enumerate(lines):
        later = len(lines) - number - 1
        most = (
            height - len(rows) - _LEAST_HEIGHT * later if not number else (height - len(rows)) // (later + 1)
        )
        room = max(_LEAST_HEIGHT, most) if is_high else height
        has_caption = any(part.is_cut(room) for part in line)
        tall = min(room, _height(line) + has_caption)
        drawn = [
            part.draw(tall if isinstance(part.piece, str) else room, alphabet, has_caption=has_caption)
            for part in line
        ]
        rows += beside(drawn, gap=0, align="middle")
    return pad(rows[:height], cells, None, alphabet)


def result_grids(scene: Scene, name: str) -> list[Grid]:
    """The result, its value before the last edit where that was another, and torch's beside it."""
    is_seen = scene.is_shown(name)
    values = None if scene.known is None or not is_seen else scene.known[name]
    shape = scene.shape(name)
    kind = scene.kind(name)
    spot = scene.cursor
    focus: tuple[int | None, int | None] = (None, None)
    if spot is not None and spot.element is not None:
        index = index_of(scene.block, name, spot.element)
        focus = grids.in_grid(index, shape)
    target = element_target(scene, name)
    result = Grid(
        name,
        values,
        shape,
        kind,
        scene.scale_of(name),
        style="changed" if values is not None else "",
        focus=focus,
        cover="?" if scene.is_hidden(name) else "",
        target=target,
        seen=scene.elements_done(name),
    )
    found = [result]
    old = scene.value_before_edit(name) if is_seen else None
    if old is not None:
        before = scene.look.say(torch_column.BEFORE)
        found.append(
            Grid(before, old, shape, kind, style="old", is_plain=True, seen=scene.elements_done(name))
        )
    if is_seen:
        beside = [*torch_column.grids_of(scene, name), *own_column.grids_of(scene, name)]
        found += [replace(grid, centre=focus) for grid in beside]
    return found
