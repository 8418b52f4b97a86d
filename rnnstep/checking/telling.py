"""Where several mistakes give the same numbers: which value to work out next, so that they come apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rnnstep.checking.marking import Sheet
from rnnstep.checking.naming import Named
from rnnstep.checking.slip import RIGHT, Slip
from rnnstep.equations.intervals import Interval
from rnnstep.language import Text

STEPS_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Advice:
    """The value that tells most of the mistakes apart.

    Attributes:
        name: of a line of the same block.
        t: its step, from 0.
        pairs: how many pairs of the mistakes it tells apart, of how many.
    """

    name: str
    t: int
    pairs: tuple[int, int]


def advice(sheet: Sheet, number: int, found: Sequence[Named]) -> Advice | None:
    """Give the value to work out next; None where nothing in reach would tell."""
    slips = [one.slip for one in found if one.slip is not None]
    place = sheet.targets[number].parts[0].place
    if len(slips) < 2 or place.phase != "forward" or not place.key.startswith("L"):
        return None
    best: Advice | None = None
    count = len(slips) * (len(slips) - 1) // 2
    for name, t in _values(sheet, number):
        told = sum(_apart(sheet, number, pair, name, t) for pair in combinations(slips, 2))
        if told and (best is None or told > best.pairs[0]):
            best = Advice(name, t, (told, count))
    return best


def _values(sheet: Sheet, number: int) -> Iterator[tuple[str, int]]:
    """The other values of the same step, then those of the next ones."""
    target = sheet.targets[number]
    place = target.parts[0].place
    done = sheet.learning.epoch(place.epoch).forward(place.batch)
    names = done.by_key[place.key].program.names
    ahead = range(place.t, min(place.t + STEPS_AHEAD, done.batch.last_step(target.row)) + 1)
    for t in ahead:
        yield from ((name, t) for name in names if (name, t) != (place.name, place.t))


def _apart(sheet: Sheet, number: int, pair: tuple[Slip, Slip], name: str, t: int) -> bool:
    """Whether two slips give numbers there of which no rounding makes the same."""
    try:
        one, other = (_bounds(sheet, number, slip, name, t) for slip in pair)
    except (KeyError, IndexError, ValueError):
        return False
    return bool(np.any((one[0] > other[1]) | (other[0] > one[1])))


def _bounds(sheet: Sheet, number: int, slip: Slip, name: str, t: int) -> Interval:
    target = sheet.targets[number]
    place = target.parts[0].place
    step = sheet.paper(place, sheet.decimals(number), slip).step("forward", place.key, t)
    low, high = step.derived[name]
    return low[target.row], high[target.row]


def why_alike(sheet: Sheet, number: int) -> Text | None:
    """Say what in the data hides a difference, where it is one of the usual things."""
    target = sheet.targets[number]
    place = target.parts[0].place
    done = sheet.learning.epoch(place.epoch).forward(place.batch)
    block = done.by_key.get(place.key)
    if block is None or block.kind != "recurrent" or place.phase != "forward":
        return None
    step = sheet.paper(place, sheet.decimals(number), RIGHT).step("forward", place.key, place.t)
    befores = [step.values[name] for name in block.program.befores]
    if all(not np.any(low) and not np.any(high) for low, high in befores):
        return Text("the state before this step is zero, so that what is done with it does not show")
    biases = [value for name, value in block.parameters.items() if value.ndim == 1]
    if biases and not any(np.any(value) for value in biases):
        return Text("the biases are zero, so that leaving them out does not show")
    square = [
        value for value in block.parameters.values() if value.ndim == 2 and value.shape[0] == value.shape[1]
    ]
    if any(np.array_equal(value, value.T) for value in square):
        return Text("a matrix of weights is symmetric, so that its transpose does not show")
    return None
