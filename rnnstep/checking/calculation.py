"""A calculation by hand: the lines of blocks in intervals, from the writer's own numbers where there are such.

What is asked for is worked out, and what it needs; nothing else. At a line whose result the writer gave, the bounds
that follow from what stands before it say whether it is right, and what follows goes on from the number that was
given: itself, or any that is written so. A slip puts other lines, or other wires between the blocks, in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.own_numbers import Own, OwnNumbers, Place, narrowed
from rnnstep.checking.rounding import Kept, Rounded, as_computed, exact_of, no_larger, shown
from rnnstep.checking.slip import RIGHT, LinesByHand, Slip
from rnnstep.checking.step import Doubts, Fed, Step, is_as_right, share, side_by_side, stands_on
from rnnstep.engine.epoch import CLIP, UpdatePass
from rnnstep.engine.learning import Learning
from rnnstep.engine.optimizers import largest_update
from rnnstep.engine.passes import Pass, run_steps
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.shares import ROWS, D
from rnnstep.network.blocks import Block

AT_MOST = 4  # times the largest update: small numbers above and below may be rounded apart
DEEP = 8  # layers, more than which are worked out from the first one on
Inside = Callable[[Place, int, OwnNumbers], NDArray[np.bool_]]


class Around(Protocol):
    """What a calculation knows of the other batches and epochs: a writer's sheet."""

    learning: Learning

    def of_batch(self, epoch: int, batch: int, decimals: int) -> Calculation:
        """The calculation of another batch or epoch, rounded to so many decimals."""

    def gradient(self, paper: Calculation, torch: str) -> Fed:
        """∂L/∂ of a parameter, from the shares of all steps."""

    def learnt(self, paper: Calculation, torch: str, name: str) -> Fed | None:
        """What the writer's own update before a batch leaves of a parameter; None where there is none."""


