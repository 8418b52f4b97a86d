"""The scenario that stands beside another one as a second run, and what the two are called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rnnstep.errors import RnnstepError, ScenarioError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.beside_value import BesideValue
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.overrides import in_dtype
from rnnstep.scenario.read import STANDARD, read
from rnnstep.scenario.weights.pending_file import refused_beside
from rnnstep.scenario.weights.read_weights import read_weights


def second_scenario(
    value: BesideValue,
    first: Scenario,
    limits: Limits = STANDARD,
    *,
    dtype: str | None = None,
    usual_decimals: int | None = None,
) -> Scenario:
    """Give the scenario that stands beside another one; of an epoch it is the same one.

    Args:
        value: what is asked for.
        first: the scenario that it stands beside.
        limits: what its file may ask for.
        dtype: in place of another file's.
        usual_decimals: of another file that does not say how many are shown.

    Raises:
        UsageError: There is none such, or it cannot be read.
        ScenarioError: Its file holds mistakes.
    """
    match value.kind:
        case "scenario":
            language = first.display.language
            return read(
                find(value.value), limits, dtype=dtype, language=language, usual_decimals=usual_decimals
            )
        case "dtype":
            return in_dtype(first, value.value, limits)
        case "weights":
            return _with_weights(first, value.value, limits)
        case "cure":
            return _cure_of(first)
        case "epoch":
            check_epoch(value, first)
    return first


def check_epoch(value: BesideValue, scenario: Scenario) -> None:
    """Make sure that a training has the epoch that is asked for.

    Raises:
        UsageError: It has not.
    """
    if value.epoch is None:
        return
    if scenario.training is None or not scenario.has_loss:
        raise UsageError(
            Text(
                "--beside epoch={epoch}: {name} is not trained, for it has no [training]",
                epoch=value.value,
                name=scenario.name,
            )
        )
    if value.epoch >= scenario.training.epochs:
        raise UsageError(
            Text(
                "--beside epoch={epoch}: {name} has epochs 1 to {most}",
                epoch=value.value,
                name=scenario.name,
                most=scenario.training.epochs,
            )
        )


def _cure_of(first: Scenario) -> Scenario:
    if first.cure is None:
        raise UsageError(Text("--beside cure: {name} has no mistake in it that has a cure", name=first.name))
    if first.training is not None and first.training.is_refused:
        raise UsageError(
            Text(
                "--beside cure: torch stops at the mistake of {name}, whose numbers are the cure's already",
                name=first.name,
            )
        )
    return first.cure


# ── other weights ────────────────────────────────────────────────────────────────────────────────


def _with_weights(first: Scenario, filename: str, limits: Limits) -> Scenario:
    """Give a scenario with all of its parameters from a file, looked at as `[weights] file` is.

    The user named the file, and from the working folder: it need not lie in the scenario's own.
    """
    file = str(Path(filename).expanduser())
    data = {"weights": {"file": file}}
    document = Document(f"weights={filename}", Path(), "", data, replace(limits, allow_outside=True))
    parameters, pending = read_weights(document, layers=first.layers, dtype=first.dtype)
    if document.problems:
        raise refused_beside(filename, [problem.message for problem in document.problems])
    cure = first.cure
    return replace(
        first.without_records(),
        parameters=parameters,
        pending=None if pending is None else replace(pending, beside=filename),
        cure=None if cure is None else _with_weights(cure, filename, limits),
    )


def told(error: RnnstepError) -> Text:
    """Give what is wrong with a second run as one message: of a file's mistakes the first, with its place."""
    if not isinstance(error, ScenarioError):
        return error.message
    first = error.problems[0]
    return Text(
        "{place}: {message}", place=f"{first.path}:{first.line}:{first.column}", message=first.message
    )


def called(value: BesideValue, first: Scenario, second: Scenario, epoch: int = 0) -> tuple[Text, Text]:
    """Give how two runs are called where they stand beside each other, in a word or two each.

    Args:
        value: what stands beside the first.
        first: the scenario of the first.
        second: that of the second.
        epoch: which epoch the first is in, from 0.
    """
    match value.kind:
        case "dtype":
            return _plainly(first.display.dtype), _plainly(value.value)
        case "weights":
            return _plainly(first.name), _plainly(printable(Path(value.value).name))
        case "epoch":
            return Text("epoch {number}", number=epoch + 1), Text("epoch {number}", number=value.value)
        case "cure":
            words = Text("mistake"), Text("cure")
            return words if first.cure is not None else words[::-1]
        case "before":
            return Text("after"), Text("before")
    name = printable(value.value) if first.name == second.name else second.name
    return _plainly(first.name), _plainly(name)


def _plainly(name: str) -> Text:
    return Text("{name}", name=name)
