"""Lines over time, drawn with braille dots: small, and honest about NaN and infinity.

NaN is a gap in the line and a × on the axis below it; an infinity stands at the
edge with a mark; the legend says so. Lines are told apart by their markers and by
the legend, never by colour alone; where one lies on another they take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnnstep.language import Text
from rnnstep.views import braille
from rnnstep.views.alphabet import UNICODE, Alphabet
from rnnstep.views.axis import Scale, linear, logarithmic
from rnnstep.views.compose import fit, flow
from rnnstep.views.rows import SERIES, Row, Span, width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    PlotFloats = NDArray[np.float64]

# Markers closer than this many cells would hide their line.
_MARKER_SPACE = 3
# Of lines that lie on each other each is seen for so many cells.
_DASH = 2
_SAME = 2e-3
"""Lines whose places differ by at most this share of the axis lie on each other."""

_MOST_RANGES = 2
LOG_SCALE = Text("log scale"), Text("log")
"""What the legend says of a logarithmic axis, and what where that finds no room."""

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
        bounds: The lowest and the highest value, or None to take them from the values; rounded outwards.
        first: What the first step is called; steps count from 1.
        is_known: Of each step whether it is computed, or None where all are: what is not finite at others is not told.
        targets: What a click on a step's number does, one for each step, or none.
        note: What the legend says of the vertical axis, for example that it is logarithmic, and that in short.
    """

    steps: int = 0
    current: int | None = None
    is_log: bool = False
    bounds: tuple[float, float] | None = None
    first: int = 1
    is_known: NDArray[np.bool_] | None = None
    targets: Sequence[str] = ()
    note: tuple[str, ...] = ()

    def known(self, at: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Those of some steps, as a mask, that are computed."""
        return at if self.is_known is None else at & self.is_known[: len(at)]


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

    The step numbers take a row where there are at least 4, the legend one where there are at least 5 and two where
    there are at least 7. The legend says what is not finite, too, and which lines lie on each other.
    """
    axes = axes or Axes()
    lines = [np.asarray(line.values, dtype=np.float64).ravel() for line in series]
    legend: list[Row] = []
    if height >= 5:
        fractions = [_fractions(line, _scale(lines, axes, height, alphabet)) for line in lines]
        legend = _legend(series, lines, fractions, cells, 2 if height >= 7 else 1, axes, alphabet)
    inner_height = height - len(legend) - (1 if height >= 4 else 0)
    scale = _scale(lines, axes, max(1, inner_height), alphabet)
    labels = scale.labels(max(0, inner_height))
    margin = max(map(width, labels), default=0)
    inner = cells - margin - 1
    steps = max(axes.steps, *(len(line) for line in lines), 0) if lines else 0
    if inner < 2 or inner_height < 1 or not steps:
        return [fit((), cells)] * height
    dots = np.rint(np.arange(steps) * (2 * inner - 2) / max(1, steps - 1)).astype(int)
    sheet = _Sheet(inner, inner_height)
    _draw_guides(sheet, dots, labels, axes, alphabet)
    fractions = [_fractions(line, scale) for line in lines]
    _draw_lines(sheet, fractions, dots, alphabet)
    _draw_markers(sheet, fractions, dots, axes, alphabet)
    rows: list[Row] = []
    for y in range(inner_height):
        edge = alphabet.tick if labels[y] else alphabet.vertical
        rows.append((Span(labels[y].rjust(margin) + edge, "axis"), *sheet.row(y)))
    if height >= 4:
        foot = Span(" " * margin + alphabet.corner, "axis")
        rows.append((foot, *_step_numbers((dots // 2).tolist(), inner, axes, alphabet)))
    return [fit(row, cells, alphabet) for row in (*rows, *legend)]


def _scale(lines: Iterable[PlotFloats], axes: Axes, height: int, alphabet: Alphabet) -> Scale:
    """Make the axis: of the given bounds, or of the values that can stand at it."""
    low, high = axes.bounds or reach(*lines, is_positive=axes.is_log) or ((0.1, 1.0))
    return (logarithmic if axes.is_log else linear)(low, high, height, alphabet)


def reach(*lines: PlotFloats, is_positive: bool = False) -> tuple[float, float] | None:
    """Give the lowest and the highest of the finite values, or of those above zero; None where there are none."""
    finite = [line[np.isfinite(line) & ((line > 0) | (not is_positive))] for line in lines]
    every = np.concatenate(finite) if finite else np.empty(0)
    return (float(every.min()), float(every.max())) if every.size else None


def _fractions(line: PlotFloats, scale: Scale) -> PlotFloats:
    """Give where values stand between the axis's ends, 0 to 1; NaN stays, ±inf is what lies beyond."""
    if scale.is_log:
        with np.errstate(divide="ignore", invalid="ignore"):
            line = np.where(line <= 0, -np.inf, np.log10(line))
    # Halved, because the whole range of float64 is wider than a float64 can say.
    fractions = (line / 2 - scale.low / 2) / (scale.high / 2 - scale.low / 2)
    slack = 1e-9
    fractions[fractions > 1 + slack] = np.inf
    fractions[fractions < -slack] = -np.inf
    return fractions


def _heights(fractions: PlotFloats, height: int) -> PlotFloats:
    """Give the distances from the top in dots; NaN stays."""
    return (1 - np.clip(fractions, 0, 1)) * (4 * height - 1)


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


def _draw_lines(sheet: _Sheet, lines: Sequence[PlotFloats], dots: NDArray[Any], alphabet: Alphabet) -> None:
    """Draw lines, broken at NaN; where they cross in a cell both keep their dots, where one lies on another they alternate."""
    height, cells = sheet.signs.shape
    columns = np.arange(cells)
    drawn: list[NDArray[Any]] = []
    for index, fractions in enumerate(lines):
        if not len(fractions):
            continue
        bits = braille.line(_heights(fractions, height), dots[: len(fractions)], height, cells)
        is_drawn = bits > 0
        sheet.bits |= bits
        sheet.signs[is_drawn] = braille.signs(sheet.bits[is_drawn], alphabet)
        below = (
            np.sum([(other == bits) & is_drawn for other in drawn], axis=0) if drawn else np.zeros_like(bits)
        )
        is_own = (columns // _DASH) % (below + 1) == below
        sheet.styles[is_drawn & is_own] = _FIRST_SERIES + index % SERIES
        drawn.append(bits)


def _draw_markers(
    sheet: _Sheet,
    lines: Sequence[PlotFloats],
    dots: NDArray[Any],
    axes: Axes,
    alphabet: Alphabet,
) -> None:
    """Draw the lines' markers, then over them a × at each NaN and a mark at each value beyond an edge.

    Of lines that meet at a step the markers take turns from step to step.
    """
    height, cells = sheet.signs.shape
    meeting: dict[tuple[int, int, int], list[int]] = {}
    for index, fractions in enumerate(lines):
        heights = _heights(fractions, height)
        for t in _marked(len(fractions), cells, index, len(lines), axes.current):
            if np.isfinite(fractions[t]):
                place = t, int(dots[t]) // 2, int(np.rint(heights[t])) // 4
                meeting.setdefault(place, []).append(index)
    for (t, x, y), there in sorted(meeting.items()):
        index = there[t % len(there)]
        sheet.put(x, y, alphabet.markers[index % SERIES], _FIRST_SERIES + index % SERIES)
    for fractions in lines:
        for t in np.flatnonzero(axes.known(~np.isfinite(fractions))).tolist():
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


# ── the legend ───────────────────────────────────────────────────────────────────────────


def _legend(
    series: Sequence[Series],
    lines: Sequence[PlotFloats],
    fractions: Sequence[PlotFloats],
    cells: int,
    most: int,
    axes: Axes,
    alphabet: Alphabet,
) -> list[Row]:
    """Give at most `most` rows: what is not finite, what the axis is, and the lines' names by their markers."""
    told = [Span(f"{text}  ", "bad") for text in _strange(series, lines, axes, alphabet)]
    note, brief = ([Span(f"{text}  ", "dim") for text in part] for part in (axes.note[:1], axes.note[-1:]))
    named: list[Span] = []
    for group in _together(lines, fractions):
        for position, (index, sign) in enumerate(group):
            joint = f"{alphabet.spell(sign)} " if position else ""
            end = "  " if position == len(group) - 1 else " "
            style = f"series:{index % SERIES}"
            named.append(Span(f"{joint}{alphabet.markers[index % SERIES]} {series[index].name}{end}", style))
    short = _in_short(series, alphabet)
    rows: list[Row] = []
    for entries in ([*told, *note, *named], [*told, *note, *short], [*told, *brief, *short], [*told, *short]):
        rows = flow(entries, cells)
        if len(rows) <= most:
            break
    return rows[:most]


def _in_short(series: Sequence[Series], alphabet: Alphabet) -> list[Span]:
    """Write the names of elements of one value without its name: `h ●0 ■1 ▲2`."""
    stems = {line.name.partition("[")[0] for line in series}
    is_one = len(stems) == 1 and all(line.name.endswith("]") for line in series)
    spans = [Span(f"{stems.pop()} ", "axis")] if is_one else []
    for index, line in enumerate(series):
        name = line.name.partition("[")[2][:-1] if is_one else line.name
        spans.append(Span(f"{alphabet.markers[index % SERIES]}{name} ", f"series:{index % SERIES}"))
    return spans


def _together(lines: Sequence[PlotFloats], fractions: Sequence[PlotFloats]) -> list[list[tuple[int, str]]]:
    """Group the lines that lie on each other wherever both are: `=` where they are equal, `≈` where they look so."""
    groups: list[list[tuple[int, str]]] = []
    for index, line in enumerate(lines):
        for group in groups:
            first = group[0][0]
            common = slice(0, min(len(lines[first]), len(line)))
            places = fractions[first][common], fractions[index][common]
            if _lie_on_each_other(*places):
                is_equal = np.array_equal(lines[first][common], line[common], equal_nan=True)
                group.append((index, "=" if is_equal else "≈"))
                break
        else:
            groups.append([(index, "")])
    return groups


def _lie_on_each_other(a: PlotFloats, b: PlotFloats) -> bool:
    """Whether two lines have the same dots, as far as one sees, and at least one."""
    seen = np.isfinite(a) & np.isfinite(b)
    is_alike = (a == b) | (np.isnan(a) & np.isnan(b))
    is_alike[seen] = np.abs(a[seen] - b[seen]) <= _SAME
    return bool(seen.any() and is_alike.all())


def _strange(
    series: Sequence[Series], lines: Sequence[PlotFloats], axes: Axes, alphabet: Alphabet
) -> Iterator[str]:
    """Say which steps have a × or a mark at an edge, and why: `× NaN 12–20`, `▲ +∞ 11`."""
    nothing: NDArray[np.bool_] = np.zeros(0, np.bool_)
    infinity = alphabet.spell("∞")
    kinds: list[tuple[str, str, Callable[[PlotFloats], NDArray[np.bool_]]]] = [
        (alphabet.cross, "NaN", np.isnan),
        (alphabet.high, f"+{infinity}", np.isposinf),
        (alphabet.low, f"{alphabet.minus}{infinity}", np.isneginf),
    ]
    if axes.is_log:
        kinds.append((alphabet.low, "0", lambda line: line == 0))
    for sign, what, test in kinds:
        found = [axes.known(test(line)) for line in lines]
        whose = [index for index, those in enumerate(found) if those.any()]
        if not whose:
            continue
        longest = max(map(len, found))
        any_of = np.any([np.pad(those, (0, longest - len(those))) for those in found] or [nothing], axis=0)
        steps = np.flatnonzero(any_of) + axes.first
        name = f"{series[whose[0]].name} " if len(whose) == 1 and len(lines) > 1 else ""
        yield f"{sign} {name}{what} {_ranges(steps.tolist(), alphabet)}"


def _ranges(steps: Sequence[int], alphabet: Alphabet) -> str:
    """Write steps in brief: `12`, `12–20`, `3, 7–9, …`."""
    parts: list[tuple[int, int]] = []
    for step in steps:
        if parts and step == parts[-1][1] + 1:
            parts[-1] = (parts[-1][0], step)
        else:
            parts.append((step, step))
    texts = [str(a) if a == b else alphabet.spell(f"{a}–{b}") for a, b in parts[:_MOST_RANGES]]
    return ", ".join([*texts, *([alphabet.ellipsis] if len(parts) > _MOST_RANGES else [])])


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
    low, high = bounds or reach(line) or (0.1, 1.0)
    fractions = _fractions(line, Scale(low, high, ()) if high > low else linear(low, low, 1))
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
