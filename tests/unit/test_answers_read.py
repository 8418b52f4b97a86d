"""How answers are read from every source, and where a mistake in them is told to be."""

from __future__ import annotations

import io
import json
import math
import sys

import pytest

from rnnstep.checking import inline_answers
from rnnstep.checking.answers.numbers import NotNumbers, from_text
from rnnstep.checking.answers.reading import given_answers, read_answers
from rnnstep.errors import ScenarioError, UsageError
from rnnstep.scenario import bundled
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.source import LARGEST_FILE
from rnnstep.scenario.read import read
from rnnstep.session.own_answers import read_own
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from tests.unit.command_line import OWN, run, written

RIGHT = "0.215 0.251 -0.484 -0.094"  # of h_1 of hello
LINES = f"h_1 = {RIGHT}\n"
TOML = f'decimals = 3\n[[answer]]\nstep = 1\nname = "h"\nvalue = "{RIGHT}"\n'
STACKED = """
[input]
random = {shape = [3, 2, 2], seed = 4}
[recurrent]
module = "RNN"
hidden_size = 3
num_layers = 2
bidirectional = true
[linear]
out_features = 2
from = "h_n"
[weights]
seed = 4
[target]
indices = [0, 1]
"""


def given(capsys, *answers, more=()):
    """What was read of each answer: its numbers, None for a blank."""
    status, out, err = run(capsys, "check", "hello", *answers, "--format", "json", *more)
    assert status in (0, 1), err
    return [one["given"] for one in json.loads(out)["answers"]]


def refused(capsys, *answers, scenario="hello"):
    """The messages, each without the file's name."""
    status, out, err = run(capsys, "check", scenario, *answers)
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    return [line.rsplit("/", 1)[-1].partition(":")[2] for line in err.splitlines()]


def typed(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# ── a text: lines, or TOML ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text", [LINES, TOML, "# Ada\n\n" + LINES.replace("\n", "  # sure\r\n"), "\ufeff" + LINES]
)
@pytest.mark.parametrize("name", ["a.txt", "A.TXT", "a"])
def test_a_text_is_lines_or_toml(capsys, tmp_path, text, name):
    assert given(capsys, written(tmp_path, text, name)) == [[0.215, 0.251, -0.484, -0.094]]


@pytest.mark.parametrize("text", [LINES, TOML, "\ufeff" + LINES])
def test_standard_input_takes_both(capsys, monkeypatch, text):
    typed(monkeypatch, text.encode())
    assert given(capsys, "-") == [[0.215, 0.251, -0.484, -0.094]]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"h_1 = 1\n\xff", "<stdin>:2:1: not UTF-8"),
        (b"", "<stdin>:1:1: there are no answers"),
        (b"h_1 = 1 2 3 4\nh_9 = 1 2 3 4\n", "<stdin>:2:1: there is no step 9"),
        (b"[[answer]]\nname = 'h'\nstep = 9\nvalue = 1\n", "<stdin>:3:1: there is no step 9"),
        (b"#" * (9 << 20), "<stdin>:1:1: answers have at most 8 MiB"),
    ],
)
def test_what_standard_input_cannot_mean_is_told_with_its_line(capsys, monkeypatch, data, told):
    typed(monkeypatch, data)
    status, _, err = run(capsys, "check", "hello", "-")
    assert status == 2
    assert err.startswith(told)


def test_every_line_that_cannot_be_read_is_told(capsys, tmp_path):
    path = written(tmp_path, "h_1 = 1 2 3 4\nh_2 0.5\n\nh_3 = x\ndecimals = many\n", "a.txt")
    told = refused(capsys, path)
    assert [line.partition(": ")[0] for line in told] == ["2:1", "4:1", "5:1"]
    assert "`x` is no number" in told[1]
    assert "found many" in told[2]


