"""Whatever is altered, on torch's side or on ours, is seen, and said where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnnstep.engine import Model, Pass
from rnnstep.language import Text
from rnnstep.network.time import TimeAxis
from rnnstep.reference import check, compare, run_reference
from rnnstep.scenario.model import Scenario

SMALL = 1e-4  # some hundred times the rounding errors of these runs in float32


def altered(array, index, by=SMALL):
    changed = np.array(array)
    changed[index] += by
    return changed


def in_states(reference, key, name, index, by=SMALL):
    states = {block: dict(values) for block, values in reference.states.items()}
    states[key][name] = altered(states[key][name], index, by)
    return replace(reference, states=states)


def in_inner(reference, key, name, index):
    inner = {block: dict(values) for block, values in reference.inner.items()}
    inner[key][name] = altered(inner[key][name], index)
    return replace(reference, inner=inner)


@pytest.fixture(scope="module")
def pair(make):
    """Our run and torch's of a two-layer LSTM both ways, with a linear layer."""
    scenario = make("LSTM", num_layers=2, bidirectional=True, tables={"linear": {"out_features": 3}})
    done = Model(scenario).run_batch(0)
    return done, run_reference(done)


def faults(comparison):
    return {(fault.kind, fault.key, fault.name) for fault in comparison.faults}


def test_unaltered_numbers_agree(pair):
    assert compare(*pair).agrees


@pytest.mark.parametrize(("key", "t"), [("L0", 0), ("L0", 2), ("L0←", 4), ("L1", 4), ("L1←", 0)])
@pytest.mark.parametrize("name", ["h", "c"])
def test_one_element_of_a_state_of_torchs(pair, key, name, t):
    done, reference = pair
    comparison = compare(done, in_states(reference, key, name, (t, 1, 2)))
    assert not comparison.agrees
    assert ("one step", key, name) in faults(comparison)
    assert comparison.agrees_at(key, name, t) is False
    worst = next(fault for fault in comparison.faults if fault.kind == "one step" and fault.name == name)
    assert (worst.t, worst.row, worst.element) == (t, 1, 2)
    assert worst.difference == pytest.approx(SMALL, rel=0.01)
    assert 0 < worst.allowed < worst.difference


def test_one_element_of_an_inner_value(pair):
    done, reference = pair
    comparison = compare(done, in_inner(reference, "L1←", "i", (3, 0, 1)))
    assert faults(comparison) == {("one step", "L1←", "i")}
    assert comparison.agrees_at("L1←", "i", 3) is False
    assert comparison.agrees_at("L1←", "i", 2) is True
    assert comparison.verdict.worst.name == "i"


@pytest.mark.parametrize("name", ["output", "h_n", "c_n", "logits"])
def test_one_element_of_a_result_of_torchs_module(pair, name):
    done, reference = pair
    changed = altered(getattr(reference, name), (1, 2, 1))
    comparison = compare(done, replace(reference, **{name: changed}))
    assert {fault.kind for fault in comparison.faults} == {"module"}
    assert comparison.verdict.max_abs_diff[name] == pytest.approx(SMALL, rel=0.01)


def test_logits_beside_torchs_own_features(pair):
    done, reference = pair
    changed = replace(reference, gave={"linear": altered(reference.gave["linear"], (1, 2, 0))})
    assert faults(compare(done, changed)) == {("one step", "linear", "logits")}


def test_a_row_of_the_embedding(make):
    tables = {"vocabulary": ["a", "b"], "input": {"text": "abba"}, "embedding": {"embedding_dim": 3}}
    done = Model(make("GRU", tables=tables)).run_batch(0)
    reference = run_reference(done)
    changed = replace(reference, x={"L0": altered(reference.x["L0"], (2, 0, 1), by=1e-7)})
    assert ("input", "embedding", "x") in faults(compare(done, changed))


def test_the_whole_module_beside_a_cell(make):
    done = Model(make("GRUCell")).run_batch(0)
    reference = run_reference(done)
    whole = replace(reference.whole, output=altered(reference.whole.output, (2, 1, 0)))
    assert ("module", "L0", "h") in faults(compare(done, replace(reference, whole=whole)))


def test_a_nan_or_infinity_on_one_side_only(pair):
    done, reference = pair
    for by in (np.nan, np.inf):
        comparison = compare(done, in_states(reference, "L1", "h", (4, 0, 0), by))
        assert not comparison.agrees
        assert any(fault.difference == np.inf for fault in comparison.faults)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", ["h", "hh_z", "hh_n", "ih_r"])
