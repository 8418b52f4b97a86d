"""From a scenario file to a `Scenario`: every table in turn, all mistakes told at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rnnstep.cells.cell import Cell
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.attention import Attention
from rnnstep.modules.linear import Linear
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.description import INPUT, ValueOf, is_once, loops, sequence_of
from rnnstep.scenario import chain, fed_back, modules, wired_modules
from rnnstep.scenario.attention import read_attention
from rnnstep.scenario.call.call_files import read_call
from rnnstep.scenario.cure import cured
from rnnstep.scenario.data.derived import with_derived
from rnnstep.scenario.data.feeding import SaidFeed, check_feeds
from rnnstep.scenario.data.initial_state import read_initial_states
from rnnstep.scenario.data.input import InputData, read_input, read_target, shifted, shifts_values
from rnnstep.scenario.data.labelled_rows import check_classes, read_data
from rnnstep.scenario.data.sequences import check_used, read_beside, side_by_side, with_shifted_target
from rnnstep.scenario.data.target import ignore_index, with_following
from rnnstep.scenario.described import Described
from rnnstep.scenario.feeding import Feed
from rnnstep.scenario.file.document import Document, Limits, Table
from rnnstep.scenario.file.source import open_document, parse_document
from rnnstep.scenario.heading import ASCII, Wishes, read_display, read_vocabulary
from rnnstep.scenario.keys import BESIDE, KEYS
from rnnstep.scenario.localized import read_localized
from rnnstep.scenario.loss_and_training import check_mistake, read_loss, read_training
from rnnstep.scenario.model import Batch, Floats, Loss, Pending, Scenario, Training
from rnnstep.scenario.options import axes_of, read_plain
from rnnstep.scenario.origins import origins_of
from rnnstep.scenario.own_cells import check_sizes, read_own_cells
from rnnstep.scenario.run_size import check_run
from rnnstep.scenario.stops import read_stops
from rnnstep.scenario.weights.read_weights import read_weights


@dataclass(frozen=True)
class Samples:
    """Batches, and the sizes that follow from them."""

    batches: tuple[Batch, ...]
    input_size: int | None  # of x_t; None where an embedding comes before
    num_indices: int | None  # how many an embedding must hold
    is_batched: bool = True
    test_batches: tuple[Batch, ...] = ()
    classes: tuple[str, ...] | None = None  # the names in [data]
    following: tuple[Floats, ...] | None = None  # what is wanted of each batch of a series, (T, B, I)
    beside: Mapping[str, InputData] = field(default_factory=dict)  # the other sequences
    feed: SaidFeed | None = None  # of the first, where a layer feeds it
    left_over: int = 0  # how many values of a series that is carried are in no window

    @property
    def sizes(self) -> Mapping[str, int | None]:
        """How many numbers each x_t has, by its sequence."""
        return {INPUT: self.input_size, **{name: given.input_size for name, given in self.beside.items()}}

    @property
    def feeds(self) -> Mapping[str, SaidFeed]:
        """What is said of each sequence that a layer feeds, by its name."""
        every = {INPUT: self.feed, **{name: given.feed for name, given in self.beside.items()}}
        return {name: one for name, one in every.items() if one is not None}

    def indices_of(self, sequence: str) -> int | None:
        """How many an embedding must hold that looks a sequence up."""
        return self.num_indices if sequence == INPUT else self.beside[sequence].num_indices

    def shifted(self, sequence: str) -> InputData | None:
        """A sequence that was shifted, by its name; None of any other."""
        given = self.beside.get(sequence)
        return None if given is None or given.before_shift is None else given


def read_samples(
    document: Document,
    vocabulary: tuple[str, ...] | None,
    dtype: np.dtype[np.floating],
    layers: chain.Chain | None,
) -> Samples | None:
    """Give what [input] or [data] hold, or None if there is neither, or a mistake in it."""
    root = document.root
    if vocabulary is None and root.has("vocabulary"):
        return None
    has_embedding = root.has(BESIDE[0])
    recurrent = root.raw("recurrent")
    if root.has("data"):
        for other in ("input", "target"):
            if root.has(other):
                root.problem(other, Text("[{table}] and [data] exclude each other", table=other))
        data = read_data(document, vocabulary=vocabulary, has_embedding=has_embedding, dtype=dtype)
        if data is None or root.has("input"):
            return None
        return Samples(
            data.train,
            data.input_size,
            data.num_indices,
            test_batches=data.test,
            classes=data.classes,
        )
    if not root.has("input"):
        document.problem(
            (),
            Text(
                "`[input]` is missing: expected one of {keys} in it",
                keys="text, indices, values, file, random",
            ),
        )
        return None
    given = read_input(
        document,
        vocabulary=vocabulary,
        has_embedding=has_embedding,
        recurrent_table=Table(document, ("recurrent",), recurrent if isinstance(recurrent, dict) else {}),
        dtype=dtype,
    )
    if given is None:
        return None
    beside = _read_beside(document, vocabulary, dtype, layers, given)
    if beside is None:
        return None
    return Samples(
        side_by_side(given, beside),
        given.input_size,
        given.num_indices,
        given.is_batched,
        following=given.following,
        beside=beside,
        left_over=given.left_over,
        feed=given.feed,
    )


def _read_beside(
    document: Document,
    vocabulary: tuple[str, ...] | None,
    dtype: np.dtype[np.floating],
    layers: chain.Chain | None,
    given: InputData,
) -> Mapping[str, InputData] | None:
    """Give the sequences beside the first, which [[layers]] alone can read; None where there is a mistake in one."""
    before = len(document.problems)
    found: Mapping[str, InputData] = {}
    if layers is None:
        check_used(document, set())
    else:
        found = read_beside(
            document,
            layers.sequences,
            given,
            vocabulary=vocabulary,
            is_looked_up=layers.is_looked_up,
            layout=lambda name: Table(document, ("recurrent",), layers.layout(name)),
            dtype=dtype,
        )
    return found if len(document.problems) == before else None


# ── all tables ───────────────────────────────────────────────────────────────────────────────────

STANDARD = Limits()


def read(
    path: str | Path,
    limits: Limits = STANDARD,
    *,
    dtype: str | None = None,
    decimals: int | None = None,
    language: str | None = None,
    usual_decimals: int | None = None,
) -> Scenario:
    """Read a scenario file.

    Args:
        path: Of the file.
        limits: What it may ask for.
        dtype: "float32" or "float64", in place of the file's.
        decimals: How many are shown, in place of the file's.
        language: "en" or "zh", in place of the file's.
        usual_decimals: How many are shown where neither says it; 4 without.

    Raises:
        UsageError: The file cannot be read.
        ScenarioError: It holds mistakes; all of them, with their places.
    """
    path = Path(path)
    return _read(open_document(path, limits), path, Wishes(dtype, decimals, language, usual_decimals))


def read_text(
    text: str,
    path: str | Path = "scenario.toml",
    limits: Limits = STANDARD,
    *,
    dtype: str | None = None,
    decimals: int | None = None,
    language: str | None = None,
) -> Scenario:
    """Read a scenario from a text as if it stood in `path`; as `read` otherwise."""
    path = Path(path)
    document = parse_document(str(path), path.parent, text, limits)
    return _read(document, path, Wishes(dtype, decimals, language))


@dataclass(frozen=True)
class _Numbers:
    """All that has the model's shapes."""

    batches: tuple[Batch, ...]
    target_vocabulary: tuple[str, ...] | None
    parameters: Mapping[str, Floats]
    pending: Pending | None
    initial_state: Mapping[str, Floats]
    feeds: Mapping[str, Feed]


