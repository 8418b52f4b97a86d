"""[[layers]] with parameters that are other layers': one parameter, one gradient, beside a module written with torch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients, complete
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from tests.oracle.loss_checks import assert_are_torchs
from tests.oracle.programs import agrees, scenario_in

OUTPUT = """
vocabulary = ["a", "b", "c", "d"]
[input]
text = ["abca", "bd"]
packed = true
[[layers]]
name = "embed"
module = "Embedding"
embedding_dim = 3
[[layers]]
module = "GRU"
hidden_size = 3
[[layers]]
module = "Linear"
out_features = 4
weight = "embed.weight"
[weights]
seed = 3
[target]
text = ["bcab", "dd"]
[display]
dtype = "%s"
"""
CELLS = """
[input]
random = {shape = [4, 2, 3], seed = 1}
[[layers]]
name = "one"
module = "LSTM"
hidden_size = 3
[[layers]]
name = "two"
module = "LSTM"
hidden_size = 3
weight_hh_l0 = "one.weight_hh_l0"
bias_ih_l0 = "one.bias_ih_l0"
[[layers]]
name = "up"
module = "Linear"
out_features = 3
[[layers]]
name = "out"
module = "Linear"
weight = "up.weight"
out_features = 3
[weights]
seed = 3
[target]
values = [[[0.1, 0.2, 0.3], [0, 0, 0]], [[0.1, 0.2, 0.3], [1, 0, 0]], [[0.1, 0.2, 0.3], [0, 0, 1]], [[0.5, 0.2, 0.3], [0, 0, 0]]]
[loss]
reduction = "sum"
[display]
dtype = "%s"
"""
TEXTS = {"input and output embedding": OUTPUT, "cells and layers": CELLS}
TRAINING = '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 3\n'


class Tied(nn.Module):
    """The language model with one table, as a user of torch writes it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.embed = nn.Embedding(4, 3)
        self.gru = nn.GRU(3, 3)
        self.linear = nn.Linear(3, 4)
        self.linear.weight = self.embed.weight

    def forward(self, indices, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.embed(indices), lengths, enforce_sorted=False)
        output = self.gru(packed)[0]
        return self.linear(nn.utils.rnn.pad_packed_sequence(output, total_length=len(indices))[0])


