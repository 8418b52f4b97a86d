"""`rnnstep trace`: its formats, watches, and files."""

from __future__ import annotations

import csv
import io
import json
import os
import stat

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.cli import main
from rnnstep.reference import check
from rnnstep.scenario.bundled import find, names
from tests.unit.command_line import written


def run(capsys, *arguments):
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("name", names())
def test_every_bundled_scenario_agrees_in_every_format(name, capsysbinary):
    for form in ("text", "md", "json", "csv", "npz"):
        if name == "names" and form != "npz":
            continue  # half a million numbers: one of the formats is enough
        assert main(["trace", name, "--format", form]) == 0
        assert capsysbinary.readouterr().out


def test_json_is_the_dictionary(capsys):
    for name in ("hello", "packed", "mgu", "windows", "lstm_by_hand", "embedding"):
        _, out, _ = run(capsys, "trace", name, "--format", "json")
        assert json.loads(out) == rnnstep.trace(name).as_dict()


def test_json_of_other_options(capsys):
    found = json.loads(
        run(capsys, "trace", "hello", "--format", "json", "--dtype", "float64", "--language", "zh")[1]
    )
    assert (found["dtype"], found["title"]) == ("float64", "hello → ohlol：一个 RNNCell")


def test_nan_and_infinity_are_written_as_words(capsys, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        "[input]\nvalues = [[nan], [inf]]\n[recurrent]\nmodule = 'RNN'\nnonlinearity = 'relu'\nhidden_size = 1\n"
        "[weights]\nweight_ih_l0 = [[1]]\nweight_hh_l0 = [[0]]\nbias_ih_l0 = [0]\n"
    )
    status, out, _ = run(capsys, "trace", str(path), "--format", "json")
    found = json.loads(out)
    assert found["steps"][0]["values"]["x"] == [["NaN"]]
    assert found["steps"][1]["values"]["x"] == [["Infinity"]]
    assert status == (0 if found["agrees"] else 1)
    assert run(capsys, "trace", str(path))[0] == status


def test_csv_has_one_row_a_number(capsys):
    rows = list(
        csv.DictReader(io.StringIO(run(capsys, "trace", "packed", "--format", "csv", "--watch", "max(h)")[1]))
    )
    run_ = rnnstep.trace("packed")
    numbers = sum(value.size for step in run_.steps for value in step.values())
    assert len([row for row in rows if row["name"] != "max(h)"]) == numbers
    last = [
        row
        for row in rows
        if (row["t"], row["direction"], row["row"], row["name"]) == ("1", "backward", "2", "h")
    ]
    assert [float(row["value"]) for row in last] == run_.output[1, 2, 2:].tolist()
    assert [float(row["torch"]) for row in last] == run_.reference.output[1, 2, 2:].tolist()
    assert all(row["torch"] == "" for row in rows if row["name"] == "max(h)")


def test_csv_holds_the_logits(capsys):
    rows = list(csv.DictReader(io.StringIO(run(capsys, "trace", "weather", "--format", "csv")[1])))
    found = [(row["t"], float(row["value"])) for row in rows if row["name"] == "logits"]
    assert found == [("", float(value)) for value in rnnstep.trace("weather").logits[:, 0]]


def test_npz_holds_arrays_by_name(tmp_path):
    path = tmp_path / "run.npz"
    assert main(["trace", "windows", "--format", "npz", "--output", str(path), "--watch", "norm(h)"]) == 0
    with np.load(path, allow_pickle=False) as arrays:
        found = dict(arrays)
    run_ = rnnstep.trace("windows")
    assert bool(found["agrees"])
    np.testing.assert_array_equal(found["batch3/output"], run_.output[3])
    np.testing.assert_array_equal(found["batch3/torch/h_n"], run_.reference.h_n[3])
    np.testing.assert_array_equal(found["batch0/l0/h"], run_.output[0].swapaxes(0, 1))
    np.testing.assert_allclose(
        found["batch0/l0/norm(h)"][..., 0], np.linalg.norm(found["batch0/l0/h"], axis=-1), rtol=1e-6
    )


def test_npz_of_a_stopped_run_ends_there(tmp_path):
    path = tmp_path / "run.npz"
    main(["trace", "packed", "--format", "npz", "--output", str(path), "--until", "t == 3"])
    with np.load(path) as arrays:
        assert np.isnan(arrays["l0/h"][4]).all()
        assert (arrays["l0/h"][3, 2] == 0).all()
        assert np.isnan(arrays["l0_reverse/h"]).all()


