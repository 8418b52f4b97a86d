"""What two right programs may differ by: doubt where sums overflow, bounds carried through time, and their tally."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnnstep.engine import Model
from rnnstep.equations.bounds import Given, GivenAnchor, GivenNear, matmul
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.syntax import parse_expression
from rnnstep.reference.judge.bounds import _TELLING, Rounding
from rnnstep.reference.judge.findings import Tally, differences
from rnnstep.reference.judge.forward import judge
from rnnstep.reference.judge.run_bounds import carried_errors
from rnnstep.reference.run.forward import run_reference
from rnnstep.scenario.read import read_text

FLOAT32 = np.dtype("float32")
LARGEST = float(np.finfo(np.float32).max)


def read_pair(text, **known):
    """The value and the error of an expression of float32 numbers; a pair is a value with its error."""
    pairs = {
        name: (np.asarray(value[0], np.float32), np.asarray(value[1], np.float64))
        if isinstance(value, tuple)
        else Given(np.asarray(value, np.float32))
        for name, value in known.items()
    }
    return evaluate(parse_expression(text), pairs, Rounding(FLOAT32))


def test_ordinary_numbers_have_a_small_error():
    value, error = read_pair("tanh(W @ x)", W=[[0.5, -0.25]], x=[[1.0, 2.0]])
    assert value == 0
    assert 0 < error < 1e-5


def test_a_sum_that_overflows_in_some_order_is_in_doubt():
    half = LARGEST * 0.6
    value, error = read_pair("W @ x", W=[[1.0, 1.0, -1.0]], x=[[half, half, half]])
    assert error == np.inf
    assert read_pair("relu(W @ x)", W=[[1.0, 1.0, -1.0]], x=[[half, half, half]])[1] == np.inf
    assert np.isnan(value).item() or np.abs(value) >= half * 0.99


def test_doubt_goes_through_functions_that_bound_their_value():
    assert read_pair("tanh(a)", a=([1.0], [np.inf]))[1] == np.inf
    assert read_pair("sigmoid(a)", a=([1.0], [5.0]))[1] <= 1.01
    assert read_pair("sum(a)", a=([1.0, 2.0], [0.0, np.inf]))[1] == np.inf


def test_what_is_nan_or_infinite_for_certain_is_expected_to_be_the_same():
    for text, known in (
        ("W @ x", {"W": [[1.0, np.nan]], "x": [[1.0, 1.0]]}),
        ("W @ x", {"W": [[1.0, np.inf]], "x": [[1.0, 1.0]]}),
        ("a + a", {"a": [np.inf]}),
        ("a - a", {"a": [np.inf]}),
        ("log(a)", {"a": [0.0]}),
        ("a * a", {"a": [np.nan]}),
    ):
        value, error = read_pair(text, **known)
        assert not np.isfinite(value).any()
        assert error == 0
    assert read_pair("tanh(a)", a=[np.inf])[1] < 1e-6


def test_infinity_beside_finite_numbers_that_overflow_is_in_doubt():
    weights = [[1.0, -1.0, -1.0]]
    assert read_pair("W @ x", W=weights, x=[[np.inf, LARGEST * 0.6, LARGEST * 0.6]])[1] == np.inf


@pytest.mark.parametrize("comparison", ["a < b", "a <= b", "a > b", "a >= b", "a == b", "a != b"])
def test_a_comparison_may_turn_where_its_operands_are_close(comparison):
    assert read_pair(comparison, a=([1.0], [1e-6]), b=[1.0000001])[1] == 1
    assert read_pair(comparison, a=([1.0], [1e-6]), b=[1.5])[1] == 0
    assert read_pair(comparison, a=[1.0], b=[1.0])[1] == 0


def test_a_truth_may_turn_where_its_value_may_be_zero():
    assert read_pair("a and b", a=([1e-9], [1e-8]), b=[1.0])[1] == 1
    assert read_pair("a or b", a=[0.0], b=([1.0], [1e-8]))[1] == 0
    assert read_pair("not a", a=([0.0], [1e-8]))[1] == 1


def scenario(module, dtype="float32", steps=30, more="", lengths=""):
    return read_text(f"""
