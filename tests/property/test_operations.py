"""Every row of the table of operations: its slope, its interval and its error bound, against other ways."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rnnstep.equations.differentiate import backward
from rnnstep.equations.evaluate import Values, evaluate, evaluate_lines
from rnnstep.equations.normalizing import EPS
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.program import Program, infer
from rnnstep.equations.slopes import SLOPES
from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.reference.judge.bounds import A_NUMBER, Rounding
from tests.oracle.numeric_slopes import VJPS

mpmath.mp.prec = 400

# Arguments of these are made in a way of their own: `test_inner_operations` has their exact values.
INNER = {
    *("lookup", "cat", "head", "tail", "chosen", "placed", "part", "within"),
    *("pullback", "outer", "rows", "spread", "scatter", "ratio", "passed", "largest", "where_largest"),
    *("scored", "mixed", "on_each", "to_each", "over_each", "products", "live_softmax"),
}
# These stand in a way back alone, and nothing goes back through them.
ENDING = {"head", "tail", "placed", "pullback", "outer", "rows", "spread", "scatter", "ratio", "passed"}
ENDING |= {"where_largest", "maximum", "minimum", "within", "normalized_back", "products"}
SLOPED = sorted(OPERATIONS.keys() - ENDING)
WITHOUT_SLOPE = {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "isnan"}
WITHOUT_SLOPE |= {"isinf", "isfinite", "any", "all", "argmax"}
NORMALIZING = {
    "layer_norm",
    "normalized",
    "normalized_back",
    "standardized",
}  # which divide by what may be next to nothing
ENDING_IN_EPS = {
    "normalized",
    "normalized_back",
    "standardized",
}  # their last argument is a number of the equation
BANKS = {"scored", "mixed", "on_each", "to_each", "over_each", "live_softmax"}
POSITIVE = {"log", "sqrt"}
NUMERIC = sorted(OPERATIONS.keys() - WITHOUT_SLOPE - INNER)

# ── slopes ───────────────────────────────────────────────────────────────────────────


def smooth(rng: np.random.Generator, op: str, shape: tuple[int, ...]) -> np.ndarray:
    """Values where the operation has a slope, away from kinks and poles."""
    values = rng.normal(size=shape)
    if op in {"relu", "abs", "div", "norm"}:
        return np.where(values < 0, values - 0.5, values + 0.5)
    if op in POSITIVE:
        return np.abs(values) + 0.5
    if op in {"max", "min"}:
        return rng.permuted(np.broadcast_to(np.arange(shape[-1]) * 1.0, shape), axis=-1)
    return values


def arguments(rng: np.random.Generator, op: str, rows: tuple[int, ...], n: int) -> list[np.ndarray]:
    """Arguments of random shapes: with row axes, without, or of one element, as broadcasting allows."""
    if op == "matmul":
        return [rng.normal(size=(int(rng.integers(1, 5)), n)), rng.normal(size=(*rows, n))]
    if op == "lookup":
        return [rng.normal(size=(5, n)), rng.integers(0, 5, size=rows)]
    if op == "cat":
        return [rng.normal(size=(*rows, n)), rng.normal(size=(*rows, int(rng.integers(1, 5))))]
    if op == "chosen":
        return [rng.normal(size=(*rows, n)), rng.integers(0, n, size=rows)]
    if op == "part":
        start = int(rng.integers(0, n))
        return [rng.normal(size=(*rows, n)), np.array(start), np.array(rng.integers(start + 1, n + 1))]
    if op == "layer_norm":
        return [rng.normal(size=(*rows, n)), rng.normal(size=n), rng.normal(size=n)]
    if op == "standardized":
        vector = (*rows, n)
        return [*rng.normal(size=(2, *vector)), rng.uniform(0.5, 2, vector), np.array(rng.integers(1, 4))]
    if op in {"smooth_l1", "normalized"}:
        return [rng.normal(size=(*rows, n)), np.array(rng.integers(1, 4))]
    if op in BANKS:
        return of_bank(rng, op, rows, n)
    if op == "largest":
        return list(rng.normal(size=(int(rng.integers(1, 5)), *rows, n)))
    shapes = [(*rows, n)]
    if OPERATIONS[op].arity == 2:
        shapes.append([(*rows, n), (n,), (1,), (*rows, 1), ()][rng.integers(5)])
    made = [smooth(rng, op, shape) for shape in shapes]
    return made[::-1] if rng.integers(2) else made


def of_bank(rng: np.random.Generator, op: str, rows: tuple[int, ...], n: int) -> list[np.ndarray]:
    """Arguments of an operation with a bank, which lacks an axis of steps."""
    bank = rng.normal(size=(*rows[-1:], int(rng.integers(1, 5)), n))
    if op == "on_each":
        return [rng.normal(size=(int(rng.integers(1, 5)), n)), bank]
    if op == "over_each":
        return [bank]
    if op == "live_softmax":
        live = rng.integers(0, 2, size=(*rows[-1:], n))
        live[..., int(rng.integers(0, n))] = 1
        return [rng.normal(size=(*rows, n)), live]
    vector = rng.normal(size=(*rows, bank.shape[-2] if op == "mixed" else n))
    return [bank, vector] if op == "scored" else [vector, bank]


ROWS_OF_ARRAYS = st.sampled_from([(), (1,), (3,), (2, 3)])
SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("op", SLOPED)
@given(seed=SEEDS, rows=ROWS_OF_ARRAYS, n=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_vjp_is_the_slope_that_finite_differences_find(
    op: str, seed: int, rows: tuple[int, ...], n: int
) -> None:
    rng = np.random.default_rng(seed)
    row = OPERATIONS[op]
    args = arguments(rng, op, rows, n)
    out = np.asarray(row.forward(*args), dtype=np.float64)
    g = rng.normal(size=out.shape)
    gradients = VJPS[op](g, out, *args)
    assert [np.shape(gradient) for gradient in gradients] == [np.shape(argument) for argument in args]
    if op in WITHOUT_SLOPE:
        assert not any(np.any(gradient) for gradient in gradients)
        return
    moved = [rng.normal(size=a.shape) if a.dtype == np.float64 else np.zeros(a.shape, int) for a in args]
    h = 1e-6
    above, below = (
        np.sum(
            g
            * row.forward(
                *(a + side * v if v.dtype == np.float64 else a for a, v in zip(args, moved, strict=True))
            )
        )
        for side in (h, -h)
    )
    expected = (above - below) / (2 * h)
    found = sum(float(np.sum(gradient * v)) for gradient, v in zip(gradients, moved, strict=True))
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_what_stands_in_a_way_back_alone_has_no_slope() -> None:
    assert OPERATIONS.keys() - VJPS.keys() == ENDING


# ── slopes that are written out ──────────────────────────────────────────────────────


def test_every_slope_is_written_out() -> None:
    told_by_size = {"matmul", "on_each", "mean"}
    assert SLOPES.keys() | told_by_size | WITHOUT_SLOPE | ENDING == OPERATIONS.keys()


@pytest.mark.parametrize("op", sorted(SLOPES))
@given(seed=SEEDS, rows=ROWS_OF_ARRAYS, n=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_rule_gives_what_the_vjp_gives(op: str, seed: int, rows: tuple[int, ...], n: int) -> None:
    rng = np.random.default_rng(seed)
    args = arguments(
        rng, op, rows[-1:] if op in BANKS else rows, n
    )  # what goes back to a bank is of one step
    if op in {
        "add",
        "sub",
        "mul",
        "div",
        "layer_norm",
    }:  # a rule is of arguments of one shape; the others are fitted
        args = [np.broadcast_to(a, np.broadcast_shapes(*map(np.shape, args))) for a in args]
    out = np.asarray(OPERATIONS[op].forward(*args))
    g = rng.normal(size=out.shape)
    names = [f"a{k}" for k in range(len(args))]
    known = {"g": g, "y": out, **dict(zip(names, args, strict=True))}
    rules = SLOPES[op](Name("g"), Name("y"), *map(Name, names))
    for rule, expected in zip(rules, VJPS[op](g, out, *args), strict=True):
        if rule is None:
            assert not np.any(expected)
        else:
            np.testing.assert_allclose(evaluate(rule, known, Values()), expected, rtol=1e-12, atol=1e-13)


CONSTANT = dict.fromkeys(("lookup", "chosen", "smooth_l1", "normalized", "live_softmax"), ("a1",))
CONSTANT |= {"standardized": ("a3",)}


@pytest.mark.parametrize("op", sorted(OPERATIONS.keys() - ENDING - WITHOUT_SLOPE - {"part"}))
@given(seed=SEEDS, n=st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_way_back_through_one_operation_is_the_vjp(op: str, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    args = arguments(rng, op, (), n)
    names = [f"a{k}" for k in range(len(args))]
    expression = Apply(op, tuple(map(Name, names)))
    shapes = {name: np.shape(a) for name, a in zip(names, args, strict=True)}
    shape = infer(expression, shapes)
    inputs = {name: shape for name, shape in shapes.items() if len(shape) < 2}
    matrices = {name: shape for name, shape in shapes.items() if len(shape) == 2}
    banks = {}
    if op in BANKS - {"live_softmax"}:
        bank = "a0" if op in ("scored", "over_each") else "a1"
        banks = {bank: matrices.pop(bank)}
    shapes |= {"y": shape}
    program = Program((Line("y", expression),), inputs, {}, matrices, shapes, banks=banks)
    back = backward(program, "y", is_summed=False, constant=CONSTANT.get(op, ()))
    out = np.asarray(OPERATIONS[op].forward(*args))
    g = rng.normal(size=out.shape)
    known = {**dict(zip(names, args, strict=True)), "y": out, back.above: g}
    found = evaluate_lines(back.program.lines, known, Values())
    for name, expected in zip(names, VJPS[op](g, out, *args), strict=True):
        if f"∂{name}" in found or np.any(expected):
            gradient = np.asarray(found[f"∂{name}"])
            np.testing.assert_allclose(gradient.reshape(expected.shape), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("op", "argument", "slope"),
    [
        ("relu", [0.0, 1.0], [0.0, 1.0]),
        ("abs", [0.0, -2.0], [0.0, -1.0]),
        ("max", [3.0, 3.0, 1.0], [0.5, 0.5, 0.0]),
        ("min", [3.0, 1.0, 1.0], [0.0, 0.5, 0.5]),
        ("norm", [0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_slope_at_a_kink_is_the_one_of_torch(op: str, argument: list[float], slope: list[float]) -> None:
    a = np.array(argument)
    out = OPERATIONS[op].forward(a)
    (gradient,) = VJPS[op](np.ones_like(out), out, a)
    np.testing.assert_array_equal(gradient, slope)
    (rule,) = SLOPES[op](Name("g"), Name("y"), Name("a"))
    np.testing.assert_array_equal(evaluate(rule, {"g": np.ones_like(out), "y": out, "a": a}, Values()), slope)


def test_infinite_gradient_goes_back_as_in_torch() -> None:
    """What is 0 by choice, as relu where it shuts, stays 0; what is a product with 0 is NaN: torch's rule for each."""
    import torch

    ways = {
        "relu": torch.relu,
        "abs": torch.abs,
        "sqrt": torch.sqrt,
        "tanh": torch.tanh,
        "max": lambda a: torch.amax(a, -1, keepdim=True),
        "min": lambda a: torch.amin(a, -1, keepdim=True),
        "norm": lambda a: torch.linalg.vector_norm(a, dim=-1, keepdim=True),
    }
    vectors = [[-1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [3.0, 3.0, -3.0], [math.inf, 1.0, -math.inf]]
    vectors += [[math.nan, 1.0, 0.0], [0.0, math.nan, -1.0]]
    for op, way in ways.items():
        for vector in vectors:
            for upstream in (math.inf, -math.inf, math.nan, 1.0):
                a = np.array(vector)
                beside = torch.tensor(vector, dtype=torch.float64, requires_grad=True)
                above = way(beside)
                (expected,) = torch.autograd.grad(above, beside, torch.full_like(above, upstream))
                with np.errstate(all="ignore"):
                    out = np.asarray(OPERATIONS[op].forward(a))
                    g = np.full(out.shape, upstream)
                    (rule,) = SLOPES[op](Name("g"), Name("y"), Name("a"))
                    found = evaluate(rule, {"g": g, "y": out, "a": a}, Values())
                    (vjp,) = VJPS[op](g, out, a)
                where = f"{op} {vector} {upstream}"
                np.testing.assert_allclose(found, expected.numpy(), rtol=1e-12, err_msg=where)
                np.testing.assert_allclose(vjp, expected.numpy(), rtol=1e-12, err_msg=where)


# ── exact values ─────────────────────────────────────────────────────────────────────

Vector = list[Fraction]


def real(value: Fraction) -> Any:
    return mpmath.mpf(value.numerator) / value.denominator


def fraction(value: Any) -> Fraction:
    """A number of mpmath as a fraction; its 400 bits are exact beside any float."""
    sign, mantissa, exponent, _ = mpmath.mpf(value)._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def through(function: Callable[[Any], Any]) -> Callable[[Vector], Vector]:
    return lambda a: [fraction(function(real(x))) for x in a]


def exact_softmax(a: Vector) -> Vector:
    powers = [mpmath.exp(real(x - max(a))) for x in a]
    return [fraction(power / mpmath.fsum(powers)) for power in powers]


def exact_log_softmax(a: Vector) -> Vector:
    powers = mpmath.fsum(mpmath.exp(real(x - max(a))) for x in a)
    return [x - max(a) - fraction(mpmath.log(powers)) for x in a]


def exact_normalized(a: Vector, eps: Fraction) -> tuple[Vector, Fraction]:
    """The normalized elements, and the root they were divided by."""
    mean = sum(a, Fraction(0)) / len(a)
    variance = sum(((x - mean) ** 2 for x in a), Fraction(0)) / len(a)
    root = fraction(mpmath.sqrt(real(variance + eps)))
    return [(x - mean) / root for x in a], root


def exact_layer_norm(a: Vector, weight: Vector, bias: Vector) -> Vector:
    return [x * w + b for x, w, b in zip(exact_normalized(a, Fraction(EPS))[0], weight, bias, strict=True)]


def exact_normalized_back(g: Vector, a: Vector, eps: Vector) -> Vector:
    x, root = exact_normalized(a, eps[0])
    mean = sum(g, Fraction(0)) / len(g)
    along = sum((b * y for b, y in zip(g, x, strict=True)), Fraction(0)) / len(g)
    return [(b - mean - y * along) / root for b, y in zip(g, x, strict=True)]


def truth(function: Callable[..., bool]) -> Callable[..., Vector]:
    return lambda *args: [Fraction(function(*elements)) for elements in zip(*args, strict=True)]


EXACT: dict[str, Callable[..., Vector]] = {
    "add": lambda a, b: [x + y for x, y in zip(a, b, strict=True)],
    "sub": lambda a, b: [x - y for x, y in zip(a, b, strict=True)],
    "mul": lambda a, b: [x * y for x, y in zip(a, b, strict=True)],
    "div": lambda a, b: [x / y for x, y in zip(a, b, strict=True)],
    "matmul": lambda w, x: [sum((a * b for a, b in zip(w, x, strict=True)), Fraction(0))],
    "neg": lambda a: [-x for x in a],
    "relu": lambda a: [max(x, Fraction(0)) for x in a],
    "abs": lambda a: [abs(x) for x in a],
    "sum": lambda a: [sum(a, Fraction(0))],
    "mean": lambda a: [sum(a, Fraction(0)) / len(a)],
    "max": lambda a: [max(a)],
    "min": lambda a: [min(a)],
    "norm": lambda a: [fraction(mpmath.sqrt(real(sum((x * x for x in a), Fraction(0)))))],
    "tanh": through(mpmath.tanh),
    "sigmoid": through(lambda x: 1 / (1 + mpmath.exp(-x))),
    "exp": through(mpmath.exp),
    "log": through(mpmath.log),
    "sqrt": through(mpmath.sqrt),
    "softmax": exact_softmax,
    "log_softmax": exact_log_softmax,
    "softplus": through(lambda x: mpmath.log1p(mpmath.exp(x))),
    "smooth_l1": lambda a, b: [
        x * x / (2 * y) if abs(x) < y else abs(x) - y / 2 for x, y in zip(a, b, strict=True)
    ],
    "maximum": lambda a, b: [max(pair) for pair in zip(a, b, strict=True)],
    "minimum": lambda a, b: [min(pair) for pair in zip(a, b, strict=True)],
    "lt": truth(lambda x, y: x < y),
    "le": truth(lambda x, y: x <= y),
    "gt": truth(lambda x, y: x > y),
    "ge": truth(lambda x, y: x >= y),
    "eq": truth(lambda x, y: x == y),
    "ne": truth(lambda x, y: x != y),
    "and": truth(lambda x, y: bool(x) and bool(y)),
    "or": truth(lambda x, y: bool(x) or bool(y)),
    "not": truth(lambda x: not x),
    "isnan": lambda a: [Fraction(0) for _ in a],
    "isinf": lambda a: [Fraction(0) for _ in a],
    "isfinite": lambda a: [Fraction(1) for _ in a],
    "any": lambda a: [Fraction(any(x != 0 for x in a))],
    "all": lambda a: [Fraction(all(x != 0 for x in a))],
    "argmax": lambda a: [Fraction(a.index(max(a)))],
    "normalized": lambda a, eps: exact_normalized(a, eps[0])[0],
    "layer_norm": exact_layer_norm,
    "standardized": lambda a, mean, variance, eps: [
        (x - m) / fraction(mpmath.sqrt(real(v + eps[0]))) for x, m, v in zip(a, mean, variance, strict=True)
    ],
    "normalized_back": exact_normalized_back,
}  # fmt: skip

# Beyond these an exact exponential has more digits than memory.
REACH = {"exp": 800.0, "softmax": 800.0, "log_softmax": 800.0, "softplus": 1e4, "tanh": 1e4, "sigmoid": 1e4}


def test_every_operation_has_an_exact_counterpart() -> None:
    assert EXACT.keys() | INNER == OPERATIONS.keys()


def is_in_domain(op: str, args: list[Vector]) -> bool:
    if op == "log":
        return all(x > 0 for x in args[0])
    if op == "sqrt":
        return all(x >= 0 for x in args[0])
    if op == "div":
        return all(y != 0 for y in args[1])
    if op == "smooth_l1":
        return all(y > 0 for y in args[1])
    reach = REACH.get(op, math.inf)
    return all(abs(x) <= reach for a in args for x in a) if reach < math.inf else True


# ── error bounds ─────────────────────────────────────────────────────────────────────

ORDINARY = st.floats(-8, 8)
ANY_SIZE = st.builds(math.ldexp, st.floats(-1, 1), st.integers(-160, 130))


# Made once: a strategy that is made anew for each example costs more than what it draws.
def lists_of(elements: st.SearchStrategy, most: int) -> dict[int, st.SearchStrategy]:
    return {n: st.lists(elements, min_size=n, max_size=n) for n in range(1, most + 1)}


SOME_EPS = st.sampled_from([1e-5, 1e-12, 0.1, 2.0])
COUNTED = range(1, 5)
COUNTS, FLAGS = st.sampled_from(COUNTED), st.booleans()
# Nor is drawn by itself what one draw can say.
NUMBERS = {n: lists_of(ORDINARY, 4)[n] | lists_of(ANY_SIZE, 4)[n] for n in COUNTED}
SHARES = {n: st.sampled_from([*product([0, -1, 1, Fraction(1, 3)], repeat=n)]) for n in COUNTED}
# Whether two elements cancel, and the errors, relative and absolute.
ERRORS = {
    dtype: st.sampled_from(
        [*product([False, True], [0.0, float(np.finfo(dtype).eps), 1e-3, 0.3], [0.0, 1e-40, 1e-9, 0.1])]
    )
    for dtype in (np.dtype(np.float32), np.dtype(np.float64))
}


@cache
@st.composite
def perturbed(
    draw: st.DrawFn, op: str, dtype: np.dtype[np.floating]
) -> list[tuple[np.ndarray, np.ndarray, Vector]]:
    """Arguments as computed, their error bounds, and exact arguments within these."""
    n = draw(COUNTS)
    made = []
    reach = REACH.get(op, 1e30)
    for position in range(OPERATIONS[op].arity):
        is_positive = op in POSITIVE or (op, position) in {("smooth_l1", 1), ("standardized", 2)}
        floats = draw(NUMBERS[n])
        value = np.clip(np.array(floats), -reach, reach).astype(dtype)
        cancels, relative, absolute = draw(ERRORS[dtype])
        if n > 1 and cancels:
            value[1] = -value[0]
        if is_positive:
            value, absolute = np.abs(value) + dtype.type(1e-20), 0.0
        error = np.abs(value).astype(np.float64) * relative + absolute
        shares = draw(SHARES[n])
        exact = [
            Fraction(float(v)) + share * Fraction(float(e))
            for v, e, share in zip(value, error, shares, strict=True)
        ]
        made.append((value, error, exact))
    if op in ENDING_IN_EPS:
        eps = draw(SOME_EPS)
        made[-1] = np.array([eps]), np.zeros(1), [Fraction(eps)]
    return made


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", NUMERIC)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_error_bound_holds_against_exact_arithmetic(
    op: str, dtype: type[np.floating], data: st.DataObject
) -> None:
    drawn = data.draw(perturbed(op, np.dtype(dtype)))
    exact_args = [exact for _, _, exact in drawn]
    assume(
        is_in_domain(op, exact_args)
        and is_in_domain(op, [[Fraction(float(v)) for v in a] for a, _, _ in drawn])
    )
    pairs = [(value, error) for value, error, _ in drawn]
    if op == "matmul":
        pairs[0] = (pairs[0][0][None], pairs[0][1][None])
    out, bound = Rounding(np.dtype(dtype)).apply(op, tuple(pairs))
    assert out.dtype == dtype
    assert not np.isnan(bound).any()
    exact = EXACT[op](*exact_args)
    # The rules are of first order: what is of the order of u² is not in them.
    slack = 1 + 32 * Fraction(float(np.finfo(dtype).eps))
    for computed, allowed, expected in zip(out, np.broadcast_to(bound, out.shape), exact, strict=True):
        if allowed < A_NUMBER:
            assert abs(Fraction(float(computed)) - expected) <= Fraction(float(allowed)) * slack


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", NUMERIC)
def test_error_bound_of_exact_ordinary_arguments_is_a_few_units(op: str, dtype: type[np.floating]) -> None:
    value = np.array([0.5, 0.75, 1.25], dtype)
    pair = (value, np.zeros(3))
    pairs = [(value[None], np.zeros((1, 3))), pair] if op == "matmul" else [pair] * OPERATIONS[op].arity
    if op in ENDING_IN_EPS:
        pairs[-1] = np.asarray(EPS), np.zeros(())
    _, bound = Rounding(np.dtype(dtype)).apply(op, tuple(pairs))
    units = 40 if op == "log_softmax" else 20  # a difference, a logarithm and a sum of powers
    units = 300 if op in NORMALIZING else units  # a third of the arguments is divided by, twice
    assert np.all(bound <= units * np.finfo(dtype).eps)


