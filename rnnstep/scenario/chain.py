"""[[layers]], the long form of a network over one sequence: each module on what the one before gives, or on what it names.

A chain that the short form can say is read as the tables of the short form, each where it stands in the file. Whatever
else the long form can say is refused in a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from rnnstep.cells import MODULES
from rnnstep.language import Text
from rnnstep.modules import above_recurrent
from rnnstep.modules.attention import Attention
from rnnstep.modules.batchnorm import BatchNorm1d
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.network.description import INPUT, ValueOf, in_order
from rnnstep.scenario.data.sequences import sequence_names
from rnnstep.scenario.file.document import Document, KeyPath, Table, shown
from rnnstep.scenario.keys import BESIDE, KEYS, MOST_LETTERS, NAME, READS_STEPS, RESERVED
from rnnstep.scenario.options import options_of
from rnnstep.scenario.sizes_that_follow import with_sizes_that_follow
from rnnstep.scenario.wiring import ATTENDS, LayerReads, as_wiring, check_wires, read_wires
from rnnstep.scenario.wiring import KEYS as WIRES

TABLE = "layers"
RECURRENT = "recurrent"
MODE = ("mode", "dropout_seed")
"""Keys above all tables that are of all modules of a chain."""
_NOT_YET = ("steps",)
"""What the long form has beside torch's arguments, and cannot be read yet."""


@dataclass(frozen=True)
class ChainLayer:
    """One of [[layers]].

    Attributes:
        number: from 0.
        kind: the table of the short form that it would be: "recurrent", "embedding", "linear", "layernorm" …
        name: what it is called.
        is_named: whether the file says so; else it is torch's name in lower case.
        options: its keys but for `module`, `name`, and those that say what it reads.
        reads: what it reads.
        ties: its parameters that are other layers': weight → "embed.weight".
    """

    number: int
    kind: str
    name: str
    is_named: bool
    options: Mapping[str, Any]
    reads: LayerReads
    ties: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> KeyPath:
        """Where it stands in the file."""
        return (TABLE, self.number)


@dataclass(frozen=True)
class Chain:
    """What [[layers]] say.

    Attributes:
        layers: in the file's order; those with a mistake that leaves unknown what they are are missing.
        is_whole: whether none is missing, and all can be computed in some order.
        sequences: the names of those beside the first.
        scored: the name of the one whose output is compared with what is wanted.
        is_training: whether the modules are in training mode.
    """

    layers: tuple[ChainLayer, ...]
    is_whole: bool
    sequences: tuple[str, ...] = ()
    scored: str = ""
    is_training: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, ChainLayer]:
        """Each layer under its name."""
        return {layer.name: layer for layer in self.layers}

    @property
    def wires(self) -> dict[str, LayerReads]:
        """What each layer reads, by its name."""
        return {layer.name: layer.reads for layer in self.layers}

    @property
    def in_order(self) -> list[ChainLayer]:
        """The layers, each behind those that it reads; in the file's order where that is not known."""
        if not self.is_whole:
            return list(self.layers)
        return [self.by_name[name] for name in in_order(as_wiring(self.wires)) if name in self.by_name]

    def below(self, layer: ChainLayer) -> ChainLayer | None:
        """The layer whose output is all that a layer reads; None where there is none such."""
        alone = _alone(layer.reads.inputs)
        return None if alone is None else self.by_name.get(alone.name)

    def above(self, layer: ChainLayer) -> ChainLayer | None:
        """The layer that alone reads a layer's output, and nothing else; None where there is none such."""
        readers = [
            one for one in self.layers if any(part.name == layer.name for part in one.reads.inputs or ())
        ]
        return readers[0] if len(readers) == 1 and _alone(readers[0].reads.inputs) else None

    @cached_property
    def _giving_scores(self) -> list[str]:
        """The layer that is scored, and those below it that give as many numbers as it does."""
        names: list[str] = []
        layer = self.by_name.get(self.scored)
        while layer is not None and layer.name not in names:
            names.append(layer.name)
            if layer.kind in (RECURRENT, Attention.key) or "out_features" in _names_of_options(layer):
                break
            layer = self.below(layer)
        return names

    def gives_scores(self, layer: ChainLayer) -> bool:
        """Whether as many numbers come out at the end as a layer gives: those behind it give as many as they read."""
        return layer.name in self._giving_scores

    @property
    def lookup(self) -> ChainLayer | None:
        """The first layer that looks up what is given as [input]."""
        return next((layer for layer in self._looking_up(INPUT)), None)

    def is_looked_up(self, sequence: str) -> bool:
        """Whether the indices of a sequence are looked up rather than made one-hot."""
        return bool(self._looking_up(sequence))

    def _looking_up(self, sequence: str) -> list[ChainLayer]:
        source = (ValueOf(sequence),)
        return [one for one in self.layers if one.kind == Embedding.key and one.reads.inputs == source]

    def layout(self, sequence: str) -> dict[str, Any]:
        """Give what is asked of the recurrent modules before they are read: how a sequence is laid out, and how large it is."""
        every = [layer.options for layer in self.recurrent]
        found = {
            key: True
            for key in ("bidirectional", "batch_first", "carry")
            if any(one.get(key) is True for one in every)
        }
        for layer in self.recurrent:
            if _alone(layer.reads.inputs) == ValueOf(sequence) and "input_size" in layer.options:
                found["input_size"] = layer.options["input_size"]
        windowed = {module.key for module in above_recurrent().values() if module.reads_steps}
        if any(layer.kind in windowed or self._reads_batch(layer) for layer in self.layers):
            found[READS_STEPS] = True
        return found

    def _reads_batch(self, layer: ChainLayer) -> bool:
        """Whether a layer takes statistics of all steps and rows."""
        return layer.kind == BatchNorm1d.key and (
            self.is_training or layer.options.get("track_running_stats") is False
        )

    @property
    def recurrent(self) -> tuple[ChainLayer, ...]:
        """Those with states."""
        return tuple(layer for layer in self.layers if layer.kind == RECURRENT)

    @property
    def is_short(self) -> bool:
        """Whether the short form can say it: one recurrent module, an embedding before it and a linear layer behind it, or none."""
        before = [INPUT, *(layer.name for layer in self.layers)]
        if any(
            one.reads != LayerReads((ValueOf(name),)) for one, name in zip(self.layers, before, strict=False)
        ):
            return False
        kinds = [layer.kind for layer in self.layers]
        first = int(kinds[:1] == [Embedding.key])
        if any(layer.ties for layer in self.layers):
            return False
        can_be_said = kinds[first:] in ([RECURRENT], [RECURRENT, Linear.key])
        return self.is_whole and can_be_said and not any(layer.is_named for layer in self.layers)


