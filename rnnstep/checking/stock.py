"""Stock answers: wrong ones that cost nothing to write down, and make what follows easy to work out.

Whoever writes zeros for h_1 has an h_2 that is no work. So what follows rightly from a wrong answer does not score
where that is one number throughout, or a copy of what stands there already: of `x`, of the state before, or of an
earlier answer; unless the right value is such, as zeros of a relu are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.checking.own_numbers import Place
from rnnstep.equations.operations import Array

if TYPE_CHECKING:
    from rnnstep.checking.marking import Sheet

MOST_COMPARED = 200  # earlier answers


def is_stock(sheet: Sheet, number: int) -> bool:
    """Whether a wrong answer is one: all that was given of its value taken together, where that is of one line."""
    mark, decimals = sheet.marks[number], sheet.decimals(number)
    given = np.array(mark.given)
    parts = mark.target.parts
    if len(parts) == 1:
        for one in sheet.own.at(parts[0].place).get(mark.target.row_of(parts[0]), ()):
            given[parts[0].at] = np.where(np.isnan(given[parts[0].at]), one.value, given[parts[0].at])
    is_given = ~np.isnan(given)
    written, right = given[is_given], mark.expected[is_given]
    if not np.isfinite(right).all():
        return False
    if written.size > 1 and _is_one_number(written, decimals):
        return not _is_one_number(right, decimals)
    if written.size < 2 <= given.size:  # one entry of several says too little to be a copy
        return False
    return any(
        _is_copy(written, copied[is_given], decimals)
        and not _is_copy(right, copied_right[is_given], decimals)
        for copied, copied_right in _at_hand(sheet, number)
    )


def _at_hand(sheet: Sheet, number: int) -> Iterator[tuple[Array, Array]]:
    """What may be copied, in the answer's shape: as the writer has it, and as the run has it."""
    mark = sheet.marks[number]
    shape = mark.given.shape
    for place in _read(sheet, mark.target.parts[0].place):
        value = np.asarray(sheet.value_at(place, mark.target.row_of(mark.target.parts[0])))
        if value.shape == shape:
            yield value, value
    order = sheet.order(number)
    for earlier in range(min(len(sheet.marks), MOST_COMPARED)):
        other = sheet.marks[earlier]
        if earlier != number and other.given.size == mark.given.size and sheet.order(earlier) < order:
            yield other.given.reshape(shape), other.expected.reshape(shape)


def _read(sheet: Sheet, place: Place) -> Iterator[Place]:
    """What a recurrent block reads at a step: x, and the states before."""
    stage = sheet.learning.structure.stage(place.batch, place.phase)
    block = stage.by_key[place.key]
    if place.phase == "forward" and block.kind == "recurrent":
        for name in (*block.program.inputs, *block.program.befores):
            yield place._replace(name=name)


def _is_one_number(values: Array, decimals: int) -> bool:
    return bool(np.ptp(np.round(values, decimals)) < 0.5 * 10.0**-decimals)


def _is_copy(values: Array, others: Array, decimals: int) -> bool:
    """Whether numbers are others, rounded; a blank is none."""
    with np.errstate(invalid="ignore"):
        off = np.abs(np.round(values, decimals) - np.round(others, decimals))
        return bool((off < 0.5 * 10.0**-decimals).all())
