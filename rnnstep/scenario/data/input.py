"""The table [input]: what is fed, from letters, indices or numbers, as time-major batches.

Indices without an embedding become one-hot vectors: of the vocabulary's size,
else of `input_size`, else of as many elements as the largest index asks for. `lengths` and `packed` say which steps of
a padded batch are real; `windows` cuts one long series into many rows.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.scenario.data.feeding import SaidFeed, check_alone, placeholder, read_feed
from rnnstep.scenario.data.letters import (
    TextRows,
    needs_batch_first,
    one_hot,
    padded,
    ragged,
    read_rows,
    read_texts,
    unspelt,
)
from rnnstep.scenario.data.target import read_target
from rnnstep.scenario.data.windows import cut_windows
from rnnstep.scenario.file.document import (
    LARGEST,
    Document,
    KeyPath,
    Table,
    check_memory,
    listed,
    shown_shape,
)
from rnnstep.scenario.keys import FEEDING, KEYS, NAME, closest
from rnnstep.scenario.model import Batch, Floats
from rnnstep.scenario.weights.state_dicts import as_dtype


def read_lengths(
    table: Table, num_steps: int, num_rows: int, *, is_batched: bool
) -> tuple[tuple[int, ...] | None, bool]:
    """Read `lengths` and `packed`; padding is left out unless the file says otherwise."""
    packed = table.boolean("packed")
    for key in ("lengths", "packed"):
        if not is_batched and table.raw(key):
            table.problem(key, Text("`{key}`: only a batch is padded; this input has no batch axis", key=key))
            return None, False
    array = table.array("lengths", ndim=(1,), integer=True)
    if array is None:
        return ((num_steps,) * num_rows, True) if packed else (None, False)
    if len(array) != num_rows:
        message = Text(
            "`lengths`: found {found}, expected {rows}: one for each row of the batch",
            found=len(array),
            rows=num_rows,
        )
        table.problem("lengths", message)
        return None, False
    for index, length in enumerate(array.tolist()):
        if not 1 <= length <= num_steps:
            message = Text(
                "`lengths[{index}]`: found {found}, expected 1 to {steps}, the number of steps",
                index=index,
                found=length,
                steps=num_steps,
            )
            table.problem(("lengths", index), message)
            return None, False
    lengths = tuple(array.tolist())
    is_padded = min(lengths) < num_steps
    return lengths, is_padded if packed is None else packed


TABLES = ("random", "windows", "sample", "teacher")
"""Keys of [input] that are tables themselves."""


def sequence_tables(document: Document) -> dict[str, Any]:
    """Give the tables [input.NAME] of the sequences beside the first, by their names."""
    table = document.root.raw("input")
    given = table.items() if isinstance(table, dict) else ()
    return {name: one for name, one in given if isinstance(one, dict) and not _is_key(name, one)}


def _is_key(name: str, table: dict[str, Any]) -> bool:
    """Whether a table of [input] is no sequence, but one of its keys, or meant to be: then nothing is fed in it."""
    if name in KEYS["input"] or any(key in table for key in SOURCES):
        return name in KEYS["input"]
    return NAME.fullmatch(name) is not None and closest(name, TABLES) is not None


def has_default_target(document: Document) -> bool:
    """Whether what is wanted follows from what is fed, so that no [target] is needed."""
    return has_horizon(document) or shifted(document) is not None


def shifted(document: Document) -> str | None:
    """The first sequence that is shifted: what it was before is what is wanted, where there is no [target]."""
    return next((name for name, one in sequence_tables(document).items() if "shift" in one), None)


def shifts_values(document: Document) -> bool:
    """Whether the sequence that is shifted is of numbers, and none of indices or letters."""
    name = shifted(document)
    return name is not None and not {"text", "indices"} & set(sequence_tables(document)[name])


def has_horizon(document: Document) -> bool:
    """Whether what is wanted of a series is what comes later in it, and needs no [target]."""
    table = document.root.raw("input")
    windows = table.get("windows") if isinstance(table, dict) else None
    return isinstance(windows, dict) and "horizon" in windows


# ── the table ────────────────────────────────────────────────────────────────────────────────────

__all__ = ["InputData", "read_input", "read_target"]

SOURCES = ("text", "indices", "values", "file", "random", "feed")
NOT_WITH_WINDOWS = ("lengths", "packed", "pad_index")


@dataclass(frozen=True, eq=False)
class InputData:
    """What [input] gives: batches without targets, and the sizes that follow from them."""

    batches: tuple[Batch, ...]
    is_batched: bool  # False: values without a batch axis
    input_size: int | None  # of x_t; None where an embedding comes before
    num_indices: int | None  # how many an embedding must hold; None for values
    following: tuple[Floats, ...] | None = (
        None  # of windows with a `horizon`: what is wanted, (length, B, I) each
    )
    left_over: int = 0  # how many values of a series that is carried are in no window
    before_shift: NDArray[Any] | None = None  # of a sequence that is shifted, (T, B) or (T, B, I)
    feed: SaidFeed | None = None  # of a sequence that a layer feeds


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the readers of all sources need to know."""

    document: Document
    table: Table
    source: str
    vocabulary: tuple[str, ...] | None
    has_embedding: bool
    is_batch_first: bool
    input_size: int | None  # as [recurrent] gives it
    is_carried: bool  # whether states go on from batch to batch
    dtype: np.dtype[np.floating]

    @property
    def place(self) -> KeyPath:
        return (*self.table.place, self.source)


