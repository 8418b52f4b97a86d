"""Answers laid out in the shapes of the values that they are about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstep.checking.answers import Answer, Answers, put_in
from rnnstep.checking.numbers import Numbers
from rnnstep.checking.targets import NoTarget, Target, Targets
from rnnstep.engine.learning import Learning
from rnnstep.language import Text
from rnnstep.scenario.document import Document


@dataclass(frozen=True, eq=False)
class Laid:
    """An answer with what it is about, and its numbers in that shape, NaN where they were left blank."""

    answer: Answer
    target: Target
    numbers: Numbers


def lay_out(learning: Learning, answers: Answers) -> tuple[Laid, ...]:
    """Find what answers are about.

    Raises:
        ScenarioError: answers to what the run does not have, or in another shape; all of them.
    """
    targets = Targets(learning)
    found = [_laid(answer, targets, answers.document) for answer in answers.answers]
    answers.document.finish()
    return tuple(one for one in found if one is not None)


def _laid(answer: Answer, targets: Targets, document: Document) -> Laid | None:
    try:
        target = targets.of(answer)
    except NoTarget as error:
        _problem(document, answer, error.key, error.message)
        return None
    if answer.numbers.is_missing and answer.index is None:
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
