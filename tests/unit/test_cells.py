"""The cells: their equations' shapes and values, and where torch keeps their parameters."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from rnnstep.cells import BUILT_IN, MODULES, cell_for
from rnnstep.cells.cell import Cell, Stack
from rnnstep.cells.own import own_cell
from rnnstep.equations.evaluate import Values, evaluate_lines
from rnnstep.equations.write import write_line
from rnnstep.errors import EquationError

LSTM_VALUES = [
    *(f"{value}{gate}" for gate in "ifgo" for value in ("ih_", "hh_", "a_", "")),
    "c",
    "tanh_c",
    "h",
]


def values(cell: Cell, **given: list[float] | list[list[float]]) -> dict[str, np.ndarray]:
    known = {name: np.array(value, np.float64) for name, value in given.items()}
    return evaluate_lines(cell.program.lines, known, Values())


@pytest.mark.parametrize("module", MODULES)
def test_every_module_of_torch_has_its_cell(module: str) -> None:
    assert cell_for(module).name == module.removesuffix("Cell")
    assert cell_for(module).name in BUILT_IN


@pytest.mark.parametrize("module", ["Linear", "rnn", "", "CellRNN"])
def test_module_that_torch_does_not_have_is_a_key_error(module: str) -> None:
    with pytest.raises(KeyError):
        cell_for(module)


def test_values_have_the_names_of_the_contract() -> None:
    assert cell_for("RNN").program.names == ("ih", "hh", "a", "h")
    assert sorted(cell_for("LSTM").program.names) == sorted(LSTM_VALUES)
    assert cell_for("GRU").program.names == (
        "ih_r", "hh_r", "a_r", "r", "ih_z", "hh_z", "a_z", "z", "ih_n", "hh_n", "a_n", "n", "h",
    )  # fmt: skip


@pytest.mark.parametrize("module", BUILT_IN)
def test_an_equation_holds_at_most_one_matrix_product(module: str) -> None:
    for line in cell_for(module).program.lines:
        assert repr(line.expression).count("matmul") <= 1


@pytest.mark.parametrize("module", BUILT_IN)
def test_stacks_hold_every_parameter_once(module: str) -> None:
    for bias in (True, False):
        cell = cell_for(module, bias=bias)
        parts = [part for stack in cell.stacks for part in stack.parts]
        assert sorted(parts) == sorted(cell.program.parameters)


def test_states_are_told_with_their_sizes_the_output_first() -> None:
    assert cell_for("RNN").states == {"h": "hidden_size"}
    assert list(cell_for("LSTM").states.items()) == [("h", "hidden_size"), ("c", "hidden_size")]
    assert cell_for("LSTM", proj_size=2).states == {"h": "proj_size", "c": "hidden_size"}


def test_projection_adds_its_line_and_its_weight() -> None:
    cell = cell_for("LSTM", proj_size=2)
    assert cell.program.names[-2:] == ("m", "h")
    assert cell.stacks[-1] == Stack("weight_hr", ("W_hr",))
    shapes = cell.parameter_shapes(3, 4, 2)
    assert (shapes["W_hr"], shapes["W_hi"], shapes["W_ii"]) == ((2, 4), (4, 2), (4, 3))


def test_without_bias_no_bias_is_left() -> None:
    for module in BUILT_IN:
        cell = cell_for(module, bias=False)
        assert not [name for name in cell.program.parameters if name.startswith("b_")]
        assert [stack.torch for stack in cell.stacks] == ["weight_ih", "weight_hh"]


def test_gates_are_the_values_between_0_and_1() -> None:
    assert [cell_for(module).gates for module in BUILT_IN] == [(), ("i", "f", "o"), ("r", "z")]


def test_relu_replaces_tanh() -> None:
    cell = cell_for("RNN", nonlinearity="relu")
    given = {
        "W_ih": [[1.0], [1.0]],
        "W_hh": [[0.0, 0.0], [0.0, 0.0]],
        "b_ih": [0.0, -9.0],
        "b_hh": [1.0, 1.0],
    }
    assert values(cell, x=[2.0], h_prev=[0.0, 0.0], **given)["h"].tolist() == [3.0, 0.0]


def test_rnn_by_hand() -> None:
    given = {"W_ih": [[0.5, -1.0]], "W_hh": [[2.0]], "b_ih": [0.25], "b_hh": [-0.5]}
    found = values(cell_for("RNN"), x=[1.0, 2.0], h_prev=[0.75], **given)
    assert (found["ih"].item(), found["hh"].item(), found["a"].item()) == (-1.25, 1.0, -0.25)
    assert found["h"].item() == pytest.approx(math.tanh(-0.25))


def test_lstm_by_hand() -> None:
    # i opens for x > 0 and f for x < 0, wide enough to be 1 or 0 within 1e-8.
    given = {"x": [1.0], "h_prev": [0.0], "c_prev": [5.0]}
    weights = {"W_ii": [[20.0]], "W_if": [[-20.0]], "W_ig": [[0.5]], "W_io": [[20.0]]}
    zeros = {f"W_h{gate}": [[0.0]] for gate in "ifgo"} | {
        f"b_{s}{gate}": [0.0] for s in "ih" for gate in "ifgo"
    }
    found = values(cell_for("LSTM"), **given, **weights, **zeros)
    assert found["c"].item() == pytest.approx(math.tanh(0.5), abs=1e-7)
    assert found["h"].item() == pytest.approx(math.tanh(math.tanh(0.5)), abs=1e-7)


def test_reset_gate_of_a_gru_acts_after_its_product_with_bias() -> None:
    given = {"x": [0.0], "h_prev": [2.0], "W_hn": [[3.0]], "b_hn": [1.0], "b_ir": [-50.0], "b_iz": [-50.0]}
    names = cell_for("GRU").parameter_shapes(1, 1)
    zeros = {name: np.zeros(shape).tolist() for name, shape in names.items() if name not in given}
    found = values(cell_for("GRU"), **given, **zeros)
    # r = 0 closes W_hn h_prev + b_hn as a whole, so that n = tanh(0); z = 0 lets h = n.
    assert found["hh_n"].item() == 7.0
    assert abs(found["h"].item()) < 1e-12


def test_update_gate_of_a_gru_keeps_the_state() -> None:
    given = {"x": [0.0], "h_prev": [0.3], "b_iz": [50.0], "b_in": [50.0]}
    names = cell_for("GRU").parameter_shapes(1, 1)
    zeros = {name: np.zeros(shape).tolist() for name, shape in names.items() if name not in given}
    assert values(cell_for("GRU"), **given, **zeros)["h"].item() == pytest.approx(0.3)


def test_own_cell_is_the_contracts_minimal_gated_unit() -> None:
    cell = own_cell(
        "mgu",
        state={"h": "hidden_size"},
        parameters={
            "W_f": ("hidden_size", "input_size"), "U_f": ("hidden_size", "hidden_size"), "b_f": ("hidden_size",),
            "W_n": ("hidden_size", "input_size"), "U_n": ("hidden_size", "hidden_size"), "b_n": ("hidden_size",),
        },
        equations="""
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
""",
    )  # fmt: skip
    given = {"W_f": [[0.0]], "U_f": [[0.0]], "b_f": [0.0], "W_n": [[1.0]], "U_n": [[2.0]], "b_n": [-1.0]}
    found = values(cell, x=[0.5], h_prev=[0.5], **given)
    # f = 1/2; n = tanh(0.5 + 2 · 0.25 − 1) = 0; h = 0.5 · 0.5
    assert [found[name].item() for name in ("f", "n", "h")] == [0.5, 0.0, float(Fraction(1, 4))]
    assert [stack.torch for stack in cell.stacks] == ["W_f", "U_f", "b_f", "W_n", "U_n", "b_n"]
    assert cell.parameter_shapes(3, 4)["W_n"] == (4, 3)


def test_own_cell_with_a_mistake_tells_its_row_in_the_equations() -> None:
    with pytest.raises(EquationError, match=r"did you mean `h_prev`\?") as caught:
        own_cell("mine", state={"h": "hidden_size"}, parameters={}, equations="\nh = h * 2\n")
    assert caught.value.line == 1


def test_a_line_that_is_no_vector_stands_where_it_is_read():
    cell = own_cell(
        "mine",
        state={"h": "hidden_size"},
        parameters={"W": ("hidden_size", "input_size"), "b": ("hidden_size",)},
        equations="alpha = 0.5 * 2\nM = W * alpha\nc = alpha * b\nh = tanh(M @ x + c) * alpha + h_prev",
    )
    assert [write_line(line) for line in cell.program.lines] == [
        "c = 0.5 * 2 * b",
        "h = tanh(W * (0.5 * 2) @ x + c) * (0.5 * 2) + h_prev",
    ]
    doubled = "".join(f"a{k + 1} = a{k} * a{k}\n" for k in range(40))
    with pytest.raises(EquationError, match="at most 100 operators") as caught:
        own_cell(
            "mine", state={"h": "hidden_size"}, parameters={}, equations=f"a0 = 2\n{doubled}h = a40 * h_prev"
        )
    assert caught.value.line == 7
