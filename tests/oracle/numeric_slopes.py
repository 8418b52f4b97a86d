"""The vector-Jacobian product of each operation in numbers, written beside the table: from ∂L/∂out to ∂L/∂argument.

The program has slopes as expressions alone (`rnnstep.equations.slopes`); these are what they are held against, and
finite differences hold these. `VJPS[op](g, out, *arguments)` gives an array in the shape of each argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rnnstep.equations import normalizing
from rnnstep.equations.inner_values import (
    head,
    passed,
    placed,
    ratio,
    scatter,
    softmax,
    tail,
    within,
)
from rnnstep.equations.operations import OPERATIONS, Array

Gradients = tuple[Array, ...]


def _fit(gradient: Array, like: Array) -> Array:
    """Sum a gradient over the axes along which its argument was broadcast."""
    shape = np.shape(like)
    gradient = np.asarray(gradient)
    extra = gradient.ndim - len(shape)
    if extra > 0:
        gradient = gradient.sum(axis=tuple(range(extra)))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return np.asarray(gradient.sum(axis=stretched, keepdims=True)) if stretched else gradient


def _matmul(g: Array, out: Array, w: Array, x: Array) -> Gradients:
    rows_g, rows_x = g.reshape(-1, g.shape[-1]), np.broadcast_to(x, (*g.shape[:-1], x.shape[-1]))
    return rows_g.T @ rows_x.reshape(-1, x.shape[-1]), _fit(g @ w, x)


def _share_of_largest(g: Array, out: Array, a: Array) -> Gradients:
    chosen = a == out
    return (g * chosen / chosen.sum(axis=-1, keepdims=True),)


def _zeros(g: Array, out: Array, *args: Array) -> Gradients:
    """Comparisons and logic have no slope."""
    return tuple(np.zeros_like(np.asarray(a, dtype=np.asarray(g).dtype)) for a in args)


def _largest(g: Array, out: Array, *args: Array) -> Gradients:
    """All goes to the first of those that are equal and largest."""
    first = np.argmax(np.stack(args), axis=0)
    return tuple(np.where(first == k, g, 0.0) for k in range(len(args)))


def _layer_norm(g: Array, out: Array, a: Array, w: Array, b: Array) -> Gradients:
    back = normalizing.normalized_back(g * w, a, normalizing.EPS)
    return back, _fit(g * normalizing.normalized(a, normalizing.EPS), w), _fit(g, b)


def _standardized(g: Array, out: Array, a: Array, mean: Array, variance: Array, eps: Array) -> Gradients:
    back = g / np.sqrt(variance + eps)
    return back, -back, -g * out / (2 * (variance + eps)), np.zeros(np.shape(eps))


def _softplus(g: Array, out: Array, a: Array) -> Gradients:
    return (g * OPERATIONS["sigmoid"].forward(a),)


_WITHOUT_SLOPE = "lt le gt ge eq ne and or not isnan isinf isfinite any all argmax"

VJPS: Mapping[str, Callable[..., Gradients]] = {
    **dict.fromkeys(_WITHOUT_SLOPE.split(), _zeros),
    "add": lambda g, y, a, b: (_fit(g, a), _fit(g, b)),
    "sub": lambda g, y, a, b: (_fit(g, a), _fit(-g, b)),
    "mul": lambda g, y, a, b: (_fit(g * b, a), _fit(g * a, b)),
    "div": lambda g, y, a, b: (_fit(g / b, a), _fit(-g * y / b, b)),
    "matmul": _matmul,
    "neg": lambda g, y, a: (-g,),
    "tanh": lambda g, y, a: (g * (1 - y * y),),
    "sigmoid": lambda g, y, a: (g * y * (1 - y),),
    "relu": lambda g, y, a: (passed(g, a),),
    "exp": lambda g, y, a: (g * y,),
    "log": lambda g, y, a: (g / a,),
    "sqrt": lambda g, y, a: (g / (2 * y),),
    "abs": lambda g, y, a: (g * np.sign(np.nan_to_num(a)),),
    "softmax": lambda g, y, a: (y * (g - (g * y).sum(axis=-1, keepdims=True)),),
    "log_softmax": lambda g, y, a: (g - softmax(a) * g.sum(axis=-1, keepdims=True),),
    "softplus": _softplus,
    "smooth_l1": lambda g, y, a, b: (g * np.clip(a / b, -1, 1), np.zeros(np.shape(b))),
    "sum": lambda g, y, a: (np.broadcast_to(g, a.shape),),
    "mean": lambda g, y, a: (np.broadcast_to(g / a.shape[-1], a.shape),),
    "max": _share_of_largest,
    "largest": _largest,
    "min": _share_of_largest,
    "norm": lambda g, y, a: (g * ratio(a, y),),  # 0 at 0, as torch
    "cat": lambda g, y, a, b: (_fit(head(g, a), a), _fit(tail(g, b), b)),
    "part": lambda g, y, a, i, j: (within(g, i, a), np.zeros(np.shape(i)), np.zeros(np.shape(j))),
    "normalized": lambda g, y, a, e: (normalizing.normalized_back(g, a, e), np.zeros(np.shape(e))),
    "layer_norm": _layer_norm,
    "standardized": _standardized,
    "chosen": lambda g, y, a, i: (placed(g, i, a), np.zeros(np.shape(i), a.dtype)),
    "scored": lambda g, y, m, v: (
        _fit(g[..., None] * v[..., None, :], m),
        _fit((g[..., None] * m).sum(axis=-2), v),
    ),
    "mixed": lambda g, y, w, m: (
        _fit((m * g[..., None, :]).sum(axis=-1), w),
        _fit(w[..., None] * g[..., None, :], m),
    ),
    "on_each": _matmul,
    "to_each": lambda g, y, v, m: (_fit(g.sum(axis=-2), v), np.zeros(np.shape(m))),
    "over_each": lambda g, y, m: (np.broadcast_to(g[..., None, :], np.shape(m)),),
    "live_softmax": lambda g, y, a, live: (
        y * (g - (g * y).sum(axis=-1, keepdims=True)),
        np.zeros(live.shape),
    ),
    "lookup": lambda g, y, w, i: (scatter(g, i, w), np.zeros(np.shape(i), w.dtype)),
}
