"""Marking: each answer from the writer's own earlier values; only what is wrong costs, what follows rightly from it does not.

Stock answers are wrong ones that cost nothing to write down, and make what follows easy to work out: whoever writes zeros
for h_1 has an h_2 that is no work. So what follows rightly from a wrong answer does not score where that is one number
throughout, or a copy of what stands there already: of `x`, of the state before, or of an earlier answer; unless the right
value is such, as zeros of a relu are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.answers.answer import Answer, Answers
from rnnstep.checking.answers.layout import Laid, lay_out
from rnnstep.checking.answers.targets import Slices, Target, gradient_target
from rnnstep.checking.calculation import Calculation
from rnnstep.checking.mistakes.catalogue import Catalogue
from rnnstep.checking.own_numbers import Own, OwnNumbers, Place
from rnnstep.checking.rounding import around, as_computed, scaled, told_by
from rnnstep.checking.slip import RIGHT, Slip
from rnnstep.checking.step import Fed
from rnnstep.engine.learning import Learning
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array
from rnnstep.language.printable import printable

MOST_UPDATES = 3  # in a row that are worked out from the writer's own numbers

# What a slip raises whose lines or shapes do not fit a cell after all.
UNFIT = (KeyError, IndexError, ValueError)


_TELLING = 100  # whole numbers from there on have enough digits to say how they are rounded

Status = Literal["correct", "follow-through", "wrong", "missing", "unmarkable"]


@dataclass(frozen=True, eq=False)
class Mark:
    """One answer, marked.

    Attributes:
        answer: as it was written.
        target: what it is about.
        given: the numbers in the target's shape, NaN where they were left blank.
        expected: what the run has there.
        low, high: the bounds of what is right, from the writer's own earlier values.
        status: of the answer as a whole; "unmarkable" where the run is not finite at a number that was given, and none of the
            others is wrong.
        is_wrong: which entries lie outside.
        fewer_decimals: with so many decimals all of it would be right; None where that is not so, or decimals were said.
    """

    answer: Answer
    target: Target
    given: Array
    expected: Array
    low: Array
    high: Array
    status: Status
    is_wrong: NDArray[np.bool_]
    fewer_decimals: int | None = None

    @property
    def is_right(self) -> bool:
        """Whether it is, from the writer's own earlier numbers; so it scores unless those are a stock answer."""
        return self.status in ("correct", "follow-through")

    @property
    def tells_nothing(self) -> bool:
        """Whether the decimals are so few that nearly anything would be right: bounds as wide as the value is large."""
        is_given = ~np.isnan(self.given)
        with np.errstate(invalid="ignore"):
            size = np.max(np.abs(self.expected), where=np.isfinite(self.expected), initial=0.0)
            return bool(is_given.any() and size and ((self.high - self.low)[is_given] >= size).all())

    @property
    def label(self) -> str:
        """What it is of: `h_3`, `L1 h_3`, `e2: update.bias_hh`, `h_3 [1]` of another sequence."""
        target = self.target
        place = (target.layer or 0, target.direction, target.block)
        shown = label(printable(self.answer.name), target.t, *place)
        if self.answer.epoch is not None:
            shown = f"e{self.answer.epoch}: {shown}"
        return f"{shown} [{self.answer.row}]" if self.answer.row else shown


def label(name: str, t: int | None, layer: int, direction: str | None, block: str | None = None) -> str:
    """How a value is called: `loss`, `h_3`, `L1 h_3`, `L0← h_3`, of one of several modules `encoder.L0 h_3`."""
    shown = name if t is None else f"{name}_{t + 1}"
    if layer or direction == "backward" or block:
        whose = f"L{layer}{'←' if direction == 'backward' else ''}"
        return f"{f'{block}.' if block else ''}{whose} {shown}"
    return shown


