"""`torch.nn.BatchNorm1d`: each number less the mean of all of its kind, over their spread, times a weight, plus a bias."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply, Expression, Name, number
from rnnstep.language import Text
from rnnstep.modules.module import Filled, NetworkModule, Parameter, SizeMisfit, Standing
from rnnstep.network.blocks import Block

EPS = 1e-5
WORDS = Text("less the running mean, over the running spread, then each element its weight and bias")
PLAIN = Text("less the running mean, over the running spread")


@dataclass(frozen=True)
class BatchNorm1d(NetworkModule):
    """`torch.nn.BatchNorm1d(num_features, eps, momentum, affine, track_running_stats)` (Ioffe and Szegedy 2015).

    In evaluation mode mean and variance are those that training left, `running_mean` and `running_var`.
    """

    torch = "BatchNorm1d"
    has_channels = True

    num_features: int
    key: str = "batchnorm1d"
    eps: float = field(default=EPS, metadata={"minimum": 0})
    momentum: float = field(default=0.1, metadata={"minimum": 0, "maximum": 1})
    affine: bool = True

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> BatchNorm1d:
        """The module on what gives `size` numbers at each step, which `num_features` must be.

        Raises:
            SizeMisfit: it is another.
        """
        given = options.get("num_features", size)
        if given != size:
            raise SizeMisfit("num_features", given, size)
        return cls(**{**options, "num_features": size, "key": key})

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.num_features

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The weight, at first ones, and the bias, at first zeros, where they are learnt; and the running statistics."""
        learnt = (("weight", 1.0), ("bias", 0.0)) if self.affine else ()
        running = (("running_mean", 0.0), ("running_var", 1.0))
        return tuple(
            Parameter.whole(
                f"{self.key}.{name}", (self.size,), "(num_features,)", Filled(value), is_learnt=is_learnt
            )
            for is_learnt, names in ((True, learnt), (False, running))
            for name, value in names
        )

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        named = {"eps": self.eps, "momentum": self.momentum, "affine": self.affine}
        usual = {"eps": EPS, "momentum": 0.1, "affine": True}
        return (self.num_features,), {name: one for name, one in named.items() if one != usual[name]}

    @property
    def is_put_in_eval(self) -> bool:
        """Whether torch's module has to be put in evaluation mode: in training mode it takes the batch's statistics."""
        return True

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block."""
        statistics = Name("running_mean"), Name("running_var"), number(self.eps)
        gives: Expression = Apply("standardized", (Name(standing.reads), *statistics))
        if self.affine:
            gives = Apply("add", (Apply("mul", (gives, Name("weight"))), Name("bias")))
        return self.on_each_step(
            gives,
            parameters,
            standing,
            words=WORDS if self.affine else PLAIN,
            about=Text("{key} is torch.nn.BatchNorm1d with the statistics that training left.", key=self.key),
        )


ABOVE = (BatchNorm1d,)
