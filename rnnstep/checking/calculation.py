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

from rnnstep.checking import several_steps
from rnnstep.checking.own_numbers import Own, OwnNumbers, Place, narrowed
from rnnstep.checking.rounding import Kept, Remembering, Rounded, as_computed, exact_of, no_larger, shown
from rnnstep.checking.sent_back import sent_back
from rnnstep.checking.slip import AT_EVERY_STEP, RIGHT, LinesByHand, Slip
from rnnstep.checking.step import Doubts, Fed, Step, is_as_right, share, side_by_side
from rnnstep.checking.updating import entering_update
from rnnstep.engine.epoch import UpdatePass
from rnnstep.engine.learning import Learning
from rnnstep.engine.optimizers import largest_update
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.differentiate import ABOVE
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.shares import ROWS, D
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.graph import Part
from rnnstep.network.wires import When, Wire

AT_MOST = 4  # times the largest update: small numbers above and below may be rounded apart
DEEP = 8  # recurrent blocks, more than which are worked out from the first one on
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

    def carried(self, paper: Calculation, key: str, state: str) -> Fed | None:
        """A state at the end of the batch before, as the writer has it; None where nothing is known of that."""


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
        if base is not None:
            reading, dividing = base.reading, base.dividing
        self.reading: Rounded = reading or Remembering(decimals)
        self.dividing: Rounded = dividing or reading or Remembering(decimals, keeps=True)
        self.no_doubts: Doubts = np.zeros(self.batch.num_rows, np.bool_)
        self._alive = {name: one.axis.alive() for name, one in self.batch.sequences.items()}
        self._inside = inside
        self._steps: dict[tuple[Phase, str, int], Step] = {}
        self.lines: LinesByHand = LinesByHand(slip, None if base is None else base.lines)
        self._parameters: dict[str, dict[str, Interval]] = {}
        self._read: dict[tuple[str, str, int], Any] = {}
        self._first: dict[tuple[str, str], Fed] = {}
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
        """Work out the recurrent blocks that a block stands on one by one, so that many of them are no deep recursion."""
        if len(self.done.runs) <= DEEP or phase == "update":
            return
        below, circle = self.done.graph.below, self.done.graph.loop_of.get(block.key, ())
        keys = [key for key in self.done.runs if key not in circle]
        for key in keys if phase == "forward" else reversed(keys):
            is_needed = key in below(block.key) if phase == "forward" else block.key in below(key)
            if is_needed and (phase, key, t) not in self._steps:
                self.step(phase, key, t)

    def step_before(self, phase: Phase, block: Block, t: int) -> Step | None:
        """The step that is computed before one; None of the first."""
        order = self.steps_of(phase, block)
        number = order.index(t)
        if number == 0:
            return None
        found = self._steps.get((phase, block.key, order[number - 1]))
        if found is not None:  # perhaps up to a line alone so far
            return self._worked_out(phase, block, order[number - 1], found)
        assert self.base is not None  # all of it was given
        return self.base.step(phase, block.key, order[number - 1])

    def _are_given(self, phase: Phase, block: Block, t: int) -> bool:
        """Whether the writer gave all states after a step, so that what came before does not matter."""
        rows = range(self.batch.num_rows)
        places = (self.place(phase, block.key, t, state) for state in block.program.states)
        return all(self.own.is_whole(place, rows) for place in places)

    def _worked_out(self, phase: Phase, block: Block, t: int, step: Step, until: str | None = None) -> Step:
        """Work the lines out one after the other: those that are not yet, up to one of them or all."""
        left, known = self.lines.of(phase, block)[len(step.derived) :], step.known
        if not left or until in step.derived or until in step.entered:
            return step
        reading = self.dividing if self.lines.divides(phase, block) else self.reading
        right = None if self.base is None else self.base.step(phase, block.key, t)
        for line, names, is_right in left:
            if self.slip.goes_back:
                self._provide_all(block, t, names, step, right)
            if right is not None and is_right and is_as_right(line, names, step, right):
                step.take_over(line.name, right)
                if line.name == until:
                    break
                continue
            self._provide_all(block, t, names, step, right)
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
                return entering_update(self, block, self._update)
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
        for name, where in block.learnt_in.items():
            own = None if self.sheet is None else self.sheet.learnt(self, where.torch, "w")
            if own is not None:
                (low, high), doubts = own
                found[name] = low[where.part], high[where.part]
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
        found = Step()
        for name in block.program.inputs:
            found.take(name, self._wired(block, name, t))
        for state in block.program.states:
            found.take(block.program.before(state), self.slip.before(self, block, state, t))
        for name in block.program.banks:
            found.take(name, several_steps.bank(self, block, name))
        return found

    def _wired(self, block: Block, name: str, t: int) -> Fed:
        """What enters a block under a name, as a slip has it."""
        if block.program.states and name == next(iter(block.program.inputs)):
            return self.slip.x(self, block, t)
        return self.slip.query(self, block, t) if block.attends else self._taken(block, name, t)

    def query(self, block: Block, t: int) -> Fed:
        """What a block that looks at all steps of another asks with."""
        return self._taken(block, next(iter(block.program.inputs)), t)

    def _taken(self, block: Block, name: str, t: int) -> Fed:
        """What a block without states reads."""
        wire, *others = block.wires[name]
        last = self.done.last_of_recurrent
        if last is None or others or (wire.block, wire.value) != (last.key, last.output):
            return self.entering(block, name, t)
        if wire.when is When.LAST:
            return self.slip.finals(self)
        if wire.when.is_once:
            return self.of_each_row(wire, lambda step: self.slip.output(self, step))
        return self.slip.output(self, t) if wire.when is When.SAME else self.entering(block, name, t)

    # ── along the wires ──────────────────────────────────────────────────────────────

    def entering(self, block: Block, name: str, t: int) -> Fed:
        """What the wires of a block's input bring at a step."""
        parts = [self.brought(part, t) for part in self.done.graph.origins(block.key, name)]
        return parts[0] if len(parts) == 1 else side_by_side(parts)

    def brought(self, part: Part, t: int) -> Fed:
        """What a wire brings at a step."""
        wire = part.wire
        match wire.when:
            case When.OFFSET:
                at = wire.step_read(t, self.done.axis_read(part.reader, wire).num_steps)
                return several_steps.in_window(self, part, at)
            case When.BEFORE if t in wire.taught:
                return point(self.done.taught(part)[t]), self.no_doubts
            case When.BEFORE if not t and not self.done.by_key[wire.block].program.states:
                return point(self.done.first(wire.block)), self.no_doubts
            case When.BEFORE if not t:
                return self.slip.initial(self, self.done.by_key[wire.block], wire.value), self.no_doubts
            case When.DATA:
                return self.data(part, t), self.no_doubts
            case When.LAST:
                return self.slip.final(self, wire.block, wire.value)
            case When.ROW_END | When.END:
                return self.of_each_row(wire, lambda step: self.given(wire.block, step, wire.value))
            case When.ALL if part.name not in self.done.by_key[part.reader].program.banks:
                every = [self.given(wire.block, one, wire.value) for one in self.all_steps(wire)]
                return several_steps.one_after_the_other(every, self.no_doubts)
        return self.given(wire.block, wire.step_read(t), wire.value)

    def of_each_row(self, wire: Wire, at: Callable[[int], Fed]) -> Fed:
        """What a wire brings that brings one step of each row, of which `at` gives all rows."""
        steps = self.done.axis(wire.block).steps_brought(wire.when, "forward").tolist()
        return several_steps.diagonal([at(step) for step in steps])  # each is kept

    def data(self, part: Part, t: int) -> Any:
        """An array of the scenario's at a step: vectors that people read as they are shown, indices, any other number itself."""
        if self.base is not None:  # with a slip it is read at other steps, but is no other
            return self.base.data(part, t)
        at = part.reader, part.wire.value, t
        if at not in self._read:
            self._read[at] = self._data_of(part, t)
        return self._read[at]

    def _data_of(self, part: Part, t: int) -> Any:
        block, name = self.done.by_key[part.reader], part.wire.value
        value = self.done.data(block.key, name)
        if block.extent is Extent.ONCE:
            return point(value)
        value = value[0 if len(value) == 1 else t]
        if name == "x":
            return shown(value, self.reading.decimals)
        if value.dtype.kind in "iu":
            return value
        return point(value[:, None] if value.ndim == 1 else value)

    def all_steps(self, wire: Wire) -> range:
        """The steps of which a wire that brings all of them does."""
        return self.done.axis(wire.block).all_steps(self.done.by_key[wire.block].extent)

    def given(self, key: str, t: int, name: str | None = None) -> Fed:
        """What a block gives at a step; of states zeros in rows that are over."""
        block = self.done.by_key[key]
        live = self.is_live(block, t)
        name = name or block.output
        if block.program.states and t not in self.slip.order(self, block):  # no row comes that far
            return point(np.zeros((self.batch.num_rows, *block.program.states[name]))), self.no_doubts
        step = self.step("forward", key, t)
        if not block.program.states or live.all():
            return step.values[name], step.doubts[name]
        low, high = (np.where(live[:, None], bound, 0.0) for bound in step.values[name])
        return (low, high), step.doubts[name] & live

    def x(self, block: Block, t: int) -> Fed:
        """What enters a recurrent block at a step: x_t, or the output of the layer below."""
        return self.entering(block, next(iter(block.program.inputs)), t)

    def output(self, t: int) -> Fed:
        """What the recurrent module gives at a step, (B, D·n)."""
        return self.given(self._last_of_recurrent.key, t)

    def finals(self) -> Fed:
        """The last layer's final states, both directions joined, (B, D·n)."""
        parts = self.done.graph.computed_by(self._last_of_recurrent.key)
        return side_by_side([self.slip.final(self, part.wire.block, part.wire.value) for part in parts])

    @property
    def _last_of_recurrent(self) -> Block:
        last = self.done.last_of_recurrent
        assert last is not None  # asked for by what reads it alone
        return last

    # ── states ───────────────────────────────────────────────────────────────────────

    def order(self, block: Block) -> range:
        """The steps of a recurrent block in the order in which they are computed."""
        return self.done.axis(block.key).order(block.direction)

    def is_live(self, block: Block, t: int) -> NDArray[np.bool_]:
        """Which rows take part in a block's step, (B,)."""
        alive = self._alive[block.sequence]
        if alive is None or self.slip.walks_padding:
            return ~self.no_doubts
        return np.asarray(alive[t])

    def before(self, block: Block, state: str, t: int) -> Fed:
        """A state before a step: after the step computed before, or the first one; a row that is over keeps its own."""
        step = self.step_before("forward", block, t)
        if step is None:
            return self.slip.initial(self, block, state), self.carried(block, state)[1]
        order = self.slip.order(self, block)
        live = self.is_live(block, order[order.index(t) - 1])
        value, doubts = step.values[state], step.doubts[state]
        if live.all():
            return value, doubts
        kept = step.values[block.program.before(state)]
        low, high = (np.where(live[:, None], now, old) for now, old in zip(value, kept, strict=True))
        return (low, high), doubts

    def initial(self, block: Block, state: str) -> Interval:
        """A state before the first step, (B, n)."""
        if f"{state}_0" in block.wires:
            return self.entering(block, f"{state}_0", 0)[0]
        return self.carried(block, state)[0]

    def carried(self, block: Block, state: str) -> Fed:
        """A state before the first step that is given, or carried on from the batch before, where the writer may have another."""
        if self.base is not None:  # with a slip it is no other
            return self.base.carried(block, state)
        if (block.key, state) not in self._first:
            before = self.sheet if self.done.goes_on(block.key) else None
            own = None if before is None else before.carried(self, block.key, state)
            given = shown(self.done.first_state(block.key, state), self.reading.decimals)
            self._first[block.key, state] = own or (given, self.no_doubts)
        return self._first[block.key, state]

    def final(self, key: str, state: str) -> Fed:
        """A state after the last step of each row, (B, n)."""
        block = self.done.by_key[key]
        if block.extent.is_single:
            return self.given(key, self.done.axis(key).end, state)
        last = self.slip.order(self, block)[-1]
        step = self.step("forward", key, last)
        if block.direction == "backward" or self.is_live(block, last).all():
            return step.values[state], step.doubts[state]
        low, high = (np.array(bound) for bound in step.values[state])
        doubts = step.doubts[state].copy()
        for row in range(self.batch.num_rows):
            step = self.step("forward", key, self.done.axis(key).final_step(block.direction, row))
            low[row], high[row] = (bound[row] for bound in step.values[state])
            doubts[row] = step.doubts[state][row]
        return (low, high), doubts

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
        for name in program.banks:
            found.take(name, several_steps.bank(self, self.done.by_key[block.key], name))
        for name in program.inputs:
            if name.startswith(D) and not name.endswith(ROWS):
                value = name.removeprefix(D).removesuffix(ABOVE)
                is_output = value == self.done.by_key[block.key].output
                g, doubts = (
                    self.slip.sent(self, block, t) if is_output else sent_back(self, block.key, value, t)
                )
                found.take(
                    name, (self._live_rows(g, t, block), doubts)
                )  # nothing goes back to what was padded
        return found

    def given_gradient(self, key: str, name: str, t: int) -> Fed | None:
        """The gradient that is given at a value of a block at a step, (B, n), as people read it; None where there is none."""
        given = None if self.done.batch.above is None else self.done.batch.above.get((key, name))
        if self.done.loss_run is not None or given is None:
            return None
        extent = self.done.by_key[key].extent
        return shown(given[0 if extent.is_single else t], self.reading.decimals), self.no_doubts

    def later(self, block: Block, state: str, t: int) -> Fed:
        """What a step of the backward pass is given by the one computed before it."""
        before = self.step_before("backward", block, t)
        assert before is not None
        return before.values[state], before.doubts[state]

    def _provide_all(
        self, block: Block, t: int, names: tuple[str, ...], step: Step, right: Step | None
    ) -> None:
        for name in names:
            if name not in step.known:
                self.provide(block, t, name, step.known, step, right)

    def provide(
        self, block: Block, t: int, name: str, known: dict[str, Any], step: Step, right: Step | None = None
    ) -> None:
        """Give what the forward pass had there, the rows of a value together, or a value of all steps.

        What is as in the same step done right is the same thing, where that is given.
        """
        if name.endswith(AT_EVERY_STEP):
            known[name] = several_steps.own_first(self, block, t, name.removesuffix(AT_EVERY_STEP))
            return
        if name.endswith(ROWS):
            base = name.removesuffix(ROWS)
            if base not in known:
                self.provide(block, t, base, known, step, right)
            if right is not None and known[base] is right.known.get(base) and name in right.known:
                known[name] = right.known[name]
            else:
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
        live = self.is_live(block, t)
        if live.all() or block.kind != "recurrent" or not isinstance(value, tuple):
            return value
        return tuple(np.where(live[:, None], bound, 0.0) for bound in value)

    def sent(self, block: Block, t: int) -> Fed:
        """∂L/∂ of what a block gave at a step, from the blocks that read it, (B, n); of the loss itself one."""
        return sent_back(self, block.key, self.done.by_key[block.key].output, t)

    # ── the update ───────────────────────────────────────────────────────────────────

    @property
    def _update(self) -> UpdatePass:
        assert self.sheet is not None
        update = self.sheet.learning.epoch(self.epoch).update(self.done.index)
        assert update is not None
        return update

    def gradient(self, torch: str) -> Fed:
        """∂L/∂ of a parameter, as the backward pass gives it."""
        assert self.sheet is not None
        return self.sheet.gradient(self, torch)
