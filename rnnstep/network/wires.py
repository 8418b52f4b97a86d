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
        beyond: which step is read in place of that, by the words of torch's `padding_mode`: "reflect", "replicate",
            "circular"; "" where none is.
        taught: of `When.BEFORE` the steps at which what the data has is brought instead.
    """

    block: str
    value: str
    when: When = When.SAME
    offset: int = 0
    stride: int = 1
    outside: float = 0.0
    beyond: str = ""
    taught: tuple[int, ...] = ()

    def step_read(self, t: int, num_steps: int | None = None) -> int:
        """The step of the other block that a step reads, of a window or the one before; it may be none of its steps.

        Of how many there are `num_steps` says, where it may stand for one beyond them.
        """
        if self.when is When.BEFORE:
            return t - 1
        read = t * self.stride + self.offset
        return within(read, self.beyond, num_steps) if self.beyond and num_steps is not None else read

    def steps_reading(self, t: int, num_steps: int, num_reading: int) -> list[int]:
        """The steps, of so many, that read a step of the other block, over a window or as the one before.

        Args:
            t: the step that is read.
            num_steps: how many steps the other block has.
            num_reading: how many steps may read.
        """
        if self.beyond:
            return [one for one in range(num_reading) if self.step_read(one, num_steps) == t]
        found, rest = (t + 1, 0) if self.when is When.BEFORE else divmod(t - self.offset, self.stride)
        return [found] if not rest and 0 <= found < num_reading and found not in self.taught else []


def within(t: int, beyond: str, num_steps: int) -> int:
    """The step that stands for one before the first or behind the last, as torch's `padding_mode` says."""
    last = num_steps - 1
    match beyond:
        case "reflect":
            return -t if t < 0 else 2 * last - t if t > last else t
        case "circular":
            return t % num_steps
    return min(max(t, 0), last)


Wires = tuple[Wire, ...]
"""What one input comes from; several are joined in this order."""


def data(name: str) -> Wires:
    """The wire of an array that the scenario gives."""
    return (Wire("", name, When.DATA),)
