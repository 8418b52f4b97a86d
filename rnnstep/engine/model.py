"""A scenario made ready to run: its blocks compiled and their parameters stacked once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import numpy as np

from rnnstep.engine.array_pool import ArrayPool
from rnnstep.engine.backward import BackwardPass, GivenGradients, blocks_reached, given_gradients
from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.blocks import build, last_block_of, scored_block
from rnnstep.engine.feeding import FedStepByStep, fed
from rnnstep.engine.loops import run_loop
from rnnstep.engine.loss import LossBlocks, loss_blocks
from rnnstep.engine.passes import Pass
from rnnstep.engine.recurrence import BlockRun
from rnnstep.engine.trace import Trace
from rnnstep.equations.compile import ONE_ROW, ROWS
from rnnstep.equations.operations import Array
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.graph import Graph
from rnnstep.scenario.data.feeding import with_sequences
from rnnstep.scenario.model import Batch, Scenario

KEPT_BYTES = 3 << 28  # beyond this a run keeps its states alone and computes the rest when looked at


@dataclass(slots=True, eq=False)
class _Made:
    """What is made once: but for the first two for all models that differ in their numbers alone."""

    blocks: tuple[Block, ...]
    prepared: dict[tuple[str, str], tuple[Any, ...]] = field(
        default_factory=dict
    )  # stacked, by block and mode
    losses: dict[int, LossBlocks | None] = field(default_factory=dict)
    graphs: dict[int, Graph] = field(default_factory=dict)  # by batch, as its loss is
    are_kept: dict[int, bool] = field(default_factory=dict)  # whether all that is computed is, by batch
    equations: dict[tuple[str, int, bool, int], BackwardEquations] = field(default_factory=dict)
    by_batch: dict[tuple[str, int], BackwardEquations] = field(
        default_factory=dict
    )  # the same by block and batch
    pool: ArrayPool = field(default_factory=ArrayPool)  # memory of runs that are gone


class Model:
    """A runnable scenario. Runs share nothing but the parameters, which are never written to.

    Args:
        scenario: what is run.
        made: what was made for a model that differs in its numbers alone.
        going_on: the states that a batch begins with in the place of those that are given, `h_0`, each (L·D, B, n).

    Raises:
        UsageError: parameters are pending, so that there is nothing to run yet; or gradients are given where there is no
            such value.
    """

    def __init__(
        self,
        scenario: Scenario,
        made: _Made | None = None,
        going_on: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        if scenario.pending is not None:
            raise UsageError(
                Text(
                    "parameters that only torch can give are missing: {names}",
                    names=", ".join(scenario.pending.names),
                )
            )
        self._given_scenario = scenario
        self.going_on = going_on
        self._dtype = scenario.dtype
        self._made = _Made(build(scenario)) if made is None else made
        self.blocks = self._made.blocks
        for batch in scenario.batches if made is None else ():
            if batch.above is not None:
                self._given(batch)

    @cached_property
    def scenario(self) -> Scenario:
        """What is run; what its network feeds itself is found when it is first asked for."""
        given = self._given_scenario
        if not given.feeds:
            return given
        with np.errstate(all="ignore"):
            batches = tuple(
                fed(given, batch, partial(self._guessed, number), partial(self._stepped, number))
                for number, batch in enumerate(given.batches)
            )
        return replace(given, batches=batches)

    def with_parameters(self, parameters: Mapping[str, Array]) -> Model:
        """The same model with other numbers; what was compiled serves both."""
        scenario = self._given_scenario.with_parameters(parameters).without_records()
        blocks = tuple(block.with_parameters(scenario.parameters) for block in self.blocks)
        made = replace(self._made, blocks=blocks, prepared={})
        if any(one.until is not None for one in scenario.feeds.values()):  # what is wanted ends elsewhere
            made = replace(made, losses={}, graphs={}, equations={}, by_batch={})
        return Model(scenario, made, self.going_on)

    def beginning_with(self, states: Mapping[str, Array]) -> Model:
        """The same model from other states before the first step of a batch, each (L·D, B, n): those at which another ended."""
        return Model(self._given_scenario, self._made, MappingProxyType(dict(states)))

    def run(self) -> Trace:
        """Run every batch, with the parameters that the model has."""
        return Trace(self.scenario, tuple(self.passes()))

    def passes(self) -> Iterator[Pass]:
        """Run one batch after another; each starts from the initial state, and where it is carried from where the last ended."""
        model = self
        for index in range(len(self.scenario.batches)):
            done = model.run_batch(index)
            yield done
            if self.scenario.carries:
                model = self.beginning_with(done.carried())

    def run_batch(self, index: int = 0) -> Pass:
        """Run one batch. Overflow and NaN are results to look at, and no cause for warnings."""
        with np.errstate(all="ignore"):
            return self._run_batch(index)

    def run_test_batch(self, index: int) -> Pass:
        """Run one of the batches that are kept apart."""
        with np.errstate(all="ignore"):
            return self._run_batch(index, is_test=True)

    def backward(self, done: Pass, above: GivenGradients | None = None) -> BackwardPass | None:
        """Go back through a run of this model; None where there is nothing to go back from.

        Args:
            done: A run of this model.
            above: Gradients that are given at any values that blocks compute, in place of the loss: by the block and the
                value, ("L0", "c"), an array (T, B, n), of what is computed once (1, B, n). Where a packed row is over
                nothing goes back from a recurrent block. Without them those of the batch itself, where there is no loss.

        Raises:
            UsageError: There is no such value, or it has another shape.
        """
        if above is not None:
            given = given_gradients(done.by_key, done.batch, above, self._dtype)
        elif done.loss_run is None and done.batch.above is not None:
            given = self._given(done.batch)
        elif done.loss_run is None:
            return None
        else:
            given = None
        with np.errstate(all="ignore"):
            return BackwardPass(done, self._equations_from(given or {}, done.index), self._dtype, given)

    def _given(self, batch: Batch) -> GivenGradients:
        """The gradients that a batch's backward pass begins with in the place of a loss."""
        blocks = {block.key: block for block in self.blocks}
        return given_gradients(blocks, batch, batch.above or {}, self._dtype)

    def _equations_from(
        self, given: Iterable[tuple[str, str]], index: int
    ) -> Callable[[Block], BackwardEquations]:
        """The backward pass through each block where gradients are given at values beside the blocks' outputs."""
        made: dict[str, BackwardEquations] = {}
        by_block = {key: [name for one, name in given if one == key] for key, _ in given}

        def equations_of(block: Block) -> BackwardEquations:
            others = [name for name in by_block.get(block.key, ()) if name != block.output]
            if not others:
                return self.backward_equations(block, index)
            if block.key not in made:
                made[block.key] = self._equations(block, index, others)
            return made[block.key]

        return equations_of

    def backward_blocks(self, index: int) -> tuple[Block, ...]:
        """The blocks of a batch's backward pass, in its order."""
        batch, blocks = self.scenario.batches[index], self.blocks_of(index)
        given = None if self.scenario.has_loss else self._given(batch)
        equations_of = self._equations_from(given or {}, index)
        return tuple(
            equations_of(block).block(block) for block in blocks_reached(Graph(blocks), blocks, given)
        )

    def _run_batch(self, index: int, *, is_test: bool = False) -> Pass:
        batch = (self.scenario.test_batches if is_test else self.scenario.batches)[index]
        batch = self._begun_from(batch)
        losses = self._loss_blocks(index, batch, is_test=is_test)
        blocks = self._with_loss(losses)
        number = -1 - index if is_test else index
        is_kept = self._made.are_kept.get(number)
        if is_kept is None:
            most = min(KEPT_BYTES, self.scenario.memory_limit)
            is_kept = self._made.are_kept[number] = self._kept_bytes(batch) <= most
        graph = self._made.graphs.get(number)
        if graph is None:
            graph = self._made.graphs[number] = Graph(blocks)
        return self._gone_through(Pass(self.scenario, batch, blocks, graph, index, losses), is_kept=is_kept)

    def _guessed(self, index: int, batch: Batch) -> Pass:
        """A run on a guess of what the network feeds itself, without a loss."""
        batch = self._begun_from(batch)
        return self._gone_through(Pass(self._given_scenario, batch, self.blocks, self._graph, index, None))

    def _stepped(self, index: int, name: str, batch: Batch) -> Batch:
        """A batch with what the network feeds a sequence, found step by step."""
        batch = self._begun_from(batch)
        feed, fed_now = self._given_scenario.feeds[name], FedStepByStep(self._given_scenario, name, batch)
        done = Pass(self._given_scenario, fed_now.batch, self.blocks, self._graph, index, None)
        key = last_block_of(self.blocks, feed.layer).key
        needed = {key, *self._graph.below(key)}
        readers = {block.key for block in self.blocks if block.reads_data and block.sequence == name}
        loop = [
            block.key
            for block in self.blocks
            if block.key in needed and not readers.isdisjoint({block.key, *self._graph.below(block.key)})
        ]
        self._gone_through(done, keys=needed - set(loop))
        begun = partial(self._begun, done, is_by_steps=True)
        run_loop(done, loop, begun, lambda t, gave: fed_now.say(t, gave[key][t]))
        return with_sequences(batch, {name: fed_now.batch.sequences[name]})

    def _begun_from(self, batch: Batch) -> Batch:
        """A batch with the states that it begins with where others ended."""
        if not self.going_on:
            return batch
        states = MappingProxyType({**self._given_scenario.initial_of(batch), **self.going_on})
        return replace(batch, initial_state=states, recorded=None)

    def _gone_through(self, done: Pass, *, is_kept: bool = True, keys: Collection[str] | None = None) -> Pass:
        """A pass whose blocks with states have run; some blocks alone where their keys are given."""
        graph = done.graph
        done.masks = done.scenario.masks_of(done.batch)
        for block in self.blocks:
            if keys is not None and block.key not in keys:
                continue
            loop = graph.loop_of.get(block.key)
            if loop is not None and block.key == loop[0]:
                done.take_loop(*run_loop(done, loop, partial(self._begun, done, is_by_steps=True)))
            elif loop is None and block.program.states:
                x = done.entering_side_by_side(block.key)
                done.runs[block.key] = self._begun(done, block, x, is_kept=is_kept)
        return done

    def _begun(
        self, done: Pass, block: Block, x: Array, *, is_kept: bool = True, is_by_steps: bool = False
    ) -> BlockRun:
        """The run of a recurrent block on what enters it, its inputs side by side, (T, B, n)."""
        return BlockRun(
            block,
            self._stacked(block, x.shape[1]),
            x,
            tuple([done.first_state(block.key, name) for name in block.program.states]),
            done.axis(block.key),
            is_kept=is_kept,
            is_by_steps=is_by_steps,
            pool=self._made.pool,
        )

    def blocks_of(self, index: int) -> tuple[Block, ...]:
        """The blocks of a batch's run, those of its loss included."""
        return self._with_loss(self._loss_blocks(index, self.scenario.batches[index], is_test=False))

    def _with_loss(self, losses: LossBlocks | None) -> tuple[Block, ...]:
        return self.blocks if losses is None else (*self.blocks, losses.loss, losses.total)

    def backward_equations(self, block: Block, index: int) -> BackwardEquations:
        """The backward pass through a block in a batch; derived once for all batches with as many rows and steps."""
        known = self._made.by_batch.get((block.key, index))
        if known is not None:
            return known
        rows, is_summed = self._rows_and_sums(block, index)
        # The loss has another program for each batch.
        key = (block.key, rows, is_summed, index if block.kind in ("loss", "total") else -1)
        if key not in self._made.equations:
            self._made.equations[key] = self._equations(block, index)
        self._made.by_batch[block.key, index] = self._made.equations[key]
        return self._made.equations[key]

    def _equations(self, block: Block, index: int, given: Iterable[str] = ()) -> BackwardEquations:
        rows, is_summed = self._rows_and_sums(block, index)
        is_first = bool(block.program.states) and block.reads_data
        read = [part.wire.value for part in self._graph.readers(block.key)]
        others = [name for name in dict.fromkeys((*given, *read)) if name != block.output]
        return BackwardEquations(block, rows, is_summed=is_summed, is_read_below=not is_first, given=others)

    @cached_property
    def _graph(self) -> Graph:
        """The blocks without a loss and their wires."""
        return Graph(self.blocks)

    def _rows_and_sums(self, block: Block, index: int) -> tuple[int, bool]:
        """How many rows go back through a block in a batch, and whether several steps are summed."""
        batch = self.scenario.batches[index]
        rows = 1 if block.extent is Extent.ONCE or block.reads_all_rows else batch.num_rows
        return rows, not block.extent.is_single and batch.axis(block.sequence).num_steps > 1

    def _loss_blocks(self, index: int, batch: Batch, *, is_test: bool) -> LossBlocks | None:
        number = -1 - index if is_test else index
        if number not in self._made.losses:
            self._made.losses[number] = loss_blocks(
                self.scenario, batch, scored_block(self.scenario, self.blocks)
            )
        return self._made.losses[number]

    def _stacked(self, block: Block, rows: int) -> tuple[Any, ...]:
        mode = ONE_ROW if rows == 1 else ROWS
        known = self._made.prepared.get((block.key, mode))
        if known is None:
            known = block.compiled.prepare(block.parameters, self._dtype, mode)
            self._made.prepared[block.key, mode] = known
        return known

    def _kept_bytes(self, batch: Batch) -> int:
        stepped = [block for block in self.blocks if block.program.states]
        steps = (block.compiled.numbers_a_step * batch.axis(block.sequence).num_steps for block in stepped)
        return sum(steps) * batch.num_rows * self._dtype.itemsize
