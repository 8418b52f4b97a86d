"""`torch.nn.Dropout`: each number times that of a mask, which is 0 or 1/(1 − p)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Standing
from rnnstep.network.blocks import Block
from rnnstep.network.wires import data

WORDS = CellWords({"output": Text("each element dropped or scaled by 1/(1 − p)")})


@dataclass(frozen=True)
class Dropout(NetworkModule):
    """`torch.nn.Dropout(p)`, in training mode, between two layers of a recurrent module.

    Attributes:
        features: how many numbers it reads and gives.
        p: the probability of a zero.
        key: "dropout0" above layer 0.
    """

    torch = "Dropout"
    derived = ("features",)

    features: int
    p: float
    key: str

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.features

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        return (self.p,), {}

    def mask(
        self, generator: np.random.Generator, num_steps: int, num_rows: int, dtype: np.dtype[np.floating]
    ) -> NDArray[np.floating]:
        """Draw a mask, (T, B, n): 0 with probability p, else 1/(1 − p)."""
        shape = (num_steps, num_rows, self.features)
        if self.p >= 1:
            return np.zeros(shape, dtype)
        return np.asarray((generator.random(shape) >= self.p) / (1 - self.p), dtype)

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:  # noqa: ARG002
        """One block, whose mask is given."""
        inputs = {"h": (self.features,), "mask": (self.features,)}
        program = check(parse_lines("output = mask * h"), inputs, {}, {})
        wires = {"h": standing.entering, "mask": data("mask")}
        return [
            Block(
                self.key,
                "mask",
                standing.layer,
                "forward",
                program,
                {},
                {},
                wires=wires,
                constant=("mask",),
                words=WORDS,
                about=Text("{key} is torch.nn.Dropout between two layers.", key=self.key),
            )
        ]
