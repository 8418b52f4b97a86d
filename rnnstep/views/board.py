"""The operation under the cursor as it stands on a blackboard: blocks with `·`, `+`, `=` between.

    W_hh 4×4                   h_prev    b_hh       hh       torch
  ┌ 0.31 −0.07  0.25  0.40 ┐ ┌  0.42 ┐   ┌ 0.12 ┐   ┌ 0.1811 ┐
  │ …                      │·│       │ + │      │ = │        │  self-check ✓
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from rnnstep.equations.expand import Expansion
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.session.place import write_place
from rnnstep.views import grids, torch_column
from rnnstep.views.compose import Block, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Span, width
from rnnstep.views.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGNS = {"matmul": "·", "mul": "⊙", "add": "+", "sub": "−", "div": "/"}
_LEAST_DECIMALS = 2

Piece = str | Grid


def board(scene: Scene, cells: int, height: int, expansion: Expansion | None) -> Block:
    """Draw the line at the cursor in `cells` by `height`.

    Operands lose decimals before anything is cut, the result never does.
    """
    line = scene.run.tree.line(scene.spot)
    operands = [*_pieces(scene, line.expression, expansion), "="]
    result = result_grids(scene, line.name, expansion)
    decimals = scene.look.decimals
    least = min(_LEAST_DECIMALS, decimals)
    if _width(operands, least) + _own_width(result, decimals) > cells:
        result = result[:1]  # torch's word stands in the panel above as well
    own = _own_width(result, decimals)
    fewer = decimals
    while fewer > least and _width(operands, fewer) + own > cells:
        fewer -= 1
    matrices = [piece for piece in operands if isinstance(piece, Grid) and piece.columns > 1]
    fixed = _width([piece for piece in operands if piece not in matrices], fewer)
    share = max(8, (cells - own - fixed) // len(matrices)) if matrices else 0
    alphabet = scene.look.alphabet
    limits = {id(piece): share if piece in matrices else 10 * cells for piece in operands}
    has_caption = any(
        grids.is_cut(piece, fewer, height, limits.get(id(piece), cells))
        for piece in (*operands, *result)
        if isinstance(piece, Grid)
    )
    parts: list[Block | str] = []
    for piece in operands:
        if isinstance(piece, str):
            parts.append(alphabet.spell(piece))
        else:
            parts.append(grids.draw(piece, fewer, height, limits[id(piece)], has_caption=has_caption, alphabet=alphabet))
    for grid in result:
        parts.append(grids.draw(grid, decimals, height, 10 * cells, has_caption=has_caption, alphabet=alphabet))
        parts.append([(Span(" "),)])
    tall = max(len(part) for part in parts if not isinstance(part, str))
    placed = [grids.operator(part, tall) if isinstance(part, str) else part for part in parts]
    return pad(beside(placed, gap=0), cells, None, alphabet)


def _own_width(result: list[Grid], decimals: int) -> int:
    return sum(grids.grid_width(grid, decimals) + 1 for grid in result)


def _width(pieces: Sequence[Piece], decimals: int) -> int:
    return sum(
        width(piece) + 2 if isinstance(piece, str) else grids.grid_width(piece, decimals) for piece in pieces
    )


def _pieces(scene: Scene, expression: Expression, expansion: Expansion | None, needs: int = 0) -> Iterator[Piece]:
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
    shape = tuple(int(size) for size in scene.block.program.shapes[name]) or (1,)
    focus = _focus(expansion, name, scene.session.spot.term if scene.session.spot else None)
    kind = scene.kind(name)
    if name == "index" and values is not None:
        values = values.reshape(1)
    return Grid(name, values, shape, kind, scene.scale(kind), focus=focus, target=_go_to_term(scene, name, expansion), is_given=scene.is_given(name))


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
    place = write_place(scene.run.tree, _operation_path(scene), has_batches=len(scene.run.trace.passes) > 1)
    if len(scene.block.program.shapes[name]) == 2:
        return lambda y, x: f"go {place}[{y}].{x}"
    terms = {} if expansion is None else {factor.index: one.number for one in expansion.terms for factor in one.factors if factor.name == name}
    return lambda y, x: f"go {place}[{element}].{terms[(y,)]}" if (y,) in terms else f"go {place}[{y}]"


def _operation_path(scene: Scene) -> tuple[int, ...]:
    path = scene.run.tree.path_to(replace(scene.spot, element=None, term=None))
    assert path is not None
    return path


def result_grids(scene: Scene, name: str, expansion: Expansion | None) -> list[Grid]:
    """The result, its value before the last edit where that was another, and torch's beside it."""
    is_seen = scene.is_begun(name) and not scene.is_hidden(name)
    values = None if scene.known is None or not is_seen else scene.known[name]
    shape = tuple(int(size) for size in scene.block.program.shapes[name]) or (1,)
    kind = scene.kind(name)
    spot = scene.session.spot
    focus = (spot.element, None) if spot is not None and spot.element is not None else (None, None)
    place = None if scene.spot.operation is None else write_place(scene.run.tree, _operation_path(scene), has_batches=len(scene.run.trace.passes) > 1)
    result = Grid(
        name,
        values,
        shape,
        kind,
        scene.scale(kind),
        style="changed" if values is not None else "",
        focus=focus,
        cover="?" if scene.is_hidden(name) else "",
        target=(lambda y, x: f"go {place}[{y}]") if place else None,
        seen=scene.elements_done(name),
    )
    found = [result]
    old = scene.value_before_edit(name) if is_seen else None
    if old is not None:
        found.append(Grid(scene.look.say(torch_column.BEFORE), old, shape, kind, 1.0, style="old", is_plain=True))
    if is_seen:
        found += torch_column.grids_of(scene, name, shape)
    return found
