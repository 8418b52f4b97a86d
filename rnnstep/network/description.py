"""What a network is made of, in the words of torch's constructors: plain data, from a file or made in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Recurrent:
    """The recurrent module, in the words of torch's constructor."""

    module: str  # "RNNCell", "RNN", "LSTMCell", "LSTM", "GRUCell", "GRU", or the name of an own cell
    input_size: int
    hidden_size: int
    num_layers: int = 1
    nonlinearity: str = "tanh"
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    mode: Literal["eval", "train"] = "eval"
    dropout_seed: int = 0
    is_own: bool = False  # a [cell.NAME] of the file
    own_output_size: int = 0  # the size of such a cell's first state

    @property
    def is_cell(self) -> bool:
        """Whether it is called once a step, by a loop around it (RNNCell …): parameters without `_l0`.

        A cell of the file is one where it stands alone; in layers or both directions it is laid out as torch's modules are.
        """
        if self.is_own:
            return self.num_layers == 1 and not self.bidirectional
        return self.module.endswith("Cell")

    @property
    def num_directions(self) -> int:
        """2 when bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """Size of one direction's h: `proj_size` if there is one, else `hidden_size`; of a cell of the file that of its first state."""
        return self.own_output_size or self.proj_size or self.hidden_size


@dataclass(frozen=True, slots=True)
class Embedding:
    """`torch.nn.Embedding(num_embeddings, embedding_dim, padding_idx)`."""

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None


@dataclass(frozen=True, slots=True)
class Linear:
    """`torch.nn.Linear` after the recurrent module: on every step, or on the final state."""

    out_features: int
    bias: bool = True
    source: Literal["output", "h_n"] = "output"