def test_a_line_says_how_the_writer_rounds(capsys, tmp_path):
    """0.22 is what one decimal too many would be of 0.2; of 0.215 it is honest at two decimals only."""
    three = written(tmp_path, "decimals = 3\nh_1 = 0.22 ? ? ?\n", "three.txt")
    two = written(tmp_path, "decimals = 2\nh_1 = 0.22 ? ? ?\n", "two.txt")
    assert [run(capsys, "check", "hello", path)[0] for path in (three, two)] == [1, 0]


def test_the_option_says_it_where_the_answers_do_not(capsys, tmp_path):
    line = "h_1 = 0.22 ? ? ?"
    assert [run(capsys, "check", "hello", line, "--decimals", n)[0] for n in ("2", "3")] == [0, 1]
    said = written(tmp_path, f"decimals = 2\n{line}", "said.txt")
    assert run(capsys, "check", "hello", said, "--decimals", "3")[0] == 0


@pytest.mark.parametrize("name", ["a.md", "a.docx", "a.pdf", "a.json"])
def test_other_kinds_of_files_are_refused_whatever_they_hold(capsys, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    (told,) = refused(capsys, str(path))
    assert told.startswith(" answers are TOML (.toml), CSV (.csv) or lines such as h_1 =")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([""], "there are no answers: expected a file, or NAME = NUMBERS"),
        (["  "], "there are no answers: expected a file"),
        ([LINES, ""], "there are no answers: expected a file"),
        (["."], "is a folder: `rnnstep grade`"),
        (["none.toml"], "none.toml: there is no such file"),
        (["h1 = 1 2 3 4"], "there is no value `h1`; did you mean `h_1`?"),
        (["ih12 = 1 2 3 4"], "did you mean `ih_12`?"),
        (["q7 = 1"], "there is no value `q7`"),
    ],
)
def test_what_is_no_answer_is_told(capsys, answers, told):
    status, _, err = run(capsys, "check", "hello", *answers)
    assert status == 2
    assert told in err


def test_no_name_is_listed_twice(capsys):
    _, _, err = run(capsys, "check", "hello_lstm", "qqq = 1")
    known = err.strip().rpartition("known are ")[2].split(", ")
    assert {"h", "c", "logits", "loss"} <= set(known)
    assert len(known) == len(set(known))


