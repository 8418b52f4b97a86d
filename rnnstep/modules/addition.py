"""A sum of what several modules give: a residual connection, `add` of a layer in `[[layers]]`."""

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

ADDS = Text("what the layer gives, and what is added to it")


@dataclass(frozen=True)
class Addition(NetworkModule):
    """The `+` behind a layer with `add`; torch has no module of it.

    Attributes:
        features: how many numbers each of its inputs has.
        key: the layer's name with `.add` behind it.
    """

    derived = ("features",)
    gives: ClassVar[str] = "added"
    joins: ClassVar[bool] = False

    features: int
    key: str

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.features

    @property
    def most_to_blame(self) -> str:
        """Its size is that of what enters."""
        return "features"

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """There is no constructor."""
        return (), {}

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:  # noqa: ARG002
        """One block, with an input for each summand under the name that it has where it was made, numbered where it is taken."""
        gives = standing.gives
        names: list[str] = []
        for wire in standing.entering:
            known = sum(name.rstrip("0123456789") == wire.value for name in (gives, *names))
            names.append(f"{wire.value}{known + 1}" if known else wire.value)
        program = check(
            parse_lines(f"{gives} = {' + '.join(names)}"), dict.fromkeys(names, (self.features,)), {}, {}
        )
        return [
            Block(
                self.key,
                "map",
                standing.layer,
                "forward",
                program,
                {},
                {},
                wires={name: (wire,) for name, wire in zip(names, standing.entering, strict=True)},
                words=CellWords({gives: ADDS}),
                about=Text("{key} adds what several layers give, element by element.", key=self.key),
            )
        ]
