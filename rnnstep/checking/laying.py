"""Answers laid out in the shapes of the values that they are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstep.checking.answers import Answer, Answers, Index
from rnnstep.checking.numbers import Numbers
from rnnstep.checking.targets import NoTarget, Target, Targets
from rnnstep.engine.learning import Learning
from rnnstep.language import Text
from rnnstep.scenario.document import Document

_BYTES = 400  # that an entry takes: what was written, its bounds in and after every operation, the mark


@dataclass(frozen=True, eq=False)
class Laid:
    """An answer with what it is about, and its numbers in that shape, NaN where they were left blank."""

    answer: Answer
    target: Target
    numbers: Numbers


def lay_out(learning: Learning, answers: Answers) -> tuple[Laid, ...]:
    """Find what answers are about.

    Raises:
        ScenarioError: answers to what the run does not have, in another shape, or to more than memory holds;
            all of them.
    """
    targets = Targets(learning)
    source = answers.document
    document = Document(
        source.path, source.folder, source.text, source.data, source.limits
    )  # of this run alone
    found: list[Laid | None] = []
    room = source.limits.memory // _BYTES
    for answer in answers.answers:
        found.append(_laid(answer, targets, document))
        laid = found[-1]
        room -= 0 if laid is None else laid.numbers.value.size
        if room < 0:
            _problem(
                document, answer, "value", Text("the answers up to here need more memory than is allowed")
            )
            break
    document.finish()
    return tuple(one for one in found if one is not None)


def _laid(answer: Answer, targets: Targets, document: Document) -> Laid | None:
    try:
        target = targets.of(answer)
    except NoTarget as error:
        _problem(document, answer, error.key, error.message)
        return None
    if answer.numbers.is_missing:
        blank = Numbers(np.full(target.shape, np.nan), np.zeros(target.shape, np.int64))
        return Laid(answer, target, blank)
    numbers = put_in(answer.numbers, answer.index, target.shape)
    if numbers is None:
        _problem(document, answer, "value", _misfit(answer, target))
        return None
    return Laid(answer, target, numbers)


def _problem(document: Document, answer: Answer, key: str, message: Text) -> None:
    position = None if answer.line is None else (answer.line, 1)
    document.problem((*answer.place, key), message, position=position)


def _misfit(answer: Answer, target: Target) -> Text:
    def shown(shape: tuple[int, ...]) -> str:
        return " × ".join(map(str, shape)) or "1"

    name, expected = answer.name, shown(target.shape)
    if answer.index is not None:
        return Text("`{name}` has {expected} numbers: `index` does not fit", name=name, expected=expected)
    found = shown(answer.numbers.value.shape)
    return Text("`{name}` has {expected} numbers, found {found}", name=name, expected=expected, found=found)


def put_in(numbers: Numbers, index: Index | None, shape: tuple[int, ...]) -> Numbers | None:
    """Lay an answer's numbers out in a value's shape, blanks around single entries; None where they do not fit."""
    if index is None:
        flat = numbers.value.size == int(np.prod(shape))
        fits = numbers.value.shape == shape or (flat and _same_but_for_ones(numbers.value.shape, shape))
        return numbers.reshaped(shape) if fits else None
    size = len(shape)
    whole = Numbers(np.full(shape, np.nan), np.zeros(shape, np.int64))
    if numbers.value.size != len(index) or any(len(one) != size for one in index):
        return None
    for one, value, decimals in zip(index, numbers.value.flat, numbers.decimals.flat, strict=True):
        if any(part >= most for part, most in zip(one, shape, strict=True)):
            return None
        whole.value[one], whole.decimals[one] = value, decimals
    return whole


def _same_but_for_ones(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return [size for size in one if size != 1] == [size for size in other if size != 1]
