"""The rules of a bank: S vectors a row, the same at every step of what reads them, such as the memory of attention.

    scores = M @ q                   the product of each vector of the bank with q
    weights = softmax(scores)        of the vectors that are live: the others' weight is 0
    context = weights @ V            Σ_s weights[s]·V[s]

A bank is an array (…, S, n): to what acts on each vector alone (a matrix, tanh) it is a value with one more axis of rows. Where
a step is beside it, (T, B, n), it has no axis of steps. Rows of a table of operations:

| operation            | what it is                                                                     |
|----------------------|--------------------------------------------------------------------------------|
| `scored(M, v)`       | M @ v: the product of each vector of a bank with v, (S,)                         |
| `mixed(w, M)`        | w @ M: the vectors of a bank, each times its number, added up, (n,)              |
| `on_each(W, M)`      | W @ M: a matrix times each vector of a bank, (S, m)                              |
| `to_each(v, M)`      | v beside each vector of a bank, (S, n)                                           |
| `over_each(M)`       | the sum of a bank's vectors, (n,): what `to_each` sends back                      |
| `products(g, v)`     | g vᵀ, a bank: what `scored` and `mixed` send back to one, (S, n)                 |
| `live_softmax(a, b)` | softmax over the elements where b is not 0, and 0 elsewhere                      |
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations import bounds, intervals
from rnnstep.equations.bounds import Error, Pair, each, size_of
from rnnstep.equations.inner_values import softmax
from rnnstep.equations.intervals import Interval

Array = NDArray[np.floating]


# ── values ───────────────────────────────────────────────────────────────────────────


def scored(bank: Array, v: Array) -> Array:
    """Each vector's product with v: (…, S, n) and (…, n) give (…, S)."""
    if v.ndim == bank.ndim == 2:  # of steps: one product of matrices
        return np.asarray(np.matmul(v, bank.T))
    if v.ndim == bank.ndim == 3:
        return np.asarray(np.matmul(v.swapaxes(0, 1), bank.swapaxes(1, 2)).swapaxes(0, 1))
    return np.asarray(np.matmul(bank, v[..., None])[..., 0])


def mixed(w: Array, bank: Array) -> Array:
    """Σ_s w[s]·M[s]: (…, S) and (…, S, n) give (…, n)."""
    if w.ndim == bank.ndim == 2:
        return np.asarray(np.matmul(w, bank))
    if w.ndim == bank.ndim == 3:
        return np.asarray(np.matmul(w.swapaxes(0, 1), bank).swapaxes(0, 1))
    return np.asarray(np.matmul(w[..., None, :], bank)[..., 0, :])


def on_each(w: Array, bank: Array) -> Array:
    """W times each vector: (m, n) and (…, S, n) give (…, S, m)."""
    return np.asarray(np.matmul(bank, w.T))


def to_each(v: Array, bank: Array) -> Array:
    """Give v for each vector of a bank, (…, S, n)."""
    return np.broadcast_to(v[..., None, :], (*v.shape[:-1], bank.shape[-2], v.shape[-1]))


def over_each(bank: Array) -> Array:
    """Sum the vectors of a bank, (…, n)."""
    return np.asarray(np.sum(bank, axis=-2))


def products(g: Array, v: Array) -> Array:
    """Give g vᵀ row by row, (…, S, n)."""
    return np.asarray(g[..., :, None] * v[..., None, :])


def live_softmax(a: Array, live: Any) -> Array:
    """Softmax over the live elements; others take −∞ into it, and give 0."""
    masked = np.where(np.asarray(live) != 0, a, np.asarray(-np.inf, np.asarray(a).dtype))
    return softmax(masked)


# ── intervals ────────────────────────────────────────────────────────────────────────


def scored_interval(bank: Interval, v: Interval) -> Interval:
    return _summed(intervals.mul(bank, (v[0][..., None, :], v[1][..., None, :])), -1)


def mixed_interval(w: Interval, bank: Interval) -> Interval:
    return _summed(intervals.mul((w[0][..., None], w[1][..., None]), bank), -2)


def over_each_interval(bank: Interval) -> Interval:
    return _summed(bank, -2)


def products_interval(g: Interval, v: Interval) -> Interval:
    return intervals.mul((g[0][..., :, None], g[1][..., :, None]), (v[0][..., None, :], v[1][..., None, :]))


def _summed(a: Interval, axis: int) -> Interval:
    low, high = (np.moveaxis(bound, axis, -1) for bound in a)
    return intervals.least_sum(low), -intervals.least_sum(-high)


def live_softmax_interval(a: Interval, live: Any) -> Interval:
    """As of softmax, where what is not live is far below all that is."""
    is_live = np.asarray(live[0] if isinstance(live, tuple) else live) != 0
    low, high = intervals.softmax((np.where(is_live, a[0], -np.inf), np.where(is_live, a[1], -np.inf)))
    return np.where(is_live, low, 0.0), np.where(is_live, high, 0.0)


# ── rounding errors ──────────────────────────────────────────────────────────────────


def scored_error(u: float, out: Any, bank: Pair, v: Pair) -> Error:
    """Σ|M|·err_v + Σ err_M·(|v| + err_v) + n·u·Σ|M||v| for a sum in any order."""
    size, reach, error = size_of(bank), size_of(v), each(v)
    terms = size.shape[-1]
    carried = scored(size, error) + scored(each(bank), reach + error)
    return np.asarray(carried + terms * u * scored(size, reach) + terms * bounds.tiny(u))


def mixed_error(u: float, out: Any, w: Pair, bank: Pair) -> Error:
    """The same over the vectors of the bank."""
    size, reach, error = size_of(bank), size_of(w), each(w)
    terms = size.shape[-2]
    carried = mixed(error, size) + mixed(reach + error, each(bank))
    return np.asarray(carried + terms * u * mixed(reach, size) + terms * bounds.tiny(u))


def to_each_error(u: float, out: Any, v: Pair, bank: Pair) -> Error:
    return np.asarray(to_each(each(v), np.asarray(bank[0])), np.float64)


def over_each_error(u: float, out: Any, bank: Pair) -> Error:
    size = size_of(bank)
    return np.asarray(over_each(each(bank)) + size.shape[-2] * u * over_each(size))


def products_error(u: float, out: Any, g: Pair, v: Pair) -> Error:
    size, reach = size_of(g), size_of(v)
    carried = products(size, each(v)) + products(each(g), reach + each(v))
    return np.asarray(carried + u * products(size, reach) + bounds.tiny(u))


def live_softmax_error(u: float, out: Any, a: Pair, live: Pair) -> Error:
    """As of softmax over what is live; what is not gives exactly 0."""
    is_live = np.asarray(live[0]) != 0
    value, error = np.where(is_live, a[0], 0), np.where(is_live, each(a), 0.0)
    return np.where(is_live, bounds.softmax(u, out, (value, error)), 0.0)