def _read(document: Document, path: Path, wishes: Wishes) -> Scenario:
    """Read the file, and once more with its cure put in place if it has one."""
    scenario = _read_long_or_short(document, path, wishes, KEYS[""])
    stops = read_stops(document)
    found = cured(document)
    cure = None
    if found is not None:
        keys = tuple(key for key in KEYS[""] if key != "cure")
        cure = _read_long_or_short(found.document, path, wishes, keys)
        found.tell()
    document.finish()
    assert scenario is not None
    if found is not None and cure is not None:
        cure = replace(cure, origins=origins_of(found.document.data))
    return replace(scenario, cure=cure, stops=stops, origins=origins_of(document.data))


def _read_long_or_short(
    document: Document, path: Path, wishes: Wishes, keys: Sequence[str]
) -> Scenario | None:
    """Read the tables of the short form, or those that [[layers]] stand for; or a call that was recorded."""
    if document.root.has("call"):
        return read_call(document, path, wishes)
    tables, layers = chain.as_tables(document)
    return _read_once(tables, layers, path, wishes, keys if layers is None else (*keys, *chain.MODE))


def _read_once(
    document: Document, layers: chain.Chain | None, path: Path, wishes: Wishes, keys: Sequence[str]
) -> Scenario | None:
    """Give what a document holds but for its cure, or None with problems noted; `keys` may stand above all tables."""
    document.root.known(*keys)
    name = printable(path.stem)
    title = read_localized(document.root, "title", default=name)
    summary = read_localized(document.root, "summary")
    display = read_display(document, wishes)
    dtype = np.dtype(display.dtype)
    vocabulary = read_vocabulary(document)
    samples = read_samples(document, vocabulary, dtype, layers)
    if layers is None:
        model = _read_model(document, vocabulary, samples)
    else:
        model = _read_chain(document, layers, vocabulary, samples)
        samples = _with_derived(document, layers, samples, model)
    last, known = (None, None) if model is None else (model.last_recurrent, model.names)
    loss = read_loss(document, last, known)
    training = read_training(document)
    numbers = _read_numbers(document, vocabulary, samples, model, dtype, loss, training)
    if model is not None and samples is not None:
        check_mistake(
            document,
            training,
            loss,
            model.recurrents,
            samples.batches,
            reads_final_state=model.has_one_a_row,
            is_fed_back=bool(loops(model.wires or {})),
        )
    if document.problems:
        return None
    assert samples is not None
    assert model is not None
    assert numbers is not None
    return Scenario(
        name=name,
        title=title,
        summary=summary,
        layers=model.layers,
        wires=model.wires,
        feeds=numbers.feeds,
        batches=numbers.batches,
        parameters=numbers.parameters,
        display=display,
        vocabulary=vocabulary,
        is_ascii=vocabulary is ASCII,
        initial_state=numbers.initial_state,
        is_batched=samples.is_batched,
        target_vocabulary=numbers.target_vocabulary,
        loss=loss,
        training=training,
        test_batches=samples.test_batches,
        left_over=samples.left_over,
        pending=numbers.pending,
        memory_limit=document.limits.memory,
        path=path,
        file_text=document.text,
    )


