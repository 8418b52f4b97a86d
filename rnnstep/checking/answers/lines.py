"""Answers as lines, `h_1 = 0.54 ? 0.00 0.84`: on a command line, pasted, or in a file.

`≈` says what `=` says, however a keyboard spells it. Of an element the working may stand between,
`3/L0/hh[1] = 0.35·(−0.45) − 0.19 ≈ −0.35`: its result is the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnstep.checking.answers.answer import LARGEST, MOST_ANSWERS, MOST_DECIMALS, Answer, Answers
from rnnstep.checking.answers.numbers import NotNumbers, from_text, whole_number
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Document, Limits

_IS = re.compile(r"(?:~=|=~|[=＝≈≒≃≅∼~～])(?:\s*[≈≒])?")
_NAMED = re.compile(
    r"\s*(?:e(?P<epoch>\d{1,9}):\s*)?(?:(?:(?P<sequence>[^\W\d_]\w*):)?(?P<step>\d{1,9})/)?"
    r"(?:(?:(?P<block>[^\W\d_]\w*)\.)?L(?P<layer>\d{1,9})(?P<back>←|<-)?(?:/|\s)\s*|(?P<plain>[^\W\d_]\w*(?:\.[^\W\d_]\w*)?)/)?"
    r"(?P<name>[A-Za-z∂][\w.∂]*?)(?P<at>\[[\d,\s]+\])?"
    rf"\s*(?:[:：]|{_IS.pattern})"
)
_SAYS = re.compile(r"[=＝≈≒≃≅∼～]|\w\s*~\s*[\d?−-]")  # a bare ~ begins the path of a home
_WORKING = re.compile(r"(?:[\s\d.,+\-−·*×/()…]|e[-−]?\d|[a-z]+\(|more terms|还有|项)*")
_STEP = re.compile(r"(?P<name>.+)_(?P<step>\d{1,9})")
_DECIMALS = re.compile(r"\s*decimals\s*[=＝:：]\s*(?P<number>\S*)\s*")
NOTHING = Text("there are no answers: expected a file, or NAME = NUMBERS such as h_1 = 0.54 ? 0.00 0.84")


class _Unreadable(Exception):
    """A line that says no answer; `message` says why."""

    def __init__(self, message: Text) -> None:
        super().__init__(message)
        self.message = message


def is_said(text: str) -> bool:
    """Whether a text says that something is something, and is no path."""
    return _SAYS.search(text) is not None


def inline_answers(texts: Sequence[str], limits: Limits) -> Answers:
    """Read answers such as `h_1 = 0.54 ? 0.00 0.84`, one a text or a line.

    `3/L0/hh[1] = 0.18` names a place, as `target:3/attention/scores` does; what marks are told under is read, too: `L1 h_3`,
    `L0← h_3`, `e2: update.bias_hh`.
    A line `decimals = 3` says how the writer rounds; what follows a `#` is not read.

    Raises:
        UsageError: one of them cannot be read.
    """
    document = Document("answers", Path(), "\n".join(texts), {}, limits)
    said = [line for text in texts for _, line in _said(text)]
    answers, problems = _read(list(enumerate(said, start=1)), document)
    for _, message in problems:
        raise UsageError(message)
    return answers


def line_answers(text: str, path: Path, limits: Limits) -> Answers:
    """Read a file of such lines.

    Raises:
        ScenarioError: what is wrong with it, line by line.
    """
    document = Document(str(path), path.parent, text, {}, limits)
    answers, problems = _read(list(_said(text)), document)
    for line, message in problems:
        document.problem((), message, position=(line, 1))
    document.finish()
    return answers


def _said(text: str) -> Iterator[tuple[int, str]]:
    """The lines in which something stands, with their numbers from 1."""
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0]
        if said.strip():
            yield number, said


def _read(lines: Sequence[tuple[int, str]], document: Document) -> tuple[Answers, list[tuple[int, Text]]]:
    """What numbered lines say, and what is wrong with which of them."""
    decimals: int | None = None
    answers: list[Answer] = []
    problems: list[tuple[int, Text]] = []
    if not lines or len(lines) > MOST_ANSWERS:
        problems = [(1, Text("too many answers") if lines else NOTHING)]
        lines = []
    for number, line in lines:
        rounding = _DECIMALS.fullmatch(line)
        try:
            if rounding is None:
                answers.append(_answer(line, number))
            else:
                decimals = _whole(rounding["number"])
        except _Unreadable as error:
            problems.append((number, error.message))
    if not answers and not problems:  # only how it was rounded
        problems = [(1, NOTHING)]
    return Answers(tuple(answers), document).rounded_to(decimals), problems


def _whole(text: str) -> int:
    found = whole_number(text, 0, MOST_DECIMALS)
    if found is None:
        raise _Unreadable(
            Text(
                "`{name}`: found {found}, expected a whole number from {least} to {most}",
                name="decimals",
                found=printable(text[:40]),
                least=0,
                most=MOST_DECIMALS,
            )
        )
    return found


def _answer(line: str, number: int) -> Answer:
    found = _NAMED.match(line)
    shown = printable(line.strip()[:80])
    *working, said = _IS.split(line[found.end() :]) if found else [""]
    is_working = said.strip() and found and found["at"] and all(map(_WORKING.fullmatch, working))
    if found is None or (working and not is_working):
        raise _Unreadable(
            Text("`{line}`: expected NAME = NUMBERS, such as h_1 = 0.54 ? 0.00 0.84", line=shown)
        )
    try:
        numbers = from_text(said)
    except NotNumbers as error:
        what = printable(error.found[:40])
        raise _Unreadable(Text("`{line}`: `{found}` is no number", line=shown, found=what)) from None
    name, step = found["name"], found["step"]
    with_step = _STEP.fullmatch(name)
    if step is None and with_step is not None:
        name, step = with_step["name"], with_step["step"]
    index = None
    if found["at"] is not None:
        index = (tuple(min(int(part[:10]), LARGEST) for part in re.findall(r"\d+", found["at"])),)
    if step is not None and not 1 <= int(step) <= LARGEST:
        raise _Unreadable(Text("`{line}`: steps count from 1", line=shown))
    epoch = found["epoch"]
    if epoch is not None and not int(epoch):
        raise _Unreadable(Text("`{line}`: epochs count from 1", line=shown))
    return Answer(
        name,
        numbers,
        None if step is None else int(step) - 1,
        None if found["layer"] is None else int(found["layer"]),
        "backward" if found["back"] else "forward",
        epoch=None if epoch is None else int(epoch),
        index=index,
        line=number,
        block=found["block"] or found["plain"],
        sequence=found["sequence"],
    )
