"""A recorded call in files: its tensors as safetensors, and the table [call] of a scenario that names them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.cells import MODULES
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.call.recorded_call import HALF_DTYPES, RecordedCall
from rnnstep.scenario.call.scenario_of_call import scenario_of_call
from rnnstep.scenario.data.array_files import Tensors, UnreadableTensor, open_safetensors
from rnnstep.scenario.file.change_toml import plain_text
from rnnstep.scenario.file.document import Document, Table, gibibytes, outside, shown
from rnnstep.scenario.heading import Wishes, read_display
from rnnstep.scenario.keys import KEYS
from rnnstep.scenario.localized import read_localized
from rnnstep.scenario.model import Scenario

_ENTERING = ("x", "h_0", "c_0", "lengths", "reset", "output", "h_n", "c_n")
_WHOLE_NUMBERS = ("lengths", "reset")
_MASK = re.compile(r"mask\.(\d{1,4})")
_PARAMETER = re.compile(r"(weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)(_l\d{1,4}(_reverse)?)?")
_GRADIENT = "grad."


def tensors_of(call: RecordedCall) -> dict[str, NDArray[Any]]:
    """Give the tensors of a call under their names in its file."""
    found: dict[str, Any] = {name: getattr(call, name) for name in _ENTERING if name != "lengths"}
    if call.lengths is not None:
        found["lengths"] = np.asarray(call.lengths, np.int64)
    found |= call.parameters
    found |= {f"mask.{number}": mask for number, mask in enumerate(call.masks or ())}
    found |= {f"{_GRADIENT}{name}": g for name, g in call.gradients.items()}
    return {name: np.ascontiguousarray(value) for name, value in found.items() if value is not None}


def bytes_of(call: RecordedCall) -> bytes:
    """Give the content of the file of a call's tensors."""
    from safetensors.numpy import save

    return save(tensors_of(call))


def options_of(call: RecordedCall) -> dict[str, Any]:
    """Give what the table [call] says beside the file: what does not follow from the tensors."""
    found: dict[str, Any] = {"module": call.module}
    if call.batch_first:
        found["batch_first"] = True
    if call.nonlinearity != "tanh":
        found["nonlinearity"] = call.nonlinearity
    if call.p_dropout:
        found["dropout"] = call.p_dropout
    if call.is_half:
        found["dtype"] = call.dtype
    return found


def call_of(tensors: Mapping[str, NDArray[Any]], options: Mapping[str, Any]) -> RecordedCall:
    """Put a call together from its tensors and what [call] says."""
    lengths = tensors.get("lengths")
    masks = sorted((name for name in tensors if name.startswith("mask.")), key=lambda name: int(name[5:]))
    return RecordedCall(
        **{name: tensors.get(name) for name in _ENTERING if name != "lengths"},  # type: ignore[arg-type]  # x was asked for
        module=options["module"],
        parameters=MappingProxyType(
            {name: value for name, value in tensors.items() if _PARAMETER.fullmatch(name)}
        ),
        lengths=None if lengths is None else tuple(int(one) for one in lengths.reshape(-1)),
        batch_first=options.get("batch_first", False),
        nonlinearity=options.get("nonlinearity", "tanh"),
        p_dropout=float(options.get("dropout", 0.0)),
        masks=tuple(tensors[name] for name in masks) or None,
        gradients=MappingProxyType(
            {name.removeprefix(_GRADIENT): g for name, g in tensors.items() if name.startswith(_GRADIENT)}
        ),
        dtype=options.get("dtype", str(tensors["x"].dtype)),
    )


# ── reading, from a file that nobody vouches for ─────────────────────────────────────────────────


BESIDE_CALL = ("title", "summary", "call", "stop", "display")
"""What may stand in a file whose numbers are those of a recorded call."""


def read_call(document: Document, path: Path, wishes: Wishes) -> Scenario | None:
    """Give the scenario that [call] stands for, in the dtype in which the call was recorded; None with problems noted."""
    for key in document.root.keys():
        if key in KEYS[""] and key not in BESIDE_CALL:
            text = Text("[{table}] and [call] exclude each other: the recorded call has all of it", table=key)
            document.root.problem(key, text)
    document.root.known(*KEYS[""])
    display = read_display(document, wishes)
    name = printable(path.stem)
    title, summary = (
        read_localized(document.root, "title", default=name),
        read_localized(document.root, "summary"),
    )
    scenario = _called(document, name)
    if scenario is None:
        return None
    dtype = scenario.display.dtype
    if wishes.dtype not in (None, dtype):
        text = Text("`file`: what was recorded is in {dtype}, and is stepped in no other", dtype=dtype)
        document.problem(("call", "file"), text)
    order = scenario.display.order
    return replace(
        scenario,
        title=title,
        summary=summary,
        memory_limit=document.limits.memory,
        display=replace(display, dtype=dtype, order=order if order == "layer" else display.order),
        path=path,
    )


