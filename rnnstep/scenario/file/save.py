"""An edited scenario as a new file: the old one's text, its comments and order, with the changed numbers put in.

What is to change is first a list of changes, a path of keys each with its TOML; the list is
applied to the text, and the text checked against the same list applied to the data. Files that the scenario names are
named as the new file's folder sees them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.module import Parameter
from rnnstep.network.description import INPUT
from rnnstep.scenario.file.atomic_write import whole_file
from rnnstep.scenario.file.change_toml import (
    Changes,
    array_text,
    changed_data,
    changed_text,
    plain_text,
    string_text,
)
from rnnstep.scenario.file.parse_toml import parse_toml
from rnnstep.scenario.file.source import LARGEST_FILE
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.weights.parameters import accepted_names, parameters_of
from rnnstep.scenario.weights.read_weights import SOURCES

NAMING = tuple((*above, table, "file") for above in ((), ("cure",)) for table in ("input", "data", "weights"))


def file_changes(data: Mapping[str, Any], changes: Changes, folder: Path, target: Path) -> Changes:
    """Give the file names of a scenario in `folder` as a copy in the folder `target` must write them.

    Args:
        data: The scenario's keys and values.
        changes: What is changed in it anyway: a file no longer named is none.
        folder: Where the scenario stands.
        target: Where the copy will stand.

    Raises:
        UsageError: A file beside the scenario would lie outside the copy's folder, where nothing is read.
    """
    here, there = folder.resolve(), target.resolve()
    found: Changes = {}
    if here == there:
        return found
    for place in NAMING:
        name = _at(data, place)
        if name is None or place in changes or Path(name).is_absolute():
            continue
        path = Path(os.path.normpath(here / name))
        if path.is_relative_to(here) and not path.is_relative_to(there):
            raise UsageError(
                Text(
                    "the scenario reads {file} beside it, and nothing outside its own folder: save it in {folder}",
                    file=printable(name),
                    folder=printable(str(folder)),
                )
            )
        found[place] = string_text(Path(os.path.relpath(path, there)).as_posix())
    return found


def _at(data: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    value: Any = data
    for key in place:
        value = value.get(key, {})
    return value or None


# ── the edited file ──────────────────────────────────────────────────────────────────────────────

EDITED = {"en": " (edited)", "zh": "（已修改）"}
_INPUT_SOURCES = ("text", "indices", "file", "random", "pad_index")
_FIRST_CHINESE = "\u2e80"


class TargetLike(Protocol):
    """Which array of a scenario was edited, and where; as `rnnstep.session.edits.Target`."""

    @property
    def store(self) -> str:
        """The kind: "parameters", "initial_state" or "values"."""

    @property
    def key(self) -> str:
        """Its name there: torch's, `h_0`, or the batch's number."""

    @property
    def index(self) -> tuple[int, ...]:
        """The element."""


class EditLike(Protocol):
    """An edit, as `rnnstep.session.edits.Edit`."""

    @property
    def target(self) -> TargetLike:
        """What was edited."""


def save(
    scenario: Scenario, edits: Iterable[EditLike], path: str | Path, *, replace: bool = False
) -> Text | None:
    """Write the file of an edited scenario, which reads as exactly its numbers; of one without a file, a complete one.

    An edited call that was recorded becomes a scenario like others, which goes forward alone.

    Args:
        scenario: With the edits made.
        edits: What was edited; all else stays as the file says it.
        path: Of the new file.
        replace: Whether a file that is there already may be replaced.

    Returns:
        What is not in the file: the gradients that were recorded; None where all is.

    Raises:
        UsageError: The edits cannot be put into a scenario file, or the file cannot be written.
    """
    path = Path(path)
    if scenario.file_text is None:
        from rnnstep.scenario.file.write import write_scenario  # and with it all that reads a scenario

        if not any(True for _ in edits):
            write_scenario(scenario, path, replace=replace)
            return None
        plain = scenario.without_given_gradients()
        write_scenario(with_edited_title(plain), path, replace=replace)
        if plain is scenario:
            return None
        return Text("the gradients that were recorded are not in it: a scenario file goes back from a loss")
    text = edited_text(scenario, edits, path.parent)
    encoded = text.encode()
    if len(encoded) > LARGEST_FILE:
        raise UsageError(
            Text(
                "the file would have more than {limit} MiB, too large for a scenario",
                limit=LARGEST_FILE >> 20,
            )
        )
    with whole_file(path, replace=replace) as file:
        file.write(encoded)
    return None


def edited_text(scenario: Scenario, edits: Iterable[EditLike], folder: Path) -> str:
    """Give the text of an edited scenario's file, for a file in `folder`. Raises UsageError as `save` does."""
    assert scenario.path is not None
    assert scenario.file_text is not None
    data = parse_toml(scenario.file_text)
    targets = [edit.target for edit in edits]
    changes: Changes = {
        **_title_changes(scenario, data),
        **_weight_changes(scenario, targets, data["weights"]),
        **_state_changes(scenario, targets, data),
        **_input_changes(scenario, targets, data),
    }
    changes |= file_changes(data, changes, scenario.path.parent, folder)
    expected = changed_data(data, changes)
    text = changed_text(scenario.file_text, changes)
    # A text that cannot be mended in its own form loses its comments, never its numbers.
    return text if text is not None and _same(parse_toml(text), expected) else plain_text(expected)