def read_input(
    document: Document,
    *,
    vocabulary: tuple[str, ...] | None,
    has_embedding: bool,
    recurrent_table: Table,
    dtype: np.dtype[np.floating],
    sequence: str | None = None,
    num_rows: int | None = None,
) -> InputData | None:
    """Give what [input] or [input.NAME] holds, or None with problems noted.

    Args:
        document: The file.
        vocabulary: Its letters or words, if any.
        has_embedding: Whether indices are looked up rather than made one-hot.
        recurrent_table: [recurrent], as yet unread: a module's layout and `input_size`.
        dtype: Of the values. Random values are drawn as float64 and converted.
        sequence: The NAME; None of the first.
        num_rows: How many rows the first sequence has; None of the first.
    """
    before = len(document.problems)
    if sequence is None:
        table = document.table("input")
        if table is None:
            return None
        beside = sequence_tables(document)
        table.known(*KEYS["input"], *beside)
    else:
        beside = {}
        table = Table(document, ("input", sequence), sequence_tables(document)[sequence])
        table.known(*KEYS["input.sequence"])
    source = _one_source(table, beside)
    if source is None:
        return None
    size = recurrent_table.raw("input_size")
    is_batch_first = recurrent_table.raw("batch_first") is True
    reading = _Reading(
        document,
        table,
        source,
        vocabulary,
        has_embedding,
        is_batch_first,
        size if type(size) is int and 0 < size <= LARGEST else None,
        recurrent_table.raw("carry") is True,
        dtype,
    )
    if source == FEEDING[0]:
        given = _read_fed(reading, num_rows)
    else:
        check_alone(table)
        given = _read_text(reading) if source == "text" else _read_numbers(reading)
    return given if len(document.problems) == before else None


def _read_fed(reading: _Reading, num_rows: int | None) -> InputData | None:
    """A sequence that a layer feeds, each of whose steps is as yet the first."""
    said = read_feed(reading.table, reading.vocabulary, reading.dtype, num_rows)
    if said is None:
        return None
    is_looked_up = reading.has_embedding
    if said.feeding.is_of_classes and not is_looked_up:
        said = replace(said, num_inputs=said.num_inputs or reading.input_size)
        if said.num_inputs is None:
            text = Text(
                "`feed`: how many classes there are is not known; expected a vocabulary, an Embedding, or `input_size`"
            )
            reading.table.problem("feed", text)
            return None
    elif is_looked_up and not said.feeding.is_of_classes:
        reading.table.problem(
            "first", Text("`first`: an Embedding looks classes up; expected a letter or an index")
        )
        return None
    size, rows = said.num_inputs or 1, len(said.feeding.first)
    shape = (said.num_steps, rows, size)
    if not check_memory(reading.document, (*reading.table.place, "steps"), shape, reading.dtype.itemsize):
        return None
    fed = placeholder(said, reading.dtype, is_looked_up=is_looked_up)
    batch = Batch(fed.values, fed.indices, fed.lengths, fed.packed)
    count = int(said.feeding.first.max()) + 1 if is_looked_up else None
    return InputData(
        (batch,),
        True,
        None if is_looked_up else size,
        (said.num_inputs or count) if is_looked_up else None,
        feed=said,
    )