class Calculation:
    """One batch of one epoch on a sheet of paper: the forward pass, the backward pass, and the update.

    Args:
        done: our run of it, for its scenario, blocks, inputs and masks.
        own: the writer's numbers.
        decimals: how many the writer rounds to.
        epoch: from 0.
        inside: where a number of another rounding lies within its bounds.
        reading: how operations are done; None for bounds of honest rounding.
        dividing: the same in blocks that divide; None for `reading`, or bounds of honest rounding that keep small divisors.
        slip: what is done wrong.
        base: with a slip, the same calculation done right: what was given is taken from there.
        sheet: what knows the other batches and epochs; None where only what is forward is asked for.
    """

    def __init__(
        self,
        done: Pass,
        own: Own,
        decimals: int,
        *,
        epoch: int = 0,
        inside: Inside | None = None,
        reading: Rounded | None = None,
        dividing: Rounded | None = None,
        slip: Slip = RIGHT,
        base: Self | None = None,
        sheet: Around | None = None,
    ) -> None:
        self.done = done
        self.batch = done.batch
        self.own = own
        self.epoch = epoch
        self.slip = slip
        self.base = base
        self.sheet = sheet
        self.reading = reading or Rounded(decimals)
        self._dividing = dividing or reading or Rounded(decimals, keeps=True)
        self.no_doubts: Doubts = np.zeros(self.batch.num_rows, np.bool_)
        self._inside = inside
        self._steps: dict[tuple[Phase, str, int], Step] = {}
        self.lines: LinesByHand = LinesByHand(slip, None if base is None else base.lines)
        self._parameters: dict[str, dict[str, Interval]] = {}
        self.doubtful: dict[str, list[str]] = {}  # parameters of blocks that a wrong update left

    # ── one block at one step ────────────────────────────────────────────────────────

    def place(self, phase: Phase, key: str, t: int, name: str) -> Place:
        """The place of a value of this batch."""
        return Place(self.epoch, self.done.index, phase, key, t, name)

    def step(self, phase: Phase, key: str, t: int, until: str | None = None) -> Step:
        """All values of a block at a step, or those up to a line; and the steps before it as far as they are needed."""
        if not self._is_here(phase, key, t):
            assert self.base is not None
            return self.base.step(phase, key, t, until)
        block = self.block(phase, key)
        found = self._steps.get((phase, key, t))
        if found is not None:
            return self._worked_out(phase, block, t, found, until)
        order = self.steps_of(phase, block) if block.program.states else (t,)
        number = first = order.index(t)
        while first > 0 and (phase, key, order[first - 1]) not in self._steps:
            if not self._is_here(phase, key, order[first - 1]):
                break
            if self.base is not None and self._are_given(phase, block, order[first - 1]):
                break
            first -= 1
        for one in order[first:number]:
            self._worked_out(phase, block, one, self._begun(phase, block, one))
        return self._worked_out(phase, block, t, self._begun(phase, block, t), until)

    def _is_here(self, phase: Phase, key: str, t: int) -> bool:
        """Whether a step is worked out with the slip; where it is not, all is as without."""
        return self.slip.here is None or self.slip.here(phase, key, t)

    def _begun(self, phase: Phase, block: Block, t: int) -> Step:
        """A step with what its block reads, and none of its lines yet."""
        self._climb(phase, block, t)
        step = self.inputs(phase, block, t)
        if self.base is not None:
            share(step, self.base.step(phase, block.key, t))
        for name, value in step.values.items():
            if isinstance(value, tuple):
                step.entered[name] = value, step.doubts.get(name, self.no_doubts)
        self._steps[phase, block.key, t] = step  # own numbers of another rounding are held against it
        for name, fed in step.entered.items():
            step.take(name, self._with_own(self.place(phase, block.key, t, name), block, *fed))
        step.known.update({**self.parameters(block), **step.values})
        for name in self.doubtful.get(block.key, ()):
            step.doubts[name] = ~self.no_doubts
        return step

    def _climb(self, phase: Phase, block: Block, t: int) -> None:
        """Work out the layers that a block stands on one by one, so that many of them are no deep recursion."""
        if self.done.scenario.recurrent.num_layers <= DEEP or phase == "update":
            return
        keys = list(self.done.runs)
        for key in keys if phase == "forward" else reversed(keys):
            layer = self.done.runs[key].block.layer
            if stands_on(phase, block, layer) and (phase, key, t) not in self._steps:
                self.step(phase, key, t)

    def step_before(self, phase: Phase, block: Block, t: int) -> Step | None:
        """The step that is computed before one; None of the first."""
        order = self.steps_of(phase, block)
        number = order.index(t)
        if number == 0:
            return None
        found = self._steps.get((phase, block.key, order[number - 1]))
        if found is not None:
            return found
        assert self.base is not None  # all of it was given
        return self.base.step(phase, block.key, order[number - 1])

    def _are_given(self, phase: Phase, block: Block, t: int) -> bool:
        """Whether the writer gave all states after a step, so that what came before does not matter."""
        rows = range(self.batch.num_rows)
        places = (self.place(phase, block.key, t, state) for state in block.program.states)
        return all(self.own.is_whole(place, rows) for place in places)

    def _worked_out(self, phase: Phase, block: Block, t: int, step: Step, until: str | None = None) -> Step:
        """Work the lines out one after the other: those that are not yet, up to one of them or all."""
        if until in step.derived or until in step.entered:
            return step
        known = step.known
        reading = self._dividing if self.lines.divides(phase, block) else self.reading
        right = None if self.base is None else self.base.step(phase, block.key, t)
        for line, names, is_right in self.lines.of(phase, block)[len(step.derived) :]:
            if right is not None and is_right and is_as_right(line, names, step, right):
                step.take_over(line.name, right)
                if line.name == until:
                    break
                continue
            for name in names:
                if name not in known:
                    self.provide(block, t, name, known, step)
            with np.errstate(all="ignore"):
                bounds = reading.worked_out(line.expression, known)
            if self.base is None:
                bounds = self.limited(phase, line.name, bounds)
            doubts = self.no_doubts
            for name in names:
                if (brought := step.doubts.get(name, self.no_doubts)) is not doubts:
                    doubts = doubts | brought
            step.derived[line.name] = bounds
            step.before[line.name] = doubts
            place = self.place(phase, block.key, t, line.name)
            step.take(line.name, self._with_own(place, block, bounds, doubts))
            known[line.name] = step.values[line.name]
            if line.name == until:
                break
        return step

    def _with_own(self, place: Place, block: Block, bounds: Interval, doubts: Doubts) -> Fed:
        """Put the writer's own numbers in the place of what a line gives."""
        given = self.own.at(place)
        if not given:
            return bounds, doubts
        if self.base is not None:
            right = self.base.step(place.phase, place.key, place.t).values[place.name]
            has_rows = np.ndim(right[0]) > len(block.program.shapes[place.name])
            is_blank = self.own.is_blank(place, np.shape(right[0]), has_rows=has_rows)
            low, high = (np.where(is_blank, *pair) for pair in zip(bounds, right, strict=True))
            return (low, high) if is_blank.any() else right, doubts
        low, high = (np.array(bound) for bound in np.broadcast_arrays(*bounds))
        exact = tuple(np.array(bound) for bound in np.broadcast_arrays(*exact_of(bounds)))
        has_rows = low.ndim > len(block.program.shapes[place.name])
        doubts = doubts.copy()
        for row, one in ((row, one) for row, several in given.items() for one in several):
            at = row if has_rows else slice(None)
            if self._inside is None or one.decimals == self.reading.decimals:
                inside = one.is_inside(as_computed((low[at], high[at]), self.done.scenario))
            else:
                inside = self._inside(place, row, one)
            is_wrong = one.is_given & ~inside
            low[at], high[at] = narrowed((low[at], high[at]), one.bounds, is_wrong)
            exact[0][at], exact[1][at] = narrowed((exact[0][at], exact[1][at]), one.bounds, is_wrong)
            if not inside.all():
                doubts[row if has_rows else slice(None)] = True
        return (Kept((low, high), (exact[0], exact[1])) if isinstance(bounds, Kept) else (low, high)), doubts

    # ── the blocks of a pass ────────────────────────────────────────────────────────

    def stage(self, phase: Phase) -> Stage:
        """The blocks of a pass, and their steps."""
        assert self.sheet is not None
        return self.sheet.learning.structure.stage(self.done.index, phase)

    def block(self, phase: Phase, key: str) -> Block:
        """A block of a pass, with the parameters of its epoch."""
        if phase == "forward":
            return self.done.by_key[key]
        if phase == "update":
            return self._update.by_key[key]
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
        if block.key not in self._parameters:
            read = block if self.sheet is None else self.done.by_key.get(block.key, block)
            self._parameters[block.key] = {
                name: shown(value, self.reading.decimals) for name, value in read.parameters.items()
            }
            if self.sheet is not None:
                self._parameters[block.key] = self._learnt(block, self._parameters[block.key])
        return self._parameters[block.key]

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
        training = self.done.scenario.training
        most = largest_update(training) if training is not None and phase == name == "update" else None
        return bounds if most is None else no_larger(bounds, AT_MOST * most + 10.0**-self.reading.decimals)

    # ── forward ──────────────────────────────────────────────────────────────────────

    def forward_inputs(self, block: Block, t: int) -> Step:
        """What a forward block reads at a step beside its parameters."""
        found, first = Step(), next(iter(block.program.inputs))
        match block.kind:
            case "lookup":
                assert self.batch.indices is not None
                found.values[first] = self.batch.indices[t]
            case "recurrent":
                found.take(first, self.slip.x(self, block, t))
                for state in block.program.states:
                    found.take(block.program.before(state), self.slip.before(self, block, state, t))
            case "join":
                found.take("forward", self.state(f"L{block.layer}", t))
                found.take("backward", self.state(f"L{block.layer}←", t))
            case "mask":
                found.take("h", self.output_of_layer(block.layer, t))
                found.values["mask"] = point(self.done.masks[block.key][t])
            case "map":
                found.take(first, self.slip.finals(self) if self.done.is_final else self.slip.output(self, t))
            case "loss":
                self._feed_loss(found, first, t)
            case "total":
                self._feed_total(found, first)
        return found

    # ── what enters a layer ──────────────────────────────────────────────────────────

    def order(self, block: Block) -> range:
        """The steps of a recurrent block in the order in which they are computed."""
        return run_steps(self.done.runs[block.key])

    def x(self, block: Block, t: int) -> Fed:
        """What enters a layer at a step: x_t, or the output of the layer below."""
        if block.layer:
            return self.output_of_layer(block.layer - 1, t, with_dropout=True)
        table = self.done.lookup
        if table is not None:
            step = self.step("forward", table.key, t)
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
        if self.done.head is None:
            return self.slip.output(self, t)
        step = self.step("forward", self.done.head.key, t)
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
            at, rows = t - self.loss_steps()[0], self.batch.num_rows
            shape = (len(self.loss_steps()), rows, 1)
            low, high = (
                np.broadcast_to(bound, (shape[0] * rows,)).reshape(shape)[at] for bound in (low, high)
            )
            return (low, high), step.doubts[f"{D}{each}"]
        if block.kind == "map":
            return self._back("loss", t, next(iter(self.done.by_key["loss"].program.inputs)))
        return self._sent_up(block, t)

    def _back(self, key: str, t: int, name: str) -> Fed:
        step = self.step("backward", key, t)
        return step.values[f"{D}{name}"], step.doubts[f"{D}{name}"]

    def _sent_up(self, block: Block, t: int) -> Fed:
        """The same of what stands below the linear layer, or the loss."""
        join = f"join{block.layer}"
        if block.kind == "recurrent" and join in self.done.by_key:
            return self._back(join, t, block.direction)
        is_last = block.layer == self.done.scenario.recurrent.num_layers - 1
        if block.kind != "lookup" and is_last:
            return self._from_scores(t)
        if block.kind not in ("mask", "lookup") and f"dropout{block.layer}" in self.done.by_key:
            return self._back(f"dropout{block.layer}", t, "h")
        layer = 0 if block.kind == "lookup" else block.layer + 1
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
        key = "loss" if self.done.head is None else self.done.head.key
        name = next(iter(self.done.by_key[key].program.inputs))
        if key == "loss" or not self.done.is_final:
            return self._back(key, t, name)
        (low, high), doubts = self._back(key, self.batch.num_steps - 1, name)
        half = self.done.scenario.recurrent.output_size
        ends = np.array([t == self.batch.last_step(row) for row in range(self.batch.num_rows)])
        is_here = np.zeros(low.shape, np.bool_)
        is_here[:, :half] = ends[:, None]
        is_here[:, half:] = t == 0
        return (np.where(is_here, low, 0.0), np.where(is_here, high, 0.0)), doubts

    # ── the update ───────────────────────────────────────────────────────────────────

    @property
    def _update(self) -> UpdatePass:
        assert self.sheet is not None
        update = self.sheet.learning.epoch(self.epoch).update(self.done.index)
        assert update is not None
        return update

    def _update_inputs(self, block: Block) -> Step:
        assert self.sheet is not None
        found = Step()
        if block.key == CLIP:
            names = [key for key in self.stage("update").by_key if key != CLIP]
            grads = [self.sheet.gradient(self, name) for name in names]
            optimizer = self.sheet.learning.trainer.optimizer
            assert optimizer is not None
            held = (
                [np.asarray(optimizer.clamped(bound.reshape(-1)), np.float64) for bound in value]
                for value, _ in grads
            )
            norms = [self.reading.apply("norm", ((low, high),)) for low, high in held]
            low, high = (np.concatenate([norm[side] for norm in norms]) for side in (0, 1))
            found.take("norms", ((low, high), np.logical_or.reduce([doubts for _, doubts in grads])))
            return found
        ours = self._update.values(block.key)
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
