"""Equations as text and LaTeX: golden examples for the three cells and for what needs brackets."""

from __future__ import annotations

import pytest

from rnnstep.cells import cell_for
from rnnstep.equations.syntax import Apply, Name, parse_expression
from rnnstep.equations.write import BLACKBOARD, latex, latex_line, latex_name, write, write_line


def written(module: str, **options: object) -> list[str]:
    return [write_line(line, BLACKBOARD) for line in cell_for(module, **options).program.lines]


def in_latex(module: str) -> list[str]:
    return [latex_line(line) for line in cell_for(module).program.lines]


def test_rnn_on_the_blackboard() -> None:
    assert written("RNN") == [
        "ih = W_ih · x + b_ih",
        "hh = W_hh · h_prev + b_hh",
        "a = ih + hh",
        "h = tanh(a)",
    ]


def test_rnn_without_bias_and_with_relu() -> None:
    assert written("RNNCell", bias=False, nonlinearity="relu") == [
        "ih = W_ih · x",
        "hh = W_hh · h_prev",
        "a = ih + hh",
        "h = relu(a)",
    ]


def test_lstm_on_the_blackboard() -> None:
    assert written("LSTM")[-6:] == [
        "hh_o = W_ho · h_prev + b_ho",
        "a_o = ih_o + hh_o",
        "o = sigmoid(a_o)",
        "c = f ⊙ c_prev + i ⊙ g",
        "tanh_c = tanh(c)",
        "h = o ⊙ tanh_c",
    ]


def test_gru_on_the_blackboard() -> None:
    assert written("GRU")[-5:] == [
        "ih_n = W_in · x + b_in",
        "hh_n = W_hn · h_prev + b_hn",
        "a_n = ih_n + r ⊙ hh_n",
        "n = tanh(a_n)",
        "h = (1 − z) ⊙ n + z ⊙ h_prev",
    ]


def test_rnn_in_latex() -> None:
    assert in_latex("RNN") == [
        r"\mathrm{ih}_t = W_{ih} x_t + b_{ih}",
        r"\mathrm{hh}_t = W_{hh} h_{t-1} + b_{hh}",
        r"a_t = \mathrm{ih}_t + \mathrm{hh}_t",
        r"h_t = \tanh(a_t)",
    ]


def test_lstm_in_latex() -> None:
    assert in_latex("LSTM")[-4:] == [
        r"o_t = \sigma(a_{o})",
        r"c_t = f_t \odot c_{t-1} + i_t \odot g_t",
        r"\tanh c_t = \tanh(c_t)",
        r"h_t = o_t \odot \tanh c_t",
    ]


def test_gru_in_latex() -> None:
    assert in_latex("GRU")[-1] == r"h_t = \left(1 - z_t\right) \odot n_t + z_t \odot h_{t-1}"


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c)",
        "a / (b * c)",
        "(a + b) * c",
        "-(a + b)",
        "-a * b",
        "a @ (b @ c)",
        "(a < b) == (b < c)",
        "not a == b",
        "(not a) == b",
        "(a or b) and c",
        "a and (b and c)",
        "(a + b)[0]",
        "-a[0]",
        "(-a)[0]",
        "max(abs(a)) > 0.95",
    ],
)
def test_brackets_stand_where_they_are_needed_and_nowhere_else(text: str) -> None:
    assert write(parse_expression(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a + b)[0]", r"{\left(a_t + b_t\right)}_{[0]}"),
        ("h[2]", "{h_t}_{[2]}"),
        ("not (a and b)", r"\lnot \left(a_t \land b_t\right)"),
        ("sqrt(a) / norm(b)", r"\sqrt{a_t} / \lVert b_t \rVert"),
        ("-(a + b)", r"-\left(a_t + b_t\right)"),
    ],
)
def test_latex_of_an_expression(text: str, expected: str) -> None:
    assert latex(parse_expression(text)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("W_ih", "W_{ih}"),
        ("h_prev", "h_{t-1}"),
        ("x", "x_t"),
        ("gate", r"\mathrm{gate}_t"),
        ("gate_i", r"\mathrm{gate}_{i}"),
        ("a_b_c", r"a_{b\_c}"),
        ("tanh_c", r"\tanh c_t"),
    ],
)
def test_latex_of_a_name(name: str, expected: str) -> None:
    assert latex_name(name) == expected


def test_operations_between_layers_are_written_as_they_are_read() -> None:
    assert write(Apply("lookup", (Name("weight"), Name("index"))), BLACKBOARD) == "weight[index]"
    assert write(Apply("cat", (Name("forward"), Name("backward"))), BLACKBOARD) == "[forward; backward]"
