"""[[layers]]: a chain is the short form's network where that has one, and `LayerNorm` beside a module written with torch."""

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
from rnnstep.modules import above_recurrent
from rnnstep.reference import compare, complete, run_reference
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.origins import Origins
from rnnstep.scenario.read import read, read_text
from tests.oracle.loss_checks import assert_are_slopes, assert_are_torchs

NORMED = """
[input]
random = {shape = [4, 2, 3], seed = 1}
lengths = [4, 2]
[[layers]]
module = "LSTM"
hidden_size = 2
bidirectional = true
[[layers]]
module = "LayerNorm"
[weights]
seed = 3
layernorm.weight = [1.5, 0.5, -1.0, 2.0]
layernorm.bias = [0.1, 0.0, -0.2, 0.3]
[target]
values = %s
[loss]
reduction = "sum"
[display]
dtype = "%s"
"""
TARGET = np.random.default_rng(2).uniform(-1, 1, (4, 2, 4)).round(2)

SHORT = """
vocabulary = ["a", "b", "c"]
[input]
text = "abca"
[recurrent]
module = "GRU"
hidden_size = 4
num_layers = 2
[embedding]
embedding_dim = 2
[linear]
out_features = 3
bias = false
[weights]
seed = 1
"""
LONG = """
vocabulary = ["a", "b", "c"]
[input]
text = "abca"
[[layers]]
module = "Embedding"
embedding_dim = 2
[[layers]]
module = "GRU"
hidden_size = 4
num_layers = 2
[[layers]]
module = "Linear"
out_features = 3
bias = false
[weights]
seed = 1
"""


def normed(dtype="float64"):
    return read_text(NORMED % (TARGET.tolist(), dtype))