def test_overflowed_value_has_no_bound() -> None:
    large = np.array([1e30], np.float32)
    out, bound = Rounding(np.dtype(np.float32)).apply("mul", ((large, np.zeros(1)), (large, np.zeros(1))))
    assert np.isinf(out).all()
    assert (bound >= A_NUMBER).all()


# ── intervals ────────────────────────────────────────────────────────────────────────

ENDS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 0.5, 5e-324, 1e300, -1e300, math.inf, -math.inf]),
    st.floats(-5, 5),
    st.floats(-700, 700),
)

WHERE = st.sampled_from([*product([False, True], ["low", "inside", "high"], [False, True])])

INSIDE = st.floats(0, 1)


@st.composite
def interval_and_point(draw: st.DrawFn, op: str) -> tuple[float, float, float]:
    """An interval (one point, across zero, infinite …) and a number inside."""
    low, high = sorted((draw(ENDS), draw(ENDS)))
    is_one_point, where, is_zero = draw(WHERE)
    if is_one_point and math.isfinite(low):
        high = low
    least = 1e-300 if op in POSITIVE else -REACH.get(op, 1e307)
    low, high = (low, max(high, least)) if high < least else (low, high)
    near, far = max(low, least) + 0.0, min(high, REACH.get(op, 1e307)) + 0.0  # no −0.0
    assume(near <= far)
    point = near if where == "low" else far
    if where == "inside":
        share = draw(INSIDE)
        point = min(max(near * (1 - share) + far * share, near), far)
    if op not in POSITIVE and low <= 0 <= high and is_zero:
        point = 0.0
    return low, high, point


