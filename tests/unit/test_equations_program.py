"""Checking a cell's equations: names, shapes, states, sizes, and leaving biases out."""

from __future__ import annotations

import pytest

from rnnstep.equations.program import Program, check, program, written
from rnnstep.equations.syntax import parse_lines
from rnnstep.equations.write import write_line
from rnnstep.errors import EquationError

H, I = "hidden_size", "input_size"  # noqa: E741 - the letters of torch's pages
PARAMETERS = {"W": (H, I), "U": (H, H), "b": (H,), "P": (1, H), "k": (1,)}


def make(equations: str, states: tuple[str, ...] = ("h",)) -> Program:
    return program(equations, inputs={"x": (I,)}, states=dict.fromkeys(states, (H,)), parameters=PARAMETERS)


def test_shapes_of_all_names_are_known() -> None:
    shapes = make("a = W @ x + b\ns = sum(a)\nh = tanh(a) * s * k + 1").shapes
    assert (shapes["a"], shapes["s"], shapes["h"], shapes["h_prev"]) == ((H,), (1,), (H,), (H,))


def test_sized_puts_numbers_to_the_words() -> None:
    sized = make("a = W @ x + b\nh = tanh(a)").sized({H: 4, I: 2})
    assert (sized.shapes["W"], sized.shapes["a"], sized.states["h"], sized.inputs["x"]) == (
        (4, 2),
        (4,),
        (4,),
        (2,),
    )


def test_names_are_the_lines_in_order() -> None:
    checked = make("a = W @ x\nh = a")
    assert checked.names == ("a", "h")
    assert checked.by_name["h"].row == 1


