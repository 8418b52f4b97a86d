"""`torch.nn.Dropout`: each number times that of a mask, which is 0 or 1/(1 − p)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.modules.module import DropoutMask, NetworkModule, Standing
from rnnstep.network.blocks import Block
from rnnstep.network.wires import data

DROPS = Text("each element dropped or scaled by 1/(1 − p)")
PASSES = Text("what it reads: nothing is dropped in evaluation mode")


@dataclass(frozen=True)
class Dropout(NetworkModule):
    """`torch.nn.Dropout(p)`, a module of its own or between two layers of a recurrent module.

    Attributes:
        features: how many numbers it reads and gives.
        p: the probability of a zero.
        key: what it is called; "dropout0" above layer 0 of a recurrent module.
        is_training: whether it drops anything: in training mode alone.
        is_between: whether it stands between two layers of a recurrent module.
        dropout_seed: of numpy's generator that draws the masks of all modules.
    """

    torch = "Dropout"
    derived = ("features", "is_training", "is_between", "dropout_seed")

    features: int
    p: float = field(default=0.5, metadata={"minimum": 0, "maximum": 1})
    key: str = "dropout"
    is_training: bool = True
    is_between: bool = False
    dropout_seed: int = 0

    @classmethod
    def on(cls, size: int, options: Mapping[str, Any], key: str) -> Dropout:
        """The module on what gives `size` numbers at each step."""
        return cls(size, **options, key=key)

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.features

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        return (self.p,), {}

    @property
    def most_to_blame(self) -> str:
        """Its size is that of what enters."""
        return "p"

    def in_mode(self, mode: str, dropout_seed: int) -> Dropout:
        """The module in evaluation or training mode."""
        return replace(self, is_training=mode == "train", dropout_seed=dropout_seed)

    @property
    def size_in_words(self) -> str:
        """It gives as many numbers as it reads."""
        return "features"

    @property
    def is_put_in_eval(self) -> bool:
        """Whether torch's module has to be put in evaluation mode: in training mode it draws; the masks are given."""
        return True

    @property
    def masks(self) -> tuple[DropoutMask, ...]:
        """Its mask; none where nothing is dropped."""
        return (DropoutMask(self.key, self.features, self.p),) if self.is_training else ()

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:  # noqa: ARG002
        """One block, whose mask is given; in evaluation mode it gives what it reads."""
        reads, gives = ("h", "output") if self.is_between else (standing.reads, standing.gives)
        line = f"{gives} = {'mask * ' if self.is_training else ''}{reads}"
        names = (reads, "mask") if self.is_training else (reads,)
        wires = {reads: standing.entering} | ({"mask": data("mask")} if self.is_training else {})
        return [
            Block(
                self.key,
                "mask" if self.is_between else "map",
                standing.layer,
                "forward",
                check(parse_lines(line), dict.fromkeys(names, (self.features,)), {}, {}),
                {},
                {},
                wires=wires,
                constant=("mask",) if self.is_training else (),
                words=CellWords({gives: DROPS if self.is_training else PASSES}),
                about=Text("{key} is torch.nn.Dropout between two layers.", key=self.key)
                if self.is_between
                else Text("{key} is torch.nn.Dropout, of each number alone.", key=self.key),
            )
        ]


ABOVE = (Dropout,)
