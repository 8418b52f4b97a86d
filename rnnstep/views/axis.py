"""The vertical axis of a plot: where it ends, and which round numbers stand at it.

An axis keeps to its values, so that small ones use the room that there is: its ends are rounded outwards by little,
and its ticks are multiples of 1, 2, 2.5 or 5 times a power of ten; on a logarithmic axis powers of ten, or where it
spans fewer than two of them 1, 2 and 5 times one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rnnstep.views import numbers
from rnnstep.views.alphabet import UNICODE, Alphabet

_ROUND = (1.0, 2.0, 2.5, 5.0)
_FINER = 5
"""The ends are multiples of so small a part of the distance between ticks."""

_LONGEST = 1e4
_SHORTEST = 1e-4
"""Numbers beyond these are written with an exponent, and then all of an axis."""

_LEAST = 1e-290
"""Values less far apart are drawn as if they were one."""

_LEAST_LOG = 5e-324
_DECADES = 2
"""A logarithmic axis of fewer has the very ends of its values."""


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from `low` to `high`, which lie apart; on a logarithmic one these and the ticks' places are logarithms.

    Attributes:
        low: its lower end.
        high: its upper end.
        ticks: what stands at it: place and text, the lowest first.
        is_log: whether it is logarithmic.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    is_log: bool = False

    def fraction(self, place: float) -> float:
        """Give where a place is between the ends, 0 to 1."""
        # Halved, because the whole range of float64 is wider than a float64 can say.
        return (place / 2 - self.low / 2) / (self.high / 2 - self.low / 2)

    def labels(self, height: int) -> list[str]:
        """Give the text of each of `height` rows, the highest first; most are empty."""
        found = [""] * height
        for place, text in self.ticks:
            row = round((1 - self.fraction(place)) * (4 * height - 1)) // 4
            if 0 <= row < height:
                found[row] = text
        return found


def linear(low: float, high: float, height: int, alphabet: Alphabet = UNICODE) -> Scale:
    """Make an axis for values from `low` to `high` in `height` rows."""
    if not high - low > _LEAST:
        around = max(abs(low) * 0.1, 2 * _LEAST) if abs(low) > _LEAST else 1.0
        low, high = low - around, low + around
    for step in _steps(low, high, height):
        fine = step / _FINER
        ends = min(low, math.floor(low / fine + 1e-9) * fine), max(high, math.ceil(high / fine - 1e-9) * fine)
        first, last = math.ceil(ends[0] / step - 1e-9), math.floor(ends[1] / step + 1e-9)
        if 2 <= last - first + 1 <= most_ticks(height):
            places = [k * step for k in range(first, last + 1)]
            return Scale(*ends, tuple(zip(places, _written(places, step, alphabet), strict=True)))
    ticks = tuple((end, numbers.brief(end, 3, alphabet=alphabet)) for end in (low, high))
    return Scale(low, high, ticks if height > 1 else ticks[1:])


def logarithmic(low: float, high: float, height: int, alphabet: Alphabet = UNICODE) -> Scale:
    """Make a logarithmic axis for values from `low`, above zero, to `high` in `height` rows."""
    bottom, top = math.log10(max(low, _LEAST_LOG)), math.log10(max(high, _LEAST_LOG))
    if not top > bottom:
        bottom, top = bottom - 0.5, top + 0.5
    if top - bottom > _DECADES:
        bottom, top = _outwards(bottom, math.floor), _outwards(top, math.ceil)
    places = _log_places(bottom, top, most_ticks(height))
    places = places if height > 1 else places[-1:]
    is_short = places[0] >= math.log10(_SHORTEST) - 1e-9 and places[-1] <= math.log10(_LONGEST) + 1e-9
    texts = [_power(place, alphabet, is_short=is_short) for place in places]
    return Scale(bottom, top, tuple(zip(places, texts, strict=True)), is_log=True)


def _log_places(bottom: float, top: float, most: int) -> list[float]:
    """The powers of ten, or every so many of them; of fewer than two 1, 2 and 5 times one, then whole numbers times one."""
    stride = next(s for s in (1, 2, 3, 5, 10, 20, 50, 100, 200, 1000) if (top - bottom) / s < most)
    powers = range(math.floor(bottom), math.ceil(top) + 1)
    for leading in ((1,), (1, 2, 5), range(1, 10)) if stride == 1 else ((1,),):
        places = [k + math.log10(m) for k in powers for m in leading if k % stride == 0]
        found = [place for place in places if bottom - 1e-9 <= place <= top + 1e-9]
        if 2 <= len(found) <= most:
            return found
    return [bottom, top]


def most_ticks(height: int) -> int:
    """Give how many ticks are read with ease in so many rows."""
    return min(11, 3 + max(0, height - 4) // 3)


def _steps(low: float, high: float, height: int) -> Iterator[float]:
    """Round distances between ticks, from too small ones on; none where a float cannot tell the ticks apart."""
    size = (high - low) / most_ticks(height)
    if height < 3 or not math.isfinite(size):
        return
    power = math.floor(math.log10(size))
    for exponent in range(power - 1, power + 3):
        for factor in _ROUND:
            if max(abs(low), abs(high)) / (factor * 10.0**exponent) < 2.0**50:
                yield factor * 10.0**exponent


def _written(places: Sequence[float], step: float, alphabet: Alphabet) -> list[str]:
    """Write ticks with the decimals that their distance asks for; zero is `0`."""
    largest = max(abs(place) for place in places)
    if largest >= 10 * _LONGEST or step < _SHORTEST:
        digits = 2 + max(0, math.ceil(math.log10(largest / step)))
        return [numbers.brief(0.0 if abs(p) < step / 2 else p, digits, alphabet=alphabet) for p in places]
    decimals = next(d for d in range(9) if abs(round(step, d) - step) < step * 1e-6)
    return [
        "0" if abs(place) < step / 2 else numbers.number(place, decimals, alphabet=alphabet)
        for place in places
    ]


def _power(place: float, alphabet: Alphabet, *, is_short: bool) -> str:
    """Write 10 to the power of `place`: `0.01`, or `1e-2` beside exponents."""
    if is_short:
        return numbers.brief(10.0**place, 2, alphabet=alphabet)
    power = math.floor(place + 1e-9)
    leading = f"{10.0 ** (place - power):.2g}"
    return f"{leading}e{power}" if power else leading


def _outwards(place: float, rounded: Callable[[float], int]) -> float:
    """The logarithm of 1, 2 or 5 times a power of ten that is next to a value, downwards or upwards."""
    power = math.floor(place + 1e-9)
    part = place - power
    steps = [math.log10(m) for m in (1, 2, 5, 10)]
    if rounded is math.floor:
        return power + max(step for step in steps if step <= part + 1e-9)
    return power + min(step for step in steps if step >= part - 1e-9)
