"""`rnnstep grad SCENARIO`: the loss, and the gradient of every parameter and state, with autograd's beside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnnstep.cli.beside import beside_option
from rnnstep.cli.commands import DISAGREES, GivenOptions, Subcommand
from rnnstep.cli.options import (
    beside_torch,
    filled,
    format_option,
    language_option,
    output_options,
    read_scenario,
    reading_options,
    scenario_argument,
    showing_options,
    torch_option,
)
from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.reports.gradients import Gradients
    from rnnstep.scenario.model import Scenario

FORMATS = ("text", "json", "csv", "npz", "md")


def run(given: GivenOptions, speech: str) -> int:
    """Go forward and back, compare and write; the exit status says whether autograd agrees."""
    from rnnstep.cli.output import check_output, write_binary, write_text
    from rnnstep.reports.gradients import check_loss, gradients
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    scenario = read_scenario(find(given.scenario), given)
    if not scenario.goes_back:
        check_loss(scenario)
    is_beside = beside_torch(given)
    if given.beside is not None:
        return _write_pair(filled(scenario, given), given, is_beside=is_beside)
    found = gradients(filled(scenario, given), is_beside=is_beside)
    if given.format == "npz":
        from rnnstep.reports.gradients import gradients_npz

        write_binary(lambda file: gradients_npz(found, file), given.output, force=given.force)
    else:
        write_text(_pieces(found, given), given.output, force=given.force)
    return DISAGREES if found.agrees is False else 0


def _write_pair(scenario: Scenario, given: GivenOptions, *, is_beside: bool) -> int:
    """Write the gradients of two runs, one under the other; the exit status is the first's."""
    from rnnstep.cli.beside import gradient_pieces, read_second
    from rnnstep.cli.output import write_text
    from rnnstep.reports.beside import GradientPair, at_epoch
    from rnnstep.reports.gradients import gradients

    second = read_second(given, scenario)
    other = gradients(at_epoch(second.scenario, second.value), is_beside=is_beside)
    pair = GradientPair(gradients(scenario, is_beside=is_beside), other)
    write_text(gradient_pieces(pair, second, given), given.output, force=given.force)
    return DISAGREES if pair.first.agrees is False else 0


def _pieces(found: Gradients, given: GivenOptions) -> Iterator[str]:
    from rnnstep.cli.page import page_of

    match given.format:
        case "json":
            from rnnstep.reports.gradients import gradients_json

            return gradients_json(found)
        case "csv":
            from rnnstep.reports.gradients import gradients_csv

            return gradients_csv(found)
        case "md":
            from rnnstep.cli.gradient_markdown import markdown_pieces

            return markdown_pieces(found, page_of(found.scenario, given))
    from rnnstep.cli.gradient_text import gradient_pieces
    from rnnstep.cli.page import folded

    page = page_of(found.scenario, given)
    return folded(gradient_pieces(found, page), page)


COMMAND = Subcommand(
    "grad",
    run,
    [
        scenario_argument(),
        beside_option(),
        format_option(FORMATS),
        torch_option(),
        *showing_options(),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep grad [OPTIONS] SCENARIO",
    about=Text(
        "Print the loss and the gradient of every parameter and state, with autograd's beside it.\n"
        "The exit status is 1 where torch disagrees."
    ),
)
