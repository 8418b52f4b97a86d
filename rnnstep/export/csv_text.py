"""A run as CSV: one row a number, torch's beside it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any

from rnnstep.equations.operations import Array
from rnnstep.export.selection import Seen, Selection

COLUMNS = ("batch", "t", "layer", "direction", "row", "name", "index", "value", "torch")

Cells = tuple[Any, ...]

_PARTING = re.compile(r"[,;\t\r\n\"]")


def csv_pieces(selection: Selection) -> Iterator[str]:
    """Give the text, the header first; counted from 0; a watch is a name like any other, without torch's."""
    yield _text([COLUMNS])
    for seen in selection.steps():
        yield _text(list(_step(seen)))
    if selection.stopped is None:
        yield from _logits(selection)


def _step(seen: Seen) -> Iterator[Cells]:
    step = seen.step
    where = (step.batch, step.t, step.layer, step.direction)
    num_rows = len(next(iter(step.values())))
    rows = range(num_rows) if step.rows is None else step.rows.tolist()
    for name, value in step.items():
        torch = None if seen.torch is None else seen.torch.get(name)
        yield from _numbers(where, name, value, torch, rows)
    for name, value in seen.watched.items():
        yield from _numbers(where, name, value, None, rows)


def _numbers(
    where: Cells, name: str, value: Array, torch: Array | None, rows: Sequence[int]
) -> Iterator[Cells]:
    beside = torch.tolist() if torch is not None else None
    for position, (row, numbers) in enumerate(zip(rows, value.tolist(), strict=True)):
        for index, number in enumerate(numbers):
            yield (*where, row, name, index, number, "" if beside is None else beside[position][index])


def _logits(selection: Selection) -> Iterator[str]:
    """Give the linear layer's results: with their step, or without where it stands on the final state."""
    run = selection.run
    linear = run.scenario.linear
    if linear is None:
        return
    for done in run.trace.passes:
        comparison = None if run.checked is None else run.checked.comparisons[done.index]
        layer = run.scenario.recurrent.num_layers - 1
        steps = range(done.batch.num_steps) if linear.source == "output" else [0]
        for t in steps:
            alive = done.live_rows(t) if linear.source == "output" else None
            rows = range(done.batch.num_rows) if alive is None else alive.tolist()
            where = (done.index, t if linear.source == "output" else "", layer, "")
            torch = None if comparison is None else comparison.value("linear", "logits", t)
            ours = done.value("linear", "logits", t)
            yield _text(list(_numbers(where, "logits", ours, torch, rows)))


def csv_line(cells: Sequence[Any]) -> str:
    """Give one line of cells that hold words of somebody else's: names of files, letters, messages.

    Besides what CSV itself asks for, a cell stands in quotes that holds what parts cells where commas stand in
    decimal numbers.
    """
    return ",".join(_quoted(str(cell)) for cell in cells) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _PARTING.search(cell) else cell


def _text(rows: Sequence[Cells]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()
