"""A torch that is not there, or broken: what needs it says so in one line, what does not goes on, and so does --no-torch."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.errors import UsageError
from rnnstep.reference.run import installed
from rnnstep.reference.worker.__main__ import _lacking
from rnnstep.reference.worker.messages import Request
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read
from tests import forked

ROOT = Path(__file__).parents[2]
BROKEN = {
    "not there": 'raise ModuleNotFoundError("No module named \'torch\'", name="torch")',
    "a library not there": 'raise ImportError("libtorch_cpu.so: cannot open shared object file")',
    "a library broken": 'raise OSError("[WinError 126] error loading c10.dll")',
    "for another numpy": 'raise RuntimeError("module was compiled against another version\\nof numpy")',
}
START = "import sys; from rnnstep.cli import main; sys.exit(main())"


@pytest.fixture
def without_torch(tmp_path):
    """Runs a command in a process where importing torch goes wrong in a way."""

    def run(kind: str, *arguments: str) -> tuple[int, str, str]:
        fake = tmp_path / "fake"
        fake.mkdir(exist_ok=True)
        (fake / "torch.py").write_text(BROKEN[kind] + "\n")
        found = forked.run(
            [sys.executable, "-c", START, *arguments],
            env={**os.environ, "PYTHONPATH": f"{fake}{os.pathsep}{ROOT}", "LC_ALL": "C.UTF-8"},
            cwd=tmp_path,
            encoding="utf-8",
        )
        return found.returncode, found.stdout, found.stderr

    return run


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("command", ["trace", "grad", "train"])
def test_one_line_says_how_to_install_it_and_how_to_do_without(command, kind, without_torch):
    status, out, err = without_torch(kind, command, "hello")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    for said in ("torch cannot be imported", "pip install torch", "whl/cpu", "CPU", "--no-torch"):
        assert said in err
    assert BROKEN[kind].split('("')[1].split('"')[0].split("\\n")[0] in err


@pytest.mark.parametrize("command", ["trace", "grad", "train"])
def test_our_numbers_alone(command, without_torch):
    status, out, err = without_torch("not there", command, "hello", "--no-torch", "--format", "json")
    assert (status, err) == (0, "")
    found, whole = json.loads(out), json.loads(json.dumps(getattr(rnnstep, command)("hello").as_dict()))
    for key in ("max_abs_diff", "agrees"):
        assert found[key] is None
    for key in ("reference", "one_step_diff", "tolerance"):
        assert found.get(key) is None
    alone = getattr(rnnstep, command)("hello", torch=False)
    assert json.loads(json.dumps(alone.as_dict())) == found
    assert alone.agrees is alone.max_abs_diff is None
    assert "without torch" in repr(alone)
    if command == "train":
        assert all(epoch["reference_loss"] is None for epoch in found["epochs"])
        for one in (*found["epochs"], *whole["epochs"]):
            del one["reference_loss"]
    beside = ("reference", "max_abs_diff", "one_step_diff", "tolerance", "agrees")
    assert {key: value for key, value in whole.items() if key not in beside} == {
        key: value for key, value in found.items() if key not in beside
    }


@pytest.mark.parametrize("command", ["trace", "grad", "train"])
def test_text_says_that_nothing_stands_beside(command, without_torch):
    status, out, err = without_torch("a library broken", command, "hello", "--no-torch")
    assert (status, err) == (0, "")
    assert "Nothing stands beside these numbers (--no-torch)" in out
    assert "✓" not in out
    assert "self-check" not in out


@pytest.mark.parametrize("command", ["trace", "grad"])
def test_other_formats_without_it(command, without_torch, tmp_path):
    for form in ("csv", "npz", "md"):
        status, _, err = without_torch(
            "not there", command, "hello_lstm", "--no-torch", "--format", form, "-o", f"out.{form}"
        )
        assert (status, err) == (0, "")
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert rows
    assert all(row["torch"] == "" and row["value"] for row in rows)
    with np.load(tmp_path / "out.npz") as arrays:
        assert not any(name.startswith("torch/") or name == "agrees" for name in arrays)
        assert len(arrays) > 5
    assert "Nothing stands beside" in (tmp_path / "out.md").read_text(encoding="utf-8")


SEEDED = """
vocabulary = ["a", "b"]
input.text = "ab"
embedding.embedding_dim = 2
recurrent = {module = "RNN", hidden_size = 2}
weights.seed = 0
target.text = "ba"
[training]
lr = 0.1
"""


@pytest.mark.parametrize("command", ["trace", "grad", "train"])
def test_what_torch_alone_can_draw_is_refused_with_the_reason(command, without_torch, tmp_path):
    (tmp_path / "s.toml").write_text(SEEDED)
    status, out, err = without_torch("not there", command, "s.toml", "--no-torch")
    assert (status, out) == (2, "")
    for said in ("embedding.weight", "seed", "torch alone", "--no-torch", "[weights]"):
        assert said in err
    with pytest.raises(UsageError, match="torch alone draws"):
        getattr(rnnstep, command)(tmp_path / "s.toml", torch=False)


def test_torchs_own_files_are_refused_with_the_reason(without_torch, tmp_path):
    torch.save({"embedding.weight": torch.zeros(2, 2)}, tmp_path / "w.pt")
    (tmp_path / "s.toml").write_text(SEEDED.replace("weights.seed = 0", 'weights.file = "w.pt"'))
    status, _, err = without_torch("not there", "trace", "s.toml", "--no-torch")
    assert status == 2
    assert "w.pt is torch's own kind of file" in err


def test_marking_and_sheets_need_it_only_where_a_seed_does(without_torch, tmp_path):
    (tmp_path / "s.toml").write_text(SEEDED)
    for command in (["check", "hello", "h_1 = 0.2 0.3 -0.5 -0.1"], ["worksheet", "hello"], ["code", "hello"]):
        status, out, err = without_torch("not there", *command)
        assert status in (0, 1)
        assert out
        assert err == ""
    for command in (["check", "s.toml", "h_1 = 0.2 0.3"], ["worksheet", "s.toml"]):
        status, out, err = without_torch("not there", *command)
        assert (status, out) == (2, "")
        assert len(err.splitlines()) == 1
        for said in ("torch alone draws embedding.weight", "cannot be imported", "pip install torch", "CPU"):
            assert said in err
        assert "--no-torch" not in err  # there it is no option


def test_the_screen_says_what_torch_was_to_draw_where_there_are_no_numbers_without_it(monkeypatch):
    """Of a scenario that waits for torch "nothing stands beside these numbers" would say too little."""
    monkeypatch.setattr(installed, "missing", lambda: "No module named 'torch'")
    waiting, ready = (read(find(name)) for name in ("embedding", "hello"))
    told = _lacking(Request(1, waiting))
    assert "torch alone draws embedding.weight" in str(told)
    assert "install it with" in str(told)
    assert _lacking(Request(1, ready)) is None
