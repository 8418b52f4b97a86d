"""What went wrong: the mistakes whose bounds hold all the numbers of a wrong answer.

A mistake is named only when all given numbers lie inside its bounds and some outside of the right ones. It is looked
for in the whole calculation, then in the answer's own step or layer alone; two at once are tried where no single
one explains. Several that give the same numbers are told together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.marking import Mark, Sheet
from rnnstep.checking.mistakes import entries
from rnnstep.checking.own import Written
from rnnstep.checking.sheet import UNFIT, in_row
from rnnstep.checking.slip import RIGHT, Here, Slip, once, together
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array

Explains = Literal["all", "consistent"]
MOST_NAMED = 4
FEWEST_TELLING = 2  # numbers that must tell where others cannot, as what is divided by a rounded zero
PAIRS_OF = 20  # slips that are tried two at once
QUICK, THOROUGH = 20_000, 150_000  # lines of equations that are worked out for one wrong answer, at most
PROOF = 0.05  # how likely some mistake may hold the wrong numbers by chance and yet be told as certain


@dataclass(frozen=True, eq=False)
class Named:
    """A mistake that explains an answer.

    Attributes:
        ids: of the mistake; of two at once both.
        explains: "all"; or "consistent", where the numbers are too few to prove it, or two mistakes are needed.
        low, high: its bounds.
        distance: how far the numbers are from the middle of its bounds, in units of their width.
        slip: what was done, on the way to the answer; None where a right result was written down wrongly.
        is_against_others: whether other numbers of the same step, which are right, would be others with it.
    """

    ids: tuple[str, ...]
    explains: Explains
    low: Array
    high: Array
    distance: float
    slip: Slip | None = None
    is_against_others: bool = False


def named(sheet: Sheet, number: int, *, work: int = THOROUGH) -> tuple[Named, ...]:
    """Give the mistakes that explain a wrong answer, the likeliest first.

    Args:
        sheet: the writer's answers.
        number: of the answer.
        work: how many lines of equations may be worked out for it; two mistakes at once are tried beyond QUICK.
    """
    if sheet.marks[number].status != "wrong":
        return ()
    return _Search(sheet, number, work).found()


class _Search:
    """The search for the mistakes behind one answer."""

    def __init__(self, sheet: Sheet, number: int, work: int) -> None:
        self.sheet = sheet
        self.number = number
        self.mark = sheet.marks[number]
        self.one = Written(self.mark.given, sheet.decimals(number))
        self.slips = sheet.catalogue.slips(sheet.targets[number].parts[0].place)
        self._work = work
        self._right = sheet.bounds(number)

    def found(self) -> tuple[Named, ...]:
        best: dict[tuple[str, ...], Named] = {}
        order = sorted(self._candidates(), key=lambda one: (one.is_against_others, one.distance))
        for candidate in order:
            if candidate.is_against_others and not order[0].is_against_others:
                break
            best.setdefault(candidate.ids, candidate)
        return tuple(_likeliest(list(best.values())))

    def _candidates(self) -> list[Named]:
        reaches = list(self._reaches())
        written = list(self._written_wrongly())
        left = self._work
        for slips, cost in [
            *(([replace(slip, here=here) for slip in self.slips], cost) for here, cost in reaches),
            (self._once(), reaches[0][1]),
        ]:
            if cost * len(slips) <= left:
                left -= cost * len(slips)
                found = [*self._singles(slips), *written]
                if found:
                    return found
        pairs = PAIRS_OF * (PAIRS_OF - 1) // 2
        for here, cost in reaches if self._work > QUICK else ():
            if cost * (len(self.slips) + pairs) <= self._work and self.one.is_given.sum() > 1:
                return list(self._pairs([replace(slip, here=here) for slip in self.slips]))
        return written

    def _once(self) -> list[Slip]:
        """What may be done wrong at one step alone: another input, as where an index was looked up wrongly."""
        fed = [slip for slip in self.slips if "x" in slip.wires]
        return [once(slip, t) for t in reversed(range(self._all_steps())) for slip in fed]

    # ── where a mistake is looked for ────────────────────────────────────────────────

    def _reaches(self) -> Iterator[tuple[Here | None, int]]:
        """Where a mistake may be made, from everywhere to the answer's own step; and how many lines each slip costs."""
        places = [part.place for part in self.sheet.targets[self.number].parts]
        blocks = {(place.phase, place.key) for place in places}
        steps = {(place.phase, place.key, place.t) for place in places}
        stage = self.sheet.learning.structure.stage(places[0].batch, places[0].phase)
        lines = {block.key: len(block.program.lines) for block in stage.blocks}
        back = self.sheet.steps_since_given(places[0])
        is_recurrent = places[0].phase == "forward" and places[0].key in self._recurrent()
        yield None, sum(lines.values()) * (back if is_recurrent else self._all_steps())
        if is_recurrent:
            of_blocks = sum(lines[key] for _, key in blocks)
            if len(self._recurrent()) > 1:
                yield (lambda phase, key, _: (phase, key) in blocks), of_blocks * back
            if back > 1:
                yield (lambda phase, key, t: (phase, key, t) in steps), of_blocks

    def _recurrent(self) -> Sequence[str]:
        place = self.sheet.targets[self.number].parts[0].place
        return list(self.sheet.learning.epoch(place.epoch).forward(place.batch).runs)

    def _all_steps(self) -> int:
        place = self.sheet.targets[self.number].parts[0].place
        return self.sheet.learning.epoch(place.epoch).forward(place.batch).batch.num_steps

    # ── candidates ───────────────────────────────────────────────────────────────────

    def _singles(self, slips: Sequence[Slip]) -> Iterator[Named]:
        for slip in slips:
            bounds = self._bounds(slip)
            found = None if bounds is None else self._named((slip.id,), bounds)
            if found is not None and self._is_against_others(slip):
                yield replace(found, slip=slip, explains="consistent", is_against_others=True)
            elif found is not None:
                yield replace(found, slip=slip)

    def _is_against_others(self, slip: Slip) -> bool:
        """Whether right numbers of the same step would be others with a slip."""
        target = self.sheet.targets[self.number]
        at = {part.place for part in target.parts}
        for place in self.sheet.own:
            if place in at or not any(place[:5] == one[:5] for one in at):
                continue
            with_slip, right = (
                self.sheet.paper(place, self.one.decimals, one).step(place.phase, place.key, place.t).derived
                for one in (slip, RIGHT)
            )
            for one in self.sheet.own.at(place).get(target.row, ()) if place.name in with_slip else ():
                is_right, is_so = (
                    one.is_inside(in_row(bounds[place.name], target.row, one.value.shape))
                    for bounds in (right, with_slip)
                )
                if (is_right & ~is_so).any():
                    return True
        return False

    def _written_wrongly(self) -> Iterator[Named]:
        for id_, bounds in entries.variants(self.sheet, self.number, self.mark):
            found = self._named((id_,), bounds)
            if found is not None:
                yield found

    def _pairs(self, slips: Sequence[Slip]) -> Iterator[Named]:
        """Two slips at once: those that make a difference each."""
        nearest = self._nearest(slips)
        for index, first in enumerate(nearest):
            for second in nearest[index + 1 :]:
                bounds = None if first.id == second.id else self._bounds(together(first, second))
                found = None if bounds is None else self._named((first.id, second.id), bounds)
                if found is not None:
                    yield replace(found, explains="consistent")

    def _nearest(self, slips: Sequence[Slip]) -> list[Slip]:
        """The slips that make a difference, those first whose numbers are nearest to the given ones."""
        found = []
        for slip in slips:
            bounds = None if slip.id == "wrong_index" else self._bounds(slip)
            if bounds is not None:
                with np.errstate(invalid="ignore"):
                    off = np.abs(self.mark.given - np.clip(self.mark.given, *bounds))
                found.append((float(np.nansum(off)), slip))
        return [slip for _, slip in sorted(found, key=lambda pair: pair[0])[:PAIRS_OF]]

    def _bounds(self, slip: Slip) -> Interval | None:
        """What a slip gives; None where it makes no difference, or cannot be made."""
        try:
            low, high = self.sheet.bounds(self.number, slip)
        except UNFIT:
            return None
        right = self._right
        if np.array_equal(low, right[0]) and np.array_equal(high, right[1]):
            return None
        return low, high

    # ── whether one explains the answer ──────────────────────────────────────────────

    def _named(self, ids: tuple[str, ...], bounds: Interval) -> Named | None:
        one, mark = self.one, self.mark
        if not one.is_inside(bounds).all():
            return None
        with np.errstate(invalid="ignore"):
            middle = (bounds[0] + bounds[1]) / 2
            width = np.maximum(bounds[1] - bounds[0], 10.0**-one.decimals)
            is_bound = np.isfinite(middle) & one.is_given
            if not is_bound[one.is_given].all() and not _is_telling(mark, is_bound, width):
                return None
            distance = float(np.max((np.abs(mark.given - middle) / width)[is_bound]))
        return Named(ids, self._explains(width, is_bound), bounds[0], bounds[1], distance)

    def _explains(self, width: Array, is_bound: NDArray[np.bool_]) -> Explains:
        """Whether the wrong numbers prove a mistake: whether it is unlikely that any mistake tried holds them by chance."""
        if self.one.is_given.sum() < 2:
            return "consistent"
        seen = np.concatenate([self.mark.given[self.one.is_given], self.mark.expected[self.one.is_given]])
        reach = 2 * float(np.max(np.abs(seen), where=np.isfinite(seen), initial=10.0**-self.one.decimals))
        shares = np.minimum(1.0, width[self.mark.is_wrong & is_bound] / reach)
        return "all" if len(self.slips) * float(np.prod(shares)) <= PROOF else "consistent"


def _likeliest(found: list[Named]) -> Iterator[Named]:
    """Those that stand out: one whose middle is far off is left out beside one that is close."""
    if not found:
        return
    nearest = found[0].distance
    for candidate in found[:MOST_NAMED]:
        if candidate.distance <= 3 * nearest + 0.35:
            yield candidate


def _is_telling(mark: Mark, is_bound: NDArray[np.bool_], width: Array) -> bool:
    """Whether bounds that hold anything in some entries say something in others: closer than the right ones are off."""
    off = np.abs(mark.given - np.clip(mark.given, mark.low, mark.high))
    return int((is_bound & (width <= 2 * off)).sum()) >= FEWEST_TELLING