def test_two_runs_give_the_same_npz(tmp_path):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        main(["trace", "hello", "--format", "npz", "--output", str(path)])
    assert paths[0].read_bytes() == paths[1].read_bytes()


# ── watches ──────────────────────────────────────────────────────────────────────────


def test_watch_adds_a_line_a_step(capsys):
    _, out, _ = run(capsys, "trace", "hello", "--watch", "norm(h)", "--watch", "t * 10")
    lines = [line.split() for line in out.splitlines()]
    norms = [float(line[1]) for line in lines if line[:1] == ["norm(h)"]]
    np.testing.assert_allclose(norms, np.linalg.norm(rnnstep.trace("hello").output[:, 0], axis=-1), atol=5e-5)
    assert [line[3] for line in lines if line[:3] == ["t", "*", "10"]] == [
        "0.0000",
        "10.0000",
        "20.0000",
        "30.0000",
        "40.0000",
    ]


def test_watch_stands_in_json(capsys):
    found = json.loads(run(capsys, "trace", "packed", "--format", "json", "--watch", "sum(b_ih)")[1])
    values = [step["values"]["sum(b_ih)"] for step in found["steps"]]
    assert [len(value) for value in values[:5]] == [3, 3, 2, 2, 1]
    assert "sum(b_ih)" not in found["reference"]["steps"][0]["values"]


def test_until_stops_where_it_first_holds(capsys):
    _, out, _ = run(capsys, "trace", "hello", "--until", "h[3] < -0.4")
    assert "step 2/5" in out
    assert "step 3/5" not in out
    assert "stopped at step 2: `h[3] < -0.4` holds" in out
    assert "\n\nh_n (1, 4)\n" not in out


def test_until_is_true_for_any_row(capsys):
    found = json.loads(run(capsys, "trace", "packed", "--format", "json", "--until", "x[2] == 1")[1])
    assert [step["t"] for step in found["steps"]] == [0, 1, 2]


def test_until_that_never_holds_shows_the_whole_run(capsys):
    _, out, _ = run(capsys, "trace", "hello", "--until", "norm(h) > 9")
    assert "`norm(h) > 9` never holds" in out
    assert "step 5/5" in out


def test_watch_of_one_layer_only(capsys):
    found = json.loads(run(capsys, "trace", "embedding", "--format", "json", "--watch", "x[9]")[1])
    assert ["x[9]" in step["values"] for step in found["steps"][:2]] == [True, False]


# ── what is said of the numbers ──────────────────────────────────────────────────────


def test_disagreement_is_loud_and_status_1(capsys, monkeypatch):
    def altered(trace):
        checked_module = torch.nn.RNNCell.forward
        with monkeypatch.context() as patch:
            patch.setattr(torch.nn.RNNCell, "forward", lambda *args: checked_module(*args) + 1e-3)
            return check(trace)

    monkeypatch.setattr("rnnstep.reference.check", altered)
    status, out, _ = run(capsys, "trace", "hello")
    assert status == 1
    assert "✗ torch disagrees: " in out
    assert any(line.endswith(" ✗") for line in out.splitlines() if line.startswith("    h "))
    assert json.loads(run(capsys, "trace", "hello", "--format", "json")[1])["agrees"] is False
    assert run(capsys, "hello")[0] == 1


def test_own_cell_is_never_called_torchs(capsys):
    _, out, _ = run(capsys, "trace", "mgu")
    marked = [line for line in out.splitlines() if line.endswith("✓")]
    assert marked
    assert all(line.endswith("self-check ✓") for line in marked)


def test_runs_that_part_are_explained(capsys, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        "[input]\nrandom = {shape = [200, 1, 4], seed = 0}\n[recurrent]\nmodule = 'RNN'\nhidden_size = 16\n"
        "[weights]\nseed = 0\n"
    )
    weights = rnnstep.load(path).scenario.parameters
    arrays = "\n".join(f"{name} = {(value * 10).tolist()}" for name, value in weights.items())
    path.write_text(path.read_text().replace("[weights]\nseed = 0\n", f"[weights]\n{arrays}\n"))
    status, out, _ = run(capsys, "trace", str(path))
    assert status == 0
    assert "the runs part" in out


