"""`torch.nn.Conv1d` over time: at each step the numbers of a window of steps, each with a weight of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number
from rnnstep.language import Text
from rnnstep.modules.module import (
    OptionMisfit,
    Parameter,
    SizeMisfit,
    SizeMissing,
    Standing,
    Uniform,
)
from rnnstep.modules.window import TimeWindow, WindowedModule, check_size, windowed
from rnnstep.network.blocks import Block, Where

MODES = ("reflect", "replicate", "circular")
SUMS = Text("sums over the window, each of its numbers with a weight of its own")
OF_GROUP = Text("sums over the window, of the features of one group")


@dataclass(frozen=True)
class Conv1d(WindowedModule):
    """`torch.nn.Conv1d(in_channels, out_channels, kernel_size, …)` over the steps, the features of a step its channels.

    Attributes:
        padding: steps on either side that are not there, or "same" or "valid".
        padding_mode: what these are: "zeros", or other steps in their place: "reflect", "replicate", "circular".
    """

    torch = "Conv1d"
    has_channels = True
    reads_steps = True

    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int = 1
    padding: int | str = field(default=0, metadata={"minimum": 0, "words": ("same", "valid")})
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    padding_mode: str = field(default="zeros", metadata={"words": ("zeros", *MODES)})
    key: str = "conv1d"

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> Conv1d:
        """The module on what gives `size` numbers at each step, which `in_channels` must be.

        Raises:
            SizeMisfit: it is another.
            SizeMissing: an option follows from nothing.
            OptionMisfit: options do not go together.
        """
        given = options.get("in_channels", size)
        if given != size:
            raise SizeMisfit("in_channels", given, size)
        for name in ("out_channels", "kernel_size"):
            if name not in options:
                raise SizeMissing(name)
        check_size(options["kernel_size"])
        found = cls(**{**options, "in_channels": size, "key": key})
        for name in ("in_channels", "out_channels"):
            if getattr(found, name) % found.groups:
                text = Text("a divisor of `{name}`, {count}", name=name, count=getattr(found, name))
                raise OptionMisfit("groups", text)
        if found.padding == "same" and found.stride > 1:
            raise OptionMisfit("padding", Text("a number: torch has none of it where `stride` is above 1"))
        return found

    @property
    def reads_padding(self) -> bool:
        """Whether one of a row's steps reads what stands behind the row's last."""
        return self.window.right > 0

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.out_channels

    @property
    def window(self) -> TimeWindow:
        """The steps that one of its steps reads."""
        reach = self.dilation * (self.kernel_size - 1)
        match self.padding:
            case "same":  # of an odd number of steps one more stands behind, as in torch
                left, right = reach // 2, reach - reach // 2
            case int(steps):
                left = right = steps
            case _:
                left = right = 0
        return TimeWindow(self.kernel_size, self.stride, left, right, self.dilation)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, (out_channels, in_channels/groups, kernel_size), and the bias if there is one."""
        shape = (self.out_channels, self.in_channels // self.groups, self.kernel_size)
        fan_in = shape[1] * shape[2]
        # kaiming_uniform_(a=√5), in torch's order of operations: 1/√fan_in but for the last bit
        gain = math.sqrt(2.0 / (1.0 + math.sqrt(5) ** 2))
        bound = Uniform(math.sqrt(3.0) * (gain / math.sqrt(fan_in)))
        words = "(out_channels, in_channels/groups, kernel_size)"
        weight = Parameter.whole(f"{self.key}.weight", shape, words, bound)
        if not self.bias:
            return (weight,)
        bound = Uniform(1.0 / math.sqrt(fan_in))
        return weight, Parameter.whole(f"{self.key}.bias", shape[:1], "(out_channels,)", bound)

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        places = ("in_channels", "out_channels", "kernel_size")
        named = {name: value for name, value in self.written.items() if name not in places}
        return tuple(getattr(self, name) for name in places), named

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return "out_channels"

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block, which reads each step of its window under a name of its own."""
        before, wires = windowed(self.key, standing, self.in_channels, self.window, beyond=self._beyond)
        lines = list(self._lines(list(wires), standing.gives))
        kept_in = dict(self._kept_in())
        numbers = {name: where.of(parameters[where.torch]) for name, where in kept_in.items()}
        program = check(
            tuple(lines),
            dict.fromkeys(wires, (self.in_channels,)),
            {},
            {name: tuple(value.shape) for name, value in numbers.items()},
        )
        words = {line.name: OF_GROUP for line in lines[:-1]} | {standing.gives: SUMS}
        own = Block(
            self.key,
            "map",
            standing.layer,
            "forward",
            program,
            numbers,
            kept_in,
            wires=wires,
            words=CellWords(words),
            about=self._about,
        )
        return [*before, own]

    @property
    def _about(self) -> Text:
        """What it is, in a sentence."""
        said = {"key": self.key, "count": str(self.kernel_size)}
        if self._beyond:
            return Text(
                "{key} is torch.nn.Conv1d over time: at each step a window of {count} steps, outside of which other steps stand"
                " in ({mode}).",
                mode=self.padding_mode,
                **said,
            )
        return Text(
            "{key} is torch.nn.Conv1d over time: at each step a window of {count} steps, with zeros outside.",
            **said,
        )

    @property
    def _beyond(self) -> str:
        """Which step is read in the place of one that is not there."""
        return "" if self.padding_mode == "zeros" else self.padding_mode

    def misfit(self, num_steps: int) -> OptionMisfit | None:
        """What does not go with so many steps: torch reflects less than all of them, and goes around once at most."""
        most = {"reflect": num_steps - 1, "circular": num_steps}.get(self.padding_mode)
        if most is None or max(self.window.left, self.window.right) <= most:
            return None
        text = Text(
            'at most {most}: padding_mode = "{mode}" over {steps} steps',
            most=most,
            mode=self.padding_mode,
            steps=num_steps,
        )
        return OptionMisfit("padding", text)

    def _weight(self, group: int, tap: int) -> str:
        return f"W_{tap}" if self.groups == 1 else f"W_{group}_{tap}"

    def _kept_in(self) -> Iterator[tuple[str, Where]]:
        rows = self.out_channels // self.groups
        for group in range(self.groups):
            for tap in range(self.kernel_size):
                where = Where(f"{self.key}.weight", group * rows, (group + 1) * rows, tap)
                yield self._weight(group, tap), where
        if self.bias:
            yield "bias", Where(f"{self.key}.bias", 0, self.out_channels)

    def _lines(self, read: list[str], gives: str) -> Iterator[Line]:
        sums = [self._sum(group, read) for group in range(self.groups)]
        if self.groups > 1:
            for group, one in enumerate(sums):
                yield Line(f"group_{group}", one)
            sums = [Name(f"group_{group}") for group in range(self.groups)]
        whole = _joined(sums)
        yield Line(gives, Apply("add", (whole, Name("bias"))) if self.bias else whole)

    def _sum(self, group: int, read: list[str]) -> Expression:
        size = self.in_channels // self.groups
        total: Expression | None = None
        for tap, name in enumerate(read):
            vector: Expression = Name(name)
            if self.groups > 1:
                bounds = (Number(float(one), str(one)) for one in (group * size, (group + 1) * size))
                vector = Apply("part", (vector, *bounds))
            product = Apply("matmul", (Name(self._weight(group, tap)), vector))
            total = product if total is None else Apply("add", (total, product))
        assert total is not None
        return total


def _joined(parts: list[Expression]) -> Expression:
    """Vectors side by side, in brackets no deeper than they need be."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    return Apply("cat", (_joined(parts[:half]), _joined(parts[half:])))


ABOVE = (Conv1d,)
