"""Reading equations: what is understood, what is refused, and how quickly."""

from __future__ import annotations

import time

import pytest

from rnnstep.equations.program import program
from rnnstep.equations.syntax import (
    MAX_BRACKETS,
    MAX_LENGTH,
    MAX_LINES,
    MAX_OPERATORS,
    Apply,
    Line,
    Name,
    Number,
    Pick,
    names_in,
    parse_expression,
    parse_lines,
)
from rnnstep.errors import EquationError

a, b, c = Name("a"), Name("b"), Name("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a + b - c", Apply("sub", (Apply("add", (a, b)), c))),
        ("a * b / c", Apply("div", (Apply("mul", (a, b)), c))),
        ("a @ b + c", Apply("add", (Apply("matmul", (a, b)), c))),
        ("a @ (b * c)", Apply("matmul", (a, Apply("mul", (b, c))))),
        ("-a * b", Apply("mul", (Apply("neg", (a,)), b))),
        ("+a", a),
        ("tanh(a)", Apply("tanh", (a,))),
        ("a[0]", Pick(a, 0)),
        ("a[-1]", Pick(a, -1)),
        ("1.50", Number(1.5, "1.50")),
        ("1e-3", Number(0.001, "1e-3")),
        ("-2", Apply("neg", (Number(2.0, "2"),))),
        ("a < b", Apply("lt", (a, b))),
        ("a <= b", Apply("le", (a, b))),
        ("a > b", Apply("gt", (a, b))),
        ("a >= b", Apply("ge", (a, b))),
        ("a == b", Apply("eq", (a, b))),
        ("a != b", Apply("ne", (a, b))),
        ("not a == b", Apply("not", (Apply("eq", (a, b)),))),
        ("a and b and c", Apply("and", (Apply("and", (a, b)), c))),
        ("a and (b or c)", Apply("and", (a, Apply("or", (b, c))))),
        ("  a", a),
        ("状态 + a", Apply("add", (Name("状态"), a))),
    ],
)
def test_text_is_read_as_a_tree(text: str, tree: object) -> None:
    assert parse_expression(text) == tree


REFUSED = [
    ("a.b", 0),
    ("a.b()", 0),
    ("a + x.__class__", 4),
    ("().__class__", 0),
    ("__import__('os')", 0),
    ("eval('1')", 0),
    ("(lambda: a)()", 0),
    ("lambda x: x", 0),
    ("[a for a in b]", 0),
    ("{a for a in b}", 0),
    ("sum(a for a in b)", 3),
    ("{a: b}", 0),
    ("[a, b]", 0),
    ("a, b", 0),
    ("()", 0),
    ("f'{a}'", 0),
    ("a + f'{b}'", 4),
    ("(a := b)", 1),
    ("a ** b", 0),
    ("a // b", 0),
    ("a % b", 0),
    ("a << b", 0),
    ("a & b", 0),
    ("~a", 0),
    ("'a'", 0),
    ("b + b'a'", 4),
    ("a < b < c", 0),
    ("a is b", 0),
    ("a in b", 0),
    ("a if b else c", 0),
    ("tanh(a, b)", 0),
    ("tanh()", 0),
    ("tanh(x=a)", 0),
    ("tanh(*a)", 5),
    ("a + tanh(**b)", 4),
    ("a[0:1:2]", 0),
    ("a[b]", 0),
    ("a[0, 1]", 0),
    ("a[True]", 0),
    ("a[-True]", 0),
    ("a[1.0]", 0),
    ("True", 0),
    ("None", 0),
    ("a + ...", 4),
    ("1j", 0),
    ("0x10", 0),
    ("1_000", 0),
    ("1e999", 0),
    ("await a", 0),
    ("a +", 3),
    ("", 0),
    ("a b", 2),
    ("1and 2", 0),
    ("(a", 0),
    ("a)", 1),
    ("a; b", 1),
    ("a = b", 2),
    ("lookup(a, b)", 0),
    ("tail(a, b)", 0),
    ("状态 + a.b", 5),
    ("a\0", 0),
    ("\ud800", 0),
    ("a + '\x1b[31m'", 4),
]


@pytest.mark.parametrize(("text", "column"), REFUSED)
def test_everything_else_is_refused_with_its_column(text: str, column: int) -> None:
    with pytest.raises(EquationError) as caught:
        parse_expression(text)
    assert caught.value.column == column
    assert str(caught.value).isprintable()


