"""A value worked out from what stands on the screen: everything before it is given as it is shown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rnnstep.checking.answers.answer import Answer
from rnnstep.checking.answers.layout import Laid
from rnnstep.checking.answers.numbers import Numbers
from rnnstep.checking.answers.targets import Target, TargetPart, gradient_target
from rnnstep.checking.marked_sheet import Marks
from rnnstep.checking.marking import Sheet
from rnnstep.checking.own_numbers import Place
from rnnstep.engine.epoch import CLIP
from rnnstep.engine.learning import Learning
from rnnstep.equations.operations import Array


def guessed(
    learning: Learning, place: Place, row: int, index: tuple[int, ...] | None, numbers: Numbers, decimals: int
) -> Marks | None:
    """Mark what somebody takes a value to be; the mark is the last one.

    Args:
        learning: the run.
        place: of the value.
        row: of the batch.
        index: of which element the number is; None where all are given.
        numbers: what was typed.
        decimals: how many are shown of what stands before.

    Returns:
        The marks; None where the numbers are not as many as the value has.
    """
    block = learning.structure.stage(place.batch, place.phase).by_key[place.key]
    shape = tuple(int(size) for size in block.program.shapes[place.name]) or (1,)
    if index is not None and numbers.value.size == 1:
        whole = Numbers(np.full(shape, np.nan), np.zeros(shape, np.int64))
        at = index if len(index) == len(shape) else (0,)
        whole.value[at], whole.decimals[at] = numbers.value.flat[0], numbers.decimals.flat[0]
    elif numbers.value.size == int(np.prod(shape)):
        whole = numbers.reshaped(shape)
    else:
        return None

    def laid(one: Place, value: Array) -> Laid:
        size = np.shape(value) or (1,)
        target = Target((TargetPart(one, (slice(None),) * len(size)),), size, row, one.t)
        given = Numbers(
            np.round(np.asarray(value, np.float64).reshape(size), decimals), np.zeros(size, np.int64)
        )
        return Laid(Answer(one.name, given, one.t, decimals=decimals), target, given)

    before = [laid(one, value) for one, value in _shown_before(learning, place, row)]
    target = Target((TargetPart(place, (slice(None),) * len(shape)),), shape, row, place.t, block.layer)
    answer = Answer(place.name, whole, place.t, decimals=max(min(1, decimals), numbers.most_decimals))
    return Marks(Sheet(learning, [*before, Laid(answer, target, whole)]))


def _shown_before(learning: Learning, place: Place, row: int) -> Iterator[tuple[Place, Array]]:
    """What a person sees before a value: the lines before it, what the block reads, and the states before the step."""
    yield from _lines(learning, place, row, until=place.name)
    structure = learning.structure
    stage = structure.stage(place.batch, place.phase)
    steps = stage.steps[place.key]
    if place.t in steps and steps.index(place.t):
        yield from _lines(learning, place._replace(t=steps[steps.index(place.t) - 1]), row, are_states=True)
    if place.phase == "backward":
        yield from _lines(learning, place._replace(phase="forward"), row)
    if place.phase == "update" and place.key != CLIP:
        done = learning.epoch(place.epoch).forward(place.batch)
        for part in gradient_target(learning, place.epoch, done, place.key).parts:
            yield from _lines(learning, part.place, row, only=part.place.name)
    keys = [block.key for block in stage.blocks]
    for key in keys[: keys.index(place.key)] if place.phase != "update" else ():
        if place.t in stage.steps[key]:  # the blocks that stand before it in this step
            yield from _lines(learning, place._replace(key=key), row)


def _lines(
    learning: Learning,
    place: Place,
    row: int,
    *,
    until: str | None = None,
    only: str | None = None,
    are_states: bool = False,
) -> Iterator[tuple[Place, Array]]:
    """The values of lines of a block at a step: those up to one, one, the states, or all."""
    passed = learning.epoch(place.epoch).passed(place.phase, place.batch)
    known = None if passed is None else passed.known(place.key, place.t, row)
    if known is None:
        return
    program = learning.structure.stage(place.batch, place.phase).by_key[place.key].program
    for name in program.names:
        if name == until:
            return
        if (only is None or name == only) and (not are_states or name in program.states):
            yield place._replace(name=name), np.asarray(known[name])
