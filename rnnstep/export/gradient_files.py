"""Gradients as JSON, CSV and npz: ours, and autograd's beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.operations import Array
from rnnstep.export.gradients import Gradients, StateGradient, TorchGradients
from rnnstep.export.json_text import members, plain
from rnnstep.export.npz_file import write_arrays
from rnnstep.reference import ComparedGradients

COLUMNS = ("batch", "t", "layer", "direction", "row", "name", "index", "column", "value", "torch")

Cells = tuple[Any, ...]


# ── JSON ─────────────────────────────────────────────────────────────────────────────


def json_pieces(found: Gradients) -> Iterator[str]:
    """Give the text of the whole, an object of one line a step."""
    yield "{"
    yield from members(_numbers(found, found))
    if found.reference is None:
        yield ',\n"reference": null'
    if found.beside is not None:
        yield f',\n"{_name_of_beside(found)}": {{'
        yield from members(_numbers(found, found.beside))
        yield "}"
    yield ",\n"
    yield from members(_verdict(found))
    yield "}\n"


def gradients_dict(found: Gradients) -> dict[str, Any]:
    """Give the same as a dictionary of plain lists and numbers."""
    beside: dict[str, Any] = {"reference": None}
    if found.beside is not None:
        beside[_name_of_beside(found)] = _as_lists(_numbers(found, found.beside))
    return {**_as_lists(_numbers(found, found)), **beside, **_verdict(found)}


def _as_lists(numbers: dict[str, Any]) -> dict[str, Any]:
    return {**numbers, "states": list(numbers["states"])}


def _name_of_beside(found: Gradients) -> str:
    return "self_check" if found.reference is None else "reference"


def _numbers(found: Gradients, source: Gradients | TorchGradients) -> dict[str, Any]:
    return {
        "loss": source.loss,
        "parameters": {name: plain(value) for name, value in source.parameters.items()},
        "states": (_state(found, one) for one in source.states),
    }


def _state(found: Gradients, one: StateGradient) -> dict[str, Any]:
    where: dict[str, Any] = {"t": one.t, "layer": one.layer, "direction": one.direction}
    if len(found.passes) > 1:
        where["batch"] = one.batch
    if one.rows is not None:
        where["rows"] = one.rows.tolist()
    return {**where, **{name: plain(value) for name, value in one.items()}}


def _verdict(found: Gradients) -> dict[str, Any]:
    return {"max_abs_diff": found.max_abs_diff, "tolerance": found.tolerance, "agrees": found.agrees}


# ── CSV ──────────────────────────────────────────────────────────────────────────────


def csv_pieces(found: Gradients) -> Iterator[str]:
    """Give the text, the header first: `loss`, torch's name of a parameter, or a state's name; counted from 0."""
    yield _text([COLUMNS])
    for index, back in enumerate(found.passes):
        yield _text(list(_of_batch(back, found.compared(index))))
    states = [None] * len(found.states) if found.beside is None else found.beside.states
    for ours, theirs in zip(found.states, states, strict=True):
        yield _text(list(_of_step(ours, theirs)))


def _of_batch(back: BackwardPass, torch: ComparedGradients | None) -> Iterator[Cells]:
    nowhere = ("", "", "", "")
    yield (back.index, *nowhere, "loss", "", "", back.loss, "" if torch is None else torch.loss)
    for name, value in back.parameters.items():
        for place in np.ndindex(value.shape):
            index, column = (*place, "")[:2]
            number = float(value[place])
            beside = "" if torch is None else float(torch.parameters[name][place])
            yield (back.index, *nowhere, name, index, column, number, beside)


def _of_step(ours: StateGradient, theirs: StateGradient | None) -> Iterator[Cells]:
    for name, value in ours.items():
        rows = range(len(value)) if ours.rows is None else ours.rows.tolist()
        beside = None if theirs is None else theirs[name].tolist()
        for position, (row, numbers) in enumerate(zip(rows, value.tolist(), strict=True)):
            where = (ours.batch, ours.t, ours.layer, ours.direction, row)
            for index, number in enumerate(numbers):
                yield (*where, name, index, "", number, "" if beside is None else beside[position][index])


def _text(rows: Sequence[Cells]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


# ── npz ──────────────────────────────────────────────────────────────────────────────


def write_npz(found: Gradients, file: IO[bytes]) -> None:
    """Write `loss`, `parameters/NAME`, each state as `l0/h` or `l0_reverse/h` (T, B, n), and torch's as `torch/…`.

    Zeros stand where a packed row is over. With several batches all names begin with `batch0/`, `batch1/` …
    """
    write_arrays(_arrays(found), file)


def _arrays(found: Gradients) -> Iterator[tuple[str, NDArray[Any]]]:
    if found.agrees is not None:
        yield "agrees", np.asarray(found.agrees)
    for position, back in enumerate(found.passes):
        torch = found.compared(position)
        prefix = f"batch{back.index}/" if len(found.passes) > 1 else ""
        dtype = found.scenario.dtype
        yield f"{prefix}loss", np.asarray(back.loss, dtype)
        if torch is not None:
            yield f"{prefix}torch/loss", np.asarray(torch.loss, dtype)
        for name, value in back.parameters.items():
            yield f"{prefix}parameters/{name}", value
            if torch is not None:
                yield f"{prefix}torch/parameters/{name}", torch.parameters[name]
        for key, run in back.done.runs.items():
            folder = f"l{run.block.layer}{'_reverse' if run.block.direction == 'backward' else ''}"
            for name in run.block.program.states:
                yield f"{prefix}{folder}/{name}", _whole(back.states(key, name))
                if torch is not None:
                    yield f"{prefix}torch/{folder}/{name}", _whole(torch.states[key][name])


def _whole(value: Array) -> NDArray[Any]:
    return np.ascontiguousarray(value)
