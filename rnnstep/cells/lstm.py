"""Long short-term memory, as in torch.nn.LSTM; with `proj_size`, h is a projection of o * tanh(c)."""

from __future__ import annotations

from dataclasses import replace

from rnnstep.cells.cell import (
    GATED,
    Cell,
    CellWords,
    OutputBound,
    Stack,
    TorchCell,
    gated_parameters,
    gated_stacks,
)
from rnnstep.equations.program import program
from rnnstep.language import Text

GATES = ("i", "f", "g", "o")  # torch's order of the rows

EQUATIONS = """
ih_i = W_ii @ x + b_ii
hh_i = W_hi @ h_prev + b_hi
a_i = ih_i + hh_i
i = sigmoid(a_i)
ih_f = W_if @ x + b_if
hh_f = W_hf @ h_prev + b_hf
a_f = ih_f + hh_f
f = sigmoid(a_f)
ih_g = W_ig @ x + b_ig
hh_g = W_hg @ h_prev + b_hg
a_g = ih_g + hh_g
g = tanh(a_g)
ih_o = W_io @ x + b_io
hh_o = W_ho @ h_prev + b_ho
a_o = ih_o + hh_o
o = sigmoid(a_o)
c = f * c_prev + i * g
tanh_c = tanh(c)
"""
OUTPUT = "h = o * tanh_c\n"
# Sak, Senior and Beaufays (2014) call the unprojected output m.
PROJECTED_OUTPUT = "m = o * tanh_c\nh = W_hr @ m\n"

WORDS = CellWords(
    GATED
    | {
        "i": Text("input gate: how much of g is let in"),
        "f": Text("forget gate: how much of c_prev is kept"),
        "g": Text("the candidate: what could be written"),
        "o": Text("output gate: how much of the cell is shown"),
        "c": Text("the cell: keep f of the old, add i of the new"),
        "tanh_c": Text("the cell, squeezed between −1 and 1"),
        "h": Text("the hidden state: what the output gate lets out"),
    },
    back={"c_prev": Text("the forget gate alone takes it one step back: no matrix, no tanh")},
)
PROJECTED_WORDS = replace(
    WORDS,
    lines={
        **WORDS.lines,
        "m": Text("what the output gate lets out, before the projection"),
        "h": Text("the hidden state: the projection of m to proj_size"),
    },
)


def lstm(*, proj_size: int = 0) -> Cell:
    """Give the cell of `torch.nn.LSTM`; with `proj_size` > 0, with its projection `W_hr`."""
    output = "proj_size" if proj_size else "hidden_size"
    parameters = gated_parameters(GATES, output)
    stacks = gated_stacks(GATES)
    if proj_size:
        parameters["W_hr"] = ("proj_size", "hidden_size")
        stacks += (Stack("weight_hr", ("W_hr",)),)
    equations = program(
        EQUATIONS + (PROJECTED_OUTPUT if proj_size else OUTPUT),
        inputs={"x": ("input_size",)},
        states={"h": (output,), "c": ("hidden_size",)},
        parameters=parameters,
    )
    return Cell(
        "LSTM",
        equations,
        stacks,
        gates=("i", "f", "o"),
        bound=None if proj_size else OutputBound(1.0, "o ⊙ tanh(c)"),  # both factors are within it
        words=PROJECTED_WORDS if proj_size else WORDS,
    )


CELL = TorchCell("LSTM", lstm, module_options=("proj_size",))
