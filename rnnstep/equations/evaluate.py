"""One walk over a tree, in the reading that is asked: values, intervals, or error bounds.

A reading turns numbers, picks and operations into its own kind of value; the walk is the
same for all of them, so a new reading is a new small class and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations import intervals
from rnnstep.equations.bounds import Pair, at_once
from rnnstep.equations.operations import OPERATIONS, Array, Interval
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Pick

V = TypeVar("V")

_DECIMAL_ROUNDING = 2.0**-53  # of a number's decimals to the nearest float64


class Reading(Protocol[V]):
    """What a reading must say of the three things a tree is made of."""

    def number(self, value: float) -> V:
        """A number written in an equation."""

    def pick(self, base: V, index: int) -> V:
        """One element of a vector, as a vector of length one."""

    def apply(self, op: str, args: tuple[V, ...]) -> V:
        """An operation of the table."""


def evaluate(expression: Expression, known: Mapping[str, V], reading: Reading[V]) -> V:
    """Read one expression; `known` holds what its names stand for.

    Raises:
        KeyError: a name that `known` does not hold.
    """
    # Most of what is computed comes by here: no `match`, which asks for each case in turn, and no generator.
    if isinstance(expression, Apply):
        args = tuple([evaluate(argument, known, reading) for argument in expression.args])
        return reading.apply(expression.op, args)
    if isinstance(expression, Name):
        return known[expression.id]
    if isinstance(expression, Pick):
        return reading.pick(evaluate(expression.base, known, reading), expression.index)
    return reading.number(expression.value)


def evaluate_lines(lines: tuple[Line, ...], known: Mapping[str, V], reading: Reading[V]) -> dict[str, V]:
    """Read lines in order, each seeing those before; give what they name."""
    seen = dict(known)
    for line in lines:
        seen[line.name] = evaluate(line.expression, seen, reading)
    return {line.name: seen[line.name] for line in lines}


class Values:
    """The reading as numbers, in the dtype of what is given."""

    def number(self, value: float) -> Array:
        """A number, which takes the dtype of the array beside it."""
        return value  # type: ignore[return-value]

    def pick(self, base: Array, index: int) -> Array:
        """One element of a vector, of length one."""
        size = base.shape[-1]
        start = index % size
        return base[..., start : start + 1]

    def apply(self, op: str, args: tuple[Array, ...]) -> Array:
        """An operation's value."""
        with np.errstate(all="ignore"):
            return _applied(op, args)


def _applied(op: str, args: tuple[Array, ...]) -> Array:
    out = OPERATIONS[op].forward(*args)
    # Numbers alone stay a Python float, or numpy would make float64 of the array beside it.
    if isinstance(args[0], float) and all(isinstance(value, float) for value in args):
        return cast(Array, float(out))
    return out


class BareValues(Values):
    """The same for who has silenced numpy already (`np.errstate`): an eighth of the time of a small operation."""

    def apply(self, op: str, args: tuple[Array, ...]) -> Array:
        """An operation's value."""
        return _applied(op, args)


class Intervals:
    """The reading as bounds: pairs `(low, high)` in float64."""

    def number(self, value: float) -> Interval:
        """A number, as exact."""
        return intervals.point(value)

    def pick(self, base: Interval, index: int) -> Interval:
        """One element of a vector, of length one."""
        start = index % base[0].shape[-1]
        return base[0][..., start : start + 1], base[1][..., start : start + 1]

    def apply(self, op: str, args: tuple[Interval, ...]) -> Interval:
        """Bounds of an operation's value."""
        return OPERATIONS[op].interval(*args)


class Product(tuple[Array, "NDArray[np.float64]"]):  # noqa: SLOT001 - a tuple with an attribute cannot have slots
    """The pair of a matrix product: what is added to it may have been in its sums from the first of its terms on.

    Attributes:
        terms: how many products each of its elements is the sum of.
    """

    terms: int

    def __new__(cls, value: Array, error: NDArray[np.float64], terms: int) -> Self:
        """Make the pair, and keep the number of its terms."""
        pair = super().__new__(cls, (value, error))
        pair.terms = terms
        return pair


class Errors:
    """The reading as `(value, error)`: what is computed, and how far off it may be."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._dtype = np.dtype(dtype)
        self._roundoff = float(np.finfo(dtype).eps) / 2
        self._values = BareValues()

    def number(self, value: float) -> Pair:
        """A number, and how far its rounding to the dtype may take it."""
        # A number written in decimals is rounded twice: to Python's float, and to the dtype.
        with np.errstate(over="ignore"):
            rounding = abs(float(self._dtype.type(value)) - value)
        if not value.is_integer():
            rounding += abs(value) * _DECIMAL_ROUNDING
        return value, np.float64(rounding)  # type: ignore[return-value]

    def pick(self, base: Pair, index: int) -> Pair:
        """One element of a vector, of length one."""
        start = index % base[0].shape[-1]
        return base[0][..., start : start + 1], base[1][..., start : start + 1]

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation's value, and its error with what its arguments' brought along."""
        with np.errstate(all="ignore"):
            return self._bounded(op, args)

    def _bounded(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """The same for who has silenced numpy already."""
        values = tuple([value for value, _ in args])
        out = at_once(values[1], values[0].T) if op == "matmul" else self._values.apply(op, values)
        error = np.asarray(OPERATIONS[op].error(self._roundoff, out, *args), dtype=np.float64)
        if op in ("add", "sub"):
            error = error + self.onto(args)
        # A value that overflowed may belong anywhere, and ∞ − ∞ inside a rule says nothing either.
        error = np.where(np.isnan(error) | ~np.isfinite(out), np.inf, error)
        return Product(out, error, args[0][0].shape[-1]) if op == "matmul" else (out, error)

    def onto(self, args: tuple[Pair, ...]) -> Any:
        """What summing onto a bias costs more than adding it last: a library may begin with it.

        Every one of the n partial sums then holds it, so n·u·|b| comes on top (Higham 2002, section 4.2).
        """
        terms = [getattr(pair, "terms", 0) for pair in args]
        return self._roundoff * (terms[0] * np.abs(args[1][0]) + terms[1] * np.abs(args[0][0]))
