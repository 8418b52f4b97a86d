"""What [[layers]] are made into: modules, what each reads, and whether the sizes go together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from rnnstep.language import Text
from rnnstep.modules.addition import Addition
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import Reads, ValueOf, Wiring
from rnnstep.scenario.chain import Chain, ChainLayer
from rnnstep.scenario.file.document import Document, listed
from rnnstep.scenario.keys import closest
from rnnstep.scenario.model import wired_in_a_chain
from rnnstep.scenario.wiring import as_wiring

Modules = Mapping[str, NetworkModule | None]
"""Modules by the names of their layers; None is one with a mistake in it."""
Sizes = Mapping[str, int | None]
"""How many numbers each x_t has, by its sequence; and each state of the step before, by `NAME.h_prev`."""


def size_entering(document: Document, layer: ChainLayer, modules: Modules, given: Sizes) -> int | None:
    """Give how many numbers a layer reads at a step; None where that is not known.

    Args:
        document: as `as_tables` gave it.
        layer: which.
        modules: those that it reads, and others.
        given: how many numbers each x_t of a sequence has, None where it has indices or that is not known; of what is read
            of the step before, too, by that name.
    """
    sizes = [size_of(document, layer, "input", one, modules, given) for one in layer.reads.inputs or ()]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def size_of(
    document: Document, layer: ChainLayer, key: str, one: ValueOf, modules: Modules, given: Sizes
) -> int | None:
    """Give how many numbers one of the values that a layer reads has; notes a state that there is not."""
    if str(one) in given:  # a sequence, or the state of the step before
        return given[str(one)]
    module = modules.get(one.name)
    if module is None or one.value == "h_prev":
        return None
    if one.value in ("output", "last"):
        return module.size
    sizes = module.final_sizes if isinstance(module, Recurrent) else {}
    if one.value in sizes:
        return sizes[one.value]
    kind = module.module if isinstance(module, Recurrent) else module.torch
    text = Text(
        "`{key}`: {said}: {module} has no {value}", key=key, said=str(one), module=kind, value=one.value
    )
    document.problem((*layer.place, key), text)
    return None


def network(
    document: Document, chain: Chain, modules: Modules, given: Sizes
) -> tuple[tuple[NetworkModule, ...], Wiring | None] | None:
    """Give all modules in the file's order, and what each reads (None in a chain); None where one is missing."""
    every = [modules.get(layer.name) for layer in chain.layers]
    known = {layer.name: one for layer, one in zip(chain.layers, every, strict=True) if one is not None}
    if not chain.is_whole or len(known) < len(every):
        return None
    known = {
        layer.name: _tied(document, layer, known, {one.name: one.ties for one in chain.layers})
        for layer in chain.layers
    }
    found: list[NetworkModule] = []
    for layer in chain.layers:
        found.append(known[layer.name])
        if layer.reads.adds:
            _check_sum(document, layer, known, given)
            found.append(Addition(known[layer.name].size, f"{layer.name}.add"))
    for layer in chain.layers:
        _check_first_states(document, layer, known)
    keys = {name: module.key for name, module in known.items()}
    wiring = as_wiring(chain.wires)

    def by_key(one: ValueOf) -> ValueOf:
        return ValueOf(keys.get(one.name, one.name), one.value)

    wires = {
        keys.get(name, name): Reads(
            tuple(map(by_key, reads.inputs)),
            {state: by_key(one) for state, one in reads.states.items()},
            tuple(map(by_key, reads.banks)),
            begins=name in known and known[name].changes_steps,
        )
        for name, reads in wiring.items()
    }
    is_chain = wires == dict(wired_in_a_chain(found)) and all(one.value_read == "output" for one in found)
    return tuple(found), None if is_chain else MappingProxyType(wires)


