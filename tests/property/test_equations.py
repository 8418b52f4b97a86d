"""Whatever is typed, reading it gives a tree or an EquationError; what is written reads back as the same tree."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rnnstep.equations.compile import ROWS, Compiled
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.expand import expand
from rnnstep.equations.operations import OPERATIONS, function_names
from rnnstep.equations.program import program
from rnnstep.equations.syntax import (
    MAX_BRACKETS,
    MAX_OPERATORS,
    Apply,
    Expression,
    Name,
    Number,
    Pick,
    names_in,
    parse_expression,
)
from rnnstep.equations.write import BLACKBOARD, latex, write
from rnnstep.errors import EquationError

# ── any text ─────────────────────────────────────────────────────────────────────────

WORDS = [
    "h", "x", "W", "h_prev", "tanh", "sigmoid", "max", "(", ")", "[", "]", "{", "}", "0", "1", "0.5", "-1", "1e9",
    "+", "-", "*", "/", "@", "**", "//", "%", "<", "<=", "==", "!=", "=", ":=", "and", "or", "not", "if", "else",
    "lambda", "for", "in", "is", "await", "yield", ",", ".", ":", ";", "'", '"', '"""', "f'", "{x}", "#", "\\", "\n",
    "\t", "\0", "\x1b", "…", "状态", "ｈ", "\ud800", "~", "^", "&", "|", "$", "?", "!", "`", "__class__", "\u2028",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=40).map("".join),
    st.builds(lambda word, count: word * count, st.sampled_from(WORDS), st.integers(0, 5000)),
    st.builds(lambda a, b, count: a * count + "x" + b * count, st.sampled_from(WORDS), st.sampled_from(WORDS), st.integers(0, 5000)),
)  # fmt: skip


def refused(read: Callable[[str], object], text: str) -> EquationError | None:
    """What a reader says against a text; any other exception goes on."""
    try:
        read(text)
    except EquationError as error:
        return error
    return None


def read_program(equations: str) -> None:
    program(
        equations,
        inputs={"x": ("input_size",)},
        states={"h": ("hidden_size",)},
        parameters={"W": ("hidden_size", "input_size")},
    ).sized({"hidden_size": 3, "input_size": 3})


@given(text=TEXTS)
@example(text="f" * 10**6)
@example(text="0" * 10**6)
@settings(max_examples=500, deadline=1000)
def test_any_text_is_a_tree_or_an_equation_error(text: str) -> None:
    error = refused(parse_expression, text)
    if error is None:
        tree = parse_expression(text)
        assert parse_expression(write(tree)) == tree
    else:
        assert 0 <= error.column <= len(text)
        assert all(character.isprintable() for character in error.into("zh"))


@given(text=TEXTS, more=TEXTS)
@settings(max_examples=300, deadline=1000)
def test_any_lines_are_a_program_or_an_equation_error(text: str, more: str) -> None:
    equations = f"a = {text}\n{more}\nh = a"
    error = refused(read_program, equations)
    assert error is None or 0 <= error.line < max(1, len(equations.splitlines()))


# ── trees ────────────────────────────────────────────────────────────────────────────

NAMES = st.sampled_from(["h", "x", "W_ih", "h_prev", "tanh_c", "状态", "norm_of", "a1"])
NUMBERS = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0, 1e30, allow_nan=False).map(repr),
    st.sampled_from(["1.50", ".5", "5.", "1e-3", "1E+3"]),
).map(lambda text: Number(float(text), text))
INFIX = [name for name, row in OPERATIONS.items() if row.symbol and row.arity == 2]
OF_ONE = [name for name in function_names() if OPERATIONS[name].arity == 1]
ENDS = st.sampled_from([Number(0.0, ""), Number(2.0, "2"), Number(-3.0, "-3")])
PREFIX = ["neg", "not"]


def larger(trees: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.builds(lambda op, a, b: Apply(op, (a, b)), st.sampled_from(INFIX), trees, trees),
        st.builds(lambda op, a: Apply(op, (a,)), st.sampled_from([*PREFIX, *OF_ONE]), trees),
        st.builds(lambda a, b: Apply("cat", (a, b)), trees, trees),
        st.builds(lambda a, w, b: Apply("layer_norm", (a, w, b)), trees, trees, trees),
        st.builds(lambda a, i, j: Apply("part", (a, i, j)), trees, ENDS, ENDS),
        st.builds(Pick, trees, st.integers(-99, 99)),
    )


TREES = st.recursive(st.one_of(NAMES.map(Name), NUMBERS), larger, max_leaves=12)


@given(tree=TREES)
@settings(max_examples=500)
def test_written_tree_reads_back_as_itself(tree: Expression) -> None:
    assert parse_expression(write(tree)) == tree


@given(tree=TREES)
def test_every_tree_is_written_on_the_blackboard_and_in_latex(tree: Expression) -> None:
    for text in (write(tree, BLACKBOARD), latex(tree)):
        assert text.count("(") == text.count(")")
        assert text.count("{") == text.count("}")
    assert "@" not in write(tree, BLACKBOARD)
    assert latex(tree).count(r"\left") == latex(tree).count(r"\right")


@given(tree=TREES)
def test_names_of_a_tree_stand_in_its_text_in_order(tree: Expression) -> None:
    text, place = write(tree), 0
    for name in names_in(tree):
        place = text.index(name, place)


def test_deepest_tree_is_read_by_every_reader_far_below_pythons_limit() -> None:
    text = "tanh(" * MAX_BRACKETS + "-" * MAX_OPERATORS + "x" + ")" * MAX_BRACKETS
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 700)  # a screen's own frames stand below
    try:
        tree = parse_expression(text)
        write(tree)
        latex(tree)
        made = program(f"h = {text}", inputs={"x": (2,)}, states={"h": (2,)}, parameters={})
        Compiled(made).function(ROWS)
        evaluate(tree, {"x": np.ones(2)}, Values())
        expand(made.lines[0], 0, {"x": np.ones(2)}).tokens  # noqa: B018 - made when looked at
    finally:
        sys.setrecursionlimit(limit)
