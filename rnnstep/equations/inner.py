"""Operations that the program writes and users do not: between layers, in losses, in optimizers, and in backward passes.

| operation                     | what it is                                                             |
|-------------------------------|------------------------------------------------------------------------|
| `lookup(W, i)`                | row i of a table                                                         |
| `cat(a, b)`, `head`, `tail`   | two vectors side by side; the first, and the last elements of one        |
| `log_softmax(a)`, `softplus(a)` | ln softmax(a) and ln(1 + exp(a)), without overflow on the way           |
| `chosen(a, i)`, `placed(g, i, a)` | element i of a; a vector as long as a with g at i, else zeros         |
| `maximum(a, b)`, `minimum(a, b)` | element by element                                                    |
| `pullback(W, g, …)`           | Wᵀ g + …, all of it one sum: what matrix products send back               |
| `outer(g, x)`                 | g xᵀ; of arrays (B, m) and (B, n) the sum of their rows' products         |
| `rows(g)`                     | the sum of the rows of (B, n)                                            |
| `spread(g, a)`                | g, as long as a                                                          |
| `scatter(g, i, W)`            | a table like W with g added to row i; likewise for the rows of (B, n)     |
| `ratio(a, b)`                 | a / b, and 0 where b is 0                                                |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnstep.equations import bounds, intervals
from rnnstep.equations.operation import Array, Interval, Operation, no_slope

Pair = bounds.Pair


def log_softmax(a: Array) -> Array:
    """A − max − ln Σ exp(a − max) over the last axis."""
    shifted = a - np.max(a, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _softmax(a: Array) -> Array:
    powers = np.exp(a - np.max(a, axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def softplus(a: Array) -> Array:
    """ln(1 + exp(a)), for every a without overflow."""
    return np.asarray(np.logaddexp(a, np.zeros((), np.asarray(a).dtype)))


def _logistic(a: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-a)))


def _index(i: Any) -> Any:
    """An index, or one a row, as whole numbers with an axis of length one."""
    return np.asarray(i).astype(np.intp)[..., None]


def chosen(a: Array, i: Any) -> Array:
    """Element i of the last axis, which stays with length one."""
    place = _index(i)
    return np.take_along_axis(a, np.broadcast_to(place, (*a.shape[:-1], 1)), axis=-1)


def placed(g: Array, i: Any, a: Array) -> Array:
    """Zeros like a, with g at element i."""
    g = np.asarray(g)
    shape = np.broadcast_shapes(g.shape, np.shape(a))
    found = np.zeros(shape, g.dtype)
    np.put_along_axis(found, np.broadcast_to(_index(i), (*shape[:-1], 1)), g, axis=-1)
    return found


def pullback(*pairs: Array) -> Array:
    """Σ Wᵀ g over the pairs W, g."""
    if len(pairs) == 2:
        return np.asarray(np.matmul(pairs[1], pairs[0]))
    return np.asarray(np.matmul(np.concatenate(pairs[1::2], axis=-1), np.concatenate(pairs[::2])))


def outer(g: Array, x: Array) -> Array:
    """The product g xᵀ of vectors; of arrays with rows the sum over the rows."""
    return np.asarray(np.multiply.outer(g, x) if g.ndim == 1 else np.matmul(g.T, x))


def rows(g: Array) -> Array:
    """The sum over the rows."""
    return np.asarray(g.sum(axis=0))


def spread(g: Array, a: Array) -> Array:
    """Give g as long as a."""
    is_number = np.ndim(g) == 0  # a number of an equation takes the dtype of what is beside it
    shape = np.shape(a) if np.ndim(a) >= np.ndim(g) else (*np.shape(g)[:-1], *np.shape(a))
    return np.broadcast_to(np.asarray(g, np.asarray(a).dtype) if is_number else g, shape)


def scatter(g: Array, i: Any, w: Array) -> Array:
    """Zeros like w with g added to row i; of several rows each to its own. A negative index adds nothing."""
    gradient = np.zeros(w.shape, g.dtype)
    places = np.reshape(np.asarray(i).astype(np.intp), -1)
    is_counted = places >= 0
    np.add.at(gradient, places[is_counted], g.reshape(-1, w.shape[1])[is_counted])
    return gradient


def ratio(a: Array, b: Array) -> Array:
    """Divide, with 0 where b is 0."""
    out = np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b)), np.asarray(a).dtype)
    return np.divide(a, b, out=out, where=np.asarray(b) != 0)


# ── slopes of what stands in forward passes ──────────────────────────────────────────


def _lookup_vjp(g: Array, out: Array, w: Array, i: Array) -> tuple[Array, Array]:
    return scatter(g, i, w), np.zeros(np.shape(i), w.dtype)


def _chosen_vjp(g: Array, out: Array, a: Array, i: Array) -> tuple[Array, Array]:
    return placed(g, i, a), np.zeros(np.shape(i), a.dtype)


# ── intervals ────────────────────────────────────────────────────────────────────────


def _of_each(function: Callable[..., Any]) -> Callable[..., Interval]:
    """A rule for what only moves numbers about: the same on both bounds. Indices are no intervals."""
    return lambda *args: (
        function(*(a[0] if isinstance(a, tuple) else a for a in args)),
        function(*(a[1] if isinstance(a, tuple) else a for a in args)),
    )


def _log_softmax_interval(a: Interval) -> Interval:
    low, high = intervals.log(intervals.softmax(a))
    return low, np.minimum(high, 0.0)


def _softplus_interval(a: Interval) -> Interval:
    low, high = intervals.outward(softplus(a[0]), softplus(a[1]), 8)
    return np.maximum(low, 0.0), high


def _pullback_interval(*pairs: Interval) -> Interval:
    found = None
    for w, g in zip(pairs[::2], pairs[1::2], strict=True):
        part = intervals.matmul((w[0].T, w[1].T), g)
        found = part if found is None else intervals.add(found, part)
    assert found is not None
    return found


def _outer_interval(g: Interval, x: Interval) -> Interval:
    each = intervals.mul((g[0][..., :, None], g[1][..., :, None]), (x[0][..., None, :], x[1][..., None, :]))
    return each if g[0].ndim == 1 else _over_rows(each)


def _over_rows(each: Interval) -> Interval:
    low, high = (np.moveaxis(bound, 0, -1) for bound in each)
    below, above = intervals.sum((low, high))
    return below[..., 0], above[..., 0]


def _ratio_interval(a: Interval, b: Interval) -> Interval:
    low, high = intervals.div(a, b)
    is_zero = (b[0] == 0) & (b[1] == 0)
    return np.where(is_zero, 0.0, low), np.where(is_zero, 0.0, high)


# ── rounding errors ──────────────────────────────────────────────────────────────────


def _size(value: Any) -> Any:
    return np.abs(np.asarray(value, np.float64))


def _log_softmax_error(u: float, out: Array, a: Pair) -> Array:
    """Each argument moves the result by at most twice its own error; the rest is rounding."""
    error = np.broadcast_to(a[1], np.shape(a[0]))
    most = np.max(error, axis=-1, keepdims=True)
    reach = np.max(_size(a[0]), axis=-1, keepdims=True)
    return np.asarray(error + most + (np.shape(out)[-1] + 4 * bounds.FUNCTION) * u * (_size(out) + reach + 1))


def _softplus_error(u: float, out: Array, a: Pair) -> Array:
    return np.asarray(a[1] + 2 * bounds.FUNCTION * u * (_size(out) + 1))


def _moved_error(function: Callable[..., Array]) -> Callable[..., Array]:
    """A rule for what only moves numbers about: the errors move along."""

    def error(u: float, out: Array, *args: Pair) -> Array:
        values = [np.broadcast_to(np.asarray(a[1], np.float64), np.shape(a[0])) for a in args]
        return np.asarray(function(*values), np.float64)

    return error


def _chosen_error(u: float, out: Array, a: Pair, i: Pair) -> Array:
    return chosen(np.broadcast_to(np.asarray(a[1], np.float64), np.shape(a[0])), i[0])


def _placed_error(u: float, out: Array, g: Pair, i: Pair, a: Pair) -> Array:
    return placed(np.broadcast_to(np.asarray(g[1], np.float64), np.shape(g[0])), i[0], np.asarray(a[0]))


def _pullback_error(u: float, out: Array, *pairs: Pair) -> Array:
    terms = sum(np.shape(w[0])[0] for w in pairs[::2])
    found: Any = 0.0
    for w, g in zip(pairs[::2], pairs[1::2], strict=True):
        turned = (w[0].T, np.broadcast_to(w[1], np.shape(w[0])).T)
        own = bounds.matmul(u, out, turned, g)
        more = (terms - np.shape(w[0])[0]) * u * (_size(g[0]) @ _size(w[0]))
        found = found + own + more
    return np.asarray(found)


def _outer_error(u: float, out: Array, g: Pair, x: Pair) -> Array:
    pair_g = _size(g[0]), np.broadcast_to(np.asarray(g[1], np.float64), np.shape(g[0]))
    pair_x = _size(x[0]), np.broadcast_to(np.asarray(x[1], np.float64), np.shape(x[0]))
    terms = 1 if np.ndim(g[0]) == 1 else np.shape(g[0])[0]
    size = outer(pair_g[0], pair_x[0])
    carried = outer(pair_g[0], pair_x[1]) + outer(pair_g[1], pair_x[0]) + outer(pair_g[1], pair_x[1])
    return np.asarray(carried + terms * u * size + terms * 2.0**-149)


def _rows_error(u: float, out: Array, g: Pair) -> Array:
    error = np.broadcast_to(np.asarray(g[1], np.float64), np.shape(g[0]))
    return np.asarray(rows(error) + np.shape(g[0])[0] * u * rows(_size(g[0])))


def _scatter_error(u: float, out: Array, g: Pair, i: Pair, w: Pair) -> Array:
    error = np.broadcast_to(np.asarray(g[1], np.float64), np.shape(g[0]))
    count = max(1, np.size(i[0]))
    return scatter(error, i[0], w[0]) + count * u * scatter(_size(g[0]), i[0], w[0])


def _ratio_error(u: float, out: Array, a: Pair, b: Pair) -> Array:
    return np.where(np.asarray(b[0]) == 0, 0.0, bounds.div(u, out, a, b))


def _larger_error(u: float, out: Array, a: Pair, b: Pair) -> Array:
    return np.maximum(a[1], b[1]) + np.zeros(np.shape(out))


def _row(
    name: str,
    arity: int,
    forward: Callable[..., Array],
    interval: Callable[..., Interval],
    error: Callable[..., Array],
    latex: str,
    vjp: Callable[..., tuple[Array, ...]] = no_slope,
    kind: str = "inner",
) -> Operation:
    return Operation(name, arity, forward, vjp, interval, error, latex, kind=kind, is_public=False)


def _concatenated(a: Array, b: Array) -> Array:
    return np.concatenate((a, b), axis=-1)


def head(g: Array, a: Array) -> Array:
    """The first elements of g, as many as a has."""
    return g[..., : a.shape[-1]]


def tail(g: Array, a: Array) -> Array:
    """The last elements of g, as many as a has."""
    return g[..., g.shape[-1] - a.shape[-1] :]


def _log_softmax_vjp(g: Array, out: Array, a: Array) -> tuple[Array]:
    return (g - _softmax(a) * g.sum(axis=-1, keepdims=True),)


INNER = (
    _row("lookup", 2, lambda w, i: w[i], intervals.lookup, bounds.lookup, "{0}[{1}]", _lookup_vjp),
    _row(
        "cat",
        2,
        _concatenated,
        intervals.cat,
        bounds.cat,
        "[{0}; {1}]",
        lambda g, y, a, b: (head(g, a), tail(g, b)),
    ),
    _row("head", 2, head, _of_each(head), _moved_error(head), r"{0}_{{\text{{first}}}}"),
    _row("tail", 2, tail, _of_each(tail), _moved_error(tail), r"{0}_{{\text{{last}}}}"),
    _row(
        "log_softmax",
        1,
        log_softmax,
        _log_softmax_interval,
        _log_softmax_error,
        r"\ln\operatorname{{softmax}}({0})",
        _log_softmax_vjp,
        "reduction",
    ),
    _row(
        "softplus",
        1,
        softplus,
        _softplus_interval,
        _softplus_error,
        r"\ln(1 + e^{{{0}}})",
        lambda g, y, a: (g * _logistic(a),),
        "elementwise",
    ),
    _row("chosen", 2, chosen, _of_each(chosen), _chosen_error, "{0}_{{[{1}]}}", _chosen_vjp),
    _row("placed", 3, placed, _of_each(placed), _placed_error, r"{0}\,\mathbf{{e}}_{{{1}}}"),
    _row(
        "maximum",
        2,
        np.maximum,
        _of_each(np.maximum),
        _larger_error,
        r"\max({0}, {1})",
        kind="elementwise",
    ),
    _row(
        "minimum",
        2,
        np.minimum,
        _of_each(np.minimum),
        _larger_error,
        r"\min({0}, {1})",
        kind="elementwise",
    ),
    _row("pullback", -1, pullback, _pullback_interval, _pullback_error, r"{0}^\top {1}"),
    _row("outer", 2, outer, _outer_interval, _outer_error, r"{0}\, {1}^\top"),
    _row("rows", 1, rows, _over_rows, _rows_error, r"\sum_{{\text{{rows}}}} {0}"),
    _row("spread", 2, spread, _of_each(spread), _moved_error(spread), "{0}"),
    _row("scatter", 3, scatter, _of_each(scatter), _scatter_error, r"\mathbf{{e}}_{{{1}}} {0}^\top"),
    _row("ratio", 2, ratio, _ratio_interval, _ratio_error, "{0} / {1}", kind="elementwise"),
)
