"""One block at one step of a calculation by hand: what is read, what each line gives, and what is in doubt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.intervals import Interval

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
