"""Worksheets: what is printed is what is used, the key is marked right, and LaTeX is whole."""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pytest

from rnnstep.checking.friendly import LEAST, MOST, friendly
from rnnstep.checking.worksheet import worksheet
from rnnstep.engine.learning import Learning
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read
from tests.unit.command_line import run

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
]


@pytest.mark.parametrize("name", NAMES)
def test_key_is_marked_right_with_the_saved_scenario(name, capsys, tmp_path):
    saved, key, blank = (str(tmp_path / one) for one in ("sheet.toml", "key.toml", "blank.toml"))
    options = ("worksheet", name, "--decimals", "3", "--format", "toml")
    assert run(capsys, *options, "--key", "--save", saved, "-o", key)[0] == 0
    status, out, err = run(capsys, "check", saved, key)
    assert status == 0, out + err
    assert "✗" not in out
    assert run(capsys, *options, "-o", blank)[0] == 0
    status, out, _ = run(capsys, "check", saved, blank)
    assert (status, "✓" in out, "✗" in out) == (0, False, False)


def test_what_is_printed_is_what_is_used(capsys, tmp_path):
    saved = str(tmp_path / "sheet.toml")
    _, sheet, _ = run(capsys, "worksheet", "hello", "--decimals", "1", "--save", saved)
    scenario = read(saved)
    for value in scenario.parameters.values():
        np.testing.assert_array_equal(value, np.round(value.astype(float), 1).astype(value.dtype))
    row = scenario.parameters["weight_hh"][2].tolist()
    assert " | ".join(f"{value:.1f}" if f"{value:.1f}" != "-0.0" else "0.0" for value in row) in sheet


def test_numbers_put_in_come_to_the_result(capsys):
    _, sheet, _ = run(capsys, "worksheet", "rnn_cell", "--values", "ih,hh,a", "--decimals", "4", "--key")
    lines = re.findall(r"^\w+\[\d\] = (.*) = (-?[\d.]+)$", sheet, flags=re.MULTILINE)
    assert len(lines) == 18
    for worked, result in lines:
        numbers = re.sub(
            r"(?<![\d.])(\d+\.\d+)", r"Decimal('\1')", worked.replace("·", "*").replace("−", "-")
        )
        value = eval(numbers, {"Decimal": Decimal})  # a sum of products that the sheet itself printed
        assert abs(value - Decimal(result)) < Decimal("0.0003")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", ["hello", "lstm", "bidirectional"])
def test_latex_is_balanced(name, language, capsys):
    for key in ((), ("--key",)):
        _, text, _ = run(capsys, "worksheet", name, "--format", "tex", "--language", language, *key)
        assert text.startswith(r"\documentclass{ctexart}" if language == "zh" else r"\documentclass{article}")
        opened = re.findall(r"\\begin\{(\w+\*?)\}", text)
        closed = re.findall(r"\\end\{(\w+\*?)\}", text)
        assert sorted(opened) == sorted(closed)
        plain = text.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        assert not re.search(r"[−·←→⊙]", text)
        assert not re.search(r"_\{[^{}]*\}_\{", text)  # a double subscript


def test_another_student_gets_other_weights(capsys):
    sheets = {run(capsys, "worksheet", "hello", "--seed", str(seed))[1] for seed in (1, 1, 2)}
    assert len(sheets) == 2


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
