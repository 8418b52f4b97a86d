"""One pass: what the model did with one batch, every value at hand under its block's names."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.loss import LossBlocks, LossRun
from rnnstep.engine.recurrence import BlockRun
from rnnstep.engine.shapes import as_torch_shows, state_as_torch_shows
from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.graph import Graph
from rnnstep.scenario.model import Batch, Scenario


class Pass:
    """The run of one batch. `t` counts from 0; arrays by block are (live rows, n)."""

    phase = "forward"

    def __init__(
        self,
        scenario: Scenario,
        batch: Batch,
        blocks: tuple[Block, ...],
        index: int,
        x: Array,
        losses: LossBlocks | None = None,
    ) -> None:
        self.scenario = scenario
        self.batch = batch  # what was put in
        self.blocks = blocks
        self.index = index
        self.x = x  # what enters the recurrent module, (T, B, I)
        self._losses = losses
        self.runs: dict[str, BlockRun] = {}
        self.masks: dict[str, Array] = {}  # of each dropout block, (T, B, n)
        self.dropped: dict[str, Array] = {}  # what entered it
        self.features: Array = x  # the last layer's output, (T, B, D·n)

    @property
    def is_final(self) -> bool:
        """Whether the linear layer, and the loss with it, stands on the final state alone."""
        linear = self.scenario.linear
        return linear is not None and linear.source == "h_n"

    @cached_property
    def by_key(self) -> dict[str, Block]:
        """Each block under its key."""
        return {block.key: block for block in self.blocks}

    @cached_property
    def graph(self) -> Graph:
        """The blocks and their wires."""
        return Graph(self.blocks)

    # ── in torch's shapes ────────────────────────────────────────────────────────────

    @property
    def input(self) -> Array:
        """What enters the recurrent module, in the shape that torch takes; a copy of the scenario's."""
        return as_torch_shows(self.scenario, self.x).copy()

    @property
    def output(self) -> Array:
        """`output` as torch returns it; for a cell the stack of its h."""
        return as_torch_shows(self.scenario, self.features)

    @property
    def h_n(self) -> Array:
        """`h_n` as torch returns it: (D·num_layers, B, H), without B when unbatched; a cell's is (B, H)."""
        return self._final(0)

    @property
    def c_n(self) -> Array | None:
        """`c_n` as torch returns it, or None where there is no second state."""
        return self._final(1) if len(self.scenario.cell.states) > 1 else None

    @cached_property
    def logits_by_row(self) -> Array | None:
        """The linear layer's result, (T, B, C), or (B, C) for `from = "h_n"`; None without one."""
        block = self.by_key.get("linear")
        return None if block is None else self._linear_value(block)

    @cached_property
    def logits(self) -> Array | None:
        """The linear layer's result, laid out as `output` (or (B, out_features) for `from = "h_n"`); None without one."""
        whole, linear = self.logits_by_row, self.scenario.linear
        if whole is None or linear is None:
            return None
        if linear.source == "h_n":
            return whole if self.scenario.is_batched else whole[0]
        return as_torch_shows(self.scenario, whole)

    # ── the loss ─────────────────────────────────────────────────────────────────────

    @cached_property
    def loss_run(self) -> LossRun | None:
        """The loss with every value of it; None where there is no target."""
        if self._losses is None:
            return None
        with np.errstate(all="ignore"):
            run = LossRun(self._losses, self.scores if not self.is_final else self.scores[None])
            assert run.loss is not None
            return run

    @property
    def loss(self) -> float | None:
        """The loss; None where there is no target."""
        return None if self.loss_run is None else self.loss_run.loss

    @property
    def scores(self) -> Array:
        """What the loss compares with the target: logits, or without a linear layer the output; (T, B, n) or (B, n)."""
        logits = self.logits_by_row
        return self.features if logits is None else logits

    @cached_property
    def prediction(self) -> NDArray[np.intp]:
        """The class of the largest score, (T, B), or (B,) of the final state."""
        return np.asarray(np.argmax(self.scores, axis=-1))

    def _final(self, state: int) -> Array:
        name = tuple(self.scenario.cell.states)[state]
        return state_as_torch_shows(self.scenario, np.stack([run.final(name) for run in self.runs.values()]))

    @cached_property
    def final_features(self) -> Array:
        """The last layer's final states, both directions joined, (B, D·n)."""
        last = [
            run for run in self.runs.values() if run.block.layer == self.scenario.recurrent.num_layers - 1
        ]
        return np.concatenate([run.final(run.block.output) for run in last], axis=-1)

    def _linear_input(self) -> Array:
        return self.final_features[None] if self.is_final else self.features

    def _linear_value(self, block: Block) -> Array:
        """Logits over all steps, (T, B, C), or (B, C) of the final state."""
        x = self._linear_input()
        known = {**block.parameters, next(iter(block.program.inputs)): x.reshape(-1, x.shape[-1])}
        logits = block.compiled.derive("logits", known).reshape(*x.shape[:-1], -1)
        return logits[0] if self.is_final else logits

    # ── by place ─────────────────────────────────────────────────────────────────────

    def live_rows(self, t: int) -> NDArray[np.intp] | None:
        """The rows of the batch that take part in step `t`; None when all do."""
        return next(iter(self.runs.values())).live_rows(t)

    def row_index(self, key: str, t: int, row: int) -> int | None:
        """Where a row of the batch stands among those of a block's step; None when it is over."""
        extent = self.by_key[key].extent
        if extent is not Extent.LIVE:
            return 0 if extent is Extent.ONCE else row
        rows = self.live_rows(t)
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
        """All values of a block at step `t` (for `from = "h_n"` any t), each (live rows, n)."""
        if key in self.runs:
            return self.runs[key].values(t)
        block = self.by_key[key]
        return {name: self.value(key, name, t) for name in (*block.program.inputs, *block.program.names)}

    def value(self, key: str, name: str, t: int) -> Array:
        """One value of a block at step `t`, (live rows, n)."""
        if key in self.runs:
            return self.runs[key].value(name, t)
        return self._stateless(self.by_key[key], name, t)

    def _stateless(self, block: Block, name: str, t: int) -> Array:
        match block.kind, name:
            case "embedding", "index":
                assert self.batch.indices is not None
                return self._live(self.batch.indices.astype(np.intp), t)
            case "embedding", _:
                return self._live(self.x, t)
            case "join", "forward":
                return self.runs[f"L{block.layer}"].value(self._h, t)
            case "join", "backward":
                return self.runs[f"L{block.layer}←"].value(self._h, t)
            case "join", _:
                return np.concatenate(
                    [self._stateless(block, n, t) for n in ("forward", "backward")], axis=-1
                )
            case "dropout", "mask":
                return self._live(self.masks[block.key], t)
            case "dropout", "h":
                return self._live(self.dropped[block.key], t)
            case "dropout", _:
                with np.errstate(all="ignore"):
                    return self._live(self.masks[block.key] * self.dropped[block.key], t)
            case "loss", _:
                assert self.loss_run is not None
                return np.asarray(self.loss_run.known[name][0 if self.is_final else t])
            case "total", _:
                assert self.loss_run is not None
                return self.loss_run.entries[name][None]
        return self._linear_at(name, t)

    def _linear_at(self, name: str, t: int) -> Array:
        whole = self.logits_by_row
        assert whole is not None
        if self.is_final:
            return whole if name == "logits" else self.final_features
        return self._live(whole if name == "logits" else self.features, t)

    @property
    def _h(self) -> str:
        return next(iter(self.scenario.cell.states))

    def _live(self, whole: NDArray[Any], t: int) -> NDArray[Any]:
        rows = self.live_rows(t)
        return np.asarray(whole[t] if rows is None else whole[t][rows])

    def recurrent_steps(self) -> Iterator[tuple[int, str]]:
        """Give (t, block key) of every recurrent step in the scenario's order of computation."""
        steps = {key: run_steps(run) for key, run in self.runs.items()}
        if self.scenario.display.order == "time":
            most = max(run.num_steps for run in self.runs.values())
            yield from ((t, key) for t in range(most) for key in self.runs if t in steps[key])
        else:
            yield from ((t, key) for key in self.runs for t in steps[key])


def run_steps(run: BlockRun) -> range:
    """The steps of a run in order of computation; those that no row of a packed batch reaches are left out."""
    last = max(segment.stop for segment in run.segments)
    return range(last - 1, -1, -1) if run.is_reversed else range(last)
