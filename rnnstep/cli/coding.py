"""`rnnstep code SCENARIO`: the short PyTorch program that gives these numbers."""

from __future__ import annotations

from rnnstep.cli.commands import GivenOptions, Subcommand
from rnnstep.cli.options import (
    language_option,
    output_options,
    read_scenario,
    reading_options,
    scenario_argument,
)
from rnnstep.language import Text, environment_language


def run(given: GivenOptions, speech: str) -> int:
    """Read the scenario and write its program."""
    from rnnstep.cli.output import check_output, write_text
    from rnnstep.program import torch_program
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    scenario = read_scenario(find(given.scenario), given)
    language = scenario.display.language or environment_language()
    write_text([torch_program(scenario, language)], given.output, force=given.force, is_file=True)
    return 0


COMMAND = Subcommand(
    "code",
    run,
    [scenario_argument(), *reading_options(), *output_options(), language_option()],
    usage="rnnstep code [OPTIONS] SCENARIO",
    about=Text("Print the short PyTorch program that gives these numbers, ready to run."),
)