def _same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two files' data are the same, whatever the order of keys; NaN is itself."""
    return _ordered(left) == _ordered(right)


def _ordered(value: Any) -> str:
    if isinstance(value, dict):
        return repr(sorted((key, _ordered(inner)) for key, inner in value.items()))
    return repr(value)


def _title_changes(scenario: Scenario, data: Mapping[str, Any]) -> Changes:
    title = data.get("title", scenario.name)
    if isinstance(title, dict):
        return {("title", key): string_text(_edited(text, key)) for key, text in title.items()}
    is_chinese = any(character >= _FIRST_CHINESE for character in title)
    return {("title",): string_text(_edited(title, "zh" if is_chinese else "en"))}


def with_edited_title(scenario: Scenario) -> Scenario:
    """Give a scenario whose title says that it was edited."""
    title = scenario.title
    marked = {
        language: _edited(getattr(title, language), language)
        for language in EDITED
        if getattr(title, language)
    }
    return dataclasses.replace(scenario, title=Localized(**marked))


def _edited(title: str, language: str) -> str:
    return title if title.endswith(tuple(EDITED.values())) else title + EDITED[language]


# ── weights ──────────────────────────────────────────────────────────────────────────────


def _weight_changes(scenario: Scenario, targets: list[TargetLike], table: Mapping[str, Any]) -> Changes:
    """Give each edited parameter: where the file has it already, else whole under torch's name."""
    parameters = parameters_of(scenario.layers)
    meant = {
        name: (parameter.name, part) for name, (parameter, part) in accepted_names(scenario.layers).items()
    }
    written = {meant[name]: path for path, name in _written(table) if name in meant}
    by_gate = {name for name, part in written if part is not None}
    changes: Changes = {}
    for target in targets:
        if target.store != "parameters":
            continue
        parameter = parameters[target.key]
        part = None
        if (parameter.name, None) not in written and by_gate & {parameter.name, parameter.partner}:
            part = _part_of(parameter, target.index)
        path = written.get((parameter.name, part))
        if path is None:
            names = [name for name, one in meant.items() if one == (parameter.name, part)]
            path = _path(parameter.name if part is None else min(names, key=len))
        values = scenario.parameters[parameter.name]
        changes[path] = array_text(values if part is None else values[parameter.rows[part]])
    return changes


def _written(table: Mapping[str, Any]) -> list[tuple[tuple[str, ...], str]]:
    """Give the path and the name of each array in [weights]."""
    found: list[tuple[tuple[str, ...], str]] = []
    for key, value in table.items():
        if key in SOURCES:
            continue
        if isinstance(value, dict):  # a module beside the recurrent one
            found += [(("weights", key, inner), f"{key}.{inner}") for inner in value]
        else:
            found.append((("weights", key), key))
    return found


def _path(name: str) -> tuple[str, ...]:
    """Give where torch's name stands in a new key: `linear.weight` is a dotted one."""
    return ("weights", *name.split("."))


def _part_of(parameter: Parameter, index: tuple[int, ...]) -> int:
    return next(part for part, rows in enumerate(parameter.rows) if rows.start <= index[0] < rows.stop)


# ── states and x ─────────────────────────────────────────────────────────────────────────


def _state_changes(scenario: Scenario, targets: list[TargetLike], data: Mapping[str, Any]) -> Changes:
    """Give each edited state in torch's shape: a plain vector where there is but one."""
    changes: Changes = {}
    for target in targets:
        if target.store != "initial_state":
            continue
        state = scenario.initial_state[target.key]
        if state.shape[0] == state.shape[1] == 1:
            state = state[0, 0]
        elif scenario.recurrent_called(target.key).is_cell:
            state = state[0]
        elif not scenario.is_batched:
            state = state[:, 0]
        changes[_state_path(scenario, target.key, data)] = array_text(state)
    return changes


