"""`torch.nn.Embedding`: a row of a table for each index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule, Normal, Parameter, Standing
from rnnstep.network.blocks import Block, whole
from rnnstep.network.wires import data

LOOKS_UP = Text("look the row of this index up")


@dataclass(frozen=True)
class Embedding(NetworkModule):
    """`torch.nn.Embedding(num_embeddings, embedding_dim, padding_idx)`."""

    torch = "Embedding"

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    key: str = "embedding"

    @property
    def size(self) -> int:
        """How many numbers it gives at each step."""
        return self.embedding_dim

    @property
    def table(self) -> str:
        """The name of its one parameter."""
        return f"{self.key}.weight"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The table."""
        shape = (self.num_embeddings, self.embedding_dim)
        return (Parameter.whole(self.table, shape, "(num_embeddings, embedding_dim)", Normal()),)

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given."""
        named = {} if self.padding_idx is None else {"padding_idx": self.padding_idx}
        return (self.num_embeddings, self.embedding_dim), named

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return max("num_embeddings", "embedding_dim", key=lambda name: getattr(self, name))

    @property
    def size_in_words(self) -> str:
        """The option that says how many numbers it gives."""
        return "embedding_dim"

    @property
    def values_a_step(self) -> int:
        """None beside what the module above reads."""
        return 0

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """One block, which reads the indices that are given."""
        shape = (self.num_embeddings, self.embedding_dim)
        numbers, kept_in = whole({"weight": self.table}, parameters)
        line = Line(standing.gives, Apply("lookup", (Name("weight"), Name("index"))))
        # The shape of a lookup is a row of its table, which inference of the users' operations does not know.
        shapes = {"index": (), "weight": shape, standing.gives: shape[1:]}
        program = Program((line,), {"index": ()}, {}, {"weight": shape}, shapes)
        return [
            Block(
                self.key,
                "lookup",
                0,
                "forward",
                program,
                numbers,
                kept_in,
                wires={"index": data("index")},
                constant=("index",),
                words=CellWords({standing.gives: LOOKS_UP}),
                about=Text("{key} is torch.nn.Embedding: a row of its table for each index.", key=self.key),
            )
        ]
