"""`rnnstep trace SCENARIO`: every intermediate value, torch's beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnnstep.cli.beside import beside_option
from rnnstep.cli.commands import DISAGREES, GivenOptions, Option, Subcommand
from rnnstep.cli.options import (
    beside_torch,
    filled,
    format_option,
    in_option,
    language_option,
    output_options,
    read_scenario,
    reading_options,
    scenario_argument,
    showing_options,
    torch_option,
)
from rnnstep.errors import EquationError
from rnnstep.language import Text

if TYPE_CHECKING:
    from pathlib import Path

    from rnnstep.engine import Block, Model
    from rnnstep.engine.watch import Watch
    from rnnstep.reports.trace import Selection
    from rnnstep.scenario.model import Scenario

FORMATS = ("text", "json", "csv", "npz", "md")


def run(given: GivenOptions, speech: str) -> int:
    """Run, compare and write; the exit status says whether torch agrees."""
    from rnnstep.cli.output import check_output
    from rnnstep.scenario.bundled import find

    check_output(given.output, force=given.force)
    return write_trace(find(given.scenario), given)


def write_trace(path: Path, given: GivenOptions) -> int:
    """Write the trace of one scenario file as the options say."""
    from rnnstep.cli.output import write_binary, write_text
    from rnnstep.engine import Model

    is_beside = beside_torch(given)
    scenario = filled(read_scenario(path, given), given)
    if given.beside is not None:
        return _write_pair(scenario, given, is_beside=is_beside)
    model = Model(scenario)
    selection = _selected(model, given, is_beside=is_beside)
    if given.format == "npz":
        from rnnstep.reports.trace import trace_npz

        write_binary(lambda file: trace_npz(selection, file), given.output, force=given.force)
    else:
        write_text(_pieces(selection, given), given.output, force=given.force)
    return DISAGREES if selection.run.agrees is False else 0


def _selected(model: Model, given: GivenOptions, *, is_beside: bool, has_until: bool = True) -> Selection:
    """Run, with torch beside, as far as the options ask for."""
    from rnnstep.reference import check
    from rnnstep.reports.trace import Run, Selection

    blocks = [block for block in model.blocks if block.kind == "recurrent"]
    watches = [_watch(text, blocks, "--watch") for text in given.watch]
    until = None
    if given.until is not None and has_until:
        until = _watch(given.until, blocks, "--until", is_condition=True)
    trace = model.run()
    return Selection(Run(trace, check(trace) if is_beside else None), watches, until)


def _write_pair(scenario: Scenario, given: GivenOptions, *, is_beside: bool) -> int:
    """Write two traces, one under the other, as far as the first goes; the exit status is the first's."""
    from rnnstep.cli.beside import read_second, trace_pieces
    from rnnstep.cli.output import write_text
    from rnnstep.engine import Model
    from rnnstep.reports.beside import TracePair, at_epoch

    second = read_second(given, scenario)
    other = at_epoch(second.scenario, second.value)
    first = _selected(Model(scenario), given, is_beside=is_beside)
    beside = _selected(Model(other), given, is_beside=is_beside, has_until=False)
    pair = TracePair(first, beside)
    write_text(trace_pieces(pair, second, given), given.output, force=given.force)
    return DISAGREES if first.run.agrees is False else 0


def _watch(text: str, blocks: list[Block], option: str, *, is_condition: bool = False) -> Watch:
    from rnnstep.engine.watch import Watch

    try:
        found = Watch.parse(text, blocks)
        return found.as_condition(blocks) if is_condition else found
    except EquationError as error:
        raise in_option(error, option) from None


def _pieces(selection: Selection, given: GivenOptions) -> Iterator[str]:
    from rnnstep.cli.page import page_of

    match given.format:
        case "json":
            from rnnstep.reports.trace import trace_json

            return trace_json(selection)
        case "csv":
            from rnnstep.reports.trace import trace_csv

            return trace_csv(selection)
        case "md":
            from rnnstep.cli.markdown import markdown_pieces

            return markdown_pieces(selection, page_of(selection.run.scenario, given))
    from rnnstep.cli.page import folded
    from rnnstep.cli.worked import worked_pieces

    page = page_of(selection.run.scenario, given)
    return folded(worked_pieces(selection, page), page)


COMMAND = Subcommand(
    "trace",
    run,
    [
        scenario_argument(),
        beside_option(),
        format_option(FORMATS),
        Option(
            "--watch",
            metavar="EXPR",
            multiple=True,
            about=Text("show an expression beside the values, such as norm(h); may be given several times"),
        ),
        Option(
            "--until",
            metavar="EXPR",
            about=Text("stop where an expression first holds, such as max(abs(h)) > 0.9"),
        ),
        torch_option(),
        *showing_options(),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep trace [OPTIONS] SCENARIO",
    about=Text(
        "Print every intermediate value, with torch's beside it.\nThe exit status is 1 where torch disagrees."
    ),
)
