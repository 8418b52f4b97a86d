"""Which slips may stand behind an answer: those of its pass and of what goes before it."""

from __future__ import annotations

from collections.abc import Iterator

from rnnstep.checking.mistakes import cells, gradients, losses, wires
from rnnstep.checking.mistakes.patterns import Pattern
from rnnstep.checking.own import Place
from rnnstep.checking.slip import Lines, Slip, by_hand
from rnnstep.engine.learning import Learning
from rnnstep.engine.structure import Phase


class Catalogue:
    """The slips of one scenario, written once for all answers and writers."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._slips: dict[tuple[int, int, Phase], tuple[Slip, ...]] = {}

    def slips(self, place: Place) -> tuple[Slip, ...]:
        """Every slip that changes a line or a wire of the run that a place is of."""
        key = (place.epoch, place.batch, place.phase)
        if key not in self._slips:
            self._slips[key] = tuple(self._all(*key))
        return self._slips[key]

    def _all(self, epoch: int, batch: int, phase: Phase) -> Iterator[Slip]:
        done = self._learning.epoch(epoch).forward(batch)
        block = next(iter(done.runs.values())).block
        right = by_hand(block)
        seen: set[tuple[str, Lines]] = set()
        for slip in cells.variants(Pattern(block, right)):
            lines = slip.lines("forward", block)
            if lines != right and (slip.id, lines) not in seen:
                seen.add((slip.id, lines))
                yield slip
        yield from wires.variants(done)
        if done.loss_run is not None:
            yield from losses.variants(done)
            if phase != "forward" or (epoch, batch) != (0, 0):
                yield from gradients.variants(self._learning, phase)
