"""What each of [[layers]] reads: `input`, `add`, `h_0`, `c_0`, by the names that the file gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast, get_args

from rnnstep.language import Text
from rnnstep.network.description import INPUT, Circle, Reads, Value, ValueOf, Wiring, in_order
from rnnstep.scenario.file.document import Document, KeyPath, Table, listed
from rnnstep.scenario.keys import closest

STATES = {"h_0": "h", "c_0": "c"}
KEYS = ("input", "add", *STATES)
"""What says what a layer reads."""
VALUES: tuple[Value, ...] = get_args(Value)
_NOT_YET: tuple[Value, ...] = ("h_prev",)


@dataclass(frozen=True)
class LayerReads:
    """What one layer reads, in the names of the file.

    Attributes:
        inputs: side by side; None where a mistake leaves them unknown.
        adds: what is added to what it gives.
        states: its first states.
    """

    inputs: tuple[ValueOf, ...] | None
    adds: tuple[ValueOf, ...] = ()
    states: Mapping[str, ValueOf] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_said_short(self) -> bool:
        """Whether nothing is added, and no first state is another layer's."""
        return not self.adds and not self.states


def read_wires(
    document: Document, places: Sequence[KeyPath], layers: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[LayerReads]:
    """Give what each layer reads; without `input` what the one before it gives, the first one the input.

    Args:
        document: the file.
        places: where each layer stands.
        layers: their tables.
        names: what they are called.
    """
    found = []
    for number, (place, layer) in enumerate(zip(places, layers, strict=True)):
        table = Table(document, place, dict(layer))
        inputs: tuple[ValueOf, ...] | None = (ValueOf(names[number - 1] if number else INPUT),)
        if table.has("input"):
            inputs = _several(table, "input", names)
        states = {state: _one(table, key, names) for key, state in STATES.items() if table.has(key)}
        found.append(
            LayerReads(
                inputs,
                (_several(table, "add", names) or ()) if table.has("add") else (),
                MappingProxyType({state: one for state, one in states.items() if one is not None}),
            )
        )
    return found


def _several(table: Table, key: str, names: Sequence[str]) -> tuple[ValueOf, ...] | None:
    """Give the values that a key names; None with a problem noted."""
    said = table.raw(key)
    every = said if isinstance(said, list) else [said]
    if not every or not all(isinstance(one, str) for one in every):
        table.wrong(key, Text("a name, or a list of names"))
        return None
    found = [_value_of(table, key, one, names) for one in every]
    known = tuple(one for one in found if one is not None)
    return known if len(known) == len(found) else None


def _one(table: Table, key: str, names: Sequence[str]) -> ValueOf | None:
    said = table.raw(key)
    if not isinstance(said, str):
        table.wrong(key, Text("a name; arrays stand in [initial_state]"))
        return None
    return _value_of(table, key, said, names)


def _value_of(table: Table, key: str, said: str, names: Sequence[str]) -> ValueOf | None:
    name, dot, value = said.partition(".")
    known = (INPUT, *names)
    if name not in known:
        near = closest(name, known)
        text = (
            Text(
                "`{key}`: no layer is called {name}; there are {known}",
                key=key,
                name=name,
                known=listed(known),
            )
            if near is None
            else Text(
                "`{key}`: no layer is called {name}; did you mean `{guess}`?", key=key, name=name, guess=near
            )
        )
        table.problem(key, text)
        return None
    if (dot and value not in VALUES) or (name == INPUT and dot):
        values = ", ".join(f"{name}.{one}" for one in VALUES) if name != INPUT else INPUT
        table.problem(
            key, Text("`{key}`: found {said}, expected {values}", key=key, said=said, values=values)
        )
        return None
    if value in _NOT_YET:
        table.problem(key, Text("`{key}`: {said} cannot be read yet", key=key, said=said))
        return None
    return ValueOf(name, cast(Value, value) if dot else "output")


# ── what is wrong with all of them ───────────────────────────────────────────────────────────────


def check_wires(document: Document, places: Mapping[str, KeyPath], wires: Mapping[str, LayerReads]) -> bool:
    """Note modules that read one another in a circle, and those that nobody reads; whether there is an order.

    Args:
        document: the file.
        places: where each layer stands, by its name, in the file's order.
        wires: what each reads.
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
    last = list(places)[-1]
    for name, place in places.items():
        if name not in read and name != last:
            document.problem(place, Text("no layer reads {name}, and it is not the last one", name=name))
    if INPUT not in read:
        document.problem((INPUT,), Text("no layer reads `input`"))
    return True


def as_wiring(wires: Mapping[str, LayerReads]) -> Wiring:
    """Give what the layers read with what is added as a module of its own behind each, which others read in its place."""
    sums = {name: f"{name}.add" for name, one in wires.items() if one.adds}

    def redirected(one: ValueOf) -> ValueOf:
        return ValueOf(sums[one.name], one.value) if one.value == "output" and one.name in sums else one

    def entries() -> Iterator[tuple[str, Reads]]:
        for name, one in wires.items():
            states = {state: redirected(given) for state, given in one.states.items()}
            yield name, Reads(tuple(map(redirected, one.inputs or ())), MappingProxyType(states))
            if one.adds:
                yield sums[name], Reads((ValueOf(name), *map(redirected, one.adds)))

    return MappingProxyType(dict(entries()))
