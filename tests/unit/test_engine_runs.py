"""What a run keeps, gives again and hands out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import rnnstep.engine.backward as backward_module
import rnnstep.engine.model as model_module
import rnnstep.engine.recurrence as recurrence_module
from rnnstep.engine import Model
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text

OWN = """
[input]
random = {shape = [4, 3, 2], seed = 1}
lengths = [2, 4, 3]
[recurrent]
module = "doubled"
hidden_size = 2
[cell.doubled]
state = ["h"]
parameters = {W = "hidden_size, input_size", b = "hidden_size"}
equations = '''
twice = 2 * b
half = 1 / 2
h = tanh(W @ x + twice) * half + 0.1 * h_prev
'''
[weights]
seed = 3
"""

MODULE = """
[input]
random = {{shape = [{steps}, {rows}, 3], seed = 1}}
{lengths}
[recurrent]
module = "{module}"
hidden_size = 4
num_layers = 2
bidirectional = {bidirectional}
[weights]
seed = 3
"""


def _trace(text):
    return Model(read_text(text)).run()


def test_a_line_of_parameters_alone_is_given_for_every_row():
    step = _trace(OWN).steps[1]
    assert step["twice"].shape == (3, 2)
    assert "half" not in step  # a number stands where it is read
    assert np.array_equal(step["twice"][0], step["twice"][2])


def test_two_runs_share_no_memory():
    model = Model(read_text(OWN))
    one, other = model.run(), model.run()
    arrays = [one.input, one.output, one.h_n, *(value for step in one.steps for value in step.values())]
    others = [
        other.input,
        other.output,
        other.h_n,
        *(value for step in other.steps for value in step.values()),
    ]
    own = [batch.values for batch in model.scenario.batches] + list(model.scenario.parameters.values())
    assert not any(np.shares_memory(a, b) for a in arrays for b in (*others, *own))


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("bidirectional", ["false", "true"])
@pytest.mark.parametrize("lengths", ["", "lengths = [3, 9, 5]"])
def test_a_run_that_forgets_gives_the_same_bits_again(monkeypatch, module, bidirectional, lengths):
    text = MODULE.format(steps=9, rows=3, module=module, bidirectional=bidirectional, lengths=lengths)
    whole = _trace(text)
    # As a run too long to be kept: cut into pieces of a step or two, states kept alone.
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    forgetful = _trace(text)
    for step, again in zip(whole.steps, forgetful.steps, strict=True):
        assert all(np.array_equal(step[name], again[name]) for name in step)
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", 1)
    in_pieces = _trace(text)
    assert len(next(iter(in_pieces.passes[0].runs.values())).segments) >= 9
    for step, again in zip(whole.steps, in_pieces.steps, strict=True):
        for name in step:
            np.testing.assert_allclose(step[name], again[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("lengths", ["", "lengths = [31, 97, 55]"])
def test_portions_of_a_segment_give_what_the_whole_gives(monkeypatch, module, lengths):
    text = MODULE.format(steps=97, rows=3, module=module, bidirectional="true", lengths=lengths)
    whole = _trace(text)
    monkeypatch.setattr(recurrence_module, "PORTION_BYTES", 0)
    monkeypatch.setattr(recurrence_module, "PORTION_ROWS", 12)
    in_portions = _trace(text)
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    forgetful = _trace(text)
    for step, other, again in zip(whole.steps, in_portions.steps, forgetful.steps, strict=True):
        for name in step:
            np.testing.assert_allclose(step[name], other[name], rtol=0, atol=1e-6)
            assert np.array_equal(other[name], again[name])


def test_a_loop_over_several_blocks_that_is_cut_into_segments_has_its_states(monkeypatch):
    scenario = read(bundled.find("attention"))
    whole = Model(scenario).run_batch(0).runs
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", 1)
    cut = Model(scenario).run_batch(0)
    runs = [run for run in cut.runs.values() if len(run.segments) > 1]
    assert runs
    for key, run in cut.runs.items():
        for name in run.block.program.states:
            np.testing.assert_allclose(run.state(name), whole[key].state(name), rtol=0, atol=1e-6)


def test_a_run_that_forgets_holds_no_more_than_its_states(monkeypatch):
    monkeypatch.setattr(model_module, "KEPT_BYTES", 0)
    monkeypatch.setattr(recurrence_module, "SEGMENT_BYTES", 1 << 17)
    model = Model(
        read_text(MODULE.format(steps=6000, rows=3, module="LSTM", bidirectional="false", lengths=""))
    )
    tracemalloc.start()
    trace = model.run()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    runs = trace.passes[0].runs.values()
    assert all(len(run.segments) > 9 for run in runs)
    assert grown < 2 * sum(run.state(name).nbytes for run in runs for name in ("h", "c"))


@pytest.mark.parametrize("module", ["RNN", "LSTM", "GRU"])
def test_a_value_over_time_is_that_of_its_steps(module):
    done = _trace(
        MODULE.format(steps=6, rows=3, module=module, bidirectional="true", lengths="lengths = [3, 6, 5]")
    )
    for key, run in done.passes[0].runs.items():
        for name in run.block.program.names:
            for row, length in enumerate((3, 6, 5)):
                whole = run.over_time(name, row)
                assert np.isnan(whole[length:]).all()
                for t in range(length):
                    place = list(run.live_rows(t)).index(row)
                    np.testing.assert_allclose(
                        whole[t], run.value(name, t)[place], rtol=0, atol=1e-6, err_msg=key
                    )


def test_of_steps_gone_back_through_few_are_kept_and_of_large_ones_one(monkeypatch) -> None:
    model = Model(read(bundled.find("hello")))
    back = model.backward(model.run_batch(0))
    assert back is not None
    several = [back.values("L0", t) for t in range(5)]
    assert back.values("L0", 4) is several[4]
    assert back.values("L0", 1) is several[1]
    assert back.values("L0", 0) is not several[0]
    monkeypatch.setattr(backward_module, "_RECENT_BYTES", 1)
    for t in (0, 1, 2):
        assert back.values("L0", t) is back.values("L0", t)
        assert len(back._recent) == (1 if t else 4)
