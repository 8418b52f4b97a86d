"""Worksheets: what is printed is what is used, the key is marked right, and what is not there is refused."""

from __future__ import annotations

import re

import numpy as np
import pytest

from rnnstep.engine.learning import Learning
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read
from rnnstep.worksheet.friendly_weights import LEAST, MOST, friendly
from rnnstep.worksheet.worksheet import worksheet
from tests.unit.command_line import run, written

NAMES = [
    "hello",
    "rnn_cell",
    "lstm",
    "gru",
    "bidirectional",
    "initial_state",
    "weather",
    "packed",
    "mgu",
    "batch_first",
    "embedding",
    "relu",
    "multilayer",
]

NESTED = """
[input]
values = [[0.5, -1.0], [1.0, 0.25]]
[recurrent]
module = "odd"
hidden_size = 2
[weights]
seed = 3
[cell.odd]
state = ["h"]
parameters = {W = "hidden_size, hidden_size", U = "hidden_size, input_size", b = "hidden_size"}
equations = '''
s = softmax(W @ (U @ x) + 0.125 * h_prev)
m = mean(s * h_prev) + norm(x) / (1 + max(abs(h_prev)))
h = tanh(W @ (s * h_prev) - m + b) + 0.5 * (h_prev > 0)
'''
"""

NESTED_BOTH_WAYS = NESTED.replace(
    "hidden_size = 2\n", "hidden_size = 2\nnum_layers = 2\nbidirectional = true\n", 1
)

BOTH_WAYS = """
[input]
values = [[[0.5], [1.0], [-0.7]]]
[recurrent]
module = "LSTM"
hidden_size = 2
num_layers = 2
bidirectional = true
batch_first = true
dropout = 0.3
mode = "train"
[linear]
out_features = 2
from = "h_n"
[weights]
seed = 1
"""

WINDOWS = """
[input]
values = [[[0.5, 1.0]], [[-0.25, 0.75]], [[0.125, -1.0]], [[1.5, 0.0]]]
[[layers]]
name = "conv"
module = "Conv1d"
out_channels = 2
kernel_size = 3
padding = "same"
[[layers]]
module = "RNN"
hidden_size = 2
bidirectional = true
[[layers]]
name = "wide"
module = "Conv1d"
out_channels = 2
kernel_size = 3
padding = 2
dilation = 2
[[layers]]
name = "even"
module = "Conv1d"
out_channels = 2
kernel_size = 2
padding = "same"
[weights]
seed = 1
"""

JOINED = """
[input]
values = [[[0.5, 1.0]], [[-0.25, 0.75]]]
[[layers]]
name = "below"
module = "GRU"
hidden_size = 2
[[layers]]
name = "wide"
module = "Linear"
out_features = 2
[[layers]]
name = "top"
module = "Linear"
input = ["input", "below.h_n", "wide"]
out_features = 2
[weights]
seed = 1
"""


@pytest.mark.parametrize("decimals", [1, 3])
@pytest.mark.parametrize("name", [*NAMES, NESTED, NESTED_BOTH_WAYS, BOTH_WAYS, WINDOWS, JOINED])
def test_key_is_marked_right_with_the_saved_scenario(name, decimals, capsys, tmp_path):
    name = written(tmp_path, name) if "\n" in name else name
    saved, key, blank = (str(tmp_path / one) for one in ("sheet.toml", "key.toml", "blank.toml"))
    options = ("worksheet", name, "--decimals", str(decimals), "--format", "toml")
    assert run(capsys, *options, "--key", "--save", saved, "-o", key)[0] == 0
    status, out, err = run(capsys, "check", saved, key)
    assert status == 0, out + err
    assert "✗" not in out
    assert run(capsys, *options, "-o", blank)[0] == 0
    status, out, _ = run(capsys, "check", saved, blank)
    assert (status, "✓" in out, "✗" in out) == (0, False, False)


