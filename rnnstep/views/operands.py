"""What a line reads as it stands on a blackboard: grids with signs between, what a product reads turned as it is read.

∂h_prev = W_hhᵀ·∂hh       W turned, so that the row of the result reads a row
∂W_hh_t = ∂hh·h_prevᵀ     a column times a row; of B rows together n×B times B×m
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from rnnstep.equations.expand import Expansion
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.equations.write import SPELT, is_number, written_args, written_out
from rnnstep.session.tree import Index, index_of
from rnnstep.views import grids
from rnnstep.views.grids import Grid
from rnnstep.views.scene import Scene

Piece = str | Grid
"""A sign, or what stands between signs."""

_SIGNS = {"matmul": "·", "mul": "⊙", "add": "+", "sub": "−", "div": "/"}
_PRODUCT = OPERATIONS["mul"].precedence
_MOST_PLACES = 6
"""How many rows of a table are named where the rows of a batch add to several."""


def pieces_of(scene: Scene, expression: Expression, expansion: Expansion | None) -> list[Piece]:
    """Write a line's right side from left to right."""
    return _joined(_Writer(scene, expansion).write(expression))


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Write signs that follow each other as one: `(`, `1`, `−` as `(1 −`."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            before = found[-1]
            is_tight = before.endswith("(") or piece[:1] in (")", ",")
            found[-1] = before + piece if is_tight else f"{before} {piece}"
        else:
            found.append(piece)
    return found


