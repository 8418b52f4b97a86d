"""The gated recurrent unit, as in torch.nn.GRU: the reset gate acts on W_hn h_prev + b_hn, after the product."""

from __future__ import annotations

from rnnstep.cells.cell import Cell, gated_parameters, gated_stacks, without_bias
from rnnstep.equations.program import program

GATES = ("r", "z", "n")  # torch's order of the rows

EQUATIONS = """
ih_r = W_ir @ x + b_ir
hh_r = W_hr @ h_prev + b_hr
a_r = ih_r + hh_r
r = sigmoid(a_r)
ih_z = W_iz @ x + b_iz
hh_z = W_hz @ h_prev + b_hz
a_z = ih_z + hh_z
z = sigmoid(a_z)
ih_n = W_in @ x + b_in
hh_n = W_hn @ h_prev + b_hn
a_n = ih_n + r * hh_n
n = tanh(a_n)
h = (1 - z) * n + z * h_prev
"""


def gru(*, bias: bool = True) -> Cell:
    """Give the cell of `torch.nn.GRU`."""
    equations = program(
        EQUATIONS,
        inputs={"x": ("input_size",)},
        states={"h": ("hidden_size",)},
        parameters=gated_parameters(GATES, "hidden_size"),
    )
    return Cell(
        "GRU",
        equations if bias else without_bias(equations),
        gated_stacks(GATES, bias=bias),
        gates=("r", "z"),
    )
