"""One number for each value: that of a pocket calculator, each result written down with so many decimals.

The same operations as in `rounding`, but every result is rounded to the nearest number of d decimals, half away from
zero as at school, and the next operation goes on from what was written. So the numbers that a solved sheet prints
give each other exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnstep.checking.rounding import Rounded
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.syntax import Expression

_ON_GRID = 1e-4  # of a unit: what a number of d decimals in float64 is off from it at most
_FLOAT = 1e-15  # of a number: the same of many digits
_SLACK = 1e-9  # of a unit: a half in decimals may be a little less than that in float64
_MOST = 2.0**53  # units: numbers above have no more decimals in float64
_SAFE = 2**62  # products of units that fit an int64


class Pocket(Rounded):
    """The reading as one number, in pairs `(value, value)` as the other readings of a calculation have."""

    def apply(self, op: str, args: tuple[Interval, ...]) -> Interval:
        """An operation's result as it is written down."""
        values = tuple(map(_number, args))
        written = getattr(self, f"_{op}_of", None)
        with np.errstate(all="ignore"):
            result = self.down(OPERATIONS[op].forward(*values)) if written is None else written(*values)
        return point(result)

    def written(self, expression: Expression, bounds: Interval) -> Interval:  # noqa: ARG002 - as the base has it
        """A line's result, rounded already but where it only moves numbers about."""
        return point(self.down(bounds[0]))

    def down(self, value: Array) -> Array:
        """Round to the nearest number of d decimals, half away from zero; there is no −0."""
        value = np.asarray(value, np.float64)
        with np.errstate(all="ignore"):
            scaled = np.abs(value) * 10.0**self.decimals
            found = np.copysign(np.floor(scaled + 0.5 + _SLACK) / 10.0**self.decimals, value)
            return np.where(scaled < _MOST, found, value) + 0.0

    # ── what is written down on the way ──────────────────────────────────────────────

    def _mul_of(self, a: Array, b: Array) -> Array:
        """Products in whole numbers of units, where a half is a half."""
        ours, others = self._units(a), self._units(b)
        if ours is None or others is None:
            return self.down(a * b)
        if float(np.abs(ours).max(initial=0)) * float(np.abs(others).max(initial=0)) >= _SAFE:
            ours, others = ours.astype(object), others.astype(object)
        product, unit = ours * others, 10**self.decimals
        whole = np.abs(product) // unit
        part = np.abs(product) - whole * unit
        size = whole + (part >= unit - part)
        found = np.where(product < 0, -size, size).astype(np.float64)
        return np.asarray(found / 10.0**self.decimals + 0.0)

    def _units(self, value: Array) -> Array | None:
        """A number of d decimals as a whole number of units; None where it is another, as a constant may be."""
        scaled = np.asarray(value, np.float64) * 10.0**self.decimals
        nearest = np.rint(scaled)
        if not np.all(np.abs(scaled) < _MOST) or np.any(
            np.abs(scaled - nearest) > _ON_GRID + np.abs(scaled) * _FLOAT
        ):
            return None
        return nearest.astype(np.int64)

    def _matmul_of(self, w: Array, x: Array) -> Array:
        return self._sum_of(self._mul_of(w, x[..., None, :]))[..., 0]

    def _sum_of(self, a: Array) -> Array:
        return self.down(np.sum(a, axis=-1, keepdims=True))

    def _mean_of(self, a: Array) -> Array:
        return self.down(self._sum_of(a) / a.shape[-1])

    def _norm_of(self, a: Array) -> Array:
        return self.down(np.sqrt(self._sum_of(self._mul_of(a, a))))

    def _softmax_of(self, a: Array) -> Array:
        """Without the largest element, as it is computed: each power, their sum and the quotient are written down."""
        powers = self.down(np.exp(self.down(a - np.max(a, axis=-1, keepdims=True))))
        return self.down(powers / self._sum_of(powers))


def _number(one: Any) -> Any:
    """The one value of a pair; an index stands alone."""
    return one[0] if isinstance(one, tuple) else one
