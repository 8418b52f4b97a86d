"""How a number stands on the screen.

Fixed decimals as long as they tell the truth: a value that is not zero is never
written as zero, and one of 100,000 or more goes to powers of ten, cut so that it
takes about the width of its neighbours. `0.0000` therefore means exactly zero. A half is rounded away from
zero, as at school: 0.125 is `0.13`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from rnnstep.views.alphabet import UNICODE, Alphabet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    NumberValues = NDArray[Any] | Sequence[float]
    Grid = NDArray[Any] | Sequence[Sequence[float]]

_LARGE = 1e5
_MOST_LIKE_A_HALF = 8  # digits to tell a number from a half: those of a float32, and one
_FEW_MORE = 2  # digits; with more a number is hard to recognize beside one that has them not
# A float32 that was written as 0.31 is 0.31 within half a unit of its last place.
_AS_WRITTEN = 2.0**-23


def number(
    value: float, decimals: int, *, signed: bool = False, guard: int = 0, alphabet: Alphabet = UNICODE
) -> str:
    """Write one number: `0.1811`, `−0.0700`, `2.0e-9`, `1.23e5`, `NaN`, `−inf`.

    Args:
        value: The number.
        decimals: How many it has.
        signed: Whether `+` stands before a positive one.
        guard: How many digits more than that it has at most: `0.18108`, `2.02e-9`; beyond two only those that a
            small number lacks (with three `0.0042` is `0.0042144`, `0.1811` is `0.181083`).
        alphabet: The signs.
    """
    guard = guard and min(guard, _FEW_MORE + _zeros_behind_the_point(value))
    text = _guarded(value, decimals, guard) if guard else _written(value, decimals)
    if text[0] == "-":
        return alphabet.minus + text[1:]
    return "+" + text if signed and value > 0 else text


def _written(value: float, decimals: int, guard: int = 0) -> str:
    """Write a number with a hyphen for its sign, with `guard` digits more than `decimals` give it."""
    if _is_plain(value, decimals):
        return f"{_off_tie(value, decimals + guard) + 0.0:.{decimals + guard}f}"
    return _special(value, decimals + guard)


def _guarded(value: float, decimals: int, guard: int) -> str:
    """The same with so many digits more, and another where they would be rounded to another number than without.

    0.408848 is 0.4088; so with a digit more it is not 0.40885, which everybody rounds to 0.4089.
    """
    plain = _written(value, decimals)
    for digits in range(guard, guard + _MOST_LIKE_A_HALF):
        text = _written(value, decimals, digits)
        # Only what ends as a half can be rounded the other way: of two roundings the first may have made it.
        if not text.partition("e")[0].rstrip("0").endswith("5") or _rounds_to(text, plain):
            return text
    return plain  # 0.15 is a little less, and 0.1


def _rounds_to(text: str, shorter: str) -> bool:
    """Whether a number as it is written, rounded to the last place of another, is that one."""
    return Decimal(text).quantize(Decimal(shorter), ROUND_HALF_UP) == Decimal(shorter)


def column(values: NumberValues, decimals: int, *, width: int = 0, alphabet: Alphabet = UNICODE) -> list[str]:
    """Write numbers under each other: strings of one width (at least `width`), decimal points aligned."""
    return [line[0] for line in matrix([[value] for value in _listed(values)], decimals, width, alphabet)]


def matrix(values: Grid, decimals: int, width: int = 0, alphabet: Alphabet = UNICODE) -> list[list[str]]:
    """Write a matrix (R, C) as R lists of C strings, all of one width (at least `width`)."""
    lines: list[list[float]] = _listed(values)
    flat = [value + 0.0 for line in lines for value in line]
    if not flat:
        return [[] for _ in lines]
    scale = _tie_scale(decimals)
    if any(value * scale % 2.0 == 1.0 for value in flat):
        flat = [_off_tie(value, decimals) for value in flat]
    # One formatting of the whole matrix is several times as fast as one of each number.
    texts = (f"%.{decimals}f " * len(flat) % tuple(flat)).split(" ")
    low, high = _bounds(decimals)
    for index, value in enumerate(flat):
        if not (low < value < high or -high < value < -low or value == 0.0):
            texts[index] = _special(value, decimals)
    texts.pop()
    width = max(width, len(max(texts, key=len)))
    written = f"%{width}s" * len(texts) % tuple(texts)
    # Exponents keep their hyphen: `2.0e-9` is how every program reads it back.
    if alphabet.minus != "-":
        written = written.replace("-", alphabet.minus).replace("e" + alphabet.minus, "e-")
    cells = [written[start : start + width] for start in range(0, len(written), width)]
    if len(lines) == 1:
        return [cells]
    columns = len(lines[0])
    return [cells[start : start + columns] for start in range(0, len(cells), columns)]


def short(value: float, decimals: int, *, guard: int = 0, alphabet: Alphabet = UNICODE) -> str:
    """Write a number without the zeros that say nothing: 0.31 as `0.31`, 1.0 as `1`, 0.30001 as `0.3000`."""
    text = number(value, decimals, guard=guard, alphabet=alphabet)
    if "." not in text or "e" in text:
        return text
    trimmed = text.rstrip("0").rstrip(".")
    meant = float(trimmed.replace(alphabet.minus, "-"))
    return trimmed if abs(meant - value) <= abs(value) * _AS_WRITTEN else text


def difference(value: float, *, alphabet: Alphabet = UNICODE) -> str:
    """Write a difference in one digit, with its sign: `+6e-8`, `−0.02`, `0` where there is none at all."""
    text = brief(value, 1 if abs(value) < 1 else 3, alphabet=alphabet)
    return "+" + text if value > 0 else text


def gap(value: float, decimals: int, *, alphabet: Alphabet = UNICODE) -> str:
    """Write a difference between two runs: `+0.1683`, `0` where there is none; in one digit, `−3e-8`, where it would be lost."""
    if value == 0:
        return "0"
    if abs(value) < 0.5 * 10.0**-decimals:
        return difference(value, alphabet=alphabet)
    return number(value, decimals, signed=True, alphabet=alphabet)


def brief(value: float, digits: int = 3, *, alphabet: Alphabet = UNICODE) -> str:
    """Write a number in a few significant digits, for axes and bounds: `0.5`, `12.3`, `−1.2e-7`, `0`."""
    text = "NaN" if math.isnan(value) else _short_exponent(f"{value + 0.0:.{digits}g}")
    return alphabet.minus + text[1:] if text[0] == "-" else text


def _listed(values: Any) -> list[Any]:
    """Give an array as nested lists of Python floats, which format four times as fast as numpy's."""
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _bounds(decimals: int) -> tuple[float, float]:
    """Give the open range of magnitudes that fixed decimals show truly."""
    return 0.5 * 10.0**-decimals, _LARGE - 0.5 * 10.0**-decimals