# ── CSV ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "table",
    [
        "step,name,index,value\n1,h,0,0.215\n1,h,3,-0.094\n",
        "\ufeffstep,name,index,value\r\n1,h,0,0.215\r\n\r\n1,h,3,-0.094\r\n",
        "step;name;index;value\n1;h;0;0,215\n1;h;3;−0,094\n",
        "step;name;index;value\n1;h;0;0.215\n1;h;3;-0.094\n",
        "sep=;\r\nstep;name;index;value\r\n1;h;0;0,215\r\n1;h;3;-0,094\r\n",
        "step,name,index,value,,\n1,h,0,0.215,,\n,,,,,\n1,h,3,-0.094\n",
        "step,name,value\n1,h,0.215 ? ? -0.094\n",
        'step,name,value\n1,h,"0.215, ?, ?, -0.094"\n',
        "step;name;value\n1;h;0,215 ? ? -0,094\n",
        "t,layer,direction,batch,epoch,name,index,value,decimals\n0,0,forward,0,1,h,0,0.215,3\n0,,,,1,h,3,-0.094,3\n",
        "step,name,index,value\n1,h,0,0.215\n1,h,0,\n1,h,3,-0.094\n1,h,1,?\n",
    ],
)
def test_tables_as_spreadsheets_write_them(capsys, tmp_path, table):
    found = given(capsys, written(tmp_path, table, "a.csv"))
    together = [next((row[k] for row in found if row[k] is not None), None) for k in range(4)]
    assert together == [0.215, None, None, -0.094]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("step,name,value\n1,h,0,215\n", ["2:1: 4 cells under 3 columns: decimals are written with a point"]),
        ("step,name,value,\n1,h,0,215\n", ["2:1: 4 cells under 3 columns"]),
        ("step,name,index,value\n1,h,0,1\n\n1,h,0,2\n", ["4:1: `h[0]` is given twice: in line 2 already"]),
        ("step,name,index,value\n1,h,0,1\n1,h,1,1\n1,h,0,1\n1,h,1,1\n", ["4:1: `h[0]`", "5:1: `h[1]`"]),
        ("step,name,value,index\n1,h,1 2 3 4,\n1,h,0,3\n", ["3:1: `h[3]` is given twice: in line 2 already"]),
        ("name,step,t,index,value\nh,1,,0,1\nh,,0,0,1\n", ["3:1: `h[0]` is given twice: in line 2 already"]),
        ("step,name,index,value\n1,h,0,1\n1,h,-1,2\n", ["3:1: `index`: found -1"]),
        (
            "step,name,index,value\n1,h,0,1\n1,h,4,2\n1,h,9,2\n",
            ["3:1: `h` has 4 numbers: there is no entry [4]", "4:1"],
        ),
        (
            "step,name,index,value\n1,h,0,1\n1,h,1 2,2\n",
            ["3:1: `h` has 4 numbers: an entry is not [1, 2], but such as [0]"],
        ),
        ("step,name,name,value\n1,h,h,1\n", ["1:1: the column `name` stands here twice"]),
        ("\n\nstep,nam,value\n1,h,1\n", ["3:1: the first line names", "3:1: there is no column `nam`"]),
        ("", ["1:1: the first line names", "1:1: the first line names"]),
        ("epoch,step,name,value\n99,1,h,1 2 3 4\n", ["2:1: there is no epoch 99: there are 15"]),
        ("step,name,value,decimals\n1,h,1 2 3 4,x\n", ["2:1: `decimals`: found x"]),
        ("step,name,value,layer\n1,p,1 2 3 4,1\n", ["2:1: `p` takes no `layer`"]),
        ('step,name,value\n1,h,"0.2\n0.3"\n1,h,x\n', ["4:1: `value`: found x"]),
    ],
)
def test_a_mistake_in_a_table_is_told_on_its_own_line(capsys, tmp_path, table, told):
    found = refused(capsys, written(tmp_path, table, "a.csv"))
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True)), found


def test_a_table_says_epochs_and_decimals(capsys, tmp_path):
    table = "name,step,value,epoch,decimals\nh,1,0.215 ? ? ?,1,3\nh,1,0.22 ? ? ?,2,3\n"
    status, out, _ = run(capsys, "check", "hello", written(tmp_path, table, "a.csv"), "--format", "json")
    first, second = json.loads(out)["answers"]
    assert (status, first["status"], second["epoch"]) == (1, "correct", 2)
    assert second["status"] == "wrong"


# ── TOML: entries, and where mistakes are told ───────────────────────────────────────


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("name = 'h'\nstep = 1\nindex = 2\nvalue = 0.5", [None, None, 0.5, None]),
        ("name = 'h'\nstep = 1\nindex = [0, 3]\nvalue = [0.1, 0.2]", [0.1, None, None, 0.2]),
        ("name = 'h'\nstep = 1\nindex = [[3], [0]]\nvalue = [0.1, 0.2]", [0.2, None, None, 0.1]),
        ("name = 'h_n'\nindex = 1\nvalue = 0.5", [None, 0.5, None, None]),
        ("name = 'loss'\nindex = 0\nvalue = 0.5", [0.5]),
    ],
)
def test_an_index_names_entries_of_a_vector(capsys, tmp_path, keys, expected):
    assert given(capsys, written(tmp_path, f"[[answer]]\n{keys}\n", "a.toml")) == [expected]


