"""Finding a scenario's parameters among the names of a state_dict, whatever its model called the modules."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.scenario.file.document import listed, shown, shown_shape
from rnnstep.scenario.model import Floats
from rnnstep.scenario.weights.parameters import partner_of
from rnnstep.scenario.weights.stored_tensors import Stored, load_stored, stored_tensors, unwrapped

RECURRENT = "recurrent"
MOST_MODULES = 8  # named where several could be meant
_OF_RECURRENT = re.compile(r"(weight|bias)_(ih|hh|hr)(_l\d+)?(_reverse)?")

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a state_dict gave: values under the scenario's names, and what was wrong."""

    values: Mapping[str, Floats]
    keys: Mapping[str, tuple[str, ...]]  # of each of these that the file has, its keys there (`Stored.keys`)
    missing: tuple[str, ...]  # what the file has not; `not_held` says so
    problems: tuple[Text, ...]


@dataclass(slots=True)
class _Search:
    """The names and shapes of a file, and the keys found in it so far."""

    available: Mapping[str, Shape]  # under the names that the model's own modules give
    wanted: Mapping[str, Shape]
    prefixes: Mapping[str, str]
    kept: frozenset[str] = frozenset()
    found: dict[str, str] = field(default_factory=dict)  # wanted name → key in the file
    second_biases: list[str] = field(default_factory=list)  # keys of what is zeros where there is one bias
    problems: list[Text] = field(default_factory=list)


def take(
    available: Mapping[str, Shape],
    load: Callable[[str], NDArray[np.generic]],
    wanted: Mapping[str, Shape],
    prefixes: Mapping[str, str],
    dtype: np.dtype[np.floating],
    but: frozenset[str] = frozenset(),
) -> Taken:
    """Take a scenario's parameters out of a state_dict.

    What stands before a parameter's own name (`rnn.`, `model.decoder.`) is found
    from the names, then from the shapes; what wraps a model is left out of names and weights under `weight_norm` are
    computed (`stored_tensors`); what more than one module of the file
    could be is a problem, and so is a parameter of the recurrent module that the
    scenario's has not; but of one with `bias = "ih"` the other bias may be there as zeros. A bias whose partner alone is given is zeros.

    Args:
        available: Name and shape of each tensor in the file.
        load: Gives one of them; called only for what has the right shape.
        wanted: Name and shape of every parameter of the scenario (`parameter_shapes`).
        prefixes: From `[weights.prefix]`: "recurrent", or a module beside it → prefix.
        dtype: What the values are converted to.
        but: Names that the scenario gives itself.
    """
    modules = dict.fromkeys(name.rpartition(".")[0] for name in wanted)
    stored = stored_tensors(available, modules.keys())
    shapes = {name: one.shape for name, one in stored.items()}
    search = _Search(shapes, wanted, prefixes, frozenset(modules))
    recurrent = [module for module in modules if not module or _is_recurrent(module, wanted)]
    prefix: str | None = None
    for module in recurrent:
        prefix = _find_recurrent(search, module, prefixes.get(module or RECURRENT))
    for module in modules:
        if module not in recurrent:
            _find_module(search, module, prefixes.get(module), prefix or "")
    values: dict[str, Floats] = {}
    missing: list[str] = []
    given = search.found.keys() | but
    for name, shape in wanted.items():
        if name in but:
            continue
        key = search.found.get(name)
        if key is None and partner_of(name, wanted) in given:
            values[name] = np.zeros(shape, dtype)
        elif key is None:
            missing.append(name)
        elif (problem := _problem(stored[key], name, shape)) is not None:
            search.problems.append(problem)
        else:
            values[name] = as_dtype(load_stored(stored[key].keys, load, dtype), dtype)
    for key in search.second_biases:
        if np.any(load_stored(stored[key].keys, load, dtype)):
            text = Text('`file`: {key} is not zeros; with `bias = "ih"` there is one bias', key=shown(key))
            search.problems.append(text)
    keys = {name: stored[key].keys for name, key in search.found.items() if name in values}
    return Taken(values, keys, tuple(missing), tuple(search.problems))


def _is_recurrent(module: str, wanted: Iterable[str]) -> bool:
    """Whether a named module is a recurrent one: others have a weight, or running statistics alone."""
    return not any(f"{module}.{name}" in wanted for name in ("weight", "running_mean"))


def not_held(names: Iterable[str]) -> Text:
    """Say which parameters a file has not."""
    return Text("`file`: it holds no {names}; give them as arrays", names=listed(names))


