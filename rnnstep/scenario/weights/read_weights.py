"""The table [weights]: one source for each parameter, from a seed, a file, or arrays in the scenario.

Arrays stand under torch's names or gate by gate, and go before what a seed or
file gives. All that is given is kept part by part (a part is a gate's rows)
until every part of a parameter has its values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from rnnstep.cells.cell import Bias
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Parameter
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Document, Table, listed
from rnnstep.scenario.keys import BESIDE, closest
from rnnstep.scenario.model import Floats, Pending
from rnnstep.scenario.weights.parameters import accepted_names, parameters_of
from rnnstep.scenario.weights.seeds import LARGEST_SEED, SMALLEST_SEED, rounded, seeded_weights
from rnnstep.scenario.weights.state_dicts import as_dtype, not_held, wrong_shape

SOURCES = ("seed", "file", "round", "prefix")
MOST_DECIMALS = 15

Parts = dict[str, dict[int, Floats]]  # torch's name → part → values
Weights = tuple[Mapping[str, Floats], Pending | None]
NOTHING: Weights = (MappingProxyType({}), None)


def read_weights(
    document: Document,
    *,
    layers: Sequence[NetworkModule],
    dtype: np.dtype[np.floating],
) -> Weights:
    """Give all parameters under torch's names in torch's order, and what only torch can give.

    That they fit into memory was seen to before (`check_run`). Problems are noted
    in `document`; the result is then of no use.
    """
    table = document.table("weights")
    if table is None:
        if not document.root.has("weights") and parameters_of(layers):
            document.problem(
                (), Text("no [weights]: give `seed = 0`, a `file`, or arrays under torch's names")
            )
        return NOTHING
    parameters = parameters_of(layers)
    modules = tuple(dict.fromkeys((*BESIDE, *(layer.key for layer in layers if layer.key))))
    before = len(document.problems)
    given = _read_arrays(table, parameters, layers, modules, dtype)
    seed = _read_seed(table)
    if len(document.problems) > before:
        return NOTHING
    pending = None
    if seed is not None:
        pending = _take_seed(table, seed, layers, parameters, given, dtype)
    elif table.has("file"):
        from rnnstep.scenario.weights.weight_files import (
            read_weight_file,  # and with it zipfile and pickletools
        )

        complete = frozenset(name for name in given if len(given[name]) == len(parameters[name].parts))
        found = read_weight_file(table, parameters, modules, complete, dtype)
        if found is None:
            return NOTHING
        from_file, pending = found
        _fill(given, from_file, parameters)
    _fill_partners(given, parameters, pending, dtype)
    if not _check_complete(table, parameters, given, pending):
        return NOTHING
    pending_names = pending.names if pending else ()
    return MappingProxyType(
        {name: _joined(given[name], parameters[name]) for name in parameters if name not in pending_names}
    ), pending


def _read_arrays(
    table: Table,
    parameters: Mapping[str, Parameter],
    layers: Sequence[NetworkModule],
    modules: tuple[str, ...],
    dtype: np.dtype[np.floating],
) -> Parts:
    """Read all arrays that stand in the table, under whatever name."""
    accepted = accepted_names(layers)
    biases = {layer.bias for layer in layers if isinstance(layer, Recurrent)}
    given: Parts = {}
    for holder, key, name in _array_keys(table, modules):
        if name not in accepted:
            holder.problem(key, _unknown(name, accepted, parameters, modules, biases))
            continue
        parameter, part = accepted[name]
        array = holder.array(key)
        if array is None:
            continue
        expected = parameter.part_shape(part)
        if array.shape != expected:
            words = parameter.part_words(part)
            holder.problem(key, wrong_shape(name, array.shape, expected, words))
            continue
        values = {part: as_dtype(array, dtype)} if part is not None else _split(array, parameter, dtype)
        parts = given.setdefault(parameter.name, {})
        if parts.keys() & values.keys():
            holder.problem(key, Text("`{name}`: given twice, under another name too", name=name))
        parts.update(values)
    return given


def _array_keys(table: Table, modules: tuple[str, ...]) -> Iterator[tuple[Table, str, str]]:
    """Give the key of each array with the table that holds it and its name: `linear.weight = …` is a table in TOML."""
    keys = table.keys()
    for key in keys:
        if key in SOURCES:
            continue
        inner = table.raw(key)
        if key in modules and isinstance(inner, dict):
            below = table.table(key)
            assert below is not None
            names = below.keys()
            yield from ((below, part, f"{key}.{part}") for part in names)
        else:
            yield table, key, key


def _unknown(
    name: str,
    accepted: Mapping[str, tuple[Parameter, int | None]],
    parameters: Mapping[str, Parameter],
    modules: tuple[str, ...],
    biases: Collection[Bias],
) -> Text:
    module = name.partition(".")[0]
    if module in modules and not any(known.startswith(module) for known in parameters):
        return Text("`{name}`: there is no [{module}] in this scenario", name=name, module=module)
    own = name.rpartition(".")[2]
    if own.startswith(("bias_hh", "b_h")) and "ih" in biases:
        return Text('`{name}`: with `bias = "ih"` there is one bias; this one is zeros', name=name)
    is_bias = own.startswith(("bias_", "b_")) and False in biases
    if is_bias or (name == f"{module}.bias" and f"{module}.weight" in parameters):
        return Text("`{name}`: this module has no bias (`bias = false`)", name=name)
    guess = closest(name, [*accepted, *SOURCES])
    if guess is not None:
        return Text("`{name}`: no parameter of this module; did you mean `{guess}`?", name=name, guess=guess)
    return Text("`{name}`: no parameter of this module; it has {known}", name=name, known=listed(parameters))


def _split(array: Floats, parameter: Parameter, dtype: np.dtype[np.floating]) -> dict[int, Floats]:
    values = as_dtype(array, dtype)
    if len(parameter.parts) == 1:
        return {0: values}
    return {part: values[rows] for part, rows in enumerate(parameter.rows)}


def _read_seed(table: Table) -> int | None:
    """Read the seed; notes what cannot stand beside it, or not without it."""
    if table.has("seed") and table.has("file"):
        table.problem("file", Text("`file`: there is a `seed` already; give one of the two"))
    if table.has("round") and not table.has("seed"):
        table.problem("round", Text("`round` rounds what a `seed` gave; there is no `seed`"))
    if table.has("prefix") and not table.has("file"):
        table.problem("prefix", Text("`prefix` names the prefixes in a `file`; there is no `file`"))
    table.integer("round", minimum=0, maximum=MOST_DECIMALS)
    return table.integer("seed", minimum=SMALLEST_SEED, maximum=LARGEST_SEED)


def _take_seed(
    table: Table,
    seed: int,
    layers: Sequence[NetworkModule],
    parameters: Mapping[str, Parameter],
    given: Parts,
    dtype: np.dtype[np.floating],
) -> Pending | None:
    """Put what the seed gives where nothing is given yet; give what only torch can draw."""
    decimals = table.integer("round", minimum=0, maximum=MOST_DECIMALS)
    drawn = seeded_weights(seed, layers)
    _fill(given, {name: rounded(values, decimals, dtype) for name, values in drawn.items()}, parameters)
    names = tuple(name for name in parameters if name not in given)
    if not names:
        return None
    line, column = table.document.position((*table.place, "seed"))
    return Pending(names, seed=seed, round=decimals, line=line, column=column)


def _fill(given: Parts, values: Mapping[str, Floats], parameters: Mapping[str, Parameter]) -> None:
    """Put `values` where nothing is given yet."""
    for name, array in values.items():
        given[name] = _split(array, parameters[name], array.dtype) | given.get(name, {})


def _fill_partners(
    given: Parts, parameters: Mapping[str, Parameter], pending: Pending | None, dtype: np.dtype[np.floating]
) -> None:
    """Put zeros for each bias, or gate of one, whose partner alone is given."""
    before = {name: set(parts) for name, parts in given.items()}
    for name, parameter in parameters.items():
        if parameter.partner is None or (pending is not None and name in pending.names):
            continue
        for part in before.get(parameter.partner, set()) - before.get(name, set()):
            given.setdefault(name, {})[part] = np.zeros(parameter.part_shape(part), dtype)


def _check_complete(
    table: Table, parameters: Mapping[str, Parameter], given: Parts, pending: Pending | None
) -> bool:
    """Whether every parameter has all its parts; notes a problem naming those that do not."""
    missing: list[str] = []
    for name, parameter in parameters.items():
        parts = given.get(name, {})
        if pending is not None and name in pending.names:
            if parts:
                table.problem(
                    "file",
                    Text(
                        "`{name}`: single gates can stand beside a seed or a .safetensors file only;"
                        " give it whole",
                        name=name,
                    ),
                )
                return False
        elif not parts:
            missing.append(name)
        else:
            missing += [part for index, part in enumerate(parameter.parts) if index not in parts]
    if not missing:
        return True
    if all(name.startswith("bias_") for name in missing):
        message = Text(
            "[weights]: no values for {names}; give them, or `bias = false` in [recurrent]",
            names=listed(missing),
        )
    elif table.has("file"):
        message = not_held(missing)
    else:
        message = Text(
            "[weights]: no values for {names}; give them, or a `seed` or `file`", names=listed(missing)
        )
    table.problem("file" if table.has("file") else (), message)
    return False


def _joined(parts: Mapping[int, Floats], parameter: Parameter) -> Floats:
    if len(parameter.parts) == 1:
        return parts[0]
    return np.concatenate([parts[index] for index in range(len(parameter.parts))])
