"""`windows` of [input]: one long series cut into the rows of batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.scenario.file.document import KeyPath, Table, check_memory, shown_shape
from rnnstep.scenario.model import Floats
from rnnstep.scenario.origins import Windows
from rnnstep.scenario.weights.state_dicts import as_dtype


@dataclass(frozen=True, eq=False, slots=True)
class SeriesBatches:
    """A series in batches of windows.

    Attributes:
        batches: each (length, B, I).
        following: with a `horizon`, of each batch what is wanted at each step, the values that come later; (length, B, I).
        left_over: how many values are in no window where states are carried.
    """

    batches: tuple[Floats, ...]
    following: tuple[Floats, ...] | None
    left_over: int


def cut_windows(
    table: Table, series: NDArray[Any], place: KeyPath, dtype: np.dtype[np.floating], *, carry: bool = False
) -> SeriesBatches | None:
    """Cut a series (N,) or (N, I), from `place`, into batches (length, B, I).

    Windows begin at 0, `stride` (1), 2·`stride` … while there is a value left to
    begin with; the last ones are filled up with `pad` (0), or with `pad = false` left out. A batch holds
    `batch_size` (1) windows, the last one what remains. With a `horizon` k there are whole windows alone, of which the value
    k steps behind each of theirs is in the series, too. With `carry` the series is cut into `batch_size` equal parts first, and
    each batch has the next window of each; what does not fill one is left out unless there is a `pad`.

    Returns:
        The batches, or None with problems noted.
    """
    windows = _read_cut(table, carry=carry)
    if series.ndim not in (1, 2):
        message = Text(
            "`{key}`: found {found}, expected one long series for `windows`: (N,) or (N, input_size)",
            key=place[-1],
            found=shown_shape(series.shape),
        )
        table.document.problem(place, message)
        return None
    if windows is None:
        return None
    values = as_dtype(series.reshape(len(series), -1), dtype)
    starts = windows.starts(len(values))
    if not starts:
        message = Text(
            "`length`: found {length}, expected a window that fits into the series with what is wanted of it: {count} values",
            length=windows.length,
            count=len(values),
        )
        if carry:
            message = Text(
                "`length`: found {length}, expected a window that fits into each of the `batch_size` {parts} equal parts of the"
                " series with what is wanted of it: {count} values",
                length=windows.length,
                parts=windows.batch_size,
                count=len(values),
            )
        table.problem("length", message)
        return None
    shape = (windows.length, len(starts), values.shape[1])
    arrays = 1 if windows.horizon is None else 2
    if not check_memory(table.document, (*table.place, "length"), shape, arrays * dtype.itemsize):
        return None
    ends = [windows.end(len(values), start) for start in starts]
    found = _side_by_side(values, starts, ends, shape, windows.pad, 0)
    horizon = windows.horizon
    later = None if horizon is None else _side_by_side(values, starts, ends, shape, None, horizon)
    size = windows.batch_size
    following = None if later is None else _in_batches(later, size)
    return SeriesBatches(_in_batches(found, size), following, windows.left_over(len(values)))


def _read_cut(table: Table, *, carry: bool) -> Windows | None:
    table.known()
    if not table.has("length"):
        table.missing("length", Text("a whole number ≥ {minimum}", minimum=1))
    length = table.integer("length", minimum=1)
    stride = table.integer("stride", length if carry else 1, minimum=1)
    if carry and None not in (length, stride) and stride != length:
        expected = Text(
            "{length}, the `length`: with `carry` a window begins where the one before ended", length=length
        )
        table.wrong("stride", expected)
    batch_size = table.integer("batch_size", 1, minimum=1)
    horizon = table.integer("horizon", minimum=1)
    are_whole = table.raw("pad") is False or (carry and not table.has("pad"))
    pad = None if are_whole else table.number("pad", 0.0, finite=False)
    if table.has("horizon") and table.has("pad") and not are_whole:
        table.problem("pad", Text("`pad` has no meaning beside `horizon`, whose windows are all whole"))
    is_missing = (pad is None and not are_whole) or (table.has("horizon") and horizon is None)
    if length is None or stride is None or batch_size is None or is_missing:
        return None
    return Windows(length, stride, batch_size, None if table.has("horizon") else pad, horizon, carry)


def _side_by_side(
    values: Floats,
    starts: Sequence[int],
    ends: Sequence[int],
    shape: tuple[int, int, int],
    pad: float | None,
    later: int,
) -> Floats:
    """The values from each start to its end, so many steps later, (length, windows, I)."""
    found = np.empty(shape, values.dtype)
    if pad is not None:
        found[:] = as_dtype(np.array(pad), values.dtype)
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        part = values[start + later : end + later]
        found[: len(part), number] = part
    return found


def _in_batches(windows: Floats, batch_size: int) -> tuple[Floats, ...]:
    return tuple(
        np.ascontiguousarray(windows[:, first : first + batch_size])
        for first in range(0, windows.shape[1], batch_size)
    )
