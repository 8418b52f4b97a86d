"""`torch.nn.LayerNorm`: the numbers of a step less their mean, over their spread, times a weight, plus a bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnstep.equations.normalizing import EPS
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply, Expression, Name, number
from rnnstep.language import Text
from rnnstep.modules.module import Filled, NetworkModule, Parameter, SizeMisfit, Standing
from rnnstep.network.blocks import Block

WORDS = Text("mean 0 and spread 1 within a step, then each element its weight and bias")
PLAIN = Text("mean 0 and spread 1 within a step")


@dataclass(frozen=True)
class LayerNorm(NetworkModule):
    """`torch.nn.LayerNorm(normalized_shape, eps, elementwise_affine, bias)` (Ba, Kiros and Hinton 2016)."""

    torch = "LayerNorm"

    normalized_shape: int
    key: str = "layernorm"
    eps: float = field(default=EPS, metadata={"minimum": 0})
    elementwise_affine: bool = True
    bias: bool = True

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> LayerNorm:
        """The module on what gives `size` numbers at each step, which `normalized_shape` must be.

        Raises:
            SizeMisfit: it is another.
        """
        given = options.get("normalized_shape", size)
        if given != size:
            raise SizeMisfit("normalized_shape", given, size)
        return cls(**{**options, "normalized_shape": size, "key": key})

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.normalized_shape

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, at first ones, and the bias, at first zeros; neither where they are not learnt."""
        first = (("weight", 1.0), ("bias", 0.0)) if self.bias else (("weight", 1.0),)
        return tuple(
            Parameter.whole(f"{self.key}.{name}", (self.size,), "(normalized_shape,)", Filled(value))
            for name, value in (first if self.elementwise_affine else ())
        )

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        named = {"eps": self.eps, "elementwise_affine": self.elementwise_affine, "bias": self.bias}
        usual = {"eps": EPS, "elementwise_affine": True, "bias": True}
        return (self.normalized_shape,), {name: one for name, one in named.items() if one != usual[name]}

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block."""
        return self.on_each_step(
            self._normalized(Name(standing.reads)),
            parameters,
            standing,
            words=WORDS if len(self.parameters) == 2 else PLAIN,
            about=Text("{key} is torch.nn.LayerNorm: the numbers of a step, normalized.", key=self.key),
        )

    def _normalized(self, reads: Expression) -> Expression:
        if len(self.parameters) == 2 and self.eps == EPS:
            return Apply("layer_norm", (reads, Name("weight"), Name("bias")))
        gives: Expression = Apply("normalized", (reads, number(self.eps)))
        for op, parameter in zip(("mul", "add"), self.parameters, strict=False):
            gives = Apply(op, (gives, Name(parameter.name.removeprefix(f"{self.key}."))))
        return gives


ABOVE = (LayerNorm,)
