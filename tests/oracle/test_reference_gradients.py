"""torch's loss and gradients: fused, stepped and by the equations, what is told of them, and what they take."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnstep.engine import Model
from rnnstep.reference import run_gradients, run_reference
from rnnstep.reference.run.gradients import step_through
from tests.oracle.cases import WITH_A_SPARE, classes
from tests.oracle.gradient_cases import done_of, every_case

# ── torch against torch ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_case
def test_fused_stepped_and_equations_give_the_same_gradients(make, case, dtype):
    done = done_of(make, case, dtype)
    found = run_gradients(done)
    by_equations = step_through(done, by_equations=True)
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-14}
    assert found.stepped_loss == pytest.approx(found.loss, rel=1e-6 if dtype == "float32" else 1e-14)
    assert list(found.parameters) == list(done.scenario.parameters)
    for name, gradient in found.parameters.items():
        assert gradient.dtype == done.scenario.dtype
        assert gradient.shape == done.scenario.parameters[name].shape
        np.testing.assert_allclose(found.stepped_parameters[name], gradient, **tolerance, err_msg=name)
        np.testing.assert_allclose(by_equations.parameters[name], gradient, **tolerance, err_msg=name)
    for key, states in found.states.items():
        for name, gradient in states.items():
            assert gradient.shape == (*done.x.shape[:2], done.by_key[key].program.states[name][0])
            np.testing.assert_allclose(by_equations.gradients.states[key][name], gradient, **tolerance)


@every_case
def test_the_shares_of_the_steps_add_up_to_torchs_gradients(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    assert found.shares.keys() == {block.key for block in done.blocks if block.parameters}
    for key, shares in found.shares.items():
        block = done.by_key[key]
        assert shares.keys() == block.parameters.keys()
        steps = 1 if done.by_key[key].extent.is_single else done.x.shape[0]
        for name, where in block.kept_in.items():
            whole = found.parameters[where.torch][where.start : where.stop]
            assert shares[name].shape == (steps, *whole.shape)
            np.testing.assert_allclose(shares[name].sum(axis=0), whole, rtol=1e-11, atol=1e-14)


@every_case
def test_the_values_along_the_stepped_run_are_those_of_the_reference(make, case):
    done = done_of(make, case)
    found, reference = run_gradients(done), run_reference(done)
    for key, states in found.values.states.items():
        np.testing.assert_allclose(found.values.x[key], reference.x[key], rtol=1e-13, atol=1e-15)
        for name, value in states.items():
            np.testing.assert_allclose(value, reference.states[key][name], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(found.values.scores, reference.scores, rtol=1e-13, atol=1e-15)


# ── what is told of the numbers, and what they take ──────────────────────────────────────────


def test_what_the_module_gives_away_is_told_apart_from_the_self_check(make):
    found = run_gradients(done_of(make, "deep, both ways, packed"))
    assert found.is_module
    for key in ("L0", "L0←", "L1", "L1←"):
        assert all(found.is_module_confirmed(key, name) for name in ("h", "c", "x"))
        assert not any(found.is_module_confirmed(key, name) for name in ("h_prev", "a_i", "tanh_c"))
    projected = run_gradients(done_of(make, "projected"))
    assert projected.is_module_confirmed("L0", "h")
    assert not projected.is_module_confirmed("L0", "c")
    own = run_gradients(done_of(make, "own"))
    assert not own.is_module
    assert not own.is_module_confirmed("L0", "h")


def test_the_c_of_torchs_cell_is_what_its_h_is_made_of():
    cell = torch.nn.LSTMCell(2, 3)
    h, c = cell(torch.ones(1, 2))
    c.retain_grad()
    h.sum().backward()
    assert c.grad is not None
    assert bool(c.grad.ne(0).all())


def test_the_gradients_of_lines_are_left_out_where_they_would_take_too_much(make):
    done = done_of(make, "LSTM")
    numbers_a_step = 16 * 4 + 4 + 4 + 4  # ih, hh, a and the gate four times; tanh_c; x; as much as is counted
    assert run_gradients(done, inner_bytes=5 * 3 * 8).inner == {}
    assert run_gradients(done, inner_bytes=5 * 3 * 8).shares == {}
    assert run_gradients(done, inner_bytes=5 * 3 * numbers_a_step * 8).inner.keys() == {"L0"}
    without_shares = run_gradients(done, share_bytes=5 * 4 * 8)
    assert without_shares.shares == {}
    for name, gradient in run_gradients(done).inner["L0"].items():
        np.testing.assert_allclose(without_shares.inner["L0"][name], gradient, rtol=1e-13, atol=1e-16)


def test_lines_are_those_that_change_and_what_is_read(make):
    done = done_of(make, "own, everything, packed")
    found = run_gradients(done)
    assert list(found.inner["L0"]) == [
        *("x", "h_prev", "c_prev", "m_prev"),
        *("a", "same", "s", "size", "root", "shut"),
    ]
    assert list(found.states["L0"]) == ["h", "c", "m"]


def test_what_stands_in_the_padding_of_a_packed_batch_does_not_matter(make):
    done = done_of(make, "deep, both ways, packed")
    batch = done.batch
    values = batch.values.copy()
    values[~(np.arange(batch.first.num_steps)[:, None] < np.array(batch.lengths))] = np.nan
    changed = replace(done.scenario, batches=(replace(batch, values=values),))
    clean, strange = run_gradients(done), run_gradients(Model(changed).run_batch(0))
    for name, gradient in clean.parameters.items():
        np.testing.assert_array_equal(strange.parameters[name], gradient)
        np.testing.assert_array_equal(
            strange.stepped_parameters[name], gradient := clean.stepped_parameters[name]
        )
    for key, lines in clean.inner.items():
        for name, gradient in lines.items():
            np.testing.assert_array_equal(strange.inner[key][name], gradient)
        for name, share in clean.shares[key].items():
            np.testing.assert_array_equal(strange.shares[key][name], share)


def test_a_parameter_that_the_loss_does_not_depend_on_has_a_gradient_of_zeros(make):
    tables = {"cell": {"mine": WITH_A_SPARE}, "target": classes(5, 3)}
    found = run_gradients(Model(make("mine", tables=tables)).run_batch(0))
    assert not found.parameters["spare"].any()
    assert not found.shares["L0"]["spare"].any()


def test_a_gradient_that_is_not_finite_is_kept(make):
    done = Model(make("RNN", nonlinearity="relu", scale=1e30, tables={"target": classes(5, 3)})).run_batch(0)
    found = run_gradients(done)
    assert not np.isfinite(found.loss)
    assert not all(np.isfinite(gradient).all() for gradient in found.parameters.values())


def test_gradients_can_be_sent_and_the_scenario_is_left_alone(make):
    done = done_of(make, "dropped, packed, final")
    before = {name: value.copy() for name, value in done.scenario.parameters.items()}
    found = pickle.loads(pickle.dumps(run_gradients(done)))
    assert found.loss == run_gradients(done).loss
    for name, value in before.items():
        np.testing.assert_array_equal(done.scenario.parameters[name], value)
    with torch.no_grad():
        assert run_gradients(done).loss == found.loss
