"""The program's own operations: their values beside plain loops, their intervals and error bounds beside exact numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.equations.evaluate import Values
from rnnstep.equations.operations import OPERATIONS
from rnnstep.reference.judge.bounds import A_NUMBER, Rounding

# ── what they come to, by loops over numbers of any kind ─────────────────────────────────────

Matrix = list[list[Any]]


def by_row(function: Callable[..., list[Any]]) -> Callable[..., Matrix]:
    """A rule for one row, for all of them; what has no rows of its own is the same for each."""
    return lambda *args: [
        function(*(a[row] if is_of_rows(a) else a for a in args))
        for row in range(max(len(a) for a in args if is_of_rows(a)))
    ]


def is_of_rows(a: Any) -> bool:
    return isinstance(a, list) and bool(a) and isinstance(a[0], list)


def lookup(table: Matrix, places: list[int]) -> Matrix:
    return [list(table[place]) for place in places]


def pullback(*pairs: Matrix) -> Matrix:
    matrices, vectors = pairs[::2], pairs[1::2]
    return [
        [
            sum(
                w[k][column] * g[row][k]
                for w, g in zip(matrices, vectors, strict=True)
                for k in range(len(w))
            )
            for column in range(len(matrices[0][0]))
        ]
        for row in range(len(vectors[0]))
    ]


def outer(g: Matrix, x: Matrix) -> Matrix:
    return [
        [sum(a[i] * b[j] for a, b in zip(g, x, strict=True)) for j in range(len(x[0]))]
        for i in range(len(g[0]))
    ]


def scatter(g: Matrix, places: list[int], table: Matrix) -> Matrix:
    found = [[number * 0 for number in row] for row in table]
    for row, place in zip(g, places, strict=True):
        if place >= 0:
            found[place] = [a + b for a, b in zip(found[place], row, strict=True)]
    return found


def on_each(w: Matrix, banks: list[Matrix]) -> list[Matrix]:
    return [
        [[sum(a * b for a, b in zip(line, vector, strict=True)) for line in w] for vector in bank]
        for bank in banks
    ]


def live_softmax(a: Matrix, live: Matrix) -> Matrix:
    """Of what is live alone; what is far below the largest is as small as makes no difference to any float."""

    def of_row(scores: list[Any], alive: list[Any]) -> list[Any]:
        largest = max(score for score, one in zip(scores, alive, strict=True) if one)
        below = [max(Fraction(score) - largest, Fraction(-2000)) for score in scores]
        with mpmath.workprec(400):
            powers = [
                mpmath.exp(mpmath.mpf(x.numerator) / x.denominator) * one
                for x, one in zip(below, alive, strict=True)
            ]
            return [_fraction(power / mpmath.fsum(powers)) for power in powers]

    return [of_row(*pair) for pair in zip(a, live, strict=True)]


def _fraction(value: Any) -> Fraction:
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


LOOPS: dict[str, Callable[..., Matrix]] = {
    "lookup": lookup,
    "cat": by_row(lambda a, b: [*a, *b]),
    "head": by_row(lambda g, a: g[: len(a)]),
    "tail": by_row(lambda g, a: g[len(g) - len(a) :]),
    "chosen": lambda a, places: [[row[place]] for row, place in zip(a, places, strict=True)],
    "placed": lambda g, places, a: [
        [one[0] if k == place else one[0] * 0 for k in range(len(row))]
        for one, place, row in zip(g, places, a, strict=True)
    ],
    "pullback": pullback,
    "outer": outer,
    "rows": lambda g: [[sum(column) for column in zip(*g, strict=True)]],
    "spread": by_row(lambda g, a: [g[0] for _ in a]),
    "scatter": scatter,
    "passed": by_row(lambda g, a: [x if y > 0 else x * 0 for x, y in zip(g, a, strict=True)]),
    "ratio": by_row(lambda a, b: [x / y if y else x * 0 for x, y in zip(a, b, strict=True)]),
    "scored": by_row(lambda m, v: [sum(a * b for a, b in zip(vector, v, strict=True)) for vector in m]),
    "mixed": by_row(lambda w, m: [sum(a * b for a, b in zip(w, column, strict=True)) for column in zip(*m, strict=True)]),
    "on_each": on_each,
    "to_each": by_row(lambda v, m: [v for _ in m]),
    "over_each": by_row(lambda m: [sum(column) for column in zip(*m, strict=True)]),
    "products": by_row(lambda g, v: [[a * b for b in v] for a in g]),
    "live_softmax": live_softmax,
}  # fmt: skip
# Which argument is an index, or says what is live: it is known exactly.
INDICES = {"lookup": 1, "chosen": 1, "placed": 1, "scatter": 1, "live_softmax": 1}
PRODUCTS = {"pullback", "outer", "scored", "mixed", "on_each", "products"}
ELSEWHERE = {
    "log_softmax",
    "softplus",
    "smooth_l1",
    "largest",
    "where_largest",
    "maximum",
    "minimum",
    "normalized",
    "normalized_back",
    "standardized",
}  # of ordinary arguments: in `test_operations`


def test_every_operation_of_the_programs_own_is_looked_at() -> None:
    own = {name for name, row in OPERATIONS.items() if not row.is_public}
    assert LOOPS.keys() | ELSEWHERE | {"part", "within"} == own | {"cat"}


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (1, 4), (2, 0), (-2, 0), (0, -1), (-3, -1), (0, 4)])
def test_a_part_is_pythons_slice_and_goes_back_to_its_place(start: int, stop: int) -> None:
    rng = np.random.default_rng(0)
    a, wider = rng.normal(size=(3, 4)), rng.uniform(0, 1, (3, 4))
    row = OPERATIONS["part"]
    here = np.s_[:, start : stop or None]
    np.testing.assert_array_equal(row.forward(a, float(start), float(stop)), a[here])
    with np.errstate(all="ignore"):
        low, high = row.interval(
            (a, a + wider), (np.asarray(start), np.asarray(start)), (np.asarray(stop),) * 2
        )
    np.testing.assert_array_equal(low, a[here])
    np.testing.assert_array_equal(high, (a + wider)[here])
    places = [(np.asarray(float(one)), np.zeros(())) for one in (start, stop)]
    value, error = Rounding(np.dtype(np.float64)).apply("part", ((a, wider), *places))
    np.testing.assert_array_equal(value, a[here])
    np.testing.assert_array_equal(error, wider[here])
    back = np.zeros_like(a)
    back[here] = a[here]
    np.testing.assert_array_equal(OPERATIONS["within"].forward(a[here], start, a), back)


# ── arguments ────────────────────────────────────────────────────────────────────────────────


def shapes_of(op: str, rows: int, n: int, m: int) -> list[tuple[int, ...]]:
    """The shapes of an operation's arguments for so many rows, those of indices included."""
    table = (4, n)
    return {
        "lookup": [table, (rows,)],
        "cat": [(rows, n), (rows, m)],
        "head": [(rows, n + m), (rows, n)],
        "tail": [(rows, n + m), (rows, n)],
        "chosen": [(rows, n), (rows,)],
        "placed": [(rows, 1), (rows,), (rows, n)],
        "pullback": [(m, n), (rows, m), (n, n), (rows, n)],
        "outer": [(rows, n), (rows, m)],
        "rows": [(rows, n)],
        "spread": [(rows, 1), (rows, n)],
        "scatter": [(rows, n), (rows,), table],
        "passed": [(rows, n), (rows, n)],
        "ratio": [(rows, n), (rows, n)],
        "scored": [(rows, m, n), (rows, n)],
        "mixed": [(rows, m), (rows, m, n)],
        "on_each": [(m, n), (rows, m + 1, n)],
        "to_each": [(rows, n), (rows, m, n + 1)],
        "over_each": [(rows, m, n)],
        "products": [(rows, n), (rows, m)],
        "live_softmax": [(rows, n), (rows, n)],
    }[op]  # fmt: skip


