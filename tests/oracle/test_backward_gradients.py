"""The gradients that the way back comes to: autograd's in both dtypes, and what is so of every run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnstep.engine import Model
from rnnstep.reference import run_gradients
from tests.oracle.cases import classes, numbers
from tests.oracle.way_back_cases import backs_of, every_case, steps_of

# ── autograd ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_case
def test_gradients_are_autograds(make, case, dtype) -> None:
    unit = float(np.finfo(dtype).eps)
    for back in backs_of(make, case, dtype):
        found = run_gradients(back.done)
        assert back.loss == pytest.approx(found.loss, rel=16 * unit)
        for name, gradient in found.parameters.items():
            assert back.parameters[name].dtype == np.dtype(dtype)
            size = float(np.abs(gradient).max(initial=1e-3))
            np.testing.assert_allclose(
                back.parameters[name], gradient, rtol=0, atol=64 * unit * size, err_msg=name
            )
        for key, states in found.states.items():
            for name, gradient in states.items():
                size = float(np.abs(gradient).max(initial=1e-3))
                np.testing.assert_allclose(back.states(key, name), gradient, rtol=0, atol=64 * unit * size)


# ── what is so of every run ──────────────────────────────────────────────────────────────────


def test_both_biases_have_one_gradient_but_in_the_n_of_a_gru(make) -> None:
    for module in ("RNN", "LSTM", "GRU"):
        model = Model(make(module, num_layers=2, bidirectional=True, tables={"target": classes(5, 3)}))
        back = model.backward(model.run_batch())
        for name, gradient in back.parameters.items():
            if name.startswith("bias_ih"):
                other = back.parameters[name.replace("ih", "hh")]
                equal = slice(None, 8) if module == "GRU" else slice(None)  # r and z, four units each
                np.testing.assert_array_equal(gradient[equal], other[equal])
                assert module != "GRU" or (gradient[8:] != other[8:]).all()
                assert gradient.any()


def test_a_parameter_that_nothing_reads_has_a_gradient_of_zeros(make) -> None:
    [back] = backs_of(make, "a cell of one's own")
    assert not back.parameters["spare"].any()
    assert back.parameters["b_n"].all()


def test_row_of_the_padding_does_not_learn(make) -> None:
    [back] = backs_of(make, "embedding")
    gradient = back.parameters["embedding.weight"]
    assert not gradient[0].any()
    assert gradient[1:3].all()
    assert not gradient[3].any()  # which was not looked up


def test_blocks_come_in_the_order_of_the_way_back(make) -> None:
    [back] = backs_of(make, "dropped, both ways, packed, final")
    assert back.phase == "backward"
    assert [block.key for block in back.blocks] == [
        *("total", "loss", "linear", "join1", "L1←", "L1", "dropout0", "join0", "L0←", "L0"),
    ]
    assert list(back.recurrent_steps()) == list(back.done.recurrent_steps())[::-1]


def test_what_stands_in_the_padding_of_a_packed_batch_does_not_matter(make) -> None:
    [clean] = backs_of(make, "deep, both ways, packed")
    batch = clean.batch
    values = batch.values.copy()
    values[~(np.arange(batch.first.num_steps)[:, None] < np.array(batch.lengths))] = np.nan
    model = Model(replace(clean.scenario, batches=(replace(batch, values=values),)))
    strange = model.backward(model.run_batch())
    for name, gradient in clean.parameters.items():
        np.testing.assert_array_equal(strange.parameters[name], gradient)


def test_gradients_that_overflow_are_kept_and_warn_nobody(make) -> None:
    model = Model(
        make(
            "RNN",
            nonlinearity="relu",
            scale=1e30,
            tables={"target": numbers(5, 3, 4), "loss": {"name": "MSELoss"}},
        )
    )
    back = model.backward(model.run_batch())
    assert not all(np.isfinite(gradient).all() for gradient in back.parameters.values())
    for key in back.by_key:
        for t in steps_of(back, key):
            back.values(key, t)


def test_the_way_back_serves_other_numbers_too(make) -> None:
    [first] = backs_of(make, "deep, both ways, packed")
    model = Model(first.scenario)
    model.backward(model.run_batch())
    scaled = {name: value * 2 for name, value in first.scenario.parameters.items()}
    other = model.with_parameters(scaled)
    back, anew = other.backward(other.run_batch()), Model(first.scenario.with_parameters(scaled))
    for name, gradient in anew.backward(anew.run_batch()).parameters.items():
        np.testing.assert_array_equal(back.parameters[name], gradient)
        assert not np.array_equal(first.parameters[name], gradient)
