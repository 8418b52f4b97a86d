"""One sentence for each equation: what it does, in the words a teacher says at the board."""

from __future__ import annotations

from rnnstep.engine import Block
from rnnstep.language import Text

_RNN = {
    "ih": Text("what x_t brings in"),
    "hh": Text("carry the memory one step on"),
    "a": Text("the two are added"),
}
_GATED = {
    "ih": Text("what x_t says to this gate"),
    "hh": Text("what the memory says to this gate"),
    "a": Text("the two are added"),
}
_LSTM = {
    "i": Text("input gate: how much of g is let in"),
    "f": Text("forget gate: how much of c_prev is kept"),
    "g": Text("the candidate: what could be written"),
    "o": Text("output gate: how much of the cell is shown"),
    "c": Text("the cell: keep f of the old, add i of the new"),
    "tanh_c": Text("the cell, squeezed between −1 and 1"),
    "m": Text("what the output gate lets out, before the projection"),
    "h": Text("the hidden state: what the output gate lets out"),
}
_GRU = {
    "r": Text("reset gate: how much of the memory the candidate sees"),
    "z": Text("update gate: how much of the old state stays"),
    "a_n": Text("the reset gate acts on W_hn·h_prev + b_hn, after the product"),
    "n": Text("the candidate: what the new state could be"),
    "h": Text("between the candidate and the old state: z keeps the old"),
}
_KINDS = {
    "embedding": Text("look the row of this index up"),
    "dropout": Text("each element dropped or scaled by 1/(1 − p)"),
    "join": Text("forward and backward side by side"),
    "linear": Text("a score for each class"),
}


def sentence(block: Block, name: str, cell: str) -> Text | None:
    """Give the sentence of a line of a block; None for a line of a user's own cell."""
    if block.kind != "recurrent":
        return _KINDS[block.kind]
    if cell == "RNN":
        return _RNN.get(name) or _activation(block)
    own = {"LSTM": _LSTM, "GRU": _GRU}.get(cell)
    if own is None:
        return None
    if cell == "LSTM" and name == "h" and "m" in block.program.by_name:
        return Text("the hidden state: the projection of m to proj_size")
    return own.get(name) or _GATED.get(name.partition("_")[0])


def _activation(block: Block) -> Text:
    if "relu" in str(block.program.by_name["h"].expression):
        return Text("the new state: what is negative becomes 0")
    return Text("the new state: squeezed between −1 and 1")
