"""The table [target]: what the model should say, a class or values for each step or each row.

Where a row's text is over before the batch is, the target is the loss's
`ignore_index`. Indices and values stand in the layout of the module's output.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.network.description import INPUT
from rnnstep.network.wires import When
from rnnstep.scenario.data.letters import needs_batch_first, padded, ragged, read_rows, read_texts
from rnnstep.scenario.file.document import Document, Table, check_memory, listed, shown_shape
from rnnstep.scenario.model import Batch, Floats, Integers, Loss
from rnnstep.scenario.weights.state_dicts import as_dtype

SOURCES = ("text", "indices", "values")
TargetArray = NDArray[Any]  # (T, B), (T, B, O); final: (B,), (B, O); B of all batches together


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the target must fit."""

    table: Table
    vocabulary: tuple[str, ...] | None
    num_classes: int
    num_values: int
    once: str
    is_last_enough: bool  # of targets for every step the last one is taken, or there is one a row
    is_batch_first: bool
    is_batched: bool
    lengths: tuple[int, ...]  # of all rows
    num_steps: int
    ignore_index: int
    dtype: np.dtype[np.floating]
    sequence: str  # whose steps have a target each

    @property
    def document(self) -> Document:
        return self.table.document

    @property
    def has_one_a_row(self) -> bool:
        return bool(self.once)

    @property
    def num_rows(self) -> int:
        return len(self.lengths)

    @property
    def of_rows(self) -> _Reading:
        """The same with one target a row."""
        return replace(self, once='at = "last"')


def read_target(
    document: Document,
    *,
    batches: tuple[Batch, ...],
    sequence: str,
    vocabulary: tuple[str, ...] | None,
    num_classes: int,
    once: str,
    is_last_enough: bool,
    out_features: int,
    batch_first: bool,
    is_batched: bool,
    dtype: np.dtype[np.floating],
) -> tuple[Batch, ...]:
    """Give the batches with their targets; without, and problems noted, where [target] does not fit.

    Args:
        document: The file.
        batches: What is fed; the rows of several (windows) are numbered through.
        sequence: Whose steps have a target each.
        vocabulary: For `text`.
        num_classes: How many logits there are: an index must be below.
        once: The key and value that say that there is one target a row, `from = "h_n"`; "" where there is one a step.
        is_last_enough: Whether the loss is of the last step alone: there may be a target for every step, or one a row.
        out_features: The size of a vector in `values`.
        batch_first: Whether the module's layout is (B, T, …).
        is_batched: Whether there is a batch axis at all.
        dtype: Of `values`.
    """
    table = document.table("target")
    if table is None:
        return batches
    table.known()
    sources = [key for key in table.keys() if key in SOURCES]
    if len(sources) != 1:
        if sources or table.lacks(*SOURCES):  # else a misspelt one, told as an unknown key
            message = Text("[target]: expected exactly one of {keys}", keys=listed(SOURCES))
            table.problem(sources[1] if sources else (), message)
        return batches
    reading = _Reading(
        table,
        vocabulary,
        num_classes,
        out_features,
        once,
        is_last_enough,
        batch_first,
        is_batched,
        _lengths(batches, sequence),
        batches[0].sequences[sequence].num_steps,
        ignore_index(document),
        dtype,
        sequence,
    )
    readers = {"text": _read_text, "indices": _read_indices, "values": _read_values}
    targets = readers[sources[0]](reading)
    if targets is None:
        return batches
    is_of_steps = targets.ndim == (3 if targets.dtype.kind == "f" else 2)
    return _shared_out(targets, batches, sequence, is_of_steps=is_of_steps, is_last_enough=is_last_enough)


def with_following(
    document: Document,
    batches: tuple[Batch, ...],
    following: tuple[Floats, ...],
    num_outputs: int,
    *,
    sequence: str,
    has_one_a_row: bool,
) -> tuple[Batch, ...]:
    """Give batches of windows whose target is what comes later in the series: at each step, or behind the last one."""
    horizon = ("input", "windows", "horizon")
    if document.root.has("target"):
        document.problem(
            ("target",),
            Text("`horizon` in `windows` says what is wanted, and [target], too; give one of the two"),
        )
    size = following[0].shape[-1]
    if size != num_outputs:
        text = Text(
            "`horizon`: the values that are wanted have size {size}, what is compared with them has {outputs}",
            size=size,
            outputs=num_outputs,
        )
        document.problem(horizon, text)
    wanted, steps = following[0].shape[0], batches[0].sequences[sequence].num_steps
    if steps != wanted and not has_one_a_row:
        text = Text(
            '`horizon`: a value is wanted for each of {wanted} steps, {sequence} has {steps}; expected `at = "last"` in [loss],'
            " or a last layer on NAME.h_n",
            wanted=wanted,
            sequence=sequence,
            steps=steps,
        )
        document.problem(horizon, text)
    pairs = zip(batches, following, strict=True)
    return tuple(
        replace(batch, target=np.ascontiguousarray(later[-1] if has_one_a_row else later))
        for batch, later in pairs
    )


