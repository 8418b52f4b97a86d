"""All slips that may have been made on the way to an answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from rnnstep.checking.mistakes import cells, gradients, losses, wires
from rnnstep.checking.mistakes.patterns import Pattern
from rnnstep.checking.slip import Slip, by_hand
from rnnstep.engine.learning import Learning
from rnnstep.engine.structure import Phase

if TYPE_CHECKING:
    from rnnstep.checking.marking import Sheet


def slips(sheet: Sheet, number: int) -> tuple[Slip, ...]:
    """Every slip that changes a line or a wire of the run that an answer is of."""
    place = sheet.targets[number].parts[0].place
    return _of_phase(sheet.learning, place.epoch, place.batch, place.phase)


@lru_cache(maxsize=16)
def _of_phase(learning: Learning, epoch: int, batch: int, phase: Phase) -> tuple[Slip, ...]:
    return tuple(_all(learning, epoch, batch, phase))


def _all(learning: Learning, epoch: int, batch: int, phase: Phase) -> Iterator[Slip]:
    done = learning.epoch(epoch).forward(batch)
    block = next(iter(done.runs.values())).block
    right = by_hand(block)
    for slip in cells.variants(Pattern(block, right)):
        if slip.lines("forward", block) != right:
            yield slip
    yield from wires.variants(done)
    if done.loss_run is not None:
        yield from losses.variants(done)
        if phase != "forward":
            yield from gradients.variants(learning, phase)
