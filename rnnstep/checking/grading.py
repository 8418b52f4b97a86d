"""A class's answers: every file of a folder marked, several at a time, each a row; a broken file is a row with its error."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rnnstep.checking.marked import Marked
from rnnstep.checking.reading import read_answers
from rnnstep.engine.learning import Learning
from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.reference.messages import pickled
from rnnstep.scenario.document import Limits
from rnnstep.scenario.model import Scenario

ENDINGS = (".toml", ".csv")
FEWEST_FOR_HELP = 24  # files from which several processes are faster than one
AT_ONCE = 8  # files that a process takes at a time


@dataclass(frozen=True, slots=True)
class Row:
    """One file.

    Attributes:
        name: of the file.
        right, count: how many answers are right, and how many there are.
        first_wrong: what the first wrong answer is of, in the order of the calculation; "" where none is.
        step: its step, from 1; None of the whole run.
        mistakes: the ids that explain it, the likeliest first; of two at once joined by "+".
        error: why the file was not marked; None where it was.
    """

    name: str
    right: int = 0
    count: int = 0
    first_wrong: str = ""
    step: int | None = None
    mistakes: tuple[str, ...] = ()
    error: Text | None = None


def files_of(folder: Path, limits: Limits) -> tuple[Path, ...]:
    """Give the files of answers in a folder, by name.

    Raises:
        UsageError: there is no such folder, or none in it.
    """
    try:
        found = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
        )
    except OSError as error:
        reason = printable(error.strerror or str(error))
        raise UsageError(
            Text("cannot read {path}: {reason}", path=printable(str(folder)), reason=reason)
        ) from None
    if not limits.allow_outside:
        whole = folder.resolve()
        found = [path for path in found if path.resolve().is_relative_to(whole)]
    if not found:
        raise UsageError(
            Text("there are no files of answers (.toml, .csv) in {path}", path=printable(str(folder)))
        )
    return tuple(found)


def grade(scenario: Scenario, files: Sequence[Path], limits: Limits) -> Iterator[Row]:
    """Mark the files, and give their rows in order as they are done."""
    processes = min(os.cpu_count() or 1, len(files) // AT_ONCE)
    if len(files) < FEWEST_FOR_HELP or processes < 2:
        grader = Grader(scenario, limits)
        yield from map(grader.row, files)
        return
    context = multiprocessing.get_context("spawn")  # a fork would take a half-held lock of numpy's along
    with ProcessPoolExecutor(processes, context, _begin, (pickled(scenario), limits)) as pool:
        yield from pool.map(_row, files, chunksize=AT_ONCE)


class Grader:
    """Marks one file after the other; what a scenario comes to is computed once."""

    def __init__(self, scenario: Scenario, limits: Limits) -> None:
        self._learning = Learning(scenario)
        self._limits = limits

    def row(self, path: Path) -> Row:
        """Mark one file."""
        name = printable(path.name)
        try:
            marked = Marked.of(self._learning, read_answers(path, self._limits))
        except RnnstepError as error:
            return Row(name, error=error.message)
        right, count = marked.score
        number = marked.first_wrong
        if number is None:
            return Row(name, right, count)
        mark = marked.marks[number]
        mistakes = dict.fromkeys("+".join(one.ids) for one in marked.remarks(number, is_quick=True).mistakes)
        step = None if mark.target.t is None else mark.target.t + 1
        return Row(name, right, count, mark.label, step, tuple(mistakes))


_grader: Grader | None = None  # of a process that helps


def _begin(scenario: bytes, limits: Limits) -> None:
    global _grader  # noqa: PLW0603 - a process of the pool keeps it from one file to the next
    _grader = Grader(pickle.loads(scenario), limits)  # noqa: S301 - from our own process


def _row(path: Path) -> Row:
    assert _grader is not None
    return _grader.row(path)


def most_common(rows: Iterable[Row]) -> list[tuple[str, int]]:
    """The mistakes of a class with how many files made them first, the most common first."""
    counts = Counter(row.mistakes[0] for row in rows if row.mistakes)
    return counts.most_common()
