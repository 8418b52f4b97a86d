"""A marked sheet with what went wrong: what `check` prints, `grade` counts and the screen shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from rnnstep.checking.answers import Answers
from rnnstep.checking.marking import Mark, Sheet
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.checking.naming import QUICK, THOROUGH, Named, named
from rnnstep.checking.one_row import OneRow
from rnnstep.checking.telling import Advice, advice, why_alike
from rnnstep.engine.learning import Learning
from rnnstep.language import Text

MOST_THOROUGH = 20  # wrong answers for which two mistakes at once are tried
MOST_REMARKED = 300  # wrong answers for which any are


@dataclass(frozen=True, eq=False)
class Remarks:
    """What is to be said of a wrong answer.

    Attributes:
        mistakes: those that explain it, the likeliest first.
        why_alike: where several do, what hides their difference.
        advice: and which value to work out next.
        was_searched: False where so many answers are wrong that this one was not looked into.
    """

    mistakes: tuple[Named, ...] = ()
    why_alike: Text | None = None
    advice: Advice | None = None
    was_searched: bool = True


class Marked:
    """All answers of one writer, marked.

    Attributes:
        sheet: the answers, and the calculation they are held against.
        marks: of each answer, in their order.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.marks: Sequence[Mark] = sheet.marks
        self._one_row = OneRow(sheet)
        self._remarks: dict[tuple[int, int], Remarks] = {}

    @classmethod
    def of(cls, learning: Learning, answers: Answers, catalogue: Catalogue | None = None) -> Self:
        """Mark answers, as `Sheet.of`.

        Raises:
            ScenarioError: answers to what the run does not have, or in another shape; all of them.
        """
        return cls(Sheet.of(learning, answers, catalogue))

    def remarks(self, number: int, *, is_quick: bool = False) -> Remarks:
        """What is to be said of an answer; worked out when it is first asked for.

        Args:
            number: of the answer.
            is_quick: for who cannot wait: fewer steps are gone back, and no two mistakes at once are tried.
        """
        rank = self._ranks.get(number, MOST_REMARKED)
        work = 0 if rank >= MOST_REMARKED else QUICK if is_quick or rank >= MOST_THOROUGH else THOROUGH
        if (number, work) not in self._remarks:
            self._remarks[number, work] = (
                self._remarked(number, work) if work else Remarks(was_searched=False)
            )
        return self._remarks[number, work]

    def _remarked(self, number: int, work: int) -> Remarks:
        sheet, number = self._one_row.of(number)
        found = named(sheet, number, work=work)
        if len({one.ids for one in found}) < 2:
            return Remarks(found)
        return Remarks(found, why_alike(sheet, number, found), advice(sheet, number, found))

    @cached_property
    def _ranks(self) -> dict[int, int]:
        """Of each wrong answer how many stand before it."""
        wrong = [number for number, mark in enumerate(self.marks) if mark.status == "wrong"]
        return {number: rank for rank, number in enumerate(wrong)}

    @property
    def score(self) -> tuple[int, int]:
        """How many answers are right, and how many there are."""
        return self.sheet.score

    @cached_property
    def first_wrong(self) -> int | None:
        """The first wrong answer in the order of the calculation, or None."""
        wrong = [number for number, mark in enumerate(self.marks) if mark.status == "wrong"]
        return min(wrong, key=self.sheet.order, default=None)