class Written(nn.Module):
    """What stands in NORMED, by hand."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 2, bidirectional=True)
        self.layernorm = nn.LayerNorm(4)

    def forward(self, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 2])
        output, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], total_length=4)
        return self.layernorm(output)


def by_torch(scenario):
    torch.manual_seed(3)
    module = Written().to(getattr(torch, scenario.display.dtype))
    with torch.no_grad():
        module.layernorm.weight[...] = module.layernorm.weight.new_tensor([1.5, 0.5, -1.0, 2.0])
        module.layernorm.bias[...] = module.layernorm.bias.new_tensor([0.1, 0.0, -0.2, 0.3])
    logits = module(torch.tensor(scenario.batches[0].values))
    loss = nn.MSELoss(reduction="sum")(logits, logits.new_tensor(TARGET))
    loss.backward()
    gradients = {name.removeprefix("rnn."): one.grad.numpy() for name, one in module.named_parameters()}
    return logits.detach().numpy(), loss.item(), gradients


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_loss_and_gradients_are_torchs(dtype):
    model = Model(normed(dtype))
    logits, loss, gradients = by_torch(model.scenario)
    unit = float(np.finfo(dtype).eps)
    # A normed value may be many times as far off as what it is made of: of vectors that hardly spread, 1/√(var + eps).
    np.testing.assert_allclose(model.run_batch(0).logits, logits, rtol=0, atol=1024 * unit)
    assert_are_torchs(model, loss, gradients, units=1024, gradient_units=2**17)


ACTIVATED = NORMED.replace('"LayerNorm"', '"%s"').replace("layernorm.weight = [1.5, 0.5, -1.0, 2.0]\n", "")
ACTIVATED = ACTIVATED.replace("layernorm.bias = [0.1, 0.0, -0.2, 0.3]\n", "")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["Tanh", "ReLU", "Sigmoid"])
def test_a_function_above_is_torchs_forward_and_back(name, dtype):
    scenario = read_text(ACTIVATED % (name, TARGET.tolist(), dtype))
    model = Model(scenario)
    torch.manual_seed(3)
    rnn = nn.LSTM(3, 2, bidirectional=True).to(getattr(torch, dtype))
    packed = nn.utils.rnn.pack_padded_sequence(torch.tensor(scenario.batches[0].values), [4, 2])
    output, _ = nn.utils.rnn.pad_packed_sequence(rnn(packed)[0], total_length=4)
    logits = getattr(nn, name)()(output)
    loss = nn.MSELoss(reduction="sum")(logits, logits.new_tensor(TARGET))
    loss.backward()
    unit = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(model.run_batch(0).logits, logits.detach().numpy(), rtol=0, atol=16 * unit)
    gradients = {key: one.grad.numpy() for key, one in rnn.named_parameters()}
    assert_are_torchs(model, loss.item(), gradients, units=64, gradient_units=256)


def test_gradients_are_the_slopes_of_the_loss():
    assert_are_slopes(Model(normed()), rel=1e-5, abs_=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bounds_are_honest_and_narrow(dtype):
    """What is off by more than rounding is told."""
    done = Model(normed(dtype)).run_batch(0)
    reference = run_reference(done)
    assert compare(done, reference).agrees
    off = 1000 * np.finfo(dtype).eps
    for t, row, element in ((0, 1, 2), (1, 0, 0), (3, 0, 3)):
        logits = reference.gave["layernorm"].copy()
        logits[t, row, element] += off
        comparison = compare(done, replace(reference, gave={"layernorm": logits}))
        found = {(one.key, one.name, one.t, one.row, one.element) for one in comparison.faults}
        assert ("layernorm", "logits", t, row, element) in found


def test_a_chain_that_the_short_form_can_say_is_the_same_network():
    assert difference(read_text(LONG), read_text(SHORT)) is None


@pytest.mark.parametrize(
    "text",
    [NORMED % (TARGET.tolist(), "float32"), ACTIVATED % ("ReLU", TARGET.tolist(), "float32"), LONG, SHORT],
)
def test_a_chain_made_in_memory_is_written_and_reads_back(text, tmp_path):
    scenario = complete(read_text(text))
    live = replace(scenario, path=None, file_text=None, origins=Origins())
    write_scenario(live, tmp_path / "written.toml")
    back = read(tmp_path / "written.toml")
    assert difference(live, back) is None
    assert [type(layer) for layer in back.layers] == [type(layer) for layer in live.layers]


def test_logits_by_hand_are_marked(tmp_path):
    (tmp_path / "normed.toml").write_text(NORMED % (TARGET.tolist(), "float64"))
    done = Model(normed()).run_batch(0)
    values = done.logits[1, 0].round(4).tolist()
    for given, status in ((values, "correct"), ([*values[:3], values[3] + 0.3], "wrong")):
        text = f'decimals = 4\n[[answer]]\nstep = 2\nname = "logits"\nvalue = {given}\n'
        (tmp_path / "answers.toml").write_text(text)
        (one,) = rnnstep.check(tmp_path / "normed.toml", tmp_path / "answers.toml").as_dict()["answers"]
        assert one["status"] == status


MISTAKES = {
    "another size": ('module = "LayerNorm"', 'module = "LayerNorm"\nnormalized_shape = 5', 11),
    "an option of another": ('module = "LayerNorm"', 'module = "LayerNorm"\nout_features = 5', 11),
    "no such module": ('"LayerNorm"', '"LayerNrom"', 10),
    "no module": ('module = "LayerNorm"', "", 9),
    "an option of the recurrent one": ("hidden_size = 2", "hidden_size = 0", 7),
    "a table beside": ("[weights]", "[linear]\nout_features = 2\n[weights]", 11),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_read_is_told_at_its_line(name):
    old, new, line = MISTAKES[name]
    text = NORMED % (TARGET.tolist(), "float32")
    assert old in text
    with pytest.raises(ScenarioError) as error:
        read_text(text.replace(old, new, 1))
    (problem,) = error.value.problems
    assert problem.line == line, error.value.into("en")
    assert error.value.into("zh") != error.value.into("en")


def test_modules_above_the_recurrent_one_are_torchs():
    for name, module in above_recurrent().items():
        if not hasattr(nn, name):  # torch has none
            continue
        asked = {
            "Linear": {"out_features": 5},
            "Conv1d": {"out_channels": 5, "kernel_size": 3, "padding": 1},
            "MaxPool1d": {"kernel_size": 3},
            "AvgPool1d": {"kernel_size": 3},
        }.get(name, {})
        made = module.on(5, asked, "key")
        places, names = made.arguments
        theirs = getattr(nn, name)(*places, **names)
        shapes = {f"key.{key}": tuple(value.shape) for key, value in theirs.state_dict().items()}
        shapes.pop("key.num_batches_tracked", None)
        assert {one.name: one.shape for one in made.parameters} == shapes
        assert made.size == 5


# ── the bundled chain ────────────────────────────────────────────────────────────────────────────


class Mixed(nn.Module):
    """The bundled `mixed`, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(5, 3, bidirectional=True)
        self.lstm = nn.LSTM(6, 4)
        self.linear = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.lstm(self.gru(x)[0])[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mixed_is_a_module_written_by_hand(dtype):
    torch.manual_seed(2)
    module = Mixed().to(dtype)
    text = find("mixed").read_text("utf-8") + f'[display]\ndtype = "{str(dtype).removeprefix("torch.")}"\n'
    scenario = complete(read_text(text))
    (batch,) = scenario.batches
    logits = module(torch.tensor(batch.values))
    loss = nn.functional.cross_entropy(logits.reshape(-1, 5), torch.tensor(batch.target).reshape(-1))
    loss.backward()
    gradients = {name: one.grad.numpy() for name, one in module.named_parameters()}
    assert_are_torchs(Model(scenario), loss.item(), gradients, units=64, gradient_units=256)


def test_what_is_said_of_mixed_is_true():
    learning = Learning(complete(read(find("mixed"))))
    wanted = ("lleh", "pleh", "dleh")
    assert [learning.record(epoch).prediction == wanted for epoch in (45, 46, 59)] == [False, True, True]
    forward_alone = find("mixed").read_text("utf-8").replace("bidirectional = true", "")
    learning = Learning(complete(read_text(forward_alone)))
    assert all(len(set(learning.record(epoch).prediction)) == 1 for epoch in (0, 20, 59))
    logits = learning.epoch(59).forward(0).logits
    assert np.ptp(logits[:3], axis=1).max() == 0
    least = 3 * np.log(3) / 12
    assert least == pytest.approx(0.2747, abs=5e-5)
    assert learning.record(59).loss > least
