"""An encoder and a decoder beside a module written by hand, and the words of the scenario `seq2seq`."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rnnstep.engine.learning import Learning
from rnnstep.engine.model import Model
from rnnstep.reference import check, check_gradients
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text

PADDED = """
vocabulary = ["<s>", "a", "b", "c"]
[input]
text = ["abca", "b", "ca"]
[input.target]
text = ["cb", "acbab", "b"]
shift = "<s>"
[[layers]]
name = "embed"
module = "Embedding"
embedding_dim = 3
[[layers]]
name = "encoder"
module = "{module}"
hidden_size = 5
num_layers = 2
[[layers]]
name = "embed_y"
module = "Embedding"
input = "target"
embedding_dim = 2
[[layers]]
name = "decoder"
module = "{module}"
h_0 = "encoder.h_n"
{more}
hidden_size = 5
num_layers = 2
[[layers]]
name = "says"
module = "Linear"
[weights]
seed = 4
[display]
dtype = "float64"
"""
CASES = {"GRU": "", "RNN": "", "LSTM": 'c_0 = "encoder.c_n"'}


class Seq2Seq(nn.Module):
    """As a course writes it: the decoder begins with what the encoder ended with, and is fed the shifted target."""

    def __init__(self, module: str) -> None:
        super().__init__()
        kind = getattr(nn, module)
        self.embed = nn.Embedding(4, 3)
        self.encoder = kind(3, 5, num_layers=2)
        self.embed_y = nn.Embedding(4, 2)
        self.decoder = kind(2, 5, num_layers=2)
        self.says = nn.Linear(5, 4)

    def forward(self, source, source_lengths, fed, fed_lengths):
        packed = pack_padded_sequence(self.embed(source), source_lengths, enforce_sorted=False)
        _, state = self.encoder(packed)
        packed = pack_padded_sequence(self.embed_y(fed), fed_lengths, enforce_sorted=False)
        output, _ = self.decoder(packed, state)
        output, _ = pad_packed_sequence(output, total_length=len(fed))
        return self.says(output)


@pytest.mark.parametrize("module", CASES)
def test_padded_rows_go_forward_and_back_as_in_a_module_written_by_hand(module):
    from rnnstep.reference import complete

    scenario = complete(read_text(PADDED.format(module=module, more=CASES[module])))
    model = Model(scenario)
    done = model.run_batch()
    back = model.backward(done)
    by_hand = Seq2Seq(module).double()
    by_hand.load_state_dict({name: torch.tensor(value) for name, value in scenario.parameters.items()})
    source = torch.tensor([[1, 2, 3], [2, 0, 1], [3, 0, 0], [1, 0, 0]])
    fed = torch.tensor([[0, 0, 0], [3, 1, 0], [0, 3, 0], [0, 2, 0], [0, 1, 0]])
    target = torch.tensor([[3, 1, 2], [2, 3, -100], [-100, 2, -100], [-100, 1, -100], [-100, 2, -100]])
    logits = by_hand(source, torch.tensor([4, 1, 2]), fed, torch.tensor([2, 5, 1]))
    loss = nn.CrossEntropyLoss()(logits.reshape(-1, 4), target.reshape(-1))
    loss.backward()
    np.testing.assert_allclose(done.logits, logits.detach().numpy(), rtol=0, atol=1e-12)
    assert abs(done.loss - loss.item()) < 1e-12
    for name, parameter in by_hand.named_parameters():
        np.testing.assert_allclose(back.parameters[name], parameter.grad.numpy(), rtol=0, atol=1e-12)
    assert check(model.run()).agrees
    assert check_gradients(done, back).agrees


# ── the scenario and its words ───────────────────────────────────────────────────────────────────


def bundled_text(name: str) -> str:
    return bundled.find(name).read_text("utf-8")


def test_the_training_is_that_of_a_program_written_by_hand():
    scenario = read(bundled.find("seq2seq"))
    torch.manual_seed(0)
    encoder, decoder, linear = nn.GRU(4, 6), nn.GRU(4, 6), nn.Linear(6, 4)
    letters = {"<s>": 0, "a": 1, "b": 2, "c": 3}
    words = ["abc", "acb", "bac", "bca", "cab", "cba"]
    source = torch.tensor([[letters[one] for one in word] for word in words]).T
    target = torch.tensor([[letters[one] for one in reversed(word)] for word in words]).T
    fed = torch.cat([torch.zeros(1, 6, dtype=torch.long), target[:-1]])
    modules = nn.ModuleList([encoder, decoder, linear])
    optimizer = torch.optim.Adam(modules.parameters(), lr=0.1)
    learning = Learning(scenario)
    for epoch in range(25):
        optimizer.zero_grad()
        _, h_n = encoder(nn.functional.one_hot(source, 4).float())
        output, _ = decoder(nn.functional.one_hot(fed, 4).float(), h_n)
        loss = nn.functional.cross_entropy(linear(output).reshape(-1, 4), target.reshape(-1))
        assert learning.record(epoch).loss == pytest.approx(loss.item(), abs=1e-4)
        loss.backward()
        optimizer.step()


def test_the_words_of_the_scenario_are_true():
    learning = Learning(read(bundled.find("seq2seq")))
    shares = [learning.record(epoch).accuracy for epoch in range(25)]
    assert shares.index(1.0) == 13  # what is recorded of an epoch is from before its update
    assert all(share == 1.0 for share in shares[13:])
    done = learning.epoch(0).forward(0)
    assert done.layer_results()["encoder"]["h_n"].shape == (1, 6, 6)
    assert "13 updates" in bundled_text("seq2seq")
    assert "更新 13 次" in bundled_text("seq2seq")


def test_without_the_state_the_loss_stays_above_what_the_letters_leave_open():
    without = (
        bundled_text("seq2seq").replace('h_0 = "encoder.h_n"', "").replace("epochs = 25", "epochs = 300")
    )
    start, end = without.index('[[layers]]\nname = "encoder"'), without.index('[[layers]]\nname = "decoder"')
    alone = without[:start] + without[end:]
    alone = alone.replace('input = "target"', 'input = ["target", "spare.h_n"]').replace(
        '[[layers]]\nname = "decoder"',
        '[[layers]]\nname = "spare"\nmodule = "RNN"\nhidden_size = 1\n[[layers]]\nname = "decoder"',
    )
    bound = (math.log(3) + math.log(2)) / 3
    assert f"{bound:.4f}" == "0.5973"
    assert "0.5973" in bundled_text("seq2seq")
    scenario = read_text(alone)
    blind = scenario.batches[0].values * 0  # the source is there, and says nothing
    from dataclasses import replace

    scenario = replace(scenario, batches=(replace(scenario.batches[0], values=blind),))
    learning = Learning(scenario)
    losses = [learning.record(epoch).loss for epoch in range(300)]
    assert min(losses) > bound - 1e-6
    assert min(losses) < bound + 0.02


@pytest.mark.parametrize("module", CASES)
def test_the_program_of_padded_rows_gives_the_engines_numbers(module, capsys):
    from rnnstep.program import torch_program
    from rnnstep.reference import complete

    text = PADDED.format(module=module, more=CASES[module])
    done = Model(complete(read_text(text))).run_batch()
    names: dict[str, object] = {}
    try:
        exec(torch_program(read_text(text)), names)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_printoptions(profile="default")
    assert "logits" in capsys.readouterr().out
    np.testing.assert_allclose(names["logits"].detach().numpy(), done.logits, rtol=0, atol=1e-12)
    assert abs(names["loss"].item() - done.loss) < 1e-12


# ── other encoders and decoders ──────────────────────────────────────────────────────────────────

OTHERS = """
vocabulary = ["<s>", "a", "b", "c"]
[input]
text = ["abca", "b"]
[input.target]
text = ["cb", "acb"]
shift = "<s>"
[[layers]]
name = "encoder"
{encoder}
[[layers]]
name = "decoder"
hidden_size = 4
{decoder}
[[layers]]
module = "Linear"
[weights]
seed = 1
[display]
dtype = "float64"
"""
BOTH_WAYS = 'module = "GRU"\nhidden_size = 2\nbidirectional = true'
PAIRS = {
    "a cell begins where a module ended": (
        'module = "GRU"\nhidden_size = 4',
        'module = "GRUCell"\ninput = "target"\nh_0 = "encoder.h_n"',
    ),
    "two cells": (
        'module = "LSTMCell"\nhidden_size = 4',
        'module = "LSTMCell"\ninput = "target"\nh_0 = "encoder.h_n"\nc_0 = "encoder.c_n"',
    ),
    "both directions into a cell": (BOTH_WAYS, 'module = "GRUCell"\ninput = "target"\nh_0 = "encoder.h_n"'),
    "at every step": (BOTH_WAYS, 'module = "RNN"\nbidirectional = true\ninput = ["target", "encoder.h_n"]'),
    "rows first": (
        'module = "GRU"\nhidden_size = 4\nbatch_first = true',
        'module = "GRU"\nbatch_first = true\ninput = ["target", "encoder.last"]\nh_0 = "encoder.h_n"',
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_torch_and_the_program_agree_with_other_encoders_and_decoders(pair, capsys):
    from rnnstep.program import torch_program

    encoder, decoder = PAIRS[pair]
    scenario = read_text(OTHERS.format(encoder=encoder, decoder=decoder))
    model = Model(scenario)
    done = model.run_batch()
    assert check(model.run()).agrees
    assert check_gradients(done, model.backward(done)).agrees
    names: dict[str, object] = {}
    exec(torch_program(scenario), names)
    torch.set_printoptions(profile="default")
    capsys.readouterr()
    assert abs(names["loss"].item() - done.loss) < 1e-12
