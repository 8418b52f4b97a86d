"""One block at one step of a calculation by hand: what is read, what each line gives, and what is in doubt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.intervals import Interval
from rnnstep.equations.syntax import Line

Doubts = NDArray[np.bool_]  # (B,): whether something before was wrong
Fed = tuple[Interval, Doubts]


@dataclass(eq=False)
class Step:
    """One block at one step, worked out.

    Attributes:
        values: what follows goes on from, by name, (B, n); of what belongs to parameters as it is.
        derived: what a line gives before the writer's own number takes its place.
        entered: of what is fed in, the same, and whether a wrong number stands before it.
        doubts: whether a wrong number stands before or at a value, for each row.
        before: the same without the value itself.
        known: all that a line may read so far.
    """

    values: dict[str, Any] = field(default_factory=dict)
    derived: dict[str, Interval] = field(default_factory=dict)
    entered: dict[str, Fed] = field(default_factory=dict)
    doubts: dict[str, Doubts] = field(default_factory=dict)
    before: dict[str, Doubts] = field(default_factory=dict)
    known: dict[str, Any] = field(default_factory=dict)

    def take(self, name: str, fed: Fed) -> None:
        """Note what is fed in."""
        self.values[name], self.doubts[name] = fed

    def bounds(self, name: str) -> Fed:
        """The bounds of a line, or of what is fed in, without the writer's own number; and whether it is in doubt."""
        if name in self.derived:
            return self.derived[name], self.before[name]
        return self.entered[name]

    def take_over(self, name: str, other: Step) -> None:
        """Take a line's value from the same step of another calculation."""
        self.derived[name], self.before[name] = other.derived[name], other.before[name]
        self.take(name, (other.values[name], other.doubts[name]))
        self.known[name] = other.values[name]


def share(step: Step, right: Step) -> None:
    """Let what is fed in alike without a slip be the same thing, so that what follows from it is, too."""
    for name, value in step.values.items():
        other = right.known.get(name)
        if _is_alike(value, other):
            step.values[name] = other


def _is_alike(value: Any, other: Any) -> bool:
    if value is other:
        return True
    if isinstance(value, tuple):
        return isinstance(other, tuple) and all(map(np.array_equal, value, other))
    return other is not None and not isinstance(other, tuple) and bool(np.array_equal(value, other))


def is_as_right(line: Line, names: tuple[str, ...], step: Step, right: Step) -> bool:
    """Whether all that a line reads is what it is without the slip; what is not there yet is taken to be."""
    if line.name not in right.derived:
        return False
    known = step.known
    return all(name not in known or known[name] is right.known.get(name) for name in names)


def joined(parts: Sequence[Interval]) -> Interval:
    """Vectors side by side."""
    low, high = (np.concatenate([part[side] for part in parts], axis=-1) for side in (0, 1))
    return low, high


def side_by_side(parts: Sequence[Fed]) -> Fed:
    """The same, and whether any of them is in doubt."""
    return joined([value for value, _ in parts]), np.logical_or.reduce([doubts for _, doubts in parts])
