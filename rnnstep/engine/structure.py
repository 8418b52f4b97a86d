"""What there is to step through in a batch, known before anything is run: phases, their blocks, and the blocks' steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Literal, NamedTuple

from rnnstep.engine.trainer import Trainer
from rnnstep.network.blocks import Block
from rnnstep.network.graph import Graph
from rnnstep.scenario.model import Batch

Phase = Literal["forward", "backward", "update"]


class Stretch(NamedTuple):
    """Blocks one after the other that run along the same sequence."""

    sequence: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False)
class Stage:
    """One phase of one batch.

    Attributes:
        phase: which.
        blocks: in the order of computation; programs are those of every epoch, numbers those of the first.
        steps: of each block, in the order of computation, from 0.
    """

    phase: Phase
    blocks: tuple[Block, ...]
    steps: Mapping[str, range]

    @cached_property
    def stretches(self) -> tuple[Stretch, ...]:
        """The blocks in stretches along one sequence, each of which comes to its end before the next begins."""
        return tuple(
            Stretch(sequence, tuple(blocks))
            for sequence, blocks in groupby(self.blocks, key=lambda block: block.sequence)
        )

    @cached_property
    def by_key(self) -> Mapping[str, Block]:
        """Each block under its key."""
        return self.graph.by_key

    @cached_property
    def graph(self) -> Graph:
        """The blocks and their wires; of a backward pass those of the forward pass."""
        return Graph(self.blocks)


class Structure:
    """The stages of a scenario's batches; every epoch has the same.

    Attributes:
        phases: forward; backward where there is a loss, or gradients are given; update where there is an optimizer, too.
    """

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._stages: dict[tuple[int, Phase], Stage] = {}
        self._by_time: dict[str, bool] = {}
        self.phases: tuple[Phase, ...] = ("forward",)
        if trainer.scenario.goes_back:
            is_learnt = trainer.optimizer is not None and trainer.scenario.has_loss
            self.phases = ("forward", "backward", "update") if is_learnt else ("forward", "backward")

    def is_by_time(self, sequence: str) -> bool:
        """Whether a step goes through all blocks along a sequence before the next one.

        As the scenario says; where blocks read one another of the step before, and none goes back in time or reads later steps,
        in any case, beside another sequence that goes layer by layer, too.
        """
        if sequence not in self._by_time:
            stage = self.stage(0, "forward")
            blocks = [block for block in stage.blocks if block.sequence == sequence]
            is_circle = any(block.key in stage.graph.loop_of for block in blocks)
            is_stepped = is_circle and not any(one.windows or one.direction == "backward" for one in blocks)
            is_apart = len(stage.stretches) > 1  # a tree of one sequence has one order
            self._by_time[sequence] = self._trainer.scenario.display.order == "time" or (
                is_stepped and is_apart
            )
        return self._by_time[sequence]

    @property
    def num_batches(self) -> int:
        """How many batches there are."""
        return len(self._trainer.scenario.batches)

    def stage(self, batch: int, phase: Phase) -> Stage:
        """One phase of one batch."""
        key = (batch, phase)
        if key not in self._stages:
            self._stages[key] = self._made(batch, phase)
        return self._stages[key]

    def _made(self, batch: int, phase: Phase) -> Stage:
        if phase == "update":
            blocks = self._trainer.update_blocks()
            return Stage(phase, blocks, {block.key: range(1) for block in blocks})
        blocks = self._trainer.model.blocks_of(batch)
        steps = self._forward_steps(self._trainer.scenario.batches[batch], blocks)
        if phase == "forward":
            return Stage(phase, blocks, steps)
        back = self._trainer.model.backward_blocks(batch)
        return Stage(phase, back, {block.key: steps[block.key][::-1] for block in back})

    @staticmethod
    def _forward_steps(batch: Batch, blocks: tuple[Block, ...]) -> dict[str, range]:
        return {
            block.key: batch.axis(block.sequence).steps(block.extent, block.direction) for block in blocks
        }