def as_tables(document: Document) -> tuple[Document, Chain | None]:
    """Give a file's document with the tables that its [[layers]] stand for, and the chain where the short form cannot say it.

    Problems noted in one are noted in both. Without [[layers]] it is the document.
    """
    if TABLE not in document.data:
        return document, None
    chain = _chain(document)
    data = {key: value for key, value in document.data.items() if key != TABLE}
    if chain.is_short and not any(key in data for key in MODE):
        placed = {layer.kind: layer for layer in chain.layers}
        for kind, layer in placed.items():
            data[kind] = dict(layer.options)
        return _seen(document, data, {kind: layer.place for kind, layer in placed.items()}), None
    places = {layer.name: layer.place for layer in chain.layers}
    if chain.lookup is not None:
        data[Embedding.key] = dict(chain.lookup.options)
        places[Embedding.key] = chain.lookup.place
    layout = chain.layout(INPUT)
    if chain.recurrent or READS_STEPS in layout:
        data[RECURRENT] = layout
        places[RECURRENT] = (*chain.recurrent, *chain.layers)[0].place
    return _seen(document, data, places), chain


def _alone(inputs: tuple[ValueOf, ...] | None) -> ValueOf | None:
    """The one output that is all that is read; None where it is another value, or one of several."""
    return inputs[0] if inputs is not None and len(inputs) == 1 and inputs[0].value == "output" else None


def _seen(document: Document, data: dict[str, Any], places: Mapping[str, KeyPath]) -> Document:
    """Give a document with other tables, each of which stands at a place of its own in the text."""

    def stands_at(place: KeyPath) -> KeyPath:
        if place and place[0] in places:
            return (*places[str(place[0])], *place[1:])
        return place

    read = Document(document.path, document.folder, document.text, data, document.limits, stands_at)
    read.problems, read.noted_at = document.problems, document.noted_at
    return read


def alone(document: Document, layer: ChainLayer, beside: ChainLayer | None) -> Document:
    """Give a document in which a layer stands as its table of the short form.

    Args:
        document: as `as_tables` gave it.
        layer: which.
        beside: the one that it reads, or that reads it, where the short form has a table of that, too.
    """
    data = {key: value for key, value in document.data.items() if key not in (RECURRENT, *BESIDE)}
    places = {layer.kind: layer.place}
    data[layer.kind] = dict(layer.options)
    if beside is not None and {beside.kind, layer.kind} == {Embedding.key, RECURRENT}:
        data[beside.kind], places[beside.kind] = dict(beside.options), beside.place
    return _seen(document, data, places)


