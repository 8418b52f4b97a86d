"""A scenario's file with all of its numbers written out: what was drawn, or rounded, stands in arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.parse import parse_toml
from rnnstep.scenario.save import input_as_values
from rnnstep.scenario.toml import Changes, array_text, changed_data, changed_text, plain_text
from rnnstep.scenario.whole_file import whole_file

_DRAWN = ("random", "file", "values")


def save_numbers(scenario: Scenario, path: Path, *, replace: bool, advice: Text) -> None:
    """Write a scenario whose weights, inputs and first states are exactly these.

    Args:
        scenario: from a file; numbers were changed.
        path: of the new file.
        replace: whether a file that is there already may be replaced.
        advice: what to say where it may not.

    Raises:
        UsageError: it cannot be written, or its inputs cannot stand in it.
    """
    text = numbers_text(scenario)
    with whole_file(path, replace=replace, advice=advice) as file:
        file.write(text.encode())


def numbers_text(scenario: Scenario) -> str:
    """Give the text of that file."""
    data = parse_toml(scenario.source)
    changes: Changes = {**_weights(scenario, data), **_states(scenario), **_inputs(scenario, data)}
    changes["display", "decimals"] = str(scenario.display.decimals)
    text = changed_text(scenario.source, changes)
    return plain_text(changed_data(data, changes)) if text is None else text


def _weights(scenario: Scenario, data: Mapping[str, Any]) -> Changes:
    changes: Changes = {("weights", key): None for key in data.get("weights", {})}
    for name, value in scenario.parameters.items():
        changes["weights", *name.split(".")] = array_text(value)
    return changes


def _states(scenario: Scenario) -> Changes:
    changes: Changes = {}
    for name, value in scenario.initial_state.items():
        shown = value[0] if scenario.recurrent.is_cell else value
        shown = shown if scenario.is_batched else shown[..., 0, :]
        changes["initial_state", name] = array_text(shown)
    return changes


def _inputs(scenario: Scenario, data: Mapping[str, Any]) -> Changes:
    table = data.get("input", {})
    if not any(key in table for key in _DRAWN):
        return {}  # letters and indices are what they are
    if "windows" in table:
        raise UsageError(
            Text("windows of a series cannot be written out: use a scenario with [input] values")
        )
    return input_as_values(scenario, table)
