"""`rnnstep worksheet SCENARIO`: a sheet to work out by hand, blank or solved."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.cli.commands import GivenOptions, Option, Subcommand
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
MOST_DECIMALS = 12
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def run(given: GivenOptions, speech: str) -> int:
    """Choose, round, write; with --save the scenario that `check` and `grade` need for it."""
    from rnnstep.cli.output import check_output, write_text
    from rnnstep.language import environment_language
    from rnnstep.scenario.bundled import find, name_of
    from rnnstep.scenario.file.save import numbers_text
    from rnnstep.worksheet.worksheet import check_size, worksheet
    from rnnstep.worksheet.written import SheetOrigin, written

    for file in (given.output, given.save):
        check_output(file, force=given.force)
    _check_apart(given.output, given.save)
    path = find(given.scenario)
    steps = _steps(given.steps)
    names = [name.strip() for name in (given.values or "").split(",") if name.strip()]
    scenario = read_complete(path, given)
    check_size(scenario, steps, names)
    decimals = given.decimals if given.decimals is not None else 2
    seed = given.seed
    if given.friendly:
        seed = seed or 0
        scenario = _friendly(scenario, steps, decimals, seed, speech)
    elif seed is not None:
        scenario = _drawn(scenario, given)
    sheet = worksheet(scenario, steps, names, decimals)
    language = scenario.display.language or environment_language()
    origin = SheetOrigin(name_of(path.resolve()) or path.name, seed, is_friendly=given.friendly)
    text = written(sheet, given.format, origin, language, with_key=given.key)
    saved = None if given.save is None else numbers_text(sheet.scenario)
    write_text([text], given.output, force=given.force, is_file=True)
    if saved is not None:
        write_text([saved], given.save, force=given.force)
        say(Text("this sheet's scenario stands in {file}", file=printable(given.save)), speech)
    return 0


def _check_apart(output: str | None, save: str | None) -> None:
    """Refuse one file for the sheet and its scenario.

    Raises:
        UsageError: both are the same one.
    """
    if output is None or save is None:
        return
    one, other = (Path(os.path.realpath(file)) for file in (output, save))
    if one == other or (one.exists() and other.exists() and one.samefile(other)):
        raise UsageError(
            Text("--output and --save are the same file {file}: give them two names", file=printable(save))
        )


def _drawn(scenario: Scenario, given: GivenOptions) -> Scenario:
    from rnnstep.scenario.overrides import Overrides, overridden

    return completed(overridden(scenario, Overrides(seed=given.seed), limits(given), dtype=given.dtype))


def _friendly(scenario: Scenario, steps: Sequence[int], decimals: int, seed: int, speech: str) -> Scenario:
    from rnnstep.worksheet.friendly_weights import friendly

    found = friendly(scenario, decimals, seed, steps)
    if found.hidden:
        say(Text("these mistakes would not show: {ids}", ids=", ".join(found.hidden)), speech)
    if found.unpleasant:
        say(
            Text(
                "results of functions next to 0 or to their ends: {count}, and no weights were found with fewer",
                count=found.unpleasant,
            ),
            speech,
        )
    return found.scenario


def _steps(text: str | None) -> list[int]:
    """`1-3,5` as steps from 0; none for all."""
    found: dict[int, None] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        match = _RANGE.fullmatch(part.strip())
        first, last = (0, 0) if match is None else (int(match[1]), int(match[2] or match[1]))
        if not 1 <= first <= last <= MOST_STEPS:
            raise UsageError(
                Text("--steps: `{text}`: expected steps from 1, such as 1-3,5", text=part.strip()[:40])
            )
        found.update(dict.fromkeys(range(first - 1, last)))
    return list(found)


COMMAND = Subcommand(
    "worksheet",
    run,
    [
        scenario_argument(),
        Option("--steps", metavar="STEPS", about=Text("which steps, such as 1-3,5; all by default")),
        Option("--values", metavar="NAMES", about=Text("which values, such as a,h; all by default")),
        Option(
            "--decimals",
            type=WholeNumber(0, MOST_DECIMALS),
            about=Text("of weights and results; 2 by default"),
        ),
        Option("--key", is_flag=True, about=Text("the solved sheet: every operation with numbers put in")),
        Option("--seed", type=WholeNumber(*SEEDS), about=Text("other weights: one sheet for each student")),
        Option(
            "--friendly",
            is_flag=True,
            about=Text(
                "search weights of one decimal (whole numbers with --decimals 0) that are pleasant to work with and"
                " show every mistake"
            ),
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
