"""The Elman cell, as in torch.nn.RNN: h = tanh(W_ih x + b_ih + W_hh h_prev + b_hh)."""

from __future__ import annotations

from rnnstep.cells.cell import Cell, Stack, without_bias
from rnnstep.equations.program import program

EQUATIONS = """
ih = W_ih @ x + b_ih
hh = W_hh @ h_prev + b_hh
a = ih + hh
h = {nonlinearity}(a)
"""


def rnn(*, nonlinearity: str = "tanh", bias: bool = True) -> Cell:
    """Give the cell of `torch.nn.RNN`; `nonlinearity` is "tanh" or "relu"."""
    equations = program(
        EQUATIONS.format(nonlinearity=nonlinearity),
        inputs={"x": ("input_size",)},
        states={"h": ("hidden_size",)},
        parameters={
            "W_ih": ("hidden_size", "input_size"),
            "W_hh": ("hidden_size", "hidden_size"),
            "b_ih": ("hidden_size",),
            "b_hh": ("hidden_size",),
        },
    )
    stacks = (Stack("weight_ih", ("W_ih",)), Stack("weight_hh", ("W_hh",)))
    biases = (Stack("bias_ih", ("b_ih",)), Stack("bias_hh", ("b_hh",)))
    return Cell("RNN", equations if bias else without_bias(equations), stacks + biases if bias else stacks)
