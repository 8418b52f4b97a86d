"""One walk over a tree, in the reading that is asked: values, intervals, or error bounds.

A reading turns numbers, picks and operations into its own kind of value; the walk is the
same for all of them, so a new reading is a new class and nothing else. `Values` stands here; the bounds of a
calculation by hand and those of what two right programs may differ by stand where they are used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar, cast

import numpy as np

from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Pick

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
    """The reading as numbers, in the dtype of what is given.

    Args:
        is_silenced: whether numpy's warnings are off already (`np.errstate`): an eighth of the time of a small
            operation.
    """

    def __init__(self, *, is_silenced: bool = False) -> None:
        self._is_silenced = is_silenced

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
        if self._is_silenced:
            return _applied(op, args)
        with np.errstate(all="ignore"):
            return _applied(op, args)


def _applied(op: str, args: tuple[Array, ...]) -> Array:
    out = OPERATIONS[op].forward(*args)
    # Numbers alone stay a Python float, or numpy would make float64 of the array beside it.
    if isinstance(args[0], float) and all(isinstance(value, float) for value in args):
        return cast(Array, float(out))
    return out
