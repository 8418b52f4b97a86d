"""A writer's own numbers beside a run: answers that were loaded or typed, and a value said before it is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking import MISTAKES, Answers, Mark, Marked, answers_of
from rnnstep.checking.answers.numbers import NotNumbers, from_text
from rnnstep.checking.answers.reading import file_of
from rnnstep.checking.guessing import guessed
from rnnstep.checking.own_numbers import Place
from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Limits
from rnnstep.session.tree import Spot, index_of

if TYPE_CHECKING:
    from rnnstep.engine.learning import Learning
    from rnnstep.equations.operations import Array
    from rnnstep.session.session import Session

MOST_WRONG = 8  # entries that are told


class OwnAnswers:
    """Answers that are looked at beside a run; marked anew for a run with other numbers.

    Attributes:
        answers: as they were read.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self._learning: Learning | None = None
        self._marked: Marked | None = None

    def marked(self, learning: Learning) -> Marked | None:
        """The answers, marked against a run; None where it has other values than they are of."""
        if self._learning is not learning:
            self._learning = learning
            try:
                self._marked = Marked.of(learning, self.answers)
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


def first_wrong_spot(marked: Marked) -> Spot | None:
    """Where the first wrong answer was computed; None where none is wrong."""
    number = marked.first_wrong
    if number is None:
        return None
    mark = marked.marks[number]
    place = mark.target.parts[0].place
    element = int(mark.is_wrong.reshape(-1).argmax()) if len(mark.target.parts) == 1 else None
    return Spot(place.batch, place.key, place.t, place.name, element, phase=place.phase, epoch=place.epoch)


# ── said before it is shown ──────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Guess:
    """What is to be said to a number that somebody typed for a hidden value.

    Attributes:
        is_right: whether it is.
        wrong: which entries are not, where several were given: "[0] [2]".
        hint: a hint; None where no common mistake gives it.
        mistakes: and what may have been done, the likeliest first.
        is_too_coarse: whether mistakes fit, but so would many random numbers.
    """

    is_right: bool
    wrong: str = ""
    hint: Text | None = None
    mistakes: tuple[Text, ...] = ()
    is_too_coarse: bool = False


def place_of(session: Session) -> Place | None:
    """The value that is hidden at the cursor; None where it is more than one."""
    spot = session.spot
    if spot is None or spot.key is None or spot.t is None or spot.batch is None or spot.phase is None:
        return None
    name = spot.operation
    if name is None:
        if spot.phase != "forward":
            return None
        name = session.tree.block(spot).output
    return Place(spot.epoch, spot.batch, spot.phase, spot.key, spot.t, name)


def guess(session: Session, text: str, decimals: int) -> Guess:
    """Mark what was typed for the value at the cursor.

    Args:
        session: at a hidden value.
        text: one number at an element, else all of the value's.
        decimals: how many are shown.

    Raises:
        UsageError: it is no number, or there are not as many as there should be.
    """
    place, spot = place_of(session), session.spot
    if place is None or spot is None:
        raise UsageError(Text("go into an operation (↓) and say its value there"))
    try:
        numbers = from_text(text)
    except NotNumbers as error:
        raise UsageError(Text("`{found}` is no number", found=printable(error.found[:40]))) from None
    if numbers.is_missing:
        raise UsageError(
            Text("a number is expected, such as 0.54; of a vector all, ? for what is left blank")
        )
    block = session.tree.block(spot)
    index = None if spot.element is None else index_of(block, place.name, spot.element)
    learning = session.run.learning
    marked = guessed(learning, place, session.position.row, index, numbers, decimals)
    if marked is None:
        size = math.prod(int(one) for one in block.program.shapes[place.name])
        raise UsageError(
            Text(
                "{found} numbers: expected {count}, all of `{name}`",
                found=numbers.value.size,
                count=size,
                name=place.name,
            )
            if index is None
            else Text("one number is expected here, or all of `{name}`", name=place.name)
        )
    number = len(marked.marks) - 1
    mark = marked.marks[number]
    if mark.status != "wrong":
        return Guess(is_right=True)
    is_one = np.count_nonzero(~np.isnan(mark.given)) == 1
    wrong = (
        "" if is_one else " ".join(str(place) for place in np.argwhere(mark.is_wrong).tolist()[:MOST_WRONG])
    )
    remarks = marked.remarks(number, is_quick=True)
    named = [MISTAKES[one.ids[0]] for one in remarks.mistakes]
    hint = named[0].hint if named else None
    explanations = tuple(one.explanation for one in named)
    return Guess(False, wrong, hint, explanations, remarks.is_too_coarse)
