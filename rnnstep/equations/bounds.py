"""Running error bounds: how far a computed value may lie from the exact one.

Each function takes the unit roundoff `u` of the dtype, the computed result `out`, and the
arguments as pairs `(value, error)`; it gives a bound of |out − exact|. The rules are the
usual first-order ones of running error analysis with the rounding of the result itself
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.3), in float64.
A function of numpy or torch is taken to be within 4 u of the exact one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Error = NDArray[np.float64]
Pair = tuple[NDArray[np.floating], Error]

FUNCTION = 4  # units u that a library's tanh, exp, … may be off
_TINY = 1e-44  # below float32's smallest subnormal: what underflow may take


def add(u: float, out: Any, a: Pair, b: Pair) -> Error:
    return a[1] + b[1] + u * np.abs(out)


sub = add


def mul(u: float, out: Any, a: Pair, b: Pair) -> Error:
    with np.errstate(invalid="ignore", over="ignore"):
        carried = _times(a[0], b[1]) + _times(b[0], a[1]) + a[1] * b[1]
        return carried + u * np.abs(out) + _TINY


def _times(value: Any, error: Any) -> Error:
    """|value| · error, where an unbounded error of an exact zero stays unbounded."""
    return np.where(np.isinf(error), np.inf, np.abs(np.asarray(value, dtype=np.float64)) * error)


def div(u: float, out: Any, a: Pair, b: Pair) -> Error:
    with np.errstate(all="ignore"):
        room = np.abs(np.asarray(b[0], dtype=np.float64)) - b[1]
        carried = (a[1] + _times(out, b[1])) / room
        return np.where(room > 0, carried + u * np.abs(out) + _TINY, np.inf)


def matmul(u: float, out: Any, w: Pair, x: Pair) -> Error:
    """Σ|W|·err_x + Σ err_W·(|x| + err_x) + n·u·Σ|W||x| for a sum in any order."""
    size, reach = np.abs(w[0]).astype(np.float64), np.abs(x[0]).astype(np.float64)
    terms = size.shape[-1]
    with np.errstate(invalid="ignore", over="ignore"):
        rounding = terms * u * (reach @ size.T) + _TINY * terms
        carried = _over(x[1], size)
        if np.any(w[1]):
            carried = carried + (reach + x[1]) @ np.broadcast_to(w[1], size.shape).T
        return carried + rounding


def _over(error: Error, size: Error) -> Error:
    """Σ|W|·err, where an unbounded error makes its sums unbounded even through a zero weight."""
    if np.isfinite(error).all():
        return np.asarray(error @ size.T)
    finite = np.where(np.isfinite(error), error, 0.0) @ size.T
    return np.where(np.isfinite(error).all(axis=-1, keepdims=True), finite, np.inf)


def neg(u: float, out: Any, a: Pair) -> Error:
    return a[1]


relu = abs = neg


def tanh(u: float, out: Any, a: Pair) -> Error:
    return np.minimum(a[1], 2.0) + FUNCTION * u


def sigmoid(u: float, out: Any, a: Pair) -> Error:
    return np.minimum(a[1] / 4, 1.0) + FUNCTION * u


def exp(u: float, out: Any, a: Pair) -> Error:
    with np.errstate(over="ignore", invalid="ignore"):
        grown = np.abs(out) * (1 + FUNCTION * u)
        return np.where(a[1] > 0, grown * np.expm1(a[1]), 0.0) + FUNCTION * u * grown + _TINY


def log(u: float, out: Any, a: Pair) -> Error:
    with np.errstate(all="ignore"):
        relative = a[1] / np.abs(a[0])
        return np.where(relative < 1, -np.log1p(-relative), np.inf) + FUNCTION * u * (np.abs(out) + 1)


def sqrt(u: float, out: Any, a: Pair) -> Error:
    with np.errstate(all="ignore"):
        low = np.sqrt(np.maximum(np.asarray(a[0], dtype=np.float64) - a[1], 0.0))
        high = np.sqrt(np.maximum(np.asarray(a[0], dtype=np.float64) + a[1], 0.0))
    return (high - low) + 2 * u * np.abs(out)


def softmax(u: float, out: Any, a: Pair) -> Error:
    """A change of at most e in every argument changes an element by a factor within exp(±2e)."""
    most = np.max(a[1], axis=-1, keepdims=True)
    terms = np.shape(out)[-1]
    with np.errstate(over="ignore"):
        reach = np.max(np.abs(a[0]), axis=-1, keepdims=True)
        return np.abs(out) * np.expm1(2 * most) + (terms + 3 * FUNCTION + 2 * reach) * u * np.abs(out) + _TINY


def sum(u: float, out: Any, a: Pair) -> Error:
    terms = np.shape(a[0])[-1]
    total = np.abs(np.asarray(a[0], dtype=np.float64)).sum(axis=-1, keepdims=True)
    return np.asarray(a[1].sum(axis=-1, keepdims=True)) + terms * u * total


def mean(u: float, out: Any, a: Pair) -> Error:
    return sum(u, out, a) / np.shape(a[0])[-1] + u * np.abs(out)


def max(u: float, out: Any, a: Pair) -> Error:
    return np.asarray(a[1].max(axis=-1, keepdims=True))


min = max


def norm(u: float, out: Any, a: Pair) -> Error:
    terms = np.shape(a[0])[-1]
    carried = np.sqrt((a[1] * a[1]).sum(axis=-1, keepdims=True))
    return np.asarray(carried + (terms + 3) * u * np.abs(out) + _TINY)


def lookup(u: float, out: Any, w: Pair, i: Pair) -> Error:
    return np.broadcast_to(w[1], np.shape(w[0]))[i[0]]


def cat(u: float, out: Any, a: Pair, b: Pair) -> Error:
    return np.concatenate((a[1], b[1]), axis=-1)


def exact(u: float, out: Any, *args: Pair) -> Error:
    """Comparisons and logic give 0 or 1: no rounding (which side they fall on is not bounded)."""
    return np.zeros(np.shape(out))
