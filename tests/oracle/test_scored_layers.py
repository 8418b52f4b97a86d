"""Networks without a recurrent module, and losses of another layer than the last: each beside torch's modules called by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients, complete
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from tests.oracle.loss_checks import assert_are_slopes
from tests.oracle.programs import agrees, scenario_in

ROWS = np.random.default_rng(4).uniform(-1, 1, (4, 2, 3)).round(2)
TAIL = '[weights]\nseed = 3\n[display]\ndtype = "{dtype}"\n'
LETTERS = (
    """
vocabulary = ["h", "e", "l", "o"]
[input]
text = "hell"
[target]
text = "ello"
[[layers]]
module = "Embedding"
embedding_dim = 3
[[layers]]
module = "Tanh"
[[layers]]
module = "Linear"
"""
    + TAIL
)
PERCEPTRON = (
    f"""
[input]
values = {ROWS[:1].tolist()}
[target]
values = {ROWS[:1, :, :2].tolist()}
[[layers]]
name = "fc1"
module = "Linear"
out_features = 5
[[layers]]
module = "ReLU"
[[layers]]
name = "fc2"
module = "Linear"
add = "fc1"
out_features = 5
[[layers]]
module = "Linear"
out_features = 2
"""
    + TAIL
)
WINDOW = (
    f"""
mode = "train"
dropout_seed = 2
[input]
values = {ROWS.tolist()}
[target]
values = {ROWS[..., :2].tolist()}
[[layers]]
module = "Conv1d"
out_channels = 4
kernel_size = 3
padding = 1
[[layers]]
module = "Dropout"
p = 0.25
[[layers]]
module = "Linear"
"""
    + TAIL
)
PROBABILITIES = (
    """
vocabulary = ["h", "e", "l", "o"]
[input]
text = "hell"
[target]
text = "ello"
[[layers]]
module = "LSTM"
hidden_size = 3
[[layers]]
name = "head"
module = "Linear"
[[layers]]
name = "probabilities"
module = "Softmax"
dim = -1
[loss]
of = "head"
"""
    + TAIL
)
FIRST_OF_TWO = (
    f"""
[input]
values = {ROWS.tolist()}
lengths = [4, 2]
packed = true
[target]
values = {ROWS[..., :2].tolist()}
[[layers]]
name = "lower"
module = "LSTM"
hidden_size = 2
[[layers]]
name = "upper"
module = "GRUCell"
hidden_size = 5
[[layers]]
module = "Linear"
out_features = 4
[loss]
of = "lower"
"""
    + TAIL
)
SUM = (
    f"""