def _called(document: Document, name: str) -> Scenario | None:
    table = document.root.table("call")
    if table is None:
        return None
    table.known()
    options = _options(table)
    filename = table.string("file")
    if filename is None:
        table.missing("file", Text("a file of a recorded call"))
        return None
    path = outside(document, (*table.place, "file"), filename)
    opened = None if path is None else _opened(table, path)
    if opened is None or options is None:
        return None
    loaded = _loaded(table, opened)
    if loaded is None:
        return None
    try:
        return scenario_of_call(call_of(loaded, options), name)
    except UsageError as error:
        table.problem("file", Text("`file`: {file}: {what}", file=shown(filename), what=error.message))
        return None


def _options(table: Table) -> dict[str, Any] | None:
    before = len(table.document.problems)
    found = {
        "module": table.choice("module", MODULES),
        "batch_first": table.boolean("batch_first", default=False),
        "nonlinearity": table.choice("nonlinearity", ("tanh", "relu"), "tanh"),
        "dropout": table.number("dropout", 0.0, minimum=0.0, maximum=1.0),
    }
    if table.has("dtype"):
        found["dtype"] = table.choice("dtype", HALF_DTYPES)
    table.integer("number", minimum=0)
    if found["module"] is None:
        table.missing("module", Text("one of {names}", names=", ".join(MODULES)))
    return found if len(table.document.problems) == before and found["module"] is not None else None


def _opened(table: Table, path: Path) -> Tensors | None:
    """Read the header of a call's file, with every tensor's name and size looked at."""
    opened = open_safetensors(table.document, (*table.place, "file"), path)
    if opened is None:
        return None
    strange = next((name for name in opened.shapes if not _is_known(name)), None)
    if strange is not None:
        text = Text(
            "`file`: {file} is no recorded call: it has a tensor {name}",
            file=shown(path.name),
            name=shown(strange),
        )
        table.problem("file", text)
        return None
    if "x" not in opened.shapes:
        text = Text("`file`: {file} is no recorded call: it has no tensor x", file=shown(path.name))
        table.problem("file", text)
        return None
    size = sum(8 * int(np.prod(shape, dtype=object)) for shape in opened.shapes.values())
    limit = table.document.limits.memory
    if size > limit:
        text = Text(
            "`file`: the tensors take {size} GiB, more than the limit of {limit} GiB (--memory-limit)",
            size=gibibytes(size),
            limit=gibibytes(limit),
        )
        table.problem("file", text)
        return None
    return opened


def _is_known(name: str) -> bool:
    bare = name.removeprefix(_GRADIENT)
    return bool(
        bare in _ENTERING or name == f"{_GRADIENT}c" or _PARAMETER.fullmatch(bare) or _MASK.fullmatch(name)
    )


def _loaded(table: Table, opened: Tensors) -> dict[str, NDArray[Any]] | None:
    """Read all tensors, each as numbers of the kind it has to be."""
    found: dict[str, NDArray[Any]] = {}
    try:
        for name in opened.shapes:
            value = opened.load(name)
            expected = "iu" if name in _WHOLE_NUMBERS else "f"
            if value.dtype.kind not in expected or value.ndim > 3:
                text = Text(
                    "`file`: the tensor {name} has the shape {shape} and the kind {kind}, which no recorded call has",
                    name=shown(name),
                    shape=str(value.shape),
                    kind=opened.kinds[name],
                )
                table.problem("file", text)
                return None
            found[name] = value.astype(np.float32) if value.dtype == np.float16 else value
    except UnreadableTensor as error:
        table.problem("file", error.message)
        return None
    return found


def printable_name(name: str) -> str:
    """Give a module's name as a part of a file's name: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^\w.-]+", "_", printable(name)).strip(".") or "call"


def call_text(call: RecordedCall, *, title: str, file: str, number: int) -> str:
    """Give the text of the scenario file whose [call] names a file of tensors beside it."""
    options = {"file": file, **options_of(call), "number": number}
    return plain_text({"title": title, "call": options})