class Sheet:
    """A writer's answers to one scenario, and the calculations of all batches and epochs that they are held against.

    Attributes:
        learning: the scenario's training, or its one run.
        own: the writer's numbers, by place.
        answers: in their order.
        targets: of each answer what it is about.
        laid: the answers in their targets' shapes.
        catalogue: the slips that may stand behind a wrong one.
    """

    def __init__(self, learning: Learning, laid: Sequence[Laid], catalogue: Catalogue | None = None) -> None:
        self.learning = learning
        self.answers = tuple(one.answer for one in laid)
        self.targets = tuple(one.target for one in laid)
        self.catalogue = catalogue or Catalogue(learning)
        self.laid = laid
        self.own = Own(self._written())
        self._marks: dict[int, Mark] = {}
        self._papers: dict[tuple[int, int, int], Calculation] = {}
        self._slipped: dict[
            tuple[int, int, int, int], Calculation
        ] = {}  # each keeps its slip, so that no id comes again

    @classmethod
    def of(cls, learning: Learning, answers: Answers, catalogue: Catalogue | None = None) -> Self:
        """Find what answers are about.

        Args:
            learning: the scenario's training, or its one run.
            answers: a writer's.
            catalogue: of another writer's sheet of the same scenario, so that its slips are written once.

        Raises:
            ScenarioError: answers to what the run does not have, or in another shape; all of them.
        """
        return cls(learning, lay_out(learning, answers), catalogue)

    def without(self, number: int) -> Sheet:
        """The sheet as if an answer had not been given, so that nothing goes on from it."""
        laid = [one for index, one in enumerate(self.laid) if index != number]
        return Sheet(self.learning, laid, self.catalogue)

    def decimals(self, number: int) -> int:
        """How many decimals the writer of an answer rounds to: as said, or as the numbers tell.

        Small whole numbers alone tell nothing: they are taken to be rounded as the writer's other numbers are,
        and at least to one decimal.
        """
        answer = self.answers[number]
        told = answer.numbers.most_decimals if answer.decimals is None else answer.decimals
        if answer.decimals is None and not told and np.any(np.abs(answer.numbers.value) < _TELLING):
            told = max(1, self._most_decimals)
        return told_by(self.learning.scenario, told)

    @cached_property
    def _most_decimals(self) -> int:
        return max((one.numbers.most_decimals for one in self.answers), default=0)

    def _written(self) -> Iterator[tuple[Place, int, OwnNumbers]]:
        for number, one in enumerate(self.laid):
            for part in one.target.parts:
                value = np.atleast_1d(one.numbers.value[part.at])
                if not np.isnan(value).all():
                    written = OwnNumbers(value, self.decimals(number), part.scale)
                    yield part.place, one.target.row_of(part), written

    def bounds(self, number: int, slip: Slip = RIGHT) -> Interval:
        """The bounds of what an answer may be, in its target's shape."""
        return self.bounds_of(self.targets[number], self.decimals(number), slip)

    def _is_doubtful(self, number: int) -> bool:
        """Whether a wrong answer stands before one."""
        target = self.targets[number]
        for part in target.parts:
            step = self.paper(part.place, self.decimals(number)).step(
                part.place.phase, part.place.key, part.place.t
            )
            if step.bounds(part.place.name)[1][target.row_of(part)]:
                return True
        return False

    # ── calculations ──────────────────────────────────────────────────────────────────────

    def paper(self, place: Place, decimals: int, slip: Slip = RIGHT) -> Calculation:
        """The calculation that a place is of, rounded to so many decimals."""
        base = self.of_batch(place.epoch, place.batch, decimals)
        if slip is RIGHT:
            return base
        if slip.reading is not None:
            return Calculation(
                base.done,
                self.own,
                decimals,
                epoch=place.epoch,
                inside=self._inside,
                reading=slip.reading(decimals),
                dividing=slip.reading(decimals, keeps=True),
                sheet=self,
            )
        return Calculation(base.done, self.own, decimals, epoch=place.epoch, slip=slip, base=base, sheet=self)

    def of_batch(self, epoch: int, batch: int, decimals: int) -> Calculation:
        """The right calculation of a batch of an epoch, rounded to so many decimals."""
        key = (epoch, batch, decimals)
        if key not in self._papers:
            done = self.learning.epoch(epoch).forward(batch)
            paper = Calculation(done, self.own, decimals, epoch=epoch, inside=self._inside, sheet=self)
            self._papers[key] = paper
        return self._papers[key]

    def learnt(self, paper: Calculation, torch: str, name: str) -> Fed | None:
        """What the writer's own update before an epoch's batch leaves of a parameter, or of what the optimizer keeps.

        None where that is too far from all that was given: then the writer is taken to go on from the run's numbers.
        """
        batches = len(self.learning.scenario.batches)
        number = first = paper.epoch * batches + paper.done.index - 1
        if "update" not in self.learning.structure.phases or not self._is_near(number, torch):
            return None
        while self._is_near(first - 1, torch):
            first -= 1
        for one in range(
            first, number + 1
        ):  # from the first one on, so that many epochs are no deep recursion
            epoch, batch = divmod(one, batches)
            step = self._updating(paper, epoch, batch).step("update", torch, 0)
        return step.values[name], step.doubts[name]

    def carried(self, paper: Calculation, key: str, state: str) -> Fed | None:
        """What the writer's own calculation of the batch before leaves of a state that is carried.

        None where that is too far from all that was given: then the writer is taken to go on from the run's numbers.
        """
        first = last = paper.done.index - 1
        if not self._is_begun(paper.epoch, last, key):
            return None
        while first > 0 and self._is_begun(paper.epoch, first - 1, key):
            first -= 1
        decimals = paper.reading.decimals
        every = [
            self.of_batch(paper.epoch, batch, decimals).final(key, state) for batch in range(first, last + 1)
        ]
        return every[-1]

    def _is_begun(self, epoch: int, batch: int, key: str) -> bool:
        """Whether a block's pass over a batch is one of the first, or one of which the writer gave some."""
        return batch < MOST_UPDATES or (epoch, batch, key) in self._begun

    @cached_property
    def _begun(self) -> set[tuple[int, int, str]]:
        """The blocks of which the writer gave some of the forward pass: epoch, batch, key."""
        return {(place.epoch, place.batch, place.key) for place in self.own if place.phase == "forward"}

    def _updating(self, paper: Calculation, epoch: int, batch: int) -> Calculation:
        """The calculation of an update before another: with the slip that was made in it, if it was."""
        right = self.of_batch(epoch, batch, paper.reading.decimals)
        if not paper.slip.learns:
            return right
        key = (epoch, batch, paper.reading.decimals, id(paper.slip))
        if key not in self._slipped:
            found = Calculation(
                right.done,
                self.own,
                paper.reading.decimals,
                epoch=epoch,
                slip=paper.slip,
                base=right,
                sheet=self,
            )
            self._slipped[key] = found
        return self._slipped[key]

    def _is_near(self, number: int, torch: str) -> bool:
        """Whether an update is one of the first, or soon after one of which the writer gave some."""
        batches = len(self.learning.scenario.batches)
        reached = range(number, max(-1, number - MOST_UPDATES), -1)
        return number >= 0 and (
            number < MOST_UPDATES or any((*divmod(one, batches), torch) in self._updated for one in reached)
        )

    @cached_property
    def _updated(self) -> set[tuple[int, int, str]]:
        """The parameters of which the writer gave some of an update: epoch, batch, torch's name."""
        return {(place.epoch, place.batch, place.key) for place in self.own if place.phase == "update"}

    def gradient(self, paper: Calculation, torch: str) -> Fed:
        """∂L/∂ of a parameter, from the shares of all steps."""
        target = gradient_target(self.learning, paper.epoch, paper.done, torch)
        low, high = np.zeros(target.shape), np.zeros(target.shape)
        doubts = paper.no_doubts
        for part in target.parts:
            step = paper.step("backward", part.place.key, part.place.t)
            bounds = in_row(step.values[part.place.name], 0, low[part.at].shape)
            if part.is_added:
                bounds = paper.reading.apply("add", ((low[part.at], high[part.at]), bounds))
            low[part.at], high[part.at] = bounds
            doubts = doubts | step.doubts[part.place.name].any()
        return (low, high), doubts

    def _inside(self, place: Place, row: int, one: OwnNumbers) -> NDArray[np.bool_]:
        step = self.paper(place, one.decimals).step(place.phase, place.key, place.t, until=place.name)
        bounds = in_row(step.bounds(place.name)[0], row, one.value.shape)
        return one.is_inside(as_computed(bounds, self.learning.scenario))

    def bounds_of(self, target: Target, decimals: int, slip: Slip = RIGHT) -> Interval:
        """The bounds of any value."""
        low, high = np.zeros(target.shape), np.zeros(target.shape)
        paper: Calculation | None = None
        for part in target.parts:
            paper = self.paper(part.place, decimals, slip) if paper is None else paper
            place = part.place
            step = paper.step(place.phase, place.key, place.t, until=place.name)
            shape = np.shape(low[part.at])
            row = target.row_of(part)
            bounds = in_row(step.bounds(place.name)[0], row, shape)
            bounds = bounds if part.scale == 1 else scaled(bounds, part.scale, decimals)
            if part.is_added:
                bounds = paper.reading.apply("add", ((low[part.at], high[part.at]), bounds))
            low[part.at], high[part.at] = bounds
        return low, high

    def values_of(self, target: Target, decimals: int) -> Interval:
        """What the writer goes on with from a value: the own numbers where such are given, else the bounds."""
        low, high = np.zeros(target.shape), np.zeros(target.shape)
        for part in target.parts:
            place, row = part.place, target.row_of(part)
            paper = self.paper(place, decimals)
            step = paper.step(place.phase, place.key, place.t)
            bounds = in_row(step.values[place.name], row, np.shape(low[part.at]))
            if part.is_added:
                bounds = paper.reading.apply("add", ((low[part.at], high[part.at]), bounds))
            low[part.at], high[part.at] = bounds
        return low, high

    def steps_since_given(self, place: Place) -> int:
        """How many steps of a block have to be worked out up to a place: since all of its states were last given."""
        stage = self.learning.structure.stage(place.batch, place.phase)
        block, order = stage.by_key[place.key], stage.steps[place.key]
        rows = range(self.learning.epoch(place.epoch).forward(place.batch).batch.num_rows)
        count = 1
        if not block.program.states:
            return count
        for t in reversed(order[: order.index(place.t)]):
            if all(
                self.own.is_whole(place._replace(t=t, name=state), rows) for state in block.program.states
            ):
                break
            count += 1
        return count

    def expected(self, target: Target) -> Array:
        """What the run has, in the target's shape."""
        found = np.zeros(target.shape)
        for part in target.parts:
            found[part.at] = part.scale * self.value_at(part.place, target.row_of(part))
        return found

    def value_at(self, place: Place, row: int) -> Array:
        """The run's value of a line: of the row, or of what belongs to all rows."""
        passed = self.learning.epoch(place.epoch).passed(place.phase, place.batch)
        assert passed is not None
        value = np.asarray(passed.values(place.key, place.t)[place.name], np.float64)
        if value.ndim <= len(self._shape(place)):
            return value
        index = passed.row_index(place.key, place.t, row)
        assert index is not None
        return np.asarray(value[min(index, len(value) - 1)])

    def _shape(self, place: Place) -> tuple[object, ...]:
        """The shape of a line of one row."""
        stage = self.learning.structure.stage(place.batch, place.phase)
        return stage.by_key[place.key].program.shapes[place.name]

    # ── marks ────────────────────────────────────────────────────────────────────────

    @cached_property
    def marks(self) -> tuple[Mark, ...]:
        """Every answer, marked."""
        return tuple(self.mark(number) for number in range(len(self.answers)))

    def mark(self, number: int) -> Mark:
        """One answer, marked."""
        if number not in self._marks:
            self._marks[number] = self._marked(number)
        return self._marks[number]

    def _marked(self, number: int) -> Mark:
        target, numbers = self.targets[number], self.laid[number].numbers
        expected = self.expected(target)
        low, high = self._with_what_is_computed(number, self.bounds(number), expected)
        one = OwnNumbers(numbers.value, self.decimals(number))
        is_wrong = ~one.is_inside((low, high))
        is_copied = self._is_copied(number, one) & is_wrong
        is_finite = np.isfinite(expected)
        is_wrong &= ~is_copied & is_finite  # what is not finite refutes nothing, and confirms nothing
        status: Status = "correct"
        if not one.is_given.any():
            status = "missing"
        elif is_wrong.any():
            status = "wrong"
        elif not is_finite[one.is_given].all():
            status = "unmarkable"
        elif is_copied.any() or self._is_doubtful(number):
            status = "follow-through"
        fewer = self._fewer_decimals(number, (low, high), is_wrong) if status == "wrong" else None
        return Mark(self.answers[number], target, numbers.value, expected, low, high, status, is_wrong, fewer)

    def _fewer_decimals(self, number: int, bounds: Interval, is_wrong: NDArray[np.bool_]) -> int | None:
        """Where zeros at the end were left out, or some numbers rounded more: the decimals with which these are right."""
        numbers = self.laid[number].numbers
        value, decimals = numbers.value[is_wrong], numbers.decimals[is_wrong]
        fewest = int(decimals.min())
        if self.answers[number].decimals is not None or fewest >= self.decimals(number):
            return None
        half = 0.5 * 10.0**-decimals
        low, high = (bound[is_wrong] for bound in bounds)
        return fewest if ((value >= low - half) & (value <= high + half)).all() else None

    def _is_copied(self, number: int, one: OwnNumbers) -> NDArray[np.bool_]:
        """Where an answer repeats a wrong number that an earlier one gave of the same value, as h_n does the last h."""
        found = np.zeros(one.value.shape, np.bool_)
        target = self.targets[number]
        for part in target.parts:
            at = np.atleast_1d(one.value[part.at])
            for earlier, where, other in self._by_place.get((part.place, target.row_of(part)), ()):
                if earlier < number:
                    decimals = min(one.decimals, self.decimals(earlier))
                    is_same = np.isclose(
                        np.round(at, decimals), np.round(other, decimals), rtol=0, atol=0.1 * 10.0**-decimals
                    )
                    is_wrong = np.atleast_1d(self.mark(earlier).is_wrong[where])
                    found[part.at] |= (is_same & is_wrong).reshape(np.shape(found[part.at]))
        return found

    @cached_property
    def _by_place(self) -> dict[tuple[Place, int], list[tuple[int, Slices, Array]]]:
        """What each answer gives of a line of a row, with the answer's number and where it stands in it."""
        found: dict[tuple[Place, int], list[tuple[int, Slices, Array]]] = {}
        for number, one in enumerate(self.laid):
            for part in one.target.parts:
                if part.scale != 1:
                    continue
                value = np.atleast_1d(one.numbers.value[part.at])
                row = one.target.row_of(part)
                found.setdefault((part.place, row), []).append((number, part.at, value))
        return found

    def _with_what_is_computed(self, number: int, bounds: Interval, expected: Array) -> Interval:
        """Bounds that a float32 run of the same calculation is inside of, and that say something wherever the run does."""
        low, high = bounds
        is_open = np.isfinite(expected) & ~(np.isfinite(low) & np.isfinite(high))
        if is_open.any():  # as where the writer divides by a wrong zero: what is right in the run is right
            run = self._of_the_run(number, expected)
            low, high = (np.where(is_open, one, other) for one, other in zip(run, bounds, strict=True))
        low, high = as_computed((low, high), self.learning.scenario)
        parts = self.targets[number].parts
        is_at_once = len({(part.place.t, part.place.key.removesuffix("←")) for part in parts}) == 1
        if is_at_once and set(self.own) <= {part.place for part in parts}:
            low, high = np.fmin(low, expected), np.fmax(high, expected)
        return low, high

    def _of_the_run(self, number: int, expected: Array) -> Interval:
        """The bounds of an answer as if nothing had been given before; what rounds to the run's number where that has none."""
        decimals = self.decimals(number)
        low, high = self._nobody.bounds_of(self.targets[number], decimals)
        is_open = ~(np.isfinite(low) & np.isfinite(high))
        least, most = around(expected, decimals)
        return np.where(is_open, least, low), np.where(is_open, most, high)

    def is_from_own(self, number: int) -> bool:
        """Whether the writer's other numbers have a part in the bounds of an answer."""
        nobodys = self._nobody.bounds_of(self.targets[number], self.decimals(number))
        return not all(map(np.array_equal, self.bounds(number), nobodys))

    @cached_property
    def _nobody(self) -> Sheet:
        """The sheet of one who gave nothing."""
        return Sheet(self.learning, [], self.catalogue)

    def order(self, number: int) -> tuple[int, ...]:
        """Where an answer stands in the order of the calculation, to be sorted by."""
        place = self.targets[number].parts[0].place
        stage = self.learning.structure.stage(place.batch, place.phase)
        keys = [block.key for block in stage.blocks]
        steps = stage.steps[place.key]
        at, key = steps.index(place.t), keys.index(place.key)
        names = stage.by_key[place.key].program.names
        line = (
            names.index(place.name) if place.name in names else -1
        )  # what is fed in stands before all lines
        phase = self.learning.structure.phases.index(place.phase)
        by_time = self.learning.scenario.display.order == "time"
        return (place.epoch, place.batch, phase, *((at, key) if by_time else (key, at)), line)

    # ── the score ────────────────────────────────────────────────────────────────────

    def scores(self, number: int) -> bool:
        """Whether an answer counts: it is right, and would be without the stock answers that it may follow from."""
        mark = self.marks[number]
        if mark.status != "follow-through" or not self.stock:
            return mark.is_right
        others = [other for other in range(len(self.laid)) if other not in self.stock]
        return self._without_stock.mark(others.index(number)).is_right

    @cached_property
    def stock(self) -> frozenset[int]:
        """The wrong answers that are stock answers."""
        wrong = [number for number, mark in enumerate(self.marks) if mark.status == "wrong"]
        return frozenset(number for number in wrong if is_stock(self, number))

    @cached_property
    def _without_stock(self) -> Sheet:
        """The sheet as if no stock answer had been given."""
        laid = [
            replace(one, answer=replace(one.answer, decimals=self.decimals(number)))
            for number, one in enumerate(self.laid)
            if number not in self.stock
        ]
        return Sheet(self.learning, laid, self.catalogue)

    @property
    def score(self) -> tuple[int, int]:
        """How many answers score, and how many could: not those where the run is not finite."""
        count = sum(mark.status != "unmarkable" for mark in self.marks)
        return sum(self.scores(number) for number in range(len(self.marks))), count


