"""What each of [[layers]] reads: `input`, `add`, `h_0`, `c_0`, by the names that the file gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple, cast, get_args

from rnnstep.language import Text
from rnnstep.modules.attention import Attention
from rnnstep.network.description import INPUT, Circle, Reads, Value, ValueOf, Wiring, in_order, sequences_read
from rnnstep.scenario.file.document import Document, KeyPath, Table, listed
from rnnstep.scenario.keys import closest

STATES = {"h_0": "h", "c_0": "c"}
KEYS = ("input", "add", *STATES)
"""What says what a layer reads."""
ATTENDS = ("query", "memory", "values")
"""The same of attention, in the place of `input`."""
VALUES: tuple[Value, ...] = get_args(Value)


@dataclass(frozen=True)
class LayerReads:
    """What one layer reads, in the names of the file.

    Attributes:
        inputs: side by side; None where a mistake leaves them unknown.
        adds: what is added to what it gives.
        states: its first states.
        banks: what it reads whole: the memory, and other values.
    """

    inputs: tuple[ValueOf, ...] | None
    adds: tuple[ValueOf, ...] = ()
    states: Mapping[str, ValueOf] = field(default_factory=lambda: MappingProxyType({}))
    banks: tuple[ValueOf, ...] = ()


def read_wires(
    document: Document,
    places: Sequence[KeyPath],
    layers: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    sequences: Sequence[str] = (),
) -> list[LayerReads]:
    """Give what each layer reads; without `input` what the one before it gives, the first one the input.

    Args:
        document: the file.
        places: where each layer stands.
        layers: their tables.
        names: what they are called.
        sequences: what the sequences beside the first are called.
    """
    found = []
    known = Known((INPUT, *sequences), tuple(names))
    for number, (place, layer) in enumerate(zip(places, layers, strict=True)):
        table = Table(document, place, dict(layer))
        inputs: tuple[ValueOf, ...] | None = (ValueOf(names[number - 1] if number else INPUT),)
        banks: tuple[ValueOf, ...] = ()
        if layer.get("module") == Attention.torch:
            inputs, banks = _attended(table, known)
        elif table.has("input"):
            inputs = _several(table, "input", known)
        states = {state: _one(table, key, known) for key, state in STATES.items() if table.has(key)}
        found.append(
            LayerReads(
                inputs,
                (_several(table, "add", known) or ()) if table.has("add") else (),
                MappingProxyType({state: one for state, one in states.items() if one is not None}),
                banks,
            )
        )
    return found


class Known(NamedTuple):
    """What may be read, by its name."""

    sequences: tuple[str, ...]
    layers: tuple[str, ...]


def _attended(table: Table, known: Known) -> tuple[tuple[ValueOf, ...] | None, tuple[ValueOf, ...]]:
    """Give what attention is asked with, and what it looks at: the memory, and the values where they are others."""
    if table.has("input"):
        table.problem("input", Text("`input`: attention reads `query` and `memory`, and `values` if others"))
    for key in ATTENDS[:2]:
        if not table.has(key):
            table.missing(key, Text("the name of a layer"))
    read = {key: _one(table, key, known) for key in ATTENDS if table.has(key)}
    banks = []
    for key in ATTENDS[1:]:
        one = read.get(key)
        if one is not None and (one.name in known.sequences or one.value != "output"):
            table.wrong(key, Text("the name of a layer, every step of which is looked at"))
            read[key] = None
        elif one is not None:
            banks.append(one)
    query = read.get("query")
    is_whole = query is not None and len(banks) == len(read) - 1 >= 1
    return ((query,) if is_whole and query is not None else None), tuple(banks)


def _several(table: Table, key: str, known: Known) -> tuple[ValueOf, ...] | None:
    """Give the values that a key names; None with a problem noted."""
    said = table.raw(key)
    every = said if isinstance(said, list) else [said]
    if not every or not all(isinstance(one, str) for one in every):
        table.wrong(key, Text("a name, or a list of names"))
        return None
    found = [_value_of(table, key, one, known) for one in every]
    whole = tuple(one for one in found if one is not None)
    return whole if len(whole) == len(found) else None


def _one(table: Table, key: str, known: Known) -> ValueOf | None:
    said = table.raw(key)
    if not isinstance(said, str):
        expected = Text("a name; arrays stand in [initial_state]") if key in STATES else Text("a name")
        table.wrong(key, expected)
        return None
    return _value_of(table, key, said, known)


def _value_of(table: Table, key: str, said: str, there: Known) -> ValueOf | None:
    name, dot, value = said.partition(".")
    known = (*there.sequences, *there.layers)
    if name not in known:
        table.problem(key, unknown_layer(key, name, known))
        return None
    is_sequence = name in there.sequences
    if dot and (is_sequence or value not in VALUES):
        values = name if is_sequence else ", ".join(f"{name}.{one}" for one in VALUES)
        table.problem(
            key, Text("`{key}`: found {said}, expected {values}", key=key, said=said, values=values)
        )
        return None
    return ValueOf(name, cast(Value, value) if dot else "output")


def unknown_layer(key: str, name: str, known: Sequence[str]) -> Text:
    """Say that no layer has a name, and which was likely meant, or which there are."""
    near = closest(name, known)
    if near is None:
        return Text(
            "`{key}`: no layer is called {name}; there are {known}",
            key=key,
            name=name,
            known=listed(tuple(known)),
        )
    return Text("`{key}`: no layer is called {name}; did you mean `{guess}`?", key=key, name=name, guess=near)


# ── what is wrong with all of them ───────────────────────────────────────────────────────────────


def check_wires(
    document: Document,
    places: Mapping[str, KeyPath],
    wires: Mapping[str, LayerReads],
    sequences: Sequence[str] = (),
    *,
    scored: str = "",
) -> bool:
    """Note modules that read one another in a circle, and those that nobody reads; whether there is an order.

    Args:
        document: the file.
        places: where each layer stands, by its name, in the file's order.
        wires: what each reads.
        sequences: what the sequences beside the first are called.
        scored: the one whose output a loss reads.
    """
    wiring = as_wiring(wires)
    try:
        in_order(wiring)
    except Circle as circle:
        names = list(dict.fromkeys(key.removesuffix(".add") for key in circle.keys))
        text = Text(
            "{name} reads itself at the same step: {path}; a value of the step before is NAME.h_prev",
            name=names[0],
            path=" → ".join((*names, names[0])),
        )
        document.problem(places[names[0]], text)
        return False
    read = {one.name for reads in wiring.values() for one in reads.sources}
    ends = {scored, list(places)[-1]}
    for name, place in places.items():
        if name not in read and name not in ends:
            document.problem(place, Text("no layer reads {name}, and it is not the last one", name=name))
    if INPUT not in read:
        document.problem((INPUT,), Text("no layer reads `input`"))
    for name in sequences:
        if name not in read:
            document.problem((INPUT, name), Text("no layer reads [input.{name}]", name=name))
    are_along_one = [_is_along_one(document, place, name, wiring) for name, place in places.items()]
    return all(are_along_one)


def _is_along_one(document: Document, place: KeyPath, name: str, wiring: Wiring) -> bool:
    """Whether all that a layer reads at each of its steps has the same steps; notes it where not."""
    read = dict.fromkeys(
        found for key in (name, f"{name}.add") if key in wiring for found in sequences_read(key, wiring)
    )
    if len(read) < 2:
        return True
    text = Text(
        "{name} reads {sequences} at the same step, whose steps are their own; NAME.h_n belongs to no step",
        name=name,
        sequences=listed(tuple(read)),
    )
    document.problem(place, text)
    return False


def as_wiring(wires: Mapping[str, LayerReads]) -> Wiring:
    """Give what the layers read with what is added as a module of its own behind each, which others read in its place."""
    sums = {name: f"{name}.add" for name, one in wires.items() if one.adds}

    def redirected(one: ValueOf) -> ValueOf:
        return ValueOf(sums[one.name], one.value) if one.value == "output" and one.name in sums else one

    def entries() -> Iterator[tuple[str, Reads]]:
        for name, one in wires.items():
            states = {state: redirected(given) for state, given in one.states.items()}
            banks = tuple(map(redirected, one.banks))
            yield name, Reads(tuple(map(redirected, one.inputs or ())), MappingProxyType(states), banks)
            if one.adds:
                yield sums[name], Reads((ValueOf(name), *map(redirected, one.adds)))

    return MappingProxyType(dict(entries()))
