"""The vector-Jacobian products of the table as expressions: what a backward pass writes on the blackboard.

A rule gets ∂L/∂out, the result and the arguments, all as trees, and gives for each argument the tree of what
goes back to it, or None where nothing does. Tests hold a rule against the same in numbers, and that against finite
differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rnnstep.equations.normalizing import EPS
from rnnstep.equations.syntax import Apply, Expression, Number, number

Slopes = tuple[Expression | None, ...]

ZERO = Number(0.0, "0")
ONE = Number(1.0, "1")
TWO = Number(2.0, "2")
LAYER_NORM_EPS = number(EPS)


def add(a: Expression, b: Expression) -> Expression:
    """Give a + b."""
    return Apply("add", (a, b))


def sub(a: Expression, b: Expression) -> Expression:
    """Give a − b."""
    return Apply("sub", (a, b))


def mul(a: Expression, b: Expression) -> Expression:
    """Give a ⊙ b."""
    return Apply("mul", (a, b))


def div(a: Expression, b: Expression) -> Expression:
    """Give a / b."""
    return Apply("div", (a, b))


def neg(a: Expression) -> Expression:
    """Give −a."""
    return Apply("neg", (a,))


def _of(op: str, *args: Expression) -> Expression:
    return Apply(op, args)


def _largest(g: Expression, y: Expression, a: Expression) -> Slopes:
    """Equal largest elements share, as torch's amax does."""
    is_it = _of("eq", a, y)
    return (mul(is_it, div(g, _of("sum", is_it))),)


SLOPES: Mapping[str, Callable[..., Slopes]] = {
    "add": lambda g, y, a, b: (g, g),
    "sub": lambda g, y, a, b: (g, neg(g)),
    "mul": lambda g, y, a, b: (mul(g, b), mul(g, a)),
    "div": lambda g, y, a, b: (div(g, b), neg(div(mul(g, y), b))),
    "neg": lambda g, y, a: (neg(g),),
    "tanh": lambda g, y, a: (mul(g, sub(ONE, mul(y, y))),),
    "sigmoid": lambda g, y, a: (mul(g, mul(y, sub(ONE, y))),),
    "relu": lambda g, y, a: (_of("passed", g, a),),
    "exp": lambda g, y, a: (mul(g, y),),
    "log": lambda g, y, a: (div(g, a),),
    "sqrt": lambda g, y, a: (div(g, mul(TWO, y)),),
    "abs": lambda g, y, a: (mul(g, sub(_of("gt", a, ZERO), _of("lt", a, ZERO))),),
    "softmax": lambda g, y, a: (mul(y, sub(g, _of("sum", mul(g, y)))),),
    "log_softmax": lambda g, y, a: (sub(g, mul(_of("softmax", a), _of("sum", g))),),
    "largest": lambda g, y, *args: tuple(
        _of("where_largest", g, Number(float(k), str(k)), *args) for k in range(len(args))
    ),
    "softplus": lambda g, y, a: (mul(g, _of("sigmoid", a)),),
    "smooth_l1": lambda g, y, a, b: (mul(g, _of("maximum", neg(ONE), _of("minimum", ONE, div(a, b)))), None),
    "sum": lambda g, y, a: (_of("spread", g, a),),
    "max": _largest,
    "min": _largest,
    "norm": lambda g, y, a: (mul(g, _of("ratio", a, y)),),
    "cat": lambda g, y, a, b: (_of("head", g, a), _of("tail", g, b)),
    "part": lambda g, y, a, i, j: (_of("within", g, i, a), None, None),
    "normalized": lambda g, y, a, e: (_of("normalized_back", g, a, e), None),
    "layer_norm": lambda g, y, a, w, b: (
        _of("normalized_back", mul(g, w), a, LAYER_NORM_EPS),
        mul(g, _of("normalized", a, LAYER_NORM_EPS)),
        g,
    ),
    "standardized": lambda g, y, a, m, v, e: (
        div(g, _of("sqrt", add(v, e))),
        neg(div(g, _of("sqrt", add(v, e)))),
        neg(div(mul(g, y), mul(TWO, add(v, e)))),
        None,
    ),
    "chosen": lambda g, y, a, i: (_of("placed", g, i, a), None),
    "scored": lambda g, y, m, v: (_of("products", g, v), _of("mixed", g, m)),
    "mixed": lambda g, y, w, m: (_of("scored", m, g), _of("products", w, g)),
    "to_each": lambda g, y, v, m: (_of("over_each", g), None),
    "over_each": lambda g, y, m: (_of("to_each", g, m),),
    "live_softmax": lambda g, y, a, live: (mul(y, sub(g, _of("sum", mul(g, y)))), None),
    "lookup": lambda g, y, w, i: (_of("scatter", g, i, w), None),
}
"""A rule for each operation that has a slope, but for the products with a matrix, of a vector and of each of a bank, and the mean,
which needs to know a size: they are with `differentiate`."""
