"""Readings that only mistakes hold: the other key of the calculator, a product along the wrong axis, digits cut off."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rnnstep.checking.rounding import ON_GRID, Rounded
from rnnstep.equations import intervals
from rnnstep.equations.intervals import Bound, Interval, outward

_STEPS = 4  # floats that a function of numpy may be off by


class WithWrongKeys(Rounded):
    """The reading with the operations that people take in the place of the right ones."""

    def _tan(self, a: Interval) -> Interval:
        """Tan of an angle; without bounds where a pole lies between."""
        with np.errstate(all="ignore"):
            low, high = outward(np.tan(a[0]), np.tan(a[1]), _STEPS)
            has_pole = np.floor(a[0] / np.pi + 0.5) != np.floor(a[1] / np.pi + 0.5)
        return self._rounded((np.where(has_pole, -np.inf, low), np.where(has_pole, np.inf, high)))

    def _tan_of_degrees(self, a: Interval) -> Interval:
        return self._tan((a[0] * (np.pi / 180), a[1] * (np.pi / 180)))

    def _log10(self, a: Interval) -> Interval:
        return self._rounded(_rising(np.log10, a))

    def _log2(self, a: Interval) -> Interval:
        return self._rounded(_rising(np.log2, a))

    def _times_columns(self, w: Interval, x: Interval) -> Interval:
        """Each element times all of its column: W ⊙ x summed over the rows."""
        low, high = self._rounded(intervals.mul(w, (x[0][..., None, :], x[1][..., None, :])))
        return self._summed((np.swapaxes(low, -1, -2), np.swapaxes(high, -1, -2)))

    def _times_rows(self, w: Interval, x: Interval) -> Interval:
        """Each element times all of its row: x_i · Σ_j W_ij."""
        return self._summed(intervals.mul(w, (x[0][..., :, None], x[1][..., :, None])))


class Cut(WithWrongKeys):
    """The reading of one who cuts off what stands behind the last digit, or carries more digits and cuts later."""

    nearest = 1.0

    def _rounded(self, bounds: Interval) -> Interval:
        low, high = bounds
        return self._cut(np.maximum(low, 0.0), low), -self._cut(np.maximum(-high, 0.0), -high)

    def _cut(self, size: Bound, bound: Bound) -> Bound:
        """The least of what is left of numbers from a bound on: of one below 0 itself, as cutting moves it towards 0."""
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.floor(size * 10.0**self.decimals + ON_GRID) * 10.0**-self.decimals
        return np.where((bound > 0) & np.isfinite(found), np.minimum(found, bound), bound)


def _rising(function: Callable[[Bound], Bound], a: Interval) -> Interval:
    with np.errstate(all="ignore"):
        return outward(function(np.maximum(a[0], 0.0)), function(np.maximum(a[1], 0.0)), _STEPS)
