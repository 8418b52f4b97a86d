"""The least that a cross-entropy can come to where its scores are bounded."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rnnstep.engine.learning import Learning
from rnnstep.engine.least_loss import floor
from rnnstep.scenario.bundled import find
from rnnstep.scenario.read import read, read_text


def of(name):
    scenario = read(find(name))
    return floor(scenario, scenario.batches[0])


def made(recurrent="module = 'RNN'", rest="", target="text = 'ba'"):
    return read_text(
        f"vocabulary = ['a', 'b']\n[input]\ntext = 'ab'\n[recurrent]\n{recurrent}\nhidden_size = 2\n"
        f"[weights]\nseed = 0\n[target]\n{target}\n{rest}"
    )


def least(*arguments):
    scenario = made(*arguments)
    return floor(scenario, scenario.batches[0])


def test_hello_summed_over_five_steps():
    found = of("hello")
    assert found.each == pytest.approx(math.log(1 + 3 * math.exp(-2)))
    assert found.loss == pytest.approx(1.704, abs=5e-4)
    assert "ln(1 + 3·e^(−2)) = 0.341, and the sum of 5 not below 1.704" in found.why.into("en")
    assert "5 个的和不会低于 1.704" in found.why.into("zh")


def test_hello_in_the_mean():
    found = of("hello_rnn")
    assert found.loss == pytest.approx(0.341, abs=5e-4)
    assert "the sum" not in found.why.into("en")


@pytest.mark.parametrize(
    "name", ["hello_lstm", "hello_gru", "embedding", "exploding", "bidirectional", "weather"]
)
def test_what_is_not_bounded_has_none(name):
    assert of(name) is None


def test_relu_has_none():
    assert least("module = 'RNN'\nnonlinearity = 'relu'") is None


def test_projected_lstm_has_none():
    scenario = read_text(
        "[input]\nvalues = [[[1, 2]]]\n[recurrent]\nmodule = 'LSTM'\nhidden_size = 3\nproj_size = 2\n"
        "[weights]\nseed = 0\n[target]\nindices = [0]\n"
    )
    assert floor(scenario, scenario.batches[0]) is None


def test_lstm_is_bounded_as_tanh_is():
    assert least("module = 'LSTM'").each == pytest.approx(math.log(1 + math.exp(-2)))


def test_gru_is_bounded_by_what_it_began_with():
    assert least("module = 'GRU'").bound == 1
    found = least("module = 'GRU'", "[initial_state]\nh_0 = [2, -3]\n")
    assert found.bound == 3
    assert found.each == pytest.approx(math.log(1 + math.exp(-6)))


def test_what_is_ignored_does_not_count():
    found = least("module = 'RNN'", "[loss]\nreduction = 'sum'\nignore_index = 1\n", "indices = [0, 1]")
    assert found.loss == found.each


def test_softmax_taken_before_the_loss_bounds_any_logits():
    found = of("pitfalls/softmax_before_cross_entropy")
    assert found.each == pytest.approx(math.log(1 + 3 / math.e))
    assert "softmax of them once more" in found.why.into("en")


def test_best_scores_give_exactly_the_least():
    for name in ("hello", "pitfalls/softmax_before_cross_entropy"):
        scenario = read(find(name))
        best = np.where(np.arange(4) == scenario.batches[0].target[0], 1.0, -1.0)
        if name != "hello":
            best = (best + 1) / 2
        nll = -np.log(np.exp(best) / np.exp(best).sum()).max(where=best == 1, initial=-np.inf)
        assert of(name).each == pytest.approx(nll)


def test_no_training_goes_below():
    scenario = made(rest="[training]\noptimizer = 'Adam'\nlr = 0.5\nepochs = 300\n")
    learning = Learning(scenario)
    last = learning.record(299).loss
    assert floor(scenario, scenario.batches[0]).loss < last < 0.14


def test_factor_goes_into_the_whole_and_not_into_each():
    plain, found = least(), least("module = 'RNN'", "[loss]\nfactor = 0.25")
    assert found.each == plain.each
    assert found.loss == pytest.approx(plain.loss / 4)
    assert "the whole, times its factor, not below" in found.why.into("en")
    assert least("module = 'RNN'", "[loss]\nfactor = -1") is None
