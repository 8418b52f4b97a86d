"""A calculation by hand: the lines of blocks in intervals, from the writer's own numbers where there are such.

What is asked for is worked out, and what it needs; nothing else. At a line whose result the writer gave, the bounds
that follow from what stands before it say whether it is right, and what follows goes on from the number that was
given: itself, or any that is written so. A slip puts other lines, or other wires between the blocks, in their place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.own_numbers import Own, Place, Written
from rnnstep.checking.rounding import Kept, Rounded, WithWrongKeys, as_computed, exact_of, shown
from rnnstep.checking.slip import RIGHT, Slip, by_hand
from rnnstep.checking.step import Doubts, Fed, Step
from rnnstep.engine.passes import Pass
from rnnstep.engine.structure import Phase
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.intervals import Interval
from rnnstep.equations.syntax import Apply, Expression, Line, Pick, names_in
from rnnstep.network.blocks import Block

DEEP = 8  # layers, more than which are worked out from the first one on
Inside = Callable[[Place, int, Written], NDArray[np.bool_]]


class _Work(NamedTuple):
    """A line as it is worked out, with what would otherwise be looked for at every step."""

    line: Line
    names: tuple[str, ...]
    is_right: bool  # it is written so without the slip, too


def _work(line: Line, right: Mapping[str, _Work]) -> _Work:
    """A line of a slip beside those that are right, by name; of what is right beside none."""
    found = right.get(line.name)
    if found is not None and found.line == line:
        return found
    return _Work(line, tuple(dict.fromkeys(names_in(line.expression))), is_right=not right)


class Calculation(ABC):
    """One batch of one epoch.

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
    ) -> None:
        self.done = done
        self.batch = done.batch
        self.own = own
        self.epoch = epoch
        self.slip = slip
        self.base = base
        self.reading = reading or WithWrongKeys(decimals)
        self._dividing = dividing or reading or WithWrongKeys(decimals, keeps=True)
        self.no_doubts: Doubts = np.zeros(self.batch.num_rows, np.bool_)
        self._inside = inside
        self._steps: dict[tuple[Phase, str, int], Step] = {}
        self._lines: dict[str, tuple[_Work, ...]] = {}
        self._divisors: dict[str, bool] = {}
        self._parameters: dict[str, dict[str, Interval]] = {}
        self.doubtful: dict[str, list[str]] = {}  # parameters of blocks that a wrong update left

    # ── what a kind of pass must say ─────────────────────────────────────────────────

    @abstractmethod
    def block(self, phase: Phase, key: str) -> Block:
        """A block of a pass."""

    @abstractmethod
    def steps_of(self, phase: Phase, block: Block) -> Sequence[int]:
        """The steps of a block in the order of computation."""

    @abstractmethod
    def inputs(self, phase: Phase, block: Block, t: int) -> Step:
        """What a block reads at a step beside its parameters."""

    @abstractmethod
    def limited(self, phase: Phase, name: str, bounds: Interval) -> Interval:
        """The bounds of a line, where more is known of them than its operations tell."""

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
            _share(step, self.base.step(phase, block.key, t))
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
            if _stands_on(phase, block, layer) and (phase, key, t) not in self._steps:
                self.step(phase, key, t)

    def step_before(self, phase: Phase, block: Block, t: int) -> Step | None:
        """The step that is computed before one; None of the first."""
        order = self.steps_of(phase, block)
        number = order.index(t)
        if number == 0:
            return None
        found = self._steps.get((phase, block.key, order[number - 1]))
        if found is None:
            assert self.base is not None  # all of it was given
            found = self.base.step(phase, block.key, order[number - 1])
        return found

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
        reading = self._dividing if self.divides(phase, block) else self.reading
        right = None if self.base is None else self.base.step(phase, block.key, t)
        for line, names, is_right in self.lines_of(phase, block)[len(step.derived) :]:
            if right is not None and is_right and _is_as_right(line, names, step, right):
                step.take_over(line.name, right)
                if line.name == until:
                    break
                continue
            for name in names:
                if name not in known:
                    self.provide(block, t, name, known, step)
            with np.errstate(all="ignore"):
                bounds = reading.written(line.expression, evaluate(line.expression, known, reading))
            if self.base is None:
                bounds = self.limited(phase, line.name, bounds)
            doubts = self.no_doubts
            for name in names:
                brought = step.doubts.get(name, self.no_doubts)
                if brought is not doubts:
                    doubts = doubts | brought
            step.derived[line.name] = bounds
            step.before[line.name] = doubts
            place = self.place(phase, block.key, t, line.name)
            step.take(line.name, self._with_own(place, block, bounds, doubts))
            known[line.name] = step.values[line.name]
            if line.name == until:
                break
        return step

    @abstractmethod
    def provide(self, block: Block, t: int, name: str, known: dict[str, Any], step: Step) -> None:
        """Give a name that a line reads and that is neither an input nor a line before it."""

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
            low[at], high[at] = _narrowed((low[at], high[at]), one.bounds, is_wrong)
            exact[0][at], exact[1][at] = _narrowed((exact[0][at], exact[1][at]), one.bounds, is_wrong)
            if not inside.all():
                doubts[row if has_rows else slice(None)] = True
        found = low, high
        return (Kept(found, (exact[0], exact[1])) if isinstance(bounds, Kept) else found), doubts

    def lines_of(self, phase: Phase, block: Block) -> tuple[_Work, ...]:
        """The lines of a block as they are done, taken apart once for all of its steps."""
        if self.base is not None and self.slip.rewrite is None:
            return self.base.lines_of(phase, block)
        name = f"{phase}:{block.key}"
        if name not in self._lines:
            right = (
                {} if self.base is None else {one.line.name: one for one in self.base.lines_of(phase, block)}
            )
            self._lines[name] = tuple(_work(line, right) for line in self.slip.lines(phase, block))
        return self._lines[name]

    def divides(self, phase: Phase, block: Block) -> bool:
        """Whether a line of a block divides by a number, or takes its logarithm."""
        if self.base is not None:
            return self.base.divides(phase, block)
        name = f"{phase}:{block.key}"
        if name not in self._divisors:
            self._divisors[name] = any(_has_divisor(line.expression) for line in by_hand(block))
        return self._divisors[name]

    def parameters(self, block: Block) -> Mapping[str, Interval]:
        """A block's parameters as people read them."""
        if self.base is not None:
            return self.base.parameters(block)
        if block.key not in self._parameters:
            self._parameters[block.key] = {
                name: shown(value, self.reading.decimals) for name, value in block.parameters.items()
            }
        return self._parameters[block.key]


