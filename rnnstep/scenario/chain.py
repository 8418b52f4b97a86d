"""[[layers]], the long form of a network: read as the tables of the short form, each where it stands in the file.

What is there so far is one chain over one sequence: an Embedding or none, one recurrent module, and one module on its
output or none. Whatever else the long form can say is refused in a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from rnnstep.cells import MODULES
from rnnstep.language import Text
from rnnstep.modules import above_recurrent
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.modules.module import NetworkModule, SizeMisfit
from rnnstep.scenario.file.document import Document, KeyPath, Table
from rnnstep.scenario.keys import BESIDE, KEYS

TABLE = "layers"
_WIRING = ("name", "input", "add", "h_0", "c_0", "carry", "steps")
"""What the long form has beside torch's arguments."""


def as_tables(document: Document) -> Document | None:
    """Give a file's document with the tables that its [[layers]] stand for; without any as it is.

    Problems noted in one are noted in both. None where a mistake leaves unknown which tables they are.
    """
    if TABLE not in document.data:
        return document
    places = dict(_tables(document))
    if not places:
        return None
    data = {key: value for key, value in document.data.items() if key != TABLE}
    layers = document.data[TABLE]
    for table, number in places.items():
        given = layers[number]
        keeps = table == "recurrent"
        data[table] = {key: value for key, value in given.items() if keeps or key != "module"}

    def stands_at(place: KeyPath) -> KeyPath:
        if place and place[0] in places:
            return (TABLE, places[str(place[0])], *place[1:])
        return place

    read = Document(document.path, document.folder, document.text, data, document.limits, stands_at)
    read.problems, read.noted_at = document.problems, document.noted_at
    return read


def read_head(document: Document, size: int) -> NetworkModule | None:
    """Give the module on a recurrent module's output that has no table in the short form.

    Args:
        document: as `as_tables` gave it.
        size: of that output at a step.
    """
    for module in above_recurrent().values():
        table = document.table(module.key)
        if table is None:
            continue
        options = {
            one.name: str(one.type)
            for one in fields(module)  # type: ignore[arg-type]  # every module is a dataclass
            if one.name not in (*module.derived, "key")
        }
        for name in table.keys():
            if name not in options:
                table.unknown(name, tuple(options))
        given = {name: _option(table, name, kind) for name, kind in options.items() if table.has(name)}
        try:
            return module.on(size, {name: one for name, one in given.items() if one is not None}, module.key)
        except SizeMisfit as misfit:
            table.wrong(misfit.option, Text("{size}, the size of what enters", size=misfit.expected))
    return None


def _option(table: Table, name: str, kind: str) -> float | bool | None:
    """Give an option of torch's constructor; None with a problem noted."""
    match kind:
        case "bool":
            return table.boolean(name)
        case "float":
            return table.number(name)
    return table.integer(name, minimum=1)


def head_tables() -> tuple[str, ...]:
    """Give the names of the tables that `read_head` reads."""
    return tuple(module.key for module in above_recurrent().values())


def _tables(document: Document) -> Iterator[tuple[str, int]]:
    """Give the table that each of the layers stands for, and its number; notes what cannot be said so."""
    layers = document.data[TABLE]
    for other in ("recurrent", *BESIDE):
        if document.root.has(other):
            document.problem((other,), Text("[{table}] and [[layers]] exclude each other", table=other))
            return
    cure = document.data.get("cure")
    if isinstance(cure, dict) and TABLE in cure:
        document.problem(("cure", TABLE), Text("`layers`: a [cure] with other layers cannot be read yet"))
        return
    if not isinstance(layers, list) or not layers or not all(isinstance(one, dict) for one in layers):
        document.root.wrong(TABLE, Text("tables: [[layers]] with a `module` each"))
        return
    names = [_table_of(document, number, layer) for number, layer in enumerate(layers)]
    if None in names:
        return
    found = [name for name in names if name is not None]
    first = int(found[0] == Embedding.key)  # where the recurrent module is to stand
    for number, name in enumerate(found[first:], start=first):
        expected = ("recurrent",) if number == first else (Linear.key, *head_tables())
        if name not in expected or number > first + 1:
            document.problem(
                (TABLE, number, "module"),
                Text(
                    "`module`: {module} as number {number} cannot be read yet: expected an Embedding or none, one"
                    " recurrent module, and one of {heads} or none",
                    module=str(layers[number]["module"]),
                    number=number + 1,
                    heads=", ".join(sorted({Linear.torch, *above_recurrent()})),
                ),
            )
            return
    if len(found) == first:
        document.problem((TABLE,), Text("[[layers]] without a recurrent module cannot be read yet"))
        return
    yield from ((name, number) for number, name in enumerate(found))


def _table_of(document: Document, number: int, layer: Mapping[str, Any]) -> str | None:
    """Give the table that a layer stands for; None with a problem noted."""
    table = Table(document, (TABLE, number), dict(layer))
    own = document.data.get("cell")
    recurrent = (*MODULES, *(own if isinstance(own, dict) else ()))
    tables = {Embedding.torch: Embedding.key, **dict.fromkeys(recurrent, "recurrent")}
    heads: tuple[type[NetworkModule], ...] = (Linear, *above_recurrent().values())
    for above in heads:
        tables.setdefault(above.torch, above.key)  # a cell of one's own may have its name
    if not table.has("module"):
        table.missing("module", Text("one of {choices}", choices=", ".join(tables)))
        return None
    module = table.choice("module", tuple(tables))
    if module is None:
        return None
    for key in _not_there_yet(tables[module], layer):
        table.problem(key, Text("`{key}`: names and wires of [[layers]] cannot be read yet", key=key))
        return None
    return tables[module]


def _not_there_yet(table: str, layer: Mapping[str, Any]) -> Iterable[str]:
    """Give the keys of a layer that are the long form's own."""
    options = KEYS.get(table, ())
    own = [key for key in _WIRING if key in layer and key not in options]
    tied = [key for key in ("weight", "bias") if isinstance(layer.get(key), str)]
    return (*own, *tied, *(["from"] if "from" in layer else []))
