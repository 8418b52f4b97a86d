"""Answers as they are written: in a file of answers, a CSV, on a command line, or pasted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np

from rnnstep.checking.numbers import NotNumbers, Numbers, from_data, from_text
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.document import Document, Limits
from rnnstep.scenario.source import parse_document, source_text
from rnnstep.scenario.table import Table

KEYS = ("step", "t", "layer", "direction", "batch", "epoch", "name", "index", "value", "decimals")
DIRECTIONS = ("forward", "backward")
MOST_ANSWERS = 100_000
MOST_INDICES = 100_000
LARGEST = 10**9  # of a step, a layer, a row, an epoch


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
    """

    name: str
    numbers: Numbers
    t: int | None = None
    layer: int | None = None
    direction: str = "forward"
    row: int = 0
    epoch: int | None = None
    index: tuple[tuple[int, ...], ...] | None = None
    decimals: int | None = None
    place: tuple[str | int, ...] = ()
    line: int | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """All answers of one writer.

    Attributes:
        answers: in the order in which they are written.
        document: where they stand, which takes what is wrong with them.
    """

    answers: tuple[Answer, ...]
    document: Document

    @property
    def decimals(self) -> int:
        """How many decimals the writer uses, as far as the numbers tell: the most of any."""
        return max((one.numbers.most_decimals for one in self.answers), default=0)


def read_answers(path: Path, limits: Limits) -> Answers:
    """Read a file of answers: TOML, or CSV by its ending.

    Raises:
        UsageError: it cannot be read.
        ScenarioError: it holds mistakes; all of them, with their places.
    """
    text = source_text(path, limits)
    if path.suffix.lower() == ".csv":
        from rnnstep.checking.answer_csv import csv_answers

        return csv_answers(text, path, limits)
    return toml_answers(text, path, limits)


# ── TOML ─────────────────────────────────────────────────────────────────────────────


def toml_answers(text: str, path: Path, limits: Limits) -> Answers:
    """Read the text of a TOML file of answers, as `read_answers`."""
    document = parse_document(str(path), path.parent, text, limits, parse_float=Decimal)
    root = document.root
    root.known("decimals", "answer", "title", "name")
    decimals = root.integer("decimals", minimum=0, maximum=30)
    given = root.raw("answer")
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        if root.has("answer"):
            root.wrong("answer", Text("tables [[answer]]"))
        else:
            root.missing("answer", Text("tables [[answer]]"))
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
    direction = table.choice("direction", DIRECTIONS, "forward")
    row = table.integer("batch", 0, minimum=0, maximum=LARGEST)
    epoch = table.integer("epoch", minimum=1, maximum=LARGEST)
    own = table.integer("decimals", decimals, minimum=0, maximum=30)
    index = _index(table)
    if name is None or numbers is None or direction is None or row is None:
        return None
    return Answer(
        name,
        numbers,
        t if step is None else step - 1,
        layer,
        direction,
        row,
        epoch,
        index,
        own,
        table.place,
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


def _index(table: Table) -> tuple[tuple[int, ...], ...] | None:
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
    if not found or len({len(one) for one in found}) > 1 or len(found) > MOST_INDICES:
        table.wrong("index", Text("whole numbers from 0, pairs of them for a matrix"))
        return None
    return tuple(found)


# ── on the spot ──────────────────────────────────────────────────────────────────────

_INLINE = re.compile(
    r"\s*(?:(?P<step>\d+)/(?:L(?P<layer>\d+)(?P<back>←|<-)?/)?)?(?P<name>[A-Za-z∂][\w.∂]*?)(?P<at>\[[\d,\s]+\])?"
    r"\s*[=＝:：]\s*(?P<numbers>[^=＝]*)"
)
_STEP = re.compile(r"(?P<name>.+)_(?P<step>\d+)")


def inline_answers(texts: list[str] | tuple[str, ...], limits: Limits) -> Answers:
    """Read answers such as `h_1 = 0.54 ? 0.00 0.84`, one a text or a line; `3/L0/hh[1] = 0.18` names a place.

    Raises:
        UsageError: one of them cannot be read.
    """
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    answers = [_inline(line, number) for number, line in enumerate(lines)]
    if not answers:
        raise UsageError(Text("there are no answers"))
    return Answers(tuple(answers), Document("answers", Path(), "\n".join(lines), {}, limits))


def _inline(line: str, number: int) -> Answer:
    found = _INLINE.fullmatch(line)
    if found is None:
        raise UsageError(
            Text(
                "`{line}`: expected NAME = NUMBERS, such as h_1 = 0.54 ? 0.00 0.84", line=printable(line[:80])
            )
        )
    try:
        numbers = from_text(found["numbers"])
    except NotNumbers as error:
        raise UsageError(
            Text(
                "`{line}`: `{found}` is no number",
                line=printable(line[:80]),
                found=printable(error.found[:40]),
            )
        ) from None
    name, step = found["name"], found["step"]
    with_step = _STEP.fullmatch(name)
    if step is None and with_step is not None:
        name, step = with_step["name"], with_step["step"]
    index = None
    if found["at"] is not None:
        index = (tuple(int(part) for part in re.findall(r"\d+", found["at"])),)
    if step is not None and not 1 <= int(step) <= LARGEST:
        raise UsageError(Text("`{line}`: steps count from 1", line=printable(line[:80])))
    return Answer(
        name,
        numbers,
        None if step is None else int(step) - 1,
        None if found["layer"] is None else int(found["layer"]),
        "backward" if found["back"] else "forward",
        index=index,
        line=number + 1,
    )


def put_in(
    numbers: Numbers, index: tuple[tuple[int, ...], ...] | None, shape: tuple[int, ...]
) -> Numbers | None:
    """Lay an answer's numbers out in a value's shape, blanks around single entries; None where they do not fit."""
    if index is None:
        flat = numbers.value.size == int(np.prod(shape))
        fits = numbers.value.shape == shape or (flat and _same_but_for_ones(numbers.value.shape, shape))
        return numbers.reshaped(shape) if fits else None
    size = len(shape)
    whole = Numbers(np.full(shape, np.nan), np.zeros(shape, np.int64))
    if numbers.value.size != len(index) or any(len(one) != size for one in index):
        return None
    for one, value, decimals in zip(index, numbers.value.flat, numbers.decimals.flat, strict=True):
        if any(part >= most for part, most in zip(one, shape, strict=True)):
            return None
        whole.value[one], whole.decimals[one] = value, decimals
    return whole


def _same_but_for_ones(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return [size for size in one if size != 1] == [size for size in other if size != 1]
