"""A window over time: which steps of another sequence one step reads."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

from rnnstep.equations.program import check
from rnnstep.equations.syntax import Line, Name
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, OptionMisfit, Standing
from rnnstep.network.blocks import Block, output_of
from rnnstep.network.wires import When, Wires

MOST_STEPS = 100
"""How many steps a window has at most: each is a term of one equation."""


def check_size(kernel_size: int) -> None:
    """See that a window is not too long to be an equation.

    Raises:
        OptionMisfit: it is.
    """
    if kernel_size > MOST_STEPS:
        text = Text("at most {most}: each step is a term of one equation", most=MOST_STEPS)
        raise OptionMisfit("kernel_size", text)


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Which steps of a sequence a step reads.

    Attributes:
        size: how many.
        stride: by how many steps it goes on.
        left: how many steps stand before the first one, outside.
        right: how many behind the last one.
        dilation: how far its steps are apart.
        is_rounded_up: whether there is a last window that ends behind all steps, those of `right` included.
    """

    size: int
    stride: int = 1
    left: int = 0
    right: int = 0
    dilation: int = 1
    is_rounded_up: bool = False

    @property
    def offsets(self) -> tuple[int, ...]:
        """The steps that it reads, from its own."""
        return tuple(k * self.dilation - self.left for k in range(self.size))

    @property
    def reach(self) -> int:
        """How far its last step is from its first."""
        return self.dilation * (self.size - 1)

    @property
    def changes_steps(self) -> bool:
        """Whether another number of steps comes out than goes in."""
        return self.stride > 1 or self.left + self.right != self.reach

    def steps_given(self, num_steps: int) -> int:
        """How many steps come out of so many; none, or fewer, where there are too few for one."""
        last = num_steps + self.left + self.right - self.reach - 1  # where the last window may begin
        if not self.is_rounded_up:
            return last // self.stride + 1
        # It begins at a step, or on the left of them (torch).
        return min(-(-last // self.stride), (num_steps + self.left - 1) // self.stride) + 1

    def steps_in_words(self, num_steps: str) -> str:
        """The same as Python spells it of what is called `num_steps`."""
        more = self.left + self.right - self.reach
        if self.stride == 1:
            return _more(num_steps, more)
        last = f"({_more(num_steps, more - 1)})"
        if not self.is_rounded_up:
            return f"{last} // {self.stride} + 1"
        begins = f"({_more(num_steps, self.left - 1)}) // {self.stride}"
        return f"torch.minimum(-(-{last} // {self.stride}), {begins}) + 1"


def _more(number: str, more: int) -> str:
    return f"{number} {'-' if more < 0 else '+'} {abs(more)}" if more else number


def windowed(
    key: str, standing: Standing, size: int, window: TimeWindow, outside: float = 0.0, beyond: str = ""
) -> tuple[list[Block], dict[str, Wires]]:
    """Give the wires of a window, by the inputs that they are read as, and a block that has to stand before.

    Args:
        key: of the module.
        standing: where it stands.
        size: how many numbers enter at each step.
        window: the steps that are read.
        outside: what stands where there is no step.
        beyond: which step is read in its place, as `Wire.beyond`.
    """
    entering, before = standing.entering, []
    if any(wire.when not in (When.SAME, When.DATA) for wire in entering):
        # What is the same at every step is so at the steps alone, and not outside.
        name = f"{standing.reads}_x"
        program = check((Line(name, Name(standing.reads)),), {standing.reads: (size,)}, {}, {})
        about = Text("{key} is what {module} reads, at every step.", key=f"{key}.x", module=key)
        wires = {standing.reads: entering}
        before = [
            Block(f"{key}.x", "map", standing.layer, "forward", program, {}, {}, wires=wires, about=about)
        ]
        entering = output_of(before[0])
    return before, {
        f"{standing.reads}_{k}": tuple(
            replace(
                wire, when=When.OFFSET, offset=offset, stride=window.stride, outside=outside, beyond=beyond
            )
            for wire in entering
        )
        for k, offset in enumerate(window.offsets)
    }


def read_over(name: str) -> str:
    """Give what a window reads, `x`, by the name of one of its steps, `x_0`."""
    return name.rpartition("_")[0]


class WindowedModule(NetworkModule):
    """A module whose steps each read a window of its sequence, so that the window says how many there are."""

    @property
    @abstractmethod
    def window(self) -> TimeWindow:
        """The steps that one of its steps reads."""

    @property
    def changes_steps(self) -> bool:
        """Whether it gives another number of steps than it reads."""
        return self.window.changes_steps

    def steps_given(self, num_steps: int) -> int:
        """How many steps it gives of so many."""
        return self.window.steps_given(num_steps)

    def steps_in_words(self, num_steps: str) -> str:
        """The same as Python spells it."""
        return self.window.steps_in_words(num_steps)