def as_dtype(values: NDArray[np.generic], dtype: np.dtype[np.floating]) -> Floats:
    """Convert numbers to `dtype`; what is too large for it becomes infinite, as in torch."""
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def wrong_shape(name: str, found: Shape, expected: Shape, words: str) -> Text:
    """Say that a parameter has another shape than torch's, and whether turning it round would help."""
    values = {"name": name, "found": shown_shape(found), "expected": shown_shape(expected), "words": words}
    if len(found) == 2 and found[::-1] == expected:
        return Text(
            "`{name}`: found shape {found}, expected {expected}, that is {words}: transpose it"
            " (in torch each row belongs to one output)",
            **values,
        )
    return Text("`{name}`: found shape {found}, expected {expected}, that is {words}", **values)


def _problem(stored: Stored, name: str, expected: Shape) -> Text | None:
    """Why a tensor cannot be a parameter, if it cannot."""
    if stored.problem is not None:
        return stored.problem
    if stored.shape == expected:
        return None
    return Text(
        "`file`: {key} has shape {found}, expected {expected} for `{name}`",
        key=shown(stored.keys[-1]),
        found=shown_shape(stored.shape),
        name=name,
        expected=shown_shape(expected),
    )


def _find_recurrent(search: _Search, module: str, given: str | None) -> str | None:
    """Find a recurrent module's parameters, those of the only one without a name for ""; give the prefix they stand under."""
    before = f"{module}." if module else ""
    names = [name.removeprefix(before) for name in search.wanted if name.rpartition(".")[0] == module]
    candidates = _prefixes_of(search.available, names) if given is None else _written(search, given)
    held = {prefix: _held(search, prefix, names, before) for prefix in candidates}
    held = {prefix: keys for prefix, keys in held.items() if keys}
    if not held:
        if given is not None:
            search.problems.append(_no_prefix(search, module or RECURRENT, given, names))
        return None
    if given is not None:  # as it is written goes before what it may have meant
        held = dict(itertools.islice(held.items(), 1))
    best = max(map(len, held.values()))
    fitting = [prefix for prefix, keys in held.items() if len(keys) == best]
    if module:
        fitting = [prefix for prefix in held if prefix.split(".")[-2:-1] == [module]] or fitting
    if len(fitting) > 1:
        right = [prefix for prefix in fitting if _fits(search, held[prefix])]
        fitting = right or fitting
    if (
        len(fitting) > 1
    ):  # of an encoder of two layers and a decoder of one, a scenario of one layer means the decoder
        sizes = Counter(_prefix(key) for key in search.available if _is_of_recurrent(key))
        fitting = [prefix for prefix in fitting if sizes[prefix] == best] or fitting
    if len(fitting) > 1:
        first = next(name for name in search.wanted if name.rpartition(".")[0] == module)
        search.problems.append(_several(search, module or RECURRENT, fitting, first))
        return None
    prefix = fitting[0]
    search.found.update(held[prefix])
    used = set(held[prefix].values())
    others = [
        key
        for key in search.available
        if key not in used and key.startswith(prefix) and _OF_RECURRENT.fullmatch(key[len(prefix) :])
    ]
    if any(name.startswith("bias_ih") for name in names) and not any(
        name.startswith("bias_hh") for name in names
    ):
        search.second_biases += [key for key in others if _is_second_bias(search, key, used)]
        others = [key for key in others if key not in search.second_biases]
    if others:
        search.problems.append(
            Text(
                "`file`: it holds {others} too, which the module of this scenario has not"
                " (num_layers, bidirectional, bias, proj_size?)",
                others=listed(others),
            )
        )
    return prefix


def _is_second_bias(search: _Search, key: str, used: set[str]) -> bool:
    """Whether a tensor is the other bias beside one that was found, and as long."""
    first = key.replace("bias_hh", "bias_ih")
    return first != key and first in used and search.available[first] == search.available[key]


def _prefixes_of(available: Iterable[str], names: list[str]) -> list[str]:
    """Give what stands before any of `names`, as a whole word, in the keys of a file."""
    endings = {ending: None for name in names for ending in _spellings(name)}
    prefixes: dict[str, None] = {}
    for key in available:
        if key.rpartition(".")[2] in endings:
            prefixes[_prefix(key)] = None
    return list(prefixes)


def _prefix(key: str) -> str:
    """Give what stands before a parameter's own name."""
    module, dot, _ = key.rpartition(".")
    return module + dot


def _is_of_recurrent(key: str) -> bool:
    """Whether a key's own name is one of a recurrent module's."""
    return _OF_RECURRENT.fullmatch(key.rpartition(".")[2]) is not None


def _spellings(name: str) -> tuple[str, ...]:
    """Give a parameter's names: a cell's may come from a whole module, with `_l0`."""
    is_cells = _OF_RECURRENT.fullmatch(name) is not None and "_l" not in name
    return (name, f"{name}_l0") if is_cells else (name,)


