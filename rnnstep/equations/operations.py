"""The table of operations: one row gives an operation all its meanings.

| column     | reads an operation as                                                    |
|------------|--------------------------------------------------------------------------|
| `forward`  | its value                                                                |
| `vjp`      | its vector-Jacobian product: from ∂L/∂out to ∂L/∂argument, for each       |
| `interval` | bounds of its value from bounds of its arguments (`intervals.py`)         |
| `error`    | a bound of its rounding error from its arguments' (`bounds.py`)           |
| `symbol`, `latex`, `precedence` | how it is written (`write.py`)                      |

Values are arrays whose last axis is the vector; all axes before it are rows (time, batch)
on which an operation acts alike. `@` is matrix times vector: `W @ x` is `x @ W.T` row by row.
A reduction (`sum`, `max` …) leaves a last axis of length one.

What the program itself puts into equations (look-ups, losses, what a backward pass is made of) and users
do not write has its rows in `inner`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from rnnstep.equations import bounds, intervals, normalizing
from rnnstep.equations.inner import INNER
from rnnstep.equations.inner_values import cat, head, passed, ratio, softmax, tail
from rnnstep.equations.operation import Array, Interval, Operation

__all__ = ["OPERATIONS", "Array", "Interval", "Operation", "function_names", "sigmoid", "softmax"]


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(−a)), for every a without overflow warnings escaping."""
    with np.errstate(over="ignore"):
        return np.asarray(np.reciprocal(np.add(np.exp(np.negative(a)), 1)))


def _fit(gradient: Array, like: Array) -> Array:
    """Sum a gradient over the axes along which its argument was broadcast."""
    shape = np.shape(like)
    gradient = np.asarray(gradient)
    extra = gradient.ndim - len(shape)
    if extra > 0:
        gradient = gradient.sum(axis=tuple(range(extra)))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return np.asarray(gradient.sum(axis=stretched, keepdims=True)) if stretched else gradient


def _matmul_vjp(g: Array, out: Array, w: Array, x: Array) -> tuple[Array, Array]:
    rows_g, rows_x = g.reshape(-1, g.shape[-1]), np.broadcast_to(x, (*g.shape[:-1], x.shape[-1]))
    return rows_g.T @ rows_x.reshape(-1, x.shape[-1]), _fit(g @ w, x)


def _share_of_largest(g: Array, out: Array, a: Array) -> tuple[Array]:
    chosen = a == out
    return (g * chosen / chosen.sum(axis=-1, keepdims=True),)


def _zeros(g: Array, out: Array, *args: Array) -> tuple[Array, ...]:
    """Comparisons and logic have no slope."""
    return tuple(np.zeros_like(np.asarray(a, dtype=np.asarray(g).dtype)) for a in args)


def _as_number(function: Callable[..., object]) -> Callable[..., Array]:
    return lambda *args: np.asarray(function(*args), dtype=np.result_type(*args, np.float32))


def _pairwise(
    name: str,
    symbol: str,
    precedence: int,
    latex: str,
    forward: Callable[..., Array],
    vjp: Callable[..., tuple[Array, ...]],
) -> Operation:
    return Operation(
        name,
        2,
        forward,
        vjp,
        getattr(intervals, name),
        getattr(bounds, name),
        latex,
        symbol,
        precedence,
    )


def _function(
    name: str,
    forward: Callable[..., Array],
    vjp: Callable[..., tuple[Array, ...]],
    latex: str,
    kind: str = "elementwise",
) -> Operation:
    return Operation(name, 1, forward, vjp, getattr(intervals, name), getattr(bounds, name), latex, kind=kind)


def _logical(
    name: str, symbol: str, precedence: int, latex: str, function: Callable[..., object]
) -> Operation:
    arity = 1 if name == "not" else 2
    reading = functools.partial(intervals.truth, function)
    return Operation(
        name,
        arity,
        _as_number(function),
        _zeros,
        reading,
        bounds.exact,
        latex,
        symbol,
        precedence,
    )


def _question(name: str, function: Callable[..., object], kind: str = "elementwise") -> Operation:
    """A function that is true or false, written as 1 or 0."""
    return Operation(
        name,
        1,
        _as_number(function),
        _zeros,
        getattr(intervals, name),
        bounds.exact,
        rf"\operatorname{{{{{name}}}}}({{0}})",
        kind=kind,
    )


