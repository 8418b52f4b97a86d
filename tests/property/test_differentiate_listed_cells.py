"""The way back of cells that are in the contract, or are trouble: its names, its slopes, its compiled function."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rnnstep.equations.compile import ONE_ROW, ROWS
from rnnstep.equations.differentiate import backward
from rnnstep.equations.program import Shape
from tests.property.cell_runs import with_way_back
from tests.property.random_cells import PARAMETERS, H, I, cell
from tests.property.way_back_checks import compiled_agrees, names_agree, slopes_agree

MGU = """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
"""
MGU_PARAMETERS = {"W_f": (*H, *I), "U_f": (*H, *H), "b_f": H, "W_n": (*H, *I), "U_n": (*H, *H), "b_n": H}
LIKE_MARKS = """
h_next = tanh(W @ x + W_t * h_prev)
h_above = h_next * c_prev + W_later
c_next = h_above - h_prev_t
h_t = W @ x + h_above
h = tanh(h_t) * h_next + c_next
c = h_above * h
"""
MARKED_PARAMETERS = {"W": (*H, *I), "W_t": H, "W_later": H, "h_prev_t": H}
NAMED: dict[str, tuple[str, tuple[str, ...], Mapping[str, Shape]]] = {
    "minimal gated unit": (MGU, ("h",), MGU_PARAMETERS),
    "names like the marks of gradients": (LIKE_MARKS, ("h", "c"), MARKED_PARAMETERS),
    "values named like a parameter's marks": (
        "b_t = b * x[0]\nb_later = tanh(b_t)\nb_above = b_later * h_prev\nh = b_above + b_t + b",
        ("h",),
        PARAMETERS,
    ),
    "state equal to the one before": ("h = h_prev", ("h",), PARAMETERS),
    "states that change places": ("h = c_prev\nc = h_prev", ("h", "c"), PARAMETERS),
    "state that nothing reads": ("c = tanh(A @ x)\nh = A @ x + b", ("h", "c"), PARAMETERS),
    "state of parameters alone": ("h = tanh(b)", ("h",), PARAMETERS),
    "state that is a parameter": ("h = b", ("h",), PARAMETERS),
    "second state of parameters alone": ("c = tanh(b)\nh = c * h_prev + c_prev", ("h", "c"), PARAMETERS),
    "line that is a number": ("two = 2\nhalf = 1 / two\nh = half * h_prev + two * b", ("h",), PARAMETERS),
    "matrix of parameters alone": ("V = (B + 1) * 2\nh = tanh(V @ h_prev + A @ x)", ("h",), PARAMETERS),
    "matrix that is scaled by a parameter": ("h = tanh((A * k) @ x)", ("h",), PARAMETERS),
    "matrix that is used twice": ("h = tanh(B @ (B @ h_prev) + B @ b)", ("h",), PARAMETERS),
    "parameter in many places": ("h = tanh(b * (b + h_prev)) - b / (2 + b * b)", ("h",), PARAMETERS),
    "product of parameters alone": ("w = B @ tanh(b)\nh = w * h_prev + A @ (C @ w)", ("h",), PARAMETERS),
    "product with a sum": ("h = tanh(A @ (x * sum(x)))", ("h",), PARAMETERS),
    "product with a pick": ("h = tanh(A @ (x * x[0]) + b[-1])", ("h",), PARAMETERS),
    "product with a softmax": ("h = B @ softmax(h_prev)", ("h",), PARAMETERS),
    "product with parameters in it": ("h = tanh(A @ (x * d + d))", ("h",), PARAMETERS),
    "one line under two names": ("a = A @ x\ne = a\nf = tanh(a)\ng = tanh(a)\nh = e * f + g", ("h",), PARAMETERS),
    "subtracted more than once": ("h = b - h_prev - (b - h_prev - x[0]) * h_prev", ("h",), PARAMETERS),
    "reductions": ("h = softmax(h_prev) * max(h_prev) - min(x) + mean(x) * norm(h_prev) * sum(b)", ("h",), PARAMETERS),
    "comparisons": ("h = (h_prev > 0) * h_prev + (not h_prev > 0) * b", ("h",), PARAMETERS),
    "nothing that learns": ("h = x[0] * h_prev + 1", ("h",), {}),
}  # fmt: skip


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", NAMED)
def test_way_back_of_a_cell_of_the_list_is_right(name: str, rows: int) -> None:
    made = cell(*NAMED[name])
    for of in ({"hidden_size": 3, "input_size": 2}, {"hidden_size": 1, "input_size": 1}):
        for steps in (1, 3):
            run, derived = with_way_back(made, of, 1, steps, rows)
            names_agree(run, derived)
            assert slopes_agree(run, derived)
            for mode in (ONE_ROW, ROWS) if rows == 1 else (ROWS,):
                for has_large_steps in (True, False):
                    compiled_agrees(run, derived, mode, has_large_steps=has_large_steps, keeps="states")


def test_names_that_a_cell_has_itself_are_primed() -> None:
    made = cell(LIKE_MARKS, ("h", "c"), MARKED_PARAMETERS).sized({"hidden_size": 3, "input_size": 2})
    derived = backward(made, "h")
    whole = derived.program
    assert (derived.above, whole.before("∂h_prev"), whole.before("∂c_prev")) == (
        "∂h_above′",
        "∂h_next′",
        "∂c_next′",
    )
    assert (whole.before("∂W"), whole.before("∂W_t")) == ("∂W_later′", "∂W_t_later")
    assert "∂W_t′" in whole.names
