"""`torch.nn.Tanh`, `ReLU` and `Sigmoid`: one function, of each number alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Standing
from rnnstep.network.blocks import Block


@dataclass(frozen=True)
class Activation(NetworkModule):
    """A function of each element; torch's constructor takes no option.

    Attributes:
        features: how many numbers it reads and gives.
        function: the name of its operation in equations.
        words: what it does to a number.
    """

    derived = ("features",)
    function: ClassVar[str]
    words: ClassVar[Text]

    features: int
    key: str

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> Activation:  # noqa: ARG003 - it has none
        """The module on what gives `size` numbers at each step."""
        return cls(size, key)

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.features

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given: nothing."""
        return (), {}

    @property
    def most_to_blame(self) -> str:
        """Its size is that of what enters."""
        return "features"

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:  # noqa: ARG002
        """One block."""
        lines = parse_lines(f"{standing.gives} = {self.function}({standing.reads})")
        return [
            Block(
                self.key,
                "map",
                standing.layer,
                "forward",
                check(lines, {standing.reads: (self.features,)}, {}, {}),
                {},
                {},
                wires={standing.reads: standing.entering},
                words=CellWords({standing.gives: self.words}),
                about=Text(
                    "{key} is torch.nn.{module}, of each number alone.", key=self.key, module=self.torch
                ),
            )
        ]


@dataclass(frozen=True)
class Tanh(Activation):
    """`torch.nn.Tanh()`."""

    torch = "Tanh"
    function = "tanh"
    key: str = "tanh"
    words = Text("squashed into −1 … 1")


@dataclass(frozen=True)
class ReLU(Activation):
    """`torch.nn.ReLU()`."""

    torch = "ReLU"
    function = "relu"
    key: str = "relu"
    words = Text("what is negative becomes 0")


@dataclass(frozen=True)
class Sigmoid(Activation):
    """`torch.nn.Sigmoid()`."""

    torch = "Sigmoid"
    function = "sigmoid"
    key: str = "sigmoid"
    words = Text("squashed into 0 … 1")


ABOVE = (Tanh, ReLU, Sigmoid)