def _read_model(
    document: Document, vocabulary: tuple[str, ...] | None, samples: Samples | None
) -> Described | None:
    """Give the modules, or None where a mistake leaves their shapes unknown."""
    own = read_own_cells(document)
    module = modules.read_module(document, own)
    embedding = modules.read_embedding(document, num_indices=samples.num_indices if samples else None)
    data_size = embedding.embedding_dim if embedding else samples.input_size if samples else None
    linear = modules.read_linear(document, num_outputs=_num_outputs(document, vocabulary, samples))
    recurrent = modules.read_recurrent(document, module, own, data_size=data_size)
    if any(
        part is None and document.root.has(name)
        for name, part in zip(BESIDE, (embedding, linear), strict=True)
    ):
        return None
    if recurrent is None or (recurrent.is_own and not check_sizes(document, recurrent)):
        return None
    head = None if linear is None else Linear(recurrent.size, **linear)
    every = (embedding, recurrent, head)
    return Described(tuple(layer for layer in every if layer is not None))


def _read_chain(
    document: Document, layers: chain.Chain, vocabulary: tuple[str, ...] | None, samples: Samples | None
) -> Described | None:
    """Give the modules of [[layers]], each on what the one before gives; None where one is not known."""
    own = read_own_cells(document)
    mode = chain.read_mode(document, layers)
    outputs = _num_outputs(document, vocabulary, samples)
    given = fed_back.sizes_read(document, layers, own, {} if samples is None else samples.sizes)
    found: dict[str, NetworkModule | None] = {}
    module: NetworkModule | None
    for layer in layers.in_order:
        below, above = layers.below(layer), layers.above(layer)
        if layer.kind == Attention.key:
            found[layer.name] = read_attention(document, layer, found, given)
            continue
        size = wired_modules.size_entering(document, layer, found, given)
        if layer.kind == chain.RECURRENT:
            table = chain.alone(document, layer, below)
            module = _read_recurrent(table, own, size, None if below is None else found.get(below.name))
            if module is not None:
                is_alone = len(layers.recurrent) == 1
                key = layer.name if layer.is_named or not is_alone else ""
                module = replace(module, key=key, is_alone=is_alone)
        elif layer.kind == BESIDE[0]:
            table = chain.alone(document, layer, above)
            (looked_up,) = layer.reads.inputs or (ValueOf(INPUT),)
            count = samples.indices_of(looked_up.name) if samples is not None else None
            looking_up = modules.read_embedding(table, num_indices=count)
            module = None if looking_up is None else replace(looking_up, key=layer.name)
        else:
            is_asked = outputs is not None and layers.gives_scores(layer)
            defaults = {"out_features": outputs} if is_asked else {}
            axes = axes_of(document, is_batched=samples is None or samples.is_batched)
            own_table = Table(document, layer.place, dict(layer.options))
            module = read_plain(own_table, layer.kind, layer.name, size, defaults, axes)
        found[layer.name] = None if module is None else module.in_mode(*mode)
    network = wired_modules.network(document, layers, found, given)
    if network is None:
        return None
    return Described(*network, layers.scored)


