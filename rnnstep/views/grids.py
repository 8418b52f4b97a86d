"""A vector or matrix as it stands on a blackboard: a title, brackets, numbers on their colours.

What does not fit is cut to a window around the element that is looked at, and the window is
named (`rows 4–11 of 128`); nothing is clipped without a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.views import heat, numbers
from rnnstep.views.alphabet import UNICODE, Alphabet
from rnnstep.views.compose import RowBlock, bracket, pad
from rnnstep.views.rows import Row, Span, width

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rnnstep.equations.operations import Array

TargetAt = Callable[[int, int], str]

_NEVER_CUT = 9
"""Vectors up to here are narrower written out than the name of a window on them."""

_MEASURED = 4096
"""How many of a grid's numbers are looked at to find their width."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch `start:stop` of `size` rows or columns."""

    start: int
    stop: int
    size: int

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.stop - self.start == self.size

    def __str__(self) -> str:
        return f"{self.start}–{self.stop - 1}/{self.size}"


def window(size: int, room: int, focus: int | None) -> Window:
    """Give the stretch of `size` that is seen in `room`, with `focus` near its middle."""
    room = max(1, min(size, room))
    start = 0 if focus is None else min(max(0, focus - room // 2), size - room)
    return Window(start, start + room, size)


@dataclass(frozen=True, eq=False)
class Grid:
    """One vector or matrix to draw.

    Attributes:
        title: its name; the shape is added for a matrix.
        values: (n,) or (m, n); None when it is not computed yet, or hidden.
        shape: (n,) or (m, n), for what is not computed.
        kind: its heat scale.
        scale: the scale's end.
        style: laid over all numbers: "", "changed", "old", "torch".
        focus: the row and column that are looked at, or None for none; of a row alone, or a column alone, all of it.
        centre: the row and column that a window is about where none is looked at, or None.
        cover: what stands for a number that is not seen: "?" hidden; "" not computed.
        gates: names of equal stretches of rows (the gates of stacked weights), or none.
        target: what a click on an element does.
        has_blanks: whether a NaN is a number that was left blank.
        is_plain: without brackets and colours: torch's numbers beside the engine's.
        is_given: written by a person (weights, x): with no more decimals than they have.
        seen: how many elements are computed, row by row, the rest is covered; None for all.
        changed: which elements the last edit changed, in the values' shape; None for none.
        air: blank rows between its rows, and blanks more between its columns: what a blackboard has.
    """

    title: str
    values: Array | None
    shape: tuple[int, ...]
    kind: heat.Kind = "state"
    scale: float = 1.0
    style: str = ""
    focus: tuple[int | None, int | None] = (None, None)
    centre: tuple[int | None, int | None] = (None, None)
    cover: str = ""
    gates: Sequence[str] = ()
    target: TargetAt | None = None
    has_blanks: bool = False
    is_plain: bool = False
    is_given: bool = False
    seen: int | None = None
    changed: NDArray[np.bool_] | None = None
    air: int = 0

    @property
    def tall(self) -> int:
        """How many rows of text its numbers take."""
        return self.rows * (1 + self.air) - self.air

    @property
    def rows(self) -> int:
        """How many rows it has; a vector stands upright."""
        return self.shape[0] if self.shape else 1

    @property
    def columns(self) -> int:
        """How many columns it has; all that a row of more axes holds stands in one line."""
        return math.prod(self.shape[1:])

    @property
    def middle(self) -> tuple[int | None, int | None]:
        """The row and column that a window is about."""
        row, column = (of if at is None else at for at, of in zip(self.focus, self.centre, strict=True))
        return row, column

    @property
    def names_width(self) -> int:
        """The cells before the numbers of each row."""
        return max(map(len, self.gates)) + 1 if self.gates else 0

    def name_of(self, row: int, *, is_first: bool = False) -> str:
        """A gate's name in its first row, and in the first row of a window; blanks in its others."""
        gate, inside = divmod(row, self.rows // len(self.gates))
        return (self.gates[gate] if inside == 0 or is_first else "").rjust(self.names_width - 1) + " "


def places(grid: Grid, decimals: int) -> int:
    """The decimals that a grid is written with: of what a person wrote no more than it has."""
    if not grid.is_given or grid.values is None:
        return decimals
    return _places(*_sample(grid.values), decimals)


def _sample(values: Array) -> tuple[bytes, str]:
    """Give an array's first numbers and their type as a key of a cache, which is not to hold the array itself."""
    sample = np.asarray(values).reshape(-1)[:_MEASURED]
    return sample.tobytes(), sample.dtype.str


@lru_cache(maxsize=512)
def _places(content: bytes, dtype: str, decimals: int) -> int:
    sample = np.frombuffer(content, dtype).astype(np.float64)
    sample = sample[np.isfinite(sample)]
    near = (
        np.abs(sample) * 2.0**-22
    )  # a float32 that was written as 0.3 is 0.3 within half a unit of its last place
    for fewer in range(decimals):
        if np.all(np.abs(np.round(sample, fewer) - sample) <= near):
            return fewer
    return decimals


def cell_width(grid: Grid, decimals: int) -> int:
    """The cells that a number of the grid takes, without the blank before it.

    What is computed always has room for `−0.1234`, so that nothing moves from step to step.
    """
    least = 1 if grid.is_given else decimals + 2 + (grid.kind != "gate")
    if grid.values is not None:
        least = max(least, _widest(*_sample(grid.values), places(grid, decimals)))
    return least + (grid.air if grid.columns > 1 else 0)


@lru_cache(maxsize=512)
def _widest(content: bytes, dtype: str, decimals: int) -> int:
    sample = np.frombuffer(content, dtype)
    return max((len(numbers.number(value, decimals)) for value in _extremes(sample)), default=1)


def _extremes(sample: Array) -> list[float]:
    """The values that may be written widest: the ends, the one nearest zero, and what is not finite."""
    if not sample.size:
        return []
    finite = sample[np.isfinite(sample)]
    odd = [float("-inf")] if finite.size < sample.size else []
    if not finite.size:
        return odd
    nonzero = finite[finite != 0]
    small = [float(nonzero[np.argmin(np.abs(nonzero))])] if nonzero.size else []
    negative_small = nonzero[nonzero < 0]
    small += [float(negative_small.max())] if negative_small.size else []
    return [float(finite.min()), float(finite.max()), *small, *odd]


def grid_width(grid: Grid, decimals: int, columns: int | None = None) -> int:
    """The cells a grid takes with its brackets, showing `columns` of its columns."""
    shown = grid.columns if columns is None else min(columns, grid.columns)
    numbers_width = shown * (cell_width(grid, decimals) + 1) + (0 if grid.is_plain else 2)
    return max(numbers_width + grid.names_width, width(_title(grid)), caption_width(grid))


def caption_width(grid: Grid) -> int:
    """The cells of the name of a window on a vector, `88–99/100`; a matrix is wider than its own."""
    digits = len(str(grid.rows))
    return 3 * digits + 2 if len(grid.shape) == 1 and grid.rows > _NEVER_CUT else 0


def is_cut(grid: Grid, decimals: int, height: int, cells: int) -> bool:
    """Whether a grid does not fit whole."""
    return grid.tall > height - 1 or grid_width(grid, decimals) > cells


def draw(
    grid: Grid,
    decimals: int,
    height: int,
    cells: int,
    *,
    has_caption: bool = False,
    alphabet: Alphabet = UNICODE,
) -> RowBlock:
    """Draw a grid in at most `height` rows, title included, and `cells` columns.

    The title stands in the first row; a cut grid names its window in the row below it, which
    `has_caption` keeps free for a whole one that stands beside a cut one.
    """
    if prod(grid.shape) > _MEASURED or not isinstance(grid.target, ElementTarget | None):
        return _draw(grid, decimals, height, cells, alphabet, has_caption=has_caption)
    return list(_drawn(_Content(grid), decimals, height, cells, alphabet, has_caption))


@dataclass(frozen=True, slots=True)
class ElementTarget:
    """A click on an element of a line's value goes there."""

    place: str
    shape: tuple[int, ...] = ()

    def __call__(self, y: int, x: int) -> str:
        """Give what the click does."""
        rest = self.shape[1:]
        index = (y, *map(int, np.unravel_index(x, rest))) if rest else (y,)
        return f"go {self.place}[{','.join(map(str, index))}]"


def in_grid(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Where an element is drawn: its row, and its column where it has one; of more axes all in the row stand in one line."""
    if len(index) < 2:
        return (index[0] if index else 0), None
    return index[0], int(np.ravel_multi_index(index[1:], shape[1:]))


class _Content:
    """A grid as a key of a cache: equal to those of the same content. Once drawn it holds the grid's arrays no longer."""

    __slots__ = ("_content", "_hash", "grid")

    def __init__(self, grid: Grid) -> None:
        self.grid: Grid | None = grid
        self._content = tuple(
            (value.dtype.str, value.shape, value.tobytes())
            if isinstance(value, np.ndarray | np.generic)
            else tuple(value)
            if isinstance(value, list)
            else value
            for value in (getattr(grid, name) for name in _FIELDS)
        )
        self._hash = hash(self._content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and other._content == self._content

    def __hash__(self) -> int:
        return self._hash


_FIELDS = tuple(field.name for field in fields(Grid))


# From one place to the next most of what stands on the screen is drawn from the same numbers.
@lru_cache(maxsize=512)
def _drawn(
    content: _Content,
    decimals: int,
    height: int,
    cells: int,
    alphabet: Alphabet,
    has_caption: bool,  # noqa: FBT001 - a key of the cache
) -> tuple[Row, ...]:
    grid, content.grid = content.grid, None
    assert grid is not None
    return tuple(_draw(grid, decimals, height, cells, alphabet, has_caption=has_caption))


def _draw(
    grid: Grid, decimals: int, height: int, cells: int, alphabet: Alphabet, *, has_caption: bool
) -> RowBlock:
    down = window(grid.rows, (height - 1 + grid.air) // (1 + grid.air), grid.middle[0])
    size = cell_width(grid, decimals)
    room = (cells - 2 - grid.names_width) // (size + 1)
    across = window(grid.columns, room, grid.middle[1])
    has_caption = has_caption or not (down.is_whole and across.is_whole)
    if has_caption:
        down = window(grid.rows, (height - 2 + grid.air) // (1 + grid.air), grid.middle[0])
    caption = [str(part) for part in (down, across) if not part.is_whole]
    lines = _numbers(grid, down, across, decimals, size, alphabet)
    if grid.gates:
        lines = [
            (Span(grid.name_of(down.start + k, is_first=not k), "label"), *line)
            for k, line in enumerate(lines)
        ]
    if grid.air:
        lines = [row for line in lines for row in (line, *[()] * grid.air)][: -grid.air]
    block = lines if grid.is_plain else bracket(lines, alphabet)
    title: Row = (
        Span(alphabet.spell(_title(grid)), "label" if not grid.style else f"label {grid.style}".strip()),
    )
    head: RowBlock = [title]
    if has_caption:
        head.append((Span(alphabet.spell(" ".join(caption)), "dim"),))
    wide = max(
        grid_width(grid, decimals, across.stop - across.start),
        *(width(span.text) for row in head for span in row),
    )
    return pad([*head, *block], wide, None, alphabet)


def _title(grid: Grid) -> str:
    return f"{grid.title} {'×'.join(map(str, grid.shape))}" if len(grid.shape) > 1 else grid.title


def _numbers(
    grid: Grid, down: Window, across: Window, decimals: int, size: int, alphabet: Alphabet
) -> list[Row]:
    if grid.values is None:
        cover = grid.cover or alphabet.ahead
        empty: Row = tuple(
            Span(f" {cover:>{size}}", "hidden" if grid.cover == "?" else "dim")
            for _ in range(across.start, across.stop)
        )
        return [empty] * (down.stop - down.start)
    decimals = places(grid, decimals)
    values = np.asarray(grid.values).reshape(grid.rows, grid.columns)
    part = values[down.start : down.stop, across.start : across.stop]
    lines = heat.number_rows(part, decimals, grid.kind, grid.scale, width=size, alphabet=alphabet)
    lines = [
        (*line[:-1], line[-1]._replace(text=line[-1].text[:-1])) for line in lines
    ]  # brackets stand close
    if grid.is_plain:
        lines = [tuple(span._replace(style="") for span in line) for line in lines]
    if (
        grid.style
        or grid.target
        or grid.seen is not None
        or grid.changed is not None
        or grid.focus != (None, None)
    ):
        lines = [
            tuple(
                _marked(grid, span, down.start + y, across.start + x, alphabet) for x, span in enumerate(line)
            )
            for y, line in enumerate(lines)
        ]
    return lines


def _marked(grid: Grid, span: Span, y: int, x: int, alphabet: Alphabet) -> Span:
    number = y * grid.columns + x
    if grid.seen is not None and number >= grid.seen:
        is_asked = bool(grid.cover) and number == grid.seen
        return Span(
            f"{grid.cover if is_asked else alphabet.ahead:>{width(span.text)}}",
            "hidden" if is_asked else "dim",
        )
    if grid.has_blanks and span.text.strip() == "NaN":
        return Span(f"{'?':>{width(span.text)}}", "dim")
    row, column = grid.focus
    style = f"{span.style} {grid.style}".strip()
    if grid.changed is not None and grid.changed[(y, x)[: grid.changed.ndim]]:
        style = f"{style} changed".strip()
    if grid.focus != (None, None) and row in (None, y) and column in (None, x):
        is_one = row is not None and (column is not None or grid.columns == 1)
        style = f"{style} {'cursor' if is_one else 'read'}".strip()
    return Span(span.text, style, grid.target(y, x) if grid.target else "")


def operator(sign: str, height: int, *, gap: int = 1, head: int = 1) -> RowBlock:
    """A sign between two grids, at the middle of their numbers (below `head` of the `height` rows)."""
    middle = head + max(0, height - head - 1) // 2
    empty: Row = (Span(" " * (width(sign) + 2 * gap)),)
    full: Row = (Span(f"{' ' * gap}{sign}{' ' * gap}", "operator"),)
    return [full if y == middle else empty for y in range(max(height, middle + 1))]