def test_column_counts_from_the_start_of_the_line() -> None:
    with pytest.raises(EquationError) as caught:
        parse_lines("a = x\n  h =  a + x.y")
    assert (caught.value.line, caught.value.column) == (1, 11)


@pytest.mark.parametrize(
    ("text", "near"), [("tan(a)", "tanh"), ("sigmoide(a)", "sigmoid"), ("Relu(a)", "relu")]
)
def test_function_that_is_misspelt_is_told_its_likely_name(text: str, near: str) -> None:
    with pytest.raises(EquationError, match=rf"did you mean `{near}`\?"):
        parse_expression(text)


def test_function_that_is_not_there_is_told_which_are() -> None:
    with pytest.raises(EquationError, match=r"unknown function `xyzw`; there are tanh, sigmoid, relu, exp"):
        parse_expression("xyzw(a)")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**6,
        "(" * 10**6 + "a" + ")" * 10**6,
        "[" * 10**5,
        "{(" * 10**5,
        "a" + "+a" * 10**5,
        "-" * 10**5 + "a",
        "- " * 900 + "a",
        "~" * 900 + "a",
        "not " * 10**5 + "a",
        "not " * 400 + "a",
        "not(" * 200 + "a" + ")" * 200,
        "(a)and" * 300 + "(a)",
        "1and " * 300 + "1",
        "a or " * 300 + "a",
        "a" + "[0]" * 600,
        "a" + ".b" * 900,
        "a" + "()" * 900,
        "tanh(" * 300 + "a" + ")" * 300,
        "9" * 10**5,
        "1" + "0" * 1990,
        "a if a else " * 150 + "a",
        "lambda: " * 200 + "a",
        "a<" * 900 + "a",
        "a," * 900,
        "a\n+" * 600 + "a",
    ],
)  # fmt: skip
def test_long_and_deep_texts_are_refused_at_once(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(EquationError):
        parse_expression(text)
    with pytest.raises(EquationError):
        parse_lines(f"h = {text}")
    assert time.perf_counter() - start < 1


def test_texts_at_the_limits_are_read() -> None:
    parse_expression("(" * MAX_BRACKETS + "a" + ")" * MAX_BRACKETS)
    parse_expression("+".join(["a"] * (MAX_OPERATORS + 1)))
    parse_expression("not " * MAX_OPERATORS + "a")
    parse_expression("a" * MAX_LENGTH)
    assert len(parse_lines("a = b\n" * MAX_LINES)) == MAX_LINES


def test_names_that_hold_a_word_operator_are_no_operators() -> None:
    parse_expression(" + ".join(["norm(forget_and)"] * (MAX_OPERATORS // 2 + 10)))


def test_too_many_lines_are_refused() -> None:
    with pytest.raises(EquationError, match="at most 200 equations, found 100000"):
        parse_lines("a = b\n" * 10**5)


def test_number_with_many_digits_keeps_them_all() -> None:
    digits = "0." + "1" * 100
    assert parse_expression(digits) == Number(float(digits), digits)


def test_lines_keep_their_row_and_pass_over_blank_lines_and_comments() -> None:
    assert parse_lines("\n# the gate\nf = a  # forget\n\nh = f\n") == (
        Line("f", a, 2),
        Line("h", Name("f"), 4),
    )


@pytest.mark.parametrize(
    "text", ["h", "h + 1", "h == 1", "1 = h", "h.x = 1", "= 1", "h, c = 1", "h[0] = 1", "h += 1", "h := 1"]
)
def test_line_that_is_no_equation_is_refused(text: str) -> None:
    with pytest.raises(EquationError, match="an equation is written NAME = EXPRESSION") as caught:
        parse_lines(f"a = b\n{text}")
    assert caught.value.line == 1


def test_names_are_compared_as_python_compares_them() -> None:
    # The full-width ｈ that a Chinese keyboard gives is h, on both sides.
    assert parse_lines("ｈ = ｘ") == (Line("h", Name("x"), 0),)


def test_names_in_gives_names_as_they_are_read() -> None:
    assert list(names_in(parse_expression("tanh(a @ b) + 2 * a[0]"))) == ["a", "b", "a"]


def test_error_of_a_cell_carries_its_row() -> None:
    with pytest.raises(EquationError) as caught:
        program("a = x\nh = a.b", inputs={"x": (2,)}, states={"h": (2,)}, parameters={})
    assert caught.value.line == 1