def _check_batches(document: Document, layers: chain.Chain, model: Described, samples: Samples) -> None:
    """Note modules that would take the variance of a single vector, at which torch raises."""
    wires = model.wiring
    circles = {key for circle in loops(wires) for key in circle}
    for module in (one for one in model.layers if one.reads_batch):
        place = layers.by_name[module.name].place
        if module.key in circles:
            text = Text(
                "{name} takes mean and variance of all steps, and stands in a circle of steps, one after the other",
                name=module.name,
            )
            document.problem(place, text)
            continue
        sequence, is_single = sequence_of(module.key, wires), is_once(module.key, wires)
        for batch in samples.batches:
            steps = batch.sequences[sequence].num_steps
            if batch.num_rows * (1 if is_single else steps) == 1:
                text = Text(
                    "`module`: {module} takes mean and variance of a batch of one step and one row, at which torch raises;"
                    " expected more of either",
                    module=module.torch,
                )
                document.problem((*place, "module"), text)
                break


def _with_derived(
    document: Document, layers: chain.Chain, samples: Samples | None, model: Described | None
) -> Samples | None:
    """Give what is fed with the sequences that modules begin; None where one has no step."""
    if samples is None or model is None:
        return samples
    if any(one.reads_steps for one in model.layers):
        every, count = (*samples.batches, *samples.test_batches), len(samples.batches)
        found = with_derived(document, layers, every, model.layers, model.wiring)
        if found is None:
            return None
        samples = replace(samples, batches=found[:count], test_batches=found[count:])
    _check_batches(document, layers, model, samples)
    return samples


def _read_recurrent(
    document: Document, own: Mapping[str, Cell | None], size: int | None, below: NetworkModule | None
) -> Recurrent | None:
    """Give one of a chain's recurrent modules, on what gives `size` numbers."""
    module = modules.read_module(document, own)
    found = modules.read_recurrent(document, module, own, data_size=size, below=below)
    return None if found is None or (found.is_own and not check_sizes(document, found)) else found


def _num_outputs(
    document: Document, vocabulary: tuple[str, ...] | None, samples: Samples | None
) -> int | None:
    """Give the number of classes or values that the target has, where that is plain from the file."""
    if samples is not None and samples.classes is not None:
        return len(samples.classes)
    if samples is not None and samples.following is not None:
        return int(samples.following[0].shape[-1])
    target = document.root.raw("target")
    if not isinstance(target, dict):
        return None if samples is None else _num_fed(document, vocabulary, samples)
    values = target.get("values")
    if values is None:
        return len(vocabulary) if vocabulary is not None else None
    size = None
    while isinstance(values, list) and values:
        size = len(values)
        values = values[0]
    return size


def _num_fed(document: Document, vocabulary: tuple[str, ...] | None, samples: Samples) -> int | None:
    """Give the number of classes or values of a sequence that is wanted, as it is shifted, or that a layer feeds."""
    for said in samples.feeds.values():
        return said.num_inputs
    given = samples.beside.get(shifted(document) or "")
    if given is None or given.before_shift is None:
        return None
    if given.before_shift.ndim == 3:
        return int(given.before_shift.shape[-1])
    return len(vocabulary) if vocabulary is not None else int(given.before_shift.max()) + 1


