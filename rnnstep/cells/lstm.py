"""Long short-term memory, as in torch.nn.LSTM; with `proj_size`, h is a projection of o * tanh(c)."""

from __future__ import annotations

from rnnstep.cells.cell import Cell, Stack, gated_parameters, gated_stacks, without_bias
from rnnstep.equations.program import program

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


def lstm(*, bias: bool = True, proj_size: int = 0) -> Cell:
    """Give the cell of `torch.nn.LSTM`; with `proj_size` > 0, with its projection `W_hr`."""
    output = "proj_size" if proj_size else "hidden_size"
    parameters = gated_parameters(GATES, output)
    stacks = gated_stacks(GATES, bias=bias)
    if proj_size:
        parameters["W_hr"] = ("proj_size", "hidden_size")
        stacks += (Stack("weight_hr", ("W_hr",)),)
    equations = program(
        EQUATIONS + (PROJECTED_OUTPUT if proj_size else OUTPUT),
        inputs={"x": ("input_size",)},
        states={"h": (output,), "c": ("hidden_size",)},
        parameters=parameters,
    )
    return Cell("LSTM", equations if bias else without_bias(equations), stacks, gates=("i", "f", "o"))