@pytest.mark.parametrize(
    ("index", "value", "expected"),
    [
        ("[1, 0]", "0.5", {(1, 0): 0.5}),
        ("[1, 0]", "[0.5]", {(1, 0): 0.5}),
        ("[[1, 0]]", "0.5", {(1, 0): 0.5}),
        ("[[1, 0], [0, 2]]", "[0.5, 0.6]", {(1, 0): 0.5, (0, 2): 0.6}),
        ("[3, 3]", '""', {}),
    ],
)
def test_an_index_names_entries_of_a_matrix(capsys, tmp_path, index, value, expected):
    text = f"[[answer]]\nname = 'grad.weight_hh'\nindex = {index}\nvalue = {value}\n"
    (found,) = given(capsys, written(tmp_path, text, "a.toml"))
    numbers = {(i, j): one for i, row in enumerate(found) for j, one in enumerate(row) if one is not None}
    assert numbers == expected


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ("index = 4\nvalue = 1\nname = 'h'\nstep = 1", "2:1: `h` has 4 numbers: there is no entry [4]"),
        (
            "value = [1, 2]\nindex = [0,\n7]\nname = 'h'\nstep = 1",
            "4:1: `h` has 4 numbers: there is no entry [7]",
        ),
        ("index = 4\nvalue = '?'\nname = 'h'\nstep = 1", "2:1: `h` has 4 numbers: there is no entry [4]"),
        (
            "index = [1, 0]\nvalue = [1, 2]\nname = 'grad.weight_hh'",
            "2:10: `grad.weight_hh` has 4 × 4 numbers: an entry is not [1], but such as [0, 0]",
        ),
        (
            "index = [1, 0]\nvalue = [1, 2, 3]\nname = 'h'\nstep = 1",
            "3:1: `index` names 2 entries: found 3 numbers",
        ),
        (
            "index = [0, 0]\nvalue = [1, 2]\nname = 'h'\nstep = 1",
            "2:13: `h[0]` is given twice: in line 2 already",
        ),
        ("index = -1\nvalue = 1\nname = 'h'\nstep = 1", "2:1: `index`: found -1"),
        ("value = 1\nname = 'h'\nstep = 9", "4:1: there is no step 9"),
        ("value = 1\nname = 'h'\nt = 9", "4:1: there is no step 10"),
        ("value = 1\nname = 'h1'", "3:1: there is no value `h1`; did you mean `h` with step = 1?"),
        ("value = 1\nname = 'h_1'", "3:1: there is no value `h_1`; did you mean `h` with step = 1?"),
        ("value = 1\nname = 'loss'\nlayer = 1", "4:1: `loss` takes no `layer`"),
        ("value = 1\nstep = 1\nname = 'logits'\nlayer = 1", "5:1: `logits` takes no `layer`"),
        ("value = 1\nstep = 1\nname = 'p'\nlayer = 7", "5:1: `p` takes no `layer`"),
        ("value = 1\nstep = 1\nname = 'nll'\ndirection = 'backward'", "5:1: `nll` takes no `direction`"),
        ("value = 1\nname = 'h_n'\nt = 1", "4:1: `h_n` takes no `step`"),
        ("value = 1\nname = 'grad.weight_hh'\nstep = 2", "4:1: `grad.weight_hh` takes no `step`"),
        ("value = 1\nname = 'update.bias_hh'\nlayer = 1", "4:1: `update.bias_hh` takes no `layer`"),
        ("value = 1\nname = 'h'\nstep = 1\nlayer = 1", "5:1: there is no L1 in this run"),
    ],
)
def test_a_mistake_in_a_table_of_toml_is_told_at_its_key(capsys, tmp_path, keys, told):
    (found,) = refused(capsys, written(tmp_path, f"[[answer]]\n{keys}\n", "a.toml"))
    assert found.startswith(told)


def test_what_has_no_layer_takes_the_first_one(capsys):
    assert given(capsys, "1/L0/p = 0.1 ? ? ?", "1/L0/logits = 0.2 ? ? ?") == [
        [0.1, None, None, None],
        [0.2, None, None, None],
    ]


def test_a_parameter_is_of_the_layer_that_the_answer_says(capsys, tmp_path):
    scenario = written(tmp_path, STACKED)
    place = 'index = [0, 0]\nvalue = "?"\nlayer = 1\ndirection = "backward"\n'
    names = ("grad.weight_hh", "grad.weight_hh_l1_reverse", "grad.W_hh")
    tables = "".join(f'[[answer]]\nname = "{name}"\n{place}' for name in names)
    _, out, _ = run(capsys, "check", scenario, written(tmp_path, tables, "a.toml"), "--format", "json")
    first, second, third = (one["expected"] for one in json.loads(out)["answers"])
    assert first == second == third
    for name in ("grad.weight_hh_l0", "grad.linear.bias", "output"):
        path = written(tmp_path, f'[[answer]]\nname = "{name}"\nvalue = "?"\nstep = 1\nlayer = 1\n', "b.toml")
        assert refused(capsys, path, scenario=scenario)