# ── teacher forcing ──────────────────────────────────────────────────────────────────────────────


def _shifted_indices(reading: _Reading, rows: TextRows) -> TextRows | None:
    """Rows of which each step has what stood before, at first what `shift` says; None with a problem noted."""
    table = reading.table
    first = table.raw("shift")
    if isinstance(first, str) and reading.vocabulary is not None:
        if first not in reading.vocabulary:
            table.problem(
                "shift", Text("`shift`: {reason}", reason=unspelt(first, 0, reading.vocabulary, is_one=True))
            )
            return None
        first = reading.vocabulary.index(first)
    count = LARGEST if reading.vocabulary is None else len(reading.vocabulary)
    if type(first) is not int or not 0 <= first < count:
        table.wrong("shift", Text("a letter of the vocabulary, or an index: what is fed at the first step"))
        return None
    pad = table.integer("pad_index", 0, minimum=0) or 0
    indices = np.concatenate((np.full((1, rows.indices.shape[1]), first), rows.indices[:-1]))
    for row, length in enumerate(rows.lengths):
        indices[length:, row] = pad
    return TextRows(indices, rows.lengths)


def _shifted_values(reading: _Reading, values: Floats) -> Floats | None:
    """Values, (T, B, I), of which each step has what stood before, at first what `shift` says; None with a problem noted."""
    table, size = reading.table, values.shape[2]
    said = table.raw("shift")
    first = np.asarray([said]) if type(said) in (int, float) else table.array("shift", ndim=(1,))
    if first is None:
        return None
    if first.shape != (size,):
        table.wrong("shift", Text("{size} numbers: what is fed at the first step", size=size))
        return None
    before = np.broadcast_to(as_dtype(first, values.dtype), (1, *values.shape[1:]))
    return np.concatenate((before, values[:-1]))


def _one_source(table: Table, named: Container[str]) -> str | None:
    given = [key for key in table.keys() if key in SOURCES]
    if len(given) == 1:
        return given[0]
    if table.lacks(*SOURCES, named=named):
        table.problem((), Text("[input]: expected one of {keys}", keys=listed(SOURCES)))
    for key in given[1:]:
        message = Text("`{key}`: there is `{first}` already; give one of the two", key=key, first=given[0])
        table.problem(key, message)
    return None


def _read_text(reading: _Reading) -> InputData | None:
    table = reading.table
    raw = read_texts(table, has_vocabulary=reading.vocabulary is not None)
    if raw is None or reading.vocabulary is None:
        return None
    if table.has("windows"):
        table.problem("windows", Text("`windows` are cut from numbers: `values`, `file` or `random`"))
    if table.has("lengths"):
        table.problem("lengths", Text("`lengths`: texts have their own lengths"))
    pad = _pad_index(reading, len(reading.vocabulary))
    rows = read_rows(reading.document, reading.place, raw, reading.vocabulary, pad)
    if rows is None:
        return None
    is_padded = len(set(rows.lengths)) > 1
    packed = table.boolean("packed", is_padded)
    return _indexed(reading, rows, lengths=rows.lengths if is_padded or packed else None, packed=bool(packed))


def _pad_index(reading: _Reading, count: int | None) -> int:
    pad = reading.table.integer("pad_index", 0, minimum=0) or 0
    if count is None or pad < count:
        return pad
    reading.table.wrong("pad_index", Text("an index of the vocabulary, below {count}", count=count))
    return 0


