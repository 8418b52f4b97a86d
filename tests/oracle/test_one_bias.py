"""`bias = "ih"`: one bias, as most books have it, beside torch.nn with the other one at zero and not learnt, written by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import tomlkit
import torch
from safetensors.torch import save_file
from torch import nn

import rnnstep
from rnnstep.cli import main
from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.errors import ScenarioError
from rnnstep.reference import TorchTraining, compare, complete, run_reference
from rnnstep.reference.run.network import Network
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.counts import counts
from rnnstep.views.info import info
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen
from tests.oracle.programs import agrees, scenario_in

BY_HAND = """
[input]
values = [[0.1], [0.2], [0.3]]
[recurrent]
module = "RNN"
hidden_size = 1
bias = "ih"
[linear]
out_features = 1
[weights]
weight_ih_l0 = [[0.5]]
weight_hh_l0 = [[0.5]]
bias_ih_l0 = [0]
linear.weight = [[1.0]]
linear.bias = [0.0]
[target]
values = [[0.2], [0.4], [0.6]]
[training]
optimizer = "SGD"
lr = 0.01
epochs = 2
[display]
dtype = "float64"
"""
PUBLISHED = {  # github.com/Sachin860/deep_learing, a scalar RNN in plain Python
    "weight_ih_l0": -0.16062445,
    "weight_hh_l0": -0.04615923,
    "bias_ih_l0": -0.80410530,
    "linear.weight": -0.08233091,
    "linear.bias": -0.54444672,
}


def test_the_published_calculation_with_one_bias():
    run = rnnstep.grad(rnnstep.loads(BY_HAND))
    assert run.parameters.keys() == PUBLISHED.keys()
    for name, value in PUBLISHED.items():
        assert run.parameters[name].item() == pytest.approx(value, abs=5e-9)
    assert run.agrees
    losses = [epoch.loss for epoch in rnnstep.train(rnnstep.loads(BY_HAND)).epochs]
    assert losses == pytest.approx([0.08378518, 0.0743], abs=5e-5)


def test_of_two_biases_the_same_update_would_change_the_sum_twice():
    """What the page's loss is not: torch's own module, both of whose biases learn."""
    two = rnnstep.loads(BY_HAND.replace('bias = "ih"\n', ""))
    assert rnnstep.train(two).epochs[1].loss == pytest.approx(0.0684, abs=5e-5)


# ── torch's modules by hand ──────────────────────────────────────────────────────────────────────

CASES = {
    "RNN": ("RNN", {}),
    "relu, batch_first": ("RNN", {"nonlinearity": "relu", "batch_first": True}),
    "RNNCell": ("RNNCell", {}),
    "LSTM, deep, both ways": ("LSTM", {"num_layers": 2, "bidirectional": True}),
    "LSTM, projected": ("LSTM", {"proj_size": 2}),
    "LSTMCell": ("LSTMCell", {}),
    "GRU, deep": ("GRU", {"num_layers": 2}),
    "GRUCell": ("GRUCell", {}),
}
TARGET = np.random.default_rng(4).integers(0, 3, (5, 2))


def scenario_of(module, options, dtype="float64"):
    is_first = options.get("batch_first", False)
    data = {
        "input": {"random": {"shape": [2, 5, 3] if is_first else [5, 2, 3], "seed": 1}},
        "recurrent": {"module": module, "hidden_size": 4, "bias": "ih", **options},
        "linear": {"out_features": 3},
        "weights": {"seed": 3},
        "target": {"indices": (TARGET.T if is_first else TARGET).tolist()},
        "loss": {"over_time": "together"},
        "training": {
            "optimizer": "Adam",
            "lr": 0.05,
            "weight_decay": 0.1,
            "clip_grad_norm": 0.1,
            "epochs": 4,
        },
        "display": {"dtype": dtype},
    }
    return complete(read_text(tomlkit.dumps(data)))


class ByHand:
    """A module and a linear layer as a user writes them, the second bias at zero and at rest."""

    def __init__(self, module, options, scenario):
        torch.manual_seed(3)
        self.rnn = getattr(nn, module)(3, 4, **options)
        self.linear = nn.Linear(scenario.recurrent.size, 3)
        self.is_cell, self.is_first = module.endswith("Cell"), options.get("batch_first", False)
        for name, values in self.rnn.named_parameters():
            if name.startswith("bias_hh"):
                nn.init.zeros_(values).requires_grad_(False)
        self.rnn.to(getattr(torch, scenario.display.dtype))
        self.linear.to(getattr(torch, scenario.display.dtype))

    @property
    def learnt(self):
        named = {
            **dict(self.rnn.named_parameters()),
            **{f"linear.{name}": one for name, one in self.linear.named_parameters()},
        }
        return {name: one for name, one in named.items() if one.requires_grad}

    def loss(self, batch):
        x = torch.tensor(batch.values)
        if self.is_cell:
            states, outputs = None, []
            for x_t in x:
                states = self.rnn(x_t, states)
                outputs.append(states[0] if isinstance(states, tuple) else states)
            output = torch.stack(outputs)
        else:
            output, _ = self.rnn(x.transpose(0, 1) if self.is_first else x)
            output = output.transpose(0, 1) if self.is_first else output
        return nn.CrossEntropyLoss()(self.linear(output).flatten(0, 1), torch.tensor(TARGET).flatten())


@pytest.mark.parametrize("case", CASES)
def test_loss_gradients_and_updates_are_those_of_a_module_by_hand(case):
    scenario = scenario_of(*CASES[case])
    by_hand, learning = ByHand(*CASES[case], scenario), Learning(scenario)
    assert list(scenario.parameters) == list(by_hand.learnt)  # what a seed draws, the second bias dropped
    optimizer = torch.optim.Adam(by_hand.learnt.values(), lr=0.05, weight_decay=0.1)
    reference = TorchTraining(scenario).epochs()
    for number in range(4):
        for name, values in by_hand.learnt.items():
            ours = learning.epoch(number).forward(0).scenario.parameters
            np.testing.assert_allclose(ours[name], values.detach().numpy(), rtol=0, atol=1e-12)
        optimizer.zero_grad()
        loss = by_hand.loss(scenario.batches[0])
        loss.backward()
        back = learning.epoch(number).backward(0)
        assert back.loss == pytest.approx(loss.item(), rel=1e-12)
        assert next(reference).loss == pytest.approx(loss.item(), rel=1e-12)
        for name, values in by_hand.learnt.items():
            np.testing.assert_allclose(back.parameters[name], values.grad.numpy(), rtol=0, atol=1e-12)
        nn.utils.clip_grad_norm_(by_hand.learnt.values(), 0.1)
        optimizer.step()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_value_agrees_with_torch_and_a_single_wrong_one_does_not(case, dtype):
    scenario = scenario_of(*CASES[case], dtype)
    done = Model(scenario).run_batch(0)
    assert compare(done, run_reference(done)).agrees


@pytest.mark.parametrize("case", [*CASES, "dropout"])
def test_the_program_gives_these_numbers(case, tmp_path):
    known = {**CASES, "dropout": ("GRU", {"num_layers": 2, "dropout": 0.4, "mode": "train"})}
    scenario = scenario_of(*known[case], "float32")
    assert agrees(scenario_in(tmp_path, scenario.file_text)) is not None
    for cut in ("training", "loss"):  # gradients printed; the forward run alone
        text = tomlkit.parse(scenario.file_text)
        for table in ("training", "loss", "target")[: 1 if cut == "training" else 3]:
            del text[table]
        run = agrees(scenario_in(tmp_path, tomlkit.dumps(text)))
        assert run is not None
        assert not any("bias_hh" in name for name in run.printed)


def test_torchs_second_bias_is_zeros_that_autograd_does_not_follow():
    network = Network(scenario_of("LSTM", {"num_layers": 2}))
    module = network._modules[""]
    second = {name: one for name, one in module.named_parameters() if name.startswith("bias_hh")}
    assert len(second) == 2
    for one in second.values():
        assert not one.requires_grad
        assert not one.any()
        assert one.dtype == torch.float64
    assert not any("bias_hh" in name for name in network.parameters)


# ── weights ──────────────────────────────────────────────────────────────────────────────────────

FILED = """
[input]
values = [[0.1, 0.2], [0.2, 0.5], [0.3, -1.0]]
[recurrent]
module = "GRU%s"
hidden_size = 2
bias = "ih"
[weights]
file = "%s"
"""


@pytest.mark.parametrize("suffix", ["", "Cell"])
@pytest.mark.parametrize("ending", [".safetensors", ".pt"])
def test_a_file_may_hold_the_second_bias_as_zeros_alone(tmp_path, suffix, ending):
    torch.manual_seed(8)
    module = nn.GRU(2, 2)
    (tmp_path / "s.toml").write_text(FILED % (suffix, f"w{ending}"), "utf-8")

    def saved():
        state = {f"rnn.{name}": value for name, value in module.state_dict().items()}
        (save_file if ending == ".safetensors" else torch.save)(state, tmp_path / f"w{ending}")

    saved()
    with pytest.raises(ScenarioError, match=r"`file`: .*bias_hh_l0.* is not zeros"):
        complete(read(tmp_path / "s.toml"))
    with torch.no_grad():
        module.bias_hh_l0.zero_()
    saved()
    scenario = complete(read(tmp_path / "s.toml"))
    assert [name.removesuffix("_l0") for name in scenario.parameters] == ["weight_ih", "weight_hh", "bias_ih"]
    output, _ = module(torch.tensor(scenario.batches[0].values))
    np.testing.assert_allclose(Model(scenario).run_batch(0).features, output.detach().numpy(), atol=1e-6)
    assert agrees(read(tmp_path / "s.toml")) is not None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bias_hh_l0 = [0]", r'`bias_hh_l0`: with `bias = "ih"` there is one bias; this one is zeros'),
        ("b_hh = [0]", r'`b_hh`: with `bias = "ih"` there is one bias; this one is zeros'),
        ("bias_ih_l1 = [0]", r"`bias_ih_l1`: no parameter of this module; did you mean `bias_ih_l0`"),
    ],
)
def test_a_second_bias_is_not_asked_for(line, words):
    with pytest.raises(ScenarioError, match=words):
        read_text(BY_HAND.replace("bias_ih_l0 = [0]", f"bias_ih_l0 = [0]\n{line}"))


@pytest.mark.parametrize("value", ['"hh"', "1", '"true"', "[true]"])
def test_other_biases_are_no_word(value):
    with pytest.raises(ScenarioError, match=r'`bias`: found .*, expected true or false, or "ih"'):
        read_text(BY_HAND.replace('bias = "ih"', f"bias = {value}"))


def test_a_cell_of_the_file_takes_no_such_option():
    with pytest.raises(ScenarioError, match="`bias`"):
        read_text(
            '[input]\nvalues = [[1.0]]\n[recurrent]\nmodule = "own"\nhidden_size = 1\nbias = "ih"\n[weights]\nseed = 1\n'
            '[cell.own]\nstate = ["h"]\nparameters = {W = "hidden_size, input_size"}\nequations = "h = W @ x + h_prev"\n'
        )


# ── readers ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", CASES)
def test_it_is_written_and_read_back(case, tmp_path):
    scenario = scenario_of(*CASES[case])
    write_scenario(scenario, tmp_path / "s.toml")
    assert difference(scenario, read(tmp_path / "s.toml")) is None
    write_scenario(replace(scenario, origins=Origins()), tmp_path / "t.toml")  # its numbers written out
    assert difference(scenario, read(tmp_path / "t.toml")) is None


def test_in_a_chain_each_recurrent_module_has_its_own():
    text = """
