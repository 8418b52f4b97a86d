"""A window over time: which steps of another sequence one step reads."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnnstep.equations.program import check
from rnnstep.equations.syntax import Line, Name
from rnnstep.language import Text
from rnnstep.modules.module import OptionMisfit, Standing
from rnnstep.network.blocks import Block, output_of
from rnnstep.network.wires import When, Wires


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Which steps of a sequence a step reads.

    Attributes:
        size: how many.
        stride: by how many steps it goes on.
        left: how many steps stand before the first one, outside.
        right: how many behind the last one.
        dilation: how far its steps are apart.
    """

    size: int
    stride: int = 1
    left: int = 0
    right: int = 0
    dilation: int = 1

    @property
    def offsets(self) -> tuple[int, ...]:
        """The steps that it reads, from its own."""
        return tuple(k * self.dilation - self.left for k in range(self.size))

    def check(self) -> None:
        """See that as many steps come out as go in.

        Raises:
            OptionMisfit: it is another number.
        """
        if self.stride > 1:
            raise OptionMisfit("stride", Text("1: another number of steps cannot be read yet"))
        reach = self.dilation * (self.size - 1)
        if self.left + self.right != reach and reach % 2 == 0:
            text = Text("{count}: another number of steps cannot be read yet", count=reach // 2)
            raise OptionMisfit("padding", text)
        if self.left + self.right != reach:
            raise OptionMisfit(
                "kernel_size", Text("an odd number: another number of steps cannot be read yet")
            )


def windowed(
    key: str, standing: Standing, size: int, window: TimeWindow, outside: float = 0.0
) -> tuple[list[Block], dict[str, Wires]]:
    """Give the wires of a window, by the inputs that they are read as, and a block that has to stand before.

    Args:
        key: of the module.
        standing: where it stands.
        size: how many numbers enter at each step.
        window: the steps that are read.
        outside: what stands where there is no step.
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
            replace(wire, when=When.OFFSET, offset=offset, stride=window.stride, outside=outside)
            for wire in entering
        )
        for k, offset in enumerate(window.offsets)
    }


def read_over(name: str) -> str:
    """Give what a window reads, `x`, by the name of one of its steps, `x_0`."""
    return name.rpartition("_")[0]
