"""`rnnstep check SCENARIO ANSWERS`: marks a manual calculation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rnnstep.cli.commands import DISAGREES, Argument, GivenOptions, Option, Subcommand
from rnnstep.cli.options import (
    WholeNumber,
    format_option,
    language_option,
    limits,
    output_options,
    read_complete,
    reading_options,
    scenario_argument,
    showing_options,
)
from rnnstep.language import Text
from rnnstep.scenario.keys import MOST_DECIMALS

if TYPE_CHECKING:
    from rnnstep.checking import Answers

FORMATS = ("text", "json")
STANDARD_INPUT = "-"
NAME_OF_STANDARD_INPUT = "<stdin>"  # in messages


def run(given: GivenOptions, speech: str) -> int:
    """Mark and write; the exit status says whether an answer is wrong."""
    from rnnstep.checking import Marks
    from rnnstep.cli.output import check_output, write_text
    from rnnstep.cli.page import folded, page_of
    from rnnstep.engine.learning import Learning
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    scenario = read_complete(find(given.scenario), given)
    marked = Marks.of(Learning(scenario), _answers(given).rounded_to(given.decimals))
    page = page_of(scenario, given)
    if given.format == "json":
        from rnnstep.reports.marks import marks_json

        pieces = marks_json(marked, page.language)
    else:
        from rnnstep.cli.checking_text import marked_pieces

        pieces = folded(marked_pieces(marked, page, with_hints=given.hints), page)
    write_text(pieces, given.output, force=given.force)
    return DISAGREES if any(mark.status == "wrong" for mark in marked.marks) else 0


def _answers(given: GivenOptions) -> Answers:
    """Read a file of answers, or what stands on the command line or in standard input."""
    from rnnstep.checking import answers_of
    from rnnstep.checking.answers.reading import given_answers
    from rnnstep.scenario.file.source import LARGEST_FILE

    texts = list(given.answers)
    if texts != [STANDARD_INPUT]:
        return answers_of(texts, limits(given))
    data = sys.stdin.buffer.read(LARGEST_FILE + 1) if sys.stdin is not None else b""
    return given_answers(data, NAME_OF_STANDARD_INPUT, limits(given))


def marking_options() -> list[Option]:
    """How a writer rounds, and how marks are shown."""
    about = Text("how many decimals the writer rounds to, where the answers do not say")
    return [
        Option("--decimals", type=WholeNumber(0, MOST_DECIMALS), about=about),
        *(option for option in showing_options() if option.name != "decimals"),
    ]


COMMAND = Subcommand(
    "check",
    run,
    [
        scenario_argument(),
        Argument("ANSWERS", nargs=-1, required=True),
        Option("--hints", is_flag=True, about=Text("say a hint in the place of the right numbers")),
        format_option(FORMATS),
        *marking_options(),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep check [OPTIONS] SCENARIO ANSWERS",
    about=Text(
        "Mark a manual calculation: what is right, and where it went wrong.\n"
        "ANSWERS is a file (.toml, .csv, .txt), or stands here: 'h_1 = 0.54 ? 0.00 0.84' (? is left blank); - reads"
        " lines or TOML from standard input. The exit status is 1 where an answer is wrong."
    ),
)
