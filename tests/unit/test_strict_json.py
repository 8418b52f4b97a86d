"""JSON is strict whatever the numbers are: what is not finite is the strings "NaN", "Infinity" and "-Infinity"."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import rnnstep
from rnnstep.reports.formats import strict
from tests.unit.command_line import run, written

NAN = """
[input]
values = [[1.0], [nan], [0.5]]
[recurrent]
module = "RNN"
hidden_size = 2
[weights]
seed = 0
[target]
values = [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]
[training]
lr = 0.1
epochs = 2
"""
INFINITE = NAN.replace("nan", "-inf").replace("hidden_size = 2", 'hidden_size = 2\nnonlinearity = "relu"')
# A loss at the last letter alone, over a cell whose losses are added up: the mean of nothing at the steps before.
OF_NOTHING = """
vocabulary = ["a", "b", "c"]
[input]
text = "abca"
[recurrent]
module = "RNNCell"
hidden_size = 3
[weights]
seed = 0
[target]
indices = [-100, -100, -100, 2]
[training]
optimizer = "SGD"
lr = 0.1
epochs = 2
"""


def parsed(text):
    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def in_floats(value):
    """JSON's words as the floats that they stand for."""
    names = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    match value:
        case dict():
            return {name: in_floats(inner) for name, inner in value.items()}
        case list() | tuple():
            return [in_floats(inner) for inner in value]
        case str():
            return names.get(value, value)
    return value


@pytest.mark.parametrize("text", [NAN, INFINITE, OF_NOTHING], ids=["nan", "infinite", "mean of nothing"])
@pytest.mark.parametrize("command", ["trace", "grad", "train"])
def test_every_command_gives_strict_json_and_equal_at_the_same_place_agrees(command, text, capsys, tmp_path):
    file = written(tmp_path, text)
    status, out, err = run(capsys, command, file, "--format", "json")
    found = parsed(out)
    assert (status, err, found["agrees"]) == (0, "", True)
    assert "NaN" in out or "Infinity" in out or command == "trace"
    as_dict = getattr(rnnstep, command)(file).as_dict()  # which keeps floats
    np.testing.assert_equal(in_floats(found), in_floats(json.loads(json.dumps(as_dict))))


def test_marks_are_strict_too(capsys, tmp_path):
    status, out, _ = run(capsys, "check", written(tmp_path, NAN), "h_2 = 0.1 0.2", "--format", "json")
    assert status in (0, 1)
    assert parsed(out)["answers"][0]["name"] == "h"


def test_text_says_since_when_both_are_not_finite_and_why(capsys, tmp_path):
    status, out, _ = run(capsys, "trace", written(tmp_path, NAN))
    assert status == 0
    assert "both NaN from step 2: 2/L0/ih[0] is" in " ".join(out.split())
    status, out, _ = run(capsys, "trace", written(tmp_path, NAN), "--no-torch")
    assert status == 0
    assert "both" not in out.partition("beside these")[2]
    assert "NaN from step 2: 2/L0/ih[0] is" in " ".join(out.split())


@pytest.mark.parametrize("command", ["grad", "train"])
def test_mean_of_nothing_names_the_way_over_time_that_has_a_value(command, capsys, tmp_path):
    status, out, _ = run(capsys, command, written(tmp_path, OF_NOTHING))
    assert status == 0
    told = " ".join(out.split())
    assert "both NaN: 4/total/loss[0] is NaN" in told
    assert "the mean of nothing has no value" in told
    assert 'over_time = "together"' in told
    together = OF_NOTHING + '[loss]\nover_time = "together"\n'
    status, out, _ = run(capsys, command, written(tmp_path, together))
    assert "NaN" not in out


def test_numbers_that_are_finite_stay_as_they_are():
    value = {"a": [0.1, -1e300, np.float64(0.1).item()], "b": None, "c": [{"d": True}], "e": "NaN"}
    assert strict(value) == json.dumps(value)
    assert strict([math.inf, -math.inf, math.nan, 1.5]) == '["Infinity", "-Infinity", "NaN", 1.5]'
