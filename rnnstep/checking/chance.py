"""How likely random numbers fit what was tried: whether numbers say something, or are too few or too coarse to.

A random answer has in the place of each wrong number one of those that can be written with its decimals, uniform over
the value's own range (of tanh ±1, of a gate 0 … 1, else ± twice the run's largest), but for those that are right. Its
chance to fit some mistakes is the share of such answers that lie in the bounds of any of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from rnnstep.checking.own_numbers import Place
from rnnstep.engine.learning import Learning
from rnnstep.engine.least_loss import bounded_state
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply

NAMED = 0.01  # below which a mistake is named
POSSIBLE = 0.1  # below which it is told as possible
_ON_GRID = 1e-6  # of a unit: what a number of some decimals is off from it in float64
_UNIT_RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "live_softmax": (0.0, 1.0)}


def own_range(learning: Learning, place: Place) -> tuple[float, float] | None:
    """Give the range that a value never leaves, whatever goes in: −1 to 1 or 0 to 1; None where there is no such."""
    if place.phase != "forward":
        return None
    done = learning.epoch(place.epoch).forward(place.batch)
    block = done.by_key[place.key]
    name = place.name
    for state in block.program.states:
        name = state if name == block.program.before(state) else name
    line = block.program.by_name.get(name)
    if line is None:
        return None
    if isinstance(line.expression, Apply) and line.expression.op in _UNIT_RANGES:
        return _UNIT_RANGES[line.expression.op]
    bound = bounded_state(learning.scenario) if block.kind == "recurrent" and name == block.output else None
    return None if bound is None else (-bound[0], bound[0])


class Tries:
    """Answers that fit one mistake or another, and how many of all random ones they are.

    Args:
        given: the wrong numbers, (n,).
        decimals: with which they are written.
        right: the bounds of what is right there.
        ranges: of the value: from and to, (n,) each.
    """

    def __init__(
        self, given: Array, decimals: int, right: tuple[Array, Array], ranges: tuple[Array, Array]
    ) -> None:
        self._unit = 10.0**-decimals
        seen = np.where(np.isfinite(given), given, 0.0)  # what lies outside widens the range
        self._range = self._grid((np.minimum(ranges[0], seen), np.maximum(ranges[1], seen)))
        self._right = self._within(self._grid(right))
        self._all = _counted(self._range) - _counted(self._right)
        self._low: list[Array] = []
        self._high: list[Array] = []
        self._line: list[tuple[float, float]] = []  # of one number: what was tried, in order and apart
        self.chance = 0.0

    def _grid(self, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        """The first and the last number that lies within bounds, in units."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.ceil(bounds[0] / self._unit - _ON_GRID), np.floor(bounds[1] / self._unit + _ON_GRID)

    def _within(self, grid: tuple[Array, Array]) -> tuple[Array, Array]:
        return np.maximum(grid[0], self._range[0]), np.minimum(grid[1], self._range[1])

    def add(self, bounds: Interval) -> float:
        """Count what a mistake gives, (n,) each; how likely a random answer fits any so far."""
        low, high = self._within(self._grid(bounds))
        if self._low and ((np.stack(self._low) <= low) & (np.stack(self._high) >= high)).all(axis=1).any():
            return self.chance  # what was tried holds all of it
        self._low.append(low)
        self._high.append(high)
        if low.size == 1:
            self._put(float(low[0]), float(high[0]))
            fits = sum(self._share(np.array([a]), np.array([b])) for a, b in self._line)
        else:
            fits = self.chance + self._share(low, high)
        self.chance = min(1.0, fits)
        return self.chance

    def share(self, bounds: Interval) -> float:
        """How likely a random answer fits what one mistake gives, (n,) each."""
        return self._share(*self._within(self._grid(bounds)))

    def _share(self, low: Array, high: Array) -> float:
        right = np.maximum(low, self._right[0]), np.minimum(high, self._right[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            each = (_counted((low, high)) - _counted(right)) / self._all
        return float(np.prod(np.where(self._all > 0, each, 1.0)))

    def _put(self, low: float, high: float) -> None:
        """Add an interval to those of one number, and join it with what it touches."""
        if low > high:
            return
        first = bisect_left(self._line, low - 1, key=lambda one: one[1])
        last = bisect_right(self._line, high + 1, key=lambda one: one[0])
        touched = self._line[first:last]
        if touched:
            low, high = min(low, touched[0][0]), max(high, touched[-1][1])
        self._line[first:last] = [(low, high)]


def _counted(grid: tuple[Array, Array]) -> Array:
    return np.maximum(grid[1] - grid[0] + 1, 0.0)


def at_least(count: int, shares: Sequence[float]) -> float:
    """How likely `count` or more of some events happen, which do not depend on each other."""
    happened = np.zeros(count + 1)  # how likely none did so far, one, …, `count` or more
    happened[0] = 1.0
    for share in shares:
        moved = happened * share
        happened -= moved
        happened[1:] += moved[:-1]
        happened[-1] += moved[-1]
    return float(happened[-1])


def once_in(times: int, chance: float) -> float:
    """How likely what has a chance happens at least once in so many times."""
    return float(-np.expm1(times * np.log1p(-min(chance, 1.0)))) if chance < 1 else 1.0
