"""The mistakes in writing a right result down: of another step or layer, two entries exchanged, a sign lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.checking.mistakes.cutting import Cut
from rnnstep.checking.own_numbers import Place
from rnnstep.checking.rounding import ON_GRID, Rounded
from rnnstep.checking.slip import Slip
from rnnstep.equations.intervals import Interval
from rnnstep.equations.operations import Array

if TYPE_CHECKING:
    from rnnstep.checking.answers.targets import Target, TargetPart
    from rnnstep.checking.marking import Mark, Sheet

FINALS = ("h_n", "c_n")
STEPS_APART = 3  # of a value that may have been written down for another step
CUT = Slip("digits_cut", reading=Cut)
MOST_EXCHANGED = 60  # entries; of a larger value no two are exchanged


def variants(sheet: Sheet, number: int, mark: Mark) -> Iterator[tuple[str, Interval]]:
    """Each mistake with its bounds."""
    right, decimals = sheet.bounds(number), sheet.decimals(number)
    target = sheet.targets[number]
    yield "digits_cut", _cut(mark.given, right, sheet.bounds_of(target, decimals, CUT), decimals)
    yield from _exchanged(mark, right)
    yield from _signs(mark, right)
    yield from _halves(target, right)
    yield from _added_up(sheet, target, decimals, right)
    elsewhere = list(_elsewhere(sheet, target))
    if not elsewhere and mark.answer.name not in FINALS:
        return
    others = sheet.without(number)
    for id_, other in elsewhere:
        yield id_, others.bounds_of(other, decimals)
    if mark.answer.name in FINALS:
        yield from _finals(others, target, decimals)


def _cut(given: Array, right: Interval, cut: Interval, decimals: int) -> Interval:
    """What cutting gives, on the way or at the end.

    A number of more digits than are asked for was cut somewhere behind them: it is less than a unit too small in size,
    where the right number has something to be cut.
    """
    unit = 10.0**-decimals
    with np.errstate(invalid="ignore"):  # of an infinity that was given
        has_more = np.abs(given - np.round(given, decimals)) > ON_GRID * unit
    has_more &= right[1] - right[0] > ON_GRID * unit
    low = np.where(has_more & (right[0] > 0), np.maximum(right[0] - unit, 0.0), cut[0])
    high = np.where(has_more & (right[1] < 0), np.minimum(right[1] + unit, 0.0), cut[1])
    return np.minimum(low, cut[0]), np.maximum(high, cut[1])


def _exchanged(mark: Mark, right: Interval) -> Iterator[tuple[str, Interval]]:
    """Two entries exchanged: only pairs of which both are wrong can be."""
    wrong = np.flatnonzero(mark.is_wrong)
    if not 1 <= len(wrong) <= 2 or mark.given.size > MOST_EXCHANGED:
        return
    for pair in combinations(range(mark.given.size), 2):
        if set(wrong) <= set(pair):
            order = np.arange(mark.given.size)
            order[list(pair)] = order[list(pair)[::-1]]
            low, high = (bound.reshape(-1)[order].reshape(bound.shape) for bound in right)
            yield "swapped_entries", (low, high)


def _signs(mark: Mark, right: Interval) -> Iterator[tuple[str, Interval]]:
    """A sign lost, or too many: where all wrong entries are right with the other sign."""
    if not mark.is_wrong.any():
        return
    low = np.where(mark.is_wrong, -right[1], right[0])
    high = np.where(mark.is_wrong, -right[0], right[1])
    yield "sign_slip", (low, high)


def _elsewhere(sheet: Sheet, target: Target) -> Iterator[tuple[str, Target]]:
    """The same value of another step, or of another layer."""
    place = target.parts[0].place
    epoch = sheet.learning.epoch(place.epoch)
    done = epoch.forward(place.batch)
    if target.t is not None and place.phase == "forward":
        steps = range(max(0, target.t - STEPS_APART), target.t + STEPS_APART + 1)
        known = [t for t in steps if t != target.t and t <= done.axis(place.key).last_step(target.row)]
        for t in known:
            yield "step_off_by_one", _moved(target, t=t)
    for layer in range(target.layer or 0):
        module, dot, own = place.key.rpartition(".")
        key = module + dot + own.replace(f"L{target.layer}", f"L{layer}")
        here, there = (done.by_key[one].program.shapes.get(place.name) for one in (place.key, key))
        if here == there and here is not None:
            yield "h_n_first_layer", _moved(target, key=key)


def _added_up(sheet: Sheet, target: Target, decimals: int, right: Interval) -> Iterator[tuple[str, Interval]]:
    """Of a parameter's gradient in a later epoch: with those of the epochs before it, which were never set to zero."""
    place = target.parts[0].place
    if place.phase != "backward" or target.t is not None or (place.epoch, place.batch) == (0, 0):
        return
    low, high = right
    batches = len(sheet.learning.scenario.batches)
    for number in range(place.epoch * batches + place.batch):
        epoch, batch = divmod(number, batches)
        parts = [replace(part, place=part.place._replace(epoch=epoch, batch=batch)) for part in target.parts]
        before = sheet.values_of(replace(target, parts=tuple(parts)), decimals)
        low, high = Rounded(decimals).rounded((low + before[0], high + before[1]))
    yield "no_zero_grad", (low, high)


