"""`rnnstep check`: what it says, and how it ends."""

from __future__ import annotations

import json

import pytest

from rnnstep.cli import main
from tests.unit.command_line import run, written

RIGHT = "h_1 = 0.215 0.251 -0.484 -0.094"
UNBIASED = "h_2 = 0.248 0.392 0.197 -0.207"  # after RIGHT, without b_hh


def checked(capsys, *answers, more=()):
    status, out, _ = run(capsys, "check", "hello", *answers, "--format", "json", *more)
    return status, json.loads(out)


def test_right_answers_end_with_zero_and_wrong_ones_with_one(capsys):
    status, found = checked(capsys, RIGHT)
    assert (status, found["score"]) == (0, [1, 1])
    (answer,) = found["answers"]
    assert answer["t"] == 0
    assert (answer["layer"], answer["direction"], answer["name"]) == (0, "forward", "h")
    assert (answer["status"], answer["mistakes"]) == ("correct", [])
    assert answer["given"] == [0.215, 0.251, -0.484, -0.094]
    assert answer["expected"] == pytest.approx([0.21502, 0.25071, -0.48446, -0.09417], abs=1e-5)
    status, found = checked(capsys, RIGHT, UNBIASED)
    assert (status, found["score"]) == (1, [1, 2])
    assert [one["id"] for one in found["answers"][1]["mistakes"]] == ["no_b_hh"]
    assert found["answers"][1]["mistakes"][0]["explains"] == "all"


def test_what_follows_from_a_wrong_number_costs_nothing(capsys):
    _, found = checked(capsys, RIGHT, UNBIASED, "h_3 = 0.266 -0.134 0.073 -0.576")
    assert [one["status"] for one in found["answers"]] == ["correct", "wrong", "follow-through"]
    assert found["score"] == [2, 3]


def test_blanks_are_left_out_and_nothing_at_all_is_missing(capsys):
    _, found = checked(capsys, "h_1 = 0.215 ? ? −0.094", "h_2 = ? ? ? ?")
    assert found["answers"][0]["given"] == [0.215, None, None, -0.094]
    assert [one["status"] for one in found["answers"]] == ["correct", "missing"]
    assert found["score"] == [1, 2]


def test_lines_before_may_have_fewer_decimals_and_stand_after(capsys):
    lines = ["a_1 = 0.22 0.26 -0.53 -0.09", "a_2 = 0.28 0.41 0.18 -0.33", "h_3 = 0.266 -0.134 0.073 -0.576"]
    found = [checked(capsys, *order)[1]["answers"] for order in (lines, lines[::-1])]
    assert found[0] == found[1][::-1]
    assert [one["t"] for one in found[0]] == [0, 1, 2]


def test_few_numbers_are_named_possible_or_say_nothing(capsys):
    """Of one without b_hh: with three decimals, with two, and where its step alone is not all that may be wrong."""
    _, found = checked(capsys, "h_1 = 0.2150 0.2507 -0.4845 -0.0942", "h_2[0] = 0.248")
    (mistake,) = found["answers"][1]["mistakes"]
    assert (mistake["id"], mistake["explains"]) == ("no_b_hh", "all")
    assert 0 < mistake["chance"] < 0.01
    _, found = checked(capsys, RIGHT, "h_2[0] = 0.25")
    mistakes = {one["id"]: one for one in found["answers"][1]["mistakes"]}
    assert mistakes["no_b_hh"]["explains"] == "possible"
    assert 0.01 <= mistakes["no_b_hh"]["chance"] < 0.1
    _, found = checked(capsys, "h_2[0] = 0.24")
    assert found["answers"][0]["mistakes"] == []
    assert found["answers"][0]["too_coarse"] is True
    assert found["answers"][0]["next"]["name"] == "h"  # the rest of it


@pytest.mark.parametrize("answer", ["h_1 = 0.5 0.5 0.5 0.5", "h_1 = 0.1 0.2 0.3 0.4"])
def test_numbers_of_one_decimal_are_explained_by_nothing(capsys, answer):
    assert main(["check", "hello", answer]) == 1
    out = capsys.readouterr().out
    assert "these numbers are too few or too coarse to tell what was done" in out
    assert "may be" not in out
    assert "possible" not in out


def test_wrong_answers_of_one_sheet_are_taken_together(capsys):
    _, found = checked(capsys, RIGHT, "h_2[0] = 0.25", "h_2[1] = 0.39")
    for answer in found["answers"][1:]:
        explains = {one["id"]: one["explains"] for one in answer["mistakes"]}
        assert explains["no_b_hh"] == "all"
    _, found = checked(capsys, RIGHT, "h_2[0] = 0.25", "h_2[1] = -0.77")
    explains = {one["id"]: one["explains"] for one in found["answers"][1]["mistakes"]}
    assert "all" not in explains.values()


