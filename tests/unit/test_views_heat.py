"""Numbers as levels of the heat scale."""

import math

import numpy as np
import pytest

from rnnstep.views import heat
from rnnstep.views.alphabet import ASCII
from rnnstep.views.rows import plain, row_width


def test_levels_go_from_minus_eight_to_eight_over_the_scale() -> None:
    values = np.array([-2.0, -1.0, -0.5, 0.0, 0.04, 0.5, 1.0, 2.0])
    assert heat.levels(values, "weight", 1.0).tolist() == [-8, -8, -4, 0, 0, 4, 8, 8]


def test_a_gate_goes_from_closed_to_open_whatever_the_scale() -> None:
    assert heat.levels([0.0, 0.5, 1.0], "gate", 37.0).tolist() == [0, 4, 8]


def test_what_is_not_finite_has_its_own_level_or_the_end() -> None:
    values = np.array([[math.nan, math.inf], [-math.inf, 1e308]])
    assert heat.levels(values, "state", 1.0).tolist() == [[heat.NAN, 8], [-8, 8]]


@pytest.mark.parametrize("scale", [0.0, math.nan, -1.0])
def test_a_scale_that_is_none_counts_as_one(scale: float) -> None:
    assert heat.levels([0.5], "state", scale).tolist() == [4]


def test_the_scale_is_the_largest_finite_magnitude_of_all() -> None:
    assert heat.scale([1.0, -3.0], [math.nan, 2.0, -math.inf]) == 3.0
    assert heat.scale(np.zeros(3)) == 1.0
    assert heat.scale() == 1.0


def test_numbers_stand_on_their_colours() -> None:
    rows = heat.number_rows(np.array([[0.5, -1.0], [math.nan, 0.0]]), 1, "weight", 1.0)
    assert plain(rows) == "  0.5 −1.0\n  NaN  0.0"
    assert [[span.style for span in row] for row in rows] == [
        ["heat:weight:4", "heat:weight:-8"],
        ["heat:weight:nan", "heat:weight:0"],
    ]
    assert {row_width(row) for row in rows} == {11}


def test_a_picture_has_two_values_a_character() -> None:
    rows = heat.picture(np.array([[1.0, 1.0, 0.0], [-1.0, -1.0, 0.5], [0.25, math.nan, 0.0]]), "state", 1.0)
    assert [[(span.text, span.style) for span in row] for row in rows] == [
        [("▀▀", "heat:state:8:-8"), ("▀", "heat:state:0:4")],
        [("▀", "heat:state:2:0"), ("×", "heat:state:nan"), ("▀", "heat:state:0:0")],
    ]


def test_a_picture_in_ascii_tells_sign_and_size_without_colour() -> None:
    rows = heat.picture(np.array([[1.0, -1.0, 0.0], [0.5, -0.125, math.nan]]), "state", 1.0, alphabet=ASCII)
    assert plain(rows) == "8h.\n4aN"


def test_shrinking_keeps_the_largest_and_every_nan() -> None:
    values = np.zeros((100, 70))
    values[37, 11], values[99, 69] = -5.0, math.nan
    small = heat.shrink(values, 10, 7)
    assert small.shape == (10, 7)
    assert small[3, 1] == -5.0
    assert np.isnan(small[9, 6])
    assert np.isnan(small).sum() == 1
    assert heat.shrink(values, 200, 200).shape == (100, 70)


@pytest.mark.parametrize("start", [0, 5, 1023])
def test_the_minimap_always_shows_where_one_is(start: int) -> None:
    rows = heat.minimap((1024, 1024), (start, 1, start, 1), (16, 4))
    assert {row_width(row) for row in rows} == {16}
    assert plain(rows).count("█") == 1


def test_the_minimap_of_a_whole_matrix_is_full() -> None:
    assert plain(heat.minimap((8, 8), (0, 8, 0, 8), (4, 2))) == "████\n████"


def test_the_legend_names_both_ends() -> None:
    assert plain([heat.legend("weight", 0.8, alphabet=ASCII)]) == "-0.80 hgfedcba.12345678 +0.80"
    assert plain([heat.legend("gate", 1.0, alphabet=ASCII)]) == "0.00 .12345678 1.00"
