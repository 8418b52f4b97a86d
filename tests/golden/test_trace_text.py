"""The text of `rnnstep trace`, as it is read; differences of last digits are left out."""

from __future__ import annotations

import re

import pytest

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
