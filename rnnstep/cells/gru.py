"""The gated recurrent unit, as in torch.nn.GRU: the reset gate acts on W_hn h_prev + b_hn, after the product."""

from __future__ import annotations

from rnnstep.cells.cell import (
    GATED,
    Cell,
    CellWords,
    OutputBound,
    TorchCell,
    gated_parameters,
    gated_stacks,
)
from rnnstep.equations.program import program
from rnnstep.language import Text

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


def _biases_of(ih: str, hh: str) -> Text:
    return Text(
        "{ih} and {hh} have the same gradient in r and z, where both are added to the same sum. In n they have not:"
        " b_hn stands inside r * (…), so that what reaches it is r times what reaches b_in.",
        ih=ih,
        hh=hh,
    )


WORDS = CellWords(
    GATED
    | {
        "r": Text("reset gate: how much of the memory the candidate sees"),
        "z": Text("update gate: how much of the old state stays"),
        "a_n": Text("the reset gate acts on W_hn·{h} + b_hn, after the product", h="h_prev"),
        "n": Text("the candidate: what the new state could be"),
        "h": Text("between the candidate and the old state: z keeps the old"),
    },
    back={
        "h_prev": Text("one step back in time: through the matrices, and past them what z keeps"),
        "hh_n": Text("the reset gate stands between: what it shuts gets nothing back"),
        "z": Text("z weighs the old state against the candidate"),
        "b_hn": Text("not that of {other}: the reset gate stands between", other="b_in"),
        "b_in": Text("not that of {other}, which the reset gate lets through in part", other="b_hn"),
    },
    biases=Text(
        "bias_ih and bias_hh have the same gradient for r and z, where both are added to the same sum; not"
        " for n: b_hn stands behind the reset gate, and its gradient is r ⊙ that of the sum."
    ),
    biases_of=_biases_of,
    without_b_hh={"a_n": Text("the reset gate acts on W_hn·{h}, after the product", h="h_prev")},
)


def gru() -> Cell:
    """Give the cell of `torch.nn.GRU`."""
    equations = program(
        EQUATIONS,
        inputs={"x": ("input_size",)},
        states={"h": ("hidden_size",)},
        parameters=gated_parameters(GATES, "hidden_size"),
    )
    return Cell(
        "GRU",
        equations,
        gated_stacks(GATES),
        gates=("r", "z"),
        bound=OutputBound(1.0, "(1 − z) ⊙ n + z ⊙ h_prev", is_from_first=True),  # between n and the h before
        words=WORDS,
    )


CELL = TorchCell("GRU", gru)
