"""The text of `rnnstep trace`, as it is read; differences of last digits are left out."""

from __future__ import annotations

import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from rnnstep.cli import main

_LAST_DIGITS = re.compile(r"\d(\.\d+)?e[-−]\d+|(?<=[ 　，])0(?= (apart|allowed)|，|$)", re.MULTILINE)


def _text(capsys, *arguments):
    status = main(["trace", *arguments])
    assert status == 0
    return "\n" + _LAST_DIGITS.sub("#", capsys.readouterr().out)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["hello", "lstm_by_hand"])
def test_worked_solution(name, language, capsys, snapshot):
    assert _text(capsys, name, "--language", language) == snapshot


def test_ascii(capsys, snapshot):
    text = _text(capsys, "packed", "--ascii", "--until", "t == 1", "--decimals", "2")
    assert text.isascii()
    assert text == snapshot


def test_markdown(capsys, snapshot):
    assert _text(capsys, "mgu", "--format", "md", "--watch", "norm(h - h_prev)") == snapshot


OF_FILE = """
[input]
values = [[1.0], [0.5]]
[recurrent]
module = "RNN"
hidden_size = 1
[weights]
file = "model.safetensors"
[target]
values = [[0.5], [0.5]]
"""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("command", ["trace", "grad"])
def test_a_verdict_on_the_weights_of_a_file_says_what_the_file_does_not(
    command, language, tmp_path, capsys, snapshot
):
    """The words after the last numbers: that torch agrees, and on what."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    shapes = ((1, 1), (1, 1), (1,), (1,))
    values = {name: np.full(shape, 0.5, np.float32) for name, shape in zip(names, shapes, strict=True)}
    save_file({f"decoder.{name}": value for name, value in values.items()}, tmp_path / "model.safetensors")
    (tmp_path / "s.toml").write_text(OF_FILE)
    assert main([command, str(tmp_path / "s.toml"), "--language", language]) == 0
    verdict = capsys.readouterr().out.rpartition("✓ ")[2]
    assert "model.safetensors" in verdict
    assert _LAST_DIGITS.sub("#", verdict) == snapshot
