"""The operation under the cursor as it stands on a blackboard: blocks with `·`, `+`, `=` between.

  W_hh 4×4                   h_prev    b_hh       hh       torch
┌ 0.31 −0.07  0.25  0.40 ┐ ┌  0.42 ┐   ┌ 0.12 ┐   ┌ 0.1811 ┐
│ …                      │·│       │ + │      │ = │        │  self-check ✓
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnstep.equations.expand import Expansion
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.views import grids, torch_column
from rnnstep.views.compose import Block, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Span, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from rnnstep.views.alphabet import Alphabet

_SIGNS = {"matmul": "·", "mul": "⊙", "add": "+", "sub": "−", "div": "/"}
_LEAST_DECIMALS = 2
_LEAST_MATRIX = 8
_NO_LIMIT = 10_000

Piece = str | Grid


def board(scene: Scene, cells: int, height: int, expansion: Expansion | None) -> Block:
    """Draw the line at the cursor in `cells` by `height`.

    Where there is too little room, operands lose decimals first, then the air around the signs
    goes, then the columns beside the result (the panel above tells them too), then the row goes
    on in a second line; only then is a matrix cut to a window. The result is never cut off.
    """
    line = scene.run.tree.line(scene.spot)
    operands = [*_joined(_pieces(scene, line.expression, expansion)), "="]
    beside_it = result_grids(scene, line.name)
    most = scene.look.decimals
    for result in (beside_it, [grid for grid in beside_it if grid.style != "torch"], beside_it[:1]):
        for gap in (1, 0):
            for decimals in range(most, min(_LEAST_DECIMALS, most) - 1, -1):
                parts = _parts(operands, result, decimals, most, gap)
                if sum(part.width for part in parts) <= cells:
                    return _drawn([parts], cells, height, scene.look.alphabet)
    whole = _lines(parts, cells)
    is_high = sum(_height(line) for line in whole) > height
    if is_high or any(part.width > cells for part in parts):
        whole = _lines(_cut(parts, cells), cells)
    return _drawn(whole, cells, height, scene.look.alphabet)


@dataclass(frozen=True)
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

    def draw(self, height: int, alphabet: Alphabet, *, has_caption: bool) -> Block:
        """Draw a grid with the air behind it, a sign in the middle of `height` rows."""
        if isinstance(self.piece, str):
            return grids.operator(alphabet.spell(self.piece), height, gap=self.gap)
        drawn = grids.draw(
            self.piece, self.decimals, height, self.limit, has_caption=has_caption, alphabet=alphabet
        )
        return [(*row, Span(" " * self.gap)) for row in drawn] if self.gap else drawn


def _parts(operands: list[Piece], result: list[Grid], decimals: int, most: int, gap: int) -> list[_Part]:
    """The row's parts: signs with air around them, operands close to the signs, results apart."""
    found = [_Part(piece, decimals, gap if isinstance(piece, str) else 0) for piece in operands]
    return found + [_Part(grid, most, 1) for grid in result]


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


def _height(line: list[_Part]) -> int:
    return 1 + max((part.piece.rows for part in line if isinstance(part.piece, Grid)), default=1)