def _indexed(
    reading: _Reading, rows: TextRows, *, lengths: tuple[int, ...] | None, packed: bool
) -> InputData | None:
    """Give indices as a batch: as they are before an embedding, else one-hot."""
    before_shift = rows.indices if reading.table.has("shift") else None
    if before_shift is not None:
        moved = _shifted_indices(reading, rows)
        if moved is None:
            return None
        rows = moved
    most = int(max(rows.indices.max(), -1 if before_shift is None else before_shift.max())) + 1
    count = len(reading.vocabulary) if reading.vocabulary is not None else most
    if reading.has_embedding:
        batch = Batch(None, rows.indices, lengths, packed)
        return InputData((batch,), True, None, count, before_shift=before_shift)
    size = count if reading.vocabulary is not None else max(count, reading.input_size or 0)
    values = one_hot(reading.document, reading.place, rows, size, reading.dtype)
    if values is None:
        return None
    batch = Batch(values, rows.indices, lengths, packed)
    return InputData((batch,), True, size, None, before_shift=before_shift)


def _read_numbers(reading: _Reading) -> InputData | None:
    """Read any source but text: an array that is fed as indices or as values."""
    if reading.source == "indices" and (rows := ragged(reading.table.raw("indices"))) is not None:
        return _read_ragged(reading, rows)
    array = _read_array(reading)
    if array is None:
        return None
    if reading.source == "indices" or (reading.source == "file" and _are_indices(reading, array)):
        return _read_indices(reading, array)
    if reading.has_embedding:
        reading.table.problem(
            reading.source,
            Text(
                "`{key}`: [embedding] looks up whole numbers; expected `indices` or `text`",
                key=reading.source,
            ),
        )
        return None
    if reading.table.has("windows"):
        return _read_windows(reading, array)
    return _read_values(reading, as_dtype(array, reading.dtype))


def _read_array(reading: _Reading) -> NDArray[Any] | None:
    table = reading.table
    if reading.source == "indices":
        return table.array("indices", ndim=(1, 2), integer=True)
    if reading.source == "values":
        return table.array("values")
    if reading.source == "random":
        return _draw(reading)
    from rnnstep.scenario.data.array_files import read_array_file  # and with it csv and json

    filename = table.string("file")
    return read_array_file(reading.document, reading.place, filename) if filename is not None else None


def _are_indices(reading: _Reading, array: NDArray[Any]) -> bool:
    """Whether a file's numbers are indices: whole, and there is something to look them up in."""
    is_looked_up = reading.has_embedding or (reading.vocabulary is not None and array.dtype.kind == "i")
    return is_looked_up and array.ndim <= 2 and bool((array == np.rint(array)).all())


def _draw(reading: _Reading) -> Floats | None:
    table = reading.table.table("random")
    if table is None:
        return None
    table.known(*KEYS["input.random"])  # of any sequence
    if not table.has("shape"):
        table.missing("shape", Text("a list such as [5, 1, 4]: steps, rows, size of x_t"))
    shape = table.array("shape", ndim=(1,), integer=True)
    seed = table.integer("seed", 0, minimum=0, maximum=2**64 - 1)
    if shape is None or seed is None:
        return None
    lengths = tuple(int(length) for length in shape)
    if min(lengths) < 1 or len(lengths) > 3:
        table.wrong("shape", Text("two or three lengths ≥ 1"))
        return None
    if not check_memory(reading.document, (*table.place, "shape"), lengths, 8 + reading.dtype.itemsize):
        return None
    return np.random.default_rng(seed).standard_normal(lengths)


def _read_indices(reading: _Reading, array: NDArray[Any]) -> InputData | None:
    table = reading.table
    if table.has("windows"):
        table.problem("windows", Text("`windows` are cut from numbers: `values`, `file` or `random`"))
        return None
    is_flat = array.ndim < 2 or (reading.source == "file" and 1 in array.shape)
    indices = array.astype(np.int64).reshape(-1, 1) if is_flat else array.astype(np.int64)
    count = len(reading.vocabulary) if reading.vocabulary is not None else None
    if not _check_range(reading, array, count if count is not None else LARGEST):
        return None
    if reading.is_batch_first and not is_flat:
        indices = np.ascontiguousarray(indices.T)
    _pad_index(reading, count)
    num_steps, num_rows = indices.shape
    lengths, packed = read_lengths(reading.table, num_steps, num_rows, is_batched=True)
    return _indexed(
        reading, TextRows(indices, lengths or (num_steps,) * num_rows), lengths=lengths, packed=packed
    )


