"""The whole of a calculation by hand: forward, back, and the update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from rnnstep.checking.forward import Forward
from rnnstep.checking.rounding import shown
from rnnstep.checking.step import Fed, Step
from rnnstep.engine.epoch import CLIP
from rnnstep.engine.learning import Learning
from rnnstep.engine.optimizers import Optimizer, largest_update
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.shares import ROWS, D
from rnnstep.network.blocks import Block

AT_MOST = 4  # times the largest update: small numbers above and below may be rounded apart


class Around(Protocol):
    """What a calculation knows of the other batches and epochs: a writer's sheet."""

    learning: Learning

    def of_batch(self, epoch: int, batch: int, decimals: int) -> Paper:
        """The calculation of another batch or epoch, rounded to so many decimals."""

    def gradient(self, paper: Paper, torch: str) -> Fed:
        """∂L/∂ of a parameter, from the shares of all steps."""

    def learnt(self, paper: Paper, torch: str, name: str) -> Fed | None:
        """What the writer's own update before a batch leaves of a parameter; None where there is none."""


class Paper(Forward):
    """A calculation on a sheet, which knows the other batches and epochs.

    Attributes:
        sheet: it; None where only what is forward is asked for.
    """

    sheet: Around | None = None

    def stage(self, phase: Phase) -> Stage:
        """The blocks of a pass, and their steps."""
        assert self.sheet is not None
        return self.sheet.learning.structure.stage(self.done.index, phase)

    def block(self, phase: Phase, key: str) -> Block:
        """A block of a pass, with the parameters of its epoch."""
        if phase == "forward":
            return self.done.by_key[key]
        if phase == "update":
            assert self.sheet is not None
            update = self.sheet.learning.epoch(self.epoch).update(self.done.index)
            assert update is not None
            return update.by_key[key]
        return self.stage(phase).by_key[key]

    def steps_of(self, phase: Phase, block: Block) -> Sequence[int]:
        """The steps of a block in the order of computation."""
        if phase == "forward":
            return self.slip.order(self, block)
        return self.stage(phase).steps[block.key]

    def inputs(self, phase: Phase, block: Block, t: int) -> Step:
        """What a block reads at a step beside its parameters."""
        match phase:
            case "backward":
                return self._back_inputs(block, t)
            case "update":
                return self._update_inputs(block)
        return self.forward_inputs(block, t)

    def parameters(self, block: Block) -> Mapping[str, Interval]:
        """A block's parameters as people read them, or as a slip has them."""
        if self.base is not None:
            return self.slip.parameters(self, block)
        if block.key not in self._parameters and self.sheet is not None:
            self._parameters[block.key] = self._learnt(
                block, super().parameters(self.done.by_key.get(block.key, block))
            )
        return super().parameters(block)

    def learnt_parameters(self, block: Block) -> Mapping[str, Interval]:
        """The right ones; or those that the updates before leave where a slip was made in them."""
        assert self.base is not None
        right = self.base.parameters(block)
        return self._learnt(block, right) if self.slip.learns else right

    def _learnt(self, block: Block, known: Mapping[str, Interval]) -> dict[str, Interval]:
        """Parameters with those that the writer's own updates before leave in the place of the run's."""
        found = dict(known)
        for name, where in block.kept_in.items():
            own = None if self.sheet is None else self.sheet.learnt(self, where.torch, "w")
            if own is not None:
                (low, high), doubts = own
                found[name] = low[where.start : where.stop], high[where.start : where.stop]
                if doubts.any():
                    self.doubtful.setdefault(block.key, []).append(name)
        return found

    def limited(self, phase: Phase, name: str, bounds: Interval) -> Interval:
        """Of Adam's quotient the bounds lose sight of what is above and below being of the same gradient."""
        if phase != "update" or name != "update":
            return bounds
        training = self.done.scenario.training
        most = None if training is None else largest_update(training)
        if most is None:
            return bounds
        low, high = bounds
        most = AT_MOST * most + 10.0**-self.reading.decimals
        return np.where(high >= -most, np.maximum(low, -most), low), np.where(
            low <= most, np.minimum(high, most), high
        )

    # ── back ─────────────────────────────────────────────────────────────────────────

    def _back_inputs(self, block: Block, t: int) -> Step:
        found, program = Step(), block.program
        before = self.step_before("backward", block, t) if program.states else None
        for state, shape in program.states.items():
            name = program.before(state)
            if before is not None:
                found.take(name, self.slip.later(self, block, state, t))
                continue
            size = tuple(int(one) for one in shape)
            rows = () if state.removeprefix(D) in block.kept_in else (self.batch.num_rows,)
            found.take(name, (point(np.zeros((*rows, *size))), self.no_doubts))
        for name in program.inputs:
            if name.startswith(D) and not name.endswith(ROWS):
                found.take(name, self.slip.sent(self, block, t))
        return found

    def later(self, block: Block, state: str, t: int) -> Fed:
        """What a step of the way back is given by the one computed before it."""
        before = self.step_before("backward", block, t)
        assert before is not None
        return before.values[state], before.doubts[state]

    def provide(self, block: Block, t: int, name: str, known: dict[str, Any], step: Step) -> None:
        """Give what the way forward had there, or the rows of a value together."""
        if name.endswith(ROWS):
            base = name.removesuffix(ROWS)
            if base not in known:
                self.provide(block, t, base, known, step)
            known[name] = self._live_rows(known[base], t, block)
            step.doubts[name] = self.no_doubts | step.doubts.get(base, self.no_doubts).any()
            return
        if name.startswith(D):  # of a block without states, of which the rows alone are read
            step.take(name, self.slip.sent(self, block, t))
            known[name] = step.values[name]
            return
        forward = self.step("forward", block.key, t)
        known[name] = forward.values[name]
        step.take(name, (forward.values[name], forward.doubts.get(name, self.no_doubts)))

    def _live_rows(self, value: Any, t: int, block: Block) -> Any:
        live = self.is_live(t)
        if live.all() or block.kind != "recurrent" or not isinstance(value, tuple):
            return value
        return tuple(np.where(live[:, None], bound, 0.0) for bound in value)

    def sent(self, block: Block, t: int) -> Fed:
        """∂L/∂ of what a block gave at a step, from the blocks that read it; (B, n)."""
        if block.kind == "total":
            return point(np.ones(1)), self.no_doubts
        if block.kind == "loss":
            each = self.done.by_key["loss"].output
            step = self.step("backward", "total", self.batch.num_steps - 1)
            low, high = step.values[f"{D}{each}"]
            at = t - self.loss_steps()[0]
            rows = self.batch.num_rows
            shape = (len(self.loss_steps()), rows, 1)
            parts = (np.broadcast_to(bound, (shape[0] * rows,)).reshape(shape)[at] for bound in (low, high))
            first, second = parts
            return (first, second), step.doubts[f"{D}{each}"]
        if block.kind == "linear":
            return self._from_loss(t)
        return self._sent_up(block, t)

    def _from_loss(self, t: int) -> Fed:
        return self._back("loss", t, next(iter(self.done.by_key["loss"].program.inputs)))

    def _back(self, key: str, t: int, name: str) -> Fed:
        step = self.step("backward", key, t)
        return step.values[f"{D}{name}"], step.doubts[f"{D}{name}"]

    def _sent_up(self, block: Block, t: int) -> Fed:
        """The same of what stands below the linear layer, or the loss."""
        join = f"join{block.layer}"
        if block.kind == "recurrent" and join in self.done.by_key:
            return self._back(join, t, block.direction)
        is_last = block.layer == self.done.scenario.recurrent.num_layers - 1
        if block.kind != "embedding" and is_last:
            return self._from_scores(t)
        if (
            block.kind != "dropout"
            and f"dropout{block.layer}" in self.done.by_key
            and block.kind != "embedding"
        ):
            return self._back(f"dropout{block.layer}", t, "h")
        layer = 0 if block.kind == "embedding" else block.layer + 1
        parts = [
            self._back(key, t, next(iter(run.block.program.inputs)))
            for key, run in self.done.runs.items()
            if run.block.layer == layer
        ]
        if len(parts) == 1:
            return parts[0]
        both = self.reading.apply("add", (parts[0][0], parts[1][0]))
        return both, parts[0][1] | parts[1][1]

    def _from_scores(self, t: int) -> Fed:
        if "linear" not in self.done.by_key:
            return self._from_loss(t)
        name = next(iter(self.done.by_key["linear"].program.inputs))
        if not self.done.is_final:
            return self._back("linear", t, name)
        (low, high), doubts = self._back("linear", self.batch.num_steps - 1, name)
        half = self.done.scenario.recurrent.output_size
        ends = np.array([t == self.batch.last_step(row) for row in range(self.batch.num_rows)])
        is_here = np.zeros(low.shape, np.bool_)
        is_here[:, :half] = ends[:, None]
        is_here[:, half:] = t == 0
        return (np.where(is_here, low, 0.0), np.where(is_here, high, 0.0)), doubts

    # ── the update ───────────────────────────────────────────────────────────────────

    def _update_inputs(self, block: Block) -> Step:
        assert self.sheet is not None
        found = Step()
        if block.key == CLIP:
            names = [key for key in self.stage("update").by_key if key != CLIP]
            grads = [self.sheet.gradient(self, name) for name in names]
            optimizer = self.sheet.learning.trainer.optimizer
            assert optimizer is not None
            norms = [self.reading.apply("norm", (_held(optimizer, _flat(value)),)) for value, _ in grads]
            low, high = (np.concatenate([norm[side] for norm in norms]) for side in (0, 1))
            found.take("norms", ((low, high), np.logical_or.reduce([doubts for _, doubts in grads])))
            return found
        update = self.sheet.learning.epoch(self.epoch).update(self.done.index)
        assert update is not None
        ours = update.values(block.key)
        for name in block.program.inputs:
            found.take(name, (point(np.asarray(ours[name], np.float64)), self.no_doubts))
        for name in ("grad", "grad_now"):
            if name in block.program.inputs:
                found.take(name, self.slip.gradient(self, block.key))
        if "clip_coef" in block.program.inputs:
            step = self.step("update", CLIP, 0)
            found.take("clip_coef", (step.values["clip_coef"], step.doubts["clip_coef"]))
        for state in block.program.states:
            before = block.program.before(state)
            value = shown(np.asarray(ours[before]), self.reading.decimals)
            found.take(before, (value, self.no_doubts))
            own = self.sheet.learnt(self, block.key, state)
            if own is not None:
                found.take(before, (own[0], self.no_doubts | own[1].any()))
        return found

    def gradient(self, torch: str) -> Fed:
        """∂L/∂ of a parameter, as the way back gives it."""
        assert self.sheet is not None
        return self.sheet.gradient(self, torch)


def _held(optimizer: Optimizer, value: Interval) -> Interval:
    low, high = (np.asarray(optimizer.clamped(bound), np.float64) for bound in value)
    return low, high


def _flat(value: Interval) -> Interval:
    return value[0].reshape(-1), value[1].reshape(-1)
