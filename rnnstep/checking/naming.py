"""What went wrong: the mistakes whose bounds hold all the numbers of a wrong answer, and how likely that is by chance.

A mistake is looked for in the whole calculation, then in the answer's own step or layer alone; two of the usual ones
at once are tried where no single one explains. They are tried in the order of `mistakes.usual`, and each that was
tried makes it likelier that random numbers fit one of them: what fits is named, possible, or says nothing, as
`chance` has it. Several that give the same numbers are told together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rnnstep.checking.chance import NAMED, POSSIBLE, Tries, own_range
from rnnstep.checking.marking import UNFIT, Sheet, in_row
from rnnstep.checking.mistakes import entries
from rnnstep.checking.mistakes.catalogue import rank
from rnnstep.checking.own_numbers import OwnNumbers, Place
from rnnstep.checking.rounding import told_by
from rnnstep.checking.slip import RIGHT, Here, Slip, once, together
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array

Explains = Literal["all", "consistent", "possible"]
MOST_NAMED = 4
PAIRS_OF = 20  # slips that are tried two at once
QUICK, THOROUGH = 20_000, 150_000  # lines of equations that are worked out for one wrong answer, at most
TELLS_NOTHING = (
    0.5  # of all random numbers: a mistake that so many fit, as tan beside its poles, is not tried
)
MOST_TELLING = 64  # wrong numbers that are looked at for how likely they fit by chance


@dataclass(frozen=True, eq=False)
class NamedMistake:
    """A mistake that explains an answer.

    Attributes:
        ids: of the mistake; of two at once both.
        explains: "all"; "consistent", where two mistakes are needed or right numbers speak against it; "possible",
            where too many random numbers would fit it, or one that was tried before it, to be sure.
        chance: how likely random numbers would.
        low, high: its bounds.
        distance: how far the numbers are from the middle of its bounds, in units of their width.
        slip: what was done, on the way to the answer; None where a right result was written down wrongly.
        is_against_others: whether other numbers of the same step, which are right, would be others with it.
    """

    ids: tuple[str, ...]
    explains: Explains
    chance: float
    low: Array
    high: Array
    distance: float
    slip: Slip | None = None
    is_against_others: bool = False

    @property
    def one_in(self) -> int:
        """Of how many random answers one would fit as well."""
        return round(1 / self.chance) if self.chance > 1e-9 else 10**9

    @property
    def is_named(self) -> bool:
        """Whether the numbers prove it."""
        return self.explains != "possible"


@dataclass(frozen=True, eq=False)
class Tried:
    """What was tried on one wrong answer.

    Attributes:
        fitting: the mistakes that hold its numbers, each with the chance of the answer alone.
        shares: of each mistake that was tried, in order, how likely random numbers fit it.
    """

    fitting: tuple[NamedMistake, ...] = ()
    shares: tuple[tuple[tuple[str, ...], float], ...] = ()

    def up_to(self, ids: tuple[str, ...]) -> Mapping[tuple[str, ...], float]:
        """The shares of what was tried up to a mistake."""
        found: dict[tuple[str, ...], float] = {}
        for one, share in self.shares:
            found[one] = share
            if one == ids:
                break
        return found


def tried(sheet: Sheet, number: int, *, work: int = THOROUGH) -> Tried:
    """Try the mistakes that may stand behind a wrong answer.

    Args:
        sheet: the writer's answers.
        number: of the answer.
        work: how many lines of equations may be worked out for it; two mistakes at once are tried beyond QUICK.
    """
    if sheet.marks[number].status != "wrong":
        return Tried()
    return _Search(sheet, number, work).found()


def told(fitting: Sequence[NamedMistake], is_given: NDArray[np.bool_]) -> tuple[NamedMistake, ...]:
    """Give what is to be told of the mistakes that fit: those named, then the possible ones, the likeliest first.

    Args:
        fitting: all of them, with their chances.
        is_given: which entries of the answer are.
    """
    order = sorted(fitting, key=lambda one: (one.is_against_others, one.distance))
    best: dict[tuple[str, ...], NamedMistake] = {}
    for one in order:
        if one.is_against_others and not order[0].is_against_others:
            break
        best.setdefault(one.ids, one)
    alike = list(_likeliest(list(best.values())))
    found = [_explained(one, [other for other in alike if _is_same(one, other, is_given)]) for one in alike]
    found = [one for one in found if one.chance < POSSIBLE]
    return tuple(sorted(found, key=lambda one: not one.is_named))


def _explained(one: NamedMistake, same: Sequence[NamedMistake]) -> NamedMistake:
    """A mistake with how sure it is: as sure as one of those, itself among them, that give the same numbers."""
    chance = min((other.chance for other in same), default=one.chance)
    is_weaker = len(one.ids) > 1 or one.is_against_others
    explains: Explains = "possible" if chance >= NAMED else "consistent" if is_weaker else "all"
    return replace(one, chance=chance, explains=explains)


def _is_same(one: NamedMistake, other: NamedMistake, is_given: NDArray[np.bool_]) -> bool:
    """Whether two mistakes give the same numbers: the middle of each one's bounds lies within the other's."""
    with np.errstate(invalid="ignore"):
        middles = (one.low + one.high) / 2, (other.low + other.high) / 2
        is_inside = (middles[0] >= other.low) & (middles[0] <= other.high)
        is_inside &= (middles[1] >= one.low) & (middles[1] <= one.high)
    return bool(is_inside[is_given].all())


class _Search:
    """The search for the mistakes behind one answer."""

    def __init__(self, sheet: Sheet, number: int, work: int) -> None:
        self.sheet = sheet
        self.number = number
        self.mark = sheet.marks[number]
        self.one = OwnNumbers(self.mark.given, sheet.decimals(number))
        place = sheet.targets[number].parts[0].place
        along = _sequence(sheet, place)
        tried = (slip for slip in sheet.catalogue.slips(place) if slip.sequence in (None, along))
        self.slips = sorted(tried, key=lambda slip: rank(slip.id))
        self._work = work
        self._right = sheet.bounds(number)
        self._telling = np.flatnonzero(self.mark.is_wrong)[:MOST_TELLING]
        self._is_right = self.one.is_given & ~self.mark.is_wrong
        self._all = self._tries()
        self._each: dict[tuple[str, ...], Tries] = {}

    def found(self) -> Tried:
        fitting = self._fitting()
        return Tried(tuple(fitting), tuple((ids, tries.chance) for ids, tries in self._each.items()))

    def _fitting(self) -> list[NamedMistake]:
        reaches = list(self._reaches())
        left = self._work
        written = [((id_,), bounds, None) for id_, bounds in self._written_wrongly()]
        for slips, cost in [
            *((self._slips(here), cost) for here, cost in reaches),
            (self._once(), reaches[0][1]),
        ]:
            if cost * len(slips) <= left:
                left -= cost * len(slips)
                done = [((slip.id,), self._bounds(slip), slip) for slip in slips]
                found = list(self._tried([*done, *written]))
                if found:
                    return found
                written = []
        pairs = PAIRS_OF * (PAIRS_OF - 1) // 2
        for here, cost in reaches if self._work > QUICK else ():
            if cost * (len(self.slips) + pairs) <= self._work:
                return list(self._tried(self._pairs(self._slips(here))))
        return list(self._tried(written))

    def _slips(self, here: Here | None) -> list[Slip]:
        """The slips made somewhere, or everywhere."""
        return [slip if here is None else replace(slip, here=here) for slip in self.slips]

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
        return self.sheet.learning.epoch(place.epoch).forward(place.batch).batch.longest

    # ── candidates ───────────────────────────────────────────────────────────────────

    def _tried(self, candidates: Sequence[_Candidate]) -> Iterator[NamedMistake]:
        """Those that hold the numbers; each with how likely random ones fit any tried up to it, its other ways included."""
        order = sorted(candidates, key=lambda one: max(map(rank, one[0])))
        for _, group in groupby(order, key=lambda one: max(map(rank, one[0]))):
            holding = [found for one in group if (found := self._holding(*one)) is not None]
            for found in holding:
                yield replace(found, chance=self._all.chance)

    def _holding(
        self, ids: tuple[str, ...], bounds: Interval | None, slip: Slip | None
    ) -> NamedMistake | None:
        """A mistake that holds the numbers; counted as tried where it is one that others might hold."""
        if bounds is None or not (self.one.is_inside(bounds) | ~self._is_right).all():
            return None
        at = self._telling
        telling = bounds[0].reshape(-1)[at], bounds[1].reshape(-1)[at]
        if np.isnan(telling).any() or self._all.share(telling) >= TELLS_NOTHING:
            return None
        self._all.add(telling)
        if ids not in self._each:
            self._each[ids] = self._tries()
        self._each[ids].add(telling)
        if not self.one.is_inside(bounds).all():
            return None
        with np.errstate(invalid="ignore"):
            middle = (bounds[0] + bounds[1]) / 2
            width = np.maximum(bounds[1] - bounds[0], 10.0**-self.one.decimals)
            off = (np.abs(self.mark.given - middle) / width)[np.isfinite(middle) & self.one.is_given]
        is_against = slip is not None and self._is_against_others(slip)
        low, high = bounds
        return NamedMistake(ids, "all", 1.0, low, high, float(off.max(initial=0.0)), slip, is_against)

    def _tries(self) -> Tries:
        """How random numbers in the place of the wrong ones would fit."""
        mark, at = self.mark, self._telling
        low: Array = np.zeros_like(mark.given)
        high: Array = np.zeros_like(mark.given)
        with np.errstate(invalid="ignore"):
            size = 2 * float(np.max(np.abs(mark.expected), where=np.isfinite(mark.expected), initial=0.0))
        for part in self.sheet.targets[self.number].parts:
            known = own_range(self.sheet.learning, part.place)
            low[part.at], high[part.at] = (-size, size) if known is None else known
        decimals = int(self.sheet.laid[self.number].numbers.decimals.reshape(-1)[at].max(initial=0))
        decimals = told_by(self.sheet.learning.scenario, max(decimals, self.one.decimals))
        right = mark.low.reshape(-1)[at], mark.high.reshape(-1)[at]
        ranges = low.reshape(-1)[at], high.reshape(-1)[at]
        return Tries(mark.given.reshape(-1)[at], decimals, right, ranges)

    def _is_against_others(self, slip: Slip) -> bool:
        """Whether right numbers of the same step would be others with a slip."""
        target = self.sheet.targets[self.number]
        at = {part.place for part in target.parts}
        for place in self.sheet.own if len(target.parts) == 1 else ():
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

    def _written_wrongly(self) -> Iterator[tuple[str, Interval]]:
        yield from entries.variants(self.sheet, self.number, self.mark)

    def _pairs(self, slips: Sequence[Slip]) -> list[_Candidate]:
        """Two slips at once: of the most usual ones that make a difference each."""
        usual: list[Slip] = []
        for slip in slips:
            if len(usual) < PAIRS_OF and slip.id != "wrong_index" and self._bounds(slip) is not None:
                usual.append(slip)
        return [
            ((first.id, second.id), self._bounds(together(first, second)), None)
            for first, second in combinations(usual, 2)
            if first.id != second.id
        ]

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


def _sequence(sheet: Sheet, place: Place) -> str:
    """The sequence along which a place is; of what belongs to no step that which the loss is of."""
    block = sheet.learning.epoch(place.epoch).forward(place.batch).by_key.get(place.key)
    return sheet.learning.scenario.scored_sequence if block is None else block.sequence


_Candidate = tuple[tuple[str, ...], Interval | None, Slip | None]


def _likeliest(found: list[NamedMistake]) -> Iterator[NamedMistake]:
    """Those that stand out: one whose middle is far off is left out beside one that is close."""
    if not found:
        return
    nearest = found[0].distance
    for candidate in found[:MOST_NAMED]:
        if candidate.distance <= 3 * nearest + 0.35:
            yield candidate
