"""Sequences that are fed the numbers of the step before: the gradient goes back through them; beside torch's cells in a loop by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients
from rnnstep.scenario.data.feeding import as_given
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from tests.oracle.loss_checks import assert_are_slopes
from tests.oracle.programs import agrees, scenario_in

WANTED = np.random.default_rng(3).uniform(-1, 1, (5, 2, 2)).round(2)
TAIL = '[weights]\nseed = 4\n[display]\ndtype = "{dtype}"\n'
SERIES = (
    f"""
[input]
feed = "linear"
first = [[0.5, -0.3], [0.1, 0.9]]
steps = 5
[target]
values = {WANTED.tolist()}
[recurrent]
module = "GRU"
hidden_size = 4
[linear]
"""
    + TAIL
)
ATTENDING = (
    f"""
[input]
random = {{{{shape = [4, 2, 3], seed = 1}}}}
[input.series]
feed = "head"
first = [0.5, -0.3]
steps = 5
[target]
values = {WANTED.tolist()}
[[layers]]
name = "encoder"
module = "LSTM"
hidden_size = 4
[[layers]]
name = "attention"
module = "Attention"
query = "decoder.h_prev"
memory = "encoder"
score = "general"
[[layers]]
name = "decoder"
module = "LSTMCell"
input = ["series", "attention"]
hidden_size = 4
h_0 = "encoder.h_n"
c_0 = "encoder.c_n"
[[layers]]
name = "head"
module = "Linear"
input = ["decoder", "attention"]
out_features = 2
"""
    + TAIL
)
NO_STATES = (
    f"""
