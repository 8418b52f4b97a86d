"""The key `windows` of [input]: one long series cut into windows, gathered into batches."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.scenario.document import check_memory, shown_shape
from rnnstep.scenario.model import Floats
from rnnstep.scenario.state_dicts import as_dtype
from rnnstep.scenario.table import Place, Table


def cut_windows(
    table: Table, series: NDArray[Any], place: Place, dtype: np.dtype[np.floating]
) -> tuple[Floats, ...] | None:
    """Cut a series (N,) or (N, I), from `place`, into batches (length, B, I).

    Windows begin at 0, `stride` (1), 2·`stride` … while there is a value left to
    begin with; the last ones are filled up with `pad` (0). A batch holds
    `batch_size` (1) windows, the last one what remains.

    Returns:
        The batches, or None with problems noted.
    """
    table.known()
    if not table.has("length"):
        table.missing("length", Text("a whole number ≥ {minimum}", minimum=1))
    length = table.integer("length", minimum=1)
    stride = table.integer("stride", 1, minimum=1)
    batch_size = table.integer("batch_size", 1, minimum=1)
    pad = table.number("pad", 0.0, finite=False)
    if series.ndim not in (1, 2):
        message = Text(
            "`{key}`: found {found}, expected one long series for `windows`: (N,) or (N, input_size)",
            key=place[-1],
            found=shown_shape(series.shape),
        )
        table.document.problem(place, message)
        return None
    if length is None or stride is None or batch_size is None or pad is None:
        return None
    values = as_dtype(series.reshape(len(series), -1), dtype)
    starts = range(0, len(values), stride)
    shape = (length, len(starts), values.shape[1])
    if not check_memory(table.document, (*table.place, "length"), shape, dtype.itemsize):
        return None
    windows = np.empty(shape, dtype)
    windows[:] = as_dtype(np.array(pad), dtype)
    for number, start in enumerate(starts):
        part = values[start : start + length]
        windows[: len(part), number] = part
    return tuple(
        np.ascontiguousarray(windows[:, first : first + batch_size])
        for first in range(0, len(starts), batch_size)
    )
