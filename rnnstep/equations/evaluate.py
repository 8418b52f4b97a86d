"""One walk over a tree, in the reading that is asked: values, intervals, or error bounds.

A reading turns numbers, picks and operations into its own kind of value; the walk is the
same for all of them, so a new reading is a new small class and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

import numpy as np

from rnnstep.equations import intervals
from rnnstep.equations.bounds import Pair
from rnnstep.equations.operations import OPERATIONS, Array, Interval
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick

V = TypeVar("V")


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
    match expression:
        case Number(value=value):
            return reading.number(value)
        case Name(id=name):
            return known[name]
        case Pick(base=base, index=index):
            return reading.pick(evaluate(base, known, reading), index)
        case Apply(op=op, args=args):
            return reading.apply(op, tuple(evaluate(argument, known, reading) for argument in args))


def evaluate_lines(lines: tuple[Line, ...], known: Mapping[str, V], reading: Reading[V]) -> dict[str, V]:
    """Read lines in order, each seeing those before; give what they name."""
    seen = dict(known)
    for line in lines:
        seen[line.name] = evaluate(line.expression, seen, reading)
    return {line.name: seen[line.name] for line in lines}


class Values:
    """The reading as numbers, in the dtype of what is given."""

    def number(self, value: float) -> Array:
        # A Python float takes the dtype of the array beside it; an array would not.
        return value  # type: ignore[return-value]

    def pick(self, base: Array, index: int) -> Array:
        size = base.shape[-1]
        start = index % size
        return base[..., start : start + 1]

    def apply(self, op: str, args: tuple[Array, ...]) -> Array:
        with np.errstate(all="ignore"):
            return OPERATIONS[op].forward(*args)


class Intervals:
    """The reading as bounds: pairs `(low, high)` in float64."""

    def number(self, value: float) -> Interval:
        return intervals.point(value)

    def pick(self, base: Interval, index: int) -> Interval:
        start = index % base[0].shape[-1]
        return base[0][..., start : start + 1], base[1][..., start : start + 1]

    def apply(self, op: str, args: tuple[Interval, ...]) -> Interval:
        return OPERATIONS[op].interval(*args)


class Errors:
    """The reading as `(value, error)`: what is computed, and how far off it may be."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._roundoff = float(np.finfo(dtype).eps) / 2
        self._values = Values()

    def number(self, value: float) -> Pair:
        # A number written in decimals is rounded once to the dtype.
        rounding = 0.0 if float(value).is_integer() else self._roundoff * abs(value)
        return value, np.float64(rounding)  # type: ignore[return-value]

    def pick(self, base: Pair, index: int) -> Pair:
        start = index % base[0].shape[-1]
        return base[0][..., start : start + 1], base[1][..., start : start + 1]

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        out = self._values.apply(op, tuple(value for value, _ in args))
        return out, OPERATIONS[op].error(self._roundoff, out, *args)
