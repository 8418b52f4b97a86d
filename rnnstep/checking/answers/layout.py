"""Answers laid out in the shapes of the values that they are about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnnstep.checking.answers.answer import Answer, Answers, Index
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.answers.targets import NoTarget, Target, Targets
from rnnstep.engine.learning import Learning
from rnnstep.language import Text
from rnnstep.scenario.file.document import Document

_BYTES = 400  # that an entry takes: what was written, its bounds in and after every operation, the mark


@dataclass(frozen=True, eq=False)
class Laid:
    """An answer with what it is about, and its numbers in that shape, NaN where they were left blank."""

    answer: Answer
    target: Target
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class ShapeMisfit:
    """What does not lie in an answer's value, or lies there already.

    Attributes:
        message: why.
        key: of the answer, that says so.
        entry: which part of that, from 0; None for all of it.
    """

    message: Text
    key: str
    entry: int | None = None


def lay_out(learning: Learning, answers: Answers) -> tuple[Laid, ...]:
    """Find what answers are about.

    Raises:
        ScenarioError: answers to what the run does not have, in another shape, to an entry that is given already
            under the same name, or to more than memory holds; all of them.
    """
    targets = Targets(learning)
    source = answers.document
    # Of this run alone: the same answers may be laid out again, for another one.
    document = Document(source.path, source.folder, source.text, source.data, source.limits)
    given = _Given(document)
    found: list[Laid] = []
    room = document.limits.memory // _BYTES
    for written in answers.answers:
        answer = targets.meant(written)
        try:
            target = targets.of(answer)
        except NoTarget as error:
            _tell(document, answer, ShapeMisfit(error.message, error.key))
            continue
        entries = entries_of(answer, target)
        misfits = list(_misfits(answer, target, entries))
        if not misfits:
            numbers = put_in(answer, target, entries)
            misfits = list(given.take(answer, target, numbers, entries))
            found.append(Laid(answer, target, numbers))
        for one in misfits:
            _tell(document, answer, one)
        room -= int(np.prod(target.shape))
        if room < 0:
            message = Text("the answers up to here need more memory than is allowed")
            _tell(document, answer, ShapeMisfit(message, "value"))
            break
    document.finish()
    return tuple(found)


def _tell(document: Document, answer: Answer, one: ShapeMisfit) -> None:
    if not document.is_full:  # looking up where something stands takes its time
        document.problem((), one.message, position=_position(document, answer, one.key, one.entry))


def _position(document: Document, answer: Answer, key: str, entry: int | None = None) -> tuple[int, int]:
    """The line and the column of a key of an answer, or of a part of it."""
    if answer.line is not None:
        has_own_line = entry is not None and entry < len(answer.lines)
        return (answer.lines[entry] if entry is not None and has_own_line else answer.line, 1)
    table: Any = document.data
    for part in answer.place:
        table = table[part]
    key = "t" if key == "step" and "t" in table else key
    return document.position((*answer.place, key) if entry is None else (*answer.place, key, entry))


class _Given:
    """Which entries of which values are given, and where."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._pieces: list[tuple[Answer, int | None]] = []  # an answer, or an entry of its index
        self._by: dict[tuple[object, ...], np.ndarray[Any, np.dtype[np.intp]]] = {}

    def take(
        self, answer: Answer, target: Target, numbers: Numbers, entries: Index | None
    ) -> Iterator[ShapeMisfit]:
        """Keep what an answer gives, and say of which entries that is given already under the same name."""
        if numbers.is_missing:
            return
        value = (answer.name, *(part.place for part in target.parts), target.row)
        by = self._by.setdefault(value, np.full(target.shape, -1))
        pieces: Iterable[tuple[int | None, tuple[Any, ...]]]
        if entries is None:
            pieces = [(None, np.nonzero(~np.isnan(numbers.value)))]
        else:
            blank = np.isnan(answer.numbers.value.reshape(-1)).tolist()
            pieces = [(number, at) for number, at in enumerate(entries) if not blank[number]]
        for entry, at in pieces:
            earlier = np.atleast_1d(by[at])
            if (earlier >= 0).any():
                clash = int(np.argmax(earlier >= 0))
                where = at if entry is not None else tuple(int(axis[clash]) for axis in at)
                message = self._twice(answer, target, where, int(earlier[clash]))
                yield ShapeMisfit(message, "value" if entry is None else "index", entry)
                continue
            by[at] = len(self._pieces)
            self._pieces.append((answer, entry))

    def _twice(self, answer: Answer, target: Target, at: tuple[int, ...], piece: int) -> Text:
        first, entry = self._pieces[piece]
        line, _ = _position(self._document, first, "value" if entry is None else "index", entry)
        name = answer.name if target.shape == (1,) else f"{answer.name}{_listed(at)}"
        return Text("`{name}` is given twice: in line {line} already", name=name, line=line)


def entries_of(answer: Answer, target: Target) -> Index | None:
    """Which entries of its value an answer gives; None for all.

    A flat list names an entry of a vector with each of its numbers: `index = [0, 3]` is two entries. Of a matrix and
    one number it names that one's row and column: `index = [1, 0]`; several are pairs, `[[1, 0], [0, 2]]`.
    """
    index, axes = answer.index, len(target.shape)
    is_one = answer.numbers.value.size <= 1
    if index is not None and is_one and len(index) == axes > 1 and all(len(one) == 1 for one in index):
        return (tuple(part for (part,) in index),)
    return index


def _misfits(answer: Answer, target: Target, entries: Index | None) -> Iterator[ShapeMisfit]:
    """What of an answer does not fit its value: entries that are not in it, or another count of numbers."""
    numbers, shape = answer.numbers, target.shape
    found = _shown(numbers.value.shape)
    if entries is None:
        if not numbers.is_missing and not _fits(numbers.value.shape, shape):
            told = {"name": answer.name, "expected": _shown(shape), "found": found}
            yield ShapeMisfit(Text("`{name}` has {expected} numbers, found {found}", **told), "value")
        return
    for number, one in enumerate(entries):
        told = {"name": answer.name, "expected": _shown(shape), "entry": _listed(one)}
        at = number if len(entries) > 1 else None
        if len(one) != len(shape):
            told["example"] = _listed((0,) * len(shape))
            yield ShapeMisfit(
                Text(
                    "`{name}` has {expected} numbers: an entry is not {entry}, but such as {example}", **told
                ),
                "index",
                at,
            )
            return
        if any(part >= size for part, size in zip(one, shape, strict=True)):
            message = Text("`{name}` has {expected} numbers: there is no entry {entry}", **told)
            yield ShapeMisfit(message, "index", at)
    if not numbers.is_missing and numbers.value.size != len(entries):
        count = len(entries)
        message = Text("`index` names {count} entries: found {found} numbers", count=count, found=found)
        yield ShapeMisfit(message, "value")


def put_in(answer: Answer, target: Target, entries: Index | None) -> Numbers:
    """Lay an answer's numbers, which fit, out in its value's shape, blanks around single entries."""
    numbers, shape = answer.numbers, target.shape
    if entries is None and not numbers.is_missing:
        return numbers.reshaped(shape)
    whole = Numbers(np.full(shape, np.nan), np.zeros(shape, np.int64))
    for one, value, decimals in zip(entries or (), numbers.value.flat, numbers.decimals.flat, strict=False):
        if not np.isnan(value):
            whole.value[one], whole.decimals[one] = value, decimals
    return whole


def _fits(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether numbers are as many as a value has, and in its shape but for axes of one."""
    return [size for size in found if size != 1] == [size for size in shape if size != 1]


def _shown(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "1"


def _listed(one: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, one))}]"
