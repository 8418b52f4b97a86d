"""A scenario as data: what a file says, read, checked and filled in.

All arrays here are time-major: `(T, B, …)`, T steps and B rows of a batch.
How the user laid them out (`batch_first`, unbatched) is kept as flags and
matters again only where arrays are handed out in torch's shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rnnstep.cells.cell import Cell
from rnnstep.modules.dropout import Dropout
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block
from rnnstep.network.description import INPUT, Wiring, in_a_chain, is_once, sequence_of
from rnnstep.network.time import TimeAxis
from rnnstep.scenario.feeding import Feed
from rnnstep.scenario.keys import LOSSES, REFUSED, LossKind
from rnnstep.scenario.localized import Localized
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.recorded import Recorded
from rnnstep.scenario.stops import Stop

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]
Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Loss:
    """The loss, in torch's words, and how it is taken over time."""

    name: str = "CrossEntropyLoss"
    reduction: Literal["mean", "sum"] = "mean"
    ignore_index: int = -100
    over_time: Literal["together", "sum"] = "together"
    factor: float = 1.0  # the loss times it: by hand ½ Σ (y − t)² is common
    beta: float = 1.0  # of SmoothL1Loss: where its square ends
    at: Literal["last"] | None = (
        None  # of the last step alone: each row's last live one, else T; None: of every step
    )
    of: str | None = None  # the key of the module whose output is compared; None: of the last one

    @property
    def kind(self) -> LossKind:
        """What torch's losses of this name have in common."""
        return LOSSES[self.name]

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of torch's constructor, `reduction` first."""
        return {key: getattr(self, key) for key in ("reduction", *self.kind.options)}

    @property
    def unusual_options(self) -> dict[str, Any]:
        """Those that are not torch's defaults."""
        usual = {"reduction": "mean", **self.kind.options}
        return {key: value for key, value in self.options.items() if value != usual[key]}


