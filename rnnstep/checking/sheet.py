"""A sheet of paper: the calculations of all batches and epochs that a writer's answers are held against."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.answers.targets import Target, gradient_target
from rnnstep.checking.own_numbers import Own, Place, Written
from rnnstep.checking.paper import Paper
from rnnstep.checking.rounding import as_computed, rounded
from rnnstep.checking.slip import RIGHT, Slip
from rnnstep.checking.step import Fed
from rnnstep.engine.learning import Learning
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array

MOST_UPDATES = 3  # in a row that are worked out from the writer's own numbers

UNFIT = (
    KeyError,
    IndexError,
    ValueError,
)  # what a slip raises whose lines or shapes do not fit a cell after all


class Calculations:
    """What a writer's numbers lead to in one scenario's training.

    Attributes:
        learning: the scenario's training, or its one run.
        own: the writer's numbers.
    """

    def __init__(self, learning: Learning) -> None:
        self.learning = learning
        self.own = Own()
        self._papers: dict[tuple[int, int, int], Paper] = {}
        self._slipped: dict[
            tuple[int, int, int, int], Paper
        ] = {}  # each keeps its slip, so that no id comes again

    def paper(self, place: Place, decimals: int, slip: Slip = RIGHT) -> Paper:
        """The calculation that a place is of, rounded to so many decimals."""
        base = self.of_batch(place.epoch, place.batch, decimals)
        if slip is RIGHT:
            return base
        if slip.reading is not None:
            paper = Paper(
                base.done,
                self.own,
                decimals,
                epoch=place.epoch,
                inside=self._inside,
                reading=slip.reading(decimals),
                dividing=slip.reading(decimals, keeps=True),
            )
            paper.sheet = self
            return paper
        paper = Paper(base.done, self.own, decimals, epoch=place.epoch, slip=slip, base=base)
        paper.sheet = self
        return paper

    def of_batch(self, epoch: int, batch: int, decimals: int) -> Paper:
        """The right calculation of a batch of an epoch, rounded to so many decimals."""
        key = (epoch, batch, decimals)
        if key not in self._papers:
            done = self.learning.epoch(epoch).forward(batch)
            paper = Paper(done, self.own, decimals, epoch=epoch, inside=self._inside)
            paper.sheet = self
            self._papers[key] = paper
        return self._papers[key]

    def learnt(self, paper: Paper, torch: str, name: str) -> Fed | None:
        """What the writer's own update before an epoch's batch leaves of a parameter, or of what the optimizer keeps.

        None where that is too far from all that was given: then the writer is taken to go on from the run's numbers.
        """
        batches = len(self.learning.scenario.batches)
        number = first = paper.epoch * batches + paper.done.index - 1
        if not self._is_near(number, torch):
            return None
        while self._is_near(first - 1, torch):
            first -= 1
        for one in range(
            first, number + 1
        ):  # from the first one on, so that many epochs are no deep recursion
            epoch, batch = divmod(one, batches)
            step = self._updating(paper, epoch, batch).step("update", torch, 0)
        return step.values[name], step.doubts[name]

    def _updating(self, paper: Paper, epoch: int, batch: int) -> Paper:
        """The calculation of an update before another: with the slip that was made in it, if it was."""
        right = self.of_batch(epoch, batch, paper.reading.decimals)
        if not paper.slip.learns:
            return right
        key = (epoch, batch, paper.reading.decimals, id(paper.slip))
        if key not in self._slipped:
            found = Paper(
                right.done, self.own, paper.reading.decimals, epoch=epoch, slip=paper.slip, base=right
            )
            found.sheet = self
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

    def gradient(self, paper: Paper, torch: str) -> Fed:
        """∂L/∂ of a parameter, from the shares of all steps."""
        target = gradient_target(self.learning, paper.epoch, paper.done, torch)
        low, high = np.empty(target.shape), np.empty(target.shape)
        doubts = paper.no_doubts
        for part in target.parts:
            step = paper.step("backward", part.place.key, part.place.t)
            bounds = in_row(step.values[part.place.name], 0, low[part.at].shape)
            low[part.at], high[part.at] = bounds
            doubts = doubts | step.doubts[part.place.name].any()
        return (low, high), doubts

    def _inside(self, place: Place, row: int, one: Written) -> NDArray[np.bool_]:
        step = self.paper(place, one.decimals).step(place.phase, place.key, place.t, until=place.name)
        bounds = in_row(step.bounds(place.name)[0], row, one.value.shape)
        return one.is_inside(as_computed(bounds, self.learning.scenario))

    def bounds_of(self, target: Target, decimals: int, slip: Slip = RIGHT) -> Interval:
        """The bounds of any value."""
        low, high = np.zeros(target.shape), np.zeros(target.shape)
        paper: Paper | None = None
        for part in target.parts:
            paper = self.paper(part.place, decimals, slip) if paper is None else paper
            step = paper.step(part.place.phase, part.place.key, part.place.t)
            shape = np.shape(low[part.at])
            row = target.row_of(part)
            bounds = in_row(step.bounds(part.place.name)[0], row, shape)
            low[part.at], high[part.at] = bounds if part.scale == 1 else _scaled(bounds, part.scale, decimals)
        return low, high

    def values_of(self, target: Target, decimals: int) -> Interval:
        """What the writer goes on with from a value: the own numbers where such are given, else the bounds."""
        low, high = np.zeros(target.shape), np.zeros(target.shape)
        for part in target.parts:
            place, row = part.place, target.row_of(part)
            step = self.paper(place, decimals).step(place.phase, place.key, place.t)
            low[part.at], high[part.at] = in_row(step.values[place.name], row, np.shape(low[part.at]))
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


def _scaled(bounds: Interval, scale: float, decimals: int) -> Interval:
    """Bounds times a factor, the product written down."""
    one, other = bounds[0] * scale, bounds[1] * scale
    return rounded((np.minimum(one, other), np.maximum(one, other)), decimals)


def in_row(bounds: Interval, row: int, shape: tuple[int, ...]) -> Interval:
    """The bounds of one row of a batch; of a parameter's as they are."""
    low, high = (np.asarray(bound) for bound in bounds)
    if low.ndim > len(shape):
        low, high = low[min(row, len(low) - 1)], high[min(row, len(high) - 1)]
    return np.broadcast_to(low, shape), np.broadcast_to(high, shape)
