"""A writer's own numbers, by the place of the calculation that each of them is the result of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.rounding import around, scaled
from rnnstep.engine.structure import Phase
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array


class Place(NamedTuple):
    """One line's value: of all rows of a batch, or of a parameter."""

    epoch: int
    batch: int
    phase: Phase
    key: str
    t: int
    name: str


@dataclass(frozen=True, eq=False)
class OwnNumbers:
    """What a writer gave of one place, in one row or of a parameter.

    Attributes:
        value: NaN where it was left blank.
        decimals: how many the writer rounds to.
        scale: what the place's own value was multiplied with, as a step's loss with the factor of the loss.
    """

    value: Array
    decimals: int
    scale: float = 1.0

    @property
    def is_given(self) -> NDArray[np.bool_]:
        """Where it is not blank."""
        return ~np.isnan(self.value)

    @property
    def bounds(self) -> Interval:
        """What is written so; where it is blank, nothing that is compared."""
        low, high = around(self.value, self.decimals)
        if self.scale != 1:
            one, other = low / self.scale, high / self.scale
            low, high = np.minimum(one, other), np.maximum(one, other)
        return np.where(self.is_given, low, -np.inf), np.where(self.is_given, high, np.inf)

    def is_inside(self, bounds: Interval) -> NDArray[np.bool_]:
        """Where a number lies within bounds of the place's value; a blank does."""
        if self.scale != 1:
            bounds = scaled(bounds, self.scale, self.decimals)
        size = np.where(np.isfinite(self.value), np.abs(self.value), 0.0)
        slack = 1e-9 * 10.0**-self.decimals + size * 1e-14
        with np.errstate(invalid="ignore"):
            inside = (self.value >= bounds[0] - slack) & (self.value <= bounds[1] + slack)
        return np.asarray(inside | ~self.is_given)


def _put(several: list[OwnNumbers], one: OwnNumbers) -> None:
    """Add what was written, but for the entries that are given already; what has the same decimals goes together."""
    value = one.value
    for other in several:
        value = np.where(other.is_given, np.nan, value)
    for index, other in enumerate(several):
        if (other.decimals, other.scale) == (one.decimals, one.scale):
            several[index] = replace(one, value=np.where(other.is_given, other.value, value))
            return
    if not several or not np.isnan(value).all():
        several.append(replace(one, value=value))


class Own:
    """All numbers of a writer's calculation; where two answers give the same number, the first counts for what follows."""

    def __init__(self, written: Iterable[tuple[Place, int, OwnNumbers]] = ()) -> None:
        self._by_place: dict[Place, dict[int, list[OwnNumbers]]] = {}
        for place, row, one in written:
            _put(self._by_place.setdefault(place, {}).setdefault(row, []), one)

    def at(self, place: Place) -> Mapping[int, list[OwnNumbers]]:
        """What was given of a place, by row of the batch; of a parameter under row 0. Of several no two give the same entry."""
        return self._by_place.get(place, {})

    def is_whole(self, place: Place, rows: Iterable[int]) -> bool:
        """Whether every entry of a place was given, in all of some rows."""
        given = self.at(place)
        return all(
            row in given and np.any([one.is_given for one in given[row]], axis=0).all() for row in rows
        )

    def is_blank(self, place: Place, shape: tuple[int, ...], *, has_rows: bool) -> NDArray[np.bool_]:
        """Where nothing was given of a place, in its whole shape: of all rows, or of a parameter."""
        found = np.ones(shape, np.bool_)
        for row, several in self.at(place).items():
            for one in several:
                found[row if has_rows else slice(None)] &= ~one.is_given
        return found

    def __iter__(self) -> Iterator[Place]:
        return iter(self._by_place)


def narrowed(bounds: Interval, own: Interval, is_wrong: NDArray[np.bool_]) -> Interval:
    """Bounds with what was written in them: only that where it is wrong, or where nothing else is left."""
    low, high = np.maximum(bounds[0], own[0]), np.minimum(bounds[1], own[1])
    is_own = is_wrong | (low > high)
    return np.where(is_own, own[0], low), np.where(is_own, own[1], high)