[input]
random = {shape = [4, 2, 3], seed = 1}
[[layers]]
name = "one"
module = "LSTM"
hidden_size = 2
bias = "ih"
[[layers]]
name = "both"
module = "GRU"
hidden_size = 3
[weights]
seed = 3
[target]
values = %s
"""
    scenario = read_text(text % np.zeros((4, 2, 3)).tolist())
    torch.manual_seed(3)
    lstm, gru = nn.LSTM(3, 2), nn.GRU(2, 3)
    nn.init.zeros_(lstm.bias_hh_l0).requires_grad_(False)
    output, _ = gru(lstm(torch.tensor(scenario.batches[0].values))[0])
    nn.MSELoss()(output, torch.zeros(4, 2, 3)).backward()
    done = Model(scenario).run_batch(0)
    np.testing.assert_allclose(done.output, output.detach().numpy(), atol=1e-6)
    back = Model(scenario).backward(done)
    theirs = {
        f"{key}.{name}": one.grad
        for key, module in (("one", lstm), ("both", gru))
        for name, one in module.named_parameters()
        if one.grad is not None
    }
    assert back.parameters.keys() == theirs.keys()
    for name, gradient in theirs.items():
        np.testing.assert_allclose(back.parameters[name], gradient.numpy(), atol=1e-6)
    assert agrees(scenario) is not None


def test_the_page_of_information_counts_one_bias_and_says_so():
    run = SessionRun.of(read_text(BY_HAND))
    assert counts(run.scenario, 3).total == 5
    for language, words in (("en", "One bias, as most books have it"), ("zh", "只有一个偏置")):
        text = plain(info(Session.open(run), Look(language=language), 400))
        assert words in text
        assert "bias_hh_l0" not in text


def test_json_of_gradients_and_training_has_no_second_bias(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(BY_HAND, "utf-8")
    assert main(("grad", str(tmp_path / "s.toml"), "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parameters"].keys() == found["reference"]["parameters"].keys() == PUBLISHED.keys()
    for command in ("trace", "grad", "train"):
        assert main((command, str(tmp_path / "s.toml"), "--language", "zh")) == 0
        assert "bias_hh" not in capsys.readouterr().out


def test_a_bias_left_out_is_named_once():
    text = BY_HAND.replace("bias_ih_l0 = [0]", "bias_ih_l0 = [0.3]")
    marks = rnnstep.check(rnnstep.loads(text), "h_1 = 0.04995837")
    (answer,) = marks.as_dict()["answers"]
    assert answer["status"] == "wrong"
    assert [one["id"] for one in answer["mistakes"] if one["explains"] == "all"][:1] == ["no_bias"]
    assert not any(one["id"] in ("no_b_ih", "no_b_hh", "bias_twice") for one in answer["mistakes"])


@pytest.mark.parametrize("bias", ['"ih"', "false"])
def test_nothing_is_said_of_a_bias_that_is_not_there(bias):
    words = read_text(
        f'[input]\nvalues = [[1.0]]\n[recurrent]\nmodule = "GRU"\nhidden_size = 1\nbias = {bias}\n[weights]\nseed = 1\n'
    ).cell.words
    assert "b_hn" not in words.sentence("a_n").into("en")
    assert "b_hn" not in words.sentence("a_n").into("zh")


def test_the_joined_form_has_the_one_bias():
    session = Session.open(SessionRun.of(read_text(BY_HAND))).go("2/L0")
    shown = plain(screen(session, Look(torch="none", is_joined=True), 120, 35))
    assert "b_ih" in shown
    assert "b_ih+b_hh" not in shown


def test_worksheets_have_one_bias(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(BY_HAND.replace("bias_ih_l0 = [0]", "bias_ih_l0 = [0.25]"), "utf-8")
    assert main(("worksheet", str(tmp_path / "s.toml"), "--key")) == 0
    sheet = capsys.readouterr().out
    assert "b_ih" in sheet
    assert "b_hh" not in sheet