def _read_numbers(
    document: Document,
    vocabulary: tuple[str, ...] | None,
    samples: Samples | None,
    model: Described | None,
    dtype: np.dtype[np.floating],
    loss: Loss | None,
    training: Training | None,
) -> _Numbers | None:
    """Give targets, weights and initial states, or None where their shapes are not known or too large."""
    if samples is None or model is None:
        return None
    if not check_run(
        document,
        layers=model.layers,
        loss=loss,
        training=training,
        batches=samples.batches,
        itemsize=dtype.itemsize,
    ):
        return None
    num_outputs = model.top.size
    parameters, pending = read_weights(document, layers=model.layers, dtype=dtype)
    initial_state = read_initial_states(
        document,
        recurrents=model.recurrents,
        num_rows=samples.batches[0].num_rows,
        is_batched=samples.is_batched,
        dtype=dtype,
    )
    _check_rows(document, samples)
    batches = _with_targets(document, vocabulary, samples, model, num_outputs, dtype, loss)
    return _Numbers(
        batches,
        _target_vocabulary(document, vocabulary, samples, num_outputs),
        parameters,
        pending,
        initial_state,
        check_feeds(document, samples.feeds, model.layers, model.names, model.wiring, batches, training),
    )


def _check_rows(document: Document, samples: Samples) -> None:
    """Make sure that a given initial state fits every batch."""
    rows = {batch.num_rows for batch in (*samples.batches, *samples.test_batches)}
    if len(rows) > 1 and document.root.has("initial_state"):
        document.problem(
            ("initial_state",),
            Text(
                "[initial_state] fits batches of one size only, found {rows} rows",
                rows=", ".join(map(str, sorted(rows)[:8])),
            ),
        )


def _with_targets(
    document: Document,
    vocabulary: tuple[str, ...] | None,
    samples: Samples,
    model: Described,
    num_outputs: int,
    dtype: np.dtype[np.floating],
    loss: Loss | None,
) -> tuple[Batch, ...]:
    has_one_a_row, is_last_enough = model.has_one_a_row, loss is not None and loss.at == "last"
    if has_one_a_row and is_last_enough:
        document.problem(("loss", "at"), Text("`at`: the scores are of one step of each row already"))
    if samples.classes is not None:
        is_labelled = has_one_a_row or is_last_enough
        check_classes(document, samples.classes, num_outputs, has_one_a_row=is_labelled)
        return samples.batches
    if samples.following is not None:
        return with_following(
            document,
            samples.batches,
            samples.following,
            num_outputs,
            sequence=model.scored_sequence,
            has_one_a_row=has_one_a_row or is_last_enough,
        )
    sequence = model.scored_sequence
    if not document.root.has("target"):
        return _with_shifted(document, samples, model, num_outputs)
    return read_target(
        document,
        batches=samples.batches,
        sequence=sequence,
        vocabulary=vocabulary,
        num_classes=num_outputs,
        is_last_enough=is_last_enough,
        once=f'from = "{model.top.value_read}"' if has_one_a_row else "",
        out_features=num_outputs,
        batch_first=model.batch_first,
        is_batched=samples.is_batched,
        dtype=dtype,
    )


def _with_shifted(
    document: Document, samples: Samples, model: Described, num_outputs: int
) -> tuple[Batch, ...]:
    """Give batches whose target is the sequence that was shifted, where one is."""
    name = shifted(document)
    if name is None:
        return samples.batches
    given = samples.shifted(model.scored_sequence)
    if given is None or model.has_one_a_row:
        text = Text(
            "`shift`: [input.{name}] is not the sequence that the last layer gives something for at each step; give [target]",
            name=name,
        )
        document.problem(("input", name, "shift"), text)
        return samples.batches
    ignored = ignore_index(document)
    return with_shifted_target(document, samples.batches, model.scored_sequence, given, ignored, num_outputs)


def _target_vocabulary(
    document: Document, vocabulary: tuple[str, ...] | None, samples: Samples, num_outputs: int
) -> tuple[str, ...] | None:
    """Give the names of the classes: of [data], or of the vocabulary where the target is made of it."""
    if samples.classes is not None:
        return samples.classes
    target = document.root.raw("target")
    if vocabulary is None:
        return None
    if not isinstance(target, dict):
        is_of_numbers = shifts_values(document) or any(
            not one.feeding.is_of_classes for one in samples.feeds.values()
        )
        count = _num_fed(document, vocabulary, samples)
        return vocabulary if count == len(vocabulary) and not is_of_numbers else None
    is_letters = "text" in target or ("indices" in target and num_outputs == len(vocabulary))
    return vocabulary if is_letters else None
