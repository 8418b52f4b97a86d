"""Bounds of the operations of the program's own: the columns `interval` and `error` of `inner`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations import bounds, intervals
from rnnstep.equations.bounds import Given, Pair, each, magnitude, size_of
from rnnstep.equations.inner_values import chosen, outer, part, placed, rows, scatter, softplus, within
from rnnstep.equations.operation import Array, Interval

# ── intervals ────────────────────────────────────────────────────────────────────────


def of_each(function: Callable[..., Any]) -> Callable[..., Interval]:
    """A rule for what only moves numbers about: the same on both bounds. Indices are no intervals."""
    return lambda *args: (
        function(*(a[0] if isinstance(a, tuple) else a for a in args)),
        function(*(a[1] if isinstance(a, tuple) else a for a in args)),
    )


def log_softmax_interval(a: Interval) -> Interval:
    low, high = intervals.log(intervals.softmax(a))
    return low, np.minimum(high, 0.0)


def softplus_interval(a: Interval) -> Interval:
    low, high = intervals.outward(softplus(a[0]), softplus(a[1]), 8)
    return np.maximum(low, 0.0), high


def smooth_l1_interval(a: Interval, beta: Interval) -> Interval:
    """It grows with |a| and falls with beta."""
    least, most = intervals.absolute(a)
    return np.maximum(_smooth_l1(least, beta[1])[0], 0.0), _smooth_l1(most, beta[0])[1]


def _smooth_l1(size: Any, beta: Any) -> Interval:
    """Its bounds at one |a| and one beta."""
    one, half, b = intervals.point(size), intervals.point(0.5), intervals.point(beta)
    square = intervals.div(intervals.mul(intervals.mul(half, one), one), b)
    line = intervals.sub(one, intervals.mul(half, b))
    low, high = (np.where(size < beta, *pair) for pair in zip(square, line, strict=True))
    return low, high


def pullback_interval(*pairs: Interval) -> Interval:
    found = None
    for w, g in zip(pairs[::2], pairs[1::2], strict=True):
        part = intervals.matmul((w[0].T, w[1].T), g)
        found = part if found is None else intervals.add(found, part)
    assert found is not None
    return found


def outer_interval(g: Interval, x: Interval) -> Interval:
    each = intervals.mul((g[0][..., :, None], g[1][..., :, None]), (x[0][..., None, :], x[1][..., None, :]))
    if g[0].ndim == 1:
        return each
    low, high = (bound.reshape(-1, *bound.shape[-2:]) for bound in each)
    return over_rows((low, high))


def over_rows(each: Interval) -> Interval:
    low, high = (np.moveaxis(bound, 0, -1) for bound in each)
    below, above = intervals.sum((low, high))
    return below[..., 0], above[..., 0]


def scatter_interval(g: Interval, i: Any, w: Interval) -> Interval:
    """Rows that are added to the same place are a sum, which rounding moves."""
    place = i[0] if isinstance(i, tuple) else i
    low, high = scatter(g[0], place, w[0]), scatter(g[1], place, w[0])
    room = np.size(place) * float(np.finfo(np.float64).eps)
    return low - room * scatter(np.abs(g[0]), place, w[0]), high + room * scatter(np.abs(g[1]), place, w[0])


def ratio_interval(a: Interval, b: Interval) -> Interval:
    low, high = intervals.div(a, b)
    is_zero = (b[0] == 0) & (b[1] == 0)
    return np.where(is_zero, 0.0, low), np.where(is_zero, 0.0, high)


def _may_be_largest(k: Any, bounds: list[Interval]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the k-th of several may be the largest, and whether it must be."""
    number = int(np.asarray(k[0] if isinstance(k, tuple) else k).reshape(-1)[0])
    low, high = bounds[number]
    may = must = np.ones(np.shape(low), np.bool_)
    for other, (below, above) in enumerate(bounds):
        if other < number:  # of equal ones the first
            may, must = may & (high > below), must & (low > above)
        elif other > number:
            may, must = may & (high >= below), must & (low >= above)
    return may, must


def where_largest_interval(g: Interval, k: Any, *args: Interval) -> Interval:
    """What is let through where it must be, zero where it may not be."""
    may, must = _may_be_largest(k, list(args))
    low = np.where(must, g[0], np.where(may, np.minimum(g[0], 0.0), 0.0))
    high = np.where(must, g[1], np.where(may, np.maximum(g[1], 0.0), 0.0))
    return low, high


def passed_interval(g: Interval, a: Interval) -> Interval:
    """What may be let through, zero where it may not be."""
    is_open, is_shut = a[0] > 0, a[1] <= 0
    low = np.where(is_shut, 0.0, np.where(is_open, g[0], np.minimum(g[0], 0.0)))
    high = np.where(is_shut, 0.0, np.where(is_open, g[1], np.maximum(g[1], 0.0)))
    return low, high


# ── rounding errors ──────────────────────────────────────────────────────────────────


def log_softmax_error(u: float, out: Array, a: Pair) -> Array:
    """Each argument moves the result by at most twice its own error; the rest is rounding."""
    error = each(a)
    most = np.max(error, axis=-1, keepdims=True)
    reach = np.max(size_of(a), axis=-1, keepdims=True)
    return np.asarray(
        error + most + (np.shape(out)[-1] + 4 * bounds.FUNCTION) * u * (magnitude(out) + reach + 1)
    )


