"""How numbers are written."""

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rnnstep.views import numbers
from rnnstep.views.alphabet import ASCII


@pytest.mark.parametrize(
    ("value", "decimals", "written"),
    [
        (0.18114, 4, "0.1811"),
        (-0.07, 4, "−0.0700"),
        (0.0, 4, "0.0000"),
        (-0.0, 4, "0.0000"),
        (2e-9, 4, "2.0e-9"),
        (-2e-9, 4, "−2.0e-9"),
        (2e-9, 2, "2e-9"),
        (0.00004, 4, "4.0e-5"),
        (0.00006, 4, "0.0001"),
        (99999.0, 4, "99999.0000"),
        (99999.99999, 4, "1.00e5"),
        (123456.0, 4, "1.23e5"),
        (1e300, 4, "1e300"),
        (5e-324, 4, "5e-324"),
        (math.nan, 4, "NaN"),
        (math.inf, 4, "inf"),
        (-math.inf, 4, "−inf"),
        (3.0, 0, "3"),
        (0.2, 0, "2e-1"),
    ],
)
def test_a_number_is_written_so_that_nothing_hides(value: float, decimals: int, written: str) -> None:
    assert numbers.number(value, decimals) == written


@pytest.mark.parametrize("decimals", [0, 1, 2, 4, 8])
def test_only_zero_is_written_as_zero(decimals: int) -> None:
    edge = 0.5 * 10.0**-decimals
    for value in (edge, np.nextafter(edge, 0), np.nextafter(edge, 1), -edge, 1e-30):
        read_back = float(numbers.number(float(value), decimals, alphabet=ASCII))
        assert read_back != 0
        assert math.copysign(1, read_back) == math.copysign(1, value)


def test_a_signed_number_says_plus_but_zero_has_no_sign() -> None:
    assert numbers.number(0.5, 2, signed=True) == "+0.50"
    assert numbers.number(-0.5, 2, signed=True) == "−0.50"
    assert numbers.number(0.0, 2, signed=True) == "0.00"
    assert numbers.number(math.nan, 2, signed=True) == "NaN"


def test_ascii_has_the_plain_minus() -> None:
    assert numbers.number(-0.5, 2, alphabet=ASCII) == "-0.50"
    assert numbers.matrix([[-0.5, -3e-9]], 2, alphabet=ASCII) == [["-0.50", "-3e-9"]]


def test_a_column_has_one_width_and_aligned_points() -> None:
    column = numbers.column([1.0, -2.5, 12.25, math.nan, -3e8, 4e-9], 2)
    assert {len(text) for text in column} == {5}
    assert {text.index(".") for text in column[:3]} == {2}
    assert column[3:] == ["  NaN", " −3e8", " 4e-9"]


def test_a_matrix_keeps_the_numbers_of_each_element() -> None:
    values = np.array([[0.5, -2e-7, math.nan], [1e9, 0.0, -math.inf]], dtype=np.float32)
    written = numbers.matrix(values, 3)
    singly = [[numbers.number(float(value), 3) for value in line] for line in values]
    assert [[text.strip() for text in line] for line in written] == singly
    assert len({len(text) for line in written for text in line}) == 1


def test_a_matrix_is_at_least_as_wide_as_asked() -> None:
    assert numbers.matrix([[1.0], [2.0]], 1, width=6) == [["   1.0"], ["   2.0"]]
    assert numbers.matrix([], 1) == []
    assert numbers.matrix(np.zeros((2, 0)), 1) == [[], []]
    assert numbers.matrix([[1.0, 2.0]], 1) == [["1.0", "2.0"]]


def test_short_drops_zeros_only_from_values_that_are_as_short() -> None:
    assert numbers.short(0.31, 4) == "0.31"
    assert numbers.short(float(np.float32(0.31)), 4) == "0.31"
    assert numbers.short(0.30001, 4) == "0.3000"
    assert numbers.short(1.0, 4) == "1"
    assert numbers.short(0.0, 4) == "0"
    assert numbers.short(100.0, 0) == "100"
    assert numbers.short(-2.5, 4) == "−2.5"


def test_a_guard_digit_is_one_more_of_the_same_number() -> None:
    assert numbers.short(0.408843, 4, guard=1) == "0.40884"
    assert numbers.short(0.31, 4, guard=1) == "0.31"
    assert numbers.number(-2.918e-5, 4, guard=1) == "−2.92e-5"
    assert numbers.number(0.408848, 4, guard=1) == "0.408848"  # 0.40885 would be rounded to 0.4089
    assert numbers.number(0.40884999, 4, guard=1) == "0.40884999"
    assert numbers.number(1.2345e7, 4, guard=2) == "1.2345e7"


@given(
    st.floats(-99_000, 99_000) | st.floats(-(2**-10), 2**-10, width=32), st.integers(0, 8), st.integers(1, 4)
)
def test_a_number_with_guard_digits_rounds_to_the_one_without(
    value: float, decimals: int, guard: int
) -> None:
    plain = Decimal(numbers.number(value, decimals, alphabet=ASCII))
    guarded = Decimal(numbers.number(value, decimals, guard=guard, alphabet=ASCII))
    unit = Decimal((0, (1,), plain.as_tuple().exponent))
    assert guarded.quantize(unit, ROUND_HALF_UP) == plain


@given(st.integers(-(10**6), 10**6), st.integers(0, 16), st.integers(0, 8))
def test_a_half_is_rounded_away_from_zero(whole: int, places: int, decimals: int) -> None:
    value = whole / 2**places
    assume(0.5 * 10.0**-decimals < abs(value) < 99_999)
    exact = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert numbers.number(value, decimals, alphabet=ASCII) == str(exact)
    assert numbers.matrix([[value, 1.0]], decimals, alphabet=ASCII)[0][0].strip() == str(exact)


def test_large_halves_are_rounded_away_from_zero_too() -> None:
    assert numbers.number(125_000.0, 3) == "1.3e5"
    assert numbers.number(-12_500_000.0, 3) == "−1.3e7"
    assert numbers.number(124_999.0, 3) == "1.2e5"


@pytest.mark.parametrize(
    ("value", "written"),
    [(6.2e-8, "+6e-8"), (-0.02, "−0.02"), (0.0, "0"), (0.5, "+0.5"), (-12.34, "−12.3"), (1234.0, "+1.23e3")],
)
def test_a_difference_has_a_sign_and_one_digit(value: float, written: str) -> None:
    assert numbers.difference(value) == written


def test_differences_that_are_no_numbers_say_so() -> None:
    assert numbers.difference(math.nan) == "NaN"
    assert numbers.difference(-math.inf) == "−inf"
