"""Marks as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.checking.marked_sheet import Marks
from rnnstep.reports.formats import members


def marks_json(marks: Marks, language: str = "en") -> Iterator[str]:
    """Give the text of the whole, one line an answer."""
    found = marks.as_dict(language)
    yield "{"
    yield from members({**found, "answers": iter(found["answers"])})
    yield "}\n"