def softplus_error(u: float, out: Array, a: Pair) -> Array:
    return np.asarray(a[1] + 2 * bounds.FUNCTION * u * (magnitude(out) + 1))


def smooth_l1_error(u: float, out: Array, a: Pair, beta: Pair) -> Array:
    """Its slope is at most 1, and no more than (|a| + e)/beta; by beta it is at most ½."""
    least = np.maximum(size_of(beta) - beta[1], 2.0**-149)
    slope = np.minimum(1.0, (size_of(a) + a[1]) / least)
    carried = np.where(np.isinf(a[1]), np.inf, a[1] * slope) + beta[1] / 2
    lost = 2.0**-148 * (1 + 1 / least)  # where a square underflows
    return np.asarray(carried + 4 * u * magnitude(out) + lost)


def moved_error(function: Callable[..., Array]) -> Callable[..., Array]:
    """A rule for what only moves numbers about: the errors move along."""

    def error(u: float, out: Array, *args: Pair) -> Array:
        values = [each(a) for a in args]
        return np.asarray(function(*values), np.float64)

    return error


def part_error(u: float, out: Array, a: Pair, start: Pair, stop: Pair) -> Array:
    return part(each(a), start[0], stop[0])


def within_error(u: float, out: Array, g: Pair, start: Pair, a: Pair) -> Array:
    return within(each(g), start[0], np.asarray(a[0]))


def chosen_error(u: float, out: Array, a: Pair, i: Pair) -> Array:
    return chosen(each(a), i[0])


def placed_error(u: float, out: Array, g: Pair, i: Pair, a: Pair) -> Array:
    return placed(each(g), i[0], np.asarray(a[0]))


def pullback_error(u: float, out: Array, *pairs: Pair) -> Array:
    terms = sum(np.shape(w[0])[0] for w in pairs[::2])
    found: Any = 0.0
    for w, g in zip(pairs[::2], pairs[1::2], strict=True):
        turned = w.turned if isinstance(w, Given) else (w[0].T, each(w).T)
        found = found + bounds.matmul(u, out, turned, g)
        if others := terms - np.shape(w[0])[0]:
            found = found + others * u * (size_of(g) @ size_of(w))
    return np.asarray(found)


def outer_error(u: float, out: Array, g: Pair, x: Pair) -> Array:
    terms = math.prod(np.shape(g[0])[:-1])
    size_g, size_x = size_of(g), size_of(x)
    carried: Any = 0.0  # what is given brings no error along
    if not isinstance(x, Given):
        carried = carried + outer(size_g, each(x))
    if not isinstance(g, Given):
        carried = carried + outer(each(g), size_x)
    if not (isinstance(g, Given) or isinstance(x, Given)):
        carried = carried + outer(each(g), each(x))
    return np.asarray(carried + terms * u * outer(size_g, size_x) + terms * 2.0**-149)


def rows_error(u: float, out: Array, g: Pair) -> Array:
    error = each(g)
    return np.asarray(rows(error) + math.prod(np.shape(g[0])[:-1]) * u * rows(size_of(g)))


def scatter_error(u: float, out: Array, g: Pair, i: Pair, w: Pair) -> Array:
    error = each(g)
    count = max(1, np.size(i[0]))
    return scatter(error, i[0], w[0]) + count * u * scatter(size_of(g), i[0], w[0])


def ratio_error(u: float, out: Array, a: Pair, b: Pair) -> Array:
    is_zero = (np.asarray(b[0]) == 0) & (b[1] == 0)
    return np.where(is_zero, 0.0, bounds.div(u, out, a, b))


def larger_error(u: float, out: Array, a: Pair, b: Pair) -> Array:
    return np.maximum(a[1], b[1]) + np.zeros(np.shape(out))


def largest_error(u: float, out: Array, *args: Pair) -> Array:
    """That of what may be the largest; what stands far below adds nothing."""
    found: Any = np.zeros(np.shape(out))
    for value, error in args:
        is_near = ~(np.asarray(value, np.float64) + error < magnitude_below(out, args))
        found = np.maximum(found, np.where(is_near, error, 0.0))
    return np.asarray(found)


def magnitude_below(out: Array, args: Sequence[Pair]) -> Array:
    """What the largest of several is at least."""
    return np.asarray(
        np.max([np.asarray(v, np.float64) - e + np.zeros(np.shape(out)) for v, e in args], axis=0)
    )


def where_largest_error(u: float, out: Array, g: Pair, k: Pair, *args: Pair) -> Array:
    """Where another may be the largest all of g may be there or not."""
    bounds = [(np.asarray(v, np.float64) - e, np.asarray(v, np.float64) + e) for v, e in args]
    may, must = _may_be_largest(k, bounds)
    is_nan = np.any([np.isnan(low) | np.isnan(high) for low, high in bounds], axis=0)
    whole = np.nan_to_num(size_of(g), nan=np.inf) + g[1]
    return np.asarray(np.where(is_nan, whole, np.where(must, g[1], np.where(may, whole, 0.0))))


def passed_error(u: float, out: Array, g: Pair, a: Pair) -> Array:
    """Where a may lie on either side of 0, all of g may be there or not."""
    value = np.asarray(a[0], np.float64)
    may_turn = (a[1] > 0) & (np.abs(value) <= a[1])
    is_shut = (value <= 0) & ~may_turn
    whole = np.nan_to_num(size_of(g), nan=np.inf) + g[1]
    return np.where(is_shut, 0.0, np.where(may_turn, whole, g[1]))