def test_decimals_that_tell_nothing_are_said_to(capsys):
    assert main(["check", "hello", "loss = 0", "--decimals", "0"]) == 0
    assert "so few decimals tell nothing: anything from −" in capsys.readouterr().out
    assert main(["check", "hello", RIGHT]) == 0
    assert "tell nothing" not in capsys.readouterr().out


def test_files_of_both_kinds_say_the_same(capsys, tmp_path):
    toml = written(
        tmp_path,
        "decimals = 3\n[[answer]]\nstep = 1\nname = 'h'\nvalue = [0.215, 0.251, -0.484, -0.094]\n"
        "[[answer]]\nt = 1\nname = 'h'\nindex = [0, 3]\nvalue = [0.439, -0.450]\n",
        "a.toml",
    )
    table = written(
        tmp_path,
        "step,name,index,value\n1,h,0,0.215\n1,h,1,0.251\n1,h,2,-0.484\n1,h,3,-0.094\n2,h,0,0.439\n2,h,3,-0.450\n",
        "a.csv",
    )
    _, one = checked(capsys, toml)
    _, other = checked(capsys, table)
    assert [a["given"] for a in one["answers"]] == [a["given"] for a in other["answers"]]
    assert one["score"] == other["score"] == [2, 2]
    assert one["answers"][1]["given"] == [0.439, None, None, -0.45]


def test_gradients_updates_and_later_epochs_are_marked(capsys):
    status, found = checked(
        capsys,
        "loss = 7.036",
        "grad.logits_5 = 0.353 0.164 -0.729 0.211",
        "grad.weight_hh[1,0] = -0.087",
        "w.weight_hh[1,0] = -0.390",
        "adam.m.bias_ih = 0.205 -0.052 -0.118 -0.065",
    )
    assert status == 0
    assert found["score"] == [5, 5]


def test_mistakes_of_a_file_are_told_with_their_places(capsys, tmp_path):
    path = written(
        tmp_path,
        "[[answer]]\nstep = 1\nname = 'hh'\nvalue = [1, 2]\n[[answer]]\nstep = 9\nname = 'h'\nvalue = [1, 2, 3, 4]\n"
        "[[answer]]\nstep = 1\nname = 'q'\nvalue = 1\n",
    )
    status, out, err = run(capsys, "check", "hello", path)
    assert (status, out) == (2, "")
    assert [line.split(": ", 1)[0].rsplit(":", 2)[1] for line in err.splitlines()] == ["4", "6", "11"]
    assert "has 4 numbers, found 2" in err
    assert "there is no step 9: there are 5" in err
    status, _, err = run(capsys, "check", "hello", written(tmp_path, "name,valeu\nh,1\n", "b.csv"))
    assert status == 2
    assert "b.csv:1:1: there is no column `valeu`" in err


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("h_1 = a b", "`a` is no number"),
        ("h_0 = 1", "steps count from 1"),
        ("= 1", "expected NAME = NUMBERS"),
    ],
)
def test_what_cannot_be_read_on_the_command_line_is_told(capsys, answer, told):
    status, _, err = run(capsys, "check", "hello", answer)
    assert status == 2
    assert told in err


def test_hints_give_nothing_away(capsys):
    _, out, _ = run(capsys, "check", "hello", RIGHT, UNBIASED, "--hints")
    assert "How many biases does torch have" in out
    assert "0.439" not in out
    assert "b_hh" not in out


def test_beyond_hundreds_of_wrong_answers_none_is_looked_into(capsys, monkeypatch):
    monkeypatch.setattr("rnnstep.checking.marked_sheet.MOST_REMARKED", 1)
    assert main(["check", "hello", "h_1 = 9 9 9 9", "--decimals", "3"]) == 1
    assert "not looked into" not in capsys.readouterr().out
    lines = "h_1 = 9.000 9 9 9\nh_2 = 8.000 8 8 8\n"
    status, out, _ = run(capsys, "check", "hello", *lines.split("\n")[:2])
    assert (status, out.count("not looked into: so many answers before it are wrong")) == (1, 1)


def test_numbers_that_were_rounded_more_than_others_are_told_so(capsys):
    assert main(["check", "hello", "h_1 = 0.215 0.25 -0.48 -0.1"]) == 1
    assert "right with fewer decimals: if you rounded to 1, say decimals = 1" in capsys.readouterr().out
    assert main(["check", "hello", "h_1 = 0.215 0.25 -0.48 0.3"]) == 1
    assert "fewer decimals" not in capsys.readouterr().out
    assert main(["check", "hello", "h_1 = 0.215 0.25 -0.48 -0.1", "--decimals", "3"]) == 1
    assert "fewer decimals" not in capsys.readouterr().out
