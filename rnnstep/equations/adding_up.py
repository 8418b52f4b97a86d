"""Whether the numbers of a worked line, as they are written, give the result as it is written.

`0.4088 − 0.2292` is 0.1796 to whoever adds it up, though the element is 0.1797. A line is reckoned here from
what stands in it: sums, products, quotients and what chooses between numbers exactly, functions in float64,
and the whole rounded half away from zero to the precision of the result that is written beside it.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction

import numpy as np

from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.pieces import Applied, Factor, MarkedTerm, Piece, Total, WrittenPiece

Exact = Decimal | Fraction | float
"""A number without rounding: a decimal, a quotient of two; a float where it is not finite."""

_DIGITS = Context(prec=100_000, rounding=ROUND_HALF_UP, Emax=999_999, Emin=-999_999, traps=[])
_FARTHEST = 400  # powers of ten that a float reaches, and some more

_BETWEEN: Mapping[str, Callable[..., Exact]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
    "abs": abs,
    "relu": lambda a: max(a, 0),
    "max": lambda *values: max(values),
    "min": lambda *values: min(values),
    "maximum": max,
    "largest": max,
    "minimum": min,
}


def read(text: str) -> Exact:
    """Read a number as a view has written it: `−0.0700`, `2.0e-9`, `1.23e5`, `NaN`, `−inf`."""
    found = Decimal(text.replace("−", "-"))
    if not found.is_finite():
        return float(found)
    return found if abs(found.adjusted()) <= _FARTHEST else Decimal(float(found))


def adds_up(piece: Piece, written: Callable[[float], str], result: str) -> bool:
    """Whether a piece, its numbers as they are `written`, gives the result as it is written."""
    return is_rounded_to(reckoned(piece, written), result)


def reckoned(piece: Piece, written: Callable[[float], str]) -> Exact:
    """Reckon a piece with the numbers that are written."""
    with localcontext(_DIGITS):
        return _reckoned(piece, written)


def is_rounded_to(value: Exact, result: str) -> bool:
    """Whether a number, rounded half away from zero to the precision of a written one, is that one."""
    shown = read(result)
    if isinstance(value, float) or isinstance(shown, float):
        return str(value) == str(shown)  # inf, -inf or nan
    exponent = shown.as_tuple().exponent if isinstance(shown, Decimal) else 0
    assert isinstance(exponent, int)
    exact, half = Fraction(shown), Fraction(10) ** exponent / 2
    reckoned_to = Fraction(value)
    apart = abs(reckoned_to - exact)
    return apart < half or (apart == half and abs(exact) > abs(reckoned_to))


def are_alike(first: Exact, second: Exact, decimals: int) -> bool:
    """Whether two numbers are the same when both are rounded, half away from zero, to so many decimals."""
    if isinstance(first, float) or isinstance(second, float):
        return str(first) == str(second)
    return _units(first, decimals) == _units(second, decimals)


def _units(value: Decimal | Fraction, decimals: int) -> int:
    size = math.floor(abs(Fraction(value)) * Fraction(10) ** decimals + Fraction(1, 2))
    return size if value >= 0 else -size


def _reckoned(piece: Piece, written: Callable[[float], str]) -> Exact:
    match piece:
        case Factor(value=value):
            return read(written(value))
        case WrittenPiece(text=text):
            return read(text)
        case MarkedTerm(piece=inner):
            return _reckoned(inner, written)
        case Total(parts=parts):
            return _applied("sum", [_reckoned(part, written) for part in parts])
        case Applied(op=op, args=args):
            return _applied(op, [_reckoned(argument, written) for argument in args])


def _applied(op: str, values: Sequence[Exact]) -> Exact:
    if any(isinstance(value, float) for value in values):
        return _in_floats(op, values)
    if any(isinstance(value, Fraction) for value in values):
        values = [Fraction(value) for value in values]
    if op in ("div", "ratio"):
        above, below = (Fraction(value) for value in values)
        if below:
            return above / below
        return Fraction(0) if op == "ratio" else _in_floats(op, values)
    if op == "sum":
        return sum(values[1:], start=values[0])
    if op in _BETWEEN:
        return _BETWEEN[op](*values)
    return _in_floats(op, values)


def _in_floats(op: str, values: Sequence[Exact]) -> Exact:
    """Apply an operation of the table in float64."""
    row = OPERATIONS[op]
    with np.errstate(all="ignore"):
        floats = np.array([float(value) for value in values])
        found = float(np.sum(row.forward(floats) if row.kind == "reduction" else row.forward(*floats)))
    return Decimal(found) if math.isfinite(found) else found
