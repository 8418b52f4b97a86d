"""The options of a module without states in [[layers]], in the words and with the defaults of torch's constructors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, fields
from typing import Any

from rnnstep.language import Text
from rnnstep.modules import above_recurrent
from rnnstep.modules.module import NetworkModule, OptionMisfit, SizeMisfit, SizeMissing
from rnnstep.scenario.file.document import Document, Table


def read_plain(
    table: Table, kind: str, name: str, size: int | None, defaults: Mapping[str, Any], axes: Sequence[Text]
) -> NetworkModule | None:
    """Give a module that has no states, or None where something is wrong.

    Args:
        table: its options, as the file has them.
        kind: its key, "layernorm".
        name: what it is called.
        size: of what enters at a step; None if unknown.
        defaults: options that follow from elsewhere.
        axes: what the axes of what enters are, as torch takes it; the last are the features.
    """
    module = next(one for one in above_recurrent().values() if one.key == kind)
    options = {one.name: one for one in options_of(module)}
    for key in table.keys():
        if key not in options:
            table.unknown(key, tuple(options))
    before = len(table.document.problems)
    given = {
        key: _option(table, one, axes)
        for key, one in options.items()
        if table.has(key) or one.metadata.get("is_axis")
    }
    if size is None or len(table.document.problems) > before:
        return None
    given |= {key: value for key, value in defaults.items() if key in options and key not in given}
    try:
        return module.on(size, given, name)
    except SizeMisfit as misfit:
        table.wrong(misfit.option, Text("{size}, the size of what enters", size=misfit.expected))
    except SizeMissing as missing:
        table.missing(missing.option, Text("a whole number ≥ {minimum}", minimum=1))
    except OptionMisfit as misfit:
        (table.wrong if table.has(misfit.option) else table.missing)(misfit.option, misfit.expected)
    return None


def options_of(module: type[NetworkModule]) -> Iterator[Field[Any]]:
    """Give those of a module's options that a chain can say: what it reads of the module before it is every step."""
    for one in fields(module):
        if one.name not in (*module.derived, "key", "tied") and "written" not in one.metadata:
            yield one


def _option(table: Table, option: Field[Any], axes: Sequence[Text]) -> float | bool | str | None:
    """Give an option of torch's constructor; None with a problem noted."""
    words = option.metadata.get("words")
    if words is not None and (option.type == "str" or isinstance(table.raw(option.name), str)):
        return table.choice(option.name, words)
    if option.metadata.get("is_axis"):
        return _axis(table, option.name, axes)
    match option.type:
        case "bool":
            return table.boolean(option.name)
        case "float" | "float | str":
            limits = {key: value for key, value in option.metadata.items() if key != "words"}
            return table.number(option.name, **limits)
    return table.integer(option.name, minimum=option.metadata.get("minimum", 1))


def _axis(table: Table, key: str, axes: Sequence[Text]) -> int | None:
    """Give the axis of the features, which alone is at hand in one step, counted from behind."""
    last = len(axes) - 1
    features = Text("-1 or {last}, the features", last=last)
    if not table.has(key):
        table.missing(key, features)
        return None
    axis = table.integer(key)
    if axis is None or axis in (-1, last):
        return None if axis is None else -1
    if not -len(axes) <= axis <= last:
        table.wrong(key, features)
        return None
    table.problem(
        key,
        Text(
            "`{key}`: {axis} is the axis of {name}; expected {features}",
            key=key,
            axis=axis,
            name=axes[axis],
            features=features,
        ),
    )
    return None


def axes_of(document: Document, *, is_batched: bool) -> tuple[Text, ...]:
    """Give what the axes of an output are, in the layout of the recurrent modules."""
    steps, rows = Text("steps"), Text("rows")
    table = document.root.raw("recurrent")
    is_batch_first = isinstance(table, dict) and table.get("batch_first") is True
    batch = ((rows, steps) if is_batch_first else (steps, rows)) if is_batched else (steps,)
    return (*batch, Text("features"))