def in_row(bounds: Interval, row: int, shape: tuple[int, ...]) -> Interval:
    """The bounds of one row of a batch; of a parameter's as they are."""
    low, high = (np.asarray(bound) for bound in bounds)
    if low.ndim > len(shape):
        low, high = low[min(row, len(low) - 1)], high[min(row, len(high) - 1)]
    return np.broadcast_to(low, shape), np.broadcast_to(high, shape)


# ── stock answers ────────────────────────────────────────────────────────────────────────────────

MOST_COMPARED = 200  # earlier answers


def is_stock(sheet: Sheet, number: int) -> bool:
    """Whether a wrong answer is one: all that was given of its value taken together, where that is of one line."""
    mark, decimals = sheet.marks[number], sheet.decimals(number)
    given = np.array(mark.given)
    parts = mark.target.parts
    if len(parts) == 1:
        for one in sheet.own.at(parts[0].place).get(mark.target.row_of(parts[0]), ()):
            given[parts[0].at] = np.where(np.isnan(given[parts[0].at]), one.value, given[parts[0].at])
    is_given = ~np.isnan(given)
    written, right = given[is_given], mark.expected[is_given]
    if not np.isfinite(right).all():
        return False
    if written.size > 1 and _is_one_number(written, decimals):
        return not _is_one_number(right, decimals)
    if written.size < 2 <= given.size:  # one entry of several says too little to be a copy
        return False
    return any(
        _is_copy(written, copied[is_given], decimals)
        and not _is_copy(right, copied_right[is_given], decimals)
        for copied, copied_right in _at_hand(sheet, number)
    )