[input]
random = {{shape = [{steps}, 3, 4], seed = 1}}
{lengths}
[recurrent]
module = "{module}"
hidden_size = 5
{more}
[weights]
seed = 4
[display]
dtype = "{dtype}"
""")


def carried(done, key="L0"):
    run, batch = done.runs[key], done.batch
    living = batch.first.axis.alive()
    before = {
        name: batch.first.axis.before(
            run.state(name),
            done.scenario.first_state(run.block, name, batch),
            run.block.direction,
        )
        for name in run.block.program.states
    }
    return carried_errors(run.block, {"x": Given(done.x)}, before, done.scenario.dtype, living)


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_the_carried_bound_holds_the_distance_from_exacter_arithmetic(module):
    done = Model(scenario(module)).run_batch(0)
    exacter = scenario(module, "float64").with_parameters(
        {name: value.astype(np.float64) for name, value in done.scenario.parameters.items()}
    )
    same_input = replace(done.batch, values=done.x.astype(np.float64))
    truth = Model(replace(exacter, batches=(same_input,))).run_batch(0)
    bounds = carried(done)
    for name, bound in bounds.items():
        distance = np.abs(done.runs["L0"].state(name).astype(np.float64) - truth.runs["L0"].state(name))
        assert (distance <= bound).all()
        assert bound[0].max() < 1e-5
        assert (bound[5] > bound[0]).any()


def test_the_carried_bound_is_infinite_once_it_is_of_no_use():
    done = Model(scenario("RNN", steps=200)).run_batch(0)
    large = {name: value * 10 for name, value in done.scenario.parameters.items()}
    bound = carried(Model(done.scenario.with_parameters(large)).run_batch(0))["h"]
    assert np.isfinite(bound[0]).all()
    assert np.isinf(bound[-1]).all()


def test_a_row_that_has_ended_or_not_begun_carries_no_error():
    lengths = "lengths = [2, 6, 4]"
    done = Model(scenario("GRU", steps=6, more="bidirectional = true", lengths=lengths)).run_batch(0)
    for key in ("L0", "L0←"):
        bound = carried(done, key)["h"]
        assert not bound[2:, 0].any()
        assert (bound[:2, 0] > 0).all()
        assert (bound[:, 1] > 0).all()


def test_states_before_and_at_the_end_of_packed_rows():
    done = Model(
        scenario("RNN", steps=6, more="bidirectional = true", lengths="lengths = [2, 6, 4]")
    ).run_batch(0)
    living = done.batch.first.axis.alive()
    np.testing.assert_array_equal(living.sum(axis=0), [2, 6, 4])
    for key, run in done.runs.items():
        states = run.state("h")
        before = done.batch.first.axis.before(states, np.zeros((3, 5), np.float32), run.block.direction)
        for t in range(6):
            np.testing.assert_array_equal(before[t][living[t]], done.value(key, "h_prev", t))
        ends = [states[1, 0], states[5, 1], states[3, 2]] if key == "L0" else states[0]
        np.testing.assert_array_equal(run.final("h"), ends)


def test_differences_count_the_same_nan_and_infinity_as_equal():
    ours = np.array([1.0, np.nan, np.inf, -np.inf, np.nan, np.inf, 2.0])
    theirs = np.array([1.5, np.nan, np.inf, -np.inf, 1.0, -np.inf, np.inf])
    np.testing.assert_array_equal(differences(ours, theirs), [0.5, 0, 0, 0, np.inf, np.inf, np.inf])


def test_a_tally_keeps_the_worst_place_of_each_array():
    tally = Tally(4)
    ours, bound = np.zeros((2, 1, 3)), np.full((2, 1, 3), 0.5)
    theirs = np.zeros((2, 1, 3))
    theirs[1, 0, 2], theirs[0, 0, 1] = 3.0, 2.0
    tally.compare("one step", "L0", "h", ours, theirs, bound, 0)
    tally.compare("one step", "L0", "h", ours, theirs / 2, bound, 2)
    (fault,) = tally.faults.values()
    assert (fault.t, fault.row, fault.element, fault.difference, fault.allowed) == (1, 0, 2, 3.0, 1.0)
    assert tally.worst == fault
    assert np.argwhere(tally.differing["L0", "h"]).tolist() == [[0, 0, 1], [1, 0, 2], [3, 0, 2]]


def test_no_room_but_the_reference_imports_torch_and_it_only_when_called():
    program = (
        "import sys, pkgutil, importlib, rnnstep.reference\n"
        "for module in pkgutil.walk_packages(rnnstep.reference.__path__, 'rnnstep.reference.'):\n"
        "    importlib.import_module(module.name)\n"
        "for name in rnnstep.reference.__all__:\n"
        "    getattr(rnnstep.reference, name)\n"
        "print('torch' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "False"


def formula(weights, x):
    """n·u·Σ|W||x| and what underflow takes, in float64."""
    size, reach = np.abs(weights.astype(np.float64)), np.abs(x.astype(np.float64))
    terms, u = weights.shape[1], 2.0**-24
    return terms * (u * (reach @ size.T) + 2.0**-149)


numbers = st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=True)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(
            arrays(np.float32, (3, n), elements=numbers), arrays(np.float32, (2, n), elements=numbers)
        )
    )
)
def test_a_product_is_bounded_by_its_formula_though_it_is_summed_in_float32(pair):
    weights, x = pair
    with np.errstate(all="ignore"):
        bound = matmul(2.0**-24, None, Given(weights), Given(x))
    exact = formula(weights, x)
    summed = np.isfinite(bound)
    assert (bound >= exact).all()
    assert (bound[summed] <= exact[summed] * (1 + 1e-3)).all()
    assert (summed | (exact > LARGEST * 2.0**-24)).all()


def test_a_product_of_very_many_terms_is_summed_in_float64():
    weights, x = np.full((1, 5000), 0.1, np.float32), np.ones((1, 5000), np.float32)
    assert Given(weights).summed.dtype == np.float64
    bound = matmul(2.0**-24, None, Given(weights), Given(x))
    np.testing.assert_allclose(bound, formula(weights, x), rtol=1e-9)


@given(
    arrays(np.float32, (2, 5), elements=st.floats(-(2.0**-9), 2.0**-9, width=32)),
    st.floats(0.0, 1.0, width=32),
)
def test_the_sums_of_what_is_near_are_enough_and_hardly_more(moved, scale):
    rng = np.random.default_rng(3)
    weights = Given(rng.uniform(-1, 1, (4, 5)).astype(np.float32))
    x = rng.uniform(-1, 1, (2, 5)).astype(np.float32)
    near = x + np.float32(scale) * moved
    found = matmul(2.0**-24, None, weights, GivenNear.to(GivenAnchor(x), near))
    exact = formula(weights[0], near)
    assert (found >= exact).all()
    assert (found <= exact * (1 + 1e-3)).all()


def test_the_sums_of_what_is_far_are_its_own():
    weights, far = Given(np.ones((1, 2), np.float32)), np.array([[1.0, np.nan], [5.0, 5.0]], np.float32)
    found = GivenNear.to(GivenAnchor(np.ones((2, 2), np.float32)), far).sums(weights)
    np.testing.assert_array_equal(found, [[np.nan], [10.0]])


pairs = st.tuples(
    numbers | st.sampled_from([np.inf, -np.inf, np.nan]), st.floats(0.0, 1e30) | st.just(np.inf)
)


@pytest.mark.parametrize("op", sorted(_TELLING))
@given(
    st.lists(pairs, min_size=8, max_size=8)
    | pairs.map(lambda pair: [pair] * 8)  # the latter as large as can be
)
@settings(max_examples=50)
def test_what_the_operands_tell_is_what_looking_at_every_number_finds(op, given):
    reading = Rounding(FLOAT32)
    operands = [
        (
            np.array([[v for v, _ in given[k : k + 2]]], np.float32),
            np.array([[e for _, e in given[k : k + 2]]]),
        )
        for k in (0, 2, 4, 6)
    ]
    match op:
        case "pullback":  # of two matrices
            args = tuple((v.T, e.T) if k % 2 == 0 else (v, e) for k, (v, e) in enumerate(operands))
        case "outer" | "rows":  # over two rows
            of_rows = [tuple(map(np.concatenate, zip(*operands[k : k + 2], strict=True))) for k in (0, 2)]
            args = tuple(of_rows[: OPERATIONS[op].arity])
        case _:
            args = tuple(operands[: OPERATIONS[op].arity])
    told = reading.apply(op, args)
    asked = Rounding(FLOAT32)
    asked._told = lambda *_: None
    value, error = asked.apply(op, args)
    np.testing.assert_array_equal(told[0], value)
    np.testing.assert_array_equal(told[1], error)
    assert not np.any(np.abs(value) > told.most)
    assert not np.any(error > told.most_off)


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("lengths", ["", "lengths = [3, 12, 7]"])
def test_steps_judged_a_few_at_a_time_are_judged_as_all_at_once(monkeypatch, module, lengths):
    text = scenario(module, steps=12, more="num_layers = 2\nbidirectional = true", lengths=lengths)
    done = Model(text).run_batch(0)
    reference = run_reference(done)
    kept = compared(monkeypatch, done, reference)
    monkeypatch.setattr("rnnstep.reference.judge.block_bounds.SPAN_BYTES", 1)  # a step each
    stepwise = compared(monkeypatch, done, reference)
    assert kept.keys() == stepwise.keys()
    for place, (ours, bound) in kept.items():
        np.testing.assert_allclose(stepwise[place][0], ours, rtol=0, atol=1e-6)
        np.testing.assert_allclose(stepwise[place][1], bound, rtol=1e-3, atol=1e-12)


def compared(monkeypatch, done, reference):
    """All that is set beside torch's, by kind and place, spans one behind the other: ours and the bound."""
    found: dict[tuple[str, ...], list[tuple[np.ndarray, np.ndarray]]] = {}

    def compare(self, kind, key, name, ours, theirs, bound, *_):
        found.setdefault((kind, key, name, np.ndim(ours)), []).append(
            (np.array(ours), np.broadcast_to(bound, np.shape(ours)))
        )

    with monkeypatch.context() as patched:
        patched.setattr(Tally, "compare", compare)
        judge(done, reference)
    # The whole results, which are compared after the steps, are the same anyway.
    return {
        place: tuple(np.concatenate(parts) for parts in zip(*each, strict=True))
        for place, each in found.items()
    }


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("step", [0, 2, 6])
def test_a_wrong_number_of_a_whole_module_is_found_at_its_step(module, step):
    done = Model(
        scenario(module, steps=7, more="bidirectional = true", lengths="lengths = [3, 7, 5]")
    ).run_batch(0)
    reference = run_reference(done)
    output = np.array(reference.output)
    output[step, 1, 7] += 1  # of the direction that goes back
    verdict = judge(done, replace(reference, output=output))
    (fault,) = (one for one in verdict.faults if one.kind == "module" and one.name == "h")
    assert (fault.key, fault.t, fault.row, fault.element) == ("L0←", step, 1, 2)
    assert verdict.differing["L0←", "h"][step, 1, 2]
    assert not verdict.differing["L0←", "h"][3:, 0].any()


def test_what_is_set_beside_each_other_may_have_an_axis_more():
    tally, theirs = Tally(1), np.arange(80_000, dtype=np.float32).reshape(400, 200)
    tally.compare("module", "L0", "h", theirs[None], theirs, np.zeros(()), 0)
    assert not tally.faults
    ours = theirs[None].copy()
    ours[0, 390, 7] += 1
    tally.compare("module", "L0", "h", ours, theirs, np.zeros(()), 0)
    assert [(one.t, one.row, one.element) for one in tally.faults.values()] == [(0, 390, 7)]


def test_a_number_in_the_padding_of_a_whole_module_is_found_where_it_is():
    done = Model(
        scenario("GRU", steps=7, more="bidirectional = true", lengths="lengths = [3, 7, 5]")
    ).run_batch(0)
    reference = run_reference(done)
    output = np.array(reference.output)
    output[5, 0, 7] = 1
    faults = judge(done, replace(reference, output=output)).faults
    assert {(one.kind, one.key, one.t, one.row, one.element) for one in faults} == {
        ("module", "L0←", 5, 0, 2)
    }