@dataclass(frozen=True, slots=True)
class Training:
    """The optimizer with its arguments under torch's names."""

    optimizer: str = "SGD"
    arguments: Mapping[str, float | bool | tuple[float, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    epochs: int = 1
    clip_grad_norm: float | None = None
    clip_grad_value: float | None = None  # before the norm where both are given
    mistake: str | None = None  # one of `keys.MISTAKES`: a common slip of training loops, made on purpose

    @property
    def is_refused(self) -> bool:
        """Whether torch raises at the mistake; what is computed then is the cure."""
        return self.mistake in REFUSED


@dataclass(frozen=True, slots=True)
class Display:
    """How numbers are shown and computed. `language` None: as the environment says."""

    decimals: int = 4
    dtype: Literal["float32", "float64"] = "float32"
    language: Language | None = None
    order: Literal["time", "layer"] = "time"


@dataclass(frozen=True, eq=False)
class FedSequence:
    """What is fed along steps of its own.

    Exactly one of `indices` with an embedding, or `values`, is what is fed;
    a one-hot sequence has both, so that the timeline can show letters. Of a sequence
    that a module begins nothing is: it has its `shape` alone.
    """

    values: Floats | None  # (T, B, input_size); None when an embedding looks the indices up
    indices: Integers | None = None  # (T, B)
    lengths: tuple[int, ...] | None = None  # true length of each row, ≥ 1
    packed: bool = False  # whether the padding is left out (True) or walked over
    shape: tuple[int, int] | None = None  # T and B of what a module begins

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self.given.shape[0]) if self.shape is None else self.shape[0]

    @property
    def num_rows(self) -> int:
        """B."""
        return int(self.given.shape[1]) if self.shape is None else self.shape[1]

    @cached_property
    def axis(self) -> TimeAxis:
        """Its steps, and which rows take part in which."""
        return TimeAxis(self.num_steps, self.num_rows, self.packed_lengths)

    @property
    def packed_lengths(self) -> tuple[int, ...] | None:
        """The rows' lengths where the padding is left out; None where there is none, or it is walked over."""
        return self.lengths if self.packed else None

    @property
    def true_lengths(self) -> tuple[int, ...]:
        """How many steps of each row are no padding, whether it is left out or walked over."""
        return (self.num_steps,) * self.num_rows if self.lengths is None else self.lengths

    def live_steps(self, num_steps: int) -> NDArray[np.bool_]:
        """Which of so many steps are no padding of a row, walked over or not, (B, num_steps)."""
        return np.asarray(np.arange(num_steps) < np.array(self.true_lengths)[:, None])

    def of_rows(self, rows: slice) -> FedSequence:
        """The same of some of its rows."""
        return FedSequence(
            None if self.values is None else self.values[:, rows],
            None if self.indices is None else self.indices[:, rows],
            None if self.lengths is None else self.lengths[rows],
            self.packed,
            None if self.shape is None else (self.num_steps, len(range(self.num_rows)[rows])),
        )

    @property
    def given(self) -> NDArray[np.generic]:
        """Numbers, or indices to look up."""
        given = self.values if self.values is not None else self.indices
        assert given is not None
        return given


@dataclass(frozen=True, eq=False)
class Batch:
    """What goes through the model at once: the first sequence, others beside it, what is wanted, and what was there before.

    Of the first sequence exactly one of `indices` with an embedding, or `values`, is what is fed, as of `FedSequence`.
    """

    values: Floats | None  # (T, B, input_size); None when an embedding looks the indices up
    indices: Integers | None = None  # (T, B)
    lengths: tuple[int, ...] | None = None  # true length of each row, ≥ 1
    packed: bool = False  # whether the padding is left out (True) or walked over
    target: NDArray[np.generic] | None = None  # (T, B) or (B,) classes, (T, B, O) or (B, O) values
    initial_state: Mapping[str, Floats] | None = None  # h_0, c_0 of its own, (L·D, B, n); else the scenario's
    masks: Mapping[str, Floats] | None = None  # dropout's, (T, B, n), by block; else drawn from the seed
    keep: Floats | None = None  # (T, B, 1): 0 where a row's states are zeros before a step, else 1
    above: Mapping[tuple[str, str], Floats] | None = (
        None  # ∂L/∂ of values by block and name, in place of a loss
    )
    recorded: Recorded | None = None  # what another run gave, with the scenario's own parameters
    beside: Mapping[str, FedSequence] = field(default_factory=lambda: MappingProxyType({}))  # by their names
    open_target: NDArray[np.generic] | None = None  # what the file wants, where rows end by what is said
    derived: Mapping[str, FedSequence] = field(
        default_factory=lambda: MappingProxyType({})
    )  # by their modules

    @cached_property
    def fed(self) -> Mapping[str, FedSequence]:
        """All that is fed, by the sequence's name, the first one first."""
        first = FedSequence(self.values, self.indices, self.lengths, self.packed)
        return {INPUT: first, **self.beside}

    @cached_property
    def sequences(self) -> Mapping[str, FedSequence]:
        """The same, and behind them the sequences that modules begin."""
        return {**self.fed, **self.derived}

    @property
    def num_rows(self) -> int:
        """B, the same of all sequences."""
        return self.fed[INPUT].num_rows

    @property
    def first(self) -> FedSequence:
        """The sequence that is called "input", the only one of most."""
        return self.fed[INPUT]

    @property
    def longest(self) -> int:
        """How many steps the sequence with most has."""
        return max(one.num_steps for one in self.sequences.values())

    def axis(self, sequence: str) -> TimeAxis:
        """A sequence's steps, and which rows take part in which."""
        return self.sequences[sequence].axis


@dataclass(frozen=True, slots=True)
class Pending:
    """Parameters that only torch can give: drawn normal, or kept in torch's own file."""

    names: tuple[str, ...]  # the keys missing in `Scenario.parameters`
    seed: int | None = None  # torch.manual_seed(seed), then constructing embedding, recurrent, linear
    file: Path | None = None  # a state_dict saved by torch
    prefixes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    round: int | None = None
    line: int = 1  # where the file says so, for messages
    column: int = 1
    beside: str | None = None  # the file as `--beside weights=` names it, where no scenario's line does


def wired_in_a_chain(layers: Sequence[NetworkModule]) -> Wiring:
    """Give the wiring in which each module reads what it does of the one before."""
    begins = {layer.key for layer in layers if layer.changes_steps}
    return in_a_chain({layer.key: layer.value_read for layer in layers}, begins)


@dataclass(frozen=True, eq=False)
class Scenario:
    """A scenario, complete but for `pending`; frozen, an edit makes a new one. It need not come from a file."""

    name: str  # "hello": the file's stem
    layers: tuple[NetworkModule, ...]  # in the file's order, in which they are drawn
    batches: tuple[Batch, ...]
    parameters: Mapping[str, Floats]  # torch's names: weight_ih_l0, embedding.weight, linear.bias
    display: Display = field(default_factory=Display)
    title: Localized = field(default_factory=Localized)
    summary: Localized = field(default_factory=Localized)
    vocabulary: tuple[str, ...] | None = None
    is_ascii: bool = False  # vocabulary = "ascii"
    initial_state: Mapping[str, Floats] = field(default_factory=dict)  # h_0, c_0 given: (L·D, B, n)
    is_batched: bool = True  # False: torch is given (T, I), without a batch axis
    target_vocabulary: tuple[str, ...] | None = None
    loss: Loss | None = None
    training: Training | None = None
    test_batches: tuple[Batch, ...] = ()
    left_over: int = 0  # how many values of a series that is carried are in no window
    cure: Scenario | None = None  # this scenario with its mistake put right; itself without a cure
    pending: Pending | None = None
    memory_limit: int = 4 << 30  # bytes
    origins: Origins = field(default_factory=Origins)
    wires: Wiring | None = None  # what each layer reads; None in a chain
    feeds: Mapping[str, Feed] = field(default_factory=lambda: MappingProxyType({}))  # by sequence
    stops: tuple[Stop, ...] = ()  # where a teacher stops, and what is said there
    path: Path | None = None  # of its file, from whose folder files are named
    file_text: str | None = None  # what stands in that file: a copy with other numbers keeps its comments

    @cached_property
    def wiring(self) -> Wiring:
        """What each layer reads, by its key, in the file's order."""
        if self.wires is not None:
            return self.wires
        return wired_in_a_chain(self.layers)

    @cached_property
    def by_key(self) -> Mapping[str, NetworkModule]:
        """Each layer under its key."""
        return {layer.key: layer for layer in self.layers}

    @cached_property
    def recurrents(self) -> tuple[Recurrent, ...]:
        """The recurrent modules, in order of computation."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @cached_property
    def recurrent(self) -> Recurrent:
        """The recurrent module; of several the last. Where there may be none, `recurrents` is asked."""
        return self.recurrents[-1]

    @cached_property
    def carries(self) -> bool:
        """Whether a batch begins with states at which the batch before ended."""
        return any(one.carry for one in self.recurrents)

    @property
    def batch_first(self) -> bool:
        """Whether torch is given rows before steps, (B, T, n): all recurrent modules say the same."""
        return any(one.batch_first for one in self.recurrents)

    @cached_property
    def scored_module(self) -> NetworkModule:
        """The module whose output is compared with what is wanted: that of [loss] `of`, else the last one."""
        of = None if self.loss is None else self.loss.of
        return self.layers[-1] if of is None else self.by_key[of]

    def recurrent_called(self, name: str) -> Recurrent:
        """The recurrent module of a name such as "encoder.h_0"; of one without a module's the only one."""
        module = name.rpartition(".")[0]
        return next((one for one in self.recurrents if one.before_places == f"{module}."), self.recurrent)

    @cached_property
    def learnt(self) -> Mapping[str, Floats]:
        """The parameters that have a gradient: all but what torch calls buffers."""
        buffers = {one.name for layer in self.layers for one in layer.own_parameters if not one.is_learnt}
        if not buffers:
            return self.parameters
        return {name: value for name, value in self.parameters.items() if name not in buffers}

    @property
    def has_masks(self) -> bool:
        """Whether elements are dropped anywhere."""
        return any(layer.masks for layer in self.layers)

    @property
    def dropout_seed(self) -> int:
        """Of numpy's generator that draws the masks: all modules say the same."""
        return next((one.dropout_seed for one in self.layers if isinstance(one, Recurrent | Dropout)), 0)

    @property
    def has_own_cells(self) -> bool:
        """Whether a recurrent module is a [cell.NAME] of the file, which torch does not have."""
        return any(one.is_own for one in self.recurrents)

    @cached_property
    def sequence_of(self) -> Mapping[str, str]:
        """The sequence whose steps each layer runs along, by the layer's key."""
        return {layer.key: sequence_of(layer.key, self.wiring) for layer in self.layers}

    def fed(self, module: NetworkModule, batch: Batch) -> FedSequence:
        """The sequence of a batch whose steps a module runs along."""
        return batch.sequences[self.sequence_of[module.key]]

    @property
    def scored_sequence(self) -> str:
        """The sequence whose steps have a target each."""
        return self.sequence_of[self.scored_module.key]

    def scored(self, batch: Batch) -> FedSequence:
        """What is fed of a batch along the sequence whose steps have a target each."""
        return batch.sequences[self.scored_sequence]

    def recurrent_of(self, block: Block) -> Recurrent:
        """The recurrent module that a block with states is of."""
        return next(one for one in self.recurrents if one.key == block.module)

    def lookup_of(self, block: Block) -> Embedding:
        """The module that a block which looks up is of."""
        return next(one for one in self.layers if isinstance(one, Embedding) and one.key == block.module)

    @property
    def cell(self) -> Cell:
        """The equations of one of its steps."""
        return self.recurrent.cell

    @property
    def lookup(self) -> Embedding | None:
        """What looks the indices up; None where vectors are given."""
        return next((one for one in self.layers if isinstance(one, Embedding)), None)

    @property
    def is_network(self) -> bool:
        """Whether it is more than a recurrent module, what looks indices up below it, and one module above it."""
        behind = self.behind_lookup
        return (
            self.wires is not None
            or any(layer.tied or layer.changes_steps for layer in self.layers)
            or not self.recurrents
            or not (behind[0] is self.recurrent and len(behind) <= 2 and self.recurrent.key == "")
            or any(layer.key != type(layer).key for layer in self.layers if layer is not self.recurrent)
        )

    @property
    def behind_lookup(self) -> tuple[NetworkModule, ...]:
        """All modules but one that looks indices up."""
        return tuple(layer for layer in self.layers if not isinstance(layer, Embedding))

    @property
    def head(self) -> NetworkModule | None:
        """What makes scores of the recurrent module's output; None where that is the scores itself."""
        return None if isinstance(self.scored_module, Recurrent) else self.scored_module

    @cached_property
    def wired_feeds(self) -> Mapping[str, str]:
        """The key of the module whose numbers of the step before each sequence is fed, by the sequence: gradients go back there."""
        return {name: one.layer for name, one in self.feeds.items() if not one.is_of_classes}

    @property
    def sampled(self) -> Feed | None:
        """How classes are drawn from the scores, where they are; None where the largest is taken."""
        key = self.scored_module.key
        every = (one for one in self.feeds.values() if one.layer == key and one.sampling is not None)
        return next(every, None)

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """What the classes are called: by the target's own vocabulary, or the input's where there are as many scores."""
        if self.target_vocabulary is not None:
            return self.target_vocabulary
        vocabulary = self.vocabulary
        return vocabulary if vocabulary is not None and len(vocabulary) == self.num_scores else None

    @property
    def num_scores(self) -> int:
        """How many scores there are, at each step or of each row."""
        return self.scored_module.size

    @property
    def reads_final_state(self) -> bool:
        """Whether a row has one answer, read from its final state."""
        return is_once(self.scored_module.key, self.wiring)

    @property
    def has_one_target_a_row(self) -> bool:
        """Whether one thing is wanted of a row: its scores are read once, or the loss is of the last step alone."""
        return self.reads_final_state or (self.loss is not None and self.loss.at == "last")

    def laid_out(self, whole: NDArray[Any]) -> NDArray[Any]:
        """Give an array over time, (T, B, …), as the module takes it: (B, T, …) with `batch_first`, (T, …) when unbatched."""
        if not self.is_batched:
            return whole[:, 0]
        return whole.swapaxes(0, 1) if self.batch_first else whole

    @property
    def whole_target(self) -> NDArray[Any]:
        """What is wanted in all batches, one behind the other, as [target] has it: in the layout of the output, or one a row."""
        every = [batch.target for batch in self.batches if batch.target is not None]
        if self.has_one_target_a_row:
            return np.concatenate(every) if self.is_batched else every[0][0]
        return self.laid_out(np.concatenate(every, axis=1))

    @property
    def whole_series(self) -> Floats:
        """All windows of all batches as one series, (N, I): one behind the other; where states are carried, row by row."""
        windows = [batch.values.swapaxes(0, 1) for batch in self.batches if batch.values is not None]
        if self.carries:
            windows = [np.concatenate(rows) for rows in zip(*windows, strict=True)]
        whole = np.concatenate(windows)
        return whole.reshape(-1, whole.shape[-1])

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """The dtype that everything is computed in."""
        return np.dtype(self.display.dtype)

    def most_steps(self, sequence: str) -> int:
        """How many steps a sequence has at most."""
        return max(one.num_steps for one in self._fed(sequence))

    def is_padded(self, sequence: str) -> bool:
        """Whether a sequence has rows with fewer steps than others."""
        every = self._fed(sequence)
        return any(one.lengths is not None or one.num_steps < self.most_steps(sequence) for one in every)

    def _fed(self, sequence: str) -> list[FedSequence]:
        return [batch.sequences[sequence] for batch in (*self.batches, *self.test_batches)]

    @property
    def has_loss(self) -> bool:
        """Whether there is something to compare the output with, and so to learn."""
        return self.loss is not None and self.batches[0].target is not None

    @property
    def goes_back(self) -> bool:
        """Whether there is a backward pass: from a loss, or from gradients that are given in every batch."""
        return self.has_loss or all(batch.above is not None for batch in self.batches)

    def initial_of(self, batch: Batch) -> Mapping[str, Floats]:
        """The states that are given before a batch's first step, h_0, c_0, (L·D, B, n): its own, or those of all batches."""
        return self.initial_state if batch.initial_state is None else batch.initial_state

    def first_state(self, block: Block, name: str, batch: Batch) -> Floats:
        """A block's state before the first step of a batch, (B, n): as it is given, else zeros."""
        recurrent = self.recurrent_of(block)
        given = self.initial_of(batch).get(f"{recurrent.before_places}{name}_0")
        if given is None:
            return np.zeros((batch.num_rows, int(block.program.states[name][0])), self.dtype)
        return np.ascontiguousarray(given[recurrent.position(block.layer, block.direction)])

    def masks_of(self, batch: Batch) -> Mapping[str, Floats]:
        """The dropout masks of one pass over a batch, (T, B, n), by their blocks: given, or drawn anew from the seed."""
        if not self.has_masks:
            return {}
        if batch.masks is not None:
            return batch.masks
        generator = np.random.default_rng(self.dropout_seed)
        return {
            mask.key: mask.drawn(generator, steps, batch.num_rows, self.dtype)
            for layer in self.layers
            if (steps := batch.axis(self.sequence_of[layer.key]).num_steps)
            for mask in layer.masks
        }

    def without_records(self) -> Scenario:
        """The scenario with nothing recorded beside it: what was is of other numbers, once any is changed."""
        if all(batch.recorded is None for batch in self.batches):
            return self
        return replace(self, batches=tuple(replace(batch, recorded=None) for batch in self.batches))

    def without_given_gradients(self) -> Scenario:
        """The scenario without gradients that its backward pass begins with in place of a loss."""
        if all(batch.above is None for batch in self.batches):
            return self
        return replace(self, batches=tuple(replace(batch, above=None) for batch in self.batches))

    def with_parameters(self, changed: Mapping[str, Floats]) -> Scenario:
        """Give this scenario with some parameters replaced; what was pending may become complete."""
        parameters = MappingProxyType({**self.parameters, **changed})
        pending = self.pending
        if pending is not None and all(name in parameters for name in pending.names):
            pending = None
        return replace(self, parameters=parameters, pending=pending)
