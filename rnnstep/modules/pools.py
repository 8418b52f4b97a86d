"""Pools over time: `torch.nn.MaxPool1d` and `torch.nn.AvgPool1d`, of each feature alone over a window of steps."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Shape, check
from rnnstep.equations.syntax import Apply, Expression, Line, Name, number
from rnnstep.language import Text
from rnnstep.modules.module import OptionMisfit, SizeMissing, Standing
from rnnstep.modules.window import TimeWindow, WindowedModule, check_size, windowed
from rnnstep.network.blocks import Block
from rnnstep.network.wires import data

COUNT = "count"


@dataclass(frozen=True)
class Pool(WindowedModule):
    """What both pools are: a window of steps in which each feature is looked at alone.

    Attributes:
        features: how many numbers it reads and gives at each step.
        kernel_size: how many steps a window has.
        stride: by how many steps it goes on; None: by as many as it has.
        padding: steps on either side that are not there.
        ceil_mode: whether a last window may end behind the last step.
        outside: what stands where there is no step.
        words: what it does to the numbers of a window.
    """

    derived = ("features",)
    has_channels = True
    reads_steps = True
    outside: ClassVar[float] = 0.0
    words: ClassVar[Text]

    features: int
    kernel_size: int
    stride: int | None = None
    padding: int = field(default=0, metadata={"minimum": 0})
    ceil_mode: bool = field(default=False, kw_only=True)

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> Pool:
        """The module on what gives `size` numbers at each step.

        Raises:
            SizeMissing: `kernel_size` follows from nothing.
            OptionMisfit: there is more padding than torch takes.
        """
        if "kernel_size" not in options:
            raise SizeMissing("kernel_size")
        check_size(options["kernel_size"])
        found = cls(**{**options, "features": size, "key": key})
        if found.padding > found.kernel_size // 2:
            text = Text("at most {most}, half of `kernel_size`", most=found.kernel_size // 2)
            raise OptionMisfit("padding", text)
        return found

    @property
    def window(self) -> TimeWindow:
        """The steps that one of its steps reads."""
        stride = self.kernel_size if self.stride is None else self.stride
        padding, dilation = self.padding, getattr(self, "dilation", 1)
        return TimeWindow(self.kernel_size, stride, padding, padding, dilation, is_rounded_up=self.ceil_mode)

    @property
    def reads_padding(self) -> bool:
        """Whether one of a row's steps reads what stands behind the row's last."""
        return self.padding > 0 or self.ceil_mode

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.features

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        named = {name: value for name, value in self.written.items() if name != "kernel_size"}
        return (self.kernel_size,), named

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return "kernel_size"

    @property
    def size_in_words(self) -> str:
        """Its size is that of what enters."""
        return "features"

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:  # noqa: ARG002 - it has none
        """One block, which reads each step of its window under a name of its own."""
        before, wires = windowed(self.key, standing, self.features, self.window, self.outside)
        inputs: dict[str, Shape] = dict.fromkeys(wires, (self.features,))
        if self.given_by_step:
            inputs[COUNT], wires = (1,), {**wires, COUNT: data(COUNT)}
        line = Line(standing.gives, self._gives([name for name in wires if name != COUNT]))
        own = Block(
            self.key,
            "map",
            standing.layer,
            "forward",
            check((line,), inputs, {}, {}),
            {},
            {},
            wires=wires,
            constant=(COUNT,) if self.given_by_step else (),
            words=CellWords({standing.gives: self.words}),
            about=Text(
                "{key} is torch.nn.{module} over time, of each feature alone: at each step a window of {count} steps.",
                key=self.key,
                module=self.torch,
                count=self.kernel_size,
            ),
        )
        return [*before, own]

    @abstractmethod
    def _gives(self, read: list[str]) -> Expression:
        """What is made of the steps of a window."""


@dataclass(frozen=True)
class MaxPool1d(Pool):
    """`torch.nn.MaxPool1d(kernel_size, …)` over the steps: of each feature the largest number of a window.

    Of equal ones the gradient goes to the first, as in torch.
    """

    torch = "MaxPool1d"
    outside = -math.inf
    words = Text("the largest number of the window, of each feature")

    dilation: int = 1
    key: str = "maxpool1d"

    def step_without(self, num_steps: int) -> int | None:
        """The first of its steps whose window has no step of so many: torch ends the process going back through it."""
        window = self.window
        return next(
            (
                t
                for t in range(self.steps_given(num_steps))
                if not any(0 <= t * window.stride + offset < num_steps for offset in window.offsets)
            ),
            None,
        )

    def _gives(self, read: list[str]) -> Expression:
        several = tuple(map(Name, read))
        return Apply("largest", several) if len(several) > 1 else several[0]


@dataclass(frozen=True)
class AvgPool1d(Pool):
    """`torch.nn.AvgPool1d(kernel_size, …)` over the steps: of each feature the mean of a window.

    Attributes:
        count_include_pad: whether the zeros of `padding` are counted.
    """

    torch = "AvgPool1d"
    words = Text("the mean over the window, of each feature")

    count_include_pad: bool = True
    key: str = "avgpool1d"

    @property
    def given_by_step(self) -> tuple[str, ...]:
        """How many steps are counted, where that is not the same at each step."""
        is_cut = (self.padding > 0 and not self.count_include_pad) or self.ceil_mode
        return (COUNT,) if is_cut else ()

    def at_each_step(self, name: str, num_steps: int) -> Array:
        """How many steps the window of each of its steps counts, (T′,), of so many that it reads."""
        assert name == COUNT
        return np.array(list(self._counted(num_steps)), np.float64)

    def _counted(self, num_steps: int) -> Iterator[int]:
        window = self.window
        for t in range(self.steps_given(num_steps)):
            first = t * window.stride - self.padding
            end = min(first + self.kernel_size, num_steps + self.padding)
            yield end - first if self.count_include_pad else min(end, num_steps) - max(first, 0)

    def _gives(self, read: list[str]) -> Expression:
        total: Expression = Name(read[0])
        for name in read[1:]:
            total = Apply("add", (total, Name(name)))
        if self.given_by_step:
            return Apply("div", (total, Name(COUNT)))
        return Apply("div", (total, number(float(self.kernel_size)))) if self.kernel_size > 1 else total


ABOVE = (MaxPool1d, AvgPool1d)
