"""The text of `rnnstep grad` and `rnnstep train`, as it is read; differences of last digits are left out."""

from __future__ import annotations

import re

import pytest

from rnnstep.cli import main

pytestmark = pytest.mark.usefixtures("unhurried")

_DIFFERENCE = re.compile(r"\d(\.\d+)?e[-−]\d+|(?<=[ 　，])0(?= (apart|allowed)|，|,|$)", re.MULTILINE)
_PLACE = re.compile(
    r"\S*/\S+\[[\d,]+\](?= (# apart|处相差 #))"
)  # of the worst one, which is another elsewhere
_APART = re.compile(r"^( *\d+ +\d\.\d{4} +\d\.\d{4}) +\S+", re.MULTILINE)  # of an epoch's row


def _text(capsys, *arguments):
    assert main(arguments) == 0
    text = _DIFFERENCE.sub("#", _APART.sub(r"\1       #", capsys.readouterr().out))
    return "\n" + _PLACE.sub("PLACE", text)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_gradients(language, capsys, snapshot):
    assert _text(capsys, "grad", "hello", "--language", language) == snapshot


def test_gradients_in_ascii(capsys, snapshot):
    text = _text(capsys, "grad", "hello_gru", "--ascii", "--decimals", "2")
    assert text.isascii()
    assert text == snapshot


def test_gradients_of_several_rows_in_markdown(capsys, snapshot):
    assert _text(capsys, "grad", "weather", "--format", "md") == snapshot


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    "name", ["pitfalls/no_zero_grad", "pitfalls/oholo", "pitfalls/h_0_of_the_wrong_shape"]
)
def test_training(name, language, capsys, snapshot):
    assert _text(capsys, "train", name, "--language", language, "--epochs", "6") == snapshot


def test_training_in_ascii(capsys, snapshot):
    text = _text(capsys, "train", "hello", "--ascii", "--epochs", "3")
    assert text.isascii()
    assert text == snapshot