_ROWS = (
    _pairwise("add", "+", 5, "{0} + {1}", np.add, lambda g, y, a, b: (_fit(g, a), _fit(g, b))),
    _pairwise("sub", "-", 5, "{0} - {1}", np.subtract, lambda g, y, a, b: (_fit(g, a), _fit(-g, b))),
    _pairwise(
        "mul", "*", 6, r"{0} \odot {1}", np.multiply, lambda g, y, a, b: (_fit(g * b, a), _fit(g * a, b))
    ),
    _pairwise(
        "div", "/", 6, r"{0} / {1}", np.divide, lambda g, y, a, b: (_fit(g / b, a), _fit(-g * y / b, b))
    ),
    Operation(
        "matmul",
        2,
        lambda w, x: np.matmul(x, w.T),
        _matmul_vjp,
        intervals.matmul,
        bounds.matmul,
        "{0} {1}",
        "@",
        6,
        "product",
    ),
    Operation("neg", 1, np.negative, lambda g, y, a: (-g,), intervals.neg, bounds.neg, "-{0}", "-", 7),
    _function("tanh", np.tanh, lambda g, y, a: (g * (1 - y * y),), r"\tanh({0})"),
    _function("sigmoid", sigmoid, lambda g, y, a: (g * y * (1 - y),), r"\sigma({0})"),
    _function(
        "relu", lambda a: np.maximum(a, 0), lambda g, y, a: (passed(g, a),), r"\operatorname{{relu}}({0})"
    ),
    _function("exp", np.exp, lambda g, y, a: (g * y,), r"\exp({0})"),
    _function("log", np.log, lambda g, y, a: (g / a,), r"\ln({0})"),
    _function("sqrt", np.sqrt, lambda g, y, a: (g / (2 * y),), r"\sqrt{{{0}}}"),
    _function("abs", np.abs, lambda g, y, a: (g * np.sign(np.nan_to_num(a)),), r"\lvert {0} \rvert"),
    _function(
        "softmax",
        softmax,
        lambda g, y, a: (y * (g - (g * y).sum(axis=-1, keepdims=True)),),
        r"\operatorname{{softmax}}({0})",
        "reduction",
    ),
    _function(
        "sum",
        lambda a: np.sum(a, axis=-1, keepdims=True),
        lambda g, y, a: (np.broadcast_to(g, a.shape),),
        r"\sum {0}",
        "reduction",
    ),
    _function(
        "mean",
        lambda a: np.mean(a, axis=-1, keepdims=True),
        lambda g, y, a: (np.broadcast_to(g / a.shape[-1], a.shape),),
        r"\operatorname{{mean}}({0})",
        "reduction",
    ),
    _function(
        "max", lambda a: np.max(a, axis=-1, keepdims=True), _share_of_largest, r"\max({0})", "reduction"
    ),
    _function(
        "min", lambda a: np.min(a, axis=-1, keepdims=True), _share_of_largest, r"\min({0})", "reduction"
    ),
    _function(
        "norm",
        lambda a: np.sqrt(np.sum(a * a, axis=-1, keepdims=True)),
        lambda g, y, a: (g * ratio(a, y),),  # 0 at 0, as torch
        r"\lVert {0} \rVert",
        "reduction",
    ),
    Operation(
        "cat",
        2,
        cat,
        lambda g, y, a, b: (_fit(head(g, a), a), _fit(tail(g, b), b)),
        intervals.cat,
        bounds.cat,
        "[{0}; {1}]",
        kind="inner",
    ),
    Operation(
        "layer_norm",
        3,
        normalizing.layer_norm,
        lambda g, y, a, w, b: (
            normalizing.normalized_back(g * w, a),
            _fit(g * normalizing.normalized(a), w),
            _fit(g, b),
        ),
        normalizing.layer_norm_interval,
        normalizing.layer_norm_error,
        r"\operatorname{{LayerNorm}}({0};\, {1}, {2})",
        kind="inner",
    ),
    _question("isnan", np.isnan),
    _question("isinf", np.isinf),
    _question("isfinite", np.isfinite),
    _question("any", lambda a: np.any(a, axis=-1, keepdims=True), "reduction"),
    _question("all", lambda a: np.all(a, axis=-1, keepdims=True), "reduction"),
    Operation(
        "argmax",
        1,
        _as_number(lambda a: np.argmax(a, axis=-1)[..., None]),
        _zeros,
        intervals.argmax,
        bounds.argmax,
        r"\operatorname{{argmax}}({0})",
        kind="reduction",
    ),
    _logical("lt", "<", 4, "{0} < {1}", np.less),
    _logical("le", "<=", 4, r"{0} \le {1}", np.less_equal),
    _logical("gt", ">", 4, "{0} > {1}", np.greater),
    _logical("ge", ">=", 4, r"{0} \ge {1}", np.greater_equal),
    _logical("eq", "==", 4, "{0} = {1}", np.equal),
    _logical("ne", "!=", 4, r"{0} \ne {1}", np.not_equal),
    _logical("and", "and", 2, r"{0} \land {1}", np.logical_and),
    _logical("or", "or", 1, r"{0} \lor {1}", np.logical_or),
    _logical("not", "not", 3, r"\lnot {0}", np.logical_not),
)

OPERATIONS: dict[str, Operation] = {row.name: row for row in (*_ROWS, *INNER)}


@functools.cache
def function_names() -> tuple[str, ...]:
    """The operations that users call by name, in the table's order."""
    return tuple(row.name for row in _ROWS if not row.symbol)
