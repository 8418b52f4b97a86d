"""`torch.nn.LayerNorm`: the numbers of a step less their mean, over their spread, times a weight, plus a bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.modules.module import Filled, NetworkModule, Parameter, SizeMisfit, Standing
from rnnstep.network.blocks import Block, whole

WORDS = Text("mean 0 and spread 1 within a step, then each element its weight and bias")


@dataclass(frozen=True)
class LayerNorm(NetworkModule):
    """`torch.nn.LayerNorm(normalized_shape)` with torch's eps, a weight and a bias (Ba, Kiros and Hinton 2016)."""

    torch = "LayerNorm"

    normalized_shape: int
    key: str = "layernorm"

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> LayerNorm:
        """The module on what gives `size` numbers at each step, which `normalized_shape` must be.

        Raises:
            SizeMisfit: it is another.
        """
        given = options.get("normalized_shape", size)
        if given != size:
            raise SizeMisfit("normalized_shape", given, size)
        return cls(size, key)

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.normalized_shape

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, at first ones, and the bias, at first zeros."""
        return tuple(
            Parameter.whole(f"{self.key}.{name}", (self.size,), "(normalized_shape,)", Filled(value))
            for name, value in (("weight", 1.0), ("bias", 0.0))
        )

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        return (self.normalized_shape,), {}

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block."""
        numbers, kept_in = whole({name: f"{self.key}.{name}" for name in ("weight", "bias")}, parameters)
        program = check(
            parse_lines(f"{standing.gives} = layer_norm({standing.reads}, weight, bias)"),
            {standing.reads: (self.size,)},
            {},
            dict.fromkeys(numbers, (self.size,)),
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
                wires={standing.reads: standing.entering},
                words=CellWords({standing.gives: WORDS}),
                about=Text("{key} is torch.nn.LayerNorm: the numbers of a step, normalized.", key=self.key),
            )
        ]


ABOVE = (LayerNorm,)