def test_what_is_of_the_final_state_takes_no_step_but_the_last(capsys, tmp_path):
    scenario = written(tmp_path, STACKED)
    for step in ("", "step = 3\n"):
        path = written(tmp_path, f'[[answer]]\nname = "logits"\nvalue = "? ?"\n{step}', "a.toml")
        assert run(capsys, "check", scenario, path)[0] == 0
    path = written(tmp_path, '[[answer]]\nname = "logits"\nvalue = "? ?"\nstep = 2\n', "a.toml")
    assert refused(capsys, path, scenario=scenario) == [
        "4:1: `logits` is of the final state alone: say no step, or 3"
    ]


# ── one entry, one answer ────────────────────────────────────────────────────────────


def test_entries_in_pieces_are_one_calculation(capsys):
    """Wrong in the first piece, and right from both: what follows rests on all four entries."""
    _, out, _ = run(
        capsys,
        "check",
        "hello",
        "h_1 = 0.215 ? ? -0.094",
        "h_1[1] = 0.251",
        "h_1[2] = -0.484",
        "hh_2 = 0.239 -0.212 0.251 0.199",
        "--format",
        "json",
    )
    found = json.loads(out)["answers"]
    assert [one["status"] for one in found[:3]] == ["correct"] * 3
    whole = json.loads(
        run(capsys, "check", "hello", LINES, "hh_2 = 0.239 -0.212 0.251 0.199", "--format", "json")[1]
    )["answers"][1]
    assert (found[3]["low"], found[3]["high"]) == (whole["low"], whole["high"])


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            ["h_1 = 1 2 3 4", "h_2 = 1 2 3 4", "h_1 = 1 2 3 4"],
            "3:1: `h[0]` is given twice: in line 1 already",
        ),
        (["h_1 = 1 2 ? 4", "h_1 = ? ? 3 4"], "2:1: `h[3]` is given twice: in line 1 already"),
        (["loss = 1", "loss = 2"], "2:1: `loss` is given twice: in line 1 already"),
        (["h_1[2] = 1", "1/L0/h[2] = 1"], "2:1: `h[2]` is given twice: in line 1 already"),
    ],
)
def test_an_entry_is_given_once(capsys, tmp_path, lines, told):
    assert refused(capsys, *lines) == [told]
    assert refused(capsys, written(tmp_path, "\n".join(lines), "a.txt")) == [told]


def test_both_places_of_an_entry_given_twice_are_told(capsys, tmp_path):
    first = "[[answer]]\nname = 'h'\nstep = 1\nvalue = [1, 2, 3, 4]\n"
    second = "[[answer]]\nname = 'h'\nt = 0\nindex = [0,\n 2]\nvalue = [1, 2]\n"
    path = written(tmp_path, first + second, "a.toml")
    assert refused(capsys, path) == [
        "8:10: `h[0]` is given twice: in line 4 already",
        "9:2: `h[2]` is given twice: in line 4 already",
    ]


def test_the_same_numbers_under_other_names_are_no_repetition(capsys):
    same = "0.353 -0.140 0.046 -0.531"
    assert (
        len(given(capsys, f"h_5 = {same}", f"h_n = {same}", f"output_5 = {same}", f"logits_5 = {same}")) == 4
    )


def test_all_zeros_are_numbers_and_all_blanks_are_none(capsys):
    _, out, _ = run(
        capsys,
        "check",
        "hello",
        "h_1 = 0 0 0 0",
        "h_2 = 0.00 0.00 0.00 0.00",
        "h_3 = ? ? ? ?",
        "--format",
        "json",
    )
    found = json.loads(out)["answers"]
    assert [one["status"] for one in found] == ["wrong", "wrong", "missing"]
    assert found[0]["given"] == [0, 0, 0, 0]