@pytest.mark.parametrize("text", [NESTED_BOTH_WAYS, BOTH_WAYS, WINDOWS, JOINED])
def test_key_has_the_numbers_of_the_run(text, tmp_path):
    sheet = worksheet(read(written(tmp_path, text)), (), (), 9)
    blocks = sheet.done.by_key
    for one in [one for one in sheet.asked if one.name == blocks[one.key].output]:
        at = 0 if blocks[one.key].extent.is_single else one.t
        expected = sheet.done.whole(one.key)[at, sheet.row]
        np.testing.assert_allclose(sheet.value(one), expected, atol=1e-6, err_msg=str(one))


def test_what_is_printed_is_what_is_used(capsys, tmp_path):
    saved = str(tmp_path / "sheet.toml")
    _, sheet, _ = run(capsys, "worksheet", "hello", "--decimals", "1", "--save", saved)
    scenario = read(saved)
    for value in scenario.parameters.values():
        np.testing.assert_array_equal(value, np.round(value.astype(float), 1).astype(value.dtype))
    row = scenario.parameters["weight_hh"][2].tolist()
    printed = re.sub(" +", " ", sheet)
    assert "| 2 | " + " | ".join(f"{value + 0.0:.1f}".replace("-0.0", "0.0") for value in row) in printed


def test_another_student_gets_other_weights(capsys):
    sheets = {run(capsys, "worksheet", "hello", "--seed", str(seed))[1] for seed in (1, 1, 2)}
    assert len(sheets) == 2


def test_sheet_says_what_its_key_is_made_from(capsys):
    _, sheet, _ = run(capsys, "worksheet", "hello", "--seed", "7", "--decimals", "3", "--language", "en")
    assert "scenario hello · decimals 3 · seed 7\n" in sheet
    assert re.search(r"^Name: _+ +Date: _+$", sheet, flags=re.MULTILINE)
    for form in ("tex", "toml"):
        _, sheet, _ = run(capsys, "worksheet", "pitfalls/oholo", "--format", form, "--language", "en")
        assert "pitfalls/oholo" in sheet
        assert "the scenario's own weights" in sheet
        assert "Name:" in sheet
        assert "Date:" in sheet
    options = ("--friendly", "--steps", "1-2,4", "--language", "en")
    _, sheet, _ = run(capsys, "worksheet", "hello_rnn", *options)
    assert "scenario hello_rnn · decimals 2 · friendly weights, seed 0 · steps 1-2,4\n" in sheet
    _, key, _ = run(capsys, "worksheet", "hello", "--key", "--language", "en")
    assert "Name:" not in key


# ── what is given, and in which order ────────────────────────────────────────────────


def test_only_what_is_needed_is_given(capsys):
    _, sheet, _ = run(capsys, "worksheet", "hello", "--steps", "1-2", "--values", "ih")
    assert re.findall(r"- `(\w+)` =", sheet) == ["x_1", "x_2", "b_ih"]
    assert "W_hh" not in sheet
    assert "tanh" not in sheet


def test_state_before_the_first_step_that_is_asked_for_is_given(capsys):
    _, whole, _ = run(capsys, "worksheet", "hello", "--values", "h", "--key", "--steps", "1-3")
    _, part, _ = run(capsys, "worksheet", "hello", "--values", "h", "--key", "--steps", "3")
    given = re.search(r"- `h_2` = \((.*)\)", part)
    assert given is not None
    assert re.findall(r"- `([xh]\w+)` =", part) == ["x_3", "h_2"]
    results = re.findall(r"^h_2\[\d\] = .* = (-?[\d.]+)$", whole, flags=re.MULTILINE)
    assert given[1].split(", ") == results
    assert whole.partition("## Step 3")[2] == part.partition("## Step 3")[2]


def test_backward_direction_begins_at_the_last_step(capsys):
    options = ("worksheet", "bidirectional", "--language", "en", "--values", "h")
    _, sheet, _ = run(capsys, *options)
    steps = re.findall(r"^## (Step \d, L0.)$", sheet, flags=re.MULTILINE)
    assert steps == [f"Step {t}, L0→" for t in range(1, 6)] + [f"Step {t}, L0←" for t in range(5, 0, -1)]
    assert "hh_t = W_hh · h_{t+1} + b_hh" in sheet
    assert "L0← begins at step 5 and goes back to step 1" in sheet
    _, sheet, _ = run(capsys, *options, "--steps", "2-3")
    assert re.findall(r"- `((?:L0. )?[xh]_\d)` =", sheet) == ["x_2", "x_3", "L0→ h_1", "L0← h_4"]


