"""Lines of dots: eight a character in braille, four heights a character in ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rnnstep.views.alphabet import Alphabet

    Bits = NDArray[np.int64]

# The bit of each of a braille character's 4 × 2 dots, by row and column.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_BRAILLE = 0x2800
# In ASCII a cell shows at which height its line passes, by which of its four rows of dots are set;
# a line through three rows and more shows which way it goes.
_ASCII_ROWS = np.array([ord(sign) for sign in " '-'-'-|.|-|.|||"])


def line(heights: NDArray[np.float64], dots: NDArray[Any], rows: int, cells: int) -> Bits:
    """Give the braille bits (rows, cells) of a line through points, broken at NaN.

    Args:
        heights: The points' distances from the top in dots, 0 to 4 · rows − 1, or NaN; (T,), T ≥ 1.
        dots: The points' columns of dots, 0 to 2 · cells − 1, never falling; (T,).
        rows: The height in cells.
        cells: The width in cells.
    """
    starts = np.flatnonzero(np.diff(dots, prepend=-1))
    points = dots[starts]
    between = np.arange(points[0], points[-1] + 1)
    tops, bottoms = (np.full(2 * cells, np.nan) for _ in range(2))
    # Points that share a column make it as high as they reach.
    for edge, reduced in ((tops, np.fmin), (bottoms, np.fmax)):
        reached = reduced.reduceat(heights, starts)
        edge[between] = np.interp(between, points, reached)
        # Interpolation towards a NaN is NaN at its other end too.
        edge[points] = reached
    # Neighbouring columns meet half-way, so that a steep line has no holes.
    middle = (tops + bottoms) / 2
    meeting = (middle[1:] + middle[:-1]) / 2
    for side in (slice(1, None), slice(None, -1)):
        tops[side] = np.fmin(tops[side], meeting)
        bottoms[side] = np.fmax(bottoms[side], meeting)
    y = np.arange(4 * rows)[:, None]
    is_set = (y >= np.rint(tops)) & (y <= np.rint(bottoms))
    bits: Bits = (is_set.reshape(rows, 4, cells, 2) * _DOTS[None, :, None, :]).sum(axis=(1, 3))
    return bits


def signs(bits: Bits, alphabet: Alphabet) -> NDArray[Any]:
    """Give the code points that show braille bits: braille, or in ASCII signs of about that height."""
    if not alphabet.is_ascii:
        return bits + _BRAILLE
    left, right = (_rows_set(bits, masks) for masks in _DOTS.T)
    found: NDArray[Any] = _ASCII_ROWS[left | right]
    is_steep = found == ord("|")
    # The top row is bit 0, so that the larger number is the lower line.
    found = np.where(is_steep & (left > right) & (right > 0), ord("/"), found)
    return np.where(is_steep & (left < right) & (left > 0), ord("\\"), found)


def _rows_set(bits: Bits, masks: NDArray[Any]) -> Bits:
    """Give which of a column's four dots are set, the top one as bit 0."""
    rows: Bits = (((bits[..., None] & masks) > 0) << np.arange(4)).sum(axis=-1)
    return rows