def _is_plain(value: float, decimals: int) -> bool:
    low, high = _bounds(decimals)
    return low < abs(value) < high or value == 0


def _zeros_behind_the_point(value: float) -> int:
    """How many zeros stand behind the point before the first digit of a number below 1, as many as matter; else 0."""
    size = abs(value)
    return sum(size < edge for edge in (1e-1, 1e-2, 1e-3, 1e-4)) if size else 0


def _tie_scale(decimals: int) -> float:
    """Give the power of two that makes an odd whole number of every float that lies halfway between two texts.

    Halfway lie the odd multiples of 5·10^(−decimals − 1): those that a float holds have a last binary place of
    2^(−decimals − 1), and what has that place as its last is such a multiple.
    """
    return 2.0 ** (decimals + 1)


def _off_tie(value: float, decimals: int) -> float:
    """Move a number that lies halfway between two texts by the least there is, away from zero; Python rounds to even."""
    is_tie = value * _tie_scale(decimals) % 2.0 == 1.0
    return math.nextafter(value, math.copysign(math.inf, value)) if is_tie else value


def _special(value: float, decimals: int) -> str:
    """Write what fixed decimals would hide, with the mantissa cut to about the width of the others."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    size = abs(value)
    if size < 1:
        exponent = 2 if size >= 1e-9 else 3 if size >= 1e-99 else 4
        return _short_exponent(f"{value:.{max(0, decimals - 1 - exponent)}e}")
    exponent = 1 if size < 1e10 else 2 if size < 1e100 else 3
    digits = max(0, decimals - 1 - exponent)
    rounded = Context(prec=digits + 1, rounding=ROUND_HALF_UP).create_decimal_from_float(value)
    return _short_exponent(f"{rounded:.{digits}e}")


def _short_exponent(text: str) -> str:
    """Give `1.23e+05` as `1.23e5`."""
    return text.replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
