"""The reading of equations as magnitudes: how large the elements of a value can be at most.

Where the magnitudes of what is read show that no element of a line can overflow, nothing of the line need be computed
to know that it is finite. `UNKNOWN` says that nothing is known: an overflow may come, or what has no value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Line

UNKNOWN = math.inf
FAR = 8.0
"""How far below the largest number a magnitude stays that is known: what is rounded on the way may be larger."""

_AT_MOST_ONE = frozenset({"tanh", "sigmoid", "softmax", "live_softmax"})
_ONE_OF_THEM = frozenset(
    {
        "relu",
        "neg",
        "abs",
        "max",
        "min",
        "maximum",
        "minimum",
        "largest",
        "cat",
        "head",
        "tail",
        "spread",
        "lookup",
    }
)


def largest(array: Array) -> float:
    """Give the largest magnitude of an array; `UNKNOWN` where an element is not finite, 0 of none."""
    if not array.size:
        return 0.0
    found = max(float(np.max(array)), -float(np.min(array)))  # NaN goes through both
    return found if math.isfinite(found) else UNKNOWN


class Magnitudes:
    """The reading of a program's expressions, of the steps of so many rows."""

    def __init__(self, program: Program, dtype: np.dtype[np.floating], rows: int = 1) -> None:
        self._limit = float(np.finfo(dtype).max) / FAR
        self._rows = rows
        self._live = max(
            (int(shape[0]) for shape in program.banks.values()), default=1
        )  # of a bank, each is a row
        self._longest = max((int(size) for shape in program.shapes.values() for size in shape), default=1)

    def lines(
        self, lines: tuple[Line, ...], known: Mapping[str, float], measured: Mapping[str, float]
    ) -> dict[str, float]:
        """Bound lines in order, each seeing those before; of those in `measured` the magnitude is known already."""
        seen = dict(known)
        for line in lines:
            if line.name in measured:
                seen[line.name] = measured[line.name]
            else:
                seen[line.name] = self._settled(evaluate(line.expression, seen, self))
        return {line.name: seen[line.name] for line in lines}

    def number(self, value: float) -> float:
        """A number."""
        return self._settled(abs(value))

    def pick(self, base: float, index: int) -> float:  # noqa: ARG002 - as every reading
        """One element."""
        return base

    def apply(self, op: str, args: tuple[float, ...]) -> float:
        """An operation: `UNKNOWN` where an argument is, so that no function hides an overflow inside a line."""
        return UNKNOWN if UNKNOWN in args else self._settled(self._most(op, args))

    def _settled(self, most: float) -> float:
        return most if most < self._limit else UNKNOWN

    def _most(self, op: str, of: tuple[float, ...]) -> float:
        if op in _AT_MOST_ONE or OPERATIONS[op].forward in _QUESTIONS:
            return 1.0
        if op in _ONE_OF_THEM:
            return max(of)
        match op:
            case "chosen" | "placed" | "part" | "within" | "passed" | "to_each" | "where_largest":
                return of[0]
            case "add" | "sub":
                return of[0] + of[1]
            case "mul" | "products":
                return of[0] * of[1]
            case "matmul" | "on_each" | "scored" | "mixed":
                return of[0] * of[1] * self._longest
            case "pullback":
                products = sum(w * g for w, g in zip(of[::2], of[1::2], strict=True))
                return products * self._longest
            case "outer":
                return of[0] * of[1] * self._rows * self._live
            case "rows" | "scatter":
                return of[0] * self._rows
            case "sum" | "mean" | "over_each":
                return of[0] * self._longest
            case "softplus":
                return of[0] + 1
            case "log_softmax":
                return 2 * of[0] + math.log(self._longest + 1)
        return UNKNOWN


_QUESTIONS = frozenset(
    OPERATIONS[name].forward
    for name in (
        "lt",
        "le",
        "gt",
        "ge",
        "eq",
        "ne",
        "and",
        "or",
        "not",
        "isnan",
        "isinf",
        "isfinite",
        "any",
        "all",
    )
)
