"""Text as indices into a vocabulary of letters, or of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rnnstep.language import Text
from rnnstep.scenario.file.document import LARGEST, Document, KeyPath, Table, check_memory, listed, shown
from rnnstep.scenario.heading import ASCII
from rnnstep.scenario.keys import closest
from rnnstep.scenario.model import Floats, Integers


class Unspelt(Exception):
    """A text that the vocabulary cannot spell; `start` is where it goes wrong."""

    def __init__(self, start: int) -> None:
        super().__init__()
        self.start = start


@dataclass(frozen=True, slots=True)
class TextRows:
    """Rows of indices of their own lengths, in one padded array."""

    indices: Integers  # (T, B)
    lengths: tuple[int, ...]


def spelt(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Give the indices of a text's letters.

    Where entries have several letters, the longest that fits is taken each
    time, and blanks that no entry holds divide words.

    Raises:
        Unspelt: At the first place that no entry fits.
    """
    sizes = sorted({len(entry) for entry in vocabulary}, reverse=True)
    indices: list[int] = []
    start = 0
    while start < len(text):
        for size in sizes:
            index = vocabulary.get(text[start : start + size])
            if index is not None:
                indices.append(index)
                start += size
                break
        else:
            if sizes[0] == 1 or not text[start].isspace():
                raise Unspelt(start)
            start += 1
    return indices


def read_texts(table: Table, *, has_vocabulary: bool) -> str | list[str] | None:
    """Give the key `text` of a table, one text or several; None with a problem noted."""
    raw = table.raw("text")
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        table.wrong("text", Text("a string, or a list of strings"))
        return None
    if not has_vocabulary:
        table.problem("text", Text("`text` needs a `vocabulary` that gives each letter its index"))
        return None
    return raw if isinstance(raw, str) else texts


def read_rows(
    document: Document, place: KeyPath, text: str | Sequence[str], vocabulary: Sequence[str], pad: int
) -> TextRows | None:
    """Give a text, or several, as indices: each a row of a batch, filled up with `pad` to the longest.

    Problems name the text and the letter.
    """
    is_list = not isinstance(text, str)
    texts = [text] if isinstance(text, str) else text
    by_entry = {entry: index for index, entry in enumerate(vocabulary)}
    rows: list[list[int]] = []
    for number, one in enumerate(texts):
        key = f"{place[-1]}[{number}]" if is_list else str(place[-1])
        try:
            row = spelt(one, by_entry)
        except Unspelt as error:
            reason = unspelt(one, error.start, vocabulary)
            document.problem((*place, number), Text("`{key}`: {reason}", key=key, reason=reason))
            continue
        if not row:
            message = Text("`{key}`: found an empty text, expected at least one letter", key=key)
            document.problem((*place, number), message)
            continue
        rows.append(row)
    if len(rows) < len(texts):
        return None
    if not check_memory(document, place, (max(map(len, rows)), len(rows)), 8):
        return None
    return padded(rows, pad)


def padded(rows: Sequence[Sequence[int]], pad: int) -> TextRows:
    """Give rows of indices side by side, each filled up with `pad` to the longest."""
    lengths = tuple(map(len, rows))
    indices = np.full((max(lengths), len(rows)), pad, np.int64)
    for number, row in enumerate(rows):
        indices[: len(row), number] = row
    return TextRows(indices, lengths)


def ragged(raw: object) -> list[list[int]] | None:
    """Give rows of whole numbers that are not all of one length; None of whatever else there is."""
    if not isinstance(raw, list) or not all(isinstance(row, list) and row for row in raw):
        return None
    if len(set(map(len, raw))) < 2 or not all(
        type(one) is int and abs(one) <= LARGEST for row in raw for one in row
    ):
        return None
    return raw


def needs_batch_first(key: str, rows: list[list[int]]) -> Text:
    """Say that rows of unlike length cannot stand as steps."""
    number = next(number for number, row in enumerate(rows) if len(row) != len(rows[0]))
    return Text(
        "`{key}[{row}]`: found {found} numbers, expected {first} as in the first row; rows of unlike length need"
        " `batch_first = true` in [recurrent], where a row is a sequence and not a step",
        key=key,
        row=number,
        found=len(rows[number]),
        first=len(rows[0]),
    )


def unspelt(text: str, start: int, vocabulary: Sequence[str], *, is_one: bool = False) -> Text:
    """Say which letter, or word, of a text the vocabulary has not; `is_one` says that all of the text is meant."""
    word = text if is_one else text[start : start + 1]
    if max(map(len, vocabulary)) > 1 and not is_one:
        word = text[start:].split(maxsplit=1)[0]
    if tuple(vocabulary) == ASCII:
        return Text("{letter} is not among the 128 ASCII characters", letter=shown(word))
    guess = closest(word, vocabulary)
    if guess is not None:
        return Text(
            "{letter} is not in the vocabulary; did you mean {guess}?", letter=shown(word), guess=shown(guess)
        )
    return Text("{letter} is not in the vocabulary: {known}", letter=shown(word), known=listed(vocabulary))


def one_hot(
    document: Document, place: KeyPath, rows: TextRows, size: int, dtype: np.dtype[np.floating]
) -> Floats | None:
    """Give vectors (T, B, size) with a 1 at each index, and zeros where a row is over."""
    num_steps, num_rows = rows.indices.shape
    if not check_memory(document, place, (num_steps, num_rows, size), dtype.itemsize):
        return None
    values = np.zeros((num_steps, num_rows, size), dtype)
    np.put_along_axis(values, rows.indices[:, :, None], 1, axis=2)
    for row, length in enumerate(rows.lengths):
        values[length:, row] = 0
    return values
