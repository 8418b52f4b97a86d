"""Marking: each answer from the writer's own earlier values; only what is wrong costs, what follows rightly from it does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.answers import Answer, Answers
from rnnstep.checking.calculation import Fed
from rnnstep.checking.laying import Laid, lay_out
from rnnstep.checking.own import Own, Place, Written
from rnnstep.checking.paper import Paper
from rnnstep.checking.rounding import around
from rnnstep.checking.slip import RIGHT, Slip
from rnnstep.checking.targets import Part, Target, gradient_target
from rnnstep.engine.learning import Learning
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array
from rnnstep.language.printable import printable

_TELLING = 100  # whole numbers from there on have enough digits to say how they are rounded
_FLOAT32 = 3e-7  # how far what was computed in float32 may be off, relative to the number or to 1

Status = Literal["correct", "follow-through", "wrong", "missing"]


@dataclass(frozen=True, eq=False)
class Mark:
    """One answer, marked.

    Attributes:
        answer: as it was written.
        target: what it is about.
        given: the numbers in the target's shape, NaN where they were left blank.
        expected: what the run has there.
        low, high: the bounds of what is right, from the writer's own earlier values.
        status: of the answer as a whole.
        is_wrong: which entries lie outside.
    """

    answer: Answer
    target: Target
    given: Array
    expected: Array
    low: Array
    high: Array
    status: Status
    is_wrong: NDArray[np.bool_]

    @property
    def is_right(self) -> bool:
        """Whether it scores."""
        return self.status in ("correct", "follow-through")

    @property
    def label(self) -> str:
        """What it is of: `h_3`, `L1 h_3`, `e2: update.bias_hh`, `h_3 [1]` of another sequence."""
        target, name = self.target, printable(self.answer.name)
        shown = name if target.t is None else f"{name}_{target.t + 1}"
        if target.layer or target.direction == "backward":
            shown = f"L{target.layer}{'←' if target.direction == 'backward' else ''} {shown}"
        if self.answer.epoch is not None:
            shown = f"e{self.answer.epoch}: {shown}"
        return f"{shown} [{self.answer.row}]" if self.answer.row else shown


class Sheet:
    """A writer's answers to one scenario.

    Attributes:
        learning: the scenario's training, or its one run.
        answers: in their order.
        targets: of each answer what it is about.
    """

    def __init__(self, learning: Learning, laid: Sequence[Laid]) -> None:
        self.learning = learning
        self.answers = tuple(one.answer for one in laid)
        self.targets = tuple(one.target for one in laid)
        self._laid = laid
        self.own = Own(self._written())
        self._papers: dict[tuple[int, int, int], Paper] = {}

    @classmethod
    def of(cls, learning: Learning, answers: Answers) -> Self:
        """Find what answers are about.

        Raises:
            ScenarioError: answers to what the run does not have, or in another shape; all of them.
        """
        return cls(learning, lay_out(learning, answers))

    def without(self, number: int) -> Sheet:
        """The sheet as if an answer had not been given, so that nothing goes on from it."""
        return Sheet(self.learning, [one for index, one in enumerate(self._laid) if index != number])

    def decimals(self, number: int) -> int:
        """How many decimals the writer of an answer rounds to: as said, or as the numbers tell.

        Small whole numbers alone tell nothing: they are taken to be rounded as the writer's other numbers are,
        and at least to one decimal.
        """
        answer = self.answers[number]
        if answer.decimals is not None:
            return answer.decimals
        told = answer.numbers.most_decimals
        if told or not np.any(np.abs(answer.numbers.value) < _TELLING):
            return told
        return max(1, self._most_decimals)

    @cached_property
    def _most_decimals(self) -> int:
        return max((one.numbers.most_decimals for one in self.answers), default=0)

    def _written(self) -> Iterator[tuple[Place, int, Written]]:
        for number, one in enumerate(self._laid):
            for part in one.target.parts:
                value = np.atleast_1d(one.numbers.value[part.at])
                if not np.isnan(value).all():
                    yield part.place, one.target.row, Written(value, self.decimals(number))

    # ── calculations ─────────────────────────────────────────────────────────────────

    def paper(self, place: Place, decimals: int, slip: Slip = RIGHT) -> Paper:
        """The calculation that a place is of, rounded to so many decimals."""
        key = (place.epoch, place.batch, decimals)
        base = self._papers.get(key)
        done = self.learning.epoch(place.epoch).forward(place.batch)
        if base is None:
            base = Paper(done, self.own, decimals, epoch=place.epoch, inside=self._inside)
            base.sheet = self
            self._papers[key] = base
        if slip is RIGHT:
            return base
        paper = Paper(done, self.own, decimals, epoch=place.epoch, slip=slip, base=base)
        paper.sheet = self
        return paper

    def learnt(self, paper: Paper, torch: str, name: str) -> Interval | None:
        """What the writer's own update before an epoch's batch leaves of a parameter, or of what the optimizer keeps."""
        batches = len(self.learning.scenario.batches)
        number = paper.epoch * batches + paper.done.index - 1
        if number < 0 or not self._has_updates:
            return None
        epoch, batch = divmod(number, batches)
        there = Place(epoch, batch, "update", torch, 0, name)
        if not any(place[:4] == there[:4] for place in self.own):
            return None
        step = self.paper(there, paper.reading.decimals).step("update", torch, 0)
        return step.values[name]  # type: ignore[no-any-return]

    @cached_property
    def _has_updates(self) -> bool:
        return any(place.phase == "update" for place in self.own)

    def gradient(self, paper: Paper, torch: str) -> Fed:
        """∂L/∂ of a parameter, from the shares of all steps."""
        target = gradient_target(self.learning, paper.epoch, paper.done, torch)
        low, high = np.empty(target.shape), np.empty(target.shape)
        doubts = paper.no_doubts
        for part in target.parts:
            step = paper.step("backward", part.place.key, part.place.t)
            bounds = _in_row(step.values[part.place.name], 0, low[part.at].shape)
            low[part.at], high[part.at] = bounds
            doubts = doubts | step.doubts[part.place.name].any()
        return (low, high), doubts

    def _inside(self, place: Place, row: int, one: Written) -> NDArray[np.bool_]:
        step = self.paper(place, one.decimals).step(place.phase, place.key, place.t, until=place.name)
        return one.is_inside(_in_row(step.bounds(place.name)[0], row, one.value.shape))

    def bounds(self, number: int, slip: Slip = RIGHT) -> Interval:
        """The bounds of what an answer may be, in its target's shape."""
        return self.bounds_of(self.targets[number], self.decimals(number), slip)

    def bounds_of(self, target: Target, decimals: int, slip: Slip = RIGHT) -> Interval:
        """The bounds of any value."""
        low, high = np.empty(target.shape), np.empty(target.shape)
        paper: Paper | None = None
        for part in target.parts:
            paper = self.paper(part.place, decimals, slip) if paper is None else paper
            step = paper.step(part.place.phase, part.place.key, part.place.t)
            shape = np.shape(low[part.at])
            low[part.at], high[part.at] = _in_row(step.bounds(part.place.name)[0], target.row, shape)
        return low, high

    def _is_doubtful(self, number: int) -> bool:
        """Whether a wrong answer stands before one."""
        target = self.targets[number]
        for part in target.parts:
            step = self.paper(part.place, self.decimals(number)).step(
                part.place.phase, part.place.key, part.place.t
            )
            if step.bounds(part.place.name)[1][target.row]:
                return True
        return False

    def expected(self, target: Target) -> Array:
        """What the run has, in the target's shape."""
        found = np.empty(target.shape)
        for part in target.parts:
            found[part.at] = self._value(part, target.row)
        return found

    def _value(self, part: Part, row: int) -> Array:
        """The run's value of a line: of the row, or of what belongs to all rows."""
        place = part.place
        epoch = self.learning.epoch(place.epoch)
        passed = {
            "forward": epoch.forward,
            "backward": epoch.backward,
            "update": epoch.update,
        }[place.phase](place.batch)
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
        return tuple(self._mark(number) for number in range(len(self.answers)))

    def _mark(self, number: int) -> Mark:
        target, numbers = self.targets[number], self._laid[number].numbers
        expected = self.expected(target)
        low, high = self._with_what_is_computed(number, self.bounds(number), expected)
        one = Written(numbers.value, self.decimals(number))
        is_wrong = ~one.is_inside((low, high))
        status: Status = "correct"
        if not one.is_given.any():
            status = "missing"
        elif is_wrong.any():
            status = "wrong"
        elif self._is_doubtful(number):
            status = "follow-through"
        return Mark(self.answers[number], target, numbers.value, expected, low, high, status, is_wrong)

    def _with_what_is_computed(self, number: int, bounds: Interval, expected: Array) -> Interval:
        """Bounds that a float32 run of the same calculation is inside of, and that say something wherever the run does."""
        low, high = bounds
        is_known = np.isfinite(expected)
        is_open = is_known & ~(np.isfinite(low) & np.isfinite(high))
        if (
            is_open.any()
        ):  # as where the writer divides by a wrong zero: then what is right in the run is right
            low, high = (
                np.where(is_open, one, other)
                for one, other in zip(self._of_the_run(number, expected), bounds, strict=True)
            )
        if self.learning.scenario.dtype == np.float32 and not self._is_doubtful(number):
            slack = np.where(is_known, _FLOAT32 * np.maximum(1.0, np.abs(expected)), 0.0)
            low, high = low - slack, high + slack
        if not any(place not in self._places_of(number) for place in self.own):
            low, high = np.fmin(low, expected), np.fmax(high, expected)
        return low, high

    def _of_the_run(self, number: int, expected: Array) -> Interval:
        """The bounds of an answer as if nothing had been given before; what rounds to the run's number where that has none."""
        nobody = Sheet(self.learning, [])
        decimals = self.decimals(number)
        low, high = nobody.bounds_of(self.targets[number], decimals)
        is_open = ~(np.isfinite(low) & np.isfinite(high))
        least, most = around(expected, decimals)
        return np.where(is_open, least, low), np.where(is_open, most, high)

    def _places_of(self, number: int) -> set[Place]:
        return {part.place for part in self.targets[number].parts}

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

    @property
    def score(self) -> tuple[int, int]:
        """How many answers are right, and how many there are."""
        return sum(mark.is_right for mark in self.marks), len(self.marks)


def _in_row(bounds: Interval, row: int, shape: tuple[int, ...]) -> Interval:
    """The bounds of one row of a batch; of a parameter's as they are."""
    low, high = (np.asarray(bound) for bound in bounds)
    if low.ndim > len(shape):
        low, high = low[min(row, len(low) - 1)], high[min(row, len(high) - 1)]
    return np.broadcast_to(low, shape), np.broadcast_to(high, shape)