def test_blocks_say_what_enters_them(capsys, tmp_path):
    _, sheet, _ = run(capsys, "worksheet", "multilayer", "--steps", "1")
    assert "L1 x_t = L0 h_t\nL2 x_t = L1 h_t\n" in sheet
    _, sheet, _ = run(capsys, "worksheet", "weather", "--steps", "3")
    assert "h_n = h_3\n" in sheet
    _, sheet, _ = run(capsys, "worksheet", written(tmp_path, BOTH_WAYS), "--values", "logits")
    assert "L1 x_t = L1 mask_t ⊙ [L0→ h_t; L0← h_t]\n" in sheet
    assert "h_n = [L1→ h_3; L1← h_1]\n" in sheet
    assert re.search(r"- `L1 mask_2` = \((?:0|1\.428571429)(?:, (?:0|1\.428571429)){3}\)", sheet)


def test_each_step_of_a_window_says_which_step_it_is(capsys, tmp_path):
    """Of data, of both directions, of another window; and where none is there; what is given is the data themselves."""
    _, sheet, _ = run(capsys, "worksheet", written(tmp_path, WINDOWS))
    wires = """
conv input_0_t = input_{t-1}  (t = 1: 0)
conv input_1_t = input_t
conv input_2_t = input_{t+1}  (t = 4: 0)
wide output_0_t = [L0→ h_{t-2}; L0← h_{t-2}]  (t = 1-2: 0)
wide output_1_t = [L0→ h_t; L0← h_t]
wide output_2_t = [L0→ h_{t+2}; L0← h_{t+2}]  (t = 3-4: 0)
even wide_out_0_t = wide_out_t
even wide_out_1_t = wide_out_{t+1}  (t = 4: 0)
"""
    assert wires in sheet
    given = re.findall(r"- `(input_\d)` = \((.*)\)", sheet)
    numbers = ["0.50, 1.00", "-0.25, 0.75", "0.12, -1.00", "1.50, 0.00"]
    assert given == [(f"input_{t}", one) for t, one in enumerate(numbers, 1)]
    _, sheet, _ = run(capsys, "worksheet", written(tmp_path, WINDOWS), "--format", "tex")
    assert r"\quad (t = 1-2: 0)" in sheet


def test_two_sums_are_told_apart(capsys):
    status, sheet, _ = run(capsys, "worksheet", "residual_gru", "--key")
    assert status == 0
    assert "\nmiddle.add:\n" in sheet
    for said in (
        "top.L0 x_t = middle.add added_t",
        "middle.add h2_t = bottom.L0 h_t",
        "top.add added2_t = middle.add added_t",
        "added_t = top.add added_t",
    ):
        assert f"\n{said}\n" in sheet
    assert sheet.count("| `middle.add added_1` |") == 1
    assert sheet.count("| `top.add added_1` |") == 1


def test_all_that_is_joined_is_said(capsys, tmp_path):
    """Data, what belongs to no step, and what another layer gives, each of its own step."""
    _, sheet, _ = run(capsys, "worksheet", written(tmp_path, JOINED))
    assert re.search(r"^\w+_t = \[x_t; h_2; wide_out_t\]$", sheet, flags=re.MULTILINE)


def test_logits_of_a_final_state_are_of_the_last_step(capsys):
    status, sheet, _ = run(capsys, "worksheet", "weather", "--values", "logits", "--language", "en")
    assert status == 0
    assert re.findall("^## (.*)$", sheet, flags=re.MULTILINE) == ["Equations", "Given", "Linear layer"]
    status, _, err = run(
        capsys, "worksheet", "weather", "--values", "logits", "--steps", "1-2", "--language", "en"
    )
    assert status == 2
    assert "`logits` is a value of step 3 alone" in err


