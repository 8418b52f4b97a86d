"""What our run of a batch may be off by along the run: the bound carried through time, layers, and the way back.

Every number here is our own; its error is what a right program's may differ from the exact one, each program on
its own states. Infinity where the errors have outgrown the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from rnnstep.engine import Pass
from rnnstep.equations.bounds import Pair
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Error, Rounding, exact
from rnnstep.reference.carried import carried_errors
from rnnstep.reference.layout import (
    alive,
    final,
    initial,
    joined,
    layer_inputs,
    previous,
)
from rnnstep.reference.loss_bounds import LossBounds
from rnnstep.reference.one_step import bounded


class RunErrors:
    """The errors along one of our runs, each computed when it is asked for.

    Attributes:
        done: the run.
        living: which rows take part in which step, (T, B); None when all do.
    """

    def __init__(self, done: Pass) -> None:
        self.done = done
        self.living = alive(done.batch)
        self._scenario = done.scenario
        self._reading = Rounding(done.scenario.dtype)

    @cached_property
    def entering(self) -> dict[str, Array]:
        """What entered each recurrent block, (T, B, I)."""
        return layer_inputs(self.done)

    def before(self, key: str) -> dict[str, Array]:
        """What each step of a block read of its states, (T, B, n), under the states' names."""
        run = self.done.runs[key]
        return {
            name: previous(
                run.state(name),
                initial(self._scenario, run.block, name, self.done.batch.num_rows),
                self.living,
                is_reversed=run.is_reversed,
            )
            for name in run.block.program.states
        }

    @cached_property
    def states(self) -> dict[str, dict[str, Error]]:
        """The error of each state of each block after every step, (T, B, n)."""
        found: dict[str, dict[str, Error]] = {}
        for layer in range(self._scenario.recurrent.num_layers):
            error = self._below(layer, found)
            for key, run in self.done.runs.items():
                if run.block.layer == layer:
                    inputs = {next(iter(run.block.program.inputs)): (self.entering[key], error)}
                    found[key] = carried_errors(
                        run.block, inputs, self.before(key), self._scenario.dtype, self.living
                    )
        return found

    def inputs(self, layer: int) -> Error:
        """The error of what enters a layer, (T, B, I)."""
        return self._below(layer, self.states)

    def _below(self, layer: int, states: Mapping[str, Mapping[str, Error]]) -> Error:
        if layer == 0:
            return np.zeros(self.done.x.shape)
        error = joined(self.done.blocks, layer - 1, self._outputs(states, layer - 1))
        mask = self.done.masks.get(f"dropout{layer - 1}")
        if mask is not None:
            dropped = self.done.dropped[f"dropout{layer - 1}"]
            error = self._reading.apply("mul", (exact(mask), (dropped, error)))[1]
        return error

    def _outputs(self, states: Mapping[str, Mapping[str, Error]], layer: int) -> dict[str, Error]:
        output = next(iter(self._scenario.cell.states))
        return {key: kept[output] for key, kept in states.items() if self.done.by_key[key].layer == layer}

    # ── above the recurrent layers ───────────────────────────────────────────────────

    @property
    def features_alone(self) -> Array:
        """What the linear layer reads, or the loss where there is none: (T, B, D·n), or (B, D·n) of final states."""
        return self.done.final_features if self.done.is_final else self.done.features

    @cached_property
    def features(self) -> Pair:
        """The same with its error."""
        last = self._scenario.recurrent.num_layers - 1
        by_key = self._outputs(self.states, last)
        if not self.done.is_final:
            return self.features_alone, joined(self.done.blocks, last, by_key)
        by_key = {
            key: final(error, self.done.batch, is_reversed=self.done.runs[key].is_reversed)
            for key, error in by_key.items()
        }
        return self.features_alone, joined(self.done.blocks, last, by_key)

    @cached_property
    def logits(self) -> Pair:
        """What the linear layer gives, (T, B, C) or (B, C); without one what it would read."""
        block = self.done.by_key.get("linear")
        if block is None:
            return self.features
        with np.errstate(all="ignore"):
            _, error = bounded(block, {next(iter(block.program.inputs)): self.features}, self._reading)[
                "logits"
            ]
        assert self.done.logits_by_row is not None
        return self.done.logits_by_row, error

    @cached_property
    def loss(self) -> LossBounds | None:
        """The loss; None where there is no target."""
        run = self.done.loss_run
        if run is None:
            return None
        value, error = self.logits
        with np.errstate(all="ignore"):
            shape = run.outputs.shape
            return LossBounds(run.blocks, (run.outputs, np.broadcast_to(error, value.shape).reshape(shape)))
