"""All slips that may have been made on the way to an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnnstep.checking.mistakes import cells, gradients, losses, wires
from rnnstep.checking.mistakes.patterns import Pattern
from rnnstep.checking.slip import Slip, by_hand

if TYPE_CHECKING:
    from rnnstep.checking.marking import Sheet


def slips(sheet: Sheet, number: int) -> Iterator[Slip]:
    """Every slip that changes a line or a wire of the run that an answer is of."""
    place = sheet.targets[number].parts[0].place
    done = sheet.learning.epoch(place.epoch).forward(place.batch)
    block = next(iter(done.runs.values())).block
    right = by_hand(block)
    for slip in cells.variants(Pattern(block, right)):
        if slip.lines("forward", block) != right:
            yield slip
    yield from wires.variants(done)
    if done.loss_run is not None:
        yield from losses.variants(done)
        if place.phase != "forward":
            yield from gradients.variants(sheet, place.phase)
