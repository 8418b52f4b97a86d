"""A run as JSON, in pieces: no more than one step of it is built at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rnnstep.equations.operations import Array
from rnnstep.export.selection import Seen, Selection


def json_pieces(selection: Selection) -> Iterator[str]:
    """Give the text of the whole, an object of one line a step."""
    yield "{"
    yield from members({**_head(selection), "steps": _our_steps(selection), **_results(selection.run)})
    beside, is_module = selection.run.beside, selection.run.reference is not None
    if not is_module:
        yield ',\n"reference": null'
    if beside is not None:
        yield f',\n"{"reference" if is_module else "self_check"}": {{'
        steps = {"input": plain(beside.input), "steps": _torch_steps(selection)}
        yield from members({**steps, **_results(beside)})
        yield "}"
    yield ",\n"
    yield from members(_verdict(selection))
    yield "}\n"


def run_dict(selection: Selection) -> dict[str, Any]:
    """Give the same as a dictionary of plain lists and numbers."""
    run = selection.run
    found: dict[str, Any] = {"reference": None}
    if run.beside is not None:
        found["reference" if run.reference is not None else "self_check"] = {
            "input": plain(run.beside.input),
            "steps": list(_torch_steps(selection)),
            **_results(run.beside),
        }
    return {
        **_head(selection),
        "steps": list(_our_steps(selection)),
        **_results(run),
        **found,
        **_verdict(selection),
    }


def members(values: Mapping[str, Any]) -> Iterator[str]:
    """Give the members of an object; an iterator becomes a list, one element a line."""
    for number, (name, value) in enumerate(values.items()):
        yield f"{',' if number else ''}\n{json.dumps(name)}: "
        if not isinstance(value, Iterator):
            yield strict(value)
            continue
        yield "["
        for position, element in enumerate(value):
            yield ",\n" if position else "\n"
            yield strict(element)
        yield "\n]"


def strict(value: Any) -> str:
    """Give strict JSON: numbers that are not finite, which JSON has not, as the strings "NaN", "Infinity", "-Infinity"."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_in_words(value), ensure_ascii=False, allow_nan=False)


def _in_words(value: Any) -> Any:
    match value:
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case dict():
            return {name: _in_words(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_in_words(inner) for inner in value]
    return value


def _head(selection: Selection) -> dict[str, Any]:
    scenario = selection.run.scenario
    return {
        "title": scenario.title.into(scenario.display.language or "en"),
        "module": scenario.recurrent.module,
        "dtype": scenario.display.dtype,
        "input": plain(selection.run.input),
    }


def _results(source: Any) -> dict[str, Any]:
    results = {name: plain(getattr(source, name)) for name in ("output", "h_n", "c_n", "logits")}
    return {name: value for name, value in results.items() if value is not None}


def _verdict(selection: Selection) -> dict[str, Any]:
    run = selection.run
    return {
        "max_abs_diff": run.max_abs_diff,
        "one_step_diff": run.one_step_diff,
        "tolerance": run.tolerance,
        "agrees": run.agrees,
    }


def _our_steps(selection: Selection) -> Iterator[dict[str, Any]]:
    for seen in selection.steps():
        values = {**seen.step, **seen.watched}
        yield {**_where(selection, seen), "values": {name: plain(value) for name, value in values.items()}}


def _torch_steps(selection: Selection) -> Iterator[dict[str, Any]]:
    for seen in selection.steps():
        yield {
            **_where(selection, seen),
            "values": {name: plain(value) for name, value in (seen.torch or {}).items()},
        }


def _where(selection: Selection, seen: Seen) -> dict[str, Any]:
    step = seen.step
    where: dict[str, Any] = {"t": step.t, "layer": step.layer, "direction": step.direction}
    if len(selection.run.scenario.batches) > 1:
        where["batch"] = step.batch
    if step.rows is not None:
        where["rows"] = step.rows.tolist()
    return where


def plain(value: Array | list[Array] | None) -> Any:
    """Give an array, or one a batch, as nested lists of Python floats, which hold a float32 exactly."""
    if isinstance(value, list):
        return [plain(array) for array in value]
    return None if value is None else np.asarray(value).tolist()