def _moved(target: Target, t: int | None = None, key: str | None = None) -> Target:
    parts = tuple(
        replace(
            part,
            place=part.place._replace(
                t=part.place.t if t is None else t, key=part.place.key if key is None else key
            ),
        )
        for part in target.parts
    )
    return replace(target, parts=parts, t=target.t if t is None else t)


def _finals(sheet: Sheet, target: Target, decimals: int) -> Iterator[tuple[str, Interval]]:
    """Of final states: the first layer's, the backward direction's at the last step, or those behind the padding."""
    place = target.parts[0].place
    done = sheet.learning.epoch(place.epoch).forward(place.batch)
    axis = done.axis(place.key)
    last = axis.num_steps - 1

    def changed(other: Callable[[TargetPart], Place]) -> Target:
        return replace(target, parts=tuple(replace(part, place=other(part)) for part in target.parts))

    def is_backward(part: TargetPart) -> bool:
        return part.place.key.endswith("←")

    def at_last(part: TargetPart) -> Place:
        t = axis.last_step(target.row_of(part))
        return part.place._replace(t=t) if is_backward(part) else part.place

    def of_first_layer(part: TargetPart) -> Place:
        before = part.place.key.rpartition("L")[0]
        return part.place._replace(key=f"{before}L0{'←' if is_backward(part) else ''}")

    yield "backward_half_at_last_step", sheet.bounds_of(changed(at_last), decimals)
    yield "h_n_first_layer", sheet.bounds_of(changed(of_first_layer), decimals)
    if any(axis.last_step(target.row_of(part)) < last for part in target.parts):
        walked = changed(lambda part: part.place if is_backward(part) else part.place._replace(t=last))
        slip = Slip("padding_walked", walks_padding=True)
        yield "padding_walked", sheet.bounds_of(walked, decimals, slip)


def _halves(target: Target, right: Interval) -> Iterator[tuple[str, Interval]]:
    """Of both directions' states, joined or one below the other: backward before forward."""
    backward = {_whose(target, part): part for part in target.parts if part.place.key.endswith("←")}
    forward = [part for part in target.parts if not part.place.key.endswith("←")]
    if not backward or any(_whose(target, part) not in backward for part in forward):
        return
    low, high = np.array(right[0]), np.array(right[1])
    for one in forward:
        other = backward[_whose(target, one)]
        for bound, whole in ((low, right[0]), (high, right[1])):
            bound[one.at], bound[other.at] = whole[other.at], whole[one.at]
    yield "halves_swapped", (low, high)


def _whose(target: Target, part: TargetPart) -> tuple[str, int, int | None]:
    """The layer, the row and, where both directions stand side by side, the step of a part."""
    last = part.at[-1]
    is_joined = isinstance(last, slice) and last.stop is not None
    return part.place.key.removesuffix("←"), target.row_of(part), part.place.t if is_joined else None