def test_letters_come_escaped(capsys, tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        'title = "\\u001b]0;gone\\u0007"\nvocabulary = ["\\u001b", "b"]\n[input]\ntext = "b\\u001b"\n'
        '[recurrent]\nmodule = "RNN"\nhidden_size = 2\n[weights]\nseed = 0\n[target]\ntext = "\\u001bb"\n'
    )
    for form in ("text", "md", "csv"):
        status, out, _ = run(capsys, "trace", str(path), "--format", form)
        assert status == 0
        assert "\x1b" not in out
        assert "\x07" not in out


def test_no_colour_where_there_is_no_terminal(capsys):
    assert "\x1b" not in run(capsys, "trace", "hello")[1]


# ── files ────────────────────────────────────────────────────────────────────────────


def test_output_is_what_would_be_printed(capsys, tmp_path):
    path = tmp_path / "out.txt"
    assert run(capsys, "trace", "hello", "--output", str(path)) == (0, "", "")
    assert path.read_text("utf-8") == run(capsys, "trace", "hello")[1]
    assert os.listdir(tmp_path) == ["out.txt"]


def test_file_that_is_there_is_kept(capsys, tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("mine")
    path.chmod(0o640)
    status, _, err = run(capsys, "trace", "hello", "--output", str(path))
    assert (status, err) == (2, f"{path} is there already: pass --force to replace it\n")
    assert path.read_text() == "mine"
    assert run(capsys, "trace", "hello", "--output", str(path), "--force")[0] == 0
    assert path.read_text("utf-8").startswith("hello →")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_failed_write_leaves_nothing(tmp_path, capsys, monkeypatch):
    def broken(selection, page):
        yield "begun"
        raise KeyboardInterrupt

    monkeypatch.setattr("rnnstep.cli.worked.worked_pieces", broken)
    assert run(capsys, "trace", "hello", "--output", str(tmp_path / "out.txt"))[0] == 130
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", "it is a folder"),
        ("missing/out.txt", "there is no folder"),
        ("\0", ""),
        ("n" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_written_is_told_before_anything_is_run(output, reason, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("rnnstep.reference.check", None)
    status, out, err = run(capsys, "trace", "hello", "--output", f"{tmp_path}/{output}")
    assert (status, out) == (2, "")
    assert err.startswith(f"cannot write {tmp_path}")
    assert reason in err


def test_link_is_written_through(capsys, tmp_path):
    (tmp_path / "target.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("target.txt")
    assert run(capsys, "code", "hello", "--output", str(tmp_path / "link.txt"), "--force")[0] == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert "import torch" in (tmp_path / "target.txt").read_text("utf-8")


def test_device_is_written_to_and_stays(capsys):
    assert run(capsys, "code", "hello", "--output", os.devnull)[0] == 0
    assert not os.path.isfile(os.devnull)


def test_allow_outside_lets_files_be_read(capsys, tmp_path):
    (tmp_path / "inner").mkdir()
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 3)))
    path = tmp_path / "inner" / "s.toml"
    path.write_text(
        '[input]\nfile = "../x.npy"\n[recurrent]\nmodule = "GRU"\nhidden_size = 2\n[weights]\nseed = 0\n'
    )
    assert run(capsys, "trace", str(path))[0] == 2
    assert run(capsys, "trace", str(path), "--allow-outside")[0] == 0
    assert run(capsys, "code", str(path), "--allow-outside")[0] == 0


def test_bundled_scenario_is_found_from_any_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "trace", "hello")[0] == 0
    assert find("hello").is_absolute()


TWO = """
input = {random = {shape = [2, 1, 2], seed = 1}}
layers = [
  {module = "RNN", hidden_size = 2, name = "low"},
  {module = "%s", hidden_size = 2, name = "high"},
]
weights = {seed = 1}
"""


def test_equations_of_several_modules_stand_under_their_names(capsys, tmp_path):
    _, out, _ = run(capsys, "trace", written(tmp_path, TWO % "GRU"))
    rows = out.splitlines()
    assert rows.index("  low:") < rows.index("  ih = W_ih · x + b_ih") < rows.index("  high:")
    assert rows.index("  high:") < rows.index("  ih_r = W_ir · x + b_ir")
    _, out, _ = run(capsys, "trace", written(tmp_path, TWO % "RNN"), "--format", "md")
    assert out.count("low, high:") == out.count("ih = W_ih @ x + b_ih") == 1