def _stands_on(phase: Phase, block: Block, layer: int) -> bool:
    """Whether a block reads what comes of a recurrent layer, itself or through others."""
    match block.kind:
        case "embedding":
            return phase == "backward"
        case "recurrent":
            return layer < block.layer if phase == "forward" else layer > block.layer
        case "join" | "dropout":
            return layer <= block.layer if phase == "forward" else layer > block.layer
    return phase == "forward"


def _narrowed(bounds: Interval, own: Interval, is_wrong: NDArray[np.bool_]) -> Interval:
    """Bounds with what was written in them: only that where it is wrong, or where nothing else is left."""
    low, high = np.maximum(bounds[0], own[0]), np.minimum(bounds[1], own[1])
    is_own = is_wrong | (low > high)
    return np.where(is_own, own[0], low), np.where(is_own, own[1], high)


def _has_divisor(expression: Expression) -> bool:
    match expression:
        case Apply(op=op, args=args):
            return op in ("div", "log") or any(map(_has_divisor, args))
        case Pick(base=base):
            return _has_divisor(base)
    return False


def _share(step: Step, right: Step) -> None:
    """Let what is fed in alike without a slip be the same thing, so that what follows from it is, too."""
    for name, value in step.values.items():
        other = right.known.get(name)
        if _is_alike(value, other):
            step.values[name] = other


def _is_alike(value: Any, other: Any) -> bool:
    if isinstance(value, tuple):
        return isinstance(other, tuple) and all(map(np.array_equal, value, other))
    return other is not None and not isinstance(other, tuple) and bool(np.array_equal(value, other))


def _is_as_right(line: Line, names: tuple[str, ...], step: Step, right: Step) -> bool:
    """Whether all that a line reads is what it is without the slip."""
    if line.name not in right.derived:
        return False
    known = step.known
    return all(name not in known or known[name] is right.known.get(name) for name in names)
