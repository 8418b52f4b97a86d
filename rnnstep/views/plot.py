"""Lines over time, drawn with braille dots: small, and honest about NaN and infinity.

NaN is a gap in the line and a × on the axis below it; an infinity stands at the
edge with a mark. Lines are told apart by their markers and by the legend, never
by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnnstep.views import braille, numbers
from rnnstep.views.alphabet import UNICODE, Alphabet
from rnnstep.views.compose import fit, flow
from rnnstep.views.rows import SERIES, Row, Span, width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Markers closer than this many cells would hide their line.
_MARKER_SPACE = 3
_STYLES = ("", "bad", "now", "dim", *(f"series:{index}" for index in range(SERIES)))
_PLAIN, _BAD, _NOW, _DIM, _FIRST_SERIES = range(5)


class Series(NamedTuple):
    """One line of a plot: its name and a value for each time step so far, NaN where there is none."""

    name: str
    values: Sequence[float] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Axes:
    """What a plot's axes say.

    Attributes:
        steps: How many steps there are in all; 0 for as many as the longest line has values.
        current: The index of the step to mark, or None.
        is_log: Whether the vertical axis is logarithmic; values of zero and below stand at its foot.
        bounds: The lowest and the highest value, or None to take them from the values.
        first: What the first step is called; steps count from 1.
        begins: The index of the first step that is computed, where a line runs backwards in time.
        targets: What a click on a step's number does, one for each step, or none.
    """

    steps: int = 0
    current: int | None = None
    is_log: bool = False
    bounds: tuple[float, float] | None = None
    first: int = 1
    begins: int = 0
    targets: Sequence[str] = ()


class _Sheet:
    """The drawing surface of a plot: a sign and the index of a style for each of height × width cells."""

    def __init__(self, cells: int, height: int) -> None:
        self.signs = np.full((height, cells), ord(" "), dtype="<u4")
        self.styles = np.zeros((height, cells), dtype=np.int8)
        self.bits = np.zeros((height, cells), dtype=np.int64)
        """The braille dots so far: where two lines cross in a cell both keep their dots."""

    def put(self, x: int, y: int, sign: str, style: int) -> None:
        self.signs[y, x] = ord(sign)
        self.styles[y, x] = style

    def row(self, y: int) -> Row:
        text = self.signs[y].tobytes().decode("utf-32-le")
        styles = self.styles[y]
        edges = [0, *(np.flatnonzero(np.diff(styles)) + 1).tolist(), len(text)]
        return tuple(Span(text[start:end], _STYLES[styles[start]]) for start, end in pairwise(edges))


def plot(
    series: Sequence[Series],
    cells: int,
    height: int,
    axes: Axes | None = None,
    *,
    alphabet: Alphabet = UNICODE,
) -> list[Row]:
    """Draw lines over the same time steps in exactly `cells` × `height` cells, axes and legend included.

    The step numbers take a row where there are at least 4, the legend one or two where there are at least 6.
    """
    axes = axes or Axes()
    lines = [np.asarray(line.values, dtype=np.float64).ravel() for line in series]
    low, high = _bounds(lines, axes)
    legend = _legend(series, cells, alphabet)[: 2 if height >= 8 else 1] if height >= 6 else []
    inner_height = height - len(legend) - (1 if height >= 4 else 0)
    labels = _labels((low, high), inner_height, axes, alphabet)
    margin = max(map(width, labels), default=0)
    inner = cells - margin - 1
    steps = max(axes.steps, *(len(line) for line in lines), 0) if lines else 0
    if inner < 2 or inner_height < 1 or not steps:
        return [fit((), cells)] * height
    dots = np.rint(np.arange(steps) * (2 * inner - 2) / max(1, steps - 1)).astype(int)
    sheet = _Sheet(inner, inner_height)
    _draw_guides(sheet, dots, labels, axes, alphabet)
    fractions = [_fractions(line, low, high, is_log=axes.is_log) for line in lines]
    for index, line in enumerate(fractions):
        _draw_line(sheet, line, dots, _FIRST_SERIES + index % SERIES, alphabet)
    _draw_markers(sheet, fractions, dots, axes, alphabet)
    rows: list[Row] = []
    for y in range(inner_height):
        edge = alphabet.tick if labels[y] else alphabet.vertical
        rows.append((Span(labels[y].rjust(margin) + edge, "axis"), *sheet.row(y)))
    if height >= 4:
        foot = Span(" " * margin + alphabet.corner, "axis")
        rows.append((foot, *_step_numbers((dots // 2).tolist(), inner, axes, alphabet)))
    return [fit(row, cells, alphabet) for row in (*rows, *legend)]


def _bounds(lines: Iterable[Floats], axes: Axes) -> tuple[float, float]:
    """Give the lowest and highest value to draw, apart from each other; logarithms on a logarithmic axis."""
    if axes.bounds is not None:
        low, high = axes.bounds
    else:
        finite = [line[np.isfinite(line) & ((line > 0) | (not axes.is_log))] for line in lines]
        every = np.concatenate(finite) if finite else np.empty(0)
        low, high = (float(every.min()), float(every.max())) if every.size else (0.1, 1.0)
    if axes.is_log:
        low, high = np.log10(max(low, 5e-324)).item(), np.log10(max(high, 5e-324)).item()
    if not high > low:
        around = max(abs(low) * 0.1, 1.0 if axes.is_log else 1e-300)
        around = around if low or axes.is_log else 1.0
        low, high = low - around, low + around
    return low, high


def _fractions(line: Floats, low: float, high: float, *, is_log: bool) -> Floats:
    """Give where values stand between the axis's ends, 0 to 1; NaN stays, ±inf is what lies beyond."""
    if is_log:
        with np.errstate(divide="ignore", invalid="ignore"):
            line = np.where(line <= 0, -np.inf, np.log10(line))
    # Halved, because the whole range of float64 is wider than a float64 can say.
    fractions = (line / 2 - low / 2) / (high / 2 - low / 2)
    slack = 1e-9
    fractions[fractions > 1 + slack] = np.inf
    fractions[fractions < -slack] = -np.inf
    return fractions