def test_gates_have_their_time_in_the_equations(capsys):
    _, sheet, _ = run(capsys, "worksheet", "lstm_by_hand")
    assert "c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t\ntanh_c_t = tanh(c_t)\nh_t = o_t ⊙ tanh_c_t\n" in sheet


# ── files ────────────────────────────────────────────────────────────────────────────


def test_sheet_and_scenario_are_two_files(capsys, tmp_path):
    one = tmp_path / "one.toml"
    (tmp_path / "link").symlink_to(tmp_path)
    for other in (one, tmp_path / "link" / "one.toml"):
        for force in ((), ("--force",)):
            status, out, err = run(
                capsys, "worksheet", "hello", "-o", str(one), "--save", str(other), "--language", "en", *force
            )
            assert (status, out, one.exists()) == (2, "", False)
            assert "are the same file" in err


@pytest.mark.parametrize("taken", ["--output", "--save"])
def test_no_file_is_replaced_without_force(taken, capsys, tmp_path):
    files = {"--output": tmp_path / "sheet.md", "--save": tmp_path / "sheet.toml"}
    files[taken].write_text("mine")
    options = [part for option, file in files.items() for part in (option, str(file))]
    assert run(capsys, "worksheet", "hello", *options)[0] == 2
    assert sorted(tmp_path.iterdir()) == [files[taken]]
    assert files[taken].read_text() == "mine"
    assert run(capsys, "worksheet", "hello", *options, "--force")[0] == 0
    assert "mine" not in files[taken].read_text()


def test_nothing_is_written_where_the_scenario_cannot_be_saved(capsys, tmp_path):
    sheet, saved = tmp_path / "sheet.md", tmp_path / "sheet.toml"
    status, _, err = run(capsys, "worksheet", "windows", "-o", str(sheet), "--save", str(saved))
    assert (status, list(tmp_path.iterdir())) == (2, []), err


# ── friendly weights ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["hello", "lstm", "gru"])
def test_friendly_weights_are_pleasant_and_hide_no_mistake(name):
    found = friendly(read(find(name)), 2, 0)
    assert found.hidden == ()
    for value in found.scenario.parameters.values():
        assert (value != 0).all()
        np.testing.assert_allclose(value * 10, np.round(value * 10), atol=1e-5)
    done = Learning(found.scenario).epoch(0).forward(0)
    for run_ in done.runs.values():
        size = np.abs(run_.over_time("h", 0))
        assert size.max() <= MOST
        if name == "hello":
            assert size.min() >= LEAST
    for layer in ("", "_l0", "_l1"):
        ih, hh = (found.scenario.parameters.get(f"bias_{kind}{layer}") for kind in ("ih", "hh"))
        assert ih is None or (ih != hh).all()


def test_friendly_weights_of_no_decimals_are_whole_numbers():
    found = friendly(read(find("lstm_by_hand")), 0, 0)
    for value in found.scenario.parameters.values():
        assert set(np.abs(value).ravel().tolist()) <= {1.0, 2.0, 3.0}


def test_size_is_checked_before_weights_are_searched(capsys, monkeypatch):
    monkeypatch.setattr("rnnstep.worksheet.friendly_weights.friendly", None)
    status, out, err = run(capsys, "worksheet", "names", "--friendly", "--language", "en")
    assert (status, out) == (2, "")
    assert "too many" in err


# ── what is refused ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--steps", "0"), "expected steps from 1"),
        (("--steps", "9"), "there is no step 9: there are 5"),
        (("--values", "hj"), "did you mean `h`?"),
    ],
)
def test_what_is_not_there_is_refused(options, told, capsys):
    status, out, err = run(capsys, "worksheet", "hello", *options)
    assert (status, out) == (2, "")
    assert told in err


def test_a_sheet_has_a_size(capsys):
    assert run(capsys, "worksheet", "names")[0] == 2
    sheet = worksheet(read(find("hello")), [1], ["h"], 2)
    assert [(one.key, one.t, one.name, one.size) for one in sheet.asked] == [("L0", 1, "h", 4)]