def _names_of_options(layer: ChainLayer) -> list[str]:
    module = next((one for one in above_recurrent().values() if one.key == layer.kind), None)
    return [] if module is None else [one.name for one in options_of(module)]


def read_mode(document: Document, chain: Chain) -> tuple[str, int]:
    """Give `mode` and `dropout_seed`, which are the same for all modules: from above all tables, or from recurrent ones.

    Args:
        document: as `as_tables` gave it.
        chain: its layers.
    """
    document.root.choice("mode", ("eval", "train"))  # the others' are read with the others
    document.root.integer("dropout_seed", minimum=0)
    tables = [document.root, *(Table(document, one.place, dict(one.options)) for one in chain.recurrent)]
    mode, seed = (_same(tables, key) for key in MODE)
    return ("train" if mode == "train" else "eval"), seed if type(seed) is int and seed >= 0 else 0


def _same(tables: Sequence[Table], key: str) -> Any:
    """Give what several tables say under a key; notes those that say another thing than the first."""
    said = [(table, table.raw(key)) for table in tables if table.has(key)]
    for table, value in said[1:]:
        if value != said[0][1]:
            expected = Text("{value}, as the file says before: it is of all layers", value=shown(said[0][1]))
            table.wrong(key, expected)
    return said[0][1] if said else None


# ── what the layers are ──────────────────────────────────────────────────────────────────────────


def _chain(document: Document) -> Chain:
    """Read what each layer is and what it is called; notes what cannot be said so."""
    layers = document.data[TABLE]
    for other in (RECURRENT, *BESIDE):
        if document.root.has(other):
            document.problem((other,), Text("[{table}] and [[layers]] exclude each other", table=other))
    cure = document.data.get("cure")
    if isinstance(cure, dict) and TABLE in cure:
        document.problem(("cure", TABLE), Text("`layers`: a [cure] with other layers cannot be read yet"))
    if not isinstance(layers, list) or not layers or not all(isinstance(one, dict) for one in layers):
        document.root.wrong(TABLE, Text("tables: [[layers]] with a `module` each"))
        return Chain((), is_whole=False)
    kinds = [_kind(document, number, layer) for number, layer in enumerate(layers)]
    names = _names(document, layers)
    sequences = sequence_names(document, names)
    places: list[KeyPath] = [(TABLE, number) for number in range(len(layers))]
    reads = read_wires(document, places, layers, names, sequences)
    found = [
        ChainLayer(number, kind, name, "name" in layer, _own_options(kind, layer), wires, ties_said(layer))
        for number, (kind, name, layer, wires) in enumerate(zip(kinds, names, layers, reads, strict=True))
        if kind is not None
    ]
    fed = (INPUT, *sequences)
    _check_order(document, found, layers, fed)
    scored = _scored(document, names)
    is_whole = len(found) == len(layers) == len(set(names)) and all(
        one.reads.inputs is not None and _looks_up_indices(one, fed) for one in found
    )
    if is_whole:
        named = {one.name: one.place for one in found}
        is_whole = check_wires(
            document, named, {one.name: one.reads for one in found}, sequences, scored=scored
        )
    placed = tuple(one for one in with_sizes_that_follow(found, RECURRENT) if _looks_up_indices(one, fed))
    modes = (document.data.get("mode"), *(layer.options.get("mode") for layer in placed))
    return Chain(placed, is_whole=is_whole, sequences=sequences, scored=scored, is_training="train" in modes)


def _scored(document: Document, names: Sequence[str]) -> str:
    """Give the name of the layer whose output is compared with what is wanted: that of [loss] `of`, else the last."""
    loss = document.data.get("loss")
    of = loss.get("of") if isinstance(loss, dict) else None
    return of if isinstance(of, str) and of in names else names[-1]


def _looks_up_indices(layer: ChainLayer, fed: Sequence[str]) -> bool:
    """Whether a layer that looks up reads what is given; of any other it is so."""
    inputs = layer.reads.inputs
    return layer.kind != Embedding.key or inputs is None or inputs in [(ValueOf(name),) for name in fed]


def _own_options(kind: str, layer: Mapping[str, Any]) -> dict[str, Any]:
    own = ("name",) if kind == RECURRENT else ("name", "module")
    own = (*own, *ATTENDS) if kind == Attention.key else own
    return {
        key: value
        for key, value in layer.items()
        if key not in (*own, *WIRES, *_unread(kind, layer), *ties_said(layer))
    }


