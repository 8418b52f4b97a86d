"""`rnnstep.load`, `trace`, `grad` and `train`, as the contract describes them."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

import rnnstep
from rnnstep.errors import ScenarioError, UsageError


@pytest.fixture(scope="module")
def hello():
    return rnnstep.trace("hello")


def test_import_brings_neither_numpy_nor_torch_nor_textual():
    code = "import rnnstep, sys; print([name for name in ('numpy', 'torch', 'textual', 'click') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_every_exported_name_is_there():
    assert all(hasattr(rnnstep, name) for name in rnnstep.__all__)
    assert set(rnnstep.__all__) <= set(dir(rnnstep))


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rnnstep.nothing


def test_load_and_run_need_no_torch():
    code = "import rnnstep, sys; rnnstep.load('hello').run().output; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_load_takes_a_path_and_completes_what_torch_must_draw(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        'vocabulary = ["a", "b"]\n[input]\ntext = "ab"\n[embedding]\nembedding_dim = 3\n'
        '[recurrent]\nmodule = "RNN"\nhidden_size = 2\n[weights]\nseed = 0\n'
    )
    assert rnnstep.load(path).run().output.shape == (2, 1, 2)


def test_runs_share_no_results():
    scenario = rnnstep.load("hello")
    first, second = scenario.run(), scenario.run()
    assert not np.shares_memory(first.output, second.output)
    np.testing.assert_array_equal(first.output, second.output)


def test_what_is_not_there_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean hello"):
        rnnstep.load("helo")


def test_mistakes_of_a_file_are_a_scenario_error(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("[recurrent]\nmodul = 3\n")
    with pytest.raises(ScenarioError, match=r"s\.toml:2:1: "):
        rnnstep.trace(path)


def test_step_gives_values_by_name(hello):
    assert hello.steps[3]["h"].shape == (1, 4)
    np.testing.assert_array_equal(hello.steps[3]["h"], hello.output[3])
    np.testing.assert_allclose(hello.reference.steps[3]["h"], hello.steps[3]["h"], atol=1e-6)


def test_reference_has_the_same_keys(hello):
    assert list(hello.reference) == ["input", "steps", "output", "h_n"]
    assert len(hello.reference) == 4
    assert hello.reference["h_n"] is hello.reference.h_n
    assert hello.reference.c_n is None
    assert list(hello.reference.steps[0]) == list(hello.steps[0]) == ["x", "h_prev", "ih", "hh", "a", "h"]
    with pytest.raises(KeyError):
        hello.reference["c_n"]
    with pytest.raises(KeyError):
        hello.reference.steps[0]["W_ih"]


def test_verdict_is_told(hello):
    assert hello.agrees
    assert 0 <= hello.one_step_diff <= hello.tolerance < 1e-5
    assert set(hello.max_abs_diff) == {"output", "h_n"}
    assert repr(hello) == "Run('hello', 5 steps, agrees with torch)"


def test_dictionary_has_the_contracts_keys(hello):
    found = hello.as_dict()
    assert list(found) == [
        "title", "module", "dtype", "input", "steps", "output", "h_n",
        "reference", "max_abs_diff", "one_step_diff", "tolerance", "agrees",
    ]  # fmt: skip
    assert found["title"] == "hello → ohlol: one RNNCell"
    assert (found["module"], found["dtype"], found["agrees"]) == ("RNNCell", "float32", True)
    assert list(found["steps"][0]) == ["t", "layer", "direction", "values"]
    assert found["steps"][2]["t"] == 2
    assert list(found["reference"]) == ["input", "steps", "output", "h_n"]


def test_dictionary_is_plain_and_exact(hello):
    found = json.loads(json.dumps(hello.as_dict()))
    assert found == hello.as_dict()
    np.testing.assert_array_equal(np.array(found["output"], np.float32), hello.output)
    np.testing.assert_array_equal(np.array(found["steps"][4]["values"]["a"], np.float32), hello.steps[4]["a"])


def test_own_cell_has_a_self_check_and_no_reference():
    run = rnnstep.trace("mgu")
    found = run.as_dict()
    assert run.reference is None
    assert found["reference"] is None
    assert list(found["self_check"]["steps"][0]["values"]) == ["x", "h_prev", "f", "n", "h"]
    np.testing.assert_allclose(run.self_check.output, run.output, atol=1e-6)


def test_packed_steps_name_their_rows():
    found = rnnstep.trace("packed").as_dict()
    by_place = {(step["t"], step["layer"], step["direction"]): step for step in found["steps"]}
    assert by_place[0, 0, "forward"]["rows"] == [0, 1, 2]
    assert by_place[4, 0, "backward"]["rows"] == [0]
    assert len(by_place[3, 0, "forward"]["values"]["h"]) == 2
    assert [step["t"] for step in found["steps"][5:]] == [4, 3, 2, 1, 0]


def test_several_batches_are_lists():
    found = rnnstep.trace("windows").as_dict()
    assert len(found["output"]) == len(found["input"]) == len(found["reference"]["h_n"]) == 5
    assert {step["batch"] for step in found["steps"]} == set(range(5))
    assert np.shape(found["reference"]["input"][4]) == (2, 3, 1)


def test_unbatched_run_keeps_rows_in_its_steps_only():
    found = rnnstep.trace("lstm_by_hand").as_dict()
    assert np.shape(found["output"]) == (4, 2)
    assert np.shape(found["c_n"]) == np.shape(found["reference"]["c_n"]) == (1, 2)
    assert np.shape(found["steps"][0]["values"]["tanh_c"]) == (1, 2)


# ── gradients ────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def back():
    return rnnstep.grad("hello_lstm")


def test_gradients_are_in_torchs_shapes(back):
    assert back.parameters["weight_ih_l0"].shape == (16, 4)
    assert list(back.parameters) == list(back.reference.parameters)
    assert back.states[3]["h"].shape == back.states[3]["c"].shape == (1, 4)
    assert list(back.states[3]) == ["h", "c"]
    assert (back.states[3].t, back.states[3].layer, back.states[3].direction) == (3, 0, "forward")


def test_autograd_stands_beside(back):
    assert back.agrees
    assert back.loss == pytest.approx(back.reference.loss, rel=1e-6)
    np.testing.assert_allclose(back.states[0]["c"], back.reference.states[0]["c"], atol=1e-7)
    assert set(back.max_abs_diff) == {"loss", "parameters", "states"}
    assert max(back.max_abs_diff.values()) <= 1e-6
    assert back.tolerance > 0
    assert repr(back).endswith("agrees with torch)")


def test_gradients_as_dictionary_are_plain_and_exact(back):
    found = back.as_dict()
    assert json.loads(json.dumps(found)) == found
    np.testing.assert_array_equal(
        np.array(found["parameters"]["bias_hh_l0"], np.float32), back.parameters["bias_hh_l0"]
    )
    np.testing.assert_array_equal(
        np.array(found["reference"]["states"][1]["c"], np.float32), back.reference.states[1]["c"]
    )


def test_own_cells_gradients_have_a_self_check_and_no_reference(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        '[input]\nvalues = [[[1.0]]]\n[recurrent]\nmodule = "mine"\nhidden_size = 1\n[weights]\nU = [[0.5]]\n'
        '[target]\nvalues = [[[0.0]]]\n[cell.mine]\nstate = ["h"]\n'
        'parameters = {U = "hidden_size, hidden_size"}\nequations = "h = tanh(U @ h_prev + x)"\n'
    )
    found = rnnstep.grad(path)
    assert found.reference is None
    assert found.self_check.loss == pytest.approx(found.loss)


def test_no_loss_is_a_usage_error():
    with pytest.raises(UsageError, match="there is no loss to go back from"):
        rnnstep.grad("packed")


# ── training ─────────────────────────────────────────────────────────────────────────


def test_training_gives_its_epochs():
    run = rnnstep.train("hello", epochs=6)
    assert [epoch.epoch for epoch in run.epochs] == [1, 2, 3, 4, 5, 6]
    assert run.epochs[0].loss == rnnstep.grad("hello").loss
    assert run.epochs[5].prediction == "ohlol"
    assert run.agrees
    assert run.max_abs_diff["loss"] == max(epoch.difference for epoch in run.epochs)
    assert run.parameters.keys() == rnnstep.load("hello").scenario.parameters.keys()
    assert json.loads(json.dumps(run.as_dict())) == run.as_dict()


def test_training_changes_no_scenario():
    scenario = rnnstep.load("hello").scenario
    before = {name: value.copy() for name, value in scenario.parameters.items()}
    run = rnnstep.train("hello")
    for name, value in before.items():
        np.testing.assert_array_equal(scenario.parameters[name], value)
        assert not np.array_equal(run.parameters[name], value)


def test_cure_is_trained_beside_its_mistake():
    run = rnnstep.train("pitfalls/oholo", epochs=2)
    assert [epoch.loss for epoch in run.cure] == [
        epoch.loss for epoch in rnnstep.train("hello", epochs=2).epochs
    ]
    assert rnnstep.train("hello", epochs=1).cure is None


def test_what_torch_refuses_is_given_in_its_words():
    run = rnnstep.train("pitfalls/h_0_of_the_wrong_shape", epochs=1)
    assert run.cure is None
    assert "Expected hidden size (1, 1, 8), got [1, 1, 4]" in [words.message for words in run.torch_words]


def test_no_training_is_a_usage_error(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(
        '[input]\nvalues = [[[1.0]]]\n[recurrent]\nmodule = "RNN"\nhidden_size = 1\n[weights]\nseed = 0\n'
        "[target]\nvalues = [[[0.0]]]\n"
    )
    with pytest.raises(UsageError, match=r"there is no \[training\]"):
        rnnstep.train(path)


def test_loads_reads_a_text_as_load_reads_a_file(tmp_path):
    text = 'vocabulary = ["a", "b"]\ninput.text = "ab"\nrecurrent = {module = "GRU", hidden_size = 2}\nweights.seed = 3\n'
    (tmp_path / "s.toml").write_text(text)
    ours, file = rnnstep.loads(text).run(), rnnstep.load(tmp_path / "s.toml").run()
    np.testing.assert_array_equal(ours.output, file.output)
    pending = rnnstep.loads(text + "embedding.embedding_dim = 2\n")  # which torch draws
    assert np.isfinite(pending.run().h_n).all()
    with pytest.raises(ScenarioError, match=r"scenario.toml:4:1: .*`wieghts`"):
        rnnstep.loads(text.replace("weights", "wieghts"))