def _drawn(lines: list[list[_Part]], cells: int, height: int, alphabet: Alphabet) -> Block:
    """Draw lines; where they are too high together, each gets its share."""
    is_high = sum(_height(line) for line in lines) > height
    rows: Block = []
    for line in lines:
        room = max(3, height // len(lines)) if is_high else height
        has_caption = any(part.is_cut(room) for part in line)
        tall = min(room, _height(line) + has_caption)
        drawn = [
            part.draw(tall if isinstance(part.piece, str) else room, alphabet, has_caption=has_caption)
            for part in line
        ]
        rows += beside(drawn, gap=0)
    return pad(rows[:height], cells, None, alphabet)


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Write signs that follow each other as one: `(`, `1`, `−` as `(1 −`."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            before = found[-1]
            is_tight = before.endswith("(") or piece in (")", ",")
            found[-1] = before + piece if is_tight else f"{before} {piece}"
        else:
            found.append(piece)
    return found


def _pieces(
    scene: Scene, expression: Expression, expansion: Expansion | None, needs: int = 0
) -> Iterator[Piece]:
    """Write a tree from left to right as signs and grids."""
    match expression:
        case Number(text=text):
            yield text
        case Name(id=name):
            yield operand(scene, name, expansion)
        case Pick(base=base, index=index):
            yield from _pieces(scene, base, expansion, 9)
            yield f"[{index}]"
        case Apply(op="lookup", args=(weight, _)):
            yield from _pieces(scene, weight, expansion)
            yield f"[{_index(scene)}]"
        case Apply(op="cat", args=(left, right)):
            yield from _pieces(scene, left, expansion)
            yield ";"
            yield from _pieces(scene, right, expansion)
        case Apply(op=op, args=args) if not OPERATIONS[op].symbol:
            yield f"{op}("
            yield from _pieces(scene, args[0], expansion)
            yield ")"
        case Apply(op=op, args=(argument,)):
            yield "−" if op == "neg" else op
            yield from _pieces(scene, argument, expansion, OPERATIONS[op].precedence)
        case Apply(op=op, args=(left, right)):
            own = OPERATIONS[op].precedence
            if own < needs:
                yield "("
            yield from _pieces(scene, left, expansion, own)
            yield _SIGNS.get(op, OPERATIONS[op].symbol)
            yield from _pieces(scene, right, expansion, own + 1)
            if own < needs:
                yield ")"


def _index(scene: Scene) -> str:
    """The index that is looked up."""
    return "index" if scene.known is None else str(int(scene.known["index"]))


def operand(scene: Scene, name: str, expansion: Expansion | None = None) -> Grid:
    """The grid of a value that a line reads, the elements that the cursor reads marked."""
    known = scene.known
    values = None if known is None else known.get(name)
    shape = scene.shape(name)
    focus = _focus(expansion, name, scene.session.spot.term if scene.session.spot else None)
    kind = scene.kind(name)
    if name == "index" and values is not None:
        values = values.reshape(1)
    return Grid(
        name,
        values,
        shape,
        kind,
        scene.scale(kind),
        focus=focus,
        centre=_centre(scene, name, expansion),
        target=_go_to_term(scene, name, expansion),
        is_given=scene.is_given(name),
        changed=scene.changed_by_edit(name),
    )


def _centre(scene: Scene, name: str, expansion: Expansion | None) -> int | None:
    """The element at the cursor, for what is as long as the result: its rows stay beside each other."""
    spot = scene.session.spot
    if spot is None or spot.element is None or spot.operation is None or expansion is None:
        return None
    if len(_terms_reading(expansion, name)) > 1:  # the vector of a product goes with the matrix's columns
        return None
    return spot.element if scene.shape(name)[0] == scene.shape(spot.operation)[0] else None


def _focus(expansion: Expansion | None, name: str, term: int | None) -> tuple[int | None, int | None]:
    """The element of a name that the cursor's term reads; the row of a matrix for a whole element."""
    if expansion is None:
        return (None, None)
    factors = [
        factor
        for one in expansion.terms
        if term is None or one.number == term
        for factor in one.factors
        if factor.name == name
    ]
    if not factors:
        return (None, None)
    first = factors[0].index
    if len(first) == 2:
        return (first[0], first[1] if term is not None else None)
    if len(factors) > 1:
        return (None, None)
    return (first[0] if first else 0, None)


def _go_to_term(scene: Scene, name: str, expansion: Expansion | None) -> grids.Target | None:
    """A click on an operand goes to the term that reads it."""
    spot = scene.spot
    if spot.operation is None:
        return None
    element = expansion.index[0] if expansion is not None and expansion.index else 0
    place = scene.place(spot.operation)
    if len(scene.block.program.shapes[name]) == 2:
        return lambda y, x: f"go {place}[{y}].{x}"
    terms = {} if expansion is None else _terms_reading(expansion, name)
    return lambda y, _: f"go {place}[{element}].{terms[y]}" if y in terms else f"go {place}[{y}]"


def _terms_reading(expansion: Expansion, name: str) -> dict[int, int]:
    """For each element of a vector the term that reads it."""
    return {
        factor.index[0]: term.number
        for term in expansion.terms
        for factor in term.factors
        if factor.name == name and factor.index
    }


def result_grids(scene: Scene, name: str) -> list[Grid]:
    """The result, its value before the last edit where that was another, and torch's beside it."""
    is_seen = scene.is_shown(name)
    values = None if scene.known is None or not is_seen else scene.known[name]
    shape = scene.shape(name)
    kind = scene.kind(name)
    spot = scene.session.spot
    focus = (spot.element, None) if spot is not None and spot.element is not None else (None, None)
    place = scene.place(name)
    result = Grid(
        name,
        values,
        shape,
        kind,
        scene.scale(kind),
        style="changed" if values is not None else "",
        focus=focus,
        cover="?" if scene.is_hidden(name) else "",
        target=lambda y, _: f"go {place}[{y}]",
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
        found += torch_column.grids_of(scene, name)
    return found
