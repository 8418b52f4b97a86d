"""What cutting digits off, where they are to be rounded, can give: as `checking.rounding` has it of honest rounding."""

from __future__ import annotations

import numpy as np

from rnnstep.checking.rounding import ON_GRID, Rounded
from rnnstep.equations import intervals
from rnnstep.equations.intervals import Bound, Interval


class Cut(Rounded):
    """The reading of one who cuts off what stands behind the last digit, or carries more digits and cuts later."""

    nearest = 1.0

    def _lowest(self, low: Bound) -> Bound:
        """The least of what is left of numbers from a bound on: of one below 0 itself, as cutting moves it towards 0."""
        found = np.floor(np.maximum(low, 0.0) * 10.0**self.decimals + ON_GRID) * 10.0**-self.decimals
        return np.where((low > 0) & np.isfinite(found), np.minimum(found, low), low)

    # Of functions that people write as several operations, what comes of powers that are cut all alike, or not at all.

    def _tanh(self, a: Interval) -> Interval:
        """1 − 2/(1 + r) of r = exp(2a), or of exp(a) over exp(−a)."""
        up, down = intervals.exp(a), intervals.exp(intervals.neg(a))
        square = intervals.exp((2 * a[0], 2 * a[1]))
        low = np.fmin(self._lowest(up[0]) / self._lowest(down[1]), self._lowest(square[0]))
        high = np.fmax(self._lowest(up[1]) / self._lowest(down[0]), square[1])
        low, high = self._rounded((1 - 2 / (1 + low), 1 - 2 / (1 + high)))
        key = self._rounded(intervals.tanh(a))
        return np.fmin(np.fmax(low, -1.0), key[0]), np.fmax(np.fmin(high, 1.0), key[1])

    def _softmax(self, a: Interval) -> Interval:
        """Each power over the sum of them, with or without the largest a."""
        low, high = intervals.softmax(a)
        for top in (0.0, np.max(a[1], axis=-1, keepdims=True)):
            powers = intervals.exp((a[0] - top, a[1] - top))
            least, most = self._rounded(powers)[0], powers[1]
            low = np.fmin(low, least / (least + most.sum(axis=-1, keepdims=True) - most))
            high = np.fmax(high, most / (most + least.sum(axis=-1, keepdims=True) - least))
        return self._rounded((low, high))
