"""What of a run is shown: its steps as far as asked, with the watches' values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rnnstep.engine import Block, Step
from rnnstep.engine.watch import Watch
from rnnstep.equations.operations import Array
from rnnstep.export.run import ReferenceStep, Run


@dataclass(frozen=True, slots=True)
class Seen:
    """One step of ours, torch's beside it, and what the watches give there."""

    step: Step
    torch: ReferenceStep | None
    key: str  # of its block
    watched: dict[str, Array]  # by the watch's text, (B, n)


class Selection:
    """A run with watches, up to where `until` first holds.

    Attributes:
        run: The run.
        watches: What is shown beside the values.
        until: Where to stop; None for the whole run.
        stopped: After `steps` has been walked: the step at which `until` held.
    """

    def __init__(self, run: Run, watches: Sequence[Watch] = (), until: Watch | None = None) -> None:
        self.run = run
        self.watches = tuple(watches)
        self.until = until
        self.stopped: Step | None = None

    def steps(self) -> Iterator[Seen]:
        """Walk the steps in order of computation; each is made when it comes, and not kept."""
        self.stopped = None
        for done in self.run.trace.passes:
            for t, key in done.recurrent_steps():
                step = Step(done, key, t)
                block = done.by_key[key]
                beside = self.run.beside
                yield Seen(
                    step, None if beside is None else beside.step(step), key, self._watched(block, step)
                )
                if self.until is not None and self.until.holds(block, step, t):
                    self.stopped = step
                    return

    def _watched(self, block: Block, step: Step) -> dict[str, Array]:
        num_rows = len(step[block.output])
        values = {watch.text: watch.value(block, step, step.t) for watch in self.watches}
        return {text: _by_row(value, num_rows) for text, value in values.items() if value is not None}


def _by_row(value: Array, num_rows: int) -> Array:
    """Give (B, n), also of what is the same for all rows."""
    whole = np.atleast_2d(value)
    return np.broadcast_to(whole, (num_rows, whole.shape[1]))
