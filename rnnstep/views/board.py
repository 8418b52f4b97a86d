"""The operation under the cursor as it stands on a blackboard: blocks with `·`, `+`, `=` between.

  W_hh 4×4                   h_prev    b_hh       hh       torch
┌ 0.31 −0.07  0.25  0.40 ┐ ┌  0.42 ┐   ┌ 0.12 ┐   ┌ 0.1811 ┐
│ …                      │·│       │ + │      │ = │        │  self-check ✓
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnstep.equations.expand import Expansion
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.views import grids, torch_column
from rnnstep.views.compose import Block, above, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Span, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rnnstep.views.alphabet import Alphabet

_SIGNS = {"matmul": "·", "mul": "⊙", "add": "+", "sub": "−", "div": "/"}
_LEAST_DECIMALS = 2
_LEAST_MATRIX = 8
_NO_LIMIT = 10_000

Piece = str | Grid


def board(scene: Scene, cells: int, height: int, expansion: Expansion | None) -> Block:
    """Draw the line at the cursor in `cells` by `height`.

    Operands lose decimals first, then torch's column gives way, then a matrix is cut to a window;
    what is still too wide goes on in a second line. The result is never cut off.
    """
    line = scene.run.tree.line(scene.spot)
    operands = [*_joined(_pieces(scene, line.expression, expansion)), "="]
    result = result_grids(scene, line.name)
    decimals = scene.look.decimals
    least = min(_LEAST_DECIMALS, decimals)
    if _width(operands, least) + _own_width(result, decimals) > cells:
        # What torch says, and what stood there before an edit, stand in the panel above as well.
        result = [grid for grid in result if grid.style != "torch"]
    if _width(operands, least) + _own_width(result, decimals) > cells:
        result = result[:1]
    own = _own_width(result, decimals)
    fewer = decimals
    while fewer > least and _width(operands, fewer) + own > cells:
        fewer -= 1
    matrices = [piece for piece in operands if isinstance(piece, Grid) and piece.columns > 1]
    fixed = _width([piece for piece in operands if piece not in matrices], fewer)
    share = max(_LEAST_MATRIX, (cells - own - fixed) // len(matrices)) if matrices else 0
    parts = [_Part(piece, fewer, share if piece in matrices else _NO_LIMIT) for piece in operands]
    parts += [_Part(grid, decimals, _NO_LIMIT, gap=1) for grid in result]
    lines = _lines(parts, cells)
    room = max(3, height // len(lines))
    drawn = [_drawn(line, room, scene.look.alphabet) for line in lines]
    return pad(above(drawn)[:height], cells, None, scene.look.alphabet)


@dataclass(frozen=True)
class _Part:
    """A sign or a grid of the row: how many decimals it has, and the cells it may take."""

    piece: Piece
    decimals: int
    limit: int
    gap: int = 0

    @property
    def width(self) -> int:
        if isinstance(self.piece, str):
            return width(self.piece) + 2
        return min(self.limit, grids.grid_width(self.piece, self.decimals)) + self.gap


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


def _drawn(line: list[_Part], height: int, alphabet: Alphabet) -> Block:
    has_caption = any(
        grids.is_cut(part.piece, part.decimals, height, part.limit)
        for part in line
        if isinstance(part.piece, Grid)
    )
    drawn = [
        alphabet.spell(part.piece)
        if isinstance(part.piece, str)
        else grids.draw(
            part.piece, part.decimals, height, part.limit, has_caption=has_caption, alphabet=alphabet
        )
        for part in line
    ]
    tall = max((len(part) for part in drawn if not isinstance(part, str)), default=1)
    placed: list[Block] = []
    for part, block in zip(line, drawn, strict=True):
        placed.append(grids.operator(block, tall) if isinstance(block, str) else block)
        if part.gap:
            placed.append([(Span(" " * part.gap),)])
    return beside(placed, gap=0)


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


def _own_width(result: list[Grid], decimals: int) -> int:
    return sum(grids.grid_width(grid, decimals) + 1 for grid in result)


def _width(pieces: Sequence[Piece], decimals: int) -> int:
    return sum(
        width(piece) + 2 if isinstance(piece, str) else grids.grid_width(piece, decimals) for piece in pieces
    )


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
