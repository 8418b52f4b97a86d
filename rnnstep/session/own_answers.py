"""A writer's own numbers beside a run: answers that were loaded or typed, and a value said before it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking import Answers, Mark, Marks, answers_of
from rnnstep.checking.answers.reading import file_of
from rnnstep.checking.own_numbers import Place
from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.scenario.file.document import Limits
from rnnstep.session.tree import Spot

if TYPE_CHECKING:
    from rnnstep.engine.learning import Learning
    from rnnstep.equations.operations import Array


class OwnAnswers:
    """Answers that are looked at beside a run; marked anew for a run with other numbers.

    Attributes:
        answers: as they were read.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._learning: Learning | None = None
        self._marked: Marks | None = None

    def marked(self, learning: Learning) -> Marks | None:
        """The answers, marked against a run; None where it has other values than they are of."""
        if self._learning is not learning:
            self._learning = learning
            try:
                self._marked = Marks.of(learning, self.answers)
            except RnnstepError:
                self._marked = None
        return self._marked

    def at(
        self, learning: Learning, place: Place, row: int
    ) -> Iterator[tuple[Mark, int, Array, NDArray[np.bool_]]]:
        """The marks of what was given of a line: each with its number, the numbers of that line, and which are wrong."""
        marked = self.marked(learning)
        for number, mark in enumerate(() if marked is None else marked.marks):
            for part in mark.target.parts:
                if part.place == place and (mark.target.row_of(part) == row or place.phase == "update"):
                    yield mark, number, mark.given[part.at], mark.is_wrong[part.at]


def read_own(text: str) -> OwnAnswers:
    """Read answers from what was typed: the path of a file, or `h_1 = 0.54 ? 0.00 0.84`, several apart by `|`.

    Raises:
        UsageError, ScenarioError: what is wrong with them.
    """
    text = text.strip()
    if not text:
        raise UsageError(Text("a file of answers is expected, or NAME = NUMBERS"))
    return OwnAnswers(answers_of([text] if file_of(text) is not None else text.split("|"), Limits()))


def first_wrong_spot(marked: Marks) -> Spot | None:
    """Where the first wrong answer was computed; None where none is wrong."""
    number = marked.first_wrong
    if number is None:
        return None
    mark = marked.marks[number]
    place = mark.target.parts[0].place
    element = int(mark.is_wrong.reshape(-1).argmax()) if len(mark.target.parts) == 1 else None
    return Spot(place.batch, place.key, place.t, place.name, element, phase=place.phase, epoch=place.epoch)


# ── said before it is shown ──────────────────────────────────────────────────────────
