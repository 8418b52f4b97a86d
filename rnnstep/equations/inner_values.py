"""What the operations of the program's own come to: the column `forward` of `inner`."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnstep.equations.operation import Array


def log_softmax(a: Array) -> Array:
    """A − max − ln Σ exp(a − max) over the last axis."""
    shifted = a - np.max(a, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(a: Array) -> Array:
    """exp(a) / Σ exp(a) over the last axis, shifted by the largest element."""
    powers = np.exp(a - np.max(a, axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def softplus(a: Array) -> Array:
    """ln(1 + exp(a)), for every a without overflow."""
    return np.asarray(np.logaddexp(a, np.zeros((), np.asarray(a).dtype)))


def smooth_l1(a: Array, beta: Array) -> Array:
    """a²/(2·beta) where |a| < beta, |a| − beta/2 elsewhere: a square that goes on as straight lines."""
    size = np.abs(a)
    half = np.asarray(0.5, size.dtype)
    return np.asarray(np.where(size < beta, half * size * size / beta, size - half * beta))


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
    """The product g xᵀ of vectors; of arrays with rows the sum over the rows, and over the vectors of a bank."""
    if g.ndim == 1:
        return np.asarray(np.multiply.outer(g, x))
    if g.ndim > x.ndim:  # x is a bank, the same at all steps of g
        g = g.sum(axis=tuple(range(g.ndim - x.ndim)))
    return np.asarray(np.matmul(g.reshape(-1, g.shape[-1]).T, x.reshape(-1, x.shape[-1])))


def rows(g: Array) -> Array:
    """The sum over the rows, those of all steps."""
    return np.asarray(g.reshape(-1, g.shape[-1]).sum(axis=0))


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


def cat(a: Array, b: Array) -> Array:
    """Two vectors side by side; one that is the same for all rows beside each of the other's."""
    rows = np.broadcast_shapes(np.shape(a)[:-1], np.shape(b)[:-1])
    return np.concatenate([np.broadcast_to(one, (*rows, np.shape(one)[-1])) for one in (a, b)], axis=-1)


def bounds_of_part(size: int, start: Any, stop: Any) -> tuple[int, int]:
    """Where a part begins and ends, from 0; a stop of 0 is the end."""
    first, last = (int(np.asarray(one).reshape(-1)[0]) for one in (start, stop))
    return first + (size if first < 0 else 0), last + (size if last <= 0 else 0)


def part(a: Array, start: Any, stop: Any) -> Array:
    """The elements from start up to stop."""
    first, last = bounds_of_part(np.shape(a)[-1], start, stop)
    return a[..., first:last]


def within(g: Array, start: Any, a: Array) -> Array:
    """Zeros like a, with g from start on."""
    size = np.shape(a)[-1]
    first, _ = bounds_of_part(size, start, 0)
    found = np.zeros((*np.shape(g)[:-1], size), np.asarray(g).dtype)
    found[..., first : first + np.shape(g)[-1]] = g
    return found


def head(g: Array, a: Array) -> Array:
    """The first elements of g, as many as a has."""
    return g[..., : a.shape[-1]]


def tail(g: Array, a: Array) -> Array:
    """The last elements of g, as many as a has."""
    return g[..., g.shape[-1] - a.shape[-1] :]


def largest(*args: Array) -> Array:
    """Element by element the largest of several; NaN where one is."""
    found = args[0]
    for other in args[1:]:
        found = np.maximum(found, other)
    return np.asarray(found)


def where_largest(g: Array, k: Any, *args: Array) -> Array:
    """Give g where the k-th of several is the largest, else 0: of equal ones the first, of NaN the last, as in torch's pools."""
    taken, best = np.zeros(np.shape(args[0]), np.intp), np.asarray(args[0])
    for number, other in enumerate(args[1:], 1):
        is_taken = np.greater(other, best) | np.isnan(other)
        taken, best = np.where(is_taken, number, taken), np.where(is_taken, other, best)
    return np.where(taken == int(np.asarray(k).item()), g, np.zeros((), np.asarray(g).dtype))


def passed(g: Array, a: Array) -> Array:
    """g, and 0 where a ≤ 0, whatever g is: where a is NaN g goes through, as in torch's relu."""
    return np.where(np.less_equal(a, 0), np.zeros((), np.asarray(g).dtype), g)