def _read_ragged(reading: _Reading, rows: list[list[int]]) -> InputData | None:
    """Read rows of indices of unlike length, which say themselves how long they are: a batch, padded."""
    table, count = reading.table, None if reading.vocabulary is None else len(reading.vocabulary)
    if not reading.is_batch_first:
        table.problem("indices", needs_batch_first("indices", rows))
        return None
    for key in ("windows", "lengths"):
        if table.has(key):
            text = Text("`{key}`: rows of unlike length have their own lengths", key=key)
            table.problem(key, text)
    if not check_memory(reading.document, reading.place, (max(map(len, rows)), len(rows)), 8):
        return None
    most = LARGEST if count is None else count
    for where in ((number, step) for number, row in enumerate(rows) for step in range(len(row))):
        if not 0 <= rows[where[0]][where[1]] < most:
            _tell_out_of_range(reading, where, rows[where[0]][where[1]], most)
            return None
    found = padded(rows, _pad_index(reading, count))
    packed = table.boolean("packed", default=True)
    return _indexed(reading, found, lengths=found.lengths, packed=bool(packed))


def _check_range(reading: _Reading, indices: NDArray[Any], count: int) -> bool:
    wrong = np.argwhere((indices < 0) | (indices >= count))
    if len(wrong):
        where = tuple(int(position) for position in wrong[0])
        _tell_out_of_range(reading, where, int(indices[where]), count)
    return not len(wrong)


def _tell_out_of_range(reading: _Reading, where: tuple[int, ...], found: int, count: int) -> None:
    key = reading.source + "".join(f"[{position}]" for position in where)
    message = (
        Text("`{key}`: found {found}, expected an index ≥ 0", key=key, found=found)
        if found < 0
        else Text(
            "`{key}`: found {found}, expected an index below {count}", key=key, found=found, count=count
        )
    )
    reading.document.problem((*reading.place, *where), message)


def _read_values(reading: _Reading, values: Floats) -> InputData | None:
    """Give numbers in the shape that torch takes as one batch."""
    is_batched = values.ndim == 3
    if values.ndim == 2:
        values = values[:, None, :]
    elif values.ndim != 3:
        reading.table.problem(reading.source, _no_input_shape(reading, values.shape))
        return None
    elif reading.is_batch_first:
        values = np.ascontiguousarray(values.swapaxes(0, 1))
    num_steps, num_rows, size = values.shape
    lengths, packed = read_lengths(reading.table, num_steps, num_rows, is_batched=is_batched)
    before_shift = values if reading.table.has("shift") else None
    if before_shift is not None:
        moved = _shifted_values(reading, values)
        if moved is None:
            return None
        values = moved
    batch = Batch(values, None, lengths, packed)
    return InputData((batch,), is_batched, size, None, before_shift=before_shift)


def _no_input_shape(reading: _Reading, shape: tuple[int, ...]) -> Text:
    batched = "(B, T, input_size)" if reading.is_batch_first else "(T, B, input_size)"
    if len(shape) == 1:
        return Text(
            "`{key}`: found {found}, expected {batched}, or (T, input_size) without a batch axis;"
            " a series of single numbers is written [[1.0], [2.0], …]",
            key=reading.source,
            found=shown_shape(shape),
            batched=batched,
        )
    return Text(
        "`{key}`: found {found}, expected {batched}, or (T, input_size) without a batch axis",
        key=reading.source,
        found=shown_shape(shape),
        batched=batched,
    )


def _read_windows(reading: _Reading, array: NDArray[Any]) -> InputData | None:
    """Cut a series (N,) or (N, input_size) into windows; its batches are time-major like all others."""
    table = reading.table
    for key in (*NOT_WITH_WINDOWS, "shift"):
        if table.has(key):
            table.problem(key, Text("`{key}` has no meaning beside `windows`, which are all full", key=key))
    windows = table.table("windows")
    cut = (
        cut_windows(windows, array, reading.place, reading.dtype, carry=reading.is_carried)
        if windows is not None
        else None
    )
    if cut is None:
        return None
    batches = tuple(Batch(values) for values in cut.batches)
    return InputData(batches, True, cut.batches[0].shape[2], None, cut.following, cut.left_over)
