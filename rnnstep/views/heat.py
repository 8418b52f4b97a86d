"""Numbers as colours: one scale per kind, blue for negative, vermilion for positive.

A value becomes a level from −8 to 8, and a level a role `heat:KIND:LEVEL` that
the theme gives a colour. `NaN` is a level of its own and keeps its mark where no
number stands, so that it is never taken for a small value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnnstep.views import numbers
from rnnstep.views.alphabet import UNICODE, Alphabet
from rnnstep.views.rows import Row, Span

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Levels = NDArray[np.int8]

Kind = Literal["weight", "state", "gate"]

HIGHEST = 8
"""Levels run from −HIGHEST to HIGHEST."""

NAN = HIGHEST + 1
"""The level of a value that is not a number."""

# Without half blocks a character tells one value: its sign by letter or digit, its size by which.
_LETTERS = "hgfedcba.12345678N"


def scale(*arrays: ArrayLike) -> float:
    """Give the largest finite magnitude in the arrays: what level 8 stands for; 1.0 where all is zero."""
    largest = 0.0
    for values in arrays:
        array = np.asarray(values)
        if not array.size:
            continue
        # NaN is passed over by both; only infinities ask for a copy without them.
        ends = max(abs(float(np.fmin.reduce(array, axis=None))), abs(float(np.fmax.reduce(array, axis=None))))
        if np.isinf(ends):
            finite = np.abs(array[np.isfinite(array)])
            ends = float(finite.max()) if finite.size else 0.0
        largest = max(largest, ends)
    return largest or 1.0


def levels(values: ArrayLike, kind: Kind, scale: float = 1.0) -> Levels:
    """Give each value's level, −8 to 8, in the shape of `values`; `NAN` for NaN.

    `scale` is the magnitude of level 8, for weights and states; a gate goes from 0, closed,
    to 1, open, whatever the scale. Beyond the scale, infinities among them, is level ±8.
    """
    array = np.asarray(values, dtype=np.float64)
    top = 1.0 if kind == "gate" or not scale > 0 else scale
    # Divided first: a value of 1e308 times eight would be infinite.
    graded = np.rint(np.clip(array / top, -1.0, 1.0) * HIGHEST)
    graded[np.isnan(graded)] = NAN
    return graded.astype(np.int8)


@cache
def style(kind: Kind, level: int) -> str:
    """Give the role of a level: `heat:weight:-3`, `heat:state:nan`."""
    return f"heat:{kind}:{'nan' if level == NAN else level}"


def number_rows(
    values: NDArray[Any],
    decimals: int,
    kind: Kind,
    scale: float,
    *,
    width: int = 0,
    alphabet: Alphabet = UNICODE,
) -> list[Row]:
    """Write a matrix (R, C) as R rows of numbers on their colours, a span for each number.

    A cell is a blank and the number, at least `width` wide; a blank closes each row.
    """
    texts = numbers.matrix(values, decimals, width, alphabet)
    rows: list[Row] = []
    for line, graded in zip(texts, levels(values, kind, scale).tolist(), strict=True):
        spans = [Span(f" {text}", style(kind, level)) for text, level in zip(line, graded, strict=True)]
        if spans:
            spans[-1] = spans[-1]._replace(text=spans[-1].text + " ")
        rows.append(tuple(spans))
    return rows


def picture(values: ArrayLike, kind: Kind, scale: float, *, alphabet: Alphabet = UNICODE) -> list[Row]:
    """Draw a matrix (R, C) as a heat map of C cells by ⌈R/2⌉ rows, two values a character.

    In ASCII a character tells one value, on R rows: `1`–`8` positive, `a`–`h` negative, `.` about
    zero, `N` not a number.
    """
    graded = levels(values, kind, scale)
    if not alphabet.half:
        return [_letters(line, kind) for line in graded]
    if len(graded) % 2:
        # The missing lower half of an odd last row is drawn as zero: neutral.
        graded = np.vstack([graded, np.zeros((1, graded.shape[1]), dtype=np.int8)])
    return [
        _half_blocks(upper, lower, kind, alphabet)
        for upper, lower in zip(graded[0::2], graded[1::2], strict=True)
    ]


def _letters(line: Levels, kind: Kind) -> Row:
    return tuple(
        Span(_LETTERS[level + HIGHEST] * size, style(kind, level)) for level, _, size in _runs(line, line)
    )


def _half_blocks(upper: Levels, lower: Levels, kind: Kind, alphabet: Alphabet) -> Row:
    return tuple([_half_span(kind, high, low, size, alphabet) for high, low, size in _runs(upper, lower)])


@lru_cache(maxsize=4096)
def _half_span(kind: Kind, high: int, low: int, size: int, alphabet: Alphabet) -> Span:
    if NAN in (high, low):
        return Span(alphabet.cross * size, style(kind, NAN))
    return Span(alphabet.half * size, f"heat:{kind}:{high}:{low}")


def _runs(upper: Levels, lower: Levels) -> Iterator[tuple[int, int, int]]:
    """Give the runs of equal pairs of levels: upper, lower, how many."""
    starts = np.flatnonzero(np.diff(upper.astype(np.int16) * 32 + lower, prepend=-9999))
    sizes = np.diff(starts, append=len(upper))
    return zip(upper[starts].tolist(), lower[starts].tolist(), sizes.tolist(), strict=True)


def shrink(values: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Give a matrix of at most `rows` by `columns`: of each patch the value largest in magnitude.

    A patch with a NaN in it is NaN, so that nothing worth a look is averaged away.
    """
    array = np.asarray(values, dtype=np.float64)
    return _shrink_rows(_shrink_rows(array, rows).T, columns).T