class _Writer:
    """Writes a tree as signs and grids, the elements that the cursor reads marked."""

    def __init__(self, scene: Scene, expansion: Expansion | None) -> None:
        self._scene = scene
        self._expansion = expansion
        self._products = 0  # terms of the products so far: where a click on the next one's matrix goes

    def write(self, expression: Expression, needs: int = 0) -> Iterator[Piece]:
        """Write a tree, in brackets where it binds less than `needs`."""
        match expression:
            case Number(text=text):
                yield text
            case Name(id=name):
                yield operand(self._scene, name, self._expansion)
            case Pick(base=base, index=index):
                yield from self.write(base, 9)
                yield f"[{index}]"
            case Apply(op=op, args=args) if (other := written_out(op, args)) is not None:
                yield from self.write(other, needs)
            case Apply(op=op, args=args) if OPERATIONS[op].kind == "inner":
                yield from self._inner(op, args, needs)
            case Apply(op=op, args=args) if not OPERATIONS[op].symbol:
                yield f"{SPELT.get(op, op)}("
                for number, argument in enumerate(written_args(op, args)):
                    yield from [","] if number else []
                    yield from self.write(argument)
                yield ")"
            case Apply(op=op, args=(argument,)):
                yield "−" if op == "neg" else op
                yield from self.write(argument, OPERATIONS[op].precedence)
            case Apply(op=op, args=(left, right)):
                own = OPERATIONS[op].precedence
                if own < needs:
                    yield "("
                yield from self.write(left, own)
                yield self._sign(op, left, right)
                yield from self.write(right, own + 1)
                if own < needs:
                    yield ")"

    def _sign(self, op: str, left: Expression, right: Expression) -> str:
        """`⊙` between vectors, `·` where one number scales all of one; in ASCII `@` is of matrices alone."""
        if self._scene.look.alphabet.is_ascii and op in ("matmul", "mul"):
            return OPERATIONS[op].symbol
        if op == "mul" and (self._is_one_number(left) or self._is_one_number(right)):
            return "·"
        return _SIGNS.get(op, OPERATIONS[op].symbol)

    @property
    def _of_matrices(self) -> str:
        """The sign of a product of matrices."""
        return "@" if self._scene.look.alphabet.is_ascii else "·"

    def _is_one_number(self, expression: Expression) -> bool:
        if isinstance(expression, Name):
            return self._scene.shape(expression.id) == (1,)
        return is_number(expression)

    def _inner(self, op: str, args: tuple[Expression, ...], needs: int) -> Iterator[Piece]:
        match op:
            case "pullback":
                yield from self._pulled_back(args, needs)
            case "outer":
                is_one = self._is_one_row(args[0])
                yield from self.write(args[0], _PRODUCT) if is_one else self._turned(args[0])
                yield self._of_matrices
                yield from self._turned(args[1]) if is_one else self.write(args[1], _PRODUCT + 1)
            case "rows":
                yield "Σ"
                yield from self._turned(args[0])
            case "part":
                start, stop = (one.text for one in args[1:] if isinstance(one, Number))
                yield from self.write(args[0], 9)
                yield f"[{start}:{stop}]"
            case "layer_norm" | "normalized_back":
                yield f"{op}("
                for position, argument in enumerate(written_args(op, args)):
                    yield from (",",) if position else ()
                    yield from self.write(argument)
                yield ")"
            case "cat":
                yield from self.write(args[0])
                yield ";"
                yield from self.write(args[1])
            case "spread" | "to_each":
                yield from self.write(args[0], needs)
            case "scored" | "mixed" | "on_each" | "over_each" | "products" | "live_softmax":
                yield from self._of_bank(op, args, needs)
            case "head" | "tail":
                yield from self.write(args[0], 9)
                size = self._length(args[1])
                yield f"[: {size}]" if op == "head" else f"[−{size} :]"
            case _:
                yield from self.write(args[0], _PRODUCT)
                at = self._place(args[1])
                yield {"placed": f"at [{at}]", "scatter": f"at row [{at}]"}.get(op, f"[{at}]")

    def _of_bank(self, op: str, args: tuple[Expression, ...], needs: int) -> Iterator[Piece]:
        """What is done with a bank, whose vectors are rows; where they are added up they are columns."""
        if op == "live_softmax":
            yield "softmax("
            yield from self.write(args[0])
            yield "where"
            yield from self.write(args[1])
            yield ")"
            return
        is_bracketed = needs > _PRODUCT
        yield from ["("] if is_bracketed else []
        match op:
            case "over_each":
                yield "Σₛ"
                yield from self._turned(args[0])
            case "mixed":
                yield from self._turned(args[1])
                yield self._of_matrices
                yield from self.write(args[0], _PRODUCT + 1)
            case _:
                yield from self.write(args[0], _PRODUCT + 1)
                yield self._of_matrices
                yield from self.write(args[1], _PRODUCT + 1) if op == "scored" else self._turned(args[1])
        yield from [")"] if is_bracketed else []

    def _pulled_back(self, args: tuple[Expression, ...], needs: int) -> Iterator[Piece]:
        """`Wᵀ·g + …`."""
        is_bracketed = len(args) > 2 and needs > OPERATIONS["add"].precedence
        yield from ["("] if is_bracketed else []
        for number in range(0, len(args), 2):
            yield from ["+"] if number else []
            yield from self._turned(args[number])
            yield self._of_matrices
            yield from self.write(args[number + 1], _PRODUCT + 1)
            self._products += self._length(args[number + 1])
        yield from [")"] if is_bracketed else []

    def _turned(self, expression: Expression) -> Iterator[Piece]:
        """Write a value with its rows as columns."""
        if isinstance(expression, Name):
            yield turned(operand(self._scene, expression.id, self._expansion, self._products))
            return
        yield "("
        yield from self.write(expression)
        yield ")ᵀ"

    def _is_one_row(self, expression: Expression) -> bool:
        return not isinstance(expression, Name) or len(self._scene.block.program.shapes[expression.id]) < 2

    def _length(self, expression: Expression) -> int:
        return self._scene.shape(expression.id)[0] if isinstance(expression, Name) else 0

    def _place(self, expression: Expression) -> str:
        """The index that is meant; of the rows of a batch as many as are easily read."""
        if isinstance(expression, Number):
            return expression.text
        known = self._scene.known
        if not isinstance(expression, Name) or known is None:
            return "index"
        places = np.asarray(known[expression.id]).reshape(-1)
        more = ", …" if len(places) > _MOST_PLACES else ""
        return ", ".join(str(int(place)) for place in places[:_MOST_PLACES]) + more


def turned(grid: Grid) -> Grid:
    """A grid with its rows as columns; a vector as one row."""
    rows, columns = grid.rows, grid.columns
    target = grid.target
    down, across = grid.focus
    if len(grid.shape) < 2 and down is not None:
        across = 0
    return replace(
        grid,
        title=f"{grid.title}ᵀ",
        values=None if grid.values is None else np.asarray(grid.values).reshape(rows, columns).T,
        shape=(columns, rows),
        focus=(across, down),
        centre=grid.centre[::-1],
        target=None if target is None else lambda y, x: target(x, y),
        changed=None if grid.changed is None else grid.changed.reshape(rows, columns).T,
    )


def operand(scene: Scene, name: str, expansion: Expansion | None = None, products: int = 0) -> Grid:
    """The grid of a value that a line reads, the elements that the cursor reads marked.

    `products` is how many terms come before those of this name, where it is the matrix of a product.
    """
    known = scene.known
    values = None if known is None else known.get(name)
    kind = scene.kind(name)
    shape = scene.shape(name)
    if name == "index" and values is not None:
        values = values.reshape(1)
    if (
        len(shape) > 2 and scene.spot.phase != "update"
    ):  # a bank of each row of the batch: one below the other
        shape = (math.prod(shape[:-1]), shape[-1])
        values = None if values is None else values.reshape(shape)
    return Grid(
        name,
        values,
        shape,
        kind,
        scene.scale_of(name),
        focus=_focus(scene, expansion, name),
        centre=_centre(scene, name, expansion),
        target=_go_to_term(scene, name, expansion, products),
        is_given=scene.is_given(name),
        changed=scene.changed_by_edit(name),
    )


