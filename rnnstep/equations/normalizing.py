"""The rules of normalizations: `layer_norm`, its parts, and what is normalized by a mean and a variance that are given.

    normalized(a, eps) = (a − mean(a)) / √(var(a) + eps),   var(a) = mean((a − mean(a))²)
    layer_norm(a, weight, bias) = normalized(a, 10⁻⁵) ⊙ weight + bias
    standardized(a, mean, variance, eps) = (a − mean) / √(variance + eps)

The variance is Σ/n, and the eps of `layer_norm` torch's default (Ba, Kiros and Hinton 2016; torch.nn.functional.layer_norm).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations import bounds, intervals
from rnnstep.equations.bounds import Error, Pair
from rnnstep.equations.intervals import Interval

Array = NDArray[np.floating]

EPS = 1e-5


def _mean(a: Array) -> Array:
    """What np.mean gives, without its detours: it is taken at every step."""
    total = np.add.reduce(a, axis=-1, keepdims=True)
    return np.asarray(np.divide(total, np.shape(a)[-1]))


def _parts(a: Array, eps: Any) -> tuple[Array, Array]:
    """What a is above its mean, and the root that it is divided by."""
    centred = a - _mean(a)
    return centred, np.sqrt(_mean(centred * centred) + np.asarray(eps, centred.dtype))


def normalized(a: Array, eps: Any) -> Array:
    """(a − mean) / √(var + eps)."""
    centred, root = _parts(a, eps)
    return np.asarray(centred / root)


def layer_norm(a: Array, weight: Array, bias: Array) -> Array:
    """Normalized, times weight, plus bias."""
    return np.asarray(normalized(a, EPS) * weight + bias)


def layer_norm_into(a: Array, weight: Array, bias: Array, out: Array) -> None:
    """The same numbers, operation by operation, in an array that is there."""
    if a.shape != out.shape:
        np.copyto(out, layer_norm(a, weight, bias))
        return
    np.subtract(a, _mean(a), out)
    root = _mean(out * out)
    root += np.asarray(EPS, out.dtype)
    np.sqrt(root, root)
    np.divide(out, root, out)
    np.multiply(out, weight, out)
    np.add(out, bias, out)


def normalized_back(g: Array, a: Array, eps: Any) -> Array:
    """∂L/∂a from g = ∂L/∂normalized(a): what is left of g without its mean and its share along normalized(a)."""
    centred, root = _parts(a, eps)
    x = centred / root
    return np.asarray((g - _mean(g) - x * _mean(g * x)) / root)


def standardized(a: Array, mean: Array, variance: Array, eps: Any) -> Array:
    """(a − mean) / √(variance + eps), element by element, of a mean and a variance that are given."""
    centred = a - mean
    return np.asarray(centred / np.sqrt(variance + np.asarray(eps, np.asarray(variance).dtype)))


# ── intervals ────────────────────────────────────────────────────────────────────────


def _interval_parts(a: Interval, eps: Interval) -> tuple[Interval, Interval]:
    centred = intervals.sub(a, intervals.mean(a))
    size = intervals.absolute(centred)
    variance = intervals.mean(intervals.mul(size, size))
    low, high = intervals.add((np.maximum(variance[0], 0.0), variance[1]), eps)
    return centred, intervals.sqrt((np.maximum(low, eps[0] * (1 - 1e-15)), high))


def normalized_interval(a: Interval, eps: Interval) -> Interval:
    """No element is further from 0 than √(n − 1)."""
    low, high = intervals.div(*_interval_parts(a, eps))
    most = np.nextafter(np.sqrt(max(np.shape(a[0])[-1] - 1, 0)), np.inf)
    return np.clip(low, -most, most), np.clip(high, -most, most)


def layer_norm_interval(a: Interval, weight: Interval, bias: Interval) -> Interval:
    """Bounds of what is normalized, scaled and moved."""
    return intervals.add(intervals.mul(normalized_interval(a, intervals.point(EPS)), weight), bias)


def normalized_back_interval(g: Interval, a: Interval, eps: Interval) -> Interval:
    """Bounds through those of its operations."""
    _, root = _interval_parts(a, eps)
    x = normalized_interval(a, eps)
    along = intervals.mul(x, intervals.mean(intervals.mul(g, x)))
    return intervals.div(intervals.sub(intervals.sub(g, intervals.mean(g)), along), root)


def standardized_interval(a: Interval, mean: Interval, variance: Interval, eps: Interval) -> Interval:
    """Bounds through those of its operations."""
    return intervals.div(intervals.sub(a, mean), intervals.sqrt(intervals.add(variance, eps)))


# ── rounding errors ──────────────────────────────────────────────────────────────────


def _each(pair: Pair) -> Pair:
    value = np.asarray(pair[0])
    return value, np.broadcast_to(np.asarray(pair[1], np.float64), value.shape)


def _mean_pair(u: float, a: Pair) -> Pair:
    value = _mean(np.asarray(a[0]))
    return value, bounds.mean(u, value, a)


def _error_parts(u: float, a: Pair, eps: float) -> tuple[Pair, Pair]:
    """As `_parts`; a library may take the mean off after it has divided, so that what is large is rounded as such."""
    a = _each(a)
    mean = _mean_pair(u, a)
    value = a[0] - mean[0]
    large = 2 * u * (np.abs(np.asarray(a[0], np.float64)) + np.abs(np.asarray(mean[0], np.float64)))
    centred = value, bounds.sub(u, value, a, mean) + large
    square = value * value
    variance = _mean_pair(u, (square, bounds.mul(u, square, centred, centred)))
    shifted = variance[0] + np.asarray(eps, value.dtype)
    rounded = np.zeros(()), np.asarray(u * eps)
    root = np.sqrt(shifted)
    found = root, bounds.sqrt(u, root, (shifted, bounds.add(u, shifted, variance, rounded)))
    return centred, found


def normalized_error(u: float, out: Any, a: Pair, eps: Pair) -> Error:
    """That of a quotient whose divisor is a root."""
    centred, root = _error_parts(u, a, np.asarray(eps[0]).item())
    return bounds.div(u, centred[0] / root[0], centred, root)


def layer_norm_error(u: float, out: Any, a: Pair, weight: Pair, bias: Pair) -> Error:
    """That of a product and a sum on top."""
    x = normalized(np.asarray(a[0]), EPS)
    scaled = x * weight[0]
    error = bounds.mul(
        u, scaled, (x, normalized_error(u, x, a, (np.asarray(EPS), np.zeros(())))), _each(weight)
    )
    return bounds.add(u, out, (scaled, error), bias)


def normalized_back_error(u: float, out: Any, g: Pair, a: Pair, eps: Pair) -> Error:
    """That of each of its operations in turn."""
    g, a = _each(g), _each(a)
    centred, root = _error_parts(u, a, np.asarray(eps[0]).item())
    x = centred[0] / root[0]
    normal = x, bounds.div(u, x, centred, root)
    product = g[0] * x
    share = _mean_pair(u, (product, bounds.mul(u, product, g, normal)))
    along = x * share[0]
    mean = _mean_pair(u, g)
    less = g[0] - mean[0]
    left = less - along
    taken = (
        left,
        bounds.sub(
            u,
            left,
            (less, bounds.sub(u, less, g, mean)),
            (along, bounds.mul(u, along, normal, share)),
        ),
    )
    return bounds.div(u, left / root[0], taken, root)


def standardized_error(u: float, out: Any, a: Pair, mean: Pair, variance: Pair, eps: Pair) -> Error:
    """That of a quotient whose divisor is a root; a library may divide both by it before it takes the mean off."""
    a, mean = _each(a), _each(mean)
    value = a[0] - mean[0]
    large = 4 * u * (np.abs(np.asarray(a[0], np.float64)) + np.abs(np.asarray(mean[0], np.float64)))
    centred = value, bounds.sub(u, value, a, mean) + large
    number = np.asarray(eps[0]).item()
    shifted = np.asarray(variance[0]) + np.asarray(number, np.asarray(variance[0]).dtype)
    rounded = np.zeros(()), np.asarray(u * number)
    root = np.sqrt(shifted)
    error = bounds.sqrt(u, root, (shifted, bounds.add(u, shifted, _each(variance), rounded)))
    return bounds.div(u, out, centred, (root, error))
