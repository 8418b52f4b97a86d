"""`rnnstep train SCENARIO`: trains, one row an epoch, torch's own loss beside it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.cli.beside import beside_option
from rnnstep.cli.commands import DISAGREES, GivenOptions, Option, Subcommand
from rnnstep.cli.options import (
    NumberOption,
    WholeNumber,
    beside_torch,
    filled,
    format_option,
    language_option,
    limits,
    output_options,
    read_scenario,
    reading_options,
    scenario_argument,
    showing_options,
    torch_option,
)
from rnnstep.cli.speech import say
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from rnnstep.cli.beside import SecondScenario
    from rnnstep.cli.progress import Bar, Interrupts
    from rnnstep.reports.beside import TrainingPair
    from rnnstep.reports.training import EpochResult, TrainingRun
    from rnnstep.scenario.model import Scenario

FORMATS = ("text", "json", "csv")
INTERRUPTED = 130
MOST_EPOCHS = 10**9
SEEDS = (-(2**63), 2**64 - 1)  # what torch.manual_seed takes


def run(given: GivenOptions, speech: str) -> int:
    """Train, and write a row an epoch; Ctrl-C stops when the epoch is done, and what was done is written."""
    from rnnstep.cli.output import check_output, write_binary
    from rnnstep.reports.training import training_run, write_weights

    _check_files(given)
    for file in (given.output, given.save):
        check_output(file, force=given.force)
    scenario = _scenario(given)
    is_beside = beside_torch(given)
    scenario = filled(scenario, given)
    second = None if given.beside is None else _second(scenario, given)
    training = training_run(scenario, is_beside=is_beside)
    is_stopped = _train(training, given, speech, second)
    if given.save is not None:
        write_binary(lambda file: write_weights(training, file), given.save, force=given.force)
        say(Text("the trained weights stand in {file}", file=printable(given.save)), speech)
    if is_stopped:
        return INTERRUPTED
    return DISAGREES if training.agrees is False else 0


def _check_files(given: GivenOptions) -> None:
    both = (given.output, given.save)
    if None not in both and Path(given.output).absolute() == Path(given.save).absolute():
        raise UsageError(Text("--output and --save name the same file"))


def _scenario(given: GivenOptions) -> Scenario:
    """Read the scenario, with what the command line says in place of the file's numbers."""
    from rnnstep.reports.training import check_training
    from rnnstep.scenario.bundled import find
    from rnnstep.scenario.overrides import Overrides, overridden

    scenario = read_scenario(find(given.scenario), given)
    check_training(scenario)
    overrides = Overrides(given.epochs, given.lr, given.seed)
    return overridden(scenario, overrides, limits(given), dtype=given.dtype)


def _second(first: Scenario, given: GivenOptions) -> SecondScenario:
    """Read what is trained beside it, with the same numbers of the command line in place of its file's."""
    from dataclasses import replace

    from rnnstep.cli.beside import read_second
    from rnnstep.reports.training import check_training
    from rnnstep.scenario.overrides import Overrides, overridden

    second = read_second(given, first)
    check_training(second.scenario)
    if second.value.kind not in ("scenario", "dtype"):
        return second
    overrides = Overrides(given.epochs, given.lr, given.seed)
    dtype = given.dtype if second.value.kind == "scenario" else second.value.value
    again = overridden(second.scenario, overrides, limits(given), dtype=dtype)
    return replace(second, scenario=filled(again, given))


def _pair(training: TrainingRun, second: SecondScenario) -> TrainingPair:
    from rnnstep.reports.beside import TrainingPair
    from rnnstep.reports.training import training_run

    is_beside = training.comparison is not None
    return TrainingPair(training, training_run(second.scenario, is_beside=is_beside), second.value.epoch or 0)


def _train(training: TrainingRun, given: GivenOptions, speech: str, second: SecondScenario | None) -> bool:
    """Go through the epochs and write them as they are done; whether it was stopped before the end."""
    from rnnstep.cli.output import write_text
    from rnnstep.cli.progress import Bar, Interrupts

    bar = Bar(training.num_epochs, training.scenario.name)
    with Interrupts(bar, speech) as interrupts:
        epochs = _epochs(training, bar, interrupts)
        if second is None:
            pieces = _pieces(training, epochs, given)
        else:
            from rnnstep.cli.beside import training_pieces

            pieces = training_pieces(_pair(training, second), epochs, second, given)
        if given.output is None:
            _write_at_once(pieces, bar)
        else:
            write_text(pieces, given.output, force=given.force)
    if not training.is_done:
        done, total = len(training.epochs), training.num_epochs
        say(Text("stopped after {done} of {total} epochs", done=done, total=total), speech)
    return not training.is_done


def _epochs(training: TrainingRun, bar: Bar, interrupts: Interrupts) -> Iterator[EpochResult]:
    while not (training.is_done or interrupts.is_asked):
        bar.draw(len(training.epochs))
        yield training.advance()


def _write_at_once(pieces: Iterator[str], bar: Bar) -> None:
    """Write each piece when it comes: a training may take long, and its rows are to be seen."""
    for piece in pieces:
        bar.clear()
        sys.stdout.write(piece)
        sys.stdout.flush()


def _pieces(training: TrainingRun, results: Iterator[EpochResult], given: GivenOptions) -> Iterator[str]:
    match given.format:
        case "json":
            from rnnstep.reports.training import training_json

            return training_json(training, results)
        case "csv":
            from rnnstep.reports.training import training_csv

            return training_csv(training, results)
    from rnnstep.cli.page import folded, page_of
    from rnnstep.cli.training_text import training_pieces

    page = page_of(training.scenario, given)
    return folded(training_pieces(training, results, page), page)


COMMAND = Subcommand(
    "train",
    run,
    [
        scenario_argument(),
        Option("--epochs", type=WholeNumber(1, MOST_EPOCHS), about=Text("train for so many epochs")),
        Option("--lr", type=NumberOption(), about=Text("the optimizer's learning rate")),
        Option("--seed", type=WholeNumber(*SEEDS), about=Text("draw the weights anew from this seed")),
        Option(
            "--save",
            metavar="FILE",
            about=Text("write the trained weights as safetensors, under torch's names, atomically"),
        ),
        beside_option(),
        format_option(FORMATS),
        torch_option(),
        *showing_options(),
        *reading_options(),
        *output_options(),
        language_option(),
    ],
    usage="rnnstep train [OPTIONS] SCENARIO",
    about=Text(
        "Train with the scenario's optimizer: a row an epoch, torch's own loss beside it.\n"
        "--epochs, --lr and --seed override the file. Ctrl-C stops when the epoch is done, and keeps what is"
        " done. The exit status is 1 where torch disagrees."
    ),
)
