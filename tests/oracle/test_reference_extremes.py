"""Numbers that leave little to hold on to: both programs are right, and are said to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.reference import check, compare, run_reference

MODULES = ("RNN", "LSTM", "GRU")
DTYPES = ("float32", "float64")


def checked_of(scenario):
    return check(Model(scenario).run())


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("module", MODULES)
def test_weights_ten_times_the_usual_over_sixty_steps(make, module, dtype, rows):
    checked = checked_of(make(module, shape=[60, rows, 4], hidden_size=16, dtype=dtype, scale=10.0))
    assert checked.faults == ()
    assert checked.used <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_runs_that_part_are_explained_and_are_no_mistake(make, dtype):
    checked = checked_of(make("RNN", shape=[200, 2, 8], hidden_size=32, dtype=dtype, scale=10.0))
    assert checked.agrees
    assert checked.max_abs_diff["output"] > 0.1
    assert checked.one_step_diff < 1e-4
    assert checked.parting is not None
    assert checked.parting.t > 0
    assert str(checked.parting.t + 1) in str(checked.explanation)
    assert "逐渐分开" in checked.explanation.into("zh")


def test_runs_that_stay_together_are_not_said_to_part(make):
    checked = checked_of(make("GRU", shape=[60, 2, 4]))
    assert checked.parting is None
    assert str(checked.explanation) == "agrees with torch"


@pytest.mark.parametrize("module", MODULES)
def test_an_altered_step_is_caught_where_the_runs_part(make, module):
    done = Model(make(module, shape=[120, 2, 8], hidden_size=32, scale=10.0)).run_batch(0)
    reference = run_reference(done)
    for t in (0, 60, 119):
        states = {"L0": dict(reference.states["L0"])}
        states["L0"]["h"] = states["L0"]["h"].copy()
        states["L0"]["h"][t, 1, 3] += 1e-3
        assert not compare(done, replace(reference, states=states)).agrees


@pytest.mark.parametrize(
    ("module", "options"),
    [
        *((module, {}) for module in (*MODULES, "RNNCell", "LSTMCell", "GRUCell")),
        *((module, {"num_layers": 2, "bidirectional": True}) for module in MODULES),
    ],
)
def test_an_altered_output_of_the_module_is_caught_where_the_runs_part(make, module, options):
    done = Model(make(module, shape=[120, 2, 8], hidden_size=32, scale=10.0, **options)).run_batch(0)
    reference = run_reference(done)
    assert compare(done, reference).agrees
    which = reference.whole or reference
    output = which.output.copy()
    output[60, 1, 3] += 1e-3
    changed = replace(which, output=output)
    comparison = compare(done, replace(reference, whole=changed) if reference.whole else changed)
    assert not comparison.agrees
    assert {fault.kind for fault in comparison.faults} == {"module"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("module", MODULES)
def test_weights_that_cancel_on_large_inputs(make, module, dtype):
    scenario = make(module, dtype=dtype, tables={"input": {"values": [[[1e6, 1e6, 1e6, 1e6]]] * 4}})
    changed = {}
    for name, value in scenario.parameters.items():
        if name.startswith("weight_ih"):
            signs = np.array([1, -1, 1, -1], value.dtype)
            nearly = 1 + np.arange(value.shape[0], dtype=value.dtype)[:, None] * np.finfo(value.dtype).eps
            changed[name] = signs * nearly * value[:, :1]
    checked = checked_of(scenario.with_parameters(changed))
    assert checked.faults == ()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e3, 1e8, 1e20])
def test_a_large_initial_cell_state(make, size, dtype):
    tables = {"initial_state": {"c_0": [[[size, -size, 1.0, 0.0]] * 3]}}
    checked = checked_of(make("LSTM", dtype=dtype, tables=tables))
    assert checked.faults == ()


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("module", MODULES)
def test_a_nan_weight_gives_nan_on_both_sides(make, module, rows):
    scenario = make(module, num_layers=2, shape=[5, rows, 4])
    weight = scenario.parameters["weight_hh_l0"].copy()
    weight[1, 2] = np.nan
    checked = checked_of(scenario.with_parameters({"weight_hh_l0": weight}))
    assert checked.faults == ()
    assert np.isnan(checked.output).any()
    assert checked.max_abs_diff["output"] < 1e-6


@pytest.mark.parametrize("module", MODULES)
def test_a_nan_in_the_input_gives_nan_on_both_sides(make, module):
    scenario = make(module, bidirectional=True)
    values = scenario.batches[0].values.copy()
    values[2, 1, 0] = np.nan
    changed = replace(scenario, batches=(replace(scenario.batches[0], values=values),))
    checked = checked_of(changed)
    assert checked.faults == ()
    assert np.isnan(checked.output[:, 1]).any()
    assert not np.isnan(checked.output[:, 0]).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden_size", [3, 16, 40])
@pytest.mark.parametrize("rows", [1, 2])
def test_states_that_grow_until_they_overflow(make, rows, hidden_size, dtype):
    steps, scale = (60, 50.0) if dtype == "float32" else (320, 100.0)
    checked = checked_of(
        make(
            "RNN",
            nonlinearity="relu",
            shape=[steps, rows, 4],
            hidden_size=hidden_size,
            dtype=dtype,
            scale=scale,
        )
    )
    assert checked.faults == ()


@pytest.mark.parametrize("module", MODULES)
def test_gates_that_are_wide_open_or_shut(make, module):
    checked = checked_of(make(module, num_layers=2, shape=[30, 2, 4], scale=1e30))
    assert checked.faults == ()


def test_all_zeros(make):
    checked = checked_of(make("LSTM", scale=0.0))
    assert checked.faults == ()
    assert checked.one_step_diff == 0.0


@pytest.mark.parametrize("module", ["RNN", "RNNCell"])
@pytest.mark.parametrize("seed", range(4))
def test_a_bias_that_outweighs_the_products_is_summed_in_whatever_order(make, module, seed):
    """A library may sum onto the bias: each of its partial sums is then rounded at the bias's size."""
    scenario = make(
        module,
        shape=[20, 4, 3],
        hidden_size=64,
        nonlinearity="relu",
        dtype="float64",
        tables={"weights": {"seed": seed}},
    )
    small = {name: value * 0.01 for name, value in scenario.parameters.items() if name.startswith("weight")}
    assert checked_of(scenario.with_parameters(small)).faults == ()


