"""Marking what a person calculated: answers, honest rounding, mistakes.

answers ─► targets ─► sheet ─┬─► paper (the calculation in intervals) ─► marks
                             └─► paper with a slip ─► the mistakes that explain a wrong one
"""

from __future__ import annotations

from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.lines import inline_answers
from rnnstep.checking.answers.reading import answers_of, read_answers
from rnnstep.checking.marked_sheet import TOO_COARSE, Marks, Remarks, followed, not_marked
from rnnstep.checking.marking import Mark, Sheet
from rnnstep.checking.mistakes.words import MISTAKES
from rnnstep.checking.naming import NamedMistake

__all__ = [
    "MISTAKES",
    "TOO_COARSE",
    "Answer",
    "Answers",
    "Mark",
    "Marks",
    "NamedMistake",
    "Remarks",
    "Sheet",
    "answers_of",
    "followed",
    "inline_answers",
    "not_marked",
    "read_answers",
]