def _shrink_rows(array: NDArray[Any], count: int) -> NDArray[Any]:
    if len(array) <= count:
        return array
    starts = np.arange(count) * len(array) // count
    highest = np.maximum.reduceat(array, starts, axis=0)
    lowest = np.minimum.reduceat(array, starts, axis=0)
    return np.where(np.abs(lowest) > np.abs(highest), lowest, highest)


def minimap(
    shape: tuple[int, int],
    window: tuple[int, int, int, int],
    size: tuple[int, int],
    alphabet: Alphabet = UNICODE,
) -> list[Row]:
    """Draw where a window lies in a large matrix.

    Args:
        shape: The matrix's rows and columns.
        window: First row, rows, first column, columns of what is seen.
        size: Width and height of the drawing in cells.
        alphabet: The signs to draw with.
    """
    width, height = size
    top, bottom = _share(window[0], window[1], shape[0], height)
    left, right = _share(window[2], window[3], shape[1], width)
    outside, inside = (".", "#") if alphabet.is_ascii else ("░", "█")
    rows: list[Row] = []
    for y in range(height):
        if top <= y < bottom:
            spans = (
                Span(outside * left, "dim"),
                Span(inside * (right - left), "cursor" if alphabet.is_ascii else "now"),
                Span(outside * (width - right), "dim"),
            )
            rows.append(tuple(span for span in spans if span.text))
        else:
            rows.append((Span(outside * width, "dim"),))
    return rows


def _share(start: int, count: int, whole: int, cells: int) -> tuple[int, int]:
    """Give the cells that `count` of `whole` from `start` take: one at least, none beyond the last."""
    first = min(start * cells // max(whole, 1), cells - 1)
    last = -(-(start + count) * cells // max(whole, 1))
    return first, min(cells, max(first + 1, last))


def legend(kind: Kind, scale: float, decimals: int = 2, *, alphabet: Alphabet = UNICODE) -> Row:
    """Write the scale as a row: `−0.80`, its colours, `+0.80`; a gate's from 0 to 1."""
    lowest = 0 if kind == "gate" else -HIGHEST
    ends = (0.0, 1.0) if kind == "gate" else (-scale, scale)
    left, right = (numbers.number(end, decimals, signed=kind != "gate", alphabet=alphabet) for end in ends)
    signs: Sequence[str] = _LETTERS if alphabet.is_ascii else " " * (2 * HIGHEST + 1)
    colours = [Span(signs[level + HIGHEST], style(kind, level)) for level in range(lowest, HIGHEST + 1)]
    return (Span(f"{left} ", "dim"), *colours, Span(f" {right}", "dim"))
