"""Answers that were computed in float32: a run of the scenario's own dtype is inside the bounds, too."""

from __future__ import annotations

import numpy as np

from rnnstep.equations.intervals import Interval
from rnnstep.scenario.model import Scenario

_LEAST, _SHARE = 3e-7, 7e-7  # how far a step in float32 may be off, in all and relative to the number
_MOST_DECIMALS = 7  # that say something of a float32


def as_computed(bounds: Interval, scenario: Scenario) -> Interval:
    """Bounds that a float32 run of the same step is inside of, where the scenario is one of float32."""
    if scenario.dtype != np.float32:
        return bounds
    low, high = bounds
    size = np.maximum(np.abs(low), np.abs(high))
    slack = np.where(np.isfinite(size), _LEAST + _SHARE * size, 0.0)
    return low - slack, high + slack


def told_by(scenario: Scenario, decimals: int) -> int:
    """How many of the decimals that were written say something: of 0.12345678359270096 in float32 seven."""
    return min(decimals, _MOST_DECIMALS) if scenario.dtype == np.float32 else decimals