[input]
values = {ROWS.tolist()}
[target]
values = {ROWS.tolist()}
[[layers]]
name = "lower"
module = "GRU"
hidden_size = 3
add = "input"
[[layers]]
module = "Linear"
out_features = 4
[loss]
of = "lower"
"""
    + TAIL
)
TEXTS = {
    "letters": LETTERS,
    "perceptron": PERCEPTRON,
    "window": WINDOW,
    "probabilities": PROBABILITIES,
    "first of two": FIRST_OF_TWO,
    "sum": SUM,
}


def scenario_of(name, dtype="float64"):
    scenario = read_text(TEXTS[name].format(dtype=dtype))
    return complete(scenario) if scenario.pending else scenario


def by_hand(name, scenario):
    """The scores and the loss, and the parameters by their names, as a user of torch computes them."""
    parameters = {key: torch.tensor(value, requires_grad=True) for key, value in scenario.parameters.items()}
    batch = scenario.batches[0]
    target = torch.tensor(batch.target)

    def linear(key, x):
        return nn.functional.linear(x, parameters[f"{key}.weight"], parameters[f"{key}.bias"])

    def made(module, before):
        own = {key.removeprefix(before): value for key, value in parameters.items() if key.startswith(before)}
        own = {key: value for key, value in own.items() if "." not in key}
        return lambda x: torch.func.functional_call(module.double(), own, (x,))

    x = None if batch.values is None else torch.tensor(batch.values)
    if name == "letters":
        looked_up = nn.functional.embedding(torch.tensor(batch.indices), parameters["embedding.weight"])
        scores = linear("linear", torch.tanh(looked_up))
    elif name == "perceptron":
        first = linear("fc1", x)
        scores = linear("linear", linear("fc2", torch.relu(first)) + first)
    elif name == "window":
        convolved = nn.functional.conv1d(
            x.permute(1, 2, 0), parameters["conv1d.weight"], parameters["conv1d.bias"], padding=1
        ).permute(2, 0, 1)
        mask = (np.random.default_rng(2).random((4, 2, 4)) >= 0.25) / 0.75
        scores = linear("linear", convolved * torch.tensor(mask))
    elif name == "probabilities":
        output, _ = made(nn.LSTM(4, 3), "")(x)
        scores = linear("head", output)
    elif name == "first of two":
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 2])
        output, _ = made(nn.LSTM(3, 2), "lower.")(packed)
        scores = nn.utils.rnn.pad_packed_sequence(output)[0]
    else:
        scores = made(nn.GRU(3, 3), "lower.")(x)[0] + x
    if name in ("letters", "probabilities"):
        return scores, nn.CrossEntropyLoss()(scores.view(-1, 4), target.view(-1)), parameters
    return scores, nn.MSELoss()(scores, target), parameters


@pytest.mark.parametrize("name", TEXTS)
def test_scores_loss_and_gradients_are_those_of_torchs_modules(name):
    scenario = scenario_of(name)
    scores, loss, parameters = by_hand(name, scenario)
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    back = model.backward(done)
    np.testing.assert_allclose(done.scores, scores.detach().numpy(), rtol=0, atol=1e-14)
    assert done.loss == pytest.approx(loss.item(), rel=1e-13)
    for key, parameter in parameters.items():
        expected = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.numpy()
        np.testing.assert_allclose(back.parameters[key], expected, rtol=0, atol=1e-14, err_msg=key)


@pytest.mark.parametrize("name", TEXTS)
def test_gradients_are_the_slopes_of_the_loss(name):
    assert_are_slopes(Model(scenario_of(name)), rel=1e-6, abs_=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", TEXTS)
def test_torchs_own_run_agrees_forth_and_back(name, dtype):
    model = Model(scenario_of(name, dtype))
    trace = model.run()
    assert check(trace).faults == ()
    assert check_gradients(trace.passes[0], model.backward(trace.passes[0])).faults == ()


@pytest.mark.parametrize("training", ["", '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 3\n'])
@pytest.mark.parametrize("name", TEXTS)
def test_the_program_gives_the_same_numbers(name, training, tmp_path):
    agrees(scenario_in(tmp_path, TEXTS[name].format(dtype="float64") + training))


@pytest.mark.parametrize("name", TEXTS)
def test_a_training_agrees_with_torchs(name, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(TEXTS[name].format(dtype="float64") + "[training]\nlr = 0.3\nepochs = 4\n")
    trained = rnnstep.train(path).as_dict()
    assert trained["agrees"]
    losses = [epoch["loss"] for epoch in trained["epochs"]]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", TEXTS)
def test_a_network_made_in_memory_is_written_and_reads_back(name, tmp_path):
    live = replace(scenario_of(name), path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    assert difference(live, read(tmp_path / "written.toml")) is None


@pytest.mark.parametrize("name", ["letters", "perceptron", "window"])
def test_json_has_no_output_of_a_recurrent_module_and_every_layers_own(name, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(TEXTS[name].format(dtype="float64"))
    trace = rnnstep.trace(path).as_dict()
    assert trace["agrees"]
    assert not {"output", "h_n", "c_n"} & trace.keys()
    layers = list(trace["layers"].values())
    np.testing.assert_allclose(layers[-1]["output"], trace["logits"], rtol=0, atol=0)
    for ours, torchs in zip(layers, trace["reference"]["layers"].values(), strict=True):
        np.testing.assert_allclose(ours["output"], torchs["output"], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", TEXTS)
def test_answers_of_every_step_are_marked(name, tmp_path):
    path = tmp_path / "network.toml"
    path.write_text(TEXTS[name].format(dtype="float64"))
    model = Model(scenario_of(name))
    done = model.run_batch(0)
    value = done.scores[0, 0]
    right = f"loss = {done.loss:.5f}\n"
    is_logits = name not in ("first of two", "sum")
    answers = f"{right}logits_1 = {' '.join(f'{x:.5f}' for x in value)}\n" if is_logits else right
    marked = rnnstep.check(path, answers).as_dict()
    assert [one["status"] for one in marked["answers"]] == ["correct"] * len(answers.splitlines())
    wrong = rnnstep.check(path, f"loss = {done.loss + 0.5:.5f}")
    assert [one.status for one in wrong.marks] == ["wrong"]


def test_a_sum_over_steps_is_the_default_where_a_cell_stands_below_what_is_compared():
    text = FIRST_OF_TWO.format(dtype="float64")
    assert read_text(text).loss.over_time == "together"
    values = str(ROWS[..., :2].tolist()), str(np.zeros((4, 2, 5)).tolist())
    assert read_text(text.replace(*values).replace('of = "lower"', 'of = "upper"')).loss.over_time == "sum"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('of = "head"', 'of = "heat"', 'did you mean "head"?'),
        ('of = "head"', "of = 3", "expected one of"),
        ('of = "head"', 'of = "probabilities"\nname = "MSELoss"', "compares numbers"),
    ],
)
def test_what_is_wrong_with_the_layer_that_is_compared_is_told(old, new, words):
    with pytest.raises(ScenarioError) as told:
        read_text(PROBABILITIES.format(dtype="float32").replace(old, new))
    assert words in str(told.value)


RAGGED = """
vocabulary = ["a", "b", "c"]
[input]
text = ["abcab", "ba"]
{embedding}
[[layers]]
module = "Softmax"
dim = -1
{recurrent}
[[layers]]
module = "Linear"
out_features = 2
{reads}
[target]
values = {target}
[weights]
seed = 3
[display]
dtype = "float64"
"""
EMBEDDING = '[[layers]]\nmodule = "Embedding"\nembedding_dim = 3\n'


@pytest.mark.parametrize("embedding", ["", EMBEDDING])
@pytest.mark.parametrize(
    ("recurrent", "reads", "shape"),
    [
        ("", "", (5, 2, 2)),
        ('[[layers]]\nname = "gru"\nmodule = "GRU"\nhidden_size = 3', 'input = "gru.last"', (2, 2)),
        ('[[layers]]\nmodule = "GRU"\nhidden_size = 3', 'input = ["gru", "input"]', (5, 2, 2)),
    ],
)
def test_the_program_of_short_rows_reads_the_padding_that_the_engine_reads(
    embedding, recurrent, reads, shape, tmp_path
):
    if embedding and "input" in reads.partition("=")[2]:
        reads = reads.replace('"input"', '"embedding"')
    target = np.random.default_rng(5).uniform(-1, 1, shape).round(2).tolist()
    agrees(
        scenario_in(
            tmp_path, RAGGED.format(embedding=embedding, recurrent=recurrent, reads=reads, target=target)
        )
    )


def test_what_trains_without_drawing_is_written_with_its_mode(tmp_path):
    text = PERCEPTRON.format(dtype="float64").replace('module = "ReLU"', 'module = "BatchNorm1d"')
    live = replace(read_text(f'mode = "train"\n{text}'), path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    assert difference(live, read(tmp_path / "written.toml")) is None


def test_statistics_of_a_single_value_behind_a_pool_are_told():
    text = f"""
mode = "train"
[input]
values = {ROWS[:, :1].tolist()}
[[layers]]
module = "MaxPool1d"
kernel_size = 4
[[layers]]
module = "BatchNorm1d"
[weights]
seed = 1
"""
    with pytest.raises(ScenarioError, match="one step and one row"):
        read_text(text)
    assert read_text(text.replace("kernel_size = 4", "kernel_size = 2"))


def test_dropout_between_layers_goes_with_a_cell_that_is_stepped():
    text = SUM.format(dtype="float64").replace(
        'module = "GRU"', 'module = "GRU"\nnum_layers = 2\ndropout = 0.4'
    )
    text = text.replace(
        '[[layers]]\nmodule = "Linear"',
        '[[layers]]\nmodule = "LSTMCell"\nhidden_size = 2\n[[layers]]\nmodule = "Linear"',
    )
    model = Model(
        read_text(
            f'mode = "train"\n{text}'.replace('of = "lower"', "")
            .replace(str(ROWS.tolist()), str(ROWS.tolist()))
            .replace("out_features = 4", "out_features = 3")
        )
    )
    done = model.run_batch(0)
    assert check_gradients(done, model.backward(done)).faults == ()