def ordinary(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(-8, 8, shape)


def with_zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.3, 0.0, ordinary(rng, shape))


def of_any_size(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    large = np.ldexp(rng.uniform(-1, 1, shape), rng.integers(-140, 100, shape))
    special = rng.choice([0.0, 0.1, 0.2, 1.0, -1.0, 1e-40], shape)
    return np.choose(rng.integers(0, 3, shape), [ordinary(rng, shape), large, special])


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.uniform(0.25, 8, shape)


Numbers = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
SEEDS = st.integers(0, 2**32 - 1)


def arguments(rng: np.random.Generator, op: str, numbers: Numbers) -> list[np.ndarray]:
    """Arguments of random sizes in float64; indices where they belong."""
    rows, n, m = (int(rng.integers(1, most)) for most in (5, 5, 4))
    found = [numbers(rng, shape) for shape in shapes_of(op, rows, n, m)]
    if op == "live_softmax":
        found[1] = rng.integers(0, 2, (rows, n))
        found[1][np.arange(rows), rng.integers(0, n, rows)] = 1
    elif op in INDICES:
        least = -1 if op == "scatter" else 0  # which adds nothing
        most = 4 if op in {"lookup", "scatter"} else n
        found[INDICES[op]] = rng.integers(least, most, rows)
    return found


def in_fractions(array: np.ndarray) -> Any:
    if array.ndim:
        return list(map(in_fractions, array))
    return Fraction(float(array)) if array.dtype.kind == "f" else int(array)


def exactly(op: str, args: list[Any]) -> np.ndarray:
    return np.array(LOOPS[op](*args), object)


# ── values ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", LOOPS)
@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_value_is_the_one_of_a_loop(op: str, dtype: type[np.floating], seed: int) -> None:
    drawn = arguments(np.random.default_rng(seed), op, with_zeros)
    args = [a.astype(dtype) if a.dtype.kind == "f" else a for a in drawn]
    found = np.asarray(Values().apply(op, tuple(args)))
    expected = exactly(op, list(map(in_fractions, args))).astype(np.float64)
    assert found.dtype == dtype
    unit = float(np.finfo(dtype).eps)
    size = 8 * 64 if op in PRODUCTS else 4 * 8  # as many terms of that size
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=unit, atol=size * unit)