def _state_path(scenario: Scenario, name: str, data: Mapping[str, Any]) -> tuple[str, ...]:
    """Give where a state stands: under its module's name, if the only module has one and the file uses it."""
    given = data.get("initial_state", {})
    key = scenario.recurrent_called(name).key
    within = given.get(key) if key and "." not in name else None
    own = (key,) if isinstance(within, dict) and name not in given else ()
    return ("initial_state", *own, *name.split("."))


def _input_changes(scenario: Scenario, targets: list[TargetLike], data: Mapping[str, Any]) -> Changes:
    """Give [input] as values, where an x was edited."""
    if not any(target.store == "values" for target in targets):
        return {}
    if "data" in data:
        raise UsageError(Text("an edited x of [data] cannot be saved: edit the rows of its file"))
    table = data["input"]
    if "windows" in table:
        return {("input", key): None for key in _INPUT_SOURCES if key in table} | _window_changes(
            scenario, table
        )
    changes: Changes = {}
    for sequence in dict.fromkeys(
        target.key.partition(" ")[2] for target in targets if target.store == "values"
    ):
        changes |= input_as_values(scenario, table[sequence] if sequence else table, sequence)
        if sequence and "shift" in table[sequence]:  # what is fed is no longer what was wanted before
            changes["input", sequence, "shift"] = None
            changes |= _target_changes(scenario, data)
    return changes


def _target_changes(scenario: Scenario, data: Mapping[str, Any]) -> Changes:
    """Give [target], where what is wanted was what a sequence had before it was shifted."""
    if "target" in data or scenario.batches[0].target is None:
        return {}
    target = scenario.whole_target
    if target.dtype.kind == "f":
        return {("target", "values"): array_text(target)}
    return {("target", "indices"): str(target.tolist())}


def input_as_values(scenario: Scenario, table: Mapping[str, Any], sequence: str = "") -> Changes:
    """Give [input], or [input.NAME] of a sequence beside it, as values, which reads as exactly the numbers of the one batch."""
    path = ("input", sequence) if sequence else ("input",)
    changes: Changes = {(*path, key): None for key in _INPUT_SOURCES if key in table}
    fed = scenario.batches[0].sequences[sequence or INPUT]
    assert fed.values is not None
    changes[*path, "values"] = array_text(scenario.laid_out(fed.values))
    if fed.lengths is not None:
        changes[*path, "lengths"] = str(list(fed.lengths))
        changes[*path, "packed"] = "true" if fed.packed else "false"
    return changes


def _window_changes(scenario: Scenario, table: Mapping[str, Any]) -> Changes:
    """Give windows side by side as one series: an edited number is in one window and not in the next."""
    series, length = scenario.whole_series, scenario.batches[0].first.num_steps
    shown = series[:, 0] if series.shape[1] == 1 else series
    changes: Changes = {("input", "values"): array_text(shown), ("input", "windows", "stride"): str(length)}
    if (
        "horizon" in table["windows"]
    ):  # what is wanted comes later in the series that was, and not in this one
        changes["input", "windows", "horizon"] = None
        changes["target", "values"] = array_text(scenario.whole_target)
    return changes


# ── all numbers written out ──────────────────────────────────────────────────────────────────────

_DRAWN = ("random", "file", "values")


def numbers_text(scenario: Scenario) -> str:
    """Give the text of that file."""
    assert scenario.file_text is not None
    data = parse_toml(scenario.file_text)
    changes: Changes = {**_weights(scenario, data), **_states(scenario, data), **_inputs(scenario, data)}
    changes["display", "decimals"] = str(scenario.display.decimals)
    text = changed_text(scenario.file_text, changes)
    return plain_text(changed_data(data, changes)) if text is None else text


def _weights(scenario: Scenario, data: Mapping[str, Any]) -> Changes:
    changes: Changes = {("weights", key): None for key in data.get("weights", {})}
    for name, value in scenario.parameters.items():
        changes["weights", *name.split(".")] = array_text(value)
    return changes


def _states(scenario: Scenario, data: Mapping[str, Any]) -> Changes:
    changes: Changes = {}
    for name, value in scenario.initial_state.items():
        shown = value[0] if scenario.recurrent_called(name).is_cell else value
        shown = shown if scenario.is_batched else shown[..., 0, :]
        changes[_state_path(scenario, name, data)] = array_text(shown)
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
