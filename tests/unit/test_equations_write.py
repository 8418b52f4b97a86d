"""Equations as text and LaTeX: golden examples for the three cells and for what needs brackets."""

from __future__ import annotations

import re

import pytest

from rnnstep.cells import cell_for
from rnnstep.equations.syntax import Apply, Expression, Name, Number, parse_expression
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


# ── what users do not write ──────────────────────────────────────────────────────────


def of(op: str, *args: str | Expression) -> Expression:
    """An operation of the program's own on what is given as text or as a tree."""
    return Apply(op, tuple(parse_expression(one) if isinstance(one, str) else one for one in args))


G_OF_ROWS, X_OF_ROWS = Name("g⋮"), Name("x⋮")


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (of("pullback", "W", "g"), "Wᵀ·g"),
        (of("pullback", "W", "g", "U", "k"), "Wᵀ·g + Uᵀ·k"),
        (of("pullback", "W", "g * k"), "Wᵀ·(g ⊙ k)"),
        (of("pullback", "W * 2", "g"), "(W · 2)ᵀ·g"),
        (of("add", of("pullback", "W", "g"), "h"), "Wᵀ·g + h"),
        (of("sub", "h", of("pullback", "W", "g")), "h − Wᵀ·g"),
        (of("sub", "h", of("pullback", "W", "g", "U", "k")), "h − (Wᵀ·g + Uᵀ·k)"),
        (of("mul", of("pullback", "W", "g", "U", "k"), "h"), "(Wᵀ·g + Uᵀ·k) ⊙ h"),
        (of("mul", "h", of("pullback", "W", "g")), "h ⊙ (Wᵀ·g)"),
        (of("neg", of("pullback", "W", "g", "U", "k")), "−(Wᵀ·g + Uᵀ·k)"),
        (of("outer", "g", "x"), "g·xᵀ"),
        (of("outer", "g + k", "x * m"), "(g + k)·(x ⊙ m)ᵀ"),
        (of("outer", G_OF_ROWS, X_OF_ROWS), "g⋮ᵀ·x⋮"),
        (of("rows", G_OF_ROWS), "Σ g⋮"),
        (of("rows", "g + k"), "Σ (g + k)"),
        (of("add", Name("∂b_later"), of("rows", G_OF_ROWS)), "∂b_later + Σ g⋮"),
        (of("chosen", "log_p", "target"), "log_p[target]"),
        (of("neg", of("chosen", "log_p", "target")), "−log_p[target]"),
        (of("chosen", "a + b", "i"), "(a + b)[i]"),
        (of("placed", "g", "target", "a"), "g at [target]"),
        (of("placed", "g + k", "target", "a"), "(g + k) at [target]"),
        (of("add", of("placed", "g", Number(1.0, "1"), "a"), "k"), "g at [1] + k"),
        (of("spread", "g", "a"), "g"),
        (of("mul", of("spread", "g + k", "a"), "h"), "(g + k) ⊙ h"),
        (of("scatter", "g", "index", "weight"), "g at row [index]"),
        (of("lookup", "weight", "index"), "weight[index]"),
        (of("head", "g", "forward"), "g[: len(forward)]"),
        (of("tail", "g + k", "backward"), "(g + k)[-len(backward) :]"),
        (of("ratio", "a", "b"), "ratio(a, b)"),
        (of("maximum", "a", "b"), "maximum(a, b)"),
        (of("log_softmax", "a"), "log_softmax(a)"),
        (of("softplus", "a"), "softplus(a)"),
    ],
)
def test_what_users_do_not_write_is_written(tree: Expression, expected: str) -> None:
    assert write(tree, BLACKBOARD) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.9 * m", "0.9 · m"),
        ("(1 - 0.9) * g", "(1 − 0.9) · g"),
        ("g * 2", "g · 2"),
        ("g * g", "g ⊙ g"),
        ("(1 - z) * n", "(1 − z) ⊙ n"),
    ],
)
def test_product_with_a_number_is_no_product_of_elements(text: str, expected: str) -> None:
    assert write(parse_expression(text), BLACKBOARD) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("∂h", r"\partial h_t"),
        ("∂h_prev", r"\partial h_{t-1}"),
        ("∂W_hh", r"\partial W_{hh}"),
        ("∂hh⋮", r"\partial \mathrm{hh}_t"),
    ],
)
def test_latex_of_a_gradients_name(name: str, expected: str) -> None:
    assert latex_name(name) == expected


@pytest.mark.parametrize(
    ("tree", "part"),
    [
        (of("pullback", "W", "g"), r"^\top g_t"),
        (of("pullback", "W", "g + k"), r"\left(g_t + k_t\right)"),
        (of("outer", "g + k", "x"), r"\left(g_t + k_t\right)"),
        (of("outer", "g", "x + y"), r"\left(x_t + y_t\right)"),
        (of("rows", "g + k"), r"\left(g_t + k_t\right)"),
        (of("placed", "g + k", "i", "a"), r"\left(g_t + k_t\right)"),
        (of("chosen", "a + b", "i"), r"\left(a_t + b_t\right)"),
        (of("chosen", "log_p", "target"), r"\mathrm{log}_{p}"),
        (of("scatter", "g + k", "i", "W"), r"\left(g_t + k_t\right)"),
        (of("head", "g", "a"), "first"),
        (of("tail", "g + k", "a"), r"\left(g_t + k_t\right)"),
        (of("div", "h", of("ratio", "a", "b")), r"\left(a_t / b_t\right)"),
    ],
)
def test_latex_of_what_users_do_not_write_is_bracketed_and_has_no_second_subscript(
    tree: Expression, part: str
) -> None:
    text = latex(tree)
    assert part in text
    assert not re.search(r"_(\w|\{[^{}]*\})_", text), text