def test_a_fault_of_our_compiled_function(make, monkeypatch, name, rows):
    model = Model(make("GRU", shape=[6, rows, 4]))
    compiled = model.blocks[0].compiled
    index, start, _ = compiled.columns[name]
    whole_function = type(compiled).function

    def faulty(self, mode):
        function = whole_function(self, mode)

        def run(*arguments):
            kept = function(*arguments)
            kept[index][-1, ..., start] += SMALL
            return kept

        return run

    monkeypatch.setattr(type(compiled), "function", faulty)
    checked = check(model.run())
    assert not checked.agrees
    assert {fault.kind for _, fault in checked.faults} >= {"one step", "own step"}


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_fault_of_the_loop_alone_even_where_the_runs_part(make, scale):
    scenario = make("RNN", shape=[60, 1, 8], hidden_size=16, scale=scale)
    done = Model(scenario).run_batch(0)
    reference = run_reference(done)
    assert compare(done, reference).agrees
    index, start, _ = done.runs["L0"].block.compiled.columns["h"]
    done.runs["L0"].segments[0].kept[index][40, ..., start + 3] += SMALL
    assert ("own step", "L0", "h") in faults(compare(done, reference))


def test_other_weights_on_torchs_side(make, monkeypatch):
    done = Model(make("LSTM")).run_batch(0)
    other = Model(make("LSTM", tables={"weights": {"seed": 3}})).run_batch(0)
    assert not compare(done, run_reference(other)).agrees


def test_a_fault_has_a_message_in_both_languages(pair):
    done, reference = pair
    comparison = compare(done, in_states(reference, "L0", "c", (2, 1, 3)))
    comparison_of_result = compare(done, replace(reference, h_n=altered(reference.h_n, (0, 0, 0))))
    for fault in comparison.faults + comparison_of_result.faults:
        assert isinstance(fault.message, Text)
        assert fault.message.into("zh") != fault.message.into("en")
    assert "3/L0/c[3]" in str(comparison.faults[0].message)
    assert "L0/h_n[0]" in str(comparison_of_result.faults[0].message)


def test_a_verdict_of_another_run_is_not_believed(pair, make):
    done, reference = pair
    other = Model(make("LSTM", num_layers=2, bidirectional=True, scale=1.01)).run_batch(0)
    verdict = compare(other, run_reference(other)).verdict
    assert verdict.agrees
    wrong = in_states(reference, "L0", "h", (2, 1, 2))
    assert not compare(done, wrong, verdict).agrees
    assert isinstance(done, Pass)


def test_checked_tells_of_all_batches(make, monkeypatch):
    windows = {"length": 3, "stride": 1, "pad": 0, "batch_size": 2}
    trace = Model(make("RNN", tables={"input": {"values": list(range(1, 11)), "windows": windows}})).run()
    last = len(trace.passes) - 1

    def reference(done):
        found = run_reference(done)
        return in_states(found, "L0", "h", (1, 0, 0)) if done.index == last else found

    monkeypatch.setattr("rnnstep.reference.run.forward.run_reference", reference)
    checked = check(trace)
    assert not checked.agrees
    assert {batch for batch, _ in checked.faults} == {last}
    assert checked.used > 1
    assert checked.one_step_diff > checked.tolerance
    assert "disagrees" in str(checked.explanation)


# ── one mistake in what tells time, on our side alone ────────────────────────────────────────────


def packed(make):
    x = {"values": np.random.default_rng(1).standard_normal((4, 3, 2)).tolist(), "lengths": [2, 4, 3]}
    h_0 = np.random.default_rng(2).standard_normal((4, 3, 3)).tolist()
    tables = {"input": x, "initial_state": {"h_0": h_0}}
    return make("GRU", hidden_size=3, num_layers=2, bidirectional=True, tables=tables)


def test_first_states_of_other_directions_are_not_torchs(make, monkeypatch):
    scenario, right = packed(make), Scenario.first_state
    assert check(Model(scenario).run()).agrees

    def of_the_other_direction(self, block, name, batch):
        other = {"forward": "backward", "backward": "forward"}[block.direction]
        return right(self, replace(block, direction=other), name, batch)

    monkeypatch.setattr(Scenario, "first_state", of_the_other_direction)
    assert not check(Model(scenario).run()).agrees


def test_rows_that_end_a_step_early_are_not_torchs(make, monkeypatch):
    scenario = packed(make)
    monkeypatch.setattr(TimeAxis, "final", lambda self, states, _: np.array(states[self.end]))
    assert not check(Model(scenario).run()).agrees
