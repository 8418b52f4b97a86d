"""One pass: what the model did with one batch, every value at hand under its block's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.blocks import scored_block
from rnnstep.engine.loss import LossBlocks, LossRun
from rnnstep.engine.recurrence import BlockRun
from rnnstep.engine.shapes import as_torch_shows, layer_as_torch_shows, state_as_torch_shows
from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.graph import Graph, Part, is_join
from rnnstep.network.time import TimeAxis
from rnnstep.network.wires import When, Wire
from rnnstep.scenario.model import Batch, Scenario


class Pass:
    """The run of one batch. `t` counts from 0; arrays by block are (live rows, n)."""

    phase = "forward"

    def __init__(
        self,
        scenario: Scenario,
        batch: Batch,
        blocks: tuple[Block, ...],
        graph: Graph,
        index: int,
        losses: LossBlocks | None = None,
    ) -> None:
        self.scenario = scenario
        self.batch = batch  # what was put in
        self.blocks = blocks
        self.index = index
        self.graph = graph  # their wires; passes with other numbers share it
        self._losses = losses
        self.runs: dict[str, BlockRun] = {}
        self.masks: Mapping[str, Array] = {}  # of each block that reads one, (T, B, n)
        self._wholes: dict[str, dict[str, Array]] = {}

    # A graph has the numbers of the pass that it was made for: blocks are asked for here.

    @property
    def lookup(self) -> Block | None:
        """The block that looks indices up; None where vectors are given."""
        found = self.graph.lookup
        return None if found is None else self.by_key[found.key]

    @property
    def head(self) -> Block | None:
        """What makes scores of the recurrent module's output; None where that is the scores itself."""
        return None if self.scored.program.states or is_join(self.scored) else self.scored

    @cached_property
    def scored(self) -> Block:
        """The block whose output is compared with what is wanted, or would be."""
        return scored_block(self.scenario, self.blocks)

    @cached_property
    def by_key(self) -> dict[str, Block]:
        """Each block under its key."""
        return {block.key: block for block in self.blocks}

    # ── along the wires: over all steps, (T, B, n); of what is computed once (1, B, n) ─────────────

    def entering(self, key: str, name: str) -> Array:
        """What enters a block over all steps, (T, B, n); of an index (T, B)."""
        parts = [self.brought(part) for part in self.graph.entering(key, name)]
        if not self.by_key[key].extent.is_single:
            steps = self.axis(key).num_steps
            parts = [self._at_every_step(part, steps) for part in parts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def entering_side_by_side(self, key: str) -> Array:
        """All that enters a block over all steps, its inputs in their order, (T, B, n)."""
        every = [self.entering(key, name) for name in self.by_key[key].program.inputs]
        return every[0] if len(every) == 1 else np.concatenate(every, axis=-1)

    def known_by_step(self, key: str) -> dict[str, Array]:
        """What a block knows of each of its steps beside what enters, (T, B, n)."""
        return {name: self.entering(key, name) for name in self.by_key[key].known_by_step}

    @staticmethod
    def _at_every_step(part: Array, steps: int) -> Array:
        """What is there once, (1, B, n), at every step, (T, B, n)."""
        return part if len(part) == steps else np.broadcast_to(part, (steps, *part.shape[1:]))

    def brought(self, part: Part) -> Array:
        """What a wire brings over all steps, (T, B, n); of what is the same at all of them (1, B, n)."""
        match part.wire.when:
            case When.OFFSET:
                return self.axis(part.reader).in_window(self._of_every_step(part), part.wire)
            case When.DATA:
                return self.data(part.reader, part.wire.value)
            case When.LAST:
                return self.final(part.wire.block, part.wire.value)[None]
            case When.BEFORE:
                key, taught = part.wire.block, list(part.wire.taught)
                found = self.axis(key).before(self.whole(key), self.first(key), self.by_key[key].direction)
                if taught:
                    found[taught] = self.taught(part)[taught]
                return found
            case When.ROW_END | When.END:
                return self.axis(part.wire.block).brought(self.whole(part.wire.block), part.wire.when)[None]
        return self.whole(part.wire.block)

    def taught(self, part: Part) -> Array:
        """What a sequence has in the place of what its layer gave at the step before, (T, B, n)."""
        values = self.batch.sequences[self.by_key[part.reader].sequence].values
        assert values is not None
        return values

    def banks(self, key: str) -> dict[str, Array]:
        """What a block reads whole, the same at every step: vectors (B, S, n), or which of them are live (B, S)."""
        return {name: self._bank(key, name) for name in self.by_key[key].program.banks}

    def _bank(self, key: str, name: str) -> Array:
        program = self.by_key[key].program
        steps, parts = int(program.banks[name][0]), self.graph.entering(key, name)
        if self.by_key[key].reads_all_rows:
            return self._of_all_rows(key, name, steps)
        if len(program.banks[name]) == 1:
            return self.batch.sequences[self.bank_sequence(key)].live_steps(steps).astype(self.scenario.dtype)
        whole = np.concatenate([self.brought(part) for part in parts], axis=-1).swapaxes(0, 1)
        bank = np.zeros((len(whole), steps, whole.shape[-1]), whole.dtype)
        bank[:, : whole.shape[1]] = whole
        return bank

    def _of_all_rows(self, key: str, name: str, steps: int) -> Array:
        """The vectors of all steps and rows, row beside row in each step, (B, S, n), the same in each row; or which there are."""
        count, rows = self.num_read(key), self.batch.num_rows
        if len(self.by_key[key].program.banks[name]) == 1:
            present = (np.arange(steps) < count).astype(self.scenario.dtype)
            return np.broadcast_to(present, (rows, steps))
        parts = [
            self._at_every_step(self.brought(part), count // rows) for part in self.graph.entering(key, name)
        ]
        bank = np.zeros((steps, sum(part.shape[-1] for part in parts)), self.scenario.dtype)
        bank[:count] = np.concatenate(parts, axis=-1).reshape(count, -1)
        return np.broadcast_to(bank, (rows, *bank.shape))

    def num_read(self, key: str) -> int:
        """How many vectors a block reads that reads those of all rows: steps times rows, padding included."""
        parts = self.graph.entering(key, next(iter(self.by_key[key].program.banks)))
        is_single = all(
            part.wire.when.is_once
            or (part.wire.block in self.by_key and self.by_key[part.wire.block].extent.is_single)
            for part in parts
        )
        return self.batch.num_rows * (1 if is_single else self.axis(key).num_steps)

    def bank_sequence(self, key: str) -> str:
        """The sequence whose steps are the vectors of what a block reads whole."""
        return self.by_key[self.graph.bank_source(key)].sequence

    def _of_every_step(self, part: Part) -> Array:
        """What a window is read of, over all of its steps."""
        return self.whole(part.wire.block) if part.wire.block else self.data(part.reader, part.wire.value)

    def data(self, key: str, name: str) -> NDArray[Any]:
        """An array that a block is given: over all steps, (T, B, …), or of what is computed once, (1, B, …); weights (N,)."""
        if self._losses is not None:
            for given in self._losses.given, self._losses.weights:
                if key in (self._losses.loss.key, self._losses.total.key) and name in given:
                    return given[name]
        match name:
            case "x":
                values = self.batch.sequences[self.by_key[key].sequence_read].values
                assert values is not None
                return values
            case "mask":
                return self.masks[key]
            case "keep":
                assert self.batch.keep is not None
                return self.batch.keep
            case "N":
                return np.full((1, self.batch.num_rows, 1), self.num_read(key), self.scenario.dtype)
            case _ if name in self.by_key[key].known_by_step:
                return self._given_by_step(self.by_key[key], name)
        indices = self.batch.sequences[self.by_key[key].sequence_read].indices
        assert indices is not None
        return indices.astype(np.intp, copy=False)

    def _given_by_step(self, block: Block, name: str) -> Array:
        """What a module knows of each of its steps, (T, B, 1)."""
        steps = self.batch.axis(block.sequence_read).num_steps
        known = self.scenario.by_key[block.module].at_each_step(name, steps).astype(self.scenario.dtype)
        return np.broadcast_to(known[:, None, None], (len(known), self.batch.num_rows, 1))

    def whole(self, key: str) -> Array:
        """What a block gives over all steps, (T, B, n); of a recurrent one zeros where a row is over."""
        output = self.by_key[key].output
        return self.runs[key].state(output) if key in self.runs else self.everything(key)[output]

    def first(self, key: str) -> Array:
        """What is read of the step before the first of what a block gives, (B, n): its first state, what is fed first, else zeros."""
        block = self.by_key[key]
        if block.output in block.program.states:
            return self.first_state(key, block.output)
        for sequence, layer in self.scenario.wired_feeds.items():
            if layer == block.module:
                return np.asarray(self.scenario.feeds[sequence].first, self.scenario.dtype)
        size = int(block.program.shapes[block.output][0])
        return np.zeros((self.batch.num_rows, size), self.scenario.dtype)

    def first_state(self, key: str, name: str) -> Array:
        """A state of a block before the first step, (B, n): what a wire brings, or as the scenario gives it."""
        parts = self.graph.entering(key, f"{name}_0")
        if not parts:
            return self.scenario.first_state(self.by_key[key], name, self.batch)
        return np.ascontiguousarray(np.concatenate([self.brought(part)[0] for part in parts], axis=-1))

    def take_loop(self, runs: Mapping[str, BlockRun], others: Mapping[str, dict[str, Array]]) -> None:
        """Take what the blocks of a loop did: the runs of those with states, of the others what they read and gave."""
        self.runs |= runs
        self._wholes |= others

    def final(self, key: str, value: str | None = None) -> Array:
        """What a block gave where each row ended, or another of its states there, (B, n); of joined directions each at its own end."""
        block = self.by_key[key]
        if key in self.runs:
            return self.runs[key].final(value or block.output)
        if is_join(block):
            every = [part for name in block.program.inputs for part in self.graph.entering(key, name)]
            return np.concatenate([self.final(part.wire.block) for part in every], axis=-1)
        whole = self.whole(key)
        return whole[0] if block.extent.is_single else self.axis(key).final(whole, block.direction)

    def everything(self, key: str) -> Mapping[str, Array]:
        """All that a block without states reads and gives, over all steps; rows that are over included."""
        if key not in self._wholes:
            with np.errstate(all="ignore"):
                self._wholes[key] = self._computed(self.by_key[key])
        return self._wholes[key]

    def _computed(self, block: Block) -> dict[str, Array]:
        if block.extent is Extent.ONCE:
            assert self.loss_run is not None
            return {name: value[None, None] for name, value in self.loss_run.entries.items()}
        if self._losses is not None and block.key == self._losses.loss.key:
            assert self.loss_run is not None
            return self.loss_run.known
        read = {name: self.entering(block.key, name) for name in block.program.inputs}
        if block.reads_all_rows:  # the same in each: it is computed in the first
            banks = self.banks(block.key)
            first = {name: value[:, :1] for name, value in read.items()}
            lines = block.program.at_once({**first, **{name: value[:1] for name, value in banks.items()}})
            shape = (1, self.batch.num_rows)
            same = {name: np.broadcast_to(value, (*shape, value.shape[-1])) for name, value in lines.items()}
            return {**read, **banks, **same}
        if block.program.banks:
            read |= self.banks(block.key)
            return {**read, **block.program.at_once({**block.parameters, **read})}
        if not block.parameters:
            return {**read, **block.program.at_once(read)}
        # A product is taken of all steps and rows at once.
        shape = next(iter(read.values())).shape[:2]
        lines = block.program.at_once({**block.parameters, **_flat(read)})
        return {**read, **{name: value.reshape(*shape, *value.shape[-1:]) for name, value in lines.items()}}

    # ── in torch's shapes ────────────────────────────────────────────────────────────

    @cached_property
    def x(self) -> Array:
        """What enters the recurrent module, (T, B, I); without one the first block that looks nothing up."""
        every = [block for block in self.blocks if block.kind != "lookup"]
        first = next((block for block in every if block.program.states), every[0])
        return self.entering(first.key, next(iter(first.program.inputs)))

    @cached_property
    def features(self) -> Array:
        """The last recurrent layer's output, (T, B, D·n); without one what is compared with what is wanted."""
        return self.whole((self.last_of_recurrent or self.scored).key)

    @property
    def last_of_recurrent(self) -> Block | None:
        """The last recurrent block, or the join of the last layer's directions; None without a recurrent module."""
        found = self.graph.last_of_recurrent
        return None if found is None else self.by_key[found.key]

    @property
    def input(self) -> Array:
        """What enters the recurrent module, in the shape that torch takes; a copy of the scenario's."""
        return as_torch_shows(self.scenario, self.x).copy()

    @property
    def output(self) -> Array | None:
        """`output` as torch returns it; for a cell the stack of its h; None without a recurrent module."""
        return None if self.last_of_recurrent is None else as_torch_shows(self.scenario, self.features)

    @property
    def h_n(self) -> Array | None:
        """`h_n` as torch returns it: (D·num_layers, B, H), without B when unbatched; a cell's is (B, H).

        None where there are several recurrent modules.
        """
        return self.final_states(self.scenario.recurrent, 0) if len(self.scenario.recurrents) == 1 else None

    @property
    def c_n(self) -> Array | None:
        """`c_n` as torch returns it, or None where there is no second state, or several recurrent modules."""
        if len(self.scenario.recurrents) != 1 or len(self.scenario.recurrent.cell.states) < 2:
            return None
        return self.final_states(self.scenario.recurrent, 1)

    @cached_property
    def logits_by_row(self) -> Array | None:
        """The linear layer's result, (T, B, C), or (B, C) where it is once a row; None without one."""
        block = self.head
        if block is None:
            return None
        logits = self.whole(block.key)
        return logits[0] if block.extent.is_single else logits

    @cached_property
    def logits(self) -> Array | None:
        """The linear layer's result, laid out as `output` (or (B, out_features) where it is once a row); None without one."""
        whole, head = self.logits_by_row, self.head
        if whole is None or head is None:
            return None
        if head.extent.is_single:
            return whole if self.scenario.is_batched else whole[0]
        return as_torch_shows(self.scenario, whole)

    # ── the loss ─────────────────────────────────────────────────────────────────────

    @cached_property
    def loss_run(self) -> LossRun | None:
        """The loss with every value of it; None where there is no target."""
        if self._losses is None:
            return None
        with np.errstate(all="ignore"):
            loss = self._losses.loss
            run = LossRun(self._losses, self.entering(loss.key, next(iter(loss.program.inputs))))
            assert run.loss is not None
            return run

    @property
    def loss(self) -> float | None:
        """The loss; None where there is no target."""
        return None if self.loss_run is None else self.loss_run.loss

    @property
    def scores(self) -> Array:
        """What the loss compares with the target: logits, or without a linear layer the output; (T, B, n) or (B, n)."""
        logits, loss = self.logits_by_row, self.scenario.loss
        scores = self.whole(self.scored.key) if logits is None else logits
        if loss is None or loss.at is None or scores.ndim == 2:
            return scores
        return self.axis(self.scored.key).brought(scores, When.ROW_END)

    @cached_property
    def prediction(self) -> NDArray[np.intp]:
        """The class of the largest score, (T, B), or (B,) of the final state; where classes are drawn, the drawn one."""
        drawn = self.drawn
        return drawn if drawn is not None and self.scores.ndim == 3 else np.argmax(self.scores, axis=-1)

    @cached_property
    def drawn(self) -> NDArray[np.intp] | None:
        """The classes that are drawn from what is scored, to be fed, (T, B); None where the largest score is taken."""
        feeding = self.scenario.sampled
        return None if feeding is None else feeding.said(self.whole(self.scored.key))

    def layer_results(self) -> dict[str, dict[str, Array]]:
        """What each module gave, in torch's shapes: `output`, of a recurrent one `h_n` and `c_n`, too."""
        found: dict[str, dict[str, Array]] = {}
        for module in self.scenario.layers:
            last = [block for block in self.blocks if block.module == module.key][-1]
            whole = self.whole(last.key)
            gave = layer_as_torch_shows(self.scenario, whole[0] if last.extent.is_single else whole)
            # What is added to a layer's is the layer's output, too.
            found.setdefault(module.name.removesuffix(".add"), {})["output"] = gave
            if isinstance(module, Recurrent):
                ends = dict(enumerate(("h_n", "c_n")[: len(module.cell.states)]))
                found[module.name] |= {name: self.final_states(module, k) for k, name in ends.items()}
        return found

    def given_input(self) -> dict[str, NDArray[Any]]:
        """What a network is given, by its sequence, in the shape that torch takes: numbers, or indices to look up."""
        every: Mapping[str, Any] = {name: one.given for name, one in self.batch.fed.items()}
        return {name: np.asarray(as_torch_shows(self.scenario, given)) for name, given in every.items()}

    def final_states(self, recurrent: Recurrent, state: int) -> Array:
        """The first or second state of a recurrent module at its end, as torch returns it."""
        name = tuple(recurrent.cell.states)[state]
        ends = [run.final(name) for run in self.runs.values() if run.block.module == recurrent.key]
        return state_as_torch_shows(self.scenario, recurrent, np.stack(ends))

    def ended(self, recurrents: Iterable[Recurrent]) -> dict[str, Array]:
        """Where each state of some modules ended, as a first state is given, "h_0", of one of several "encoder.h_0": (L·D, B, n)."""
        return {
            f"{one.before_places}{name}_0": np.stack(
                [run.final(name) for run in self.runs.values() if run.block.module == one.key]
            )
            for one in recurrents
            for name in one.cell.states
        }

    def carried(self) -> dict[str, Array]:
        """The states that the next batch begins with; none where none is carried."""
        return self.ended(one for one in self.scenario.recurrents if one.carry)

    def goes_on(self, key: str) -> bool:
        """Whether a block with states begins with those at which the batch before ended: `carry`."""
        return self.index > 0 and self.scenario.recurrent_of(self.by_key[key]).carry

    # ── by place ─────────────────────────────────────────────────────────────────────

    def axis(self, key: str) -> TimeAxis:
        """The steps that a block runs along, and which rows take part in which."""
        return self.batch.axis(self.by_key[key].sequence)

    def axis_read(self, key: str, wire: Wire) -> TimeAxis:
        """The steps that a wire of a block brings: those of another block, or of data."""
        return self.axis(wire.block) if wire.block else self.batch.axis(self.by_key[key].sequence_read)

    def live_rows(self, key: str, t: int) -> NDArray[np.intp] | None:
        """The rows of the batch that take part in a block's step; None when all do."""
        return self.axis(key).live_rows(t)

    def row_index(self, key: str, t: int, row: int) -> int | None:
        """Where a row of the batch stands among those of a block's step; None when it is over."""
        extent = self.by_key[key].extent
        if extent is not Extent.LIVE:
            return 0 if extent is Extent.ONCE else row
        rows = self.live_rows(key, t)
        if rows is None:
            return row
        found = (rows == row).nonzero()[0]
        return int(found[0]) if len(found) else None

    def known(self, key: str, t: int, row: int) -> dict[str, Array] | None:
        """All that a block's lines read and give at a step, for one row; None when the row is over."""
        index = self.row_index(key, t, row)
        if index is None:
            return None
        values = {name: value[index] for name, value in self.values(key, t).items()}
        return {**self.by_key[key].parameters, **values}

    def values(self, key: str, t: int) -> dict[str, Array]:
        """All values of a block at step `t` (of what is computed once any t), each (live rows, n)."""
        if key in self.runs:
            return self.runs[key].values(t)
        program = self.by_key[key].program
        names = (*program.inputs, *program.banks, *program.names)
        return {name: self._at(key, name, t) for name in names}

    def value(self, key: str, name: str, t: int) -> Array:
        """One value of a block at step `t`, (live rows, n)."""
        if key in self.runs:
            return self.runs[key].value(name, t)
        return self._at(key, name, t)

    def _at(self, key: str, name: str, t: int) -> Array:
        """What there is of a value at a step, (live rows, n)."""
        extent, whole = self.by_key[key].extent, self.everything(key)[name]
        value = whole if name in self.by_key[key].program.banks else whole[0 if extent.is_single else t]
        rows = self.live_rows(key, t) if extent is Extent.LIVE else None
        return np.asarray(value if rows is None else value[rows])

    def recurrent_steps(self) -> Iterator[tuple[int, str]]:
        """Give (t, block key) of every recurrent step in the scenario's order of computation."""
        for sequence in dict.fromkeys(run.block.sequence for run in self.runs.values()):
            axis = self.batch.axis(sequence)
            steps = {
                key: axis.order(run.block.direction)
                for key, run in self.runs.items()
                if run.block.sequence == sequence
            }
            is_circle = any(key in self.graph.loop_of for key in steps)
            is_stepped = is_circle and all(self.by_key[key].direction == "forward" for key in steps)
            if self.scenario.display.order == "time" or is_stepped:
                yield from ((t, key) for t in axis.order("forward") for key in steps if t in steps[key])
            else:
                yield from ((t, key) for key in steps for t in steps[key])


def _flat(read: Mapping[str, Array]) -> dict[str, Array]:
    """Make the axes of steps and rows one."""
    return {name: value.reshape(-1, *value.shape[2:]) for name, value in read.items()}
