"""The table [data]: many labelled rows of a CSV file, as batches to train on and to test with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.data.letters import Unspelt, one_hot, padded, spelt, unspelt
from rnnstep.scenario.file.document import Document, KeyPath, Table, check_memory, listed, outside, shown
from rnnstep.scenario.keys import BESIDE, closest
from rnnstep.scenario.model import Batch


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Batches whose target is the label of each row, an index into `classes`."""

    train: tuple[Batch, ...]
    test: tuple[Batch, ...]
    classes: tuple[str, ...]  # the labels, sorted
    input_size: int | None  # of x_t; None where an embedding comes before
    num_indices: int | None  # how many an embedding must hold


@dataclass(frozen=True, slots=True)
class _Row:
    indices: list[int]
    label: str


def read_data(
    document: Document,
    *,
    vocabulary: tuple[str, ...] | None,
    has_embedding: bool,
    dtype: np.dtype[np.floating],
) -> LabelledData | None:
    """Give the rows of [data] in batches, or None with problems noted.

    `test` (0) of the rows, rounded down and picked by
    `numpy.random.default_rng(seed).permutation`, are kept apart. Both parts stay in the
    order of the file; with `shuffle` the training rows stand in that of the
    permutation. Texts of a batch are filled up with index 0, and packed.
    """
    table = document.table("data")
    if table is None:
        return None
    before = len(document.problems)
    table.known()
    batch_size = table.integer("batch_size", 1, minimum=1) or 1
    share = table.number("test", 0.0, minimum=0, below=1) or 0.0
    seed = table.integer("seed", 0, minimum=0, maximum=2**64 - 1) or 0
    is_shuffled = bool(table.boolean("shuffle", default=False))
    if vocabulary is None:
        document.problem(table.place, Text("[data] needs a `vocabulary` that gives each letter its index"))
    path = _path(table)
    rows = _read_rows(table, path, vocabulary) if path is not None and vocabulary is not None else None
    if rows is None or vocabulary is None or len(document.problems) > before:
        return None
    names = sorted({row.label for row in rows})
    order = np.random.default_rng(seed).permutation(len(rows))
    num_test = int(len(rows) * share)
    test, train = np.sort(order[:num_test]), order[num_test:]
    size = None if has_embedding else len(vocabulary)
    parts = [
        _batches(document, [rows[index] for index in part], names, batch_size, size, dtype)
        for part in (train if is_shuffled else np.sort(train), test)
    ]
    if len(document.problems) > before:
        return None
    classes = tuple(printable(name) for name in names)
    return LabelledData(parts[0], parts[1], classes, size, len(vocabulary) if has_embedding else None)


def _path(table: Table) -> Path | None:
    from rnnstep.scenario.data.array_files import check_csv_size

    if not table.has("file"):
        table.missing("file", Text("the name of a CSV file"))
    filename = table.string("file")
    path = outside(table.document, (*table.place, "file"), filename) if filename is not None else None
    if path is None or not check_csv_size(table.document, (*table.place, "file"), path, path.stat().st_size):
        return None
    return path


def _read_rows(table: Table, path: Path, vocabulary: Sequence[str]) -> list[_Row] | None:
    """Read text and label of each row; the first line names the columns."""
    import csv

    by_entry = {entry: index for index, entry in enumerate(vocabulary)}
    rows: list[_Row] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            names = next(reader, [])
            columns = _columns(table, path, names)
            if columns is None:
                return None
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    row = _read_row(cells, len(names), columns, by_entry, vocabulary)
                    if isinstance(row, Text):
                        _problem_at(table, path, reader.line_num, row)
                        return None
                    rows.append(row)
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        reason = str(error)
        table.problem(
            "file", Text("`file`: cannot read {file}: {reason}", file=shown(path.name), reason=reason)
        )
        return None
    if not rows:
        table.problem("file", Text("`file`: {file} holds no rows", file=shown(path.name)))
        return None
    return rows


def _columns(table: Table, path: Path, names: list[str]) -> tuple[int, int] | None:
    """Find the columns of texts and labels by the names in the file's first line."""
    names = [name.strip() for name in names]
    found: list[int] = []
    for key in ("text", "label"):
        column = table.string(key, key)
        if column in names:
            found.append(names.index(column))
            continue
        guess = closest(column, names) if column is not None else None
        if guess is not None:
            message = Text(
                "`{key}`: {file} has no column {column}; did you mean {guess}?",
                key=key,
                file=shown(path.name),
                column=shown(column),
                guess=shown(guess),
            )
        else:
            message = Text(
                "`{key}`: {file} has no column {column}; it has {known}",
                key=key,
                file=shown(path.name),
                column=shown(column),
                known=listed(names),
            )
        table.problem(key if table.has(key) else "file", message)
    return (found[0], found[1]) if len(found) == 2 else None


def _read_row(
    cells: list[str],
    width: int,
    columns: tuple[int, int],
    by_entry: dict[str, int],
    vocabulary: Sequence[str],
) -> _Row | Text:
    if len(cells) != width:
        return Text("found {found} columns, expected {expected}", found=len(cells), expected=width)
    text, label = (cells[column].strip() for column in columns)
    if not text or not label:
        return Text("found an empty text or label")
    try:
        return _Row(spelt(text, by_entry), label)
    except Unspelt as error:
        return unspelt(text, error.start, vocabulary)


def _problem_at(table: Table, path: Path, line: int, reason: Text) -> None:
    table.problem(
        "file", Text("`file`: {file}, line {line}: {reason}", file=shown(path.name), line=line, reason=reason)
    )


def _batches(
    document: Document,
    rows: list[_Row],
    names: list[str],
    batch_size: int,
    size: int | None,
    dtype: np.dtype[np.floating],
) -> tuple[Batch, ...]:
    """Gather rows into batches, one-hot vectors of `size` unless it is None; fewer with a problem noted."""
    place: KeyPath = ("data", "file")
    index_of = {name: index for index, name in enumerate(names)}
    most = sum(
        max(len(row.indices) for row in rows[start : start + batch_size])
        * len(rows[start : start + batch_size])
        for start in range(0, len(rows), batch_size)
    )
    if not check_memory(document, place, (most, (size or 0) + 2), 8):
        return ()
    batches: list[Batch] = []
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        whole = padded([row.indices for row in part], 0)
        values = one_hot(document, place, whole, size, dtype) if size is not None else None
        target = np.array([index_of[row.label] for row in part], np.int64)
        is_padded = len(set(whole.lengths)) > 1
        batches.append(
            Batch(values, whole.indices, whole.lengths if is_padded else None, is_padded, target=target)
        )
    return tuple(batches)


def check_classes(
    document: Document, classes: tuple[str, ...], num_outputs: int, *, has_one_a_row: bool
) -> None:
    """Make sure that the labels of [data] have logits to be compared with."""
    if not has_one_a_row:
        place = (BESIDE[1], "from") if document.root.has(BESIDE[1]) else ("data",)
        document.problem(
            place, Text('[data] has one label a row: expected [linear] with `from = "h_n"` or `"last"`')
        )
    elif num_outputs < len(classes):
        document.problem(
            (BESIDE[1], "out_features"),
            Text(
                "`out_features`: found {found}, expected at least {count}, the classes of [data]",
                found=num_outputs,
                count=len(classes),
            ),
        )
