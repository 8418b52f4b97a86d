"""Operations on intervals: bounds that hold whatever the exact value is.

An interval is a pair `(low, high)` of float64 arrays. Every bound is rounded outwards: one
step for what IEEE 754 rounds correctly, four for functions (numpy's are within 4 units in
the last place). Kaucher's or Kahan's extended forms are not needed: where a division's
divisor holds zero, the bounds are infinite. Bounds overflow and meet as infinities: who calls these functions has
turned numpy's warnings off (`np.errstate`), once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bound = NDArray[np.float64]
Interval = tuple[Bound, Bound]

_EPSILON = np.finfo(np.float64).eps
_FUNCTION_STEPS = 4
_AT_ONCE = 1 << 18  # numbers
_LEAST, _MOST = (
    np.array(-np.inf),
    np.array(np.inf),
)  # arrays, which numpy takes in two thirds of the time of a number


def point(value: Any) -> Interval:
    """The interval of one exact value."""
    exact = np.asarray(value, dtype=np.float64)
    return exact, exact


def below(bound: Any) -> Bound:
    """Move a lower bound down by one float; NaN becomes no bound at all. An upper one is `-below(-bound)`."""
    found: Bound = np.asarray(np.nextafter(bound, _LEAST))
    np.fmax(found, _LEAST, out=found)
    return found


def outward(low: Any, high: Any, steps: int = 1) -> Interval:
    """Move both bounds outwards by `steps` floats; NaN becomes no bound at all."""
    low, high = np.asarray(np.nextafter(low, _LEAST)), np.asarray(np.nextafter(high, _MOST))
    for _ in range(steps - 1):
        np.nextafter(low, _LEAST, out=low)
        np.nextafter(high, _MOST, out=high)
    # Of NaN and a number they give the number.
    return np.fmax(low, _LEAST, out=low), np.fmin(high, _MOST, out=high)


def add(a: Interval, b: Interval) -> Interval:
    return outward(a[0] + b[0], a[1] + b[1])


def sub(a: Interval, b: Interval) -> Interval:
    return outward(a[0] - b[1], a[1] - b[0])


def mul(a: Interval, b: Interval) -> Interval:
    corners = [x * y for x in _ends(a) for y in _ends(b)]
    low = reduce(np.minimum, corners)
    if np.isnan(low).any():  # 0 · ∞, or NaN itself
        corners = [_product(x, y) for x in _ends(a) for y in _ends(b)]
        low = reduce(np.minimum, corners)
    return outward(low, reduce(np.maximum, corners))


def _ends(a: Interval) -> tuple[Bound, ...]:
    """Both bounds, or the one of a point."""
    return a[:1] if a[0] is a[1] else a


def _product(x: Bound, y: Bound) -> Bound:
    """Multiply, with 0 · ∞ = 0 as a bound has it."""
    return np.where((x == 0) | (y == 0), 0.0, x * y)


def div(a: Interval, b: Interval) -> Interval:
    corners = [x / y for x in _ends(a) for y in _ends(b)]
    low, high = outward(reduce(np.minimum, corners), reduce(np.maximum, corners))
    holds_zero = (b[0] <= 0) & (b[1] >= 0)
    if not np.any(holds_zero):
        return np.asarray(low), np.asarray(high)
    return np.where(holds_zero, -np.inf, low), np.where(holds_zero, np.inf, high)


def matmul(w: Interval, x: Interval) -> Interval:
    """W (m, n) times x (…, n): the sum of the products' bounds, each rounded outwards."""
    low, high = mul(w, (x[0][..., None, :], x[1][..., None, :]))
    return _total(low, high, keepdims=False)


def _total(low: Bound, high: Bound, *, keepdims: bool) -> Interval:
    return least_sum(low, keepdims=keepdims), -least_sum(-high, keepdims=keepdims)


def least_sum(low: Bound, *, keepdims: bool = False) -> Bound:
    """Sum lower bounds over the last axis; n floats added in any order are off by at most n·eps·Σ|a|."""
    slack = low.shape[-1] * _EPSILON
    total = low.sum(axis=-1, keepdims=keepdims)
    return below(total - slack * np.abs(low).sum(axis=-1, keepdims=keepdims))


def neg(a: Interval) -> Interval:
    return -a[1], -a[0]


def _rising(function: Callable[[Bound], Bound]) -> Callable[[Interval], Interval]:
    def interval(a: Interval) -> Interval:
        return outward(function(a[0]), function(a[1]), _FUNCTION_STEPS)

    return interval


def clipped(bound: Bound, least: float, most: float) -> Bound:
    """A bound, or the end of a function's range that lies before it: `np.clip`, in a seventh of its time on a few numbers."""
    return np.minimum(np.maximum(bound, least), most)


def _clamped(
    interval: Callable[[Interval], Interval], least: float, most: float
) -> Callable[[Interval], Interval]:
    def clamped(a: Interval) -> Interval:
        low, high = interval(a)
        return clipped(low, least, most), clipped(high, least, most)

    return clamped


tanh = _clamped(_rising(np.tanh), -1.0, 1.0)
exp = _clamped(_rising(np.exp), 0.0, np.inf)
sqrt = _clamped(_rising(lambda a: np.sqrt(np.maximum(a, 0.0))), 0.0, np.inf)
log = _rising(lambda a: np.log(np.maximum(a, 0.0)))


def sigmoid(a: Interval) -> Interval:
    """1 / (1 + exp(−a)), through the bounds of its own operations."""
    return one_of(exp(neg(a)))