def _lengths(batches: tuple[Batch, ...], sequence: str) -> tuple[int, ...]:
    return tuple(itertools.chain.from_iterable(batch.sequences[sequence].true_lengths for batch in batches))


def ignore_index(document: Document) -> int:
    """The class that counts for nothing, as [loss] has it."""
    loss = document.root.raw("loss")
    given = loss.get("ignore_index") if isinstance(loss, dict) else None
    return given if type(given) is int and abs(given) < 2**31 else Loss().ignore_index


def _shared_out(
    targets: TargetArray,
    batches: tuple[Batch, ...],
    sequence: str,
    *,
    is_of_steps: bool,
    is_last_enough: bool,
) -> tuple[Batch, ...]:
    shared, start = [], 0
    for batch in batches:
        rows = slice(start, start + batch.num_rows)
        target = targets[:, rows] if is_of_steps else targets[rows]
        if is_of_steps and is_last_enough:
            target = batch.axis(sequence).brought(target, When.ROW_END)
        shared.append(replace(batch, target=np.ascontiguousarray(target)))
        start = rows.stop
    return tuple(shared)


def _read_text(reading: _Reading) -> Integers | None:
    table = reading.table
    raw = read_texts(table, has_vocabulary=reading.vocabulary is not None)
    if raw is None or reading.vocabulary is None:
        return None
    rows = read_rows(reading.document, (*table.place, "text"), raw, reading.vocabulary, reading.ignore_index)
    if rows is None:
        return None
    indices, lengths = rows.indices, rows.lengths
    if reading.is_last_enough and lengths != reading.lengths:
        reading = reading.of_rows
    if reading.has_one_a_row:
        indices = indices.T if isinstance(raw, str) else indices
        lengths = (1,) * indices.shape[1] if isinstance(raw, str) else lengths
    if not _check_text(reading, lengths):
        return None
    if reading.has_one_a_row:
        return indices[0] if _check_classes(reading, indices[0], "text") else None
    whole = _filled_up(reading, "text", indices)
    return whole if whole is not None and _check_classes(reading, whole, "text") else None


def _filled_up(reading: _Reading, key: str, indices: Integers) -> Integers | None:
    """Give indices for all steps of the batch, padding left out of the loss; None where that is too large."""
    if indices.shape[0] == reading.num_steps:
        return indices
    shape = (reading.num_steps, reading.num_rows)
    if not check_memory(reading.document, (*reading.table.place, key), shape, 8):
        return None
    whole = np.full(shape, reading.ignore_index, np.int64)
    whole[: indices.shape[0]] = indices
    return whole


def _check_text(reading: _Reading, lengths: tuple[int, ...]) -> bool:
    """Whether there is a text for each row, of its length; one letter each for final states."""
    table = reading.table
    if len(lengths) != reading.num_rows:
        message = Text(
            "`text`: found {found} rows, expected {expected}: one for each row of the input",
            found=len(lengths),
            expected=reading.num_rows,
        )
        table.problem("text", message)
        return False
    is_right = True
    for row, (found, steps) in enumerate(zip(lengths, reading.lengths, strict=True)):
        key = "text" if isinstance(table.raw("text"), str) else f"text[{row}]"
        if reading.has_one_a_row and found != 1:
            message = Text(
                "`{key}`: found {found} letters, expected one label for the row (`{reason}`)",
                key=key,
                found=found,
                reason=reading.once,
            )
        elif not reading.has_one_a_row and found != steps:
            message = _other_length(reading, key, found, steps)
        else:
            continue
        table.problem(("text", row), message)
        is_right = False
    return is_right


def _other_length(reading: _Reading, key: str, found: int, steps: int) -> Text:
    if reading.sequence != INPUT:
        return Text(
            "`{key}`: the target is for {found} steps, {sequence} has {steps}: expected one target for each step",
            key=key,
            found=found,
            sequence=reading.sequence,
            steps=steps,
        )
    return Text(
        "`{key}`: the target is for {found} steps, the input has {steps}: expected one target for each step",
        key=key,
        found=found,
        steps=steps,
    )