OVERFLOWING = {
    "RNN": {"nonlinearity": "relu"},
    "LSTM": {},
    "GRU": {},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("module", OVERFLOWING)
def test_what_overflows_to_one_side_is_no_nan(make, module, rows, dtype):
    """All weights and inputs positive, so that sums overflow in whatever order: infinity may come, NaN may not."""
    scenario = make(module, dtype=dtype, shape=[4, rows, 3], **OVERFLOWING[module])
    size = np.finfo(dtype).max ** 0.45
    parameters = {name: np.abs(value) * size for name, value in scenario.parameters.items()}
    values = np.abs(scenario.batches[0].values) * size
    changed = scenario.with_parameters(parameters)
    done = Model(replace(changed, batches=(replace(changed.batches[0], values=values),))).run_batch(0)
    reference = run_reference(done)
    comparison = compare(done, reference)
    assert comparison.faults == ()
    states = reference.states["L0"]
    for held, name, value in [
        *(("inner", name, value) for name, value in reference.inner["L0"].items()),
        *(("states", name, value) for name, value in states.items()),
    ]:
        places = np.argwhere(np.isinf(value))
        if not places.size:
            continue
        altered = value.copy()
        altered[tuple(places[0])] = np.nan
        whole = {**getattr(reference, held), "L0": {**getattr(reference, held)["L0"], name: altered}}
        assert not compare(done, replace(reference, **{held: whole})).agrees, (held, name)


def test_where_infinities_of_both_signs_may_meet_either_may_come(make):
    """A sum whose positive and whose negative terms overflow is +∞, −∞ or NaN, as it happens to be summed."""
    tables = {"input": {"values": [[[3e38, 3e38, -3e38, -3e38]]] * 2}}
    scenario = make("RNN", nonlinearity="relu", tables=tables)
    weight = np.ones_like(scenario.parameters["weight_ih_l0"])
    done = Model(scenario.with_parameters({"weight_ih_l0": weight})).run_batch(0)
    reference = run_reference(done)
    assert compare(done, reference).agrees
    for other in (np.inf, -np.inf, np.nan, 0.0):
        inner = {**reference.inner["L0"], "ih": np.full_like(reference.inner["L0"]["ih"], other)}
        assert compare(done, replace(reference, inner={"L0": inner})).agrees
