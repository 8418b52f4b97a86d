"""The Elman cell, as in torch.nn.RNN: h = tanh(W_ih x + b_ih + W_hh h_prev + b_hh)."""

from __future__ import annotations

from rnnstep.cells.cell import Cell, CellWords, OutputBound, Stack, TorchCell
from rnnstep.equations.program import program
from rnnstep.language import Text

EQUATIONS = """
ih = W_ih @ x + b_ih
hh = W_hh @ h_prev + b_hh
a = ih + hh
h = {nonlinearity}(a)
"""

WORDS = {
    "ih": Text("what x_t brings in"),
    "hh": Text("carry the memory one step on"),
    "a": Text("the two are added"),
}
ACTIVATIONS = {
    "tanh": Text("the new state: squeezed between −1 and 1"),
    "relu": Text("the new state: what is negative becomes 0"),
}


def rnn(*, nonlinearity: str = "tanh") -> Cell:
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
    return Cell(
        "RNN",
        equations,
        stacks + biases,
        bound=OutputBound(1.0, "tanh(a)") if nonlinearity == "tanh" else None,
        words=CellWords({**WORDS, "h": ACTIVATIONS[nonlinearity]}),
    )


CELL = TorchCell("RNN", rnn, options=("nonlinearity",))