[input]
feed = "second"
first = [[0.5, -0.3], [0.1, 0.9]]
steps = 5
[target]
values = {WANTED.tolist()}
[[layers]]
name = "one"
module = "Linear"
out_features = 3
[[layers]]
module = "Tanh"
[[layers]]
name = "second"
module = "Linear"
out_features = 2
"""
    + TAIL
)
TOLD = "teacher = [true, false, true, true, false]"
TEXTS = {"series": SERIES, "attending": ATTENDING, "no states": NO_STATES}
TEXTS |= {f"{name}, told": text.replace("steps = 5", f"steps = 5\n{TOLD}") for name, text in TEXTS.items()}
TRAINING = '[training]\noptimizer = "Adam"\nlr = 0.05\nepochs = 4\n'


def by_hand(name, scenario):
    """What is fed and what is given at each step, and the parameters, as a user of torch computes them."""
    parameters = {key: torch.tensor(value, requires_grad=True) for key, value in scenario.parameters.items()}

    def linear(key, x):
        return nn.functional.linear(x, parameters[f"{key}.weight"], parameters[f"{key}.bias"])

    def cell(module, before):
        own = {
            key.removeprefix(before).removesuffix("_l0"): value
            for key, value in parameters.items()
            if key.startswith(before) and "." not in key.removeprefix(before)
        }
        return lambda *args: torch.func.functional_call(module.double(), own, args)

    x = torch.tensor(
        np.broadcast_to([[0.5, -0.3], [0.1, 0.9]] if "attending" not in name else [0.5, -0.3], (2, 2))
    )
    gave = []
    name, told = name.removesuffix(", told"), (2, 3) if "told" in name else ()

    def fed(t):
        return torch.tensor(WANTED[t - 1]) if t in told else gave[-1] if t else x

    if name == "series":
        step, h = cell(nn.GRUCell(2, 4), ""), torch.zeros(2, 4, dtype=torch.float64)
        for t in range(5):
            h = step(fed(t), h)
            gave.append(linear("linear", h))
    elif name == "no states":
        for t in range(5):
            gave.append(linear("second", torch.tanh(linear("one", fed(t)))))  # noqa: PERF401 - each reads the one before
    else:
        encoder, decoder = cell(nn.LSTMCell(3, 4), "encoder."), cell(nn.LSTMCell(6, 4), "decoder.")
        state = torch.zeros(2, 4, dtype=torch.float64), torch.zeros(2, 4, dtype=torch.float64)
        memory = []
        for row in torch.tensor(scenario.batches[0].values):
            state = encoder(row, state)
            memory.append(state[0])
        memory = torch.stack(memory, 1)
        for t in range(5):
            scores = torch.einsum("bsm,qm,bq->bs", memory, parameters["attention.W_a"], state[0])
            context = torch.einsum("bs,bsm->bm", torch.softmax(scores, -1), memory)
            state = decoder(torch.cat([fed(t), context], -1), state)
            gave.append(linear("head", torch.cat([state[0], context], -1)))
    return torch.stack(gave), parameters


@pytest.mark.parametrize("name", TEXTS)
def test_numbers_and_gradients_are_those_of_the_loop_by_hand(name):
    scenario = read_text(TEXTS[name].format(dtype="float64"))
    gave, parameters = by_hand(name, scenario)
    loss = nn.MSELoss()(gave, torch.tensor(WANTED)) * (5 if "attending" in name else 1)  # a cell adds them up
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    back = model.backward(done)
    np.testing.assert_allclose(done.scores, gave.detach().numpy(), rtol=0, atol=1e-14)
    assert done.loss == pytest.approx(loss.item(), rel=1e-13)
    for key, parameter in parameters.items():
        np.testing.assert_allclose(
            back.parameters[key], parameter.grad.numpy(), rtol=0, atol=1e-13, err_msg=key
        )
    fed = done.batch.sequences["series" if "attending" in name else "input"].values
    for t in range(1, 5):
        is_told = "told" in name and t in (2, 3)
        np.testing.assert_array_equal(fed[t], WANTED[t - 1] if is_told else done.scores[t - 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TEXTS)
def test_torchs_own_run_agrees_forth_and_back(name, dtype):
    model = Model(read_text(TEXTS[name].format(dtype=dtype)))
    trace = model.run()
    assert check(trace).faults == ()
    assert check_gradients(trace.passes[0], model.backward(trace.passes[0])).faults == ()


@pytest.mark.parametrize("name", TEXTS)
def test_gradients_are_the_slopes_of_the_loss(name):
    assert_are_slopes(Model(read_text(TEXTS[name].format(dtype="float64"))), rel=1e-6, abs_=1e-9)


@pytest.mark.parametrize("training", ["", TRAINING])
@pytest.mark.parametrize("name", TEXTS)
def test_the_program_gives_the_same_numbers(name, training, tmp_path):
    agrees(scenario_in(tmp_path, TEXTS[name].format(dtype="float64") + training))


@pytest.mark.parametrize("name", TEXTS)
def test_a_training_agrees_with_torchs_and_json_has_what_was_fed(name, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(TEXTS[name].format(dtype="float64") + TRAINING)
    trained = rnnstep.train(path).as_dict()
    assert trained["agrees"]
    assert trained["epochs"][-1]["loss"] < trained["epochs"][0]["loss"]
    trace = rnnstep.trace(path).as_dict()
    assert trace["agrees"]
    if name == "attending":
        np.testing.assert_array_equal(trace["input"]["series"][1:], trace["logits"][:-1])


@pytest.mark.parametrize("name", TEXTS)
def test_it_is_written_and_reads_back(name, tmp_path):
    live = replace(
        read_text(TEXTS[name].format(dtype="float64")), path=None, file_text=None, origins=Origins()
    )
    write_scenario(live, tmp_path / "written.toml")
    assert difference(as_given(live), read(tmp_path / "written.toml")) is None


@pytest.mark.parametrize("name", TEXTS)
def test_answers_and_gradients_are_marked(name, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(TEXTS[name].format(dtype="float64"))
    model = Model(read(path))
    done = model.run_batch(0)
    lines = [f"loss = {done.loss:.6f}"]
    for key, value in model.backward(done).parameters.items():
        rows = [" ".join(f"{x:.6f}" for x in row) for row in np.atleast_2d(value)]
        lines.append(f"grad.{key} = {'; '.join(rows)}")
    marked = rnnstep.check(path, "\n".join(lines)).as_dict()
    assert [one["status"] for one in marked["answers"]] == ["correct"] * len(lines)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("first = [[0.5, -0.3], [0.1, 0.9]]", "first = [0.5]", "`first` has 1"),
        ("steps = 5", "steps = 5\nuntil = 1", "they are no class"),
        ("steps = 5", "steps = 5\nsample = {seed = 1}", "they are no class"),
        ("steps = 5", "steps = 5\nteacher = [true]", "5 of true or false"),
        ('feed = "linear"', 'feed = "gru"', "has states"),
    ],
)
def test_what_cannot_be_fed_is_told(old, new, words):
    with pytest.raises(ScenarioError) as told:
        read_text(SERIES.format(dtype="float64").replace(old, new))
    assert words in str(told.value)
