"""`rnnstep grade SCENARIO FOLDER`: marks a class's answers, a row a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnstep.cli.commands import Argument, Command, Given
from rnnstep.cli.options import (
    format_option,
    language_option,
    limits,
    output_options,
    read_complete,
    reading_options,
    scenario_argument,
)
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.checking.grading import Row

FORMATS = ("text", "csv")
COLUMNS = ("file", "right", "answers", "first_wrong", "step", "mistakes", "error")
WIDEST = 28  # cells of a file's name
MOST_COMMON = 8


def run(given: Given, speech: str) -> int:
    """Mark every file and write the rows; what is wrong with a file is told in its row."""
    from rnnstep.checking.grading import files_of, grade
    from rnnstep.cli.output import check_output, write_text
    from rnnstep.cli.progress import Bar
    from rnnstep.language import environment_language
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    scenario = read_complete(find(given.scenario), given)
    files = files_of(Path(given.folder), limits(given))
    language = scenario.display.language or environment_language()
    bar = Bar(len(files), scenario.name)

    def rows() -> Iterator[Row]:
        for done, row in enumerate(grade(scenario, files, limits(given)), start=1):
            bar.draw(done)
            yield row
        bar.clear()

    pieces = _csv(rows(), language) if given.format == "csv" else _text(rows(), language)
    # The bar and the rows share a terminal: the rows are written when all is done.
    write_text(list(pieces), given.output, force=given.force)
    return 0


def _csv(rows: Iterator[Row], language: str) -> Iterator[str]:
    yield _line(COLUMNS)
    for row in rows:
        error = "" if row.error is None else row.error.into(language)
        step = "" if row.step is None else row.step
        score = ("", "") if row.error is not None else (row.right, row.count)
        yield _line((row.name, *score, row.first_wrong, step, " ".join(row.mistakes), error))


def _line(cells: tuple[Any, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _text(rows: Iterator[Row], language: str) -> Iterator[str]:
    from rnnstep.checking import MISTAKES
    from rnnstep.checking.grading import most_common
    from rnnstep.views.compose import cut
    from rnnstep.views.rows import width

    def named(ids: str) -> str:
        return " + ".join(MISTAKES[id_].name.into(language) for id_ in ids.split("+"))

    every = list(rows)
    size = min(WIDEST, max(width(row.name) for row in every))
    for row in every:
        name = cut(row.name, size)
        name += " " * (size - width(name))
        if row.error is not None:
            yield f"{name}  –      {row.error.into(language)}\n"
            continue
        score = f"{row.right}/{row.count}"
        told = ", ".join(f"{named(ids)} ({ids})" for ids in row.mistakes)
        yield f"{name}  {score:<5}  {row.first_wrong}{'  ' if told else ''}{told}".rstrip() + "\n"
    yield "\n"
    marked = [row for row in every if row.error is None]
    right = sum(row.right for row in marked)
    count = sum(row.count for row in marked)
    share = Text(
        "{marked} of {files} files marked: {right} of {count} answers right",
        marked=len(marked),
        files=len(every),
        right=right,
        count=count,
    )
    yield share.into(language) + "\n"
    common = most_common(marked)
    if common:
        yield Text("the first mistakes, the most common first:").into(language) + "\n"
        for ids, times in common[:MOST_COMMON]:
            yield f"  {times} × {named(ids)} ({ids})\n"


COMMAND = Command(
    "grade",
    run,
    [
        scenario_argument(),
        Argument("FOLDER"),
        format_option(FORMATS),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep grade [OPTIONS] SCENARIO FOLDER",
    about=Text(
        "Mark a class's files of answers: a row a file.\n"
        "Each says the score, the first wrong answer and the mistake; the class's most common mistakes stand at"
        " the end. A file that cannot be read is a row with its error."
    ),
)