def _written(search: _Search, prefix: str) -> list[str]:
    """Give a prefix as it may have been meant: `rnn` for `rnn.`, with what wraps a model and without."""
    meant = [prefix] if not prefix or prefix.endswith(".") else [f"{prefix}.", prefix]
    return list(dict.fromkeys([*meant, *(unwrapped(one, search.kept) for one in meant)]))


def _held(search: _Search, prefix: str, names: Iterable[str], before: str) -> dict[str, str]:
    keys: dict[str, str] = {}
    for name in names:
        for spelling in _spellings(name):
            if prefix + spelling in search.available:
                keys.setdefault(before + name, prefix + spelling)
    return keys


def _fits(search: _Search, keys: Mapping[str, str]) -> bool:
    return all(search.available[key] == search.wanted[name] for name, key in keys.items())


def _find_module(search: _Search, module: str, given: str | None, recurrent: str) -> None:
    """Find the weight, and bias, of a module beside the recurrent one: by its name, else by its shape."""
    names = [name for name in search.wanted if name.startswith(f"{module}.")]
    own_names = [name.removeprefix(f"{module}.") for name in names]
    if given is not None:
        held = [prefix for prefix in _written(search, given) if f"{prefix}weight" in search.available]
        if not held:
            search.problems.append(_no_prefix(search, module, given, own_names))
            return
    else:
        held = _module_prefixes(search, module, recurrent)
    if len(held) > 1 and given is None:
        search.problems.append(_several(search, module, held, f"{module}.weight"))
    elif held:
        keys = {name: held[0] + own for name, own in zip(names, own_names, strict=True)}
        search.found.update({name: key for name, key in keys.items() if key in search.available})


def _module_prefixes(search: _Search, module: str, recurrent: str) -> list[str]:
    prefixes = [key.removesuffix("weight") for key in search.available if _is_own_weight(key)]
    by_name = [prefix for prefix in prefixes if prefix.split(".")[-2:-1] == [module]]
    wanted = search.wanted[f"{module}.weight"]
    has_bias = f"{module}.bias" in search.wanted
    by_shape = [
        prefix
        for prefix in by_name or prefixes
        if search.available[f"{prefix}weight"] == wanted and (f"{prefix}bias" in search.available) == has_bias
    ]
    fitting = by_shape or by_name
    near = recurrent.split(".")
    nearest = max((_shared_parts(prefix, near) for prefix in fitting), default=0)
    return [prefix for prefix in fitting if _shared_parts(prefix, near) == nearest]


def _shared_parts(prefix: str, other: Sequence[str]) -> int:
    """Count the modules that two prefixes have in common, from the outermost: decoder.rnn., decoder.fc."""
    pairs = zip(prefix.split("."), other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _is_own_weight(key: str) -> bool:
    return key.rpartition(".")[2] == "weight"


def _several(search: _Search, module: str, prefixes: list[str], first: str) -> Text:
    """Say which modules of the file could be the one that is wanted, and the line that chooses; `first` is a parameter of it."""
    own = first.rpartition(".")[2]
    from rnnstep.scenario.file.change_toml import string_text  # and with it tomlkit

    listing = ", ".join(_with_shape(search, prefix, own) for prefix in prefixes[:MOST_MODULES])
    chosen = {**search.prefixes, module: prefixes[0].removesuffix(".")}
    line = ", ".join(f"{key} = {string_text(prefix)}" for key, prefix in chosen.items())
    return Text(
        "`file`: several modules in it could be the {module} one: {prefixes}; expected one of shape {expected}; choose in"
        " [weights], as in: prefix = {line}",
        module=module,
        prefixes=listing + (", …" if len(prefixes) > MOST_MODULES else ""),
        expected=f"{own} {shown_shape(search.wanted[first])}",
        line=f"{{{line}}}",
    )


def _with_shape(search: _Search, prefix: str, own: str) -> str:
    """Name a module of the file, and the shape of one of its parameters."""
    name, shapes = prefix.removesuffix("."), search.available
    held = next(
        (f"{prefix}{spelling}" for spelling in _spellings(own) if f"{prefix}{spelling}" in shapes), ""
    )
    return f"{listed([name])} {shown_shape(shapes[held])}" if held else listed([name])


def _no_prefix(search: _Search, module: str, prefix: str, names: list[str]) -> Text:
    held = [one.removesuffix(".") for one in _prefixes_of(search.available, names)]
    key = shown(prefix + names[0])
    if not held:
        return Text("`{module}`: the file holds no {key}", module=module, key=key)
    return Text(
        "`{module}`: the file holds no {key}; what it holds of that kind stands under {prefixes}",
        module=module,
        key=key,
        prefixes=listed(held[:MOST_MODULES]) + (", …" if len(held) > MOST_MODULES else ""),
    )