def _check_sum(
    document: Document, layer: ChainLayer, modules: Mapping[str, NetworkModule], given: Sizes
) -> None:
    """Note what cannot be added to what a layer gives, as its size is another."""
    size = modules[layer.name].size
    for one in layer.reads.adds:
        found = size_of(document, layer, "add", one, modules, given)
        if found is not None and found != size:
            text = Text(
                "`add`: {other} gives {found} numbers, {name} gives {size}",
                other=str(one),
                found=found,
                name=layer.name,
                size=size,
            )
            document.problem((*layer.place, "add"), text)


def _check_first_states(document: Document, layer: ChainLayer, modules: Mapping[str, NetworkModule]) -> None:
    """Note first states that a module has no room for, with both shapes."""
    module = modules[layer.name]
    for state, one in layer.reads.states.items():
        key = f"{state}_0"
        sizes = module.state_sizes if isinstance(module, Recurrent) else {}
        if not isinstance(module, Recurrent) or state not in sizes:
            kind = module.module if isinstance(module, Recurrent) else module.torch
            document.problem(
                (*layer.place, key), Text("`{key}`: {module} has no such state", key=key, module=kind)
            )
            continue
        if module.carry:
            text = Text(
                "`{key}`: with `carry` the state comes from the window before; leave one of the two out",
                key=key,
            )
            document.problem((*layer.place, key), text)
        if size_of(document, layer, key, one, modules, {}) is None and one.name in modules:
            continue  # it has no such value, which is told
        found = _shapes_of(one, modules)
        expected = (module.num_states, sizes[state])
        if expected not in found:
            text = Text(
                "`{key}`: {said} is {found}, expected {expected}: (layers · directions, B, size)",
                key=key,
                said=str(one),
                found=" or ".join(f"({count}, B, {size})" for count, size in found) or "…",
                expected=f"({expected[0]}, B, {expected[1]})",
            )
            document.problem((*layer.place, key), text)


def _shapes_of(one: ValueOf, modules: Mapping[str, NetworkModule]) -> list[tuple[int, int]]:
    """The shapes that a value may enter a first state in: layers · directions, and numbers; whole, or what is there once a row."""
    module = modules.get(one.name)
    if module is None:
        return []
    if isinstance(module, Recurrent) and one.value in module.final_sizes:
        size = module.final_sizes[one.value]
        return list(dict.fromkeys([(module.num_states, size // module.num_directions), (1, size)]))
    return [(1, module.size)]


def _tied(
    document: Document,
    layer: ChainLayer,
    modules: Mapping[str, NetworkModule],
    chain_ties: Mapping[str, Mapping[str, str]],
) -> NetworkModule:
    """Give a layer's module with its parameters that are other layers'; notes what is no such parameter."""
    module = modules[layer.name]
    before = f"{module.key}." if module.key else ""
    own = {one.name.removeprefix(before): one for one in module.parameters}
    others = {
        (f"{name}." if not one.key else "") + parameter.name: (name, parameter)
        for name, one in modules.items()
        if name != layer.name
        for parameter in one.parameters
    }
    tied: list[tuple[str, str]] = []
    for key, said in layer.ties.items():
        place = (*layer.place, key)
        if key not in own:
            document.problem(place, Text("`{key}`: {name} has no such parameter", key=key, name=layer.name))
            continue
        if said not in others:
            near = closest(said, others)
            known = listed(others) if near is None else near
            text = Text(
                "`{key}`: no other layer has a parameter {said}; there are {known}",
                key=key,
                said=said,
                known=known,
            )
            document.problem(place, text)
            continue
        name, parameter = others[said]
        if said.removeprefix(f"{name}.") in chain_ties.get(name, {}):
            document.problem(
                place, Text("`{key}`: {said} is another's itself; name that", key=key, said=said)
            )
        elif parameter.shape != own[key].shape:
            text = Text(
                "`{key}`: {said} has the shape {found}, expected {expected}",
                key=key,
                said=said,
                found=str(parameter.shape),
                expected=str(own[key].shape),
            )
            document.problem(place, text)
        else:
            tied.append((own[key].name, parameter.name))
    return replace(module, tied=tuple(tied)) if tied else module