def test_nothing_of_a_file_steers_the_terminal(capsys, tmp_path):
    evil = "\x1b[31m\u202e[bold]"
    for text, name in (
        (f"h_1 = {evil}\nq{evil} = 1\n", "a.txt"),
        (f"step,name,value\n1,{evil},{evil}\n", "a.csv"),
        (f"step,{evil},name,value\n", "b.csv"),
        ('[[answer]]\nstep = 1\nname = "\\u001b[31m\\u202e"\nvalue = "\\u001b[31m"\n', "a.toml"),
    ):
        status, out, err = run(capsys, "check", "hello", written(tmp_path, text, name))
        assert (status, out) == (2, "")
        assert "\x1b" not in err
        assert "\u202e" not in err


def test_what_marks_are_told_under_is_read():
    lines = ["L1 h_3 = 0.5", "L0← h_3 = 0.5", "e2: update.bias_hh = 0.5", "e2: 3/L1/hh[1] = 0.5", "2/h = 0.5"]
    found = inline_answers(lines, Limits()).answers
    assert [(one.name, one.t, one.layer, one.direction, one.epoch) for one in found] == [
        ("h", 2, 1, "forward", None),
        ("h", 2, 0, "backward", None),
        ("update.bias_hh", None, None, "forward", 2),
        ("hh", 2, 1, "forward", 2),
        ("h", 1, None, "forward", None),
    ]
    with pytest.raises(UsageError, match="epochs count from 1"):
        inline_answers(["e0: loss = 1"], Limits())


def test_a_line_names_a_place_along_a_sequence_and_of_a_layer_that_is_no_stack():
    lines = [
        "target:3/decoder.L0/h = 0.5",
        "e2: target:1/attention/scores[2] = 0.5",
        "2/attention/weights = 0.5",
    ]
    found = inline_answers(lines, Limits()).answers
    assert [(one.name, one.t, one.sequence, one.block, one.layer, one.index) for one in found] == [
        ("h", 2, "target", "decoder", 0, None),
        ("scores", 0, "target", "attention", None, ((2,),)),
        ("weights", 1, None, "attention", None, None),
    ]


def test_a_value_of_several_modules_says_of_which(capsys):
    status, _, err = run(capsys, "check", "residual_gru", "added_2 = 0.1 0.2 0.3 0.4")
    assert status == 2
    assert "`added` is a value of middle.add, top.add: say of which" in err
    status, out, _ = run(capsys, "check", "residual_gru", "2/top.add/added = 0.9123 0.9234 0.9345 0.9456")
    assert status == 1
    assert "added_2" in out


def test_decimal_commas_apart_by_blanks_are_read():
    for text, values in {
        "h_1 = 0,215 0,251 ? -0,09": [0.215, 0.251, None, -0.09],
        "h_1 = 0,54": [0.54],
        "h_1 = 1,2": [1, 2],
        "h_1 = 0.5, 0.25": [0.5, 0.25],
        "h_1 = 1, 2": [1, 2],
    }.items():
        (one,) = inline_answers([text], Limits()).answers
        assert [None if math.isnan(value) else value for value in one.numbers.value.tolist()] == values


@pytest.mark.parametrize("sign", ["≈", "~=", "=~", "≒", "～", "~", "∼", "≃", "≅", "=", "= ≈"])
def test_about_equal_says_what_equal_says(capsys, tmp_path, sign):
    line = f"h_1 {sign} 0.216 0.251 ? −0.094"
    (one,) = inline_answers([line], Limits()).answers
    assert (one.name, one.numbers.value[0]) == ("h", 0.216)
    assert run(capsys, "check", "hello", line)[0] == 0
    assert run(capsys, "check", "hello", str(written(tmp_path, f"{line}\n", "a.txt")))[0] == 0
    session = Session.open(SessionRun.of(read(bundled.find("hello"))))
    assert read_own(line).marked(session.run.learning).marks[0].status == "correct"


