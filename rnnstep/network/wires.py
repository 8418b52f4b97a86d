"""A wire: from which block's value another block's input comes, and of which step."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class When(Enum):
    """Of which step a wire brings a value, seen from the step that reads it."""

    SAME = "same step"
    BEFORE = "step before"  # in the order of the block's own computation
    LAST = "last"  # where a row's computation ended: h_n; of joined directions each one's own end
    ROW_END = (
        "end of the row"  # the last step in time that a row takes part in, of all that is joined the same
    )
    END = "end"  # the last step in time of all, whether a row takes part in it or not: output[-1]
    ALL = "all"  # every step and row, one after the other
    OFFSET = "offset"  # so many steps later in time, of a block or of data: a window
    DATA = "data"  # no step of another block: an array of the scenario's

    @property
    def is_once(self) -> bool:
        """Whether it brings one step of each row, to a block that computes once or to all steps the same."""
        return self in (When.LAST, When.ROW_END, When.END)


@dataclass(frozen=True, slots=True)
class Wire:
    """Where an input, or a part of it, comes from.

    Attributes:
        block: the key of the block that gives it; "" where it is data.
        value: the name of the value there; of data the name of the array.
        when: of which step.
        offset: of `When.OFFSET` how many steps later: step `t` reads step `t · stride + offset`.
        stride: by how many steps that goes on from step to step.
        outside: what is read before the first step and behind the last.
    """

    block: str
    value: str
    when: When = When.SAME
    offset: int = 0
    stride: int = 1
    outside: float = 0.0

    def step_read(self, t: int) -> int:
        """The step of the other block that a step reads, of a window or the one before; it may be none of its steps."""
        return t - 1 if self.when is When.BEFORE else t * self.stride + self.offset

    def step_reading(self, t: int) -> int | None:
        """The step that reads a step of the other block, over a window or as the one before; None of one that is stepped over."""
        if self.when is When.BEFORE:
            return t + 1
        found, rest = divmod(t - self.offset, self.stride)
        return None if rest else found


Wires = tuple[Wire, ...]
"""What one input comes from; several are joined in this order."""


def data(name: str) -> Wires:
    """The wire of an array that the scenario gives."""
    return (Wire("", name, When.DATA),)
