"""`rnnstep check SCENARIO ANSWERS`: marks a manual calculation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rnnstep.cli.commands import DISAGREES, Argument, Command, Given, Option
from rnnstep.cli.options import (
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

if TYPE_CHECKING:
    from rnnstep.checking import Answers

FORMATS = ("text", "json")
STANDARD_INPUT = "-"


def run(given: Given, speech: str) -> int:
    """Mark and write; the exit status says whether an answer is wrong."""
    from rnnstep.checking import Marked
    from rnnstep.cli.output import check_output, write_text
    from rnnstep.cli.page import page_of
    from rnnstep.engine.learning import Learning
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    scenario = read_complete(find(given.scenario), given)
    marked = Marked.of(Learning(scenario), _answers(given))
    page = page_of(scenario, given)
    if given.format == "json":
        from rnnstep.export.marks import json_pieces

        pieces = json_pieces(marked, page.language)
    else:
        from rnnstep.cli.checking_text import marked_pieces

        pieces = marked_pieces(marked, page, with_hints=given.hints)
    write_text(pieces, given.output, force=given.force)
    return DISAGREES if any(mark.status == "wrong" for mark in marked.marks) else 0


def _answers(given: Given) -> Answers:
    """Read a file of answers, or what stands on the command line or in standard input."""
    from rnnstep.checking import answers_of, inline_answers
    from rnnstep.scenario.source import LARGEST_FILE

    texts = list(given.answers)
    if texts == [STANDARD_INPUT]:
        return inline_answers([sys.stdin.read(LARGEST_FILE)], limits(given))
    return answers_of(texts, limits(given))


COMMAND = Command(
    "check",
    run,
    [
        scenario_argument(),
        Argument("ANSWERS", nargs=-1, required=True),
        Option("--hints", is_flag=True, about=Text("say a hint in the place of the right numbers")),
        format_option(FORMATS),
        *showing_options(),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep check [OPTIONS] SCENARIO ANSWERS",
    about=Text(
        "Mark a manual calculation: what is right, and where it went wrong.\n"
        "ANSWERS is a file, or stands here: 'h_1 = 0.54 ? 0.00 0.84' (? is left blank); - reads them from standard"
        " input. The exit status is 1 where an answer is wrong."
    ),
)
