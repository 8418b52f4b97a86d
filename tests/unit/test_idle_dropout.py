"""Dropout of one layer never acts: it is told, as torch warns, and nothing is shown as if it did."""

from __future__ import annotations

import warnings

import pytest
import torch

import rnnstep
from rnnstep.errors import ScenarioError
from rnnstep.program import torch_program
from rnnstep.scenario.read import read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.info import info
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from tests.unit.command_line import run, written

ONE_LAYER = """
[input]
random = {shape = [3, 2, 4], seed = 0}
[recurrent]
module = "LSTM"
hidden_size = 3
dropout = 0.5
mode = "train"
[weights]
seed = 0
[target]
values = [[[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]], [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]], [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]]
[training]
lr = 0.1
"""
TWO_LAYERS = ONE_LAYER.replace("dropout =", "num_layers = 2\ndropout =")
TOLD = "dropout = 0.5 never acts"


@pytest.mark.parametrize("command", ["trace", "grad", "train", "code"])
def test_it_is_told_on_standard_error_and_left_out_of_the_module(command, capsys, tmp_path):
    status, out, err = run(capsys, command, written(tmp_path, ONE_LAYER))
    assert status == 0
    assert err.startswith(TOLD)
    assert len(err.splitlines()) == 1
    assert "dropout=" not in out
    status, out, err = run(capsys, command, written(tmp_path, TWO_LAYERS, "two.toml"))
    assert (status, err) == (0, "")
    assert "dropout=0.5" in out or command == "code"  # which writes the masks


def test_the_program_says_so_and_torch_has_nothing_to_warn_of():
    program = torch_program(read_text(ONE_LAYER))
    assert f"# {TOLD}" in program
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(program, "program.py", "exec"), {"__name__": "program"})
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        torch.nn.LSTM(4, 3, dropout=0.5)


def test_the_screen_says_so():
    session = Session.open(SessionRun.of(read_text(ONE_LAYER)))
    assert session.note is not None
    assert session.note.into("en").startswith(TOLD)
    text = plain(info(session, Look(), 100))
    assert "never acts" in text
    assert Session.open(SessionRun.of(read_text(TWO_LAYERS))).note is None


def test_the_numbers_are_those_without_it(tmp_path):
    (tmp_path / "s.toml").write_text(ONE_LAYER.replace("dropout = 0.5\n", ""))
    (tmp_path / "d.toml").write_text(ONE_LAYER)
    with_it, without = (rnnstep.trace(tmp_path / name).as_dict() for name in ("d.toml", "s.toml"))
    assert {**with_it, "title": ""} == {**without, "title": ""}


def test_targets_of_windows_are_told_how_many_there_are():
    series = "[input]\nvalues = [0.1, 0.2, 0.3, 0.4, 0.5]\nwindows = {length = 3}\n"
    rest = '[recurrent]\nmodule = "LSTM"\nhidden_size = 2\n[linear]\nout_features = 1\nfrom = "h_n"\n[weights]\nseed = 0\n'
    with pytest.raises(
        ScenarioError, match=r"found shape \(2,\), expected \(5, 1\).*filled with `pad`.*these 5"
    ):
        read_text(f"{series}{rest}[target]\nvalues = [0.4, 0.5]\n")