@pytest.mark.parametrize("op", sorted(LOOPS.keys() - {"rows"}))
@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_one_row_alone_is_the_row_of_an_array(op: str, seed: int) -> None:
    args = arguments(np.random.default_rng(seed), op, ordinary)
    without_rows = {"pullback": (0, 2), "lookup": (0,), "scatter": (2,), "on_each": (0,)}.get(op, ())
    alone = OPERATIONS[op].forward(*(a if k in without_rows else a[0] for k, a in enumerate(args)))
    among = OPERATIONS[op].forward(*(a if k in without_rows else a[:1] for k, a in enumerate(args)))
    np.testing.assert_allclose(alone, among if op in {"outer", "scatter"} else among[0], rtol=1e-15)


def test_axes_of_steps_before_the_rows_change_nothing() -> None:
    rng = np.random.default_rng(0)
    a, g, places = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 1)), rng.integers(0, 4, (2, 3))
    for op, args in {
        "chosen": (a, places),
        "placed": (g, places, a),
        "spread": (g, a),
        "cat": (a, g),
    }.items():
        whole = OPERATIONS[op].forward(*args)
        for t in range(2):
            np.testing.assert_array_equal(whole[t], OPERATIONS[op].forward(*(one[t] for one in args)))


def test_number_of_an_equation_takes_the_dtype_beside_it() -> None:
    for like in (np.zeros(3, np.float32), np.zeros((2, 3), np.float32)):
        spread = Values().apply("spread", (0.0, like))
        assert (spread.dtype, spread.shape) == (np.float32, like.shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_of_extreme_scores_do_not_overflow(dtype: type[np.floating]) -> None:
    with np.errstate(all="raise", under="ignore"):
        scores = np.array([1e4, 0, -1e4, 30, -30], dtype)
        softplus = OPERATIONS["softplus"].forward(scores)
        log_softmax = OPERATIONS["log_softmax"].forward(scores)
    assert softplus.dtype == log_softmax.dtype == dtype
    expected = [1e4, math.log(2), 0, 30 + math.exp(-30), math.log1p(math.exp(-30))]
    np.testing.assert_allclose(softplus, expected, rtol=4 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(log_softmax, scores - dtype(1e4))
    alike = OPERATIONS["log_softmax"].forward(np.full(8, 1e4, dtype))
    np.testing.assert_allclose(alike, -math.log(8), rtol=4 * np.finfo(dtype).eps)


# ── error bounds ─────────────────────────────────────────────────────────────────────────────


def inside(rng: np.random.Generator, value: np.ndarray, error: np.ndarray) -> Any:
    """An exact argument within its error."""
    if value.ndim:
        return [inside(rng, v, e) for v, e in zip(value, error, strict=True)]
    share = (Fraction(-1), Fraction(0), Fraction(1), Fraction(1, 3))[rng.integers(4)]
    return Fraction(float(value)) + share * Fraction(float(error))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", LOOPS)
@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_error_bound_holds_against_exact_arithmetic(op: str, dtype: type[np.floating], seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs, exact_args = [], []
    for position, drawn in enumerate(arguments(rng, op, of_any_size)):
        if INDICES.get(op) == position:
            pairs.append((drawn, np.zeros(drawn.shape)))
            exact_args.append(in_fractions(drawn))
            continue
        value = drawn.astype(dtype)
        if value.size > 1 and rng.integers(2):
            value.flat[1] = -value.flat[0]  # what cancels
        relative = rng.choice([0.0, float(np.finfo(dtype).eps), 1e-3])
        error = np.abs(value).astype(np.float64) * relative + rng.choice([0.0, 1e-40, 1e-9, 0.1])
        if op == "ratio" and position == 1:  # of what may be zero or not there is no quotient to bound
            error = np.where(value == 0, 0.0, np.minimum(error, np.abs(value).astype(np.float64) / 2))
        pairs.append((value, error))
        exact_args.append(inside(rng, value, error))
    out, bound = Rounding(np.dtype(dtype)).apply(op, tuple(pairs))
    assert out.dtype == dtype
    assert not np.isnan(bound).any()
    expected = exactly(op, exact_args)
    slack = 1 + 32 * Fraction(float(np.finfo(dtype).eps))  # the rules are of first order
    for computed, allowed, wanted in zip(
        out.flat, np.broadcast_to(bound, out.shape).flat, expected.flat, strict=True
    ):
        if allowed < A_NUMBER:
            assert abs(Fraction(float(computed)) - wanted) <= Fraction(float(allowed)) * slack


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("op", LOOPS)
def test_error_bound_of_exact_ordinary_arguments_is_a_few_units(op: str, dtype: type[np.floating]) -> None:
    pairs = []
    for position, shape in enumerate(shapes_of(op, 2, 3, 2)):
        is_index = INDICES.get(op) == position
        value = np.array([0, 2]) if is_index and len(shape) == 1 else np.full(shape, 0.75, dtype)
        pairs.append((value, np.zeros(shape)))
    _, bound = Rounding(np.dtype(dtype)).apply(op, tuple(pairs))
    moves = op in {"lookup", "cat", "head", "tail", "chosen", "placed", "spread", "to_each"}
    assert np.all(bound == 0 if moves else bound <= 20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bound_of_several_products_back_is_that_of_their_matrices_stacked(dtype: type[np.floating]) -> None:
    rng = np.random.default_rng(0)
    pairs = [(a.astype(dtype), np.abs(a) * 1e-6) for a in arguments(rng, "pullback", ordinary)]
    stacked = [
        tuple(np.concatenate(parts, axis=axis) for parts in zip(*pairs[k::2], strict=True))
        for k, axis in ((0, 0), (1, -1))
    ]
    _, apart = Rounding(np.dtype(dtype)).apply("pullback", tuple(pairs))
    _, whole = Rounding(np.dtype(dtype)).apply("pullback", tuple(stacked))
    margin = 100 * np.finfo(dtype).eps  # by which sizes that are summed in this dtype are told larger
    assert np.all(apart >= whole * (1 - margin))
    assert np.all(apart <= whole * 2)


# ── intervals ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("op", LOOPS)
@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_interval_holds_the_exact_value_of_every_point(op: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    intervals, points = [], []
    for position, drawn in enumerate(arguments(rng, op, of_any_size)):
        points.append(in_fractions(drawn))
        if INDICES.get(op) == position:
            intervals.append(drawn)
        else:
            below, above = rng.choice([0.0, 0.0, 0.1, 1.0, math.inf], (2, *drawn.shape))
            intervals.append((drawn - below, drawn + above))
    with np.errstate(all="ignore"):
        low, high = OPERATIONS[op].interval(*intervals)
    assert not np.isnan(low).any()
    assert not np.isnan(high).any()
    for least, most, wanted in zip(np.ravel(low), np.ravel(high), exactly(op, points).flat, strict=True):
        assert least == -math.inf or Fraction(float(least)) <= wanted
        assert most == math.inf or wanted <= Fraction(float(most))


@pytest.mark.parametrize("op", LOOPS)
@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_interval_of_exact_arguments_is_narrow(op: str, seed: int) -> None:
    args = arguments(np.random.default_rng(seed), op, positive if op == "ratio" else ordinary)
    with np.errstate(all="ignore"):
        low, high = OPERATIONS[op].interval(
            *(a if INDICES.get(op) == k else (a, a) for k, a in enumerate(args))
        )
    out = np.asarray(OPERATIONS[op].forward(*args))
    assert np.all(low <= out)
    assert np.all(out <= high)
    size = 8 * 64 if op in PRODUCTS | {"ratio"} else 4 * 8
    assert np.all(high - low <= 40 * size * np.finfo(np.float64).eps)


# ── the largest of several ───────────────────────────────────────────────────────────────────────


def several(seed: int) -> tuple[np.random.Generator, list[np.ndarray]]:
    """Vectors of small whole numbers, so that many are equal."""
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 5)))
    return rng, [rng.integers(-2, 3, shape).astype(np.float64) for _ in range(int(rng.integers(1, 5)))]


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_the_largest_and_its_place_are_those_of_torchs_pool(seed: int) -> None:
    """NaN and −∞, which stands outside of a window, are among them."""
    rng, args = several(seed)
    strange = rng.choice([0.0, np.nan, -np.inf], args[0].shape, p=[0.6, 0.2, 0.2])
    args = [np.where(np.isfinite(strange), a, strange) if k == 1 else a for k, a in enumerate(args)]
    g = rng.normal(size=args[0].shape)
    x = torch.tensor(np.stack(args, -1), requires_grad=True)
    gave = torch.nn.functional.max_pool1d(x, len(args))[..., 0]
    gave.backward(torch.tensor(g))
    np.testing.assert_array_equal(OPERATIONS["largest"].forward(*args), gave.detach().numpy())
    for k in range(len(args)):
        np.testing.assert_array_equal(
            OPERATIONS["where_largest"].forward(g, k, *args), x.grad[..., k].numpy()
        )


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_bounds_of_the_largest_hold_whatever_lies_within_its_arguments_bounds(seed: int) -> None:
    rng, args = several(seed)
    wide = [rng.choice([0.0, 0.5, 1.0, 1.5], a.shape) for a in args]
    g, room = rng.normal(size=args[0].shape), rng.uniform(0, 1, args[0].shape)
    moved = [a + rng.choice([-1, -0.3, 0, 0.3, 1], a.shape) * e for a, e in zip(args, wide, strict=True)]
    moved_g = g + rng.choice([-1, 0, 1], g.shape) * room
    pairs, bounds = (
        list(zip(args, wide, strict=True)),
        [(a - e, a + e) for a, e in zip(args, wide, strict=True)],
    )
    rounding, exact = Rounding(np.dtype(np.float64)), 1e-12
    for k in range(len(args)):
        for op, first, band in (
            ("largest", (), ()),
            ("where_largest", ((g, room), (float(k), np.zeros(()))), ((g - room, g + room), (k, k))),
        ):
            given_first = () if op == "largest" else (moved_g, k)
            found = OPERATIONS[op].forward(*given_first, *moved)
            low, high = OPERATIONS[op].interval(*band, *bounds)
            assert (low - exact <= found).all()
            assert (found <= high + exact).all()
            value, error = rounding.apply(op, (*first, *pairs))
            assert (np.abs(found - value) <= error + exact).all()
