"""One element with its numbers put in: what is written, its terms, and where each number came from."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.equations.expand import Expansion, Factor, Term, expand, number_of_terms, provenance
from rnnstep.equations.pieces import Token
from rnnstep.equations.syntax import Apply, Line, Name, parse_expression, parse_lines

ROW = {
    "W": np.array(
        [[0.31, -0.07, 0.25, 0.4], [1.0, 2.0, 3.0, 4.0], [0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    ),
    "U": np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]),
    "P": np.array([[2.0, 1.0, 0.0, -1.0]]),
    "b": np.array([0.12, -0.5, 0.0, 1.0]),
    "h_prev": np.array([0.42, 0.88, -0.11, 0.05]),
    "x": np.array([0.0, 1.0, 0.0, 0.0]),
    "z": np.array([0.25, 0.5, 0.75, 1.0]),
    "n": np.array([-0.5, 0.5, 0.1, 0.2]),
    "s": np.array([3.0]),
}
SHAPES = {name: value.shape for name, value in ROW.items()}


def line(text: str) -> Line:
    return parse_lines(text)[0]


def value_text(token: Token) -> str:
    return f"{token.value:g}".replace("-", "−")


def with_numbers(expansion: Expansion) -> str:
    return "".join(value_text(token) if token.kind == "value" else token.text for token in expansion.tokens)


def with_names(expansion: Expansion) -> str:
    return "".join(token.text for token in expansion.symbols)


def test_matrix_product_and_bias_are_written_as_on_a_blackboard() -> None:
    expansion = expand(line("hh = W @ h_prev + b"), 0, ROW)
    assert with_numbers(expansion) == "0.31·0.42 − 0.07·0.88 + 0.25·(−0.11) + 0.4·0.05 + 0.12"
    assert with_names(expansion) == (
        "W[0,0]·h_prev[0] + W[0,1]·h_prev[1] + W[0,2]·h_prev[2] + W[0,3]·h_prev[3] + b[0]"
    )
    assert expansion.value == pytest.approx(0.1302 - 0.0616 - 0.0275 + 0.02 + 0.12)
    assert (expansion.name, expansion.index) == ("hh", (0,))


def test_each_product_and_the_bias_are_terms_that_tell_what_they_read() -> None:
    expansion = expand(line("hh = W @ h_prev + b"), 0, ROW)
    assert expansion.terms[1] == Term(1, 1, (Factor("W", (0, 1), -0.07), Factor("h_prev", (1,), 0.88)))
    assert expansion.terms[4] == Term(4, 1, (Factor("b", (0,), 0.12),))
    assert [term.number for term in expansion.terms] == [0, 1, 2, 3, 4]


def test_tokens_of_a_term_hold_the_operator_before_it() -> None:
    expansion = expand(line("hh = W @ h_prev + b"), 0, ROW)
    assert "".join(token.text for token in expansion.tokens if token.term == 1) == " − W[0,1]·h_prev[1]"
    assert all(token.term is not None for token in expansion.tokens)


@pytest.mark.parametrize(
    ("text", "numbers", "terms"),
    [
        ("h = (1 - z) * n + z * h_prev", "(1 − 0.25)·(−0.5) + 0.25·0.42", 2),
        ("a = h_prev + b", "0.42 + 0.12", 2),
        ("a = n + b", "−0.5 + 0.12", 2),
        ("a = b + n", "0.12 − 0.5", 2),
        ("a = b - n", "0.12 − (−0.5)", 2),
        ("a = b - (n - z)", "0.12 − (−0.5 − 0.25)", 3),
        ("a = b + -n", "0.12 + (−(−0.5))", 2),
        ("a = z * (b * n)", "0.25·(0.12·(−0.5))", 1),
        ("a = z / s", "0.25/3", 1),
        ("a = z / (b * s)", "0.25/(0.12·3)", 1),
        ("a = 2 * z", "2·0.25", 1),
        ("h = tanh(z)", "tanh(0.25)", 1),
        ("h = tanh(z + b)", "tanh(0.25 + 0.12)", 2),
        ("h = z * tanh(b)", "0.25·tanh(0.12)", 1),
        ("h = U @ (z * h_prev)", "1·(0.25·0.42) − 1·(0.5·0.88) + 0·(0.75·(−0.11)) + 0·(1·0.05)", 4),
        ("h = z * (U @ n)", "0.25·(1·(−0.5) − 1·0.5 + 0·0.1 + 0·0.2)", 1),
        ("h = P @ n", "2·(−0.5) + 1·0.5 + 0·0.1 − 1·0.2", 4),
        ("h = (U * 2) @ n", "1·2·(−0.5) − 1·2·0.5 + 0·2·0.1 + 0·2·0.2", 4),
        ("h = W @ (U @ z)", "0.31·(−0.25) − 0.07·0.5 + 0.25·0.75 + 0.4·1", 4),
        ("k = sum(n)", "−0.5 + 0.5 + 0.1 + 0.2", 4),
        ("k = mean(n)", "(−0.5 + 0.5 + 0.1 + 0.2)/4", 4),
        ("k = z * sum(n)", "0.25·(−0.5 + 0.5 + 0.1 + 0.2)", 1),
        ("k = z * mean(n)", "0.25·((−0.5 + 0.5 + 0.1 + 0.2)/4)", 1),
        ("k = max(n)", "max(−0.5, 0.5, 0.1, 0.2)", 1),
        ("k = min(abs(n))", "min(abs(−0.5), abs(0.5), abs(0.1), abs(0.2))", 1),
        ("k = norm(n)", "sqrt(−0.5·(−0.5) + 0.5·0.5 + 0.1·0.1 + 0.2·0.2)", 1),
        (
            "k = softmax(z)",
            "exp(0.25 − 1)/(exp(0.25 − 1) + exp(0.5 − 1) + exp(0.75 − 1) + exp(1 − 1))",
            1,
        ),
        ("k = n[1]", "0.5", 1),
        ("k = n[-1]", "0.2", 1),
        ("k = (W @ h_prev)[1]", "1·0.42 + 2·0.88 + 3·(−0.11) + 4·0.05", 4),
        ("k = h_prev[3] * n", "0.05·(−0.5)", 1),
        ("k = max(n) > 0.25 and not isnan(b)", "max(−0.5, 0.5, 0.1, 0.2) > 0.25 and not isnan(0.12)", 1),
        ("k = (z < n) == (b < n)", "(0.25 < −0.5) == (0.12 < −0.5)", 1),
        ("k = 2", "2", 1),
    ],
)
def test_every_kind_of_line_is_written_and_counted(text: str, numbers: str, terms: int) -> None:
    expansion = expand(line(text), 0, ROW)
    assert with_numbers(expansion) == numbers
    assert len(expansion.terms) == terms
    assert number_of_terms(line(text), SHAPES) == terms


def test_product_inside_a_product_stands_for_its_value_under_its_text() -> None:
    factor = expand(line("h = W @ (U @ z)"), 0, ROW).terms[0].factors[1]
    assert factor == Factor("(U · z)", (0,), -0.25)


def test_subtracted_terms_have_a_negative_sign() -> None:
    expansion = expand(line("a = b - (n - z)"), 0, ROW)
    assert [term.sign for term in expansion.terms] == [1, -1, 1]


def test_scalar_beside_a_vector_is_read_at_its_only_index() -> None:
    assert expand(line("a = z / s"), 2, ROW).terms[0].factors == (
        Factor("z", (2,), 0.75),
        Factor("s", (0,), 3.0),
    )


def test_number_of_an_equation_has_no_index() -> None:
    assert expand(line("k = 2"), 0, ROW).index == ()


def test_matrix_line_takes_two_indices() -> None:
    expansion = expand(line("M = W / 2"), (1, 3), ROW)
    assert (with_names(expansion), expansion.value) == ("W[1,3]/2", 2.0)


def test_value_is_the_one_of_the_row_where_it_is_known() -> None:
    row = {**ROW, "hh": np.array([7.0, 8.0, 9.0, 10.0])}
    assert expand(line("hh = W @ h_prev + b"), 1, row).value == 8.0


def test_zero_products_are_left_out_and_counted_when_asked() -> None:
    expansion = expand(line("ih = W @ x + b"), 1, ROW, skip_zeros=True)
    assert with_numbers(expansion) == "2·1 − 0.5"
    assert expansion.zero_terms == 3
    assert [term.number for term in expansion.terms] == [1, 4]


def test_zero_bias_is_no_zero_product() -> None:
    assert expand(line("ih = W @ x + b"), 2, ROW, skip_zeros=True).terms[-1].factors == (
        Factor("b", (2,), 0.0),
    )


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("y = W @ o", "0"), ("y = W @ o + b", "0.12"), ("y = b - W @ o", "0.12"), ("y = W @ o - b", "−0.12"),
     ("y = -(W @ o)", "0"), ("y = tanh(W @ o)", "tanh(0)")],
)  # fmt: skip
def test_sum_of_nothing_but_zero_products(text: str, numbers: str) -> None:
    assert with_numbers(expand(line(text), 0, {**ROW, "o": np.zeros(4)}, skip_zeros=True)) == numbers


def test_zero_times_infinity_is_not_left_out() -> None:
    row = {"W": np.array([[np.inf, 1.0]]), "x": np.array([0.0, 0.0])}
    expansion = expand(line("y = W @ x"), 0, row, skip_zeros=True)
    assert [term.number for term in expansion.terms] == [0]
    assert np.isnan(expansion.value)


def test_only_the_terms_asked_for_are_made_and_the_others_counted() -> None:
    expansion = expand(line("hh = W @ h_prev + b"), 0, ROW, only={0, 4})
    assert with_numbers(expansion) == "0.31·0.42 + 0.12"
    assert expansion.cut_terms == 3


@pytest.mark.parametrize(("text", "element"), [("a = b + n", 4), ("a = b + n", -1), ("M = W / 2", 0)])
def test_element_that_the_line_does_not_have_is_refused(text: str, element: int) -> None:
    with pytest.raises(IndexError):
        expand(line(text), element, ROW)


def test_provenance_gives_each_name_once_in_the_order_of_reading() -> None:
    assert provenance(line("h = (1 - z) * n + z * h_prev")) == ("z", "n", "h_prev")


def test_lookup_reads_one_row_of_its_table() -> None:
    looked_up = Line("e", Apply("lookup", (Name("W"), Name("index"))))
    expansion = expand(looked_up, 2, {**ROW, "index": np.array(1)})
    assert (with_names(expansion), with_numbers(expansion), expansion.value) == ("W[1,2]", "3", 3.0)
    assert number_of_terms(looked_up, {**SHAPES, "index": ()}) == 1


@pytest.mark.parametrize(
    ("element", "name", "value"), [(1, "b[1]", -0.5), (4, "n[0]", -0.5), (7, "n[3]", 0.2)]
)
def test_joined_directions_read_the_one_that_the_element_is_of(element: int, name: str, value: float) -> None:
    joined = Line("output", Apply("cat", (Name("b"), Name("n"))))
    expansion = expand(joined, element, ROW)
    assert (with_names(expansion), expansion.value) == (name, value)


def test_a_term_comes_to_its_product_and_all_to_the_sum() -> None:
    row = {"W": np.array([[0.5, -2.0]]), "x": np.array([4.0, 3.0]), "b": np.array([1.0])}
    expansion = expand(Line("h", parse_expression("W @ x - b")), 0, row)
    assert [term.value for term in expansion.terms] == [2.0, -6.0, -1.0]
    assert sum(term.value for term in expansion.terms) == expansion.value


# ── what stands in a way back ────────────────────────────────────────────────────────────────

BACK = {
    "W": np.array([[2.0, -1.0, 3.0], [0.5, 4.0, 1.0]]),
    "U": np.array([[1.0, 0.0, -2.0]]),
    "g": np.array([0.5, -1.0]),
    "k": np.array([3.0]),
    "x": np.array([1.0, -2.0, 4.0]),
    "gs": np.array([[0.5, -1.0], [2.0, 0.25]]),
    "xs": np.array([[1.0, -2.0, 4.0], [3.0, 0.0, -1.0]]),
    "i": np.array(1),
    "is": np.array([1, 0]),
    "table": np.zeros((3, 2)),
}


def back(op: str, *names: str) -> Line:
    return Line("y", Apply(op, tuple(map(Name, names))))


@pytest.mark.parametrize(
    ("one", "element", "names", "numbers", "terms"),
    [
        (back("pullback", "W", "g"), 1, "W[0,1]·g[0] + W[1,1]·g[1]", "−1·0.5 + 4·(−1)", 2),
        (back("pullback", "W", "g", "U", "k"), 2, "W[0,2]·g[0] + W[1,2]·g[1] + U[0,2]·k[0]", "3·0.5 + 1·(−1) − 2·3", 3),
        (back("outer", "g", "x"), (1, 2), "g[1]·x[2]", "−1·4", 1),
        (back("outer", "gs", "xs"), (0, 2), "gs[0,0]·xs[0,2] + gs[1,0]·xs[1,2]", "0.5·4 + 2·(−1)", 2),
        (back("rows", "gs"), 1, "gs[0,1] + gs[1,1]", "−1 + 0.25", 2),
        (back("scatter", "g", "i", "table"), (1, 0), "g[0]", "0.5", 1),
        (back("scatter", "g", "i", "table"), (2, 0), "0", "0", 1),
        (back("scatter", "gs", "is", "table"), (0, 1), "0 + gs[1,1]", "0 + 0.25", 2),
        (back("chosen", "x", "i"), 0, "x[1]", "−2", 1),
        (back("placed", "k", "i", "x"), 1, "k[0]", "3", 1),
        (back("placed", "k", "i", "x"), 2, "0", "0", 1),
        (back("spread", "k", "x"), 2, "k[0]", "3", 1),
        (back("head", "x", "g"), 1, "x[1]", "−2", 1),
        (back("tail", "x", "g"), 1, "x[2]", "4", 1),
        (back("ratio", "x", "k"), 2, "ratio(x[2], k[0])", "ratio(4, 3)", 1),
        (back("maximum", "g", "k"), 1, "max(g[1], k[0])", "max(−1, 3)", 1),
    ],
)  # fmt: skip
def test_line_of_a_way_back_is_written_and_counted(
    one: Line, element: int | tuple[int, int], names: str, numbers: str, terms: int
) -> None:
    expansion = expand(one, element, BACK)
    assert (with_names(expansion), with_numbers(expansion)) == (names, numbers)
    shapes = {name: value.shape for name, value in BACK.items()}
    assert len(expansion.terms) == number_of_terms(one, shapes) == terms
    assert sum(term.value for term in expansion.terms) == pytest.approx(expansion.value)


def test_terms_of_a_product_inside_a_sum_go_on_counting() -> None:
    whole = Line("y", Apply("add", (back("pullback", "W", "g").expression, Name("x"))))
    expansion = expand(whole, 0, BACK)
    assert [term.number for term in expansion.terms] == [0, 1, 2]
    assert with_names(expansion) == "W[0,0]·g[0] + W[1,0]·g[1] + x[0]"


def test_logarithm_of_a_softmax_is_worked_out_as_it_is_computed() -> None:
    expansion = expand(back("log_softmax", "g"), 1, BACK)
    assert with_numbers(expansion) == "−1 − 0.5 − log(exp(0.5 − 0.5) + exp(−1 − 0.5))"
    assert expansion.terms[0].value == pytest.approx(expansion.value)
