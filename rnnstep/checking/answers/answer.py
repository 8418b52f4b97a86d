"""Answers as they are written: one value each, of one writer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnnstep.checking.answers.numbers import MOST_DECIMALS, Numbers
from rnnstep.scenario.file.document import Document

__all__ = ["DIRECTIONS", "LARGEST", "MOST_ANSWERS", "MOST_DECIMALS", "Answer", "Answers", "Index"]

DIRECTIONS = ("forward", "backward")
MOST_ANSWERS = 100_000
LARGEST = 10**9  # of a step, a layer, a row, an epoch, an index

Index = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class Answer:
    """One answer, as it is written.

    Attributes:
        name: of the value: "h", "logits", "grad.weight_hh_l0".
        numbers: what was written.
        t: the step, from 0; None of the whole run.
        layer: from 0.
        direction: "forward" or "backward".
        row: which sequence, from 0, all batches one after the other.
        epoch: from 1, as people count; None where it is not said.
        index: of which entries the numbers are, each with as many parts as the value has axes; None of all.
        decimals: how many the writer rounds to; None where it is not said.
        place: where it stands in a TOML file, for messages.
        line: where it stands otherwise, from 1.
        lines: where each of the entries in `index` stands, if on lines of their own.
        block: what the recurrent module is called; None where it is not said, as where there is one.
        sequence: of several, the one whose step it is; None where it is not said.
    """

    name: str
    numbers: Numbers
    t: int | None = None
    layer: int | None = None
    direction: str = "forward"
    row: int = 0
    epoch: int | None = None
    index: Index | None = None
    decimals: int | None = None
    place: tuple[str | int, ...] = ()
    line: int | None = None
    lines: tuple[int, ...] = ()
    block: str | None = None
    sequence: str | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """All answers of one writer.

    Attributes:
        answers: in the order in which they are written.
        document: where they stand; what is wrong with them is told as being there.
    """

    answers: tuple[Answer, ...]
    document: Document

    def rounded_to(self, decimals: int | None) -> Answers:
        """The same of a writer who rounds to so many decimals wherever an answer does not say; None leaves that open."""
        if decimals is None:
            return self
        answers = (
            one if one.decimals is not None else replace(one, decimals=decimals) for one in self.answers
        )
        return replace(self, answers=tuple(answers))