INTERVALS = {op: lists_of(interval_and_point(op), 3) for op in EXACT}


@pytest.mark.parametrize("op", sorted(EXACT))
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_interval_holds_the_exact_value_of_every_point(op: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 3))
    kinds = [op] * OPERATIONS[op].arity
    if op == "smooth_l1":
        kinds[1] = "log"  # which is of what is above 0, too
    if op == "standardized":
        kinds[2] = "log"
    drawn = [data.draw(INTERVALS[kind][n]) for kind in kinds]
    if op in ENDING_IN_EPS:
        eps = data.draw(SOME_EPS)
        drawn[-1] = [(eps, eps, eps)]
    points = [[Fraction(point) for _, _, point in a] for a in drawn]
    assume(is_in_domain(op, points))
    intervals = [(np.array([low for low, _, _ in a]), np.array([high for _, high, _ in a])) for a in drawn]
    if op == "matmul":
        intervals[0] = (intervals[0][0][None], intervals[0][1][None])
    with np.errstate(all="ignore"):
        low, high = OPERATIONS[op].interval(*intervals)
    assert not np.isnan(low).any()
    assert not np.isnan(high).any()
    for least, most, expected in zip(low, high, EXACT[op](*points), strict=True):
        assert least == -math.inf or Fraction(float(least)) <= expected
        assert most == math.inf or expected <= Fraction(float(most))