def _centre(scene: Scene, name: str, expansion: Expansion | None) -> tuple[int | None, int | None]:
    """The element at the cursor, for what is as long as the result: its rows stay beside each other."""
    spot = scene.cursor
    if spot is None or spot.element is None or spot.operation is None or expansion is None:
        return None, None
    if len(_terms_reading(expansion, name)) > 1:  # the vector of a product goes with the matrix's columns
        return None, None
    index = index_of(scene.block, spot.operation, spot.element)
    is_as_long = bool(index) and scene.shape(name)[0] == scene.shape(spot.operation)[0]
    return (index[0] if is_as_long else None), None


def _focus(scene: Scene, expansion: Expansion | None, name: str) -> tuple[int | None, int | None]:
    """The element of a name that the cursor's term reads; of a matrix the row or column that an element reads."""
    if expansion is None:
        return None, None
    term, shape = scene.cursor.term if scene.cursor else None, scene.shape(name)
    read = {
        factor.index
        for one in expansion.terms
        if term is None or one.number == term
        for factor in one.factors
        if factor.name == name
    }
    if not read:
        return None, None
    if len(read) == 1 and len(shape) > 2 and scene.spot.phase == "update":
        return grids.in_grid(next(iter(read)), shape)
    rows = {_row(index, shape) for index in read}
    columns = {index[-1] for index in read if len(index) > 1}
    return rows.pop() if len(rows) == 1 else None, columns.pop() if len(columns) == 1 else None


def _row(index: Index, shape: tuple[int, ...]) -> int:
    """The row of a grid that an element is in: of (m, n) the first index, of (B, S, n) the vectors one below the other."""
    before = index[:-1] or index
    return int(np.ravel_multi_index(before, shape[: len(before)])) if before else 0


def _go_to_term(scene: Scene, name: str, expansion: Expansion | None, products: int) -> grids.TargetAt | None:
    """A click on an operand goes to the term that reads it."""
    operation = scene.spot.operation
    if operation is None:
        return None
    place = scene.place(operation)
    shape, result = scene.shape(name), scene.shape(operation)
    if len(shape) > 2 and scene.spot.phase == "update":
        return grids.ElementTarget(place, shape)
    if len(shape) == 2 and len(result) == 2:
        return (lambda y, x: f"go {place}[{y},{x}]") if shape == result else lambda *_: f"go {place}"
    if len(shape) == 2 and scene.is_forward and scene.block.program.banks:
        return _go_into_bank(scene, name, place)
    if len(shape) == 2 and scene.is_forward:
        return lambda y, x: f"go {place}[{y}].{x}"
    if len(shape) == 2:  # of a product's matrix a column is read
        is_product = name in scene.block.parameters
        return lambda y, x: f"go {place}[{x}].{products + y}" if is_product else f"go {place}"
    terms = {} if expansion is None else _terms_reading(expansion, name)
    index = "0" if expansion is None else ",".join(map(str, expansion.index)) or "0"
    whole = f"go {place}" if len(result) == 2 or shape[0] > result[0] else None
    return lambda y, _: f"go {place}[{index}].{terms[y]}" if y in terms else whole or f"go {place}[{y}]"


def _go_into_bank(scene: Scene, name: str, place: str) -> grids.TargetAt:
    """From vector y of a bank to what is made of it alone, or of its element x; where it is read otherwise to the line."""
    if scene.block.reads_all_rows and name in scene.block.program.banks:
        return lambda y, x: f"go {place}[{x}].{y}"
    match scene.block.program.by_name[scene.spot.operation or ""].expression:
        case Apply(op="mixed", args=(_, Name(id=bank))) if bank == name:
            return lambda y, x: f"go {place}[{x}].{y}"
        case Apply(op="scored", args=(Name(id=bank), _)) if bank == name:
            return lambda y, x: f"go {place}[{y}].{x}"
    if name in scene.block.program.banks:
        return lambda y, _: f"go {place}[{y}]"
    return lambda *_: f"go {place}"


def _terms_reading(expansion: Expansion, name: str) -> dict[int, int]:
    """For each element of a vector the term that reads it."""
    return {
        factor.index[0]: term.number
        for term in expansion.terms
        for factor in term.factors
        if factor.name == name and len(factor.index) == 1
    }
