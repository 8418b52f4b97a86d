"""`NAME.h_prev`, the state of the step before: whose there is, how large it is, and which circles can be stepped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rnnstep.cells.cell import Cell
from rnnstep.language import Text
from rnnstep.modules import above_recurrent
from rnnstep.modules.attention import Attention
from rnnstep.network.description import FINAL, ValueOf, loops
from rnnstep.scenario.chain import RECURRENT, Chain, ChainLayer
from rnnstep.scenario.file.document import Document, Table
from rnnstep.scenario.wired_modules import Sizes
from rnnstep.scenario.wiring import ATTENDS, STATES, as_wiring

FED_BACK = "h_prev"


def sizes_read(document: Document, chain: Chain, own: Mapping[str, Cell | None], given: Sizes) -> Sizes:
    """Give how many numbers there are of what is read before any module is there: of sequences, and of each `NAME.h_prev`.

    Notes what is read of the step before and is not there, and circles that cannot be gone through step by step.

    Args:
        document: as `chain.as_tables` gave it.
        chain: its layers.
        own: the cells of the file's own; None is one with a mistake in it.
        given: how many numbers each x_t of a sequence has.
    """
    _check(document, chain)
    read = {one.name for layer in chain.layers for _, one in _read(layer) if one.value == FED_BACK}
    layers = [chain.by_name[name] for name in chain.by_name if name in read]
    fed_back = {
        f"{one.name}.{FED_BACK}": _size(document, one, own) for one in layers if one.kind == RECURRENT
    }
    return {**given, **fed_back}


def _size(document: Document, layer: ChainLayer, own: Mapping[str, Cell | None]) -> int | None:
    """Give how many numbers the first state has; None where that is not known, which is told there or here."""
    sizes = {name: layer.options.get(name, 0) for name in ("input_size", "hidden_size", "proj_size")}
    if not all(type(size) is int and size >= 0 for size in sizes.values()):
        return None
    cell = own.get(str(layer.options.get("module")))
    if cell is None:
        return sizes["proj_size"] or sizes["hidden_size"] or None
    size = next(
        iter(cell.state_sizes(sizes["input_size"], sizes["hidden_size"], sizes["proj_size"]).values())
    )
    if not size and sizes["hidden_size"]:
        table = Table(document, layer.place, dict(layer.options))
        table.missing("input_size", Text("a whole number ≥ {minimum}", minimum=1))
    return size or None


def _check(document: Document, chain: Chain) -> None:
    before = len(document.problems)
    for layer in chain.layers:
        for key, one in _read(layer):
            if one.value == FED_BACK:
                _check_value(document, chain, layer, key, one)
    if not chain.is_whole or len(document.problems) > before:
        return
    for keys in loops(as_wiring(chain.wires)):
        names = [name for name in keys if name in chain.by_name]
        for name in names:
            _check_in_circle(document, chain.by_name[name], names)


def _read(layer: ChainLayer) -> Iterator[tuple[str, ValueOf]]:
    """What a layer reads, and the keys that say so."""
    reads = layer.reads
    for one in reads.inputs or ():
        yield (ATTENDS[0] if layer.kind == Attention.key else "input"), one
    yield from (("add", one) for one in reads.adds)
    named = {state: key for key, state in STATES.items()}
    yield from ((named[state], one) for state, one in reads.states.items())
    yield from zip(ATTENDS[1:], reads.banks, strict=False)


def _check_value(document: Document, chain: Chain, layer: ChainLayer, key: str, one: ValueOf) -> None:
    """Note a value of the step before that a layer cannot read."""
    source, place = chain.by_name.get(one.name), (*layer.place, key)
    if source is not None and source.kind != RECURRENT:
        text = Text(
            "`{key}`: {said}: {name} is no recurrent module, which alone has a state of the step before",
            key=key,
            said=str(one),
            name=one.name,
        )
        document.problem(place, text)
    elif source is not None and source.options.get("bidirectional") is True:
        text = Text(
            "`{key}`: {said}: {name} goes in both directions, and is not called step by step",
            key=key,
            said=str(one),
            name=one.name,
        )
        document.problem(place, text)
    elif key in STATES:
        text = Text(
            "`{key}`: {said} is another at each step, and a first state is there once", key=key, said=str(one)
        )
        document.problem(place, text)


def _check_in_circle(document: Document, layer: ChainLayer, names: Sequence[str]) -> None:
    """Note what keeps a layer from being computed one step after the other, which a circle is."""
    for key, one in _read(layer):
        if one.name in names and (one.value in FINAL or key in (*STATES, *ATTENDS[1:])):
            text = Text(
                "`{key}`: {said} is there when all steps are over, and {name} gives what {other} reads at each of them",
                key=key,
                said=str(one),
                name=layer.name,
                other=one.name,
            )
            document.problem((*layer.place, key), text)
    windows = {module.key for module in above_recurrent().values() if module.reads_steps}
    if layer.kind in windows or layer.options.get("bidirectional") is True:
        text = Text(
            "{name} reads later steps, and stands in a circle of steps, one after the other: {names}",
            name=layer.name,
            names=", ".join(names),
        )
        document.problem(layer.place, text)
