"""The way forward by hand: what feeds each block, from the input to the loss."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.rounding import shown
from rnnstep.checking.step import Fed, Step
from rnnstep.engine.passes import run_steps
from rnnstep.equations.intervals import Interval, point
from rnnstep.network.blocks import Block


class Forward(Calculation):
    """The part of a calculation that goes forward."""

    def forward_inputs(self, block: Block, t: int) -> Step:
        """What a forward block reads at a step beside its parameters."""
        found, first = Step(), next(iter(block.program.inputs))
        match block.kind:
            case "embedding":
                assert self.batch.indices is not None
                found.values[first] = self.batch.indices[t]
            case "recurrent":
                found.take(first, self.slip.x(self, block, t))
                for state in block.program.states:
                    found.take(block.program.before(state), self.slip.before(self, block, state, t))
            case "join":
                found.take("forward", self.state(f"L{block.layer}", t))
                found.take("backward", self.state(f"L{block.layer}←", t))
            case "dropout":
                found.take("h", self.output_of_layer(block.layer, t))
                found.values["mask"] = point(self.done.masks[block.key][t])
            case "linear":
                is_final = self.done.is_final
                found.take(first, self.slip.finals(self) if is_final else self.slip.output(self, t))
            case "loss":
                self._feed_loss(found, first, t)
            case "total":
                self._feed_total(found, first)
        return found

    # ── what enters ──────────────────────────────────────────────────────────────────

    def order(self, block: Block) -> range:
        """The steps of a recurrent block in the order in which they are computed."""
        return run_steps(self.done.runs[block.key])

    def x(self, block: Block, t: int) -> Fed:
        """What enters a layer at a step: x_t, or the output of the layer below."""
        if block.layer:
            return self.output_of_layer(block.layer - 1, t, with_dropout=True)
        if "embedding" in self.done.by_key:
            step = self.step("forward", "embedding", t)
            return step.values["x"], step.doubts["x"]
        assert self.batch.values is not None
        return shown(self.batch.values[t], self.reading.decimals), self.no_doubts

    def output_of_layer(self, layer: int, t: int, *, with_dropout: bool = False) -> Fed:
        """What a layer gives at a step, both directions joined; (B, D·n)."""
        for key in (f"dropout{layer}" if with_dropout else "", f"join{layer}"):
            if key in self.done.by_key:
                step = self.step("forward", key, t)
                return step.values["output"], step.doubts["output"]
        return self.state(f"L{layer}", t)

    def output(self, t: int) -> Fed:
        """What the last layer gives at a step, (B, D·n)."""
        return self.output_of_layer(self.done.scenario.recurrent.num_layers - 1, t)

    # ── states ───────────────────────────────────────────────────────────────────────

    def is_live(self, t: int) -> NDArray[np.bool_]:
        """Which rows take part in a step, (B,)."""
        if self.slip.walks_padding:
            return ~self.no_doubts
        return np.array([t <= self.batch.last_step(row) for row in range(self.batch.num_rows)])

    def state(self, key: str, t: int) -> Fed:
        """The output of a recurrent block at a step; zeros in rows that are over."""
        step, name, live = self.step("forward", key, t), self.done.by_key[key].output, self.is_live(t)
        if live.all():
            return step.values[name], step.doubts[name]
        low, high = (np.where(live[:, None], bound, 0.0) for bound in step.values[name])
        return (low, high), step.doubts[name] & live

    def before(self, block: Block, state: str, t: int) -> Fed:
        """A state before a step: after the step computed before, or the first one; a row that is over keeps its own."""
        step = self.step_before("forward", block, t)
        if step is None:
            return self.slip.initial(self, block, state), self.no_doubts
        order = self.slip.order(self, block)
        live = self.is_live(order[order.index(t) - 1])
        value, doubts = step.values[state], step.doubts[state]
        if live.all():
            return value, doubts
        kept = step.values[block.program.before(state)]
        low, high = (np.where(live[:, None], now, old) for now, old in zip(value, kept, strict=True))
        return (low, high), doubts

    def initial(self, block: Block, state: str) -> Interval:
        """A state before the first step, (B, n)."""
        scenario = self.done.scenario
        position = block.layer * scenario.recurrent.num_directions + (block.direction == "backward")
        given = scenario.initial_state.get(f"{state}_0")
        if given is None:
            return point(np.zeros((self.batch.num_rows, int(block.program.states[state][0]))))
        return shown(np.asarray(given[position]), self.reading.decimals)

    def final(self, key: str, state: str) -> Fed:
        """A state after the last step of each row, (B, n)."""
        block = self.done.by_key[key]
        last = self.slip.order(self, block)[-1]
        step = self.step("forward", key, last)
        if block.direction == "backward" or self.is_live(last).all():
            return step.values[state], step.doubts[state]
        low, high = (np.array(bound) for bound in step.values[state])
        doubts = step.doubts[state].copy()
        for row in range(self.batch.num_rows):
            step = self.step("forward", key, self.batch.last_step(row))
            low[row], high[row] = (bound[row] for bound in step.values[state])
            doubts[row] = step.doubts[state][row]
        return (low, high), doubts

    def finals(self) -> Fed:
        """The last layer's final states, both directions joined, (B, D·n)."""
        return self.finals_of_layer(self.done.scenario.recurrent.num_layers - 1)

    def finals_of_layer(self, layer: int) -> Fed:
        """Those of any layer."""
        runs = [run for run in self.done.runs.values() if run.block.layer == layer]
        return side_by_side([self.final(run.block.key, run.block.output) for run in runs])

    # ── the loss ─────────────────────────────────────────────────────────────────────

    def scores(self, t: int) -> Fed:
        """What the loss compares with the target at a step, (B, n)."""
        if "linear" not in self.done.by_key:
            return self.slip.output(self, t)
        step = self.step("forward", "linear", t)
        return step.values["logits"], step.doubts["logits"]

    def _feed_loss(self, found: Step, first: str, t: int) -> None:
        found.take(first, self.scores(t))
        assert self.done.loss_run is not None
        for name, whole in self.done.loss_run.blocks.given.items():
            value = whole[0 if self.done.is_final else t]
            is_class = name == "target" and value.dtype.kind in "iu"
            found.values[name] = value if is_class else point(value[:, None] if value.ndim == 1 else value)

    def loss_steps(self) -> range:
        """The steps that have a loss."""
        count = self.batch.num_steps
        return range(count - 1 if self.done.is_final else 0, count)

    def _feed_total(self, found: Step, first: str) -> None:
        assert self.done.loss_run is not None
        parts = [self.step("forward", "loss", t) for t in self.loss_steps()]
        low, high = (
            np.concatenate([part.values[first][side].reshape(-1) for part in parts]) for side in (0, 1)
        )
        is_doubtful = any(part.doubts[first].any() for part in parts)
        found.take(first, ((low, high), self.no_doubts | is_doubtful))
        for name, value in self.done.loss_run.blocks.weights.items():
            found.values[name] = point(value)


def joined(parts: Sequence[Interval]) -> Interval:
    """Vectors side by side."""
    low, high = (np.concatenate([part[side] for part in parts], axis=-1) for side in (0, 1))
    return low, high


def side_by_side(parts: Sequence[Fed]) -> Fed:
    """The same, and whether any of them is in doubt."""
    return joined([value for value, _ in parts]), np.logical_or.reduce([doubts for _, doubts in parts])
