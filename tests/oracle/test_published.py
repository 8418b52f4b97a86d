"""Worked examples that others have published: the engine gives their numbers, to the precision printed.

Each file in `published/` is a scenario that names its source and licence; `expected.toml` holds the numbers.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.reference import check
from rnnstep.scenario.read import read

FOLDER = Path(__file__).parent / "published"
EXPECTED = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))
RESULTS = ("output", "h_n", "c_n", "logits")


def trace_of(name):
    return Model(read(FOLDER / f"{name}.toml")).run()


def over_time(trace, name):
    """A value of the one layer at all steps, (B, T, n)."""
    return np.stack([step[name] for step in trace.steps], axis=1)


def test_every_scenario_has_its_numbers():
    assert set(EXPECTED) == {path.stem for path in FOLDER.glob("*.toml")} - {"expected"}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_engine_gives_the_published_numbers(name):
    trace, expected = trace_of(name), EXPECTED[name]
    compared = 0
    for result in RESULTS:
        if result in expected:
            ours = getattr(trace, result)
            assert ours.shape == np.shape(expected[result])
            np.testing.assert_allclose(ours, expected[result], rtol=0, atol=expected["tolerance"])
            compared += 1
    for value, numbers in expected.get("steps", {}).items():
        np.testing.assert_allclose(
            over_time(trace, value), numbers, rtol=0, atol=expected["tolerance"], err_msg=value
        )
        compared += 1
    assert compared


@pytest.mark.parametrize("name", EXPECTED)
def test_torch_agrees_with_the_published_examples(name):
    assert check(trace_of(name)).faults == ()


def test_the_sigmoid_of_the_logits_is_the_published_probability():
    expected = EXPECTED["byhand_rnn_small"]
    ours = 1 / (1 + np.exp(-trace_of("byhand_rnn_small").logits))
    np.testing.assert_allclose(ours, expected["sigmoid_of_logits"], rtol=0, atol=expected["tolerance"])


def test_two_steps_of_an_lstm_go_back_and_learn_as_the_notebook_prints():
    expected = EXPECTED["gomez_lstm_bptt"]["after_update"]
    trained = Learning(read(FOLDER / "gomez_lstm_bptt.toml")).trained()
    for name, values in expected.items():
        np.testing.assert_allclose(trained[name], values, rtol=0, atol=5.1e-9, err_msg=name)


def test_a_calculation_with_slips_is_right_in_one_value_alone():
    trace = trace_of("slip_burn_lstm_scalar")
    slips = EXPECTED["slip_burn_lstm_scalar"]["slips"]
    right = {value for value, number in slips.items() if abs(over_time(trace, value).item() - number) < 1e-7}
    assert right == {"o"}