def test_a_path_with_a_tilde_is_no_answer(capsys):
    assert "no such file" in run(capsys, "check", "hello", "~/nowhere.toml")[2]


def test_about_equal_is_read_in_a_value_too(capsys, tmp_path):
    text = '[[answer]]\nstep = 1\nname = "h"\nvalue = "≈0.216 ≈ 0.251 ? ?"\n'
    assert run(capsys, "check", "hello", str(written(tmp_path, text, "a.toml")))[0] == 0


def test_of_a_worked_line_the_result_is_read():
    for line, value in {
        "1/L0/ih[3] = −0.10995·0 + 0.40885·1 + 0.03337·0 + 0.20734·0 − 0.22919 = 0.1797": 0.1797,
        "3/L0/h[1] = tanh(−0.5776 + 1e-8) ≈ −0.52": -0.52,
        "hh_3[0] = 0.2*0.3 - 0.1 = -0.04": -0.04,
        "hh_3[0] = 0.2·0.3 … 3 more terms ≈ 0.05": 0.05,
    }.items():
        (one,) = inline_answers([line], Limits()).answers
        assert one.numbers.value == value
    for line in ("h_1[0] = 0.2 h_2 = 0.3", "h_1 = 0.2 = 0.3", "h_1[0] = 0.2 ="):
        with pytest.raises(UsageError):
            inline_answers([line], Limits())


def test_names_that_end_in_a_number_are_read(capsys, tmp_path):
    scenario = written(tmp_path, OWN.replace("W =", "W_1 =").replace("W @", "W_1 @"), "own.toml")
    status, out, _ = run(capsys, "check", str(scenario), "grad.W_1 = 99; 99")
    assert (status, "grad.W_1 = 99" in out) == (1, True)


def test_decimals_alone_are_no_answers():
    with pytest.raises(UsageError, match="there are no answers"):
        inline_answers(["decimals = 2"], Limits())


MILLION = 1_000_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.txt", "h_1 = " + "0.5 " * MILLION),
        ("m.txt", "h_1 = " + "1;" * MILLION),
        ("m.txt", "h_1 = 1\n" * MILLION),
        ("m.toml", '[[answer]]\nname = "h"\nvalue = [' + "1," * MILLION + "]\n"),
        ("m.toml", '[[answer]]\nname = "h"\nvalue = 1\n' * MILLION),
        ("m.csv", "name,value\nh," + "1 " * MILLION + "\n"),
        ("m.csv", "name,index,value\n" + "h,0,1\n" * MILLION),
    ],
    ids=["row", "matrix", "lines", "list", "tables", "cell", "rows"],
)
def test_more_numbers_than_anybody_works_out_are_refused_before_any_is_read(
    name, text, tmp_path, monkeypatch
):
    (tmp_path / name).write_text(text[: LARGEST_FILE - 1], "utf-8")
    for reader in ("line_answers", "_toml"):
        monkeypatch.setattr(f"rnnstep.checking.answers.reading.{reader}", None)
    with pytest.raises(ScenarioError, match="more than 200,000 numbers and words"):
        read_answers(tmp_path / name, Limits())
    with pytest.raises(ScenarioError, match="more than 200,000 numbers and words"):
        given_answers(text[: LARGEST_FILE - 1].encode(), "<stdin>", Limits())


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_message_does_not_repeat_a_megabyte(language, capsys, tmp_path):
    path = written(tmp_path, f"{'n' * MILLION} = 1", "a.txt")
    status, out, err = run(capsys, "check", "hello", path, "--language", language)
    assert (status, out) == (2, "")
    assert "nnn … nnn" in err
    assert len(err) < 1500


@pytest.mark.parametrize("text", ["2⁵", "0.2²", "½", "①"])
def test_what_only_looks_like_a_digit_is_no_number(text):
    with pytest.raises(NotNumbers):
        from_text(text)


def test_digits_of_other_widths_and_alphabets_are_read():
    assert from_text("０．２５ −３ ٢").value.tolist() == [0.25, -3.0, 2.0]