@pytest.mark.parametrize(
    ("equations", "row", "message"),
    [
        ("a = h\nh = a", 0, "`h` is read before its line: did you mean `h_prev`?"),
        ("a = x\n\nh = tanh(h)", 2, "`h` is read before its line: did you mean `h_prev`?"),
        ("a = d\nd = b\nh = a", 0, "`d` is read before its line"),
        ("a = a + b\nh = a", 0, "`a` is read before its line"),
        ("h = W @ x + bb", 0, "unknown name `bb`: did you mean `b`?"),
        ("h = hprev", 0, "unknown name `hprev`: did you mean `h_prev`?"),
        ("a = x\nh = zzzz", 1, "unknown name `zzzz`"),
        ("x = b\nh = x", 0, "`x` is given and cannot be set"),
        ("W = b\nh = W", 0, "`W` is given and cannot be set"),
        ("h_prev = b\nh = b", 0, "`h_prev` is given and cannot be set"),
        ("h = b\nh = b", 1, "`h` is set twice"),
        ("tanh = b\nh = b", 0, "`tanh` cannot be used as a name"),
        ("for = b\nh = b", 0, "`for` cannot be used as a name"),
        ("a = b\nc = a", 1, "no equation sets the state `h`"),
        ("", 0, "no equation sets the state `h`"),
        ("h = 1", 0, "the state `h` has shape hidden_size, its equation gives 1"),
        ("h = x @ W", 0, "`@` is matrix times vector: input_size times hidden_size×input_size does not fit"),
        ("h = U @ U", 0, "does not fit"),
        ("h = 2 @ b", 0, "`@` is matrix times vector: 1 times hidden_size does not fit"),
        ("h = b * W", 0, "`*` is element by element"),
        ("h = b * sum(W)", 0, "`sum` needs a vector, found hidden_size×input_size"),
        ("h = b * max(2)", 0, "`max` needs a vector, found 1"),
        ("h = b * W[0]", 0, "`[0]` needs a vector, found hidden_size×input_size"),
        ("h = b * k[1]", 0, "`[1]` is outside a vector of 1"),
        ("h = b * k[-2]", 0, "`[-2]` is outside a vector of 1"),
        ("a = U * h_prev[0]\nh = a @ b", 0, "a matrix is made of parameters alone: `h_prev` changes from step to step"),
        ("a = x[0]\nh = (U * a) @ b", 1, "a matrix is made of parameters alone: `a` changes from step to step"),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_row(equations: str, row: int, message: str) -> None:
    with pytest.raises(EquationError) as caught:
        make(equations)
    assert message in str(caught.value)
    assert caught.value.line == row


@pytest.mark.parametrize(
    ("equations", "row", "message"),
    [
        ("h = sum(b)", 0, "the state `h` has shape 3, its equation gives 1"),
        ("h = x", 0, "the state `h` has shape 3, its equation gives 2"),
        ("a = b\nh = W @ a", 1, "`@` is matrix times vector: 3×2 times 3 does not fit"),
        ("h = b + x", 0, "`+` is element by element: 3 and 2 do not fit"),
        ("h = b * x[2]", 0, "`[2]` is outside a vector of 2"),
    ],
)
def test_sizes_that_may_turn_out_equal_are_judged_when_they_are_numbers(
    equations: str, row: int, message: str
) -> None:
    in_words = make(equations)
    with pytest.raises(EquationError) as caught:
        in_words.sized({I: 2, H: 3})
    assert message in str(caught.value)
    assert caught.value.line == row


@pytest.mark.parametrize("equations", ["h = tanh(x) + b", "h = W @ h_prev + b", "h = x"])
def test_sizes_that_are_equal_fit(equations: str) -> None:
    assert make(equations).sized({I: 3, H: 3}).shapes["h"] == (3,)


@pytest.mark.parametrize("name", ["x", "tanh", "and", "lambda"])
def test_parameter_that_hides_something_is_refused(name: str) -> None:
    with pytest.raises(EquationError, match=f"`{name}` cannot be used as a name"):
        program("h = x", inputs={"x": (I,)}, states={"h": (I,)}, parameters={name: (I,)})


def test_names_of_the_table_that_users_never_write_are_free() -> None:
    assert make("add = b\nlt = add\nh = lt").names == ("add", "lt", "h")


def test_matrix_of_parameters_alone_is_a_line_like_others() -> None:
    assert make("V = U * 2 + k\nh = V @ h_prev").shapes["V"] == (H, H)


def test_index_outside_is_found_once_sizes_are_known() -> None:
    words = make("h = b * x[3]")
    with pytest.raises(EquationError, match=r"`\[3\]` is outside a vector of 3"):
        words.sized({H: 4, I: 3})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("h = W @ x + b", "h = W @ x"),
        ("h = b + W @ x", "h = W @ x"),
        ("h = tanh(W @ x + b) + b", "h = tanh(W @ x)"),
        ("h = (W @ x + b)[0] * (U @ h_prev + b)", "h = (W @ x)[0] * (U @ h_prev)"),
    ],
)
def test_without_leaves_a_bias_out_of_its_sums(before: str, after: str) -> None:
    dropped = make(before).without(["b"])
    assert write_line(dropped.lines[0]) == after
    assert "b" not in dropped.parameters
    assert "b" not in dropped.shapes


def test_without_what_is_no_term_is_an_error() -> None:
    with pytest.raises(EquationError, match="unknown name `b`"):
        make("h = (W @ x) * b").without(["b"])


def test_shape_is_written_as_people_write_it() -> None:
    assert [written(shape) for shape in ((4, 2), (H,), ())] == ["4×2", "hidden_size", "1"]


# ── states that are read under other names ───────────────────────────────────────────────────


def test_state_is_read_as_its_name_says_unless_it_is_told_otherwise() -> None:
    plain = make("h = tanh(h_prev)")
    assert (plain.before("h"), plain.befores) == ("h_prev", ("h_prev",))
    lines = parse_lines("total = later + a\nh = h_next * a")
    told = check(lines, {"a": (2,)}, {"total": (2,), "h": (2,)}, {}, {"total": "later", "h": "h_next"})
    assert (told.befores, told.before("total")) == (("later", "h_next"), "later")
    assert told.shapes["h_next"] == (2,)
    assert told.sized({}).befores == told.befores
    assert told.without(["nothing"]).befores == told.befores


def test_name_that_stands_for_a_state_before_is_the_only_one() -> None:
    with pytest.raises(EquationError, match="unknown name `h_prev`"):
        check(parse_lines("h = h_prev"), {}, {"h": (2,)}, {}, {"h": "h_next"})
    with pytest.raises(EquationError, match="`h_next` is given and cannot be set"):
        check(parse_lines("h_next = a\nh = a"), {"a": (2,)}, {"h": (2,)}, {}, {"h": "h_next"})
