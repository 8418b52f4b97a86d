"""Modules without parameters, which give as many numbers as they read: of each number alone, or over those of a step.

`torch.nn.Identity`, `Tanh`, `ReLU` and `Sigmoid`; `Softmax` and `LogSoftmax` over the features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply, Expression, Name
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Standing
from rnnstep.network.blocks import Block


@dataclass(frozen=True)
class Activation(NetworkModule):
    """A function of the numbers of a step.

    Attributes:
        features: how many numbers it reads and gives.
        function: the name of its operation in equations; "" where it gives what it reads.
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

    @property
    def about(self) -> Text:
        """What it is, in a sentence."""
        return Text("{key} is torch.nn.{module}, of each number alone.", key=self.key, module=self.torch)

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block."""
        gives: Expression = Name(standing.reads)
        if self.function:
            gives = Apply(self.function, (gives,))
        return self.on_each_step(gives, parameters, standing, words=self.words, about=self.about)


@dataclass(frozen=True)
class Identity(Activation):
    """`torch.nn.Identity()`."""

    torch = "Identity"
    function = ""
    key: str = "identity"
    words = Text("what it reads, as it is")


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


@dataclass(frozen=True)
class OverFeatures(Activation):
    """A function of all numbers of a step together.

    Attributes:
        dim: the axis of the features, counted from behind: in every layout the last.
    """

    dim: int = field(kw_only=True, metadata={"is_axis": True})

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> OverFeatures:
        """The module on what gives `size` numbers at each step."""
        return cls(size, key, dim=options.get("dim", -1))

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        return (), {"dim": self.dim}

    @property
    def about(self) -> Text:
        """What it is, in a sentence."""
        return Text("{key} is torch.nn.{module} over the numbers of a step.", key=self.key, module=self.torch)


@dataclass(frozen=True)
class Softmax(OverFeatures):
    """`torch.nn.Softmax(dim)`."""

    torch = "Softmax"
    function = "softmax"
    key: str = "softmax"
    words = Text("shares: positive, and together 1")


@dataclass(frozen=True)
class LogSoftmax(OverFeatures):
    """`torch.nn.LogSoftmax(dim)`."""

    torch = "LogSoftmax"
    function = "log_softmax"
    key: str = "logsoftmax"
    words = Text("logarithms of the softmax: 0 and less")


ABOVE = (Identity, Tanh, ReLU, Sigmoid, Softmax, LogSoftmax)
