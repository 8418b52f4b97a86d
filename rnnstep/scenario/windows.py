"""The key `windows` of [input]: one long series cut into windows, gathered into batches."""

from __future__ import annotations

import numpy as np

from rnnstep.language import Text
from rnnstep.scenario.document import check_memory
from rnnstep.scenario.model import Floats
from rnnstep.scenario.state_dicts import as_dtype
from rnnstep.scenario.table import Table


def cut_windows(table: Table, series: Floats) -> tuple[Floats, ...] | None:
    """Cut a series (N, I) into batches (length, B, I), or give None with problems noted.

    Windows begin at 0, `stride` (1), 2·`stride` … while there is a value left to
    begin with; the last ones are filled up with `pad` (0). A batch holds
    `batch_size` (1) windows, the last one what remains.
    """
    table.known()
    if not table.has("length"):
        table.missing("length", Text("a whole number ≥ {minimum}", minimum=1))
    length = table.integer("length", minimum=1)
    stride = table.integer("stride", 1, minimum=1)
    batch_size = table.integer("batch_size", 1, minimum=1)
    pad = table.number("pad", 0.0, finite=False)
    if length is None or stride is None or batch_size is None or pad is None:
        return None
    starts = range(0, len(series), stride)
    num_windows, size = len(starts), series.shape[1]
    if not check_memory(
        table.document, (*table.place, "length"), (length, num_windows, size), series.itemsize
    ):
        return None
    windows = np.full((length, num_windows, size), as_dtype(np.float64(pad), series.dtype), series.dtype)
    for number, start in enumerate(starts):
        part = series[start : start + length]
        windows[: len(part), number] = part
    return tuple(
        np.ascontiguousarray(windows[:, first : first + batch_size])
        for first in range(0, num_windows, batch_size)
    )
