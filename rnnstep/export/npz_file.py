"""A run as npz: arrays by name, written one after another."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass
from rnnstep.engine.watch import Watch
from rnnstep.equations.operations import Array
from rnnstep.export.selection import Selection
from rnnstep.reference import Comparison

BEGINNING = (1980, 1, 1, 0, 0, 0)  # of a zip's calendar: the same run gives the same file


def write_npz(selection: Selection, file: IO[bytes]) -> None:
    """Write `input`, `output`, `h_n` …, each value as `l0/h` or `l0_reverse/h` (T, B, n), and torch's as `torch/…`.

    Zeros stand where a packed row is over, and NaN after the place where `until` held. With
    several batches all names begin with `batch0/`, `batch1/` …
    """
    write_arrays(_arrays(selection), file)


def write_arrays(arrays: Iterable[tuple[str, NDArray[Any]]], file: IO[bytes]) -> None:
    """Write arrays one after another, as they come."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays:
            entry = zipfile.ZipInfo(f"{name}.npy", BEGINNING)
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def _arrays(selection: Selection) -> Iterator[tuple[str, NDArray[Any]]]:
    run = selection.run
    if run.agrees is not None:
        yield "agrees", np.asarray(run.agrees)
    reached = _reached(selection)
    for done in run.trace.passes:
        comparison = None if run.checked is None else run.checked.comparisons[done.index]
        prefix = f"batch{done.index}/" if len(run.trace.passes) > 1 else ""
        yield f"{prefix}input", done.input
        for name in ("output", "h_n", "c_n", "logits"):
            for source, before in (
                (done, ""),
                (None if comparison is None else comparison.reference, "torch/"),
            ):
                value = getattr(source, name, None)
                if value is not None:
                    yield f"{prefix}{before}{name}", value
        for block in (block for block in done.blocks if block.kind == "recurrent"):
            steps = reached[done.index, block.key]
            folder = f"l{block.layer}{'_reverse' if block.direction == 'backward' else ''}"
            for name in _names(block):
                yield f"{prefix}{folder}/{name}", _over_time(done, block, name, steps, None)
                if comparison is not None:
                    yield f"{prefix}torch/{folder}/{name}", _over_time(done, block, name, steps, comparison)
            for watch in selection.watches:
                if block.key in watch.blocks:
                    yield f"{prefix}{folder}/{watch.text}", _watched(done, block, watch, steps)


def _reached(selection: Selection) -> Mapping[tuple[int, str], list[int]]:
    """Give the steps of each batch and block as far as the selection goes."""
    keys = [(done.index, key) for done in selection.run.trace.passes for key in done.runs]
    reached: dict[tuple[int, str], list[int]] = {key: [] for key in keys}
    for seen in selection.steps():
        reached[seen.step.batch, seen.key].append(seen.step.t)
    return reached


def _names(block: Block) -> list[str]:
    program = block.program
    return [*program.inputs, *program.befores, *program.names]


def _watched(done: Pass, block: Block, watch: Watch, steps: list[int]) -> Array:
    return _stacked(done, block, steps, lambda t: watch.value(block, done.values(block.key, t), t))


def _over_time(done: Pass, block: Block, name: str, steps: list[int], comparison: Comparison | None) -> Array:
    source = done if comparison is None else comparison
    return _stacked(done, block, steps, lambda t: source.value(block.key, name, t))


def _stacked(done: Pass, block: Block, steps: list[int], value_at: Callable[[int], Array | None]) -> Array:
    """Put the values of single steps into one array (T, B, n), each as it comes: many are views of large ones."""
    shape = (done.batch.num_steps, done.batch.num_rows)
    whole = np.full((*shape, 1), np.nan, done.scenario.dtype)
    for t in steps:
        value = value_at(t)
        if value is None:
            continue
        value = np.atleast_2d(value)
        if whole.shape[-1] != value.shape[-1]:
            whole = np.full((*shape, value.shape[-1]), np.nan, done.scenario.dtype)
        rows = done.runs[block.key].live_rows(t)
        whole[t] = 0
        whole[t, slice(None) if rows is None else rows] = value
    return whole
