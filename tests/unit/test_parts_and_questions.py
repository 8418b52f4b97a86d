"""Parts of vectors, vectors side by side, and what may be asked of them: how they are read, written and refused."""

from __future__ import annotations

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.engine.watch import Watch
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.program import program
from rnnstep.equations.syntax import parse_expression
from rnnstep.equations.write import BLACKBOARD, latex, write
from rnnstep.errors import EquationError, ScenarioError
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from tests.unit.command_line import run

H = ("hidden_size",)


def made(equations, **parameters):
    given = {name: tuple(shape) for name, shape in parameters.items()}
    return program(equations, inputs={"x": ("input_size",)}, states={"h": H}, parameters=given)


@pytest.mark.parametrize(
    "text", ["a[0:4]", "a[:4]", "a[4:]", "a[-2:]", "a[:-1]", "a[0:hidden_size]", "(a + b)[1:3]", "cat(a, b)[1:3]", "layer_norm(a, w, b)", "argmax(a)", "any(a > 0)"]
)  # fmt: skip
def test_what_is_written_is_read_again(text):
    expression = parse_expression(text)
    assert write(expression) == text
    assert write(parse_expression(write(expression))) == text


def test_on_a_blackboard_and_in_latex():
    assert write(parse_expression("cat(a, b)[0:2]"), BLACKBOARD) == "[a; b][0:2]"
    assert write(parse_expression("layer_norm(a * w, w, b)"), BLACKBOARD) == "layer_norm(a ⊙ w, w, b)"
    assert latex(parse_expression("a[0:hidden_size]")) == "{a_t}_{[0:hidden_size]}"
    assert latex(parse_expression("layer_norm(a, w, b)")) == r"\operatorname{LayerNorm}(a_t;\, w_t, b_t)"


@pytest.mark.parametrize(
    ("equations", "parameters", "said"),
    [
        ("h = x[0:9]", {}, "`[0:9]` is no part of a vector of 3"),
        ("h = W[0:2] @ x", {"W": (4, 3)}, "`[0:2]` needs a vector, found 4×3"),
        ("h = x[2:2]", {}, "`[2:2]` holds no element"),
        ("h = x[0:1.5]", {}, "a part is written a[2:4]"),
        ("h = x[0:size]", {}, "a part is written a[2:4]"),
        ("h = x[0:2:1]", {}, "not allowed in an equation"),
        ("h = cat(x)", {}, "`cat` takes 2 values, found 1"),
        ("h = cat(W, x)", {"W": (4, 3)}, "`cat` puts two vectors side by side, found 4×3 and"),
        ("h = cat(1, x)", {}, "`cat` puts two vectors side by side, found 1 and"),
        ("h = layer_norm(h_prev, b)", {"b": H}, "`layer_norm` takes 3 values, found 2"),
        ("h = layer_norm(h_prev, b, c)", {"b": (2,), "c": H}, "as long as it: found 4, 2, 4"),
        ("h = cat(x, h_prev)", {}, "the state `h` has shape 4, its equation gives 7"),
        ("h = x[0:hidden_size]", {}, "`[0:hidden_size]` is no part of a vector of 3"),
        ("cat = x\nh = h_prev", {}, "`cat` cannot be used as a name"),
    ],
)
def test_what_does_not_fit_is_told_with_what_was_found(equations, parameters, said):
    with pytest.raises(EquationError) as error:
        made(equations, **parameters).sized({"input_size": 3, "hidden_size": 4})
    assert said in error.value.into("en")


def test_sizes_in_words_are_known_once_the_sizes_are():
    sized = made("b = cat(x, h_prev)\nh = b[input_size:]").sized({"input_size": 3, "hidden_size": 4})
    assert sized.shapes["b"] == (7,)
    row = {"x": np.arange(3.0), "h_prev": np.arange(4.0) + 10}
    both = evaluate(sized.by_name["b"].expression, row, Values())
    np.testing.assert_array_equal(both, [0, 1, 2, 10, 11, 12, 13])
    np.testing.assert_array_equal(
        evaluate(sized.by_name["h"].expression, {"b": both}, Values()), row["h_prev"]
    )


QUESTIONS = {
    "isinf(a)": [0, 1, 0, 0], "isfinite(a)": [1, 0, 0, 1], "isnan(a)": [0, 0, 1, 0], "any(a)": [1], "all(a)": [0],
    "any(isnan(a))": [1], "all(a == a)": [0], "all(isfinite(a[0:1]))": [1], "argmax(a[0:2])": [1], "argmax(a)": [2],
}  # fmt: skip


@pytest.mark.parametrize("text", QUESTIONS)
def test_questions_have_numpys_answers(text):
    a = np.array([1.5, np.inf, np.nan, 0.0], np.float32)
    found = evaluate(parse_expression(text), {"a": a}, Values())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, QUESTIONS[text])


def blocks():
    return [block for block in Model(read(find("hello_lstm"))).blocks if block.kind == "recurrent"]


@pytest.mark.parametrize(
    "text", ["h", "h - h_prev", "h[0:2]", "softmax(h)", "cat(h, c)", "layer_norm(h, h, h)"]
)
def test_a_bare_vector_is_no_condition(text, capsys):
    with pytest.raises(EquationError, match="neither true nor false"):
        Watch.parse(text, blocks()).as_condition(blocks())
    status, _, err = run(capsys, "trace", "hello", "--until", text.replace("cat(h, c)", "cat(h, x)"))
    assert status == 2
    assert "is a vector of numbers, neither true nor false: write what is asked of it" in err
    session = Session.open(SessionRun.of(read(find("hello_lstm"))))
    with pytest.raises(EquationError, match="neither true nor false"):
        session.break_when(text)
    assert session.watch(text).watches  # a watch shows it


@pytest.mark.parametrize(
    "text", ["any(h > 0.5)", "h > 0.5", "isnan(h)", "all(isfinite(h))", "t == 3 and layer == 0", "max(h) - 0.2", "h[0]", "argmax(h) == 2", "not any(isinf(c))", "any(h[0:2] > 0)"]
)  # fmt: skip
def test_these_are_conditions(text):
    assert Watch.parse(text, blocks()).as_condition(blocks())


def test_a_watch_has_no_sizes_in_words():
    with pytest.raises(EquationError, match="`hidden_size` has no number here"):
        Watch.parse("h[0:hidden_size]", blocks())


def test_a_scenario_is_told_where_a_part_does_not_fit():
    text = 'input.values = [[1, 2]]\nrecurrent = {module = "m", hidden_size = 2}\nweights.seed = 0\n[cell.m]\nstate = ["h"]\nequations = """\nh = x[0:3]\n"""\n'
    with pytest.raises(ScenarioError, match=r"\[0:3\]` is no part of a vector of 2|gives 3"):
        read_text(text)