def _check_order(
    document: Document, found: Sequence[ChainLayer], layers: Sequence[Mapping[str, Any]], fed: Sequence[str]
) -> None:
    """Note modules that stand where they cannot be read."""
    recurrent = [layer for layer in found if layer.kind == RECURRENT]
    for layer in found:
        if not _looks_up_indices(layer, fed):
            document.problem(
                (*layer.place, "module"),
                Text(
                    "`module`: {module} as number {number}: it looks up what is given, and stands first or has"
                    ' `input = "input"`',
                    module=str(layers[layer.number]["module"]),
                    number=layer.number + 1,
                ),
            )
    _check_layout(document, recurrent)


def _check_layout(document: Document, recurrent: Sequence[ChainLayer]) -> None:
    """Note recurrent modules that would take their steps and rows in another order than the first one does."""
    for layer in recurrent[1:]:
        first, own = (one.options.get("batch_first") is True for one in (recurrent[0], layer))
        if first != own:
            place = (*layer.place, "batch_first") if "batch_first" in layer.options else layer.place
            document.problem(
                place,
                Text(
                    "`batch_first`: {own} here and {first} of number {number}: all recurrent modules take one layout",
                    own=shown(own),
                    first=shown(first),
                    number=recurrent[0].number + 1,
                ),
            )


def _kind(document: Document, number: int, layer: Mapping[str, Any]) -> str | None:
    """Give the table of the short form that a layer would be; None with a problem noted."""
    table = Table(document, (TABLE, number), dict(layer))
    own = document.data.get("cell")
    kinds = dict.fromkeys((*MODULES, *(own if isinstance(own, dict) else ())), RECURRENT)
    kinds.setdefault(Embedding.torch, Embedding.key)  # a cell of one's own may have its name
    for module in above_recurrent().values():
        kinds.setdefault(module.torch, module.key)
    if not table.has("module"):
        table.missing("module", Text("one of {choices}", choices=", ".join(kinds)))
        return None
    module_name = table.choice("module", tuple(kinds))
    if module_name is None:
        return None
    for key in _unread(kinds[module_name], layer):
        if key == "from":
            text = Text('`from`: in [[layers]] it is `input`, such as `input = "{name}.h_n"`', name="lstm")
        else:
            text = Text("`{key}` cannot be read yet", key=key)
        table.problem(key, text)
    return kinds[module_name]


def _unread(kind: str, layer: Mapping[str, Any]) -> Iterable[str]:
    """Give the keys of a layer that cannot be read."""
    options = KEYS.get(kind, ())
    own = [key for key in _NOT_YET if key in layer and key not in options]
    return (*own, *(["from"] if "from" in layer else []))


_PARAMETER = re.compile(r"(weight|bias)(_(ih|hh|hr)(_l\d+(_reverse)?)?)?|[WUv]_a")


def ties_said(layer: Mapping[str, Any]) -> dict[str, str]:
    """Give the keys of a layer that name another module's parameter: weight → "embed.weight"."""
    return {
        key: value
        for key, value in layer.items()
        if isinstance(value, str) and "." in value and _PARAMETER.fullmatch(key)
    }


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def _names(document: Document, layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Give what each layer is called: its `name`, or torch's in lower case, numbered where that is taken."""
    given = [_name(document, number, layer) for number, layer in enumerate(layers)]
    numbers: dict[str, int] = {}
    for number, name in enumerate(given):
        if name is not None and numbers.setdefault(name, number) != number:
            text = Text("`name`: number {number} is called {name}, too", number=numbers[name] + 1, name=name)
            document.problem((TABLE, number, "name"), text)
    taken = set(numbers)
    names = []
    for name, layer in zip(given, layers, strict=True):
        own = name if name is not None else _numbered(str(layer.get("module", "")).lower(), taken)
        taken.add(own)
        names.append(own)
    return names


def _name(document: Document, number: int, layer: Mapping[str, Any]) -> str | None:
    """Give a layer's name; None where it has none, or one that cannot be."""
    table = Table(document, (TABLE, number), dict(layer))
    name = table.string("name")
    if name is None:
        return None
    if not NAME.fullmatch(name):
        table.wrong("name", Text("a letter, then letters, digits and _, {most} at most", most=MOST_LETTERS))
        return None
    if RESERVED.fullmatch(name) or (
        name in (RECURRENT, *BESIDE) and name != str(layer.get("module")).lower()
    ):
        table.problem(
            "name", Text("`name`: places and tables use {name} themselves; choose another", name=name)
        )
        return None
    return name


def _numbered(name: str, taken: set[str]) -> str:
    """Give a name that is not taken: `linear`, `linear2`, `linear3`."""
    name = name if NAME.fullmatch(name) else "cell"  # of a cell of the file, whose name may be anything
    number, own = 1, name
    while own in taken or RESERVED.fullmatch(own):
        number += 1
        own = f"{name}{number}" if not RESERVED.fullmatch(f"{name}{number}") else f"{name}_{number}"
    return own
