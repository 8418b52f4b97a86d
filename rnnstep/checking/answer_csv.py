"""Answers as a table: one number a line, under `step, layer, direction, name, index, value`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from rnnstep.checking.answers import DIRECTIONS, LARGEST, MOST_ANSWERS, Answer, Answers
from rnnstep.checking.numbers import NotNumbers, Numbers, from_text
from rnnstep.language import Text
from rnnstep.scenario.document import Document, Limits

COLUMNS = ("step", "t", "layer", "direction", "batch", "epoch", "name", "index", "value", "decimals")
Key = tuple[str, ...]


def csv_answers(text: str, path: Path, limits: Limits) -> Answers:
    """Read the text of a CSV of answers; lines of one value are one answer.

    Raises:
        ScenarioError: what is wrong with it, line by line.
    """
    document = Document(str(path), path.parent, text, {}, limits)
    reader = csv.DictReader(io.StringIO(text))
    known = [name.strip() for name in reader.fieldnames or ()]
    reader.fieldnames = known
    for name in ("name", "value"):
        if name not in known:
            message = Text("the first line names the columns: `{name}` is missing", name=name)
            document.problem((), message, position=(1, 1))
    for name in known:
        if name not in COLUMNS:
            message = Text(
                "there is no column `{name}`; known are {known}", name=name, known=", ".join(COLUMNS)
            )
            document.problem((), message, position=(1, 1))
    document.finish()
    gathered: dict[Key, list[tuple[int, Mapping[str, str]]]] = {}
    for row in reader:
        cells = {key: (value or "").strip() for key, value in row.items() if isinstance(key, str)}
        if not any(cells.values()):
            continue
        if len(gathered) > MOST_ANSWERS:
            document.problem((), Text("too many answers"), position=(reader.line_num, 1))
            break
        key = tuple(cells.get(name, "") for name in COLUMNS if name not in ("index", "value"))
        gathered.setdefault(key, []).append((reader.line_num, cells))
    answers = [one for rows in gathered.values() for one in _answer(document, rows)]
    document.finish()
    return Answers(tuple(answers), document)


def _answer(document: Document, rows: list[tuple[int, Mapping[str, str]]]) -> Iterator[Answer]:
    line, first = rows[0]
    whole = {
        name: _whole(document, line, name, first.get(name, ""))
        for name in ("step", "t", "layer", "batch", "epoch", "decimals")
    }
    direction = first.get("direction", "") or "forward"
    if direction not in DIRECTIONS:
        message = Text("`direction`: found {found}, expected forward or backward", found=direction)
        document.problem((), message, position=(line, 1))
        return
    step, t = whole["step"], whole["t"]
    if step is not None and step < 1:
        document.problem((), Text("steps count from 1"), position=(line, 1))
        return
    for index, numbers, at in _entries(document, rows):
        yield Answer(
            first["name"],
            numbers,
            t if step is None else step - 1,
            whole["layer"],
            direction,
            whole["batch"] or 0,
            whole["epoch"],
            index,
            whole["decimals"],
            line=at,
        )


def _entries(
    document: Document, rows: list[tuple[int, Mapping[str, str]]]
) -> Iterator[tuple[tuple[tuple[int, ...], ...] | None, Numbers, int]]:
    """The entries with an index together, the others each as an answer of its own."""
    places: list[tuple[int, ...]] = []
    found: list[Numbers] = []
    for line, cells in rows:
        try:
            numbers = from_text(cells.get("value", ""))
            index = tuple(int(part) for part in cells.get("index", "").replace(",", " ").split())
        except (NotNumbers, ValueError):
            wrong = cells.get("value", "")
            message = Text("`value`: found {found}, expected numbers, ? for what is left blank", found=wrong)
            document.problem((), message, position=(line, 1))
            continue
        if index and numbers.value.size == 1:
            places.append(index)
            found.append(numbers)
        else:
            yield None, numbers, line
    if places:
        value = np.concatenate([one.value.reshape(-1) for one in found])
        decimals = np.concatenate([one.decimals.reshape(-1) for one in found])
        yield tuple(places), Numbers(value, decimals), rows[0][0]


def _whole(document: Document, line: int, name: str, text: str) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdigit() and int(text) <= LARGEST:
        return int(text)
    message = Text("`{name}`: found {found}, expected a whole number", name=name, found=text[:40])
    document.problem((), message, position=(line, 1))
    return None
