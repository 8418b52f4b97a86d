"""What went wrong: the mistakes whose bounds hold all the numbers of a wrong answer.

A mistake is named only when all given numbers lie inside its bounds and some outside of the right ones. Several
that give the same numbers are told together; two at once are tried where no single one explains.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.marking import Mark, Sheet
from rnnstep.checking.mistakes import catalogue, entries
from rnnstep.checking.own import Written
from rnnstep.checking.slip import Slip, together
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array

Explains = Literal["all", "consistent"]
MOST_NAMED = 4
FEWEST_TELLING = 2  # numbers that must tell where others cannot, as what is divided by a rounded zero
PAIRS_OF = 20  # slips that are tried two at once


@dataclass(frozen=True, eq=False)
class Named:
    """A mistake that explains an answer.

    Attributes:
        ids: of the mistake; of two at once both.
        explains: "all"; or "consistent", where the numbers are too few to prove it, or two mistakes are needed.
        low, high: its bounds.
        distance: how far the numbers are from the middle of its bounds, in units of their width.
        slip: what was done, on the way to the answer; None where a right result was written down wrongly.
    """

    ids: tuple[str, ...]
    explains: Explains
    low: Array
    high: Array
    distance: float
    slip: Slip | None = None


def named(sheet: Sheet, number: int, *, with_pairs: bool = True) -> tuple[Named, ...]:
    """Give the mistakes that explain a wrong answer, the likeliest first."""
    mark = sheet.marks[number]
    if mark.status != "wrong":
        return ()
    one = Written(mark.given, sheet.decimals(number))
    explains: Explains = "consistent" if one.is_given.sum() < 2 else "all"
    found = list(_singles(sheet, number, mark, one, explains))
    if not found and with_pairs and one.is_given.sum() > 1:
        found = list(_pairs(sheet, number, mark, one))
    best: dict[tuple[str, ...], Named] = {}
    for candidate in sorted(found, key=lambda candidate: candidate.distance):
        best.setdefault(candidate.ids, candidate)
    return tuple(_likeliest(list(best.values())))


def _likeliest(found: list[Named]) -> Iterator[Named]:
    """Those that stand out: one whose middle is far off is left out beside one that is close."""
    if not found:
        return
    nearest = found[0].distance
    for candidate in found[:MOST_NAMED]:
        if candidate.distance <= 3 * nearest + 0.35:
            yield candidate


def _singles(sheet: Sheet, number: int, mark: Mark, one: Written, explains: Explains) -> Iterator[Named]:
    for slip in catalogue.slips(sheet, number):
        bounds = _bounds(sheet, number, slip)
        found = None if bounds is None else _named((slip.id,), mark, one, bounds, explains)
        if found is not None:
            yield replace(found, slip=slip)
    for id_, bounds in entries.variants(sheet, number, mark):
        found = _named((id_,), mark, one, bounds, explains)
        if found is not None:
            yield found


def _pairs(sheet: Sheet, number: int, mark: Mark, one: Written) -> Iterator[Named]:
    """Two slips at once: those that make a difference each."""
    slips = _nearest(sheet, number, mark)
    for index, first in enumerate(slips):
        for second in slips[index + 1 :]:
            if first.id == second.id:
                continue
            bounds = _bounds(sheet, number, together(first, second))
            if bounds is None:
                continue
            found = _named((first.id, second.id), mark, one, bounds, "consistent")
            if found is not None:
                yield found


def _nearest(sheet: Sheet, number: int, mark: Mark) -> list[Slip]:
    """The slips that make a difference, those first whose numbers are nearest to the given ones."""
    found = []
    for slip in catalogue.slips(sheet, number):
        bounds = None if slip.id == "wrong_index" else _bounds(sheet, number, slip)
        if bounds is not None:
            with np.errstate(invalid="ignore"):
                off = np.abs(mark.given - np.clip(mark.given, *bounds))
            found.append((float(np.nansum(off)), slip))
    return [slip for _, slip in sorted(found, key=lambda pair: pair[0])[:PAIRS_OF]]


def _bounds(sheet: Sheet, number: int, slip: Slip) -> Interval | None:
    """What a slip gives; None where it makes no difference, or cannot be made."""
    try:
        low, high = sheet.bounds(number, slip)
    except (KeyError, IndexError, ValueError):  # shapes or lines that the pattern does not fit after all
        return None
    right = sheet.marks[number]
    if np.array_equal(low, right.low) and np.array_equal(high, right.high):
        return None
    return low, high


def _is_telling(mark: Mark, is_bound: NDArray[np.bool_], width: Array) -> bool:
    """Whether bounds that hold anything in some entries say something in others: closer than the right ones are off."""
    off = np.abs(mark.given - np.clip(mark.given, mark.low, mark.high))
    return int((is_bound & (width <= 2 * off)).sum()) >= FEWEST_TELLING


def _named(
    ids: tuple[str, ...], mark: Mark, one: Written, bounds: Interval, explains: Explains
) -> Named | None:
    if not one.is_inside(bounds).all():
        return None
    unit = 10.0**-one.decimals
    with np.errstate(invalid="ignore"):
        middle = (bounds[0] + bounds[1]) / 2
        width = np.maximum(bounds[1] - bounds[0], unit)
        is_bound = np.isfinite(middle) & one.is_given
        if not is_bound[one.is_given].all() and not _is_telling(mark, is_bound, width):
            return None
        distance = float(np.max((np.abs(mark.given - middle) / width)[is_bound]))
    return Named(ids, explains, bounds[0], bounds[1], distance)
