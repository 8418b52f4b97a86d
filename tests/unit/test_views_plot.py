"""Plots of values over time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnstep.views.alphabet import ASCII, UNICODE
from rnnstep.views.axis import linear, logarithmic, most_ticks
from rnnstep.views.plot import Axes, Series, plot, sparkline
from rnnstep.views.rows import plain, row_width

RISING = Series("h[0]", [-1.0, 0.0, 1.0])


@pytest.mark.parametrize("cells", [1, 3, 8, 20, 61])
@pytest.mark.parametrize("height", [1, 2, 4, 6, 13])
@pytest.mark.parametrize("alphabet", [UNICODE, ASCII])
def test_a_plot_has_exactly_the_size_asked(cells: int, height: int, alphabet: object) -> None:
    wild = Series("c", [math.nan, math.inf, -math.inf, 1e300, 0.0] * 30)
    for series in ([], [RISING], [RISING, wild], [Series("none", [])], [Series("隐藏状态", [math.nan])]):
        for is_log in (False, True):
            axes = Axes(current=1, is_log=is_log)
            rows = plot(series, cells, height, axes, alphabet=alphabet)  # type: ignore[arg-type]
            assert [row_width(row) for row in rows] == [cells] * height


def test_a_line_rises_from_its_foot_to_its_top() -> None:
    assert plain(plot([RISING], 23, 7)).split("\n") == [
        " 1┤               ⢀⣠⠴⠚●",
        "  │           ⢀⣠⠴⠚⠉",
        " 0┤· · · ·⢀⣠●⠚⠉· · · ·",
        "  │   ⢀⣠⠴⠚⠉",
        "−1┤●⠴⠚⠉",
        "  └1────────2─────────3",
        "● h[0]",
    ]


def test_nan_breaks_the_line_and_leaves_a_cross() -> None:
    rows = plain(plot([Series("h", [0.0, math.nan, 0.5, 1.0])], 40, 8)).split("\n")
    foot = rows[5]
    assert foot.count("×") == 1
    columns = [row[4:] for row in rows[:6]]
    cross = foot[4:].index("×")
    after = rows[6].index("3") - 4
    assert all(not column[cross + 1 : after].strip(" ·") for column in columns)


def test_infinity_stands_at_its_edge_with_a_mark() -> None:
    rows = plain(plot([Series("h", [0.0, math.inf, -math.inf, 1.0])], 40, 8)).split("\n")
    assert "▲" in rows[0]
    assert "▼" in rows[5]


def test_values_beyond_given_bounds_are_marked_too() -> None:
    rows = plain(plot([Series("h", [0.0, 5.0])], 20, 5, Axes(bounds=(-1.0, 1.0)))).split("\n")
    assert "▲" in rows[0]


def test_the_current_step_is_marked_and_always_named() -> None:
    rows = plot([Series("h", np.zeros(500))], 40, 8, Axes(current=333))
    named = [span for span in rows[6] if span.style == "now"]
    assert [span.text for span in named] == ["334"]
    assert any("┊" in span.text and span.style == "now" for row in rows[:6] for span in row)


def test_a_step_number_does_what_its_target_says() -> None:
    rows = plot([RISING], 30, 4, Axes(targets=["go 1", "go 2", "go 3"]))
    assert [(span.text, span.target) for span in rows[-1] if span.target] == [
        ("1", "go 1"),
        ("2", "go 2"),
        ("3", "go 3"),
    ]


def test_steps_not_yet_computed_leave_room_without_a_mark() -> None:
    text = plain(plot([RISING], 40, 8, Axes(steps=6)))
    assert "6" in text.split("\n")[6]
    assert "×" not in text


def test_lines_differ_by_marker_and_are_named_in_the_legend() -> None:
    series = [Series(f"h[{index}]", [index, index + 1.0]) for index in range(6)]
    rows = plot(series, 60, 12)
    text = plain(rows)
    for index, marker in enumerate("●■▲◆○□"):
        assert f"{marker} h[{index}]" in text
        assert text.count(marker) >= 2


def test_a_logarithmic_axis_puts_equal_factors_at_equal_distance() -> None:
    rows = plain(plot([Series("norm", [1.0, 1e-2, 1e-4])], 30, 11, Axes(is_log=True))).split("\n")
    heights = [next(y for y, row in enumerate(rows) if row[x : x + 1] == "●") for x in _marker_columns(rows)]
    assert heights[1] - heights[0] == heights[2] - heights[1] > 0
    assert rows[0].startswith("     1┤")


def _marker_columns(rows: list[str]) -> list[int]:
    return sorted({x for row in rows[:-1] for x, sign in enumerate(row) if sign == "●"})


def test_zero_on_a_logarithmic_axis_stands_below_its_foot() -> None:
    assert "▼" in plain(plot([Series("norm", [1.0, 0.0])], 30, 8, Axes(is_log=True)))


def test_ascii_draws_without_any_other_sign() -> None:
    wild = Series("h", [0.1, -math.inf, math.nan, 3.0, -2.0])
    assert plain(plot([RISING, wild], 50, 10, Axes(current=2), alphabet=ASCII)).isascii()
    assert plain([sparkline([0.1, math.nan, math.inf, 3.0], 9, alphabet=ASCII)]).isascii()


def test_a_sparkline_shows_heights_gaps_and_edges() -> None:
    assert plain([sparkline([0.0, 0.5, 1.0, math.nan, math.inf], 8)]) == "▁▅█×▲"
    assert row_width(sparkline([0.0, 1.0], 8)) == 8


def test_a_sparkline_of_many_values_keeps_its_peak_and_marks_where_one_is() -> None:
    values = np.zeros(1000)
    values[777] = 1.0
    row = sparkline(values, 10, current=777)
    assert plain([row]) == "▁▁▁▁▁▁▁█▁▁"
    assert [index for index, span in enumerate(row) if "now" in span.style] == [7]


def test_a_marker_sits_on_its_line() -> None:
    """Where the line alone would pass through a cell, there stands its marker, at every height and size."""
    for height in range(2, 40):
        for value in np.linspace(0, 1, 23):
            axes = Axes(bounds=(0.0, 1.0), steps=3)
            marked = plain(plot([Series("h", [value, value, value])], 40, height, axes)).split("\n")
            (row,) = [row for row in marked if "●" in row and "h" not in row]
            assert any(sign in row for sign in "⠁⠂⠄⡀⠉⠒⠤⣀"), (height, value)


def test_lines_that_lie_on_each_other_are_both_seen_and_told() -> None:
    loss = np.exp(-np.arange(9) / 3)
    rows = plot([Series("loss", loss), Series("torch", loss * (1 + 1e-7))], 60, 10)
    text = plain(rows)
    assert text.endswith("● loss ≈ ■ torch")
    drawn = [span for row in rows[:-2] for span in row]
    assert {"●", "■"} <= set("".join(span.text for span in drawn))
    assert {"series:0", "series:1"} <= {span.style for span in drawn}
    assert plain(plot([Series("loss", loss), Series("torch", loss)], 60, 10)).endswith("● loss = ■ torch")
    apart = plain(plot([Series("loss", loss), Series("torch", loss + 0.1)], 60, 10))
    assert apart.endswith("● loss  ■ torch")
    short = plain(plot([Series("loss", loss), Series("torch", loss[:4])], 60, 10))
    assert short.endswith("● loss = ■ torch")


def test_the_legend_says_what_is_not_finite_and_at_which_steps() -> None:
    values = [0.5, math.inf, math.nan, math.nan, 0.0]
    assert plain(plot([Series("h", values)], 60, 8)).split("\n")[-1] == "× NaN 3–4  ▲ +∞ 2  ● h"
    two = plain(plot([Series("h[0]", values), Series("h[1]", [0.0] * 5)], 60, 8, alphabet=ASCII))
    assert two.split("\n")[-1] == "x h[0] NaN 3-4  ^ h[0] +inf 2  o h[0]  # h[1]"
    log = plain(plot([Series("norm", [1.0, 0.0])], 60, 8, Axes(is_log=True, note=("log scale", "log"))))
    assert log.split("\n")[-1] == "▼ 0 2  log scale  ● norm"
    seen = Axes(is_known=np.array([False, True, False, True, True]))
    assert plain(plot([Series("h", values)], 60, 8, seen)).split("\n")[-1] == "× NaN 4  ▲ +∞ 2  ● h"


def test_a_logarithmic_scale_is_told_in_short_before_it_is_left_out() -> None:
    names = ("‖∂L/∂h_t‖", "‖∂c_T/∂c_t‖ through c", "‖∂h_T/∂h_t‖ through h")
    series = [Series(name, [1.0, 10.0 + k]) for k, name in enumerate(names)]
    axes = Axes(is_log=True, note=("log scale", "log"))
    for cells in (80, 60, 46, 43, 40):
        assert any("log" in line for line in plain(plot(series, cells, 10, axes)).split("\n")[-2:])


def test_a_legend_without_room_names_elements_in_brief() -> None:
    series = [Series(f"h[{k}]", [0.0, k]) for k in range(6)]
    assert plain(plot(series, 30, 5)).split("\n")[-1] == "h ●0 ■1 ▲2 ◆3 ○4 □5"


@pytest.mark.parametrize("height", [3, 4, 7, 10, 16, 40])
@given(
    low=st.floats(-1e4, 1e4),
    size=st.floats(1e-3, 1e6),
)
def test_ticks_are_round_numbers_of_an_axis_that_keeps_to_its_values(
    height: int, low: float, size: float
) -> None:
    high = low + size
    scale = linear(low, high, height)
    assert scale.low <= low
    assert scale.high >= high
    assert scale.high - scale.low <= 2 * size
    assert 2 <= len(scale.ticks) <= most_ticks(height)
    for place, text in scale.ticks:
        assert -1e-6 <= scale.fraction(place) <= 1 + 1e-6
        assert float(text.replace("−", "-")) == pytest.approx(place, rel=1e-6, abs=1e-6 * size)
    assert sum(map(bool, scale.labels(height))) == len(scale.ticks)


@pytest.mark.parametrize("height", [2, 4, 7, 16, 40])
@given(low=st.floats(-300, 300), size=st.floats(0, 500))
def test_a_logarithmic_axis_holds_its_values_and_writes_its_ticks(
    height: int, low: float, size: float
) -> None:
    high = min(low + size, 308)
    scale = logarithmic(10.0**low, 10.0**high, height)
    assert scale.low <= low + 1e-9
    assert scale.high >= high - 1e-9
    assert 2 <= len(scale.ticks) <= most_ticks(height)
    for place, text in scale.ticks:
        assert float(text) == pytest.approx(10.0**place, rel=0.06)


def test_extremes_have_an_axis_too() -> None:
    for low, high in ((-1.7e308, 1.7e308), (0.0, 5e-324), (1.0, 1.0 + 2**-52), (3.0, 3.0), (0.0, 0.0)):
        for height in (1, 2, 5, 20):
            scale = linear(low, high, height)
            assert scale.low < scale.high
            assert len(scale.labels(height)) == height
