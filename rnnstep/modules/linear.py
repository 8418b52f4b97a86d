"""`torch.nn.Linear`, on every step, on the final states or on the last step's output."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Parameter, SizeMissing, Standing, Uniform
from rnnstep.network.blocks import Block, whole
from rnnstep.network.description import Value

SCORES = Text("a score for each class")
SUMS = Text("sums of what it reads, each with weights of its own")


@dataclass(frozen=True)
class Linear(NetworkModule):
    """`torch.nn.Linear(in_features, out_features, bias)`, on the output at every step, the final states, or the output at the last step."""

    torch = "Linear"
    derived = ("in_features",)

    in_features: int
    out_features: int
    bias: bool = True
    source: Literal["output", "h_n", "last"] = field(default="output", metadata={"written": "from"})
    key: str = "linear"

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> Linear:
        """The module on every step of what gives `size` numbers.

        Raises:
            SizeMissing: how many it is to give follows from nothing.
        """
        if "out_features" not in options:
            raise SizeMissing("out_features")
        return cls(size, options["out_features"], options.get("bias", True), key=key)

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.out_features

    @property
    def value_read(self) -> Value:
        """What `from` says."""
        return self.source

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, and the bias if there is one."""
        # kaiming_uniform_(a=√5), in torch's order of operations: 1/√in_features but for the last bit
        gain = math.sqrt(2.0 / (1.0 + math.sqrt(5) ** 2))
        bound = Uniform(math.sqrt(3.0) * (gain / math.sqrt(self.in_features)))
        shape = (self.out_features, self.in_features)
        weight = Parameter.whole(f"{self.key}.weight", shape, "(out_features, in_features)", bound)
        if not self.bias:
            return (weight,)
        bound = Uniform(1.0 / math.sqrt(self.in_features))
        return weight, Parameter.whole(f"{self.key}.bias", shape[:1], "(out_features,)", bound)

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        return (self.in_features, self.out_features), {} if self.bias else {"bias": False}

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block."""
        reads = standing.reads
        is_top = standing.gives == "logits"
        names = {one.name.rpartition(".")[2]: one.name for one in self.parameters}
        numbers, kept_in = whole(names, parameters)
        program = check(
            parse_lines(f"{standing.gives} = weight @ {reads}{' + bias' if self.bias else ''}"),
            {reads: (self.in_features,)},
            {},
            {name: tuple(value.shape) for name, value in numbers.items()},
        )
        return [
            Block(
                self.key,
                "map",
                standing.layer,
                "forward",
                program,
                numbers,
                kept_in,
                wires={reads: standing.entering},
                words=CellWords({standing.gives: SCORES if is_top else SUMS}),
                about=Text("{key} is torch.nn.Linear: from a state to a score for each class.", key=self.key)
                if is_top
                else Text("{key} is torch.nn.Linear: weight @ what it reads, plus bias.", key=self.key),
            )
        ]


ABOVE = (Linear,)