class Shared(nn.Module):
    """Two LSTMs and two linear layers that share, as a user of torch writes it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.one = nn.LSTM(3, 3)
        self.two = nn.LSTM(3, 3)
        self.two.weight_hh_l0 = self.one.weight_hh_l0
        self.two.bias_ih_l0 = self.one.bias_ih_l0
        self.up = nn.Linear(3, 3)
        self.out = nn.Linear(3, 3)
        self.out.weight = self.up.weight

    def forward(self, x):
        return self.out(self.up(self.two(self.one(x)[0])[0]))


def test_one_table_is_one_parameter_with_one_gradient_drawn_as_torch_draws_it():
    scenario = complete(read_text(OUTPUT % "float64"))
    module = Tied().double()
    batch = scenario.batches[0]
    names = dict(module.named_parameters())
    own = {name.removeprefix("gru."): value for name, value in names.items()}
    assert set(own) == set(scenario.parameters)
    for name, value in scenario.parameters.items():
        np.testing.assert_allclose(value, own[name].detach().numpy(), rtol=0, atol=1e-7)
    module.load_state_dict(
        {
            name: torch.tensor(
                scenario.parameters[name.removeprefix("gru.").replace("linear.weight", "embed.weight")]
            )
            for name in module.state_dict()
        }
    )
    scores = module(torch.tensor(batch.first.indices), list(batch.first.lengths))
    loss = nn.functional.cross_entropy(
        scores.reshape(-1, 4), torch.tensor(batch.target).reshape(-1), ignore_index=scenario.loss.ignore_index
    )
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    assert done.loss == pytest.approx(loss.item(), abs=1e-12)
    back = model.backward(done)
    for name, value in dict(module.named_parameters()).items():
        ours = back.parameters[name.removeprefix("gru.")]
        np.testing.assert_allclose(ours, value.grad.numpy(), rtol=0, atol=1e-12)


def test_cells_and_layers_share_what_is_tied():
    scenario = read_text(CELLS % "float64")
    module = Shared().double()
    assert set(dict(module.named_parameters())) == set(scenario.parameters)
    with torch.no_grad():
        for name, value in module.named_parameters():
            np.testing.assert_allclose(value.numpy(), scenario.parameters[name], rtol=0, atol=1e-7)
            value.copy_(torch.tensor(scenario.parameters[name]))
    scores = module(torch.tensor(scenario.batches[0].first.values))
    loss = nn.MSELoss(reduction="sum")(scores, torch.tensor(scenario.batches[0].target))
    loss.backward()
    model = Model(scenario)
    done = model.run_batch(0)
    back = model.backward(done)
    np.testing.assert_allclose(done.scores, scores.detach().numpy(), rtol=0, atol=1e-13)
    for name, value in module.named_parameters():
        np.testing.assert_allclose(back.parameters[name], value.grad.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_torchs_run_agrees(text, dtype):
    model = Model(complete(read_text(text % dtype)))
    trace = model.run()
    assert not check(trace).compared[0].faults
    assert not check_gradients(trace.passes[0], model.backward(trace.passes[0])).faults


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_training_is_torchs_and_so_is_the_program(text, tmp_path):
    path = scenario_in(tmp_path, text % "float64" + TRAINING)
    agrees(path)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_train_agrees(text, tmp_path):
    (tmp_path / "tied.toml").write_text(text % "float64" + TRAINING)
    assert rnnstep.train(tmp_path / "tied.toml").as_dict()["agrees"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_it_is_written_and_reads_back(text, tmp_path):
    live = replace(complete(read_text(text % "float64")), path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    assert difference(live, read(tmp_path / "written.toml")) is None


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_gradients_by_hand_are_marked_right(text, tmp_path):
    path = tmp_path / "tied.toml"
    path.write_text(text % "float64")
    model = Model(complete(read_text(text % "float64")))
    gradients = model.backward(model.run_batch(0)).parameters
    lines = []
    for key, value in gradients.items():
        rows = [" ".join(f"{x:.6f}" for x in row) for row in np.atleast_2d(value)]
        lines.append(f"grad.{key} = {'; '.join(rows)}")
    marked = rnnstep.check(path, "\n".join(lines)).as_dict()
    assert [one["status"] for one in marked["answers"]] == ["correct"] * len(lines)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('weight = "embed.weight"', 'weight = "embed.weigh"', "no other layer has a parameter embed.weigh"),
        (
            'weight = "embed.weight"',
            'weight = "embed.weight"\nbias = "embed.weight"',
            "(4, 3), expected (4,)",
        ),
        ('weight = "embed.weight"', 'weight_ih = "embed.weight"', "linear has no such parameter"),
    ],
)
def test_what_cannot_be_tied_is_told(old, new, words):
    with pytest.raises(ScenarioError) as error:
        read_text((OUTPUT % "float64").replace(old, new))
    assert words in error.value.into("en")
    assert error.value.into("zh") != error.value.into("en")


# ── the bundled scenario ─────────────────────────────────────────────────────────────────────────


class Banana(nn.Module):
    """The bundled `tied`, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(4, 3)
        self.gru = nn.GRU(3, 3)
        self.linear = nn.Linear(3, 4)
        self.linear.weight = self.embed.weight

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        return self.linear(self.gru(self.embed(indices))[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_bundled_tie_is_a_module_written_by_hand(dtype):
    torch.manual_seed(6)
    module = Banana()
    with torch.no_grad():
        module = module.to(dtype)
        table = [[-1.9, -1.0, 0.7], [-0.7, -1.5, 0.2], [1.5, 0.6, 1.9], [-1.1, -0.2, 0.4]]
        module.embed.weight.copy_(torch.tensor(table, dtype=dtype))
    text = find("tied").read_text("utf-8") + f'[display]\ndtype = "{str(dtype).removeprefix("torch.")}"\n'
    scenario = complete(read_text(text))
    (batch,) = scenario.batches
    logits = module(torch.tensor(batch.indices))
    loss = nn.functional.cross_entropy(logits.reshape(-1, 4), torch.tensor(batch.target).reshape(-1))
    loss.backward()
    gradients = {name.removeprefix("gru."): one.grad.numpy() for name, one in module.named_parameters()}
    assert set(gradients) == set(scenario.parameters)
    assert_are_torchs(Model(scenario), loss.item(), gradients, units=64, gradient_units=256)


def test_what_is_said_of_the_bundled_tie_is_true():
    learning = Learning(complete(read(find("tied"))))
    counted = sum(value.size for value in learning.scenario.parameters.values())
    back = learning.epoch(0).backward(0)
    of_embed, of_linear = (back.values(key, 0)["∂weight"] for key in ("embed", "linear"))
    assert (round(float(of_embed[1, 1]), 4), round(float(of_linear[1, 1]), 4)) == (0.0367, -0.1101)
    whole = back.parameters["embed.weight"]
    assert round(float(whole[1, 1]), 4) == -0.0734
    np.testing.assert_allclose(whole, of_embed + of_linear, rtol=1e-6)
    assert not of_embed[0].any()
    assert of_linear[0].all()
    right = [learning.record(epoch).prediction == ("anana.",) for epoch in range(40)]
    assert (right[10], all(right[11:])) == (False, True)
    apart = find("tied").read_text("utf-8").replace('weight = "embed.weight"', "")
    learning = Learning(complete(read_text(apart)))
    right = [learning.record(epoch).prediction == ("anana.",) for epoch in range(40)]
    assert (right[34], all(right[35:])) == (False, True)
    assert (counted, sum(value.size for value in learning.scenario.parameters.values())) == (88, 100)


def test_sizes_that_follow_from_other_layers_may_be_left_out():
    """Of a table that is another's, and of a state that another layer gives first."""
    text = """
vocabulary = ["<s>", "a", "b"]
[input]
text = "ab"
[input.target]
text = "ba"
shift = "<s>"
[[layers]]
name = "embed"
module = "Embedding"
embedding_dim = 2
[[layers]]
name = "encoder"
module = "{encoder}"
hidden_size = 3
{more}
[[layers]]
name = "embed_y"
module = "Embedding"
input = "target"
weight = "embed.weight"
[[layers]]
name = "decoder"
module = "{decoder}"
h_0 = "encoder.h_n"
{own}
[[layers]]
module = "Linear"
[weights]
seed = 1
"""
    cases = (
        ("GRU", "", "GRUCell", "", 3),
        ("GRU", "", "GRU", "", 3),
        ("GRU", "bidirectional = true", "GRUCell", "", 6),
        ("GRU", "bidirectional = true", "GRU", "bidirectional = true", 3),
        ("LSTM", "proj_size = 2", "RNN", "", 2),
    )
    for encoder, more, decoder, own, hidden in cases:
        scenario = complete(read_text(text.format(encoder=encoder, more=more, decoder=decoder, own=own)))
        assert scenario.by_key["embed_y"].embedding_dim == 2
        assert scenario.by_key["decoder"].hidden_size == hidden
        assert check(Model(scenario).run()).agrees
    wrong = text.replace("embedding_dim = 2", 'embedding_dim = "x"')
    with pytest.raises(ScenarioError, match="`embedding_dim`: found") as told:
        read_text(wrong.format(encoder="GRU", more="", decoder="GRU", own=""))
    assert str(told.value).count("found") == 1
    with pytest.raises(ScenarioError, match="`hidden_size` is missing"):
        read_text(
            text.format(encoder="GRU", more="", decoder="GRU", own="").replace('h_0 = "encoder.h_n"', "")
        )
