"""Every module and option: torch agrees, and its numbers have torch's own shapes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.reference import check, compare, run_reference
from rnnstep.reference.run.modules import array, plain_module

MODULES = ("RNN", "LSTM", "GRU")
CELLS = tuple(f"{name}Cell" for name in MODULES)
DTYPES = ("float32", "float64")
UNSORTED = {"input": {"random": {"shape": [6, 4, 4], "seed": 1}, "lengths": [2, 6, 1, 4]}}


def assert_agrees(scenario):
    checked = check(Model(scenario).run())
    assert checked.faults == ()
    assert checked.agrees
    assert checked.used <= 1
    for comparison in checked.comparisons:
        for name, difference in comparison.verdict.max_abs_diff.items():
            ours, theirs = getattr(comparison.done, name), getattr(comparison.reference, name)
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            assert difference < (1e-5 if scenario.dtype == np.float32 else 1e-13)
    return checked


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("module", CELLS)
def test_a_cell_agrees_with_torchs_cell_and_with_the_whole_module(make, module, bias, dtype):
    checked = assert_agrees(make(module, bias=bias, dtype=dtype))
    reference = checked.comparisons[0].reference
    assert reference.whole is not None
    np.testing.assert_allclose(reference.whole.output, reference.output, atol=1e-6)
    np.testing.assert_allclose(reference.whole.h_n, reference.h_n, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("module", "num_layers", "bidirectional", "bias"),
    list(itertools.product(MODULES, (1, 2, 3), (False, True), (True, False))),
)
def test_stacked_modules_agree(make, module, num_layers, bidirectional, bias, dtype):
    assert_agrees(make(module, num_layers=num_layers, bidirectional=bidirectional, bias=bias, dtype=dtype))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("module", ["RNN", "RNNCell"])
def test_relu_agrees(make, module, rows):
    assert_agrees(make(module, nonlinearity="relu", shape=[7, rows, 4]))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_projections_agree(make, num_layers, bidirectional):
    scenario = make("LSTM", proj_size=2, num_layers=num_layers, bidirectional=bidirectional)
    reference = assert_agrees(scenario).comparisons[0].reference
    assert reference.h_n.shape[-1] == 2
    assert reference.c_n.shape[-1] == 4


@pytest.mark.parametrize("module", MODULES)
def test_batch_first_agrees(make, module):
    assert_agrees(make(module, batch_first=True, num_layers=2))


@pytest.mark.parametrize("module", MODULES + CELLS)
def test_unbatched_input_agrees(make, module):
    values = [[0.5, -1.0], [2.0, 0.25], [-0.5, 1.0]]
    reference = assert_agrees(make(module, tables={"input": {"values": values}})).comparisons[0].reference
    assert reference.output.shape == (3, 4)
    assert reference.h_n.shape == ((4,) if module in CELLS else (1, 4))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("module", MODULES)
def test_a_packed_batch_of_unsorted_lengths_agrees(make, module, bidirectional):
    scenario = make(module, bidirectional=bidirectional, num_layers=2, tables=UNSORTED)
    reference = assert_agrees(scenario).comparisons[0].reference
    assert not reference.output[2:, 0].any()


@pytest.mark.parametrize("module", CELLS)
def test_a_cell_leaves_out_the_padding_of_a_packed_batch(make, module):
    assert_agrees(make(module, tables=UNSORTED))


@pytest.mark.parametrize("module", MODULES)
def test_padding_that_is_walked_over_agrees(make, module):
    tables = {"input": {**UNSORTED["input"], "packed": False}}
    assert_agrees(make(module, bidirectional=True, tables=tables))


@pytest.mark.parametrize("module", MODULES)
def test_all_rows_shorter_than_the_padding_agree(make, module):
    tables = {"input": {"random": {"shape": [6, 2, 4], "seed": 1}, "lengths": [3, 2]}}
    assert_agrees(make(module, bidirectional=True, tables=tables))


@pytest.mark.parametrize("module", MODULES)
def test_initial_states_agree(make, module):
    states = {"h_0": np.arange(24).reshape(4, 2, 3) / 24.0}
    if module == "LSTM":
        states["c_0"] = 1 - states["h_0"]
    tables = {"initial_state": {name: value.tolist() for name, value in states.items()}}
    packed = {"input": {"random": {"shape": [4, 2, 4], "seed": 1}, "lengths": [2, 4]}}
    for more in ({}, packed):
        scenario = make(
            module, shape=[4, 2, 4], hidden_size=3, num_layers=2, bidirectional=True, tables=tables | more
        )
        assert_agrees(scenario)


@pytest.mark.parametrize("p", [0.5, 1.0])
@pytest.mark.parametrize("module", MODULES)
def test_dropout_in_train_mode_agrees_under_the_same_mask(make, module, p):
    for more in ({}, UNSORTED):
        scenario = make(module, num_layers=3, bidirectional=True, dropout=p, mode="train", tables=more)
        assert_agrees(scenario)


@pytest.mark.parametrize("module", MODULES)
def test_dropout_does_nothing_in_eval_mode(make, module):
    dropping, plain = (make(module, num_layers=2, dropout=p) for p in (0.5, 0.0))
    first, second = (run_reference(Model(scenario).run_batch(0)) for scenario in (dropping, plain))
    np.testing.assert_array_equal(first.output, second.output)


@pytest.mark.parametrize("source", ["output", "h_n"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("module", MODULES)
def test_embedding_before_and_linear_after_agree(make, module, dtype, source):
    tables = {
        "vocabulary": ["e", "h", "l", "o"],
        "input": {"text": ["hello", "hole", "eel"]},
        "embedding": {"embedding_dim": 5, "padding_idx": 0},
        "linear": {"out_features": 3, "from": source},
    }
    scenario = make(module, bidirectional=True, batch_first=True, num_layers=2, dtype=dtype, tables=tables)
    checked = assert_agrees(scenario)
    assert checked.logits.shape == ((3, 5, 3) if source == "output" else (3, 3))


def test_a_cell_with_a_linear_layer_on_its_last_state_agrees(make):
    for shape in ([5, 2, 4], [5, 4]):
        tables = {
            "input": {"values": np.linspace(-1, 1, int(np.prod(shape))).reshape(shape).tolist()},
            "linear": {"out_features": 2, "bias": False, "from": "h_n"},
        }
        assert_agrees(make("LSTMCell", tables=tables))


def test_every_batch_of_a_cut_series_agrees(make):
    tables = {
        "input": {
            "values": list(range(1, 11)),
            "windows": {"length": 3, "stride": 1, "pad": 0, "batch_size": 2},
        }
    }
    checked = assert_agrees(make("RNN", tables=tables))
    assert len(checked.comparisons) > 1
    assert isinstance(checked.output, list)


def test_a_long_run_that_keeps_its_states_alone_agrees(make, monkeypatch):
    scenario = make("LSTM", shape=[300, 2, 4])
    whole = Model(scenario).run_batch(0)
    monkeypatch.setattr("rnnstep.engine.model.KEPT_BYTES", 0)
    monkeypatch.setattr("rnnstep.engine.recurrence.SEGMENT_BYTES", 4096)
    done = Model(scenario).run_batch(0)
    comparison = compare(done, run_reference(done, inner_bytes=10_000))
    assert comparison.agrees
    np.testing.assert_array_equal(done.output, whole.output)
    assert comparison.value("L0", "i", 299) is None
    assert comparison.agrees_at("L0", "i", 299) is None
    assert comparison.value("L0", "i", 0) is not None
    assert comparison.value("L0", "c", 299) is not None


def test_a_long_run_that_is_stepped_as_a_cell_agrees(make, monkeypatch):
    done = Model(make("LSTM", shape=[40, 2, 4])).run_batch(0)
    usual = run_reference(done).states["L0"]["c"]
    monkeypatch.setattr("rnnstep.reference.run.forward.MANY", 39)
    reference = run_reference(done)
    assert compare(done, reference).agrees
    np.testing.assert_allclose(reference.states["L0"]["c"], usual, atol=1e-6)


def test_the_reference_is_what_a_users_own_program_gives(make):
    scenario = make("GRU", num_layers=2, bidirectional=True)
    module = nn.GRU(4, 4, 2, bidirectional=True)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.tensor(scenario.parameters[name]))
        output, h_n = module(torch.tensor(scenario.batches[0].values))
    reference = run_reference(Model(scenario).run_batch(0))
    np.testing.assert_array_equal(reference.output, output.numpy())
    np.testing.assert_array_equal(reference.h_n, h_n.numpy())


def test_running_the_reference_leaves_torchs_random_numbers_alone(make):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    tables = {"vocabulary": ["a", "b"], "input": {"text": "abba"}, "embedding": {"embedding_dim": 3}}
    check(Model(make("LSTM", tables=tables)).run())
    assert torch.equal(torch.rand(3), expected)


def test_places_are_looked_up_by_block(make):
    scenario = make(
        "LSTM",
        num_layers=2,
        bidirectional=True,
        dropout=0.5,
        mode="train",
        tables={"linear": {"out_features": 2}},
    )
    done = Model(scenario).run_batch(0)
    comparison = compare(done, run_reference(done))
    for block in done.blocks:
        for name in done.values(block.key, 1):
            theirs = comparison.value(block.key, name, 1)
            if (block.kind, name) == ("mask", "mask"):
                assert theirs is None
                continue
            np.testing.assert_allclose(theirs, done.value(block.key, name, 1), atol=1e-6, err_msg=name)
            assert comparison.agrees_at(block.key, name, 1)
            assert comparison.difference(block.key, name, 1).max() < 1e-6
            is_state = name in ("x", "h", "c", "h_prev", "c_prev")
            assert comparison.is_module_confirmed(block.key, name) is (is_state or block.kind != "recurrent")
            if block.kind == "recurrent" and name not in ("x", "h_prev", "c_prev"):
                difference, allowed = comparison.one_step(block.key, name, 1)
                assert (difference <= allowed).all()


def test_lookups_of_a_packed_batch_give_the_live_rows(make):
    done = Model(make("GRU", bidirectional=True, tables=UNSORTED)).run_batch(0)
    comparison = compare(done, run_reference(done))
    for key in ("L0", "L0←"):
        for t in range(6):
            for name in ("x", "h_prev", "a_n", "h"):
                ours, theirs = done.value(key, name, t), comparison.value(key, name, t)
                np.testing.assert_allclose(theirs, ours, atol=1e-6)
            difference, allowed = comparison.one_step(key, "h", t)
            assert difference.shape == allowed.shape == done.value(key, "h", t).shape


def test_torchs_table_is_made_without_drawing_rows(make, monkeypatch):
    """What draws them without memory imports torch's compiler, which takes a second."""
    tables = {
        "input": {"indices": [[1, 0, 2], [0, 0, 1]]},
        "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
    }
    scenario = make("GRU", tables=tables)
    monkeypatch.setattr(nn.Embedding, "reset_parameters", lambda _: pytest.fail("rows were drawn"))
    table = plain_module(scenario.lookup, scenario.parameters)
    np.testing.assert_array_equal(array(table.weight), scenario.parameters["embedding.weight"])
    assert table.padding_idx == 0
