"""Marks as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rnnstep.checking.marked_sheet import Marked
from rnnstep.checking.mistakes.words import MISTAKES
from rnnstep.equations.operations import Array
from rnnstep.reports.formats import members


class Marks(Marked):
    """All answers of one writer, marked; `marks`, `score` and `remarks` say it, `as_dict` as JSON does."""

    def as_dict(self) -> dict[str, Any]:
        """Give the marks as a dictionary of plain lists and numbers."""
        return marks_dict(self)


def marks_dict(marked: Marked, language: str = "en") -> dict[str, Any]:
    """Give the marks as a dictionary of plain lists and numbers."""
    answers = [_answer(marked, number, language) for number in range(len(marked.marks))]
    return {"answers": answers, "score": list(marked.score)}


def marks_json(marked: Marked, language: str = "en") -> Iterator[str]:
    """Give the text of the whole, one line an answer."""
    found = marks_dict(marked, language)
    yield "{"
    yield from members({**found, "answers": iter(found["answers"])})
    yield "}\n"


def _answer(marked: Marked, number: int, language: str) -> dict[str, Any]:
    mark = marked.marks[number]
    target, answer = mark.target, mark.answer
    found: dict[str, Any] = {
        "t": target.t,
        "layer": target.layer,
        "direction": target.direction,
        "name": answer.name,
        "given": _given(mark.given),
        "expected": mark.expected.tolist(),
        "status": mark.status,
        "scores": marked.scores(number),
        "mistakes": [],
        "low": mark.low.tolist(),
        "high": mark.high.tolist(),
    }
    if answer.row:
        found["batch"] = answer.row
    if answer.epoch is not None:
        found["epoch"] = answer.epoch
    if mark.status == "unmarkable" and marked.since is not None:
        found["since"] = marked.since.place
        found["why"] = marked.since.why.into(language)
    remarks = marked.remarks(number)
    for one in remarks.mistakes:
        for id_ in one.ids:
            mistake = {
                "id": id_,
                "name": MISTAKES[id_].name.into(language),
                "explains": one.explains,
                "chance": one.chance,
                "explanation": MISTAKES[id_].explanation.into(language),
                "hint": MISTAKES[id_].hint.into(language),
            }
            others = [other for other in one.ids if other != id_]
            found["mistakes"].append(mistake | ({"with": others[0]} if others else {}))
    if remarks.is_too_coarse:
        found["too_coarse"] = True
    if remarks.advice is not None:
        found["next"] = {
            "name": remarks.advice.name,
            "t": remarks.advice.t,
            "layer": remarks.advice.layer,
            "direction": remarks.advice.direction,
        }
    return found


def _given(values: Array) -> Any:
    """Nested lists; null for a blank."""
    if values.ndim:
        return [_given(one) for one in values]
    return None if np.isnan(values) else float(values)
