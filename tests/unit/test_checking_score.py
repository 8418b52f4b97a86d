"""What scores: right answers, and what follows from honest ones; not what follows from stock answers, and nothing beside NaN."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rnnstep.checking import Marks, inline_answers
from rnnstep.cli import main
from rnnstep.engine.learning import Learning
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.read import read, read_text
from tests.unit.command_line import NAN_IN_DATA, run, written

HELLO = Learning(read(find("hello")))
RELU = """
[input]
values = [[-1.0, -2.0], [0.5, 0.4], [0.3, -0.2]]
[recurrent]
module = "RNN"
hidden_size = 2
nonlinearity = "relu"
bias = false
[weights]
weight_ih_l0 = [[0.5, 0.1], [0.2, 0.3]]
weight_hh_l0 = [[0.3, -0.1], [0.2, 0.4]]
"""
IGNORED = """
vocabulary = ["a", "b", "c"]
[input]
text = "abca"
[recurrent]
module = "RNNCell"
hidden_size = 3
[weights]
seed = 0
[target]
indices = [-100, -100, -100, 2]
"""


def following(h: np.ndarray, t: int) -> str:
    """What `hello` has at step t, from 0, after any h."""
    w = {name: value.astype(float) for name, value in HELLO.scenario.parameters.items()}
    x = HELLO.scenario.batches[0].values[t, 0].astype(float)
    h = np.tanh(w["weight_ih"] @ x + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"])
    return f"h_{t + 1} = {' '.join(f'{one:.4f}' for one in h)}"


def scored(learning: Learning, *lines: str) -> tuple[list[str], list[bool], tuple[int, int]]:
    marked = Marks.of(learning, inline_answers(list(lines), Limits()))
    numbers = range(len(marked.marks))
    return [mark.status for mark in marked.marks], [marked.scores(number) for number in numbers], marked.score


@pytest.mark.parametrize(
    ("h", "scores"),
    [
        ("0 0 0 0", False),
        ("0.25 0.25 0.25 0.25", False),
        ("0 1 0 0", False),  # a copy of x
        ("0.2150 0.2507 -0.4845 0.0942", True),  # a sign lost
        ("0.2 -0.1 0.3 0.4", True),
    ],
)
def test_what_follows_from_a_stock_answer_does_not_score(h: str, scores: bool) -> None:  # noqa: FBT001 - a case
    given = np.array([float(one) for one in h.split()])
    statuses, found, score = scored(HELLO, f"h_1 = {h}", following(given, 1))
    assert statuses == ["wrong", "follow-through"]
    assert found == [False, scores]
    assert score == (int(scores), 2)


def test_a_copy_of_the_state_before_is_a_stock_answer() -> None:
    right = "0.2150 0.2507 -0.4845 -0.0942"
    given = np.array([float(one) for one in right.split()])
    statuses, found, _ = scored(HELLO, f"h_1 = {right}", f"h_2 = {right}", following(given, 2))
    assert statuses == ["correct", "wrong", "follow-through"]
    assert found == [True, False, False]


def test_a_stock_answer_in_pieces_is_one() -> None:
    pieces = [f"h_1[{k}] = 0.0000" for k in range(4)]
    statuses, found, score = scored(HELLO, *pieces, following(np.zeros(4), 1))
    assert statuses == ["wrong"] * 4 + ["follow-through"]
    assert not any(found)
    assert score == (0, 5)


def test_what_is_right_anyway_scores_after_a_stock_answer() -> None:
    _, found, _ = scored(HELLO, "h_1 = 0 0 0 0", "ih_2 = 0.4198 0.2404 0.1120 -0.4199")
    right = HELLO.epoch(0).forward(0).values("L0", 1)["ih"][0]
    line = f"ih_2 = {' '.join(f'{one:.4f}' for one in right)}"
    assert scored(HELLO, "h_1 = 0 0 0 0", line)[1] == [False, True]
    assert found[0] is False


def test_zeros_that_are_right_score_and_so_does_what_follows() -> None:
    learning = Learning(read_text(RELU))
    h = [learning.epoch(0).forward(0).values("L0", t)["h"][0] for t in range(3)]
    assert not h[0].any()
    lines = [f"h_{t + 1} = {' '.join(f'{one:.4f}' for one in value)}" for t, value in enumerate(h)]
    assert scored(learning, *lines)[1:] == ([True] * 3, (3, 3))


def test_a_copy_of_a_stock_answer_does_not_score() -> None:
    scenario = read_text(
        '[input]\nrandom = {shape = [2, 1, 3], seed = 1}\n[recurrent]\nmodule = "RNN"\nhidden_size = 3\n[weights]\nseed = 3\n'
    )
    statuses, found, _ = scored(Learning(scenario), "h_2 = 0 0 0", "h_n = 0 0 0")
    assert statuses == ["wrong", "follow-through"]
    assert found == [False, False]


def test_the_text_and_json_say_what_scores(capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["h_1 = 0 0 0 0", following(np.zeros(4), 1)]
    assert main(["check", "hello", *lines]) == 1
    out = capsys.readouterr().out
    assert "no score: h_1 is one number throughout, or a copy of another value" in out
    assert "0 of 2 right" in out
    _, out, _ = run(capsys, "check", "hello", *lines, "--format", "json")
    found = json.loads(out)
    assert [one["scores"] for one in found["answers"]] == [False, False]
    assert found["score"] == [0, 2]


@pytest.mark.parametrize(
    ("scenario", "lines", "place", "why"),
    [
        (NAN_IN_DATA, ["h_2 = 0.1 0.2", "h_3 = 0.1 0.2"], "2/L0/ih_i[0]", "x has NaN, as it was given"),
        (IGNORED, ["loss = 5"], "/total/loss[0]", 'over_time = "together"'),
    ],
)
def test_beside_what_is_not_finite_nothing_is_marked(
    capsys: pytest.CaptureFixture[str], tmp_path, scenario: str, lines: list[str], place: str, why: str
) -> None:
    path = written(tmp_path, scenario, "s.toml")
    assert main(["check", path, *lines]) == 0
    out = capsys.readouterr().out
    assert "✓" not in out
    assert "not marked: the run has NaN here, and is not finite from" in out
    assert place in out
    assert why in out
    assert "0 of 0 right" in out
    _, out, _ = run(capsys, "check", path, *lines, "--format", "json")
    found = json.loads(out)
    assert {one["status"] for one in found["answers"]} == {"unmarkable"}
    assert found["score"] == [0, 0]
    assert all(place in one["since"] and why in one["why"] for one in found["answers"])


def test_what_is_finite_in_such_a_run_is_marked(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    path = written(tmp_path, NAN_IN_DATA, "s.toml")
    _, out, _ = run(capsys, "check", path, "h_1 = 0.9 0.9", "h_2 = 1 1", "--format", "json")
    found = json.loads(out)
    assert [one["status"] for one in found["answers"]] == ["wrong", "unmarkable"]
    assert found["score"] == [0, 1]


def test_an_answer_is_shown_as_it_was_written(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    """0.8088 where three decimals were said: not shown as 0.809, of which nothing would be wrong."""
    text = (
        "[input]\nvalues = [[0.7], [0.5], [0.2]]\n[recurrent]\nmodule = 'RNN'\nhidden_size = 1\n"
        "[initial_state]\nh_0 = [0.1]\n[weights]\nweight_ih_l0 = [[0.9]]\nweight_hh_l0 = [[0.5]]\nbias_ih_l0 = [0.3]\n"
    )
    path = written(tmp_path, text, "s.toml")
    assert main(["check", path, "h_1 = .753", "h_2 = 0.8088", "h_3 = ?", "--decimals", "3"]) == 1
    out = capsys.readouterr().out
    assert "✗ h_2 = 0.8088" in out
    assert "0.8088 is wrong: honest rounding gives 0.80900 to" in out
    assert "digits cut off" in out
    assert main(["check", "hello", "h_1 = 0.2150 0.25 -0.484 -1e-1", "--decimals", "4"]) == 1
    assert "✗ h_1 = 0.2150 0.25 −0.484 −0.1" in capsys.readouterr().out


INFINITE = (
    "[input]\nvalues = [[1.0], [2.0], [1.0]]\n[recurrent]\nmodule = 'RNN'\nhidden_size = 2\nnonlinearity = 'relu'\n"
    "bias = false\n[weights]\nweight_ih_l0 = [[1.0], [0.5]]\nweight_hh_l0 = [[1e30, 0.0], [0.0, 0.5]]\n"
)


@pytest.mark.parametrize(
    ("answer", "status", "score"),
    [
        ("h_3 = 99 1.125", "unmarkable", [0, 0]),
        ("h_3 = inf 1.125", "unmarkable", [0, 0]),
        ("h_3 = 99 2", "wrong", [0, 1]),
        ("h_3 = ? 1.125", "correct", [1, 1]),
        ("h_3[1] = 1.125", "correct", [1, 1]),
        ("h_3[0] = 5", "unmarkable", [0, 0]),
    ],
)
def test_an_answer_of_which_one_number_is_not_finite_is_not_confirmed(
    capsys: pytest.CaptureFixture[str], tmp_path, answer: str, status: str, score: list[int]
) -> None:
    path = written(tmp_path, INFINITE, "s.toml")
    _, out, _ = run(capsys, "check", path, answer, "--format", "json")
    found = json.loads(out)
    assert [one["status"] for one in found["answers"]] == [status]
    assert found["score"] == score
    main(["check", path, answer])
    assert ("not marked: the run has ∞" in capsys.readouterr().out) == (status == "unmarkable")


NOT_CUT = {  # what stands a whole unit below a number that has nothing to cut, or that cutting cannot give
    "lstm_by_hand": ("ih_i_1 = 5.999 1.999", "ih_i_1 = 5.9999 1.9999"),
    "exact": ("ih_1 = 0.499", "ih_1 = 0.4995", "hh_2 = 0.045", "h_1 = 0.461", "h_1 = 0.4620"),
}
CUT = ("hh_2 = 0.0461", "h_2 = 0.779", "h_2 = 0.7797")
EXACT = (
    "[input]\nvalues = [[1.0], [2.0]]\n[recurrent]\nmodule = 'RNN'\nhidden_size = 1\nbias = false\n"
    "[weights]\nweight_ih_l0 = [[0.5]]\nweight_hh_l0 = [[0.1]]\n"
)


@pytest.mark.parametrize(
    ("name", "answer"), [(name, answer) for name, all_ in NOT_CUT.items() for answer in all_]
)
def test_digits_are_cut_only_where_cutting_gives_the_number(name: str, answer: str, capsys, tmp_path) -> None:
    path = name if name != "exact" else written(tmp_path, EXACT, "exact.toml")
    main(["check", path, answer, *(["--decimals", "3"] if answer.endswith("4995") else [])])
    out = capsys.readouterr().out
    assert "✗" in out
    assert "digits cut off" not in out


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ["h_1 = 0.5 0.25 -0.48 -0.09"],
            ["0.5 is wrong: honest rounding gives 0.200 to 0.230; the run has 0.215"],
        ),
        (
            ["h_1 = 0.5 0.25 -0.48 -0.09", "h_2 = 0.9 0.2 0.3 0.4"],
            ["gives 0.200 to 0.230; the run", "from your own numbers; the run has 0.44"],
        ),
        (
            ["h_1 = 0.215 0.251 -0.484 -0.094", "h_3 = 0.9 0.2 0.3 0.4"],
            ["from your own numbers; the run"],
        ),
        (
            ["h_3 = 0.215 0.251 -0.484 -0.094", "h_1 = 0.9 0.2 0.3 0.4"],
            ["0.9 is wrong: honest rounding gives 0.0"],
        ),
    ],
)
def test_own_numbers_are_told_of_where_they_have_a_part(
    capsys: pytest.CaptureFixture[str], lines: list[str], told: list[str]
) -> None:
    main(["check", "hello", *lines])
    out = capsys.readouterr().out
    assert all(words in out for words in told)
    assert out.count("from your own numbers") >= (len(told) > 1)
    assert ("own numbers" in out) == any("own numbers" in words for words in told) or len(lines) > 1


def test_few_decimals_of_a_loss_are_told_beside_its_mark(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "hello", "loss = 2"])
    assert "so few decimals tell nothing: anything from" in capsys.readouterr().out
    main(["check", "hello", "loss = 7.0420"])
    assert "few decimals" not in capsys.readouterr().out


def test_a_stock_answer_is_not_two_mistakes_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "hello", "h_1 = 0.000 0.000 0.000 0.000"])
    assert "two mistakes at once" not in capsys.readouterr().out
