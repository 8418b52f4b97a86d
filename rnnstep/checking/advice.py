"""Where several mistakes give the same numbers: which value to work out next, so that they come apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.marking import UNFIT, Sheet, label
from rnnstep.checking.naming import NamedMistake
from rnnstep.checking.own_numbers import Place
from rnnstep.checking.slip import RIGHT
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array
from rnnstep.language import Text

STEPS_AHEAD = 1
MOST_COMPARED = 6  # mistakes
OF_BIASES = frozenset(
    {"no_b_ih", "no_b_hh", "no_bias", "bias_twice", "bias_after_activation", "gru_b_hn_outside"}
)
OF_TRANSPOSES = frozenset({"transposed_ih", "transposed_hh", "elementwise_for_matmul"})


@dataclass(frozen=True, slots=True)
class Advice:
    """The value that tells most of the mistakes apart.

    Attributes:
        name: of a line of the same block.
        t: its step, from 0.
        layer, direction: of the block.
        is_enough: whether it tells all of them apart.
        block: of one of several recurrent modules what it is called.
    """

    name: str
    t: int
    layer: int
    direction: str
    is_enough: bool
    block: str | None = None

    @property
    def label(self) -> str:
        """How the value is called, as answers to it are."""
        return label(self.name, self.t, self.layer, self.direction, self.block)


def advice(sheet: Sheet, number: int, found: Sequence[NamedMistake]) -> Advice | None:
    """Give the value to work out next; None where nothing in reach would tell. One mistake alone is told from what is right."""
    found = found[:MOST_COMPARED]
    slips = [one.slip for one in found if one.slip is not None]
    bounds = [(one.low, one.high) for one in found]
    place = sheet.targets[number].parts[0].place
    if not found or place.phase != "forward" or not _is_recurrent(sheet, place):
        return None
    if len(found) == 1:
        slips.append(RIGHT)
        bounds.append((sheet.marks[number].low, sheet.marks[number].high))
    is_blank = np.isnan(sheet.marks[number].given)
    # The entries of the answer that were left blank may tell.
    best, most = place, sum(bool(np.any(is_blank & _is_apart(*pair))) for pair in combinations(bounds, 2))
    papers = [sheet.paper(place, sheet.decimals(number), slip) for slip in slips]
    for other in _values(sheet, number):
        values = [one for paper in papers if (one := _bounds(sheet, number, paper, other)) is not None]
        told = sum(bool(np.any(_is_apart(*pair))) for pair in combinations(values, 2))
        if told > most:
            best, most = other, told
    if not most:
        return None
    block = sheet.learning.structure.stage(best.batch, "forward").by_key[best.key]
    is_enough = most == len(bounds) * (len(bounds) - 1) // 2
    module = block.module if len(sheet.learning.scenario.recurrents) > 1 else None
    return Advice(best.name, best.t, block.layer, block.direction, is_enough, module)


def _is_recurrent(sheet: Sheet, place: Place) -> bool:
    stage = sheet.learning.structure.stage(place.batch, "forward")
    return bool(stage.by_key[place.key].program.states)


def _values(sheet: Sheet, number: int) -> Iterator[Place]:
    """The other values of the same step that are not given whole, then those of the next one in the order of computation."""
    target = sheet.targets[number]
    place = target.parts[0].place
    stage = sheet.learning.structure.stage(place.batch, "forward")
    order = stage.steps[place.key]
    start = order.index(place.t)
    for t in order[start : start + STEPS_AHEAD + 1]:
        for name in stage.by_key[place.key].program.names:
            other = place._replace(t=t, name=name)
            if other != place and not sheet.own.is_whole(other, [target.row]):
                yield other


def _is_apart(one: tuple[Array, Array], other: tuple[Array, Array]) -> NDArray[np.bool_]:
    return (one[0] > other[1]) | (other[0] > one[1])


def _bounds(sheet: Sheet, number: int, paper: Calculation, place: Place) -> Interval | None:
    """What a calculation gives there; None where its slip cannot be made."""
    row = sheet.targets[number].row
    try:
        low, high = paper.step("forward", place.key, place.t).derived[place.name]
        return low[row], high[row]
    except UNFIT:
        return None


# ── why they are alike ───────────────────────────────────────────────────────────────


def why_alike(sheet: Sheet, number: int, found: Sequence[NamedMistake]) -> Text | None:
    """Say what in the data hides the difference of mistakes, where it is one of the usual things."""
    place = sheet.targets[number].parts[0].place
    block = sheet.learning.structure.stage(place.batch, place.phase).by_key[place.key]
    if block.kind != "recurrent" or place.phase != "forward":
        return None
    ids = {id_ for one in found for id_ in one.ids}
    if _is_state_zero(sheet, number) and _come_apart_later(sheet, number, found):
        return Text("the state before this step is zero, so that what is done with it does not show")
    weights = sheet.learning.epoch(place.epoch).forward(place.batch).by_key[place.key].parameters
    biases = [value for value in weights.values() if value.ndim == 1]
    if ids & OF_BIASES and biases and not any(np.any(value) for value in biases):
        return Text("the biases are zero, so that leaving them out does not show")
    square = [value for value in weights.values() if value.ndim == 2 and value.shape[0] == value.shape[1] > 1]
    if ids & OF_TRANSPOSES and any(np.array_equal(value, value.T) for value in square):
        return Text("a matrix of weights is symmetric, so that its transpose does not show")
    return None


def _is_state_zero(sheet: Sheet, number: int) -> bool:
    place = sheet.targets[number].parts[0].place
    block = sheet.learning.structure.stage(place.batch, "forward").by_key[place.key]
    step = sheet.paper(place, sheet.decimals(number), RIGHT).step("forward", place.key, place.t)
    befores = [step.values[name] for name in block.program.befores]
    return all(not np.any(low) and not np.any(high) for low, high in befores)


def _come_apart_later(sheet: Sheet, number: int, found: Sequence[NamedMistake]) -> bool:
    """Whether two of the mistakes, made at the next step, are told apart there."""
    place = sheet.targets[number].parts[0].place
    order = sheet.learning.structure.stage(place.batch, "forward").steps[place.key]
    after = order.index(place.t) + 1
    if after == len(order):
        return False
    there = place._replace(t=order[after])

    def here(*at: object) -> bool:
        return at == (there.phase, there.key, there.t)

    decimals = sheet.decimals(number)
    slips = [replace(one.slip, here=here) for one in found if one.slip is not None]
    values = [_bounds(sheet, number, sheet.paper(there, decimals, slip), there) for slip in slips]
    known = [one for one in values if one is not None]
    return any(np.any(_is_apart(*pair)) for pair in combinations(known, 2))