def _check_classes(reading: _Reading, indices: Integers, key: str) -> bool:
    is_wrong = ((indices < 0) | (indices >= reading.num_classes)) & (indices != reading.ignore_index)
    wrong = np.argwhere(is_wrong)
    if not len(wrong):
        return True
    where = tuple(int(position) for position in wrong[0])
    message = Text(
        "`{key}`: found the class {found}, expected 0 to {last}: there are {count} logits",
        key=key,
        found=int(indices[where]),
        last=reading.num_classes - 1,
        count=reading.num_classes,
    )
    reading.table.problem((key, *where) if key == "indices" else key, message)
    return False


def _read_indices(reading: _Reading) -> Integers | None:
    rows = None if reading.has_one_a_row else ragged(reading.table.raw("indices"))
    if rows is not None:
        return _read_ragged(reading, rows)
    axes = (0, 1, 2) if reading.is_last_enough else (0, 1) if reading.has_one_a_row else (1, 2)
    array = reading.table.array("indices", ndim=axes, integer=True)
    if array is None or not _check_classes(reading, array, "indices"):
        return None
    return _fitted(reading, "indices", array, ())


def _read_ragged(reading: _Reading, rows: list[list[int]]) -> Integers | None:
    """Read a class for each step of rows of unlike length; padding is left out of the loss."""
    table = reading.table
    if not reading.is_batch_first:
        table.problem("indices", needs_batch_first("indices", rows))
        return None
    if len(rows) != reading.num_rows:
        table.wrong("indices", Text("{rows} rows, as there are in the batch", rows=reading.num_rows))
        return None
    for number, (row, steps) in enumerate(zip(rows, reading.lengths, strict=True)):
        if len(row) != steps:
            table.problem(("indices", number), _other_length(reading, f"indices[{number}]", len(row), steps))
            return None
    whole = _filled_up(reading, "indices", padded(rows, reading.ignore_index).indices)
    return whole if whole is not None and _check_classes(reading, whole.T, "indices") else None


def _read_values(reading: _Reading) -> Floats | None:
    array = reading.table.array("values")
    if array is None:
        return None
    return _fitted(reading, "values", as_dtype(array, reading.dtype), (reading.num_values,))


def _fitted(reading: _Reading, key: str, array: TargetArray, rest: tuple[int, ...]) -> TargetArray | None:
    """Give an array of the module's layout time-major; without a batch axis it is for one row."""
    num_steps, num_rows = reading.num_steps, reading.num_rows
    is_of_steps = array.shape == (num_steps, *rest) and num_rows == 1  # as many rows as steps are rows
    if reading.is_last_enough and array.ndim < 2 + len(rest) and not is_of_steps:
        reading = reading.of_rows
    if reading.has_one_a_row:
        batched = (num_rows, *rest)
    elif reading.is_batch_first:
        batched = (num_rows, num_steps, *rest)
    else:
        batched = (num_steps, num_rows, *rest)
    alone = rest if reading.has_one_a_row else (num_steps, *rest)
    if num_rows == 1 and array.shape == alone:
        return array.reshape(1, *rest) if reading.has_one_a_row else array.reshape(num_steps, 1, *rest)
    if array.shape == batched:
        swaps = reading.is_batch_first and not reading.has_one_a_row
        return np.ascontiguousarray(array.swapaxes(0, 1)) if swaps else array
    expected = batched if reading.is_batched and not (num_rows == 1 and array.ndim == len(alone)) else alone
    axis = 1 if expected is batched and reading.is_batch_first else 0
    others = [position for position in range(len(expected)) if position != axis]
    is_only_steps = len(expected) == array.ndim and all(
        array.shape[position] == expected[position] for position in others
    )
    if is_only_steps and not reading.has_one_a_row:
        message = _other_length(reading, key, array.shape[axis], num_steps)
    elif is_only_steps and not rest:
        message = Text(
            "`{key}`: found {found} labels, expected {rows}: one for each row of the batch (`{reason}`)",
            key=key,
            found=array.size,
            rows=num_rows,
            reason=reading.once,
        )
    else:
        message = Text(
            "`{key}`: found shape {found}, expected {expected}",
            key=key,
            found=shown_shape(array.shape),
            expected=shown_shape(expected),
        )
    if _has_padded_windows(reading.document) and array.shape[:1] != expected[:1]:
        message = Text(
            "{message}: `windows` begins one at every stride as long as there is a value left, the last ones filled"
            " with `pad`, and each of these {rows} wants a target; `pad = false` leaves those out that are not whole, and"
            " `horizon = 1` in place of [target] wants the value that comes next",
            message=message,
            rows=num_rows,
        )
    reading.table.problem(key, message)
    return None


def _has_padded_windows(document: Document) -> bool:
    given = document.root.raw("input")
    windows = given.get("windows") if isinstance(given, dict) else None
    return isinstance(windows, dict) and windows.get("pad") is not False
