"""One walk over a tree in three readings: values, intervals, error bounds."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.checking.rounding import Rounded
from rnnstep.equations.evaluate import Values, evaluate, evaluate_lines
from rnnstep.equations.syntax import parse_expression, parse_lines
from rnnstep.reference.judge.bounds import A_NUMBER, Rounding

FLOAT32 = np.dtype(np.float32)


def value(text: str, **known: np.ndarray) -> np.ndarray:
    return evaluate(parse_expression(text), known, Values())


def test_lines_see_those_before_them() -> None:
    found = evaluate_lines(parse_lines("b = a + 1\nc = b * b"), {"a": np.array([2.0])}, Values())
    assert {name: array.item() for name, array in found.items()} == {"b": 3.0, "c": 9.0}


def test_name_that_is_not_known_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="b"):
        value("a + b", a=np.ones(1))


@pytest.mark.parametrize(
    "text", ["a * 0.1", "(1 - 0.9) * a", "tanh(0.5) * a", "-(2) * a", "a > 0.5", "(1 < 2) * a"]
)
def test_numbers_take_the_dtype_beside_them(text: str) -> None:
    assert value(text, a=np.ones(2, np.float32)).dtype == np.float32


def test_matrix_times_vector_acts_on_each_row() -> None:
    w, x = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert value("w @ x", w=w, x=x).tolist() == [[1, 3], [2, 4], [3, 7]]


@pytest.mark.parametrize(("text", "expected"), [("a[0]", 1.0), ("a[2]", 3.0), ("a[-1]", 3.0), ("a[-3]", 1.0)])
def test_pick_is_a_vector_of_one_element(text: str, expected: float) -> None:
    rows = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    assert value(text, a=rows).tolist() == [[expected]] * 2
    low, high = evaluate(parse_expression(text), {"a": (rows, rows)}, Rounded(4))
    assert low.tolist() == high.tolist() == [[expected]] * 2
    found, error = evaluate(parse_expression(text), {"a": (rows, np.zeros((2, 3)))}, Rounding(FLOAT32))
    assert (found.tolist(), error.tolist()) == ([[expected]] * 2, [[0.0]] * 2)


def test_overflow_passes_without_a_warning() -> None:
    assert value("exp(a) - exp(a)", a=np.array([1e9])).tolist() == [pytest.approx(np.nan, nan_ok=True)]


@pytest.mark.parametrize(
    ("text", "error"),
    [("2", 0.0), ("0.5", 2.0**-54), ("0.1", 0.1 * 2.0**-25), ("16777217", 1.0), ("1e39", np.inf)],
)
def test_error_of_a_number_is_what_its_dtype_takes_from_it(text: str, error: float) -> None:
    _, found = evaluate(parse_expression(text), {}, Rounding(FLOAT32))
    assert error * 0.1 <= found <= max(error * 2, 0.0)


def test_error_grows_with_what_arguments_bring_along() -> None:
    small, large = (np.array([1.0]), np.array([1e-6])), (np.array([1.0]), np.array([1e-3]))
    tree = parse_expression("a * a + a")
    assert (
        evaluate(tree, {"a": small}, Rounding(FLOAT32))[1]
        < evaluate(tree, {"a": large}, Rounding(FLOAT32))[1]
    )


def test_error_of_what_overflowed_has_no_bound_and_is_never_nan() -> None:
    large = (np.array([3e38], np.float32), np.zeros(1))
    for text in ("a * a", "a + a", "a * a - a * a", "0 * (a * a)", "tanh(a * a) / (a * a)"):
        assert not np.isnan(evaluate(parse_expression(text), {"a": large}, Rounding(FLOAT32))[1]).any()
    assert evaluate(parse_expression("a * a"), {"a": large}, Rounding(FLOAT32))[1].tolist() == [A_NUMBER]


def test_interval_of_a_cell_holds_its_value() -> None:
    low, high = evaluate(
        parse_expression("tanh(w * a + 0.5)"),
        {"w": (np.array([0.9]), np.array([1.1])), "a": (np.array([-1.0]), np.array([2.0]))},
        Rounded(12),
    )
    assert low == pytest.approx(np.tanh(-0.6))
    assert high == pytest.approx(np.tanh(2.7))


@pytest.mark.parametrize("decimals", [2, 4])
def test_a_probability_is_no_more_above_one_than_rounding_makes_it(decimals: int) -> None:
    """However wide the bounds of what goes in: its power is in the sum, too."""
    wide = np.array([-1.0, -9.0, -9.0]), np.array([1.0, 9.0, -8.0])
    _, high = evaluate(parse_expression("softmax(a)"), {"a": wide}, Rounded(decimals))
    assert high.max() < 1 + 2 * 10.0**-decimals / np.exp(-1)
