"""`rnnstep grade SCENARIO FOLDER`: marks a class's answers, a row a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnstep.cli.checking import marking_options
from rnnstep.cli.commands import Argument, GivenOptions, Subcommand
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
    from rnnstep.checking.grading import GradedRow
    from rnnstep.cli.page import TextPage

FORMATS = ("text", "csv")
COLUMNS = ("file", "right", "answers", "first_wrong", "step", "mistakes", "proven", "error")
USUAL = 28  # cells of a file's name; more where names would look alike
LEAST = 12  # cells of what is said of a file
MOST_COMMON = 8
GAP = "  "
# What a spreadsheet takes for the beginning of a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def run(given: GivenOptions, speech: str) -> int:
    """Mark every file and write the rows; what is wrong with a file is told in its row."""
    from rnnstep.checking.grading import submissions
    from rnnstep.cli.output import check_output, write_text
    from rnnstep.cli.page import page_of
    from rnnstep.cli.speech import say
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    path = find(given.scenario)
    scenario = read_complete(path, given)
    others = [path] if given.output is None else [path, Path(given.output)]
    handed_in = submissions(Path(given.folder), limits(given), others)
    page = page_of(scenario, given)
    rows = _with_bar(given, scenario, handed_in.rows)
    if given.format == "csv":
        pieces = [_line(COLUMNS), *(_csv(row, page.language) for row in rows)]
    else:
        is_terminal = given.output is None and sys.stdout.isatty()
        pieces = [line + "\n" for line in _table(list(rows), page, page.width if is_terminal else None)]
    # The bar and the rows share a terminal: the rows are written when all is done.
    write_text(pieces, given.output, force=given.force)
    if handed_in.left_out:
        count = handed_in.left_out
        say(Text("files of other kinds that stand beside answers, left out: {count}", count=count), speech)
    return 0


def _with_bar(given: GivenOptions, scenario: Any, handed_in: Sequence[Any]) -> Iterator[GradedRow]:
    from rnnstep.checking.grading import grade
    from rnnstep.cli.progress import Bar

    bar = Bar(len(handed_in), scenario.name)
    try:
        for done, row in enumerate(grade(scenario, handed_in, limits(given), given.decimals), start=1):
            bar.draw(done)
            yield row
    finally:
        bar.clear()


def _csv(row: GradedRow, language: str) -> str:
    error = "" if row.error is None else row.error.into(language)
    step = "" if row.step is None else row.step
    score = ("", "") if row.error is not None else (row.right, row.count)
    proven = ("yes" if row.is_proven else "no") if row.mistakes else ""
    return _line((row.name, *score, row.first_wrong, step, " ".join(row.mistakes), proven, error))


def _line(cells: Sequence[str | int]) -> str:
    """One line; what a spreadsheet would take for a formula begins with `'`, which it shows as text."""
    from rnnstep.reports.formats import csv_line

    return csv_line(
        [f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in cells]
    )


# ── the table ────────────────────────────────────────────────────────────────────────


def _table(rows: Sequence[GradedRow], page: TextPage, width: int | None) -> Iterator[str]:
    """The rows in columns, no wider than a terminal of `width`; the class's score; its most common mistakes."""
    from rnnstep.views.compose import clip
    from rnnstep.views.rows import Span
    from rnnstep.views.rows import width as cells

    def padded(column: Sequence[str]) -> list[str]:
        most = max(map(cells, column))
        return [text + " " * (most - cells(text)) for text in column]

    names = padded(_apart([row.name for row in rows], page.alphabet.ellipsis))
    scores = padded(["-" if row.error is not None else f"{row.right}/{row.count}" for row in rows])
    firsts = padded([page.alphabet.spell(row.first_wrong) for row in rows])
    least = cells(names[0]) + cells(scores[0]) + cells(firsts[0]) + 3 * len(GAP) + LEAST
    for row, name, score, first in zip(rows, names, scores, firsts, strict=True):
        if row.error is None:
            line = GAP.join([name, score, first, _told(row, page)])
        else:
            line = GAP.join([name, score, page.say(row.error)])
        if width is not None:
            line = "".join(span.text for span in clip((Span(line),), max(width, least), page.alphabet))
        yield line.rstrip()
    yield ""
    yield from _summary(rows, page)


def _apart(names: Sequence[str], ellipsis: str) -> list[str]:
    """Names cut somewhere in their middle where they are long: elsewhere, or less, where two would look alike."""
    from rnnstep.views.rows import width as cells

    for room in range(USUAL, max(map(cells, names))):
        for end in (room // 3, room // 2, 2 * room // 3):
            found: dict[str, str] = {}
            for name in names:
                if found.setdefault(_cut(name, room, end, ellipsis), name) != name:
                    break
            else:
                return [_cut(name, room, end, ellipsis) for name in names]
    return list(names)


def _cut(name: str, room: int, end: int, ellipsis: str) -> str:
    """A name in `room` cells, `end` of them of its end."""
    from rnnstep.views.compose import cut
    from rnnstep.views.rows import width as cells

    if cells(name) <= room:
        return name
    last = ""
    while cells(name[-len(last) - 1 :]) <= end:
        last = name[-len(last) - 1 :]
    return cut(name, room - cells(last) - cells(ellipsis)) + ellipsis + last


def _summary(rows: Sequence[GradedRow], page: TextPage) -> Iterator[str]:
    from rnnstep.checking.grading import most_common

    marked = [row for row in rows if row.error is None]
    yield page.say(
        Text(
            "{marked} of {files} files marked: {right} of {count} answers right",
            marked=len(marked),
            files=len(rows),
            right=sum(row.right for row in marked),
            count=sum(row.count for row in marked),
        )
    )
    common = most_common(marked)
    if common:
        yield page.say(Text("the first mistakes, the most common first:"))
        for ids, times in common[:MOST_COMMON]:
            yield page.alphabet.spell(f"  {times} × {_named(ids, page)}")


def _told(row: GradedRow, page: TextPage) -> str:
    """The mistakes of a row; of numbers that prove none, what they may come of."""
    names = page.say(Text(", ")).join(_named(ids, page) for ids in row.mistakes)
    return page.say(Text("perhaps {names}", names=names)) if names and not row.is_proven else names


def _named(ids: str, page: TextPage) -> str:
    from rnnstep.checking import MISTAKES

    names = " + ".join(page.say(MISTAKES[id_].name) for id_ in ids.split("+"))
    return page.say(Text("{names} ({ids})", names=names, ids=ids))


COMMAND = Subcommand(
    "grade",
    run,
    [
        scenario_argument(),
        Argument("FOLDER"),
        format_option(FORMATS),
        *marking_options(),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep grade [OPTIONS] SCENARIO FOLDER",
    about=Text(
        "Mark a class's files of answers: a row a file.\n"
        "Files (.toml, .csv, .txt) stand in FOLDER or in folders in it. Each row says the score, the first wrong"
        " answer and the mistake; the class's most common mistakes stand at the end. A file that cannot be read is a"
        " row with its error."
    ),
)
