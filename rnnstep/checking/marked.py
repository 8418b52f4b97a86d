"""A marked sheet with what went wrong: what `check` prints, `grade` counts and the screen shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from rnnstep.checking.answers import Answers
from rnnstep.checking.marking import Mark, Sheet
from rnnstep.checking.naming import Named, named
from rnnstep.checking.telling import Advice, advice, why_alike
from rnnstep.engine.learning import Learning
from rnnstep.language import Text


@dataclass(frozen=True, eq=False)
class Remarks:
    """What is to be said of a wrong answer.

    Attributes:
        mistakes: those that explain it, the likeliest first.
        why_alike: where several do, what hides their difference.
        advice: and which value to work out next.
    """

    mistakes: tuple[Named, ...] = ()
    why_alike: Text | None = None
    advice: Advice | None = None


class Marked:
    """All answers of one writer, marked.

    Attributes:
        sheet: the answers, and the calculation they are held against.
        marks: of each answer, in their order.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.marks: Sequence[Mark] = sheet.marks
        self._remarks: dict[int, Remarks] = {}

    @classmethod
    def of(cls, learning: Learning, answers: Answers) -> Self:
        """Mark answers.

        Raises:
            ScenarioError: answers to what the run does not have, or in another shape; all of them.
        """
        return cls(Sheet.of(learning, answers))

    def remarks(self, number: int, *, with_pairs: bool = True) -> Remarks:
        """What is to be said of an answer; worked out when it is first asked for."""
        if number not in self._remarks:
            found = named(self.sheet, number, with_pairs=with_pairs)
            several = len({one.ids for one in found}) > 1
            self._remarks[number] = Remarks(
                found,
                why_alike(self.sheet, number) if several else None,
                advice(self.sheet, number, found) if several else None,
            )
        return self._remarks[number]

    @property
    def score(self) -> tuple[int, int]:
        """How many answers are right, and how many there are."""
        return self.sheet.score

    @cached_property
    def first_wrong(self) -> int | None:
        """The first wrong answer in the order of the calculation, or None."""
        wrong = [number for number, mark in enumerate(self.marks) if mark.status == "wrong"]
        return min(wrong, key=self.sheet.order, default=None)
