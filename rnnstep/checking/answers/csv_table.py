"""Answers as a table: one number a line, under `step, layer, direction, name, index, value`.

Cells are apart by commas; or by semicolons, as spreadsheets write them where a comma stands in decimal numbers: there
`0,54` is read as 0.54.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnstep.checking.answers.answer import (
    DIRECTIONS,
    LARGEST,
    MOST_ANSWERS,
    MOST_DECIMALS,
    Answer,
    Answers,
    Index,
)
from rnnstep.checking.answers.numbers import BLANK, NotNumbers, Numbers, from_text, whole_number
from rnnstep.language import Text
from rnnstep.scenario.file.document import Document, Limits

# What a column of whole numbers may hold, from least to most.
_WHOLE: Mapping[str, tuple[int, int]] = {
    "step": (1, LARGEST),
    "t": (0, LARGEST),
    "layer": (0, LARGEST),
    "batch": (0, LARGEST),
    "epoch": (1, LARGEST),
    "decimals": (0, MOST_DECIMALS),
}
COLUMNS = (
    "step",
    "t",
    "sequence",
    "block",
    "layer",
    "direction",
    "batch",
    "epoch",
    "name",
    "index",
    "value",
    "decimals",
)
MOST_AXES = 2
SEMICOLON = ";"
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)")
_SAYS_DELIMITER = re.compile(r"sep=([,;])\r?\n", re.IGNORECASE)  # a line of spreadsheets before the header


class _Line(NamedTuple):
    """A line of the table: its number, and what stands in each column."""

    number: int
    cells: Mapping[str, str]


def csv_answers(text: str, path: Path, limits: Limits) -> Answers:
    """Read the text of a CSV of answers; lines of one value are one answer.

    Raises:
        ScenarioError: what is wrong with it, line by line.
    """
    document = Document(str(path), path.parent, text, {}, limits)
    gathered: dict[tuple[str, ...], list[_Line]] = {}
    for count, line in enumerate(_lines(document)):
        if count >= MOST_ANSWERS:
            document.problem((), Text("too many answers"), position=(line.number, 1))
            break
        key = tuple(line.cells.get(name, "") for name in COLUMNS if name not in ("index", "value"))
        gathered.setdefault(key, []).append(line)
    answers = [one for lines in gathered.values() for one in _answers(document, lines)]
    document.finish()
    return Answers(tuple(answers), document)


def _lines(document: Document) -> Iterator[_Line]:
    """The lines in which something stands, once the first one names the right columns."""
    said = _SAYS_DELIMITER.match(document.text)
    text = document.text[said.end() :] if said else document.text
    header = text.lstrip("\r\n").partition("\n")[0]
    delimiter = said[1] if said else SEMICOLON if header.count(SEMICOLON) > header.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    before = 1 if said else 0  # lines
    names: list[str] | None = None
    try:
        number = before + 1
        for row in reader:
            cells = [cell.strip() for cell in row]
            if names is None:
                names = _columns(document, cells, number) if any(cells) else None
            elif any(cells):
                line = _line(document, names, cells, number, delimiter)
                if line is not None:
                    yield line
            number = before + reader.line_num + 1
    except csv.Error:
        message = Text("this line is no CSV: commas between short cells are expected")
        document.problem((), message, position=(before + max(1, reader.line_num), 1))
    if names is None:
        _columns(document, [], 1)
    document.finish()


def _line(
    document: Document, names: list[str], cells: list[str], number: int, delimiter: str
) -> _Line | None:
    """One line under its columns; None where it has more cells than these, which is told."""
    extra = [cell for name, cell in zip([*names, *[""] * len(cells)], cells, strict=False) if not name]
    if any(extra):
        known = sum(map(bool, names))
        message = Text(
            "{found} cells under {known} columns: decimals are written with a point, 0.54, and a cell that holds"
            " commas stands in quotes",
            found=known + sum(map(bool, extra)),
            known=known,
        )
        document.problem((), message, position=(number, 1))
        return None
    found = {name: cell for name, cell in zip(names, cells, strict=False) if name}
    if delimiter == SEMICOLON and "value" in found:
        found["value"] = _DECIMAL_COMMA.sub(".", found["value"])
    return _Line(number, found)


def _columns(document: Document, known: list[str], number: int) -> list[str]:
    """The columns' names, "" of one that has none."""
    for name in ("name", "value"):
        if name not in known:
            message = Text("the first line names the columns: `{name}` is missing", name=name)
            document.problem((), message, position=(number, 1))
    for name in dict.fromkeys(filter(None, known)):
        if name not in COLUMNS:
            message = Text(
                "there is no column `{name}`; known are {known}", name=name[:40], known=", ".join(COLUMNS)
            )
            document.problem((), message, position=(number, 1))
        elif known.count(name) > 1:
            message = Text("the column `{name}` stands here twice", name=name)
            document.problem((), message, position=(number, 1))
    document.finish()
    return known


