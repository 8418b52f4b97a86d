"""`rnnstep worksheet SCENARIO`: a sheet to work out by hand, blank or solved."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.cli.commands import Command, Given, Option
from rnnstep.cli.options import (
    OneOf,
    WholeNumber,
    completed,
    language_option,
    limits,
    output_options,
    read_complete,
    reading_options,
    scenario_argument,
)
from rnnstep.cli.speech import say
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario

FORMATS = ("md", "tex", "toml")
SEEDS = (0, 2**32 - 1)
MOST_STEPS = 10**6
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def run(given: Given, speech: str) -> int:
    """Choose, round, write; with --save the scenario that `check` and `grade` need for it."""
    from rnnstep.checking.worksheet import worksheet
    from rnnstep.cli.output import FORCE, check_output, write_text
    from rnnstep.export.worksheet import FORMS
    from rnnstep.language import environment_language
    from rnnstep.scenario.bundled import find
    from rnnstep.scenario.rounded import save_numbers

    for file in (given.output, given.save):
        check_output(file, force=given.force)
    scenario = read_complete(find(given.scenario), given)
    decimals = given.decimals if given.decimals is not None else 2
    if given.friendly:
        scenario = _friendly(scenario, decimals, given.seed or 0, speech)
    elif given.seed is not None:
        scenario = _drawn(scenario, given)
    names = [name.strip() for name in (given.values or "").split(",") if name.strip()]
    sheet = worksheet(scenario, _steps(given.steps), names, decimals)
    language = scenario.display.language or environment_language()
    write_text(FORMS[given.format](sheet, language, with_key=given.key), given.output, force=given.force)
    if given.save is not None:
        save_numbers(sheet.scenario, Path(given.save), replace=given.force, advice=FORCE)
        say(Text("this sheet's scenario stands in {file}", file=printable(given.save)), speech)
    return 0


def _drawn(scenario: Scenario, given: Given) -> Scenario:
    from rnnstep.scenario.overrides import Overrides, overridden

    return completed(overridden(scenario, Overrides(seed=given.seed), limits(given), dtype=given.dtype))


def _friendly(scenario: Scenario, decimals: int, seed: int, speech: str) -> Scenario:
    from rnnstep.checking.friendly import friendly

    found = friendly(scenario, decimals, seed)
    if found.hidden:
        say(Text("these mistakes would not show: {ids}", ids=", ".join(found.hidden)), speech)
    return found.scenario


def _steps(text: str | None) -> list[int]:
    """`1-3,5` as steps from 0; none for all."""
    found: list[int] = []
    for part in (text or "").split(","):
        if not part.strip():
            continue
        match = _RANGE.fullmatch(part.strip())
        first, last = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
        if not 1 <= first <= last <= MOST_STEPS:
            raise UsageError(
                Text("--steps: `{text}`: expected steps from 1, such as 1-3,5", text=part.strip()[:40])
            )
        found += range(first - 1, last)
    return list(dict.fromkeys(found))


COMMAND = Command(
    "worksheet",
    run,
    [
        scenario_argument(),
        Option("--steps", metavar="STEPS", about=Text("which steps, such as 1-3,5; all by default")),
        Option("--values", metavar="NAMES", about=Text("which values, such as a,h; all by default")),
        Option("--decimals", type=WholeNumber(0, 12), about=Text("of weights and results; 2 by default")),
        Option("--key", is_flag=True, about=Text("the solved sheet: every operation with numbers put in")),
        Option("--seed", type=WholeNumber(*SEEDS), about=Text("other weights: one sheet for each student")),
        Option(
            "--friendly",
            is_flag=True,
            about=Text("search weights of one decimal that are pleasant to work with and show every mistake"),
        ),
        Option("--save", metavar="FILE", about=Text("write the scenario of this sheet, for check and grade")),
        Option(
            "--format", type=OneOf(FORMATS), default="md", about=Text("Markdown, LaTeX or an answers file")
        ),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep worksheet [OPTIONS] SCENARIO",
    about=Text(
        "Write a sheet to work out by hand, blank or with --key solved.\n"
        "The weights are rounded to the decimals that are printed, and used so. --save writes the scenario"
        " that marks it."
    ),
)
