"""Answers in a TOML file: tables [[answer]]."""

from __future__ import annotations

from pathlib import Path

from rnnstep.checking.answers.answer import (
    DIRECTIONS,
    LARGEST,
    MOST_ANSWERS,
    MOST_DECIMALS,
    Answer,
    Answers,
    Index,
)
from rnnstep.checking.answers.numbers import NotNumbers, Numbers, from_data, toml_float
from rnnstep.language import Text
from rnnstep.scenario.file.document import Limits, Table
from rnnstep.scenario.file.source import parse_document

KEYS = (
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


def toml_answers(text: str, path: Path, limits: Limits) -> Answers:
    """Read the text of a TOML file of answers, as `read_answers`."""
    document = parse_document(str(path), path.parent, text, limits, parse_float=toml_float)
    root = document.root
    root.known("decimals", "answer", "title", "name")
    decimals = root.integer("decimals", minimum=0, maximum=MOST_DECIMALS)
    given = root.raw("answer")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        if root.has("answer"):
            root.wrong("answer", Text("tables [[answer]]"))
        else:
            root.missing("answer", Text("tables [[answer]]"))
        given = []
    if len(given) > MOST_ANSWERS:
        root.problem("answer", Text("too many answers"))
        given = []
    answers = [
        _answer(Table(document, ("answer", number), data), decimals) for number, data in enumerate(given)
    ]
    document.finish()
    return Answers(tuple(one for one in answers if one is not None), document)


def _answer(table: Table, decimals: int | None) -> Answer | None:
    table.known(*KEYS)
    name = table.string("name")
    if name is None and not table.has("name"):
        table.missing("name", Text("the name of a value, such as h"))
    numbers = _numbers(table)
    if table.has("t") and table.has("step"):
        table.problem("t", Text("`t` counts from 0 and `step` from 1: only one of them is to be given"))
    step = table.integer("step", minimum=1, maximum=LARGEST)
    t = table.integer("t", minimum=0, maximum=LARGEST)
    layer = table.integer("layer", minimum=0, maximum=LARGEST)
    block, sequence = table.string("block"), table.string("sequence")
    direction = table.choice("direction", DIRECTIONS, "forward")
    row = table.integer("batch", 0, minimum=0, maximum=LARGEST)
    epoch = table.integer("epoch", minimum=1, maximum=LARGEST)
    own = table.integer("decimals", decimals, minimum=0, maximum=MOST_DECIMALS)
    index = _index(table)
    if name is None or numbers is None or direction is None or row is None:
        return None
    return Answer(
        name.strip(),
        numbers,
        t if step is None else step - 1,
        layer,
        direction,
        row,
        epoch,
        index,
        own,
        table.place,
        block=block,
        sequence=sequence,
    )


def _numbers(table: Table) -> Numbers | None:
    if not table.has("value"):
        table.missing("value", Text("numbers, ? for what is left blank"))
        return None
    try:
        return from_data(table.raw("value"))
    except NotNumbers:
        table.wrong("value", Text("numbers, ? for what is left blank"))
        return None


def _index(table: Table) -> Index | None:
    """`2`, `[0, 2]`, or `[[0, 1], [2, 3]]` of a matrix."""
    given = table.raw("index")
    if given is None:
        return None
    entries = given if isinstance(given, list) else [given]
    found = []
    for one in entries:
        parts = one if isinstance(one, list) else [one]
        if not all(type(part) is int and 0 <= part < LARGEST for part in parts) or len(parts) not in (1, 2):
            table.wrong("index", Text("whole numbers from 0, pairs of them for a matrix"))
            return None
        found.append(tuple(parts))
    if not found or len({len(one) for one in found}) > 1 or len(found) > MOST_ANSWERS:
        table.wrong("index", Text("whole numbers from 0, pairs of them for a matrix"))
        return None
    return tuple(found)
