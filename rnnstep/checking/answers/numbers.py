"""Numbers as people write them: how many decimals, what was left blank, and the signs that keyboards produce."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK = "?"
MOST_DECIMALS = 30
_SIGNS = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "－": "-",
        "，": ", ",
        "、": ", ",
        "。": ".",
        "．": ".",
        "；": ";",
        "≈": " ",
        "≒": " ",
    }
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {"inf": np.inf, "+inf": np.inf, "-inf": -np.inf}


@dataclass(frozen=True, eq=False)
class Numbers:
    """What was written, in the shape in which it was written.

    Attributes:
        value: NaN where it was left blank; (n,), (m, n), …, or () of one number.
        decimals: how many decimals each has; 0 where it was left blank.
    """

    value: NDArray[np.float64]
    decimals: NDArray[np.int64]

    @property
    def is_missing(self) -> bool:
        """Whether nothing is given at all."""
        return bool(np.isnan(self.value).all())

    @property
    def most_decimals(self) -> int:
        """The most decimals of any."""
        return int(self.decimals.max(initial=0))

    def reshaped(self, shape: tuple[int, ...]) -> Numbers:
        """The same in another shape of as many."""
        return Numbers(self.value.reshape(shape), self.decimals.reshape(shape))


class NotNumbers(ValueError):
    """What was found in the place of a number; `found` says what."""

    def __init__(self, found: str) -> None:
        super().__init__(found)
        self.found = found


def number_of(text: str) -> tuple[float, int]:
    """Give the value of a number's text and its decimals; NaN for a blank.

    Raises:
        NotNumbers: it is none.
    """
    if text == BLANK:
        return np.nan, 0
    if text.lower() in _WORDS:
        return _WORDS[text.lower()], 0
    if not _NUMBER.fullmatch(text):
        raise NotNumbers(text)
    return _of_decimal(toml_float(text))


def toml_float(text: str) -> Decimal:
    """Give what the text of a number says, with its decimals; one that `Decimal` cannot hold is infinite, or 0."""
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of some twenty digits
        mantissa, _, exponent = text.replace("_", "").lower().partition("e")
        sign = "-" if mantissa.startswith("-") else ""
        return Decimal(f"{sign}0" if exponent.startswith("-") else f"{sign}Infinity")


def whole_number(text: str, least: int, most: int) -> int | None:
    """Give the whole number that a text says, from `least` to `most`; None if it says none."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
        return None
    number = int(text)
    return number if least <= number <= most else None


def _of_decimal(number: Decimal) -> tuple[float, int]:
    if not number.is_finite():
        return float(number), 0
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return float(number), min(MOST_DECIMALS, max(0, -exponent))


_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_LESS_THAN_ONE = re.compile(r"[+-]?0,")


def from_text(text: str) -> Numbers:
    """Read numbers from a line: apart by blanks or commas, rows of a matrix by `;` or on lines of their own.

    `0,54 -0,2`, apart by blanks, are numbers with decimal commas.

    Raises:
        NotNumbers: something else stands there, or the rows are of several lengths.
    """
    text = "".join(map(_plain, text.translate(_SIGNS))).translate(_SIGNS)
    text = text.strip().removeprefix("[").removesuffix("]") if text.count("[") == 1 else text
    if "[" in text:
        text = re.sub(r"\]\s*,?\s*\[", ";", text).replace("[", " ").replace("]", " ")
    rows = [re.split(r"[\s,]+", _with_points(row)) for row in re.split(r"[;\n]", text) if row.strip(" ,\t")]
    pairs = [[number_of(word) for word in row if word] for row in rows]
    return _gathered(pairs[0] if len(pairs) == 1 else pairs)


def _plain(sign: str) -> str:
    """A full-width digit or sign as the plain one; a superscript, which is no digit of a number, as it is."""
    return sign if unicodedata.category(sign) == "No" else unicodedata.normalize("NFKC", sign)


def _with_points(row: str) -> str:
    """A row whose words all have one comma inside, with points in their place: nobody writes `1,2 3,4` for four numbers."""
    words = [word for word in row.split() if word != "?"]
    is_decimal = all(map(_DECIMAL_COMMA.fullmatch, words)) and (
        len(words) > 1 or _LESS_THAN_ONE.match(row.strip())
    )
    return row.strip().replace(",", ".") if words and is_decimal else row.strip()


def from_data(data: Any) -> Numbers:
    """Read numbers from a TOML value whose floats are `Decimal`: a number, a list, lists in it, or a text.

    Raises:
        NotNumbers: it is none of these, or lists inside one another are of several lengths.
    """
    if isinstance(data, str):
        return from_text(data)
    return _gathered(_nested(data, 0))


def _nested(data: Any, depth: int) -> Any:
    match data:
        case bool():
            raise NotNumbers(str(data).lower())
        case int():
            return _of_decimal(Decimal(data))
        case Decimal():
            return _of_decimal(data)
        case str():
            return number_of(data.translate(_SIGNS).strip())
        case list() if depth < 4:
            return [_nested(one, depth + 1) for one in data]
    raise NotNumbers(type(data).__name__)


def _gathered(pairs: Any) -> Numbers:
    """Nested lists of pairs as two arrays."""
    if isinstance(pairs, tuple):
        return Numbers(np.array(pairs[0]), np.array(pairs[1]))
    shape = _shape(pairs)
    flat = list(_leaves(pairs))
    value = np.array([one for one, _ in flat], np.float64).reshape(shape)
    return Numbers(value, np.array([places for _, places in flat], np.int64).reshape(shape))


def _shape(pairs: Sequence[Any]) -> tuple[int, ...]:
    if not pairs or not isinstance(pairs[0], list):
        if any(isinstance(one, list) for one in pairs):
            raise NotNumbers("[")
        return (len(pairs),)
    shapes = {_shape(one) if isinstance(one, list) else () for one in pairs}
    if len(shapes) > 1:
        raise NotNumbers("[")
    return (len(pairs), *shapes.pop())


def _leaves(pairs: Any) -> Any:
    if isinstance(pairs, tuple):
        yield pairs
    else:
        for one in pairs:
            yield from _leaves(one)
