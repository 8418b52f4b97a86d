"""How an element is worked out, stage by stage: numbers put in, then products, then sums, down to the result.

    0.11·0.50 − 0.12·0.25 + 0.12  =  0.06 − 0.03 + 0.12  =  0.15

Every stage does the operations whose numbers are all there, and writes each result down rounded. `≈` stands
between two stages that differ when both are reckoned without rounding on the way, `=` between others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rnnstep.equations.adding_up import are_alike, reckoned
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.expand import expand
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.pieces import Applied, Factor, MarkedTerm, Piece, Token, Total, WrittenPiece, tokens
from rnnstep.equations.syntax import Apply, Expression, Line, Pick
from rnnstep.equations.write import BLACKBOARD, write
from rnnstep.worksheet.pocket_calculator import Pocket


class WorkingStage(NamedTuple):
    """What an element is worked out to.

    Attributes:
        sign: "=" or "≈", which stands before it.
        tokens: of the stage.
    """

    sign: str
    tokens: tuple[Token, ...]


def stages(line: Line, element: int, known: Mapping[str, Array], pocket: Pocket) -> Iterator[WorkingStage]:
    """The right side of an element with its numbers put in, and what becomes of it; the result is the last stage."""
    inner = dict(_inner(line.expression, known, pocket))
    piece = _with_inner(expand(line, element, known, skip_zeros=True).piece, inner)
    sign = "="
    while not _is_number(piece):
        yield WorkingStage(sign, tokens(piece))
        before, piece = piece, _reduced(piece, pocket)
        sign = "=" if _are_alike(before, piece, pocket.decimals) else "≈"
    yield WorkingStage(sign, tokens(_number(_value(piece))))


def _are_alike(before: Piece, after: Piece, decimals: int) -> bool:
    def written(value: float) -> str:
        return f"{value:.{decimals}f}"

    return are_alike(reckoned(before, written), reckoned(after, written), decimals)


# ── products inside products, which stand for their value ────────────────────────────


def _inner(expression: Expression, known: Mapping[str, Array], pocket: Pocket) -> Iterator[tuple[str, Array]]:
    """Every product and reduction inside an expression, under the name that its elements have."""
    match expression:
        case Apply(op=op, args=args):
            if OPERATIONS[op].kind != "elementwise":
                points = {name: point(value) for name, value in known.items()}
                value = evaluate(expression, points, pocket)[0]
                yield write(Pick(expression, 0), BLACKBOARD).removesuffix("[0]"), value
            for argument in args:
                yield from _inner(argument, known, pocket)
        case Pick(base=base):
            yield from _inner(base, known, pocket)


def _with_inner(piece: Piece, inner: Mapping[str, Array]) -> Piece:
    match piece:
        case MarkedTerm(piece=marked):
            return _with_inner(marked, inner)
        case Factor(name=name, index=index) if name in inner:
            return piece.__class__(name, index, float(inner[name][index]))
        case Total(parts=parts):
            return Total(tuple(_with_inner(part, inner) for part in parts))
        case Applied(op=op, args=args):
            return Applied(op, tuple(_with_inner(argument, inner) for argument in args))
    return piece


# ── one stage ────────────────────────────────────────────────────────────────────────


def _reduced(piece: Piece, pocket: Pocket) -> Piece:
    """Do all operations whose numbers are there; what is added up waits until all of it is."""
    match piece:
        case Total() | Applied(op="add" | "sub"):
            return _sum_reduced(piece, pocket)
        case Applied(op=op, args=args):
            if all(map(_is_number, args)):
                return _applied(op, args, pocket)
            return Applied(op, tuple(_reduced(argument, pocket) for argument in args))
    return piece


def _sum_reduced(piece: Total | Applied, pocket: Pocket) -> Piece:
    addends = list(_addends(piece))
    if not all(_is_number(part) for _, part in addends):
        return _with_addends(piece, lambda part: _reduced(part, pocket))
    if isinstance(piece, Total) or all(_is_on_grid(_value(part), pocket) for _, part in addends):
        terms = np.array([sign * _value(part) for sign, part in addends])
        return _number(pocket.apply("sum", (point(terms),))[0][0])
    if all(map(_is_number, piece.args)):
        return _applied(piece.op, piece.args, pocket)
    return Applied(piece.op, tuple(_reduced(argument, pocket) for argument in piece.args))


def _addends(piece: Piece, sign: float = 1.0) -> Iterator[tuple[float, Piece]]:
    """The parts of sums and differences inside one another, with their signs; of anything else itself."""
    match piece:
        case Total(parts=parts):
            for part in parts:
                yield from _addends(part, sign)
        case Applied(op="add" | "sub" as op, args=(first, second)):
            yield from _addends(first, sign)
            yield from _addends(second, sign if op == "add" else -sign)
        case _:
            yield sign, piece


def _with_addends(piece: Piece, other: Callable[[Piece], Piece]) -> Piece:
    """The same sums and differences of other parts."""
    match piece:
        case Total(parts=parts):
            return Total(tuple(_with_addends(part, other) for part in parts))
        case Applied(op="add" | "sub" as op, args=args):
            return Applied(op, tuple(_with_addends(argument, other) for argument in args))
    return other(piece)


def _applied(op: str, args: Sequence[Piece], pocket: Pocket) -> Piece:
    """An operation on numbers: of a reduction they are the elements of its vector."""
    if OPERATIONS[op].kind == "reduction":
        return _number(pocket.apply(op, (_points(args),))[0][0])
    return _number(pocket.apply(op, tuple(point(np.array([_value(one)])) for one in args))[0][0])


def _points(parts: Sequence[Piece]) -> Interval:
    return point(np.array([_value(part) for part in parts]))


def _is_number(piece: Piece) -> bool:
    return isinstance(piece, Factor | WrittenPiece)


def _is_on_grid(value: float, pocket: Pocket) -> bool:
    """Whether a number is one of the sheet's decimals: then it does not matter when it is added."""
    return float(pocket.down(np.array(value))) == value


def _value(piece: Piece) -> float:
    assert isinstance(piece, Factor | WrittenPiece)
    return piece.value


def _number(value: float) -> Factor:
    return Factor("", (), float(value))
