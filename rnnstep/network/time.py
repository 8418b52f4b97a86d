"""The steps that a network runs along, and in which of them each row takes part.

All that is about time is said here once: which rows are alive, in which order the steps of a direction are computed,
what was there before a step, where a row ends, and where what goes back from there belongs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Direction, Extent
from rnnstep.network.wires import When, Wire

Mask = NDArray[np.bool_]


def opposite(direction: Direction) -> Direction:
    """The direction in which what goes back through a block is computed."""
    return "forward" if direction == "backward" else "backward"


class Sliced(Protocol):
    """What gives a part of itself: a range, a list, an array along its first axis."""

    def __getitem__(self, part: slice, /) -> Any:
        """Give a part."""


Ordered = TypeVar("Ordered", bound=Sliced)


def as_computed(steps: Ordered, direction: Direction) -> Ordered:
    """Steps in the order of time as a direction computes them; and those as it computes them in the order of time."""
    return steps[::-1] if direction == "backward" else steps


@dataclass(frozen=True, slots=True)
class RowOrder:
    """How the rows of a packed batch lie while it runs: longest first, so that the live ones come first."""

    order: NDArray[np.intp]  # position while running → row of the batch
    place: NDArray[np.intp]  # row of the batch → position while running
    lengths: NDArray[np.intp]  # in running order, descending

    @classmethod
    def of(cls, lengths: Sequence[int]) -> RowOrder:
        """Sort rows by their lengths, equal ones staying in order, as torch does."""
        given = np.asarray(lengths, dtype=np.intp)
        order = np.argsort(-given, kind="stable")
        return cls(order, np.argsort(order, kind="stable"), given[order])

    def num_live(self, t: int) -> int:
        """How many rows are longer than `t` steps."""
        return int(np.searchsorted(-self.lengths, -t, side="left"))


@dataclass(frozen=True)
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

    @cached_property
    def _lengths(self) -> NDArray[np.intp]:
        """How many steps each row takes part in, (B,)."""
        given = (self.num_steps,) * self.num_rows if self.lengths is None else self.lengths
        return np.asarray(given, dtype=np.intp)

    @property
    def shape(self) -> tuple[int, int]:
        """T and B."""
        return self.num_steps, self.num_rows

    # ── rows ─────────────────────────────────────────────────────────────────────────

    def length(self, row: int) -> int:
        """How many steps a row takes part in."""
        return self.num_steps if self.lengths is None else self.lengths[row]

    def last_step(self, row: int) -> int:
        """The last step in time, from 0, that a row takes part in."""
        return self.length(row) - 1

    def is_live(self, t: int, row: int) -> bool:
        """Whether a row takes part in a step."""
        return 0 <= t < self.length(row)

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
        return np.arange(self.num_steps)[:, None] < self._lengths

    def live_rows(self, t: int) -> NDArray[np.intp] | None:
        """The rows that take part in a step, ascending; None when all do in all."""
        return None if self.lengths is None else np.flatnonzero(self._lengths > t)

    def longest_first(self) -> RowOrder | None:
        """How packed rows lie while they run; None where all take part in all steps."""
        return None if self.lengths is None else RowOrder.of(self.lengths)

    # ── the order of a direction ─────────────────────────────────────────────────────

    def order(self, direction: Direction, row: int | None = None) -> range:
        """The steps that a row, or any row, takes part in, as a direction computes them."""
        last = self.end if row is None else self.last_step(row)
        return as_computed(range(last + 1), direction)

    def first_step(self, direction: Direction, row: int) -> int:
        """The step at which a direction begins with a row."""
        return self.order(direction, row)[0]

    def final_step(self, direction: Direction, row: int) -> int:
        """The step at which a direction comes to the end of a row."""
        return self.order(direction, row)[-1]

    def step_brought(self, when: When, direction: Direction, row: int) -> int:
        """The step that a wire brings of a row which brings one of each: `When.LAST`, `ROW_END` or `END`.

        Of `END` a row need not take part in it.
        """
        match when:
            case When.LAST:
                return self.final_step(direction, row)
            case When.ROW_END:
                return self.last_step(row)
        return self.num_steps - 1

    def steps_brought(self, when: When, direction: Direction) -> NDArray[np.intp]:
        """The same of all rows, (B,)."""
        every = range(self.num_rows)
        return np.array([self.step_brought(when, direction, row) for row in every], np.intp)

    def step_before(self, direction: Direction, t: int, row: int) -> int | None:
        """The step that a direction computed before `t`; None of a row's first."""
        before = t + 1 if direction == "backward" else t - 1
        return before if before >= 0 and self.is_live(before, row) else None

    def steps(self, extent: Extent, direction: Direction = "forward") -> range:
        """The steps of a block's computation, in its order; what is computed once stands at the last."""
        return range(self.end, self.num_reached) if extent.is_single else self.order(direction)

    def all_steps(self, extent: Extent) -> range:
        """The steps that a wire brings which brings all of them: padding behind the longest row, too."""
        return self.steps(extent) if extent.is_single else range(self.num_steps)

    # ── windows ──────────────────────────────────────────────────────────────────────

    def in_window(self, values: NDArray[Any], wire: Wire) -> NDArray[Any]:
        """What each of these steps reads of another sequence over a window, (T, B, n), from all of its steps, (T′, B, n)."""
        read, is_inside = self._read_over_window(wire, len(values))
        found = np.full((self.num_steps, *values.shape[1:]), wire.outside, values.dtype)
        found[is_inside] = values[read[is_inside]]
        return found

    def out_of_window(self, values: NDArray[Any], wire: Wire, num_steps: int) -> list[NDArray[Any]]:
        """What goes back to each step of the other sequence, (T′, B, n), from what goes back to a window, (T, B, n).

        Several parts, to be added up, where several steps read the same one.
        """
        read, is_inside = self._read_over_window(wire, num_steps)
        turn = np.zeros(self.num_steps, np.intp)  # which of those that read the same step a step is
        if wire.beyond:
            turn = np.array([np.count_nonzero(read[:t] == one) for t, one in enumerate(read)], np.intp)
        found = []
        for number in range(int(turn.max(initial=0)) + 1):
            here = is_inside & (turn == number)
            part = np.zeros((num_steps, *values.shape[1:]), values.dtype)
            part[read[here]] = values[here]
            found.append(part)
        return found

    def _read_over_window(self, wire: Wire, num_steps: int) -> tuple[NDArray[np.intp], Mask]:
        """Which step each of these steps reads, and whether there is one."""
        read = np.arange(self.num_steps) * wire.stride + wire.offset
        if wire.beyond:
            read = np.array([wire.step_read(t, num_steps) for t in range(self.num_steps)], np.intp)
        return read, (read >= 0) & (read < num_steps)

    # ── arrays, (T, B, n) ────────────────────────────────────────────────────────────

    def before(
        self,
        states: NDArray[Any],
        first: NDArray[Any],
        direction: Direction,
        part: slice = slice(None),
    ) -> NDArray[Any]:
        """What each step, or each of a part, read of a state, (T, B, n): the state of the step before, at first `first`, (B, n)."""
        start, stop, _ = part.indices(self.num_steps)
        if direction == "forward":
            edge = states[start - 1] if start else first
            return np.concatenate((edge[None], states[start : stop - 1]))
        edge = states[stop] if stop < self.num_steps else first
        shifted = np.concatenate((states[start + 1 : stop], edge[None]))
        if self.lengths is not None:  # a row that is packed begins at its own last step
            begins = np.arange(start + 1, stop + 1)[:, None] >= self._lengths
            shifted[begins] = np.broadcast_to(first, shifted.shape)[begins]
        return shifted

    @staticmethod
    def from_step_after(values: NDArray[Any], taught: Sequence[int] = ()) -> NDArray[Any]:
        """What goes back to each step, (T, B, n), from what each but those that are taught sends back to the one before it in time."""
        found = np.concatenate((values[1:], np.zeros_like(values[:1])))
        found[[t - 1 for t in taught]] = 0
        return found

    def in_order(self, values: NDArray[Any], direction: Direction) -> NDArray[Any]:
        """Each row's steps in the order in which a direction computes them; of what is in that order, in that of time."""
        if direction == "forward":
            return values
        t = np.arange(self.num_steps)[:, None]
        turned = np.where(t < self._lengths, self._lengths - 1 - t, t)
        return np.asarray(values[turned, np.arange(self.num_rows)])

    def final(self, states: NDArray[Any], direction: Direction) -> NDArray[Any]:
        """A state where each row ended, (B, n)."""
        if direction == "backward":
            return np.asarray(states[0])
        if self.lengths is None:
            return np.asarray(states[-1])
        return np.asarray(states[self._lengths - 1, np.arange(self.num_rows)])

    def brought(self, whole: NDArray[Any], when: When) -> NDArray[Any]:
        """The step of each row that a wire brings, (B, …), out of all that a block gave, (T, B, …)."""
        return np.asarray(whole[-1]) if when is When.END else self.final(whole, "forward")

    def sent_back(self, values: Array, whole: Array, when: When, direction: Direction) -> None:
        """Put what a wire sends back, (B, n), onto the steps in `whole`, (T, B, n), that it brought."""
        whole[self.steps_brought(when, direction), np.arange(self.num_rows)] = values

    def at_final(self, values: NDArray[Any], direction: Direction) -> NDArray[Any]:
        """What belongs to final states, (B, n), where those were computed, (T, B, n); zeros elsewhere."""
        whole = np.zeros((self.num_steps, *values.shape), values.dtype)
        self.sent_back(values, whole, When.LAST, direction)
        return whole
