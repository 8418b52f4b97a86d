"""`feed` in [input.NAME]: a sequence whose steps are what a layer gave at the step before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnstep.language import Text
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import FINAL, INPUT, Reads, Wiring, is_once, reached, sequence_of
from rnnstep.scenario.data.letters import unspelt
from rnnstep.scenario.feeding import Feed, Sampling
from rnnstep.scenario.file.document import LARGEST, Document, KeyPath, Table
from rnnstep.scenario.keys import FEEDING
from rnnstep.scenario.model import Batch, FedSequence, Floats, Scenario, Training
from rnnstep.scenario.weights.state_dicts import as_dtype
from rnnstep.scenario.wiring import unknown_layer


@dataclass(frozen=True, eq=False)
class SaidFeed:
    """What a file says of a sequence that is fed by a layer, whose name is not looked up yet.

    Attributes:
        place: where it stands.
        feeding: with the layer's name in the place of its key.
        num_steps: how many steps there are.
        num_inputs: how many elements a vector has that enters; how many classes there may be; None where not known.
    """

    place: KeyPath
    feeding: Feed
    num_steps: int
    num_inputs: int | None


def read_feed(
    table: Table, vocabulary: Sequence[str] | None, dtype: np.dtype[np.floating], num_rows: int | None
) -> SaidFeed | None:
    """Give what a table with `feed` says; None with problems noted.

    Args:
        table: [input.NAME], or [input].
        vocabulary: the file's.
        dtype: of numbers.
        num_rows: of the batch; None of the first sequence, which has as many as `first`.
    """
    before = len(table.document.problems)
    layer = table.string("feed")
    steps = table.integer("steps", minimum=1, maximum=LARGEST)
    if not table.has("steps"):
        table.missing("steps", Text("a whole number ≥ 1: how many steps are fed"))
    first = _first(table, vocabulary, dtype, num_rows)
    sampling = _sampling(table)
    until = _class(table, "until", vocabulary) if table.has("until") else None
    if first is not None and first.ndim == 2:
        for key in ("until", "sample"):
            if table.has(key):
                table.problem(key, Text("`{key}`: `first` is numbers, and they are no class", key=key))
    teacher = _teacher(table, steps or 1)
    for key in ("lengths", "packed", "pad_index", "windows", "shift"):
        if table.has(key):
            table.problem(key, Text("`{key}`: a sequence with `feed` is not given", key=key))
    if layer is None or steps is None or first is None or len(table.document.problems) > before:
        return None
    count = first.shape[1] if first.ndim == 2 else None if vocabulary is None else len(vocabulary)
    return SaidFeed(table.place, Feed(layer, first, until, teacher, sampling), steps, count)


def _first(
    table: Table, vocabulary: Sequence[str] | None, dtype: np.dtype[np.floating], num_rows: int | None
) -> Any:
    """What is fed first: classes (B,), or numbers (B, n); None with a problem noted."""
    said = table.raw("first")
    expected = Text(
        "a letter of the vocabulary, an index, or the numbers of a vector: what is fed at the first step"
    )
    if not table.has("first"):
        table.missing("first", expected)
        return None
    if isinstance(said, list) and said and all(isinstance(one, str) for one in said):
        classes = [_class(table, "first", vocabulary, one) for one in said]
        found: Any = None if None in classes else np.array(classes, np.int64)
    elif isinstance(said, list):
        found = table.array("first", ndim=(1, 2))
        if found is not None:
            found = np.atleast_2d(as_dtype(found, dtype))
    else:
        one = _class(table, "first", vocabulary)
        found = None if one is None else np.array([one], np.int64)
    if found is None or num_rows is None or len(found) == num_rows:
        return found
    if len(found) != 1:
        table.wrong("first", Text("one, or {rows}: one for each row", rows=num_rows))
        return None
    return np.repeat(found, num_rows, axis=0)


def _class(table: Table, key: str, vocabulary: Sequence[str] | None, said: Any = None) -> int | None:
    """A class by its letter or index; None with a problem noted."""
    said = table.raw(key) if said is None else said
    if isinstance(said, str) and vocabulary is not None:
        if said in vocabulary:
            return list(vocabulary).index(said)
        reason = unspelt(said, 0, vocabulary, is_one=True)
        table.problem(key, Text("`{key}`: {reason}", key=key, reason=reason))
        return None
    count = LARGEST if vocabulary is None else len(vocabulary)
    if type(said) is not int or not 0 <= said < count:
        table.wrong(key, Text("a letter of the vocabulary, or an index"))
        return None
    return said


def _sampling(table: Table) -> Sampling | None:
    own = table.table("sample")
    if own is None:
        return None
    own.known("temperature", "seed")
    temperature = own.number("temperature", 1.0, above=0) or 1.0
    return Sampling(temperature, own.integer("seed", 0, minimum=0) or 0)


def _teacher(table: Table, steps: int) -> tuple[bool, ...] | None:
    """At which steps what was wanted is fed: as it is listed, or drawn."""
    said = table.raw("teacher")
    if said is None:
        return None
    if isinstance(said, dict):
        own = table.table("teacher")
        assert own is not None
        own.known("ratio", "seed")
        ratio = own.number("ratio", 0.5, minimum=0)
        seed = own.integer("seed", 0, minimum=0) or 0
        if ratio is None or ratio > 1:
            own.wrong("ratio", Text("a number from 0 to 1"))
            return None
        return tuple((np.random.default_rng(seed).random(steps) < ratio).tolist())
    if not isinstance(said, list) or len(said) != steps or not all(type(one) is bool for one in said):
        table.wrong("teacher", Text("{steps} of true or false, or {{ratio, seed}}", steps=steps))
        return None
    return tuple(said)


def placeholder(said: SaidFeed, dtype: np.dtype[np.floating], *, is_looked_up: bool) -> FedSequence:
    """A sequence of the right shape, whose steps are all the first: what is fed at them is found when the network runs."""
    first = np.broadcast_to(said.feeding.first, (said.num_steps, *said.feeding.first.shape))
    if not said.feeding.is_of_classes:
        return FedSequence(np.array(first, dtype))
    ends = None if said.feeding.until is None else (said.num_steps,) * first.shape[1]
    sequence = FedSequence(None, np.array(first), ends, packed=ends is not None)
    return sequence if is_looked_up else with_classes(sequence, sequence.indices, said.num_inputs or 1, dtype)


def with_classes(fed: FedSequence, classes: Any, count: int, dtype: np.dtype[np.floating]) -> FedSequence:
    """A one-hot sequence of other classes, (T, B)."""
    values: Floats = np.zeros((*classes.shape, count), dtype)
    np.put_along_axis(values, classes[..., None], 1, axis=-1)
    return replace(fed, values=values, indices=classes)


def with_sequences(batch: Batch, sequences: Mapping[str, FedSequence]) -> Batch:
    """A batch with some of its sequences replaced."""
    beside = {**batch.beside, **{name: one for name, one in sequences.items() if name != INPUT}}
    found = replace(batch, beside=beside)
    first = sequences.get(INPUT)
    if first is None:
        return found
    return replace(
        found, values=first.values, indices=first.indices, lengths=first.lengths, packed=first.packed
    )


def as_given(scenario: Scenario) -> Scenario:
    """A scenario without what its network fed itself: as its file gives it."""
    if not scenario.feeds:
        return scenario
    return replace(scenario, batches=tuple(_as_given(scenario, one) for one in scenario.batches))


def _as_given(scenario: Scenario, batch: Batch) -> Batch:
    placed = {}
    for name, feeding in scenario.feeds.items():
        fed = batch.sequences[name]
        count = None if fed.values is None else fed.values.shape[2]
        said = SaidFeed((), feeding, fed.num_steps, count)
        placed[name] = placeholder(said, scenario.dtype, is_looked_up=fed.values is None)
    target = batch.target if batch.open_target is None else batch.open_target
    return replace(with_sequences(batch, placed), target=target, open_target=None)


# ── once the modules are known ───────────────────────────────────────────────────────────────────


def check_alone(table: Table) -> None:
    """Note keys of a fed sequence where nothing feeds it."""
    for key in FEEDING[1:]:
        if table.has(key):
            table.problem(
                key, Text("`{key}` needs `feed`, the name of the layer that feeds the sequence", key=key)
            )


def check_feeds(
    document: Document,
    said: Mapping[str, SaidFeed],
    layers: Sequence[NetworkModule],
    names: Mapping[str, str],
    wiring: Wiring,
    batches: Sequence[Batch],
    training: Training | None,
) -> Mapping[str, Feed]:
    """Give how each sequence is fed, by its name, with the key of the layer; notes what cannot be.

    Args:
        document: the file.
        said: what it says, by the sequences.
        layers: the network's modules.
        names: the key of each, by the name in the file.
        wiring: what each reads.
        batches: with their targets.
        training: what is asked of the training.
    """
    found = {}
    by_key = {one.key: one for one in layers}
    for name, one in said.items():
        table = Table(document, one.place, {"feed": one.feeding.layer})
        key = names.get(one.feeding.layer)
        if key is None:
            table.problem("feed", unknown_layer("feed", one.feeding.layer, tuple(names)))
            continue
        problems = [*_misfits(name, one, by_key[key], layers, wiring), *_later(name, key, by_key, wiring)]
        if one.feeding.until is not None and training is not None:
            problems.append(
                Text("`until` ends rows at other steps after each update; a training feeds all `steps`")
            )
        target = batches[0].target
        shape = (one.num_steps, *one.feeding.first.shape)
        if one.feeding.teacher is not None and (target is None or target.shape != shape):
            problems.append(
                Text(
                    "`teacher` needs a [target] with something to feed for each of the {steps} steps",
                    steps=one.num_steps,
                )
            )
        for problem in problems:
            document.problem((*one.place, "feed"), problem)
        found[name] = replace(one.feeding, layer=key)
    return found


def _misfits(
    name: str, said: SaidFeed, module: NetworkModule, layers: Sequence[NetworkModule], wiring: Wiring
) -> Iterator[Text]:
    """What a layer gives that cannot be fed."""
    if is_once(module.key, wiring) or sequence_of(module.key, wiring) != name:
        yield Text("`feed`: {layer} has no step for each of the sequence's own", layer=module.name)
        return
    count = said.num_inputs
    if not said.feeding.is_of_classes and module.size != count:
        yield Text(
            "`feed`: {layer} gives {size} numbers, `first` has {count}",
            layer=module.name,
            size=module.size,
            count=count or 0,
        )
    if not said.feeding.is_of_classes and isinstance(module, Recurrent):
        yield Text(
            "`feed`: {layer} has states; numbers are fed by a layer without, such as a Linear",
            layer=module.name,
        )
    if not said.feeding.is_of_classes:
        return
    for reader in layers:
        if any(one.name == name for one in wiring[reader.key].inputs):
            takes = reader.num_embeddings if isinstance(reader, Embedding) else count
            if takes is not None and takes < module.size:
                yield Text(
                    "`feed`: {layer} says {size} classes, {reader} takes {count}",
                    layer=module.name,
                    size=module.size,
                    reader=reader.name,
                    count=takes,
                )


def _later(name: str, key: str, by_key: Mapping[str, NetworkModule], wiring: Wiring) -> Iterator[Text]:
    """What on the way to the layer reads steps that are not there yet."""
    for one in sorted(reached(key, wiring) | {key}, key=list(wiring).index):
        if sequence_of(one, wiring) != name or is_once(one, wiring):
            continue
        module = by_key[one]
        is_both = isinstance(module, Recurrent) and module.bidirectional
        if is_both or module.reads_steps or module.reads_batch or _reads_whole(wiring[one], name, wiring):
            yield Text(
                "`feed`: {layer} reads later steps of the sequence, which are not there yet",
                layer=module.name,
            )


def _reads_whole(reads: Reads, name: str, wiring: Wiring) -> bool:
    whole = [*reads.banks, *(one for one in reads.sources if one.value in FINAL)]
    return any(one.name in wiring and sequence_of(one.name, wiring) == name for one in whole)
