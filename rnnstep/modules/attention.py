"""Attention: what of a whole sequence is looked at in a step, which torch has no module of.

scores = memory @ query                                   dot (Luong 2015)
scores = memory @ query / √n                              scaled dot (Vaswani 2017)
scores = (W_a @ memory) @ query                           general: queryᵀ W_a m (Luong 2015)
scores = tanh(U_a @ memory + W_a @ query) @ v_a           additive (Bahdanau 2015)
weights = softmax(scores)                                 of the steps that a row has: padding gets −∞
context = weights @ values                                Σ_s weights[s]·values[s]; values are the memory unless given
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program, Shape, check
from rnnstep.equations.syntax import Apply, Line, Name, parse_expression
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Parameter, Standing, Uniform
from rnnstep.network.blocks import Block, whole
from rnnstep.network.wires import data

ScoreName = Literal["dot", "scaled_dot", "general", "additive"]
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
LIVE = "live"
"""Under what name attention reads which steps of the memory a row has."""

_SCORES: Mapping[ScoreName, str] = {
    "dot": "memory @ query",
    "scaled_dot": "memory @ query / sqrt({size})",
    "general": "(W_a @ memory) @ query",
    "additive": "tanh(U_a @ memory + W_a @ query) @ v_a",
}
_WORDS = {
    "scores": Text("how well each step of the memory fits the query"),
    "weights": Text("how much of each step is looked at: positive, 1 in all"),
    "context": Text("the values, mixed by the weights"),
}


@dataclass(frozen=True)
class Attention(NetworkModule):
    """Attention of a query over a memory.

    Attributes:
        score: how a step of the memory is compared with the query.
        query_size: D_q, numbers of the query.
        memory_size: D_m, of a step of the memory.
        values_size: of a step of the values.
        hidden: A, between query and score, of "additive" alone.
        has_values: whether the values are others than the memory.
    """

    torch = "Attention"
    gives = "context"
    derived = ("query_size", "memory_size", "values_size", "has_values")

    score: ScoreName
    query_size: int
    memory_size: int
    values_size: int
    hidden: int = field(default=0, metadata={"written": "size"})
    has_values: bool = False
    key: str = "attention"

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.values_size

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return "score"

    @property
    def size_in_words(self) -> str:
        """It gives as many numbers as a step of the values has."""
        return "values_size" if self.has_values else "memory_size"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Drawn as those of `nn.Linear(…, bias=False)` are: evenly within ±1/√(numbers that enter)."""
        q, m, a = self.query_size, self.memory_size, self.hidden
        shapes: dict[str, tuple[Shape, str]] = {}
        if self.score == "general":
            shapes = {"W_a": ((q, m), "(query_size, memory_size)")}
        if self.score == "additive":
            shapes = {
                "W_a": ((a, q), "(size, query_size)"),
                "U_a": ((a, m), "(size, memory_size)"),
                "v_a": ((a,), "(size,)"),
            }
        return tuple(
            Parameter.whole(
                f"{self.key}.{name}", tuple(map(int, shape)), words, Uniform(1 / math.sqrt(int(shape[-1])))
            )
            for name, (shape, words) in shapes.items()
        )

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What its class is given, which a program for torch spells out."""
        return (self.score, self.query_size, self.memory_size), {"size": self.hidden} if self.hidden else {}

    def program(self, steps: int, *, is_padded: bool) -> Program:
        """The equations over a memory of so many steps.

        Args:
            steps: of the memory.
            is_padded: whether there are rows that have fewer.
        """
        scores = parse_expression(_SCORES[self.score].format(size=self.query_size))
        softmax = (
            Apply("live_softmax", (Name("scores"), Name(LIVE)))
            if is_padded
            else Apply("softmax", (Name("scores"),))
        )
        values = "values" if self.has_values else "memory"
        lines = (
            Line("scores", scores),
            Line("weights", softmax, 1),
            Line("context", Apply("matmul", (Name("weights"), Name(values))), 2),
        )
        banks: dict[str, Shape] = {"memory": (steps, self.memory_size)}
        if self.has_values:
            banks["values"] = (steps, self.values_size)
        if is_padded:
            banks[LIVE] = (steps,)
        parameters: dict[str, Shape] = {
            one.name.removeprefix(f"{self.key}."): one.shape for one in self.parameters
        }
        return check(lines, {"query": (self.query_size,)}, {}, parameters, banks=banks)

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block."""
        own = {one.name.removeprefix(f"{self.key}."): one.name for one in self.parameters}
        numbers, kept_in = whole(own, parameters)
        banks = standing.banks
        assert banks is not None
        program = self.program(banks.steps, is_padded=banks.is_padded)
        wires = {"query": standing.entering, **dict(zip(("memory", "values"), banks.wires, strict=False))}
        if banks.is_padded:
            wires[LIVE] = data(LIVE)
        return [
            Block(
                self.key,
                "map",
                standing.layer,
                "forward",
                program,
                numbers,
                kept_in,
                ("scores", "weights"),
                wires=wires,
                constant=(LIVE,) if banks.is_padded else (),
                words=CellWords(_WORDS),
                about=Text(
                    "{key} is attention: the query of a step beside every step of the memory.", key=self.key
                ),
            )
        ]


ABOVE = (Attention,)