def one_of(others: Interval) -> Interval:
    """1 / (1 + others), of what is not below 0."""
    one = point(1.0)
    low, high = div(one, add(one, others))
    return clipped(low, 0.0, 1.0), clipped(high, 0.0, 1.0)


def relu(a: Interval) -> Interval:
    return np.maximum(a[0], 0.0), np.maximum(a[1], 0.0)


def absolute(a: Interval) -> Interval:
    low, high = np.abs(a[0]), np.abs(a[1])
    holds_zero = (a[0] <= 0) & (a[1] >= 0)
    return np.where(holds_zero, 0.0, np.minimum(low, high)), np.maximum(low, high)


def softmax(a: Interval) -> Interval:
    """Each element is least when it is low and all others are high, and the other way round.

    Written as 1 / (1 + Σ exp(a_j − a_i)) over j ≠ i, which needs no division of sums.
    """
    count = a[0].shape[-1]
    lot = 1 + _AT_ONCE // a[0].size  # so many elements' differences from all others are there at once
    parts = [_softmax_of(a, np.arange(k, count)[:lot]) for k in range(0, count, lot)]
    low, high = zip(*parts, strict=True)
    return np.concatenate(low, axis=-1), np.concatenate(high, axis=-1)


def _softmax_of(a: Interval, at: NDArray[np.int64]) -> Interval:
    """Some elements of it: `at` says which."""
    order = np.arange(a[0].shape[-1] - 1)
    others = order + (order >= at[:, None])  # (elements, n − 1): all but the own
    low, _ = _share(a[0][..., at], a[1][..., others])
    _, high = _share(a[1][..., at], a[0][..., others])
    return low, high


def _share(own: Bound, others: Bound) -> Interval:
    low, high = exp(sub(point(others), point(own[..., None])))
    return one_of(_total(low, high, keepdims=False))


def sum(a: Interval) -> Interval:
    return _total(a[0], a[1], keepdims=True)


def mean(a: Interval) -> Interval:
    return div(sum(a), point(float(a[0].shape[-1])))


def max(a: Interval) -> Interval:
    return a[0].max(axis=-1, keepdims=True), a[1].max(axis=-1, keepdims=True)


def min(a: Interval) -> Interval:
    return a[0].min(axis=-1, keepdims=True), a[1].min(axis=-1, keepdims=True)


def norm(a: Interval) -> Interval:
    magnitude = absolute(a)
    return sqrt(sum(mul(magnitude, magnitude)))


def lookup(w: Interval, i: NDArray[np.int64]) -> Interval:
    return w[0][i], w[1][i]


def cat(a: Interval, b: Interval) -> Interval:
    return _beside(a[0], b[0]), _beside(a[1], b[1])


def _beside(a: Bound, b: Bound) -> Bound:
    rows = np.broadcast_shapes(a.shape[:-1], b.shape[:-1])
    return np.concatenate([np.broadcast_to(one, (*rows, one.shape[-1])) for one in (a, b)], axis=-1)


def isnan(a: Interval) -> Interval:
    """An interval holds numbers; whether one is NaN is not known from it."""
    return np.zeros_like(a[0]), np.ones_like(a[1])


isinf = isnan


def isfinite(a: Interval) -> Interval:
    """Not known, either: a bound that is infinite may be far from what it bounds."""
    return isnan(a)


def any(a: Interval) -> Interval:
    """True where an element is for certain; false where none may be."""
    low, high = _truth_of(a)
    return low.max(axis=-1, keepdims=True), high.max(axis=-1, keepdims=True)


def all(a: Interval) -> Interval:
    """True where each element is for certain; false where one is not for certain."""
    low, high = _truth_of(a)
    return low.min(axis=-1, keepdims=True), high.min(axis=-1, keepdims=True)


def argmax(a: Interval) -> Interval:
    """From the first to the last of those that may be the largest."""
    may_be = a[1] >= a[0].max(axis=-1, keepdims=True)
    last = a[0].shape[-1] - 1
    first = np.argmax(may_be, axis=-1)[..., None]
    return first.astype(np.float64), (last - np.argmax(may_be[..., ::-1], axis=-1))[..., None].astype(
        np.float64
    )


def truth(function: Callable[..., Any], *args: Interval) -> Interval:
    """A comparison or logic: 0 or 1 where all corners agree, else the whole of [0, 1]."""
    if function in (np.logical_and, np.logical_or, np.logical_not):
        args = tuple(_truth_of(a) for a in args)
    if len(args) == 1:
        corners = [function(x) for x in args[0]]
    else:
        corners = [function(x, y) for x in args[0] for y in args[1]]
    values = [np.asarray(corner, dtype=np.float64) for corner in corners]
    low, high = np.minimum.reduce(values), np.maximum.reduce(values)
    if len(args) == 2 and function in (np.equal, np.not_equal):
        (a, b), (c, d) = args
        apart = (b < c) | (d < a)
        same = (a == b) & (c == d) & (a == c)
        unknown = ~(apart | same)
        low, high = np.where(unknown, 0.0, low), np.where(unknown, 1.0, high)
    return low, high


def _truth_of(a: Interval) -> Interval:
    """Everything but zero is true."""
    is_zero = (a[0] == 0) & (a[1] == 0)
    may_be_zero = (a[0] <= 0) & (a[1] >= 0)
    return np.where(may_be_zero, 0.0, 1.0), np.where(is_zero, 0.0, 1.0)


abs = absolute  # last: the table looks operations up by their own names
