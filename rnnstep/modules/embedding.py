"""`torch.nn.Embedding`: a row of a table for each index."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.language import Text
from rnnstep.network.blocks import Block, whole
from rnnstep.network.description import Embedding
from rnnstep.network.wires import data

WORDS = CellWords({"x": Text("look the row of this index up")})


def block(embedding: Embedding, parameters: Mapping[str, Array]) -> Block:
    """The block of an embedding, which reads the indices that are given."""
    shape = (embedding.num_embeddings, embedding.embedding_dim)
    numbers, kept_in = whole({"weight": "embedding.weight"}, parameters)
    line = Line("x", Apply("lookup", (Name("weight"), Name("index"))))
    # The shape of a lookup is a row of its table, which inference of the users' operations does not know.
    program = Program(
        (line,), {"index": ()}, {}, {"weight": shape}, {"index": (), "weight": shape, "x": shape[1:]}
    )
    wires = {"index": data("index")}
    key = "embedding"
    return Block(
        key,
        "lookup",
        0,
        "forward",
        program,
        numbers,
        kept_in,
        wires=wires,
        constant=("index",),
        words=WORDS,
        about=Text("{key} is torch.nn.Embedding: a row of its table for each index.", key=key),
    )