def _answers(document: Document, lines: list[_Line]) -> Iterator[Answer]:
    """What lines say that differ in index and value alone: the entries with an index together, each other one alone."""
    first = lines[0]
    whole = {name: _whole(document, first, name) for name in _WHOLE}
    direction = first.cells.get("direction", "") or "forward"
    if direction not in DIRECTIONS:
        message = Text("`direction`: found {found}, expected forward or backward", found=direction[:40])
        document.problem((), message, position=(first.number, 1))
        return
    step, t = whole["step"], whole["t"]
    if step is not None and t is not None:
        message = Text("`t` counts from 0 and `step` from 1: only one of them is to be given")
        document.problem((), message, position=(first.number, 1))
        return
    for index, numbers, at in _entries(document, lines):
        yield Answer(
            first.cells.get("name", ""),
            numbers,
            t if step is None else step - 1,
            whole["layer"],
            direction,
            whole["batch"] or 0,
            whole["epoch"],
            index,
            whole["decimals"],
            line=at[0],
            lines=at if index is not None else (),
            block=first.cells.get("block") or None,
            sequence=first.cells.get("sequence") or None,
        )


def _entries(
    document: Document, lines: list[_Line]
) -> Iterator[tuple[Index | None, Numbers, tuple[int, ...]]]:
    """Numbers with the entries that they are of, None of all, and the lines where they stand."""
    places: list[tuple[int, ...]] = []
    found: list[Numbers] = []
    at: list[int] = []
    for line in lines:
        index, numbers = _index(document, line), _numbers(document, line)
        if index is None or numbers is None:
            continue
        if not index:
            yield None, numbers, (line.number,)
        elif numbers.value.size == 1:
            places.append(index)
            found.append(numbers)
            at.append(line.number)
        else:
            message = Text(
                "`index` names one entry: found {count} numbers, expected one", count=numbers.value.size
            )
            document.problem((), message, position=(line.number, 1))
    if places:
        value = np.concatenate([one.value.reshape(-1) for one in found])
        decimals = np.concatenate([one.decimals.reshape(-1) for one in found])
        yield tuple(places), Numbers(value, decimals), tuple(at)


def _numbers(document: Document, line: _Line) -> Numbers | None:
    """The cell of numbers; an empty one of an entry is a blank. None if something else stands there, which is told."""
    text = line.cells.get("value", "")
    try:
        return from_text(text or (BLANK if line.cells.get("index") else ""))
    except NotNumbers:
        message = Text("`value`: found {found}, expected numbers, ? for what is left blank", found=text[:40])
        document.problem((), message, position=(line.number, 1))
        return None


def _index(document: Document, line: _Line) -> tuple[int, ...] | None:
    """`2`, or `0 1` of a matrix; () where none is given, None where it is wrong, which is told."""
    text = line.cells.get("index", "")
    parts = [whole_number(part, 0, LARGEST) for part in text.replace(",", " ").split()]
    found = tuple(part for part in parts if part is not None)
    if len(found) < len(parts) or len(parts) > MOST_AXES:
        message = Text(
            "`index`: found {found}, expected a whole number from 0, two of them for a matrix",
            found=text[:40],
        )
        document.problem((), message, position=(line.number, 1))
        return None
    return found


def _whole(document: Document, line: _Line, name: str) -> int | None:
    """A cell of a whole number; None where it is empty, or wrong, which is told."""
    text = line.cells.get(name, "")
    if not text:
        return None
    least, most = _WHOLE[name]
    found = whole_number(text, least, most)
    if found is None:
        message = Text(
            "`{name}`: found {found}, expected a whole number from {least} to {most}",
            name=name,
            found=text[:40],
            least=least,
            most=most,
        )
        document.problem((), message, position=(line.number, 1))
    return found