def _draw_guides(
    sheet: _Sheet, dots: NDArray[Any], labels: Sequence[str], axes: Axes, alphabet: Alphabet
) -> None:
    """Draw what stands behind the lines: the zero line and the column of the current step."""
    height, cells = sheet.signs.shape
    if "0" in labels:
        y = labels.index("0")
        for x in range(0, cells, 2):
            sheet.put(x, y, alphabet.ahead, _DIM)
    if axes.current is not None and 0 <= axes.current < len(dots):
        for y in range(height):
            sheet.put(int(dots[axes.current]) // 2, y, alphabet.guide, _NOW)


def _draw_line(sheet: _Sheet, fractions: Floats, dots: NDArray[Any], style: int, alphabet: Alphabet) -> None:
    """Draw one line, broken at NaN; where it crosses another in a cell both keep their dots."""
    if not len(fractions):
        return
    height, cells = sheet.signs.shape
    heights = (1 - np.clip(fractions, 0, 1)) * (4 * height - 1)
    bits = braille.line(heights, dots[: len(fractions)], height, cells)
    drawn = bits > 0
    sheet.bits |= bits
    sheet.signs[drawn] = braille.signs(sheet.bits[drawn], alphabet)
    sheet.styles[drawn] = style


def _draw_markers(
    sheet: _Sheet,
    lines: Sequence[Floats],
    dots: NDArray[Any],
    axes: Axes,
    alphabet: Alphabet,
) -> None:
    """Draw the lines' markers, then over them a × at each NaN and a mark at each value beyond an edge."""
    height, cells = sheet.signs.shape
    for index, fractions in enumerate(lines):
        for t in _marked(len(fractions), cells, index, len(lines), axes.current):
            if np.isfinite(fractions[t]):
                y = int((1 - fractions[t]) * (4 * height - 1)) // 4
                sheet.put(
                    int(dots[t]) // 2, y, alphabet.markers[index % SERIES], _FIRST_SERIES + index % SERIES
                )
    for fractions in lines:
        for t in (np.flatnonzero(~np.isfinite(fractions[axes.begins :])) + axes.begins).tolist():
            is_high = fractions[t] > 0
            edge = alphabet.high if is_high else alphabet.low
            sign = alphabet.cross if np.isnan(fractions[t]) else edge
            sheet.put(int(dots[t]) // 2, 0 if is_high else height - 1, sign, _BAD)


def _marked(steps: int, cells: int, index: int, count: int, current: int | None) -> set[int]:
    """Give the steps that get a marker: all where there is room, else some, each line at others."""
    stride = max(1, -(-steps * _MARKER_SPACE // cells))
    if stride > 1:
        stride *= 3
    marked = set(range(stride * index // count, steps, stride))
    return marked | {current} if current is not None and 0 <= current < steps else marked


def _labels(ends: tuple[float, float], height: int, axes: Axes, alphabet: Alphabet) -> list[str]:
    """Give a label for each row of the vertical axis, most of them empty."""
    labels = [""] * height
    if height < 1:
        return labels
    low, high = ends
    is_log = axes.is_log

    def written(value: float) -> str:
        return numbers.brief(10.0**value if is_log else value, 2 if is_log else 3, alphabet=alphabet)

    if height >= 5 and (is_log or not low < 0 < high):
        labels[height // 2] = written(low + (high - low) * (1 - (height // 2) / (height - 1)))
    if height >= 2:
        labels[-1] = written(low)
    labels[0] = written(high)
    if not is_log and low < 0 < high:
        zero = round((high / (high - low)) * (4 * height - 1)) // 4
        if 0 < zero < height - 1:
            labels[zero] = "0"
    return labels


def _step_numbers(places: Sequence[int], cells: int, axes: Axes, alphabet: Alphabet) -> Row:
    """Write the step numbers under their places, as many as find room; the current one always."""
    taken: dict[int, tuple[int, str]] = {}
    free = [True] * (cells + 1)
    steps = len(places)
    wanted = [axes.current] if axes.current is not None and 0 <= axes.current < steps else []
    stride = _round_stride(steps * (len(str(steps)) + 2) / cells)
    round_ones = (t for t in range(steps) if (t + axes.first) % stride == 0)
    for t in dict.fromkeys([*wanted, 0, steps - 1, *round_ones]):
        text = str(t + axes.first)
        start = min(max(0, places[t] - (len(text) - 1) // 2), cells - len(text))
        if start >= 0 and all(free[max(0, start - 1) : start + len(text) + 1]):
            free[start : start + len(text)] = [False] * len(text)
            taken[start] = (t, text)
    spans: list[Span] = []
    x = 0
    for start, (t, text) in sorted(taken.items()):
        spans.append(Span(alphabet.horizontal * (start - x), "axis"))
        target = axes.targets[t] if t < len(axes.targets) else ""
        spans.append(Span(text, "now" if t == axes.current else "axis", target))
        x = start + len(text)
    spans.append(Span(alphabet.horizontal * (cells - x), "axis"))
    return tuple(span for span in spans if span.text)


def _round_stride(least: float) -> int:
    """Give the smallest of 1, 2, 5, 10, 20, 50 … that is not below `least`."""
    stride = 1
    while stride < least:
        stride = stride * 5 // 2 if str(stride)[0] == "2" else stride * 2
    return stride


def _legend(series: Sequence[Series], cells: int, alphabet: Alphabet) -> list[Row]:
    entries = [
        Span(f"{alphabet.markers[index % SERIES]} {line.name}  ", f"series:{index % SERIES}")
        for index, line in enumerate(series)
    ]
    return flow(entries, cells)


def sparkline(
    values: Sequence[float] | NDArray[Any],
    cells: int,
    *,
    bounds: tuple[float, float] | None = None,
    current: int | None = None,
    style: str = "series:0",
    alphabet: Alphabet = UNICODE,
) -> Row:
    """Draw values as a row of exactly `cells` heights; of more values than cells each cell shows the largest.

    NaN is a ×, an infinity the mark of its edge; the cell of the `current` value is marked.
    """
    line = np.asarray(values, dtype=np.float64).ravel()
    low, high = _bounds([line], Axes(bounds=bounds))
    fractions = _fractions(line, low, high, is_log=False)
    count = min(len(line), cells)
    if len(line) > cells:
        starts = np.arange(cells) * len(line) // cells
        fractions = np.maximum.reduceat(fractions, starts)
    marked = None if current is None or not len(line) else current * count // max(len(line), count)
    spans: list[Span] = []
    for index, value in enumerate(fractions.tolist()):
        if np.isnan(value):
            sign, role = alphabet.cross, "bad"
        elif np.isinf(value):
            sign, role = alphabet.high if value > 0 else alphabet.low, "bad"
        else:
            top = len(alphabet.levels) - 1
            sign, role = alphabet.levels[min(top, max(0, round(value * top)))], style
        spans.append(Span(sign, f"{role} now" if index == marked else role))
    return fit(tuple(spans), cells, alphabet)
