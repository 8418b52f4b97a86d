"""What goes into the modules: `x`, as the scenario gives it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.shapes import as_torch_shows
from rnnstep.export.program.literals import nested, tensor
from rnnstep.export.program.source import Source
from rnnstep.scenario.model import Batch


def input_lines(source: Source) -> Iterator[str]:
    """Give the lines that make `x` (and `lengths`) of the one batch there is."""
    batch = source.batch
    if batch.indices is not None:
        yield f"indices = {nested(_shown_indices(source, batch), indent=0)}"
        yield from _looked_up(source, "indices")
        if batch.lengths is not None and source.is_one_hot:
            yield from _cleared(source, f"{list(batch.lengths)}")
    else:
        yield f"x = {_values(source, batch)}  # {_axes(source)}"
    if source.is_packed:
        yield f"lengths = torch.tensor({list(batch.lengths or [])})"


def batches_lines(source: Source) -> Iterator[str]:
    """Give the lines that make `batches`, and leave to the loop what each batch needs done."""
    windows = source.table("input").get("windows")
    if isinstance(windows, dict) and (series := _series(source)) is not None:
        yield from _windows(source, windows, series)
        if source.scenario.recurrent.batch_first:
            source.loop_lines.append("x = x.transpose(0, 1)")
        return
    yield "batches = ["
    for batch in source.scenario.batches:
        given = _shown_indices(source, batch) if batch.indices is not None else _shown_values(source, batch)
        written = nested(given, indent=4) if batch.indices is not None else tensor(given, indent=4)
        lengths = batch.lengths or (batch.num_steps,) * batch.num_rows
        yield f"    ({written}, torch.tensor({list(lengths)}))," if source.is_packed else f"    {written},"
    yield "]"
    if source.batch.indices is not None:
        source.loop_lines.extend(_looked_up(source, "x"))
        if source.is_one_hot and source.is_packed:
            source.loop_lines.extend(_cleared(source, "lengths"))


def _looked_up(source: Source, name: str) -> Iterator[str]:
    indices = f"torch.tensor({name})"
    if source.scenario.embedding is not None:
        yield f"x = embedding({indices})  # {_axes(source)}"
        return
    size = source.scenario.recurrent.input_size
    yield f"x = nn.functional.one_hot({indices}, {size}).to({source.dtype})  # {_axes(source)}"


def _cleared(source: Source, lengths: str) -> Iterator[str]:
    """Padding is zero vectors, not the one-hot vector of an index."""
    yield f"for row, length in enumerate({lengths}):"
    yield f"    x[{'row, length:' if source.scenario.recurrent.batch_first else 'length:, row'}] = 0"


def _values(source: Source, batch: Batch) -> str:
    given = source.table("input")
    drawn = given.get("random")
    if isinstance(drawn, dict):
        return f"torch.from_numpy({_drawn(drawn)}).to({source.dtype})"
    name = given.get("file")
    if isinstance(name, str) and name.lower().endswith(".npy"):
        return f"torch.from_numpy(np.load({source.file(name)}).astype(float)).to({source.dtype})"
    return tensor(_shown_values(source, batch))


def _drawn(random: dict[str, Any]) -> str:
    return f"np.random.default_rng({random.get('seed', 0)}).standard_normal({tuple(random['shape'])})"


def _shown_values(source: Source, batch: Batch) -> NDArray[Any]:
    assert batch.values is not None
    return np.asarray(as_torch_shows(source.scenario, batch.values))


def _shown_indices(source: Source, batch: Batch) -> NDArray[Any]:
    assert batch.indices is not None
    return batch.indices.T if source.scenario.recurrent.batch_first else batch.indices


def _axes(source: Source) -> str:
    if not source.scenario.is_batched:
        return "(T, input_size)"
    return "(B, T, input_size)" if source.scenario.recurrent.batch_first else "(T, B, input_size)"


def _series(source: Source) -> str | None:
    """Give the long series that windows are cut from; None where a file holds it."""
    given = source.table("input")
    if isinstance(given.get("random"), dict):
        return f"torch.from_numpy({_drawn(given['random'])}).to({source.dtype})"
    if "values" not in given:
        return None
    return tensor(np.asarray(given["values"], source.scenario.dtype))


def _windows(source: Source, windows: dict[str, Any], series: str) -> Iterator[str]:
    size = source.scenario.recurrent.input_size
    pad = float(windows.get("pad", 0.0))
    yield f"series = {series}.reshape(-1, {size})"
    yield f"starts = range(0, len(series), {windows.get('stride', 1)})"
    yield f"windows = torch.full(({windows['length']}, len(starts), {size}), {pad!r}, dtype={source.dtype})"
    yield "for number, start in enumerate(starts):"
    yield f"    part = series[start : start + {windows['length']}]"
    yield "    windows[: len(part), number] = part"
    yield f"batches = windows.split({windows.get('batch_size', 1)}, dim=1)  # each (T, B, input_size)"
