"""`rnnstep grad`: its formats, its verdict, and what it says of the gradients."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

import rnnstep
from rnnstep.cli import main
from rnnstep.reference.run.gradients import run_gradients
from rnnstep.reports import gradients
from rnnstep.scenario.bundled import find, names
from rnnstep.scenario.read import read
from tests.unit.command_line import OWN, asked_once, run, written

WITH_LOSS = [name for name in names() if read(find(name)).loss is not None]

WINDOWS = """
[input]
random = {shape = [9, 1], seed = 1}
windows = {length = 3, stride = 3, batch_size = 1}
[recurrent]
module = "RNN"
hidden_size = 2
[weights]
seed = 1
[target]
values = [[[0.5, 0], [0, 0.5], [1, 0]], [[0, 0.5], [0.5, 0], [0, 1]], [[1, 1], [0, 0], [0.5, 0.5]]]
"""

PACKED = """
vocabulary = ["a", "b", "c"]
[input]
text = ["abc", "b", "ca"]
[recurrent]
module = "LSTM"
hidden_size = 2
bidirectional = true
[linear]
out_features = 3
[weights]
seed = 3
[target]
text = ["bca", "c", "ab"]
"""


# Half a million numbers of `names`: a test below asks for its text.
@pytest.mark.parametrize("name", [name for name in WITH_LOSS if name != "names"])
def test_every_bundled_scenario_with_a_loss_agrees_in_every_format(name, capsysbinary, monkeypatch):
    asked_once(monkeypatch, gradients, "gradients")
    for form in ("text", "md", "json", "csv", "npz"):
        assert main(["grad", name, "--format", form]) == 0
        assert capsysbinary.readouterr().out


# ── JSON ─────────────────────────────────────────────────────────────────────────────


def test_json_is_the_dictionary(capsys, tmp_path):
    for name in ("hello", "hello_lstm", "weather", written(tmp_path, PACKED), written(tmp_path, OWN)):
        _, out, _ = run(capsys, "grad", name, "--format", "json")
        assert json.loads(out) == rnnstep.grad(name).as_dict()


def test_json_holds_the_very_numbers(capsys):
    found = json.loads(run(capsys, "grad", "hello", "--format", "json")[1])
    gradients = rnnstep.grad("hello")
    assert list(found) == ["loss", "parameters", "states", "reference", "max_abs_diff", "tolerance", "agrees"]
    assert found["loss"] == gradients.loss
    for name, value in gradients.parameters.items():
        np.testing.assert_array_equal(np.array(found["parameters"][name], np.float32), value)
    np.testing.assert_array_equal(np.array(found["states"][2]["h"], np.float32), gradients.states[2]["h"])
    assert [(state["t"], state["layer"], state["direction"]) for state in found["states"]] == [
        (t, 0, "forward") for t in range(5)
    ]


def test_rows_that_are_over_have_no_state(capsys, tmp_path):
    found = json.loads(run(capsys, "grad", written(tmp_path, PACKED), "--format", "json")[1])
    rows = {(state["t"], state["direction"]): state["rows"] for state in found["states"]}
    assert rows[0, "forward"] == rows[0, "backward"] == [0, 1, 2]
    assert rows[1, "forward"] == [0, 2]
    assert rows[2, "backward"] == [0]
    assert all(np.shape(state["c"]) == (len(state["rows"]), 2) for state in found["states"])


def test_several_batches_are_lists(tmp_path):
    found = rnnstep.grad(written(tmp_path, WINDOWS)).as_dict()
    assert len(found["loss"]) == len(found["parameters"]["weight_ih_l0"]) == 3
    assert np.shape(found["reference"]["parameters"]["weight_ih_l0"]) == (3, 2, 1)
    assert {state["batch"] for state in found["states"]} == set(range(3))


def test_own_cell_is_a_self_check(capsys, tmp_path):
    path = written(tmp_path, OWN)
    found = json.loads(run(capsys, "grad", path, "--format", "json")[1])
    assert found["reference"] is None
    np.testing.assert_allclose(found["self_check"]["parameters"]["U"], found["parameters"]["U"], atol=1e-6)
    status, out, _ = run(capsys, "grad", path)
    assert status == 0
    marked = [line for line in out.splitlines() if line.endswith("✓")]
    assert marked
    assert all(line.endswith("self-check ✓") for line in marked)


# ── other formats ────────────────────────────────────────────────────────────────────


def test_csv_has_one_row_a_number(capsys, tmp_path):
    path = written(tmp_path, PACKED)
    rows = list(csv.DictReader(io.StringIO(run(capsys, "grad", path, "--format", "csv")[1])))
    found = rnnstep.grad(path)
    numbers = 1 + sum(value.size for value in found.parameters.values())
    numbers += sum(value.size for state in found.states for value in state.values())
    assert len(rows) == numbers
    weight = [float(row["value"]) for row in rows if row["name"] == "weight_hh_l0"]
    assert weight == found.parameters["weight_hh_l0"].reshape(-1).tolist()
    torch = [float(row["torch"]) for row in rows if (row["name"], row["t"], row["row"]) == ("c", "1", "2")]
    assert torch == [
        *found.reference.states[1]["c"][1].tolist(),
        *found.reference.states[4]["c"][1].tolist(),
    ]


def test_npz_holds_arrays_by_name(tmp_path):
    path = tmp_path / "grad.npz"
    scenario = written(tmp_path, PACKED)
    assert main(["grad", scenario, "--format", "npz", "--output", str(path)]) == 0
    with np.load(path, allow_pickle=False) as arrays:
        found = dict(arrays)
    gradients = rnnstep.grad(scenario)
    assert bool(found["agrees"])
    assert float(found["loss"]) == gradients.loss
    np.testing.assert_array_equal(found["parameters/weight_ih_l0"], gradients.parameters["weight_ih_l0"])
    assert found["l0_reverse/c"].shape == found["torch/l0_reverse/c"].shape == (3, 3, 2)
    assert (found["l0/h"][1:, 1] == 0).all()


def test_npz_of_several_batches(tmp_path):
    path = tmp_path / "grad.npz"
    assert main(["grad", written(tmp_path, WINDOWS), "--format", "npz", "--output", str(path)]) == 0
    with np.load(path) as arrays:
        assert arrays["batch2/parameters/weight_hh_l0"].shape == (2, 2)


def test_output_is_what_would_be_printed(capsys, tmp_path):
    path = tmp_path / "out.txt"
    assert run(capsys, "grad", "hello", "--output", str(path)) == (0, "", "")
    assert path.read_text("utf-8") == run(capsys, "grad", "hello")[1]
    assert run(capsys, "grad", "hello", "--output", str(path))[0] == 2


# ── what the text says ───────────────────────────────────────────────────────────────


def test_shares_of_the_steps_add_up_to_the_gradient(capsys):
    _, out, _ = run(capsys, "grad", "hello", "--decimals", "6")
    whole = {name: f"{np.linalg.norm(value):.6f}" for name, value in rnnstep.grad("hello").parameters.items()}
    for name in ("weight_ih", "weight_hh"):
        section = out.partition(f"the share of each step in ∂L/∂{name},")[2]
        lines = [line for line in section.splitlines() if line.startswith("  step 1:")]
        assert lines[0].endswith(f"norm {whole[name]}")


def test_shares_of_large_weights_are_told_by_their_norms(capsys):
    _, out, _ = run(capsys, "grad", "vanishing")
    section = out.partition("the share of each step in ∂L/∂weight_hh_l0,")[2].partition("\n\n")[0]
    rows = [line.split() for line in section.splitlines()[2:]]
    assert [int(row[0]) for row in rows] == list(range(60, 0, -1))
    gradient = rnnstep.grad("vanishing").parameters["weight_hh_l0"]
    assert float(rows[-1][2]) == pytest.approx(np.linalg.norm(gradient), abs=5e-5)


def test_both_biases_are_told_apart_in_gru_alone(capsys):
    assert "bias_ih and bias_hh have the same gradient: both" in run(capsys, "grad", "hello")[1]
    out = " ".join(run(capsys, "grad", "hello_gru")[1].split())
    assert "have the same gradient in r and z" in out
    assert "b_hn stands inside r * (…)" in out


def test_least_loss_is_told_where_a_state_is_the_logits(capsys):
    assert "the sum of 5 not below 1.704" in " ".join(run(capsys, "grad", "hello")[1].split())
    assert "no single loss is below" not in run(capsys, "grad", "hello_gru")[1]


def test_large_parameters_are_told_by_their_norm(capsys):
    out = run(capsys, "grad", "names")[1]
    assert out.count("∂L/∂embedding.weight 128×32, norm ") == 6
    assert out.count("4096 numbers, ") == 6


def test_ascii_is_ascii(capsys, tmp_path):
    for name in ("hello", "hello_gru", written(tmp_path, PACKED)):
        for form in ("text", "md"):
            out = run(capsys, "grad", name, "--ascii", "--format", form)[1]
            assert form == "md" or out.isascii()


def test_no_colour_where_there_is_no_terminal(capsys):
    assert "\x1b" not in run(capsys, "grad", "hello")[1]


# ── the verdict ──────────────────────────────────────────────────────────────────────


def test_disagreement_is_loud_and_status_1(capsys, monkeypatch):
    def altered(done, **options):
        found = run_gradients(done, **options)
        changed = {**found.parameters, "weight_hh": found.parameters["weight_hh"] + np.float32(1e-3)}
        return replace(found, parameters=changed)

    monkeypatch.setattr("rnnstep.reference.run.gradients.run_gradients", altered)
    status, out, _ = run(capsys, "grad", "hello")
    assert status == 1
    assert "✗ torch disagrees: " in out
    marks = {
        name: {line[-1] for line in out.partition(f"∂L/∂{name} ")[2].partition("\n\n")[0].splitlines()[1:]}
        for name in ("weight_ih", "weight_hh")
    }
    assert marks == {"weight_ih": {"✓"}, "weight_hh": {"✗"}}
    found = json.loads(run(capsys, "grad", "hello", "--format", "json")[1])
    assert found["agrees"] is False
    assert found["max_abs_diff"]["parameters"] == pytest.approx(1e-3, rel=0.01)


def test_no_loss_is_a_usage_error(capsys):
    status, out, err = run(capsys, "grad", "packed")
    assert (status, out) == (2, "")
    assert err.startswith("packed: there is no loss to go back from; add what each step should answer")
    assert "没有损失" in run(capsys, "grad", "packed", "--language", "zh")[2]


def test_other_dtype(capsys):
    found = json.loads(run(capsys, "grad", "hello", "--dtype", "float64", "--format", "json")[1])
    assert found["agrees"]
    assert found["max_abs_diff"]["parameters"] < 1e-14
