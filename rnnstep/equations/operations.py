"""The table of operations: one row gives an operation all its meanings.

| column     | reads an operation as                                                    |
|------------|--------------------------------------------------------------------------|
| `forward`  | its value                                                                |
| `interval` | bounds of its value from bounds of its arguments (`intervals.py`)         |
| `error`    | a bound of its rounding error from its arguments' (`bounds.py`)           |
| `symbol`, `latex`, `precedence` | how it is written (`write.py`)                      |

Its slope, as an expression, stands in `slopes`: that reads the trees which are parsed with the names of this table.

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
from rnnstep.equations.inner_values import cat, softmax
from rnnstep.equations.operation import Array, Interval, Operation

__all__ = ["OPERATIONS", "Array", "Interval", "Operation", "function_names", "sigmoid", "softmax"]


def sigmoid(a: Array) -> Array:
    """1 / (1 + exp(−a)), for every a without overflow warnings escaping."""
    with np.errstate(over="ignore"):
        return np.asarray(np.reciprocal(np.add(np.exp(np.negative(a)), 1)))


def _as_number(function: Callable[..., object]) -> Callable[..., Array]:
    return lambda *args: np.asarray(function(*args), dtype=np.result_type(*args, np.float32))


def _pairwise(
    name: str,
    symbol: str,
    precedence: int,
    latex: str,
    forward: Callable[..., Array],
) -> Operation:
    return Operation(
        name,
        2,
        forward,
        getattr(intervals, name),
        getattr(bounds, name),
        latex,
        symbol,
        precedence,
    )


def _function(
    name: str,
    forward: Callable[..., Array],
    latex: str,
    kind: str = "elementwise",
) -> Operation:
    return Operation(name, 1, forward, getattr(intervals, name), getattr(bounds, name), latex, kind=kind)


def _logical(
    name: str, symbol: str, precedence: int, latex: str, function: Callable[..., object]
) -> Operation:
    arity = 1 if name == "not" else 2
    reading = functools.partial(intervals.truth, function)
    return Operation(
        name,
        arity,
        _as_number(function),
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
        getattr(intervals, name),
        bounds.exact,
        rf"\operatorname{{{{{name}}}}}({{0}})",
        kind=kind,
    )


_ROWS = (
    _pairwise("add", "+", 5, "{0} + {1}", np.add),
    _pairwise("sub", "-", 5, "{0} - {1}", np.subtract),
    _pairwise("mul", "*", 6, r"{0} \odot {1}", np.multiply),
    _pairwise("div", "/", 6, r"{0} / {1}", np.divide),
    Operation(
        "matmul",
        2,
        lambda w, x: np.matmul(x, w.T),
        intervals.matmul,
        bounds.matmul,
        "{0} {1}",
        "@",
        6,
        "product",
    ),
    Operation("neg", 1, np.negative, intervals.neg, bounds.neg, "-{0}", "-", 7),
    _function("tanh", np.tanh, r"\tanh({0})"),
    _function("sigmoid", sigmoid, r"\sigma({0})"),
    _function("relu", lambda a: np.maximum(a, 0), r"\operatorname{{relu}}({0})"),
    _function("exp", np.exp, r"\exp({0})"),
    _function("log", np.log, r"\ln({0})"),
    _function("sqrt", np.sqrt, r"\sqrt{{{0}}}"),
    _function("abs", np.abs, r"\lvert {0} \rvert"),
    _function(
        "softmax",
        softmax,
        r"\operatorname{{softmax}}({0})",
        "reduction",
    ),
    _function(
        "sum",
        lambda a: np.sum(a, axis=-1, keepdims=True),
        r"\sum {0}",
        "reduction",
    ),
    _function(
        "mean",
        lambda a: np.mean(a, axis=-1, keepdims=True),
        r"\operatorname{{mean}}({0})",
        "reduction",
    ),
    _function("max", lambda a: np.max(a, axis=-1, keepdims=True), r"\max({0})", "reduction"),
    _function("min", lambda a: np.min(a, axis=-1, keepdims=True), r"\min({0})", "reduction"),
    _function(
        "norm",
        lambda a: np.sqrt(np.sum(a * a, axis=-1, keepdims=True)),
        r"\lVert {0} \rVert",
        "reduction",
    ),
    Operation(
        "cat",
        2,
        cat,
        intervals.cat,
        bounds.cat,
        "[{0}; {1}]",
        kind="inner",
    ),
    Operation(
        "layer_norm",
        3,
        normalizing.layer_norm,
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
