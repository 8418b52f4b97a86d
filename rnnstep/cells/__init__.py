"""The cells: one small file each, of equations and of torch's layout of their weights."""

from __future__ import annotations

from functools import lru_cache

from rnnstep.cells.cell import Cell, Stack
from rnnstep.cells.gru import gru
from rnnstep.cells.lstm import lstm
from rnnstep.cells.own import own_cell
from rnnstep.cells.rnn import rnn

__all__ = ["BUILT_IN", "MODULES", "Cell", "Stack", "cell_for", "own_cell"]

BUILT_IN = ("RNN", "LSTM", "GRU")
MODULES = tuple(f"{name}{suffix}" for name in BUILT_IN for suffix in ("Cell", ""))


@lru_cache(maxsize=64)
def cell_for(module: str, *, nonlinearity: str = "tanh", bias: bool = True, proj_size: int = 0) -> Cell:
    """Give the cell inside one of torch's modules: "LSTM" and "LSTMCell" have the same.

    Raises:
        KeyError: a module that torch does not have.
    """
    match module.removesuffix("Cell"):
        case "RNN":
            return rnn(nonlinearity=nonlinearity, bias=bias)
        case "LSTM":
            return lstm(bias=bias, proj_size=proj_size)
        case "GRU":
            return gru(bias=bias)
    raise KeyError(module)