@pytest.mark.parametrize("op", sorted({*NUMERIC} - NORMALIZING))
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_interval_of_exact_arguments_is_narrow(op: str, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 4))
    values = st.floats(0.25, 8) if op in POSITIVE | {"div", "smooth_l1"} else st.floats(-8, 8)
    args = [
        np.array(data.draw(st.lists(values, min_size=n, max_size=n))) for _ in range(OPERATIONS[op].arity)
    ]
    args = [a[None] if op == "matmul" and k == 0 else a for k, a in enumerate(args)]
    with np.errstate(all="ignore"):
        low, high = OPERATIONS[op].interval(*((a, a) for a in args))
    out = OPERATIONS[op].forward(*args)
    least = 1.0 if op in {"log_softmax", "softplus"} else 1e-3  # they add to 1 what may be much smaller
    sizes = (float(np.max(np.abs(a))) ** OPERATIONS[op].arity for a in args)
    reach = max(float(np.max(np.abs(out))), *sizes, least)
    assert np.all(low <= out)
    assert np.all(out <= high)
    assert np.all(high - low <= 40 * np.finfo(np.float64).eps * reach * n)


def test_interval_across_zero_is_not_known_to_be_true() -> None:
    across = (np.array([-1.0]), np.array([1.0]))
    for op, args in {"not": [across], "and": [across, across], "or": [across, across]}.items():
        with np.errstate(all="ignore"):
            low, high = OPERATIONS[op].interval(*args)
        assert (low.item(), high.item()) == (0.0, 1.0)
