"""The steps that a network runs along, and in which of them each row takes part.

All that is about time is said here once: which rows are alive, in which order the steps of a direction are computed,
what was there before a step, where a row ends, and where what goes back from there belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Direction, Extent

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The steps of a batch.

    Attributes:
        num_steps: T.
        num_rows: B.
        lengths: how many steps each row takes part in, where rows are packed; None where all take part in all.
    """

    num_steps: int
    num_rows: int
    lengths: tuple[int, ...] | None = None

    # ── rows ─────────────────────────────────────────────────────────────────────────

    def last_step(self, row: int) -> int:
        """The last step in time, from 0, that a row takes part in."""
        return self.num_steps - 1 if self.lengths is None else self.lengths[row] - 1

    @property
    def num_reached(self) -> int:
        """How many steps any row takes part in."""
        return self.num_steps if self.lengths is None else max(self.lengths)

    @property
    def end(self) -> int:
        """The last step, from 0, that any row takes part in."""
        return self.num_reached - 1

    def alive(self) -> Mask | None:
        """Which rows take part in which step, (T, B); None when all do in all."""
        if self.lengths is None:
            return None
        return np.arange(self.num_steps)[:, None] < np.asarray(self.lengths)

    # ── the order of a direction ─────────────────────────────────────────────────────

    def order(self, direction: Direction, row: int | None = None) -> range:
        """The steps that a row, or any row, takes part in, as a direction computes them."""
        last = self.end if row is None else self.last_step(row)
        return range(last, -1, -1) if direction == "backward" else range(last + 1)

    def first_step(self, direction: Direction, row: int) -> int:
        """The step at which a direction begins with a row."""
        return self.order(direction, row)[0]

    def final_step(self, direction: Direction, row: int) -> int:
        """The step at which a direction comes to the end of a row."""
        return self.order(direction, row)[-1]

    def steps(self, extent: Extent, direction: Direction = "forward") -> range:
        """The steps of a block's computation, in its order; what is computed once stands at the last."""
        return range(self.end, self.num_reached) if extent.is_single else self.order(direction)

    def all_steps(self, extent: Extent) -> range:
        """The steps that a wire brings which brings all of them: padding behind the longest row, too."""
        return self.steps(extent) if extent.is_single else range(self.num_steps)

    # ── arrays, (T, B, n) ────────────────────────────────────────────────────────────

    def before(self, states: NDArray[Any], first: NDArray[Any], direction: Direction) -> NDArray[Any]:
        """What each step read of a state, (T, B, n): the state of the step before, at first `first`, (B, n)."""
        return states_before(states, first, self.alive(), is_reversed=direction == "backward")

    def final(self, states: NDArray[Any], direction: Direction) -> NDArray[Any]:
        """A state where each row ended, (B, n)."""
        if direction == "backward":
            return np.asarray(states[0])
        if self.lengths is None:
            return np.asarray(states[-1])
        return np.asarray(states[np.asarray(self.lengths) - 1, np.arange(self.num_rows)])

    def onto_final(self, values: Array, whole: Array, direction: Direction) -> None:
        """Put what belongs to final states, (B, n), where those were computed in `whole`, (T, B, n)."""
        for row, value in enumerate(values):
            whole[self.final_step(direction, row), row] = value


def states_before(
    states: NDArray[Any], first: NDArray[Any], living: Mask | None, *, is_reversed: bool
) -> NDArray[Any]:
    """What each step read of a state, (T, B, n), where `living` says which rows take part in which step; None: all."""
    if not is_reversed:
        return np.concatenate((first[None], states[:-1]))
    shifted = np.concatenate((states[1:], first[None]))
    if living is not None:  # a row that is packed begins at its own last step
        begins = ~np.concatenate((living[1:], np.zeros_like(living[:1])))
        shifted[begins] = np.broadcast_to(first, shifted.shape)[begins]
    return shifted
