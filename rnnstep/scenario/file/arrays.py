"""Nested lists of a scenario file as arrays, with the place of what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.language import Text

Array = NDArray[Any]
MOST_AXES = 8


class Misfit(Exception):
    """What keeps nested lists from being an array: where (`indices`), what, and what would fit."""

    def __init__(self, indices: tuple[int, ...], found: object, expected: Text) -> None:
        super().__init__()
        self.indices = indices
        self.found = found
        self.expected = expected


def array_of(value: object, *, integer: bool = False) -> Array:
    """Give nested lists of numbers, or one number, as a float64 array (int64 for `integer`).

    Raises:
        Misfit: Naming the first list that is empty or of another length than its
            first neighbour, or the first element that is no number.
    """
    shape = _first_shape(value)
    _check(value, shape, (), integer=integer)
    return np.array(value, dtype=np.int64 if integer else np.float64)


def _first_shape(value: object) -> tuple[int, ...]:
    shape: list[int] = []
    while isinstance(value, list):
        if not value:
            raise Misfit((0,) * len(shape), value, Text("a list that is not empty"))
        if len(shape) == MOST_AXES:
            raise Misfit((0,) * len(shape), value, Text("at most {most} axes", most=MOST_AXES))
        shape.append(len(value))
        value = value[0]
    return tuple(shape)


def _check(value: object, shape: tuple[int, ...], at: tuple[int, ...], *, integer: bool) -> None:
    if not shape:
        _check_number(value, at, integer=integer)
        return
    if not isinstance(value, list):
        expected = Text("a list of length {length}, like its first neighbour", length=shape[0])
        raise Misfit(at, value, expected if at else Text("a list"))
    if len(value) != shape[0]:
        raise Misfit(at, value, Text("a list of length {length}, like its first neighbour", length=shape[0]))
    if len(shape) == 1 and _is_plain(value, integer=integer):
        return
    for index, inner in enumerate(value):
        _check(inner, shape[1:], (*at, index), integer=integer)


def _is_plain(values: list[Any], *, integer: bool) -> bool:
    """Whether all are numbers of everyday size: the quick answer for long lists."""
    kinds = set(map(type, values))
    if kinds == {float} and not integer:
        return True
    return kinds <= ({int} if integer else {int, float}) and max(map(abs, values)) < 2**62


def _check_number(value: object, at: tuple[int, ...], *, integer: bool) -> None:
    if integer:
        if type(value) is not int:
            raise Misfit(at, value, Text("a whole number"))
        if abs(value) >= 2**62:
            raise Misfit(at, value, Text("a whole number below 2^62"))
        return
    if type(value) not in (int, float):
        raise Misfit(at, value, Text("a number"))
    try:
        float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise Misfit(at, value, Text("a number that a float can hold")) from None
