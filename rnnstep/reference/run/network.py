"""torch's model of a scenario as a user would write it: modules, a loss, and parameters that autograd follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rnnstep.engine.blocks import build
from rnnstep.equations.operations import Array
from rnnstep.reference.run.layout import first_states, living_rows, of_layer
from rnnstep.reference.run.modules import (
    Module,
    Tensor,
    called,
    layer_module,
    leaves,
    plain_module,
    tensor,
    whole_module,
)
from rnnstep.reference.run.stepping import Stepper, cell_stepper, walk
from rnnstep.scenario.model import Batch, Scenario

FirstStates = Mapping[str, Any]  # "h", "c": (L·D, B, n), arrays, or tensors that autograd goes on through


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the model said: logits (T, B, C) or (B, C), and each state at its end, (L·D, B, n)."""

    logits: Tensor
    ends: Mapping[str, Tensor]


class Network:
    """The scenario's modules: embedding, the fused recurrent module (a cell: looped over), linear.

    Attributes:
        scenario: what it is made of; its parameters are copied, never written to.
        parameters: under torch's names, as torch.nn.Parameter.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.parameters: dict[str, Tensor] = leaves(scenario)
        self._recurrent = [block for block in build(scenario) if block.kind == "recurrent"]

    def __call__(self, batch: Batch, masks: Mapping[str, Array], first: FirstStates | None = None) -> Outputs:
        """Run a batch.

        Args:
            batch: what is fed.
            masks: the dropout masks between layers, `dropout0` …, (T, B, n); none where nothing is dropped.
            first: the states before the first step, if they are not the scenario's.
        """
        x = self.entered(batch)
        given = first_states(self.scenario, batch) if first is None else first
        states = {
            name: tensor(value) if isinstance(value, np.ndarray) else value for name, value in given.items()
        }
        if self.scenario.recurrent.is_cell or self.scenario.recurrent.is_own:
            output, ends = self._loop(batch, x, states, masks)
        elif masks:
            output, ends = self._chain(batch, x, states, masks)
        else:
            output, ends = self._whole(batch, x, states)
        logits = self.scores(self._features(output, ends[0]))
        return Outputs(logits, dict(zip(states, ends, strict=True)))

    def entered(self, batch: Batch) -> Tensor:
        """What enters the recurrent module, (T, B, I): values as given, or rows of the embedding."""
        if batch.values is not None:
            return tensor(batch.values)
        assert batch.indices is not None
        assert self._table is not None
        return self._table(tensor(batch.indices))

    def scores(self, features: Tensor) -> Tensor:
        """What makes scores, on what it reads; without one the features are the scores."""
        return features if self._head is None else self._head(features)

    def _features(self, output: Tensor, h_n: Tensor) -> Tensor:
        """The last layer's output (T, B, D·n), or its final states out of h_n (L·D, B, n), joined."""
        import torch

        if not self.scenario.reads_final_state:
            return output
        return torch.cat(list(h_n[-self.scenario.recurrent.num_directions :]), -1)

    # Modules are made once: the optimizer changes the parameters that they hold in place.

    @cached_property
    def _table(self) -> Module | None:
        table = self.scenario.lookup
        return None if table is None else plain_module(table, self.parameters)

    @cached_property
    def _head(self) -> Module | None:
        head = self.scenario.head
        return None if head is None else plain_module(head, self.parameters)

    @cached_property
    def _module(self) -> Module:
        return whole_module(self.scenario, self.parameters)

    @cached_property
    def _layers(self) -> list[Module]:
        layers = range(self.scenario.recurrent.num_layers)
        return [layer_module(self.scenario, layer, self.parameters) for layer in layers]

    @cached_property
    def _steps(self) -> Mapping[str, Stepper]:
        return {block.key: cell_stepper(self.scenario, block, self.parameters) for block in self._recurrent}

    def _whole(
        self, batch: Batch, x: Tensor, states: Mapping[str, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One call of the fused module, in the layout that the scenario gives it."""
        module = self._module
        lengths = batch.packed_lengths
        options: dict[str, Any] = {
            "batch_first": self.scenario.recurrent.batch_first,
            "num_steps": batch.num_steps,
        }
        if not self.scenario.is_batched:
            alone = tuple(state[:, 0] for state in states.values())
            output, ends = called(module, x[:, 0], alone, lengths, **options)
            return output[:, None], tuple(end[:, None] for end in ends)
        if not self.scenario.recurrent.batch_first:
            return called(module, x, tuple(states.values()), lengths, **options)
        output, ends = called(module, x.transpose(0, 1), tuple(states.values()), lengths, **options)
        return output.transpose(0, 1), ends

    def _chain(
        self, batch: Batch, x: Tensor, states: Mapping[str, Tensor], masks: Mapping[str, Array]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Single layers with our masks between, since the fused module draws its own."""
        import torch

        lengths = batch.packed_lengths
        every: list[tuple[Tensor, ...]] = []
        for layer in range(self.scenario.recurrent.num_layers):
            module = self._layers[layer]
            part = of_layer(self.scenario.recurrent, layer)
            first = tuple(state[part] for state in states.values())
            output, ends = called(module, x, first, lengths, batch_first=False, num_steps=batch.num_steps)
            every.append(ends)
            above = self.scenario.recurrent.above(layer)
            x = output if above is None else tensor(masks[above.key]) * output
        return output, tuple(torch.cat(ends) for ends in zip(*every, strict=True))

    def _loop(
        self, batch: Batch, x: Tensor, states: Mapping[str, Tensor], masks: Mapping[str, Array]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """A loop over a cell; of a cell of the file one for each layer and direction."""
        import torch

        living = living_rows(batch)
        ends: list[tuple[Tensor, ...]] = []
        for layer in range(self.scenario.recurrent.num_layers):
            directions = []
            for block in (one for one in self._recurrent if one.layer == layer):
                first = tuple(state[len(ends)] for state in states.values())
                is_reversed = block.direction == "backward"
                done = walk(self._steps[block.key], x, first, living, is_reversed=is_reversed)
                directions.append(done.whole(0))
                ends.append(done.ends)
            x = directions[0] if len(directions) == 1 else torch.cat(directions, -1)
            above = self.scenario.recurrent.above(layer)
            x = x if above is None else tensor(masks[above.key]) * x
        return x, tuple(torch.stack(each) for each in zip(*ends, strict=True))