def _at_hand(sheet: Sheet, number: int) -> Iterator[tuple[Array, Array]]:
    """What may be copied, in the answer's shape: as the writer has it, and as the run has it."""
    mark = sheet.marks[number]
    shape = mark.given.shape
    for place in _read(sheet, mark.target.parts[0].place):
        value = np.asarray(sheet.value_at(place, mark.target.row_of(mark.target.parts[0])))
        if value.shape == shape:
            yield value, value
    order = sheet.order(number)
    for earlier in range(min(len(sheet.marks), MOST_COMPARED)):
        other = sheet.marks[earlier]
        if earlier != number and other.given.size == mark.given.size and sheet.order(earlier) < order:
            yield other.given.reshape(shape), other.expected.reshape(shape)


def _read(sheet: Sheet, place: Place) -> Iterator[Place]:
    """What a recurrent block reads at a step: x, and the states before."""
    stage = sheet.learning.structure.stage(place.batch, place.phase)
    block = stage.by_key[place.key]
    if place.phase == "forward" and block.kind == "recurrent":
        for name in (*block.program.inputs, *block.program.befores):
            yield place._replace(name=name)


def _is_one_number(values: Array, decimals: int) -> bool:
    return bool(np.ptp(np.round(values, decimals)) < 0.5 * 10.0**-decimals)


def _is_copy(values: Array, others: Array, decimals: int) -> bool:
    """Whether numbers are others, rounded; a blank is none."""
    with np.errstate(invalid="ignore"):
        off = np.abs(np.round(values, decimals) - np.round(others, decimals))
        return bool((off < 0.5 * 10.0**-decimals).all())
