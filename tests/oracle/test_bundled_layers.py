"""The bundled scenarios that are layers on layers, beside modules written by hand; and that their words are true."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.equations.operations import Array
from rnnstep.program import torch_program
from rnnstep.reference import complete
from rnnstep.scenario.bundled import find
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read_text
from tests.oracle.loss_checks import assert_are_torchs


def text_of(name: str) -> str:
    return find(name).read_text("utf-8")


def updates_until_right(scenario: Scenario, epochs: int) -> int:
    """After how many updates everything is right, and stays so: a record is from before its epoch's update."""
    learning = Learning(scenario)
    right = [learning.record(epoch).accuracy == 1.0 for epoch in range(epochs)]
    assert right[-1]
    return epochs - right[::-1].index(False)


def assert_is(name: str, module: nn.Module, dtype: str, ours: Mapping[str, str] | None = None) -> None:
    """A bundled scenario's loss and gradients are those of a module of the same weights; `ours` names its parameters."""
    scenario = complete(read_text(text_of(name), dtype=dtype))
    module = module.to(getattr(torch, dtype))
    (batch,) = scenario.batches
    logits = module(torch.tensor(batch.values))
    steps = [
        nn.functional.cross_entropy(*one) for one in zip(logits, torch.tensor(batch.target), strict=True)
    ]
    assert scenario.loss is not None
    loss = torch.stack(steps).sum() if scenario.loss.over_time == "sum" else torch.stack(steps).mean()
    loss.backward()
    gradients = {ours[key] if ours else key: one.grad.numpy() for key, one in module.named_parameters()}
    assert_are_torchs(Model(scenario), loss.item(), gradients, units=64, gradient_units=256)


# ── residual_gru ─────────────────────────────────────────────────────────────────────────────────


class Residual(nn.Module):
    """The bundled `residual_gru`, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.bottom, self.middle, self.top = nn.GRU(4, 4), nn.GRU(4, 4), nn.GRU(4, 4)
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.bottom(x)
        for gru in (self.middle, self.top):
            x = x + gru(x)[0]
        return self.linear(x)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_residual_gru_is_a_module_written_by_hand(dtype):
    torch.manual_seed(0)
    assert_is("residual_gru", Residual(), dtype)


def test_what_is_said_of_residual_gru_is_true():
    text = text_of("residual_gru")
    found = []
    for one in (text, re.sub("(?m)^add = .*$", "", text)):
        scenario = read_text(one)
        model = Model(scenario)
        done = model.run_batch()
        gradients = model.backward(done).parameters
        of_bottom = [value for key, value in gradients.items() if key.startswith("bottom.")]
        norm = float(np.sqrt(sum((value**2).sum() for value in of_bottom)))
        found.append((f"{norm:.4f}", updates_until_right(scenario, 80)))
        assert f"{norm:.4f}" in scenario.summary.into("en")
    assert found == [("0.1410", 16), ("0.0208", 65)]
    model = Model(read_text(text))
    done = model.run_batch()
    outputs = [done.whole(f"{key}.L0") for key in ("bottom", "middle", "top")]
    np.testing.assert_allclose(done.whole("top.add"), sum(outputs), rtol=0, atol=1e-6)
    assert str(done.by_key["middle.add"].program.lines[0].expression).count("h2") == 1


# ── layer_norm_lstm ──────────────────────────────────────────────────────────────────────────────


class LayerNormLSTM(nn.Module):
    """The bundled `layer_norm_lstm`, written by hand, with torch's own LayerNorm."""

    def __init__(self, parameters: Mapping[str, Array]) -> None:
        super().__init__()
        self.w, self.u = nn.Linear(2, 12, bias=False), nn.Linear(3, 12, bias=False)
        self.of_x, self.of_h, self.of_c = nn.LayerNorm(12), nn.LayerNorm(12), nn.LayerNorm(3)
        self.linear = nn.Linear(3, 2)
        self.load_state_dict({THEIRS.get(key, key): torch.tensor(one) for key, one in parameters.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = c = torch.zeros(x.shape[1], 3, dtype=x.dtype)
        outputs = []
        for x_t in x:
            i, f, g, o = (self.of_x(self.w(x_t)) + self.of_h(self.u(h))).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(self.of_c(c))
            outputs.append(h)
        return self.linear(torch.stack(outputs))


THEIRS = {
    "W": "w.weight",
    "U": "u.weight",
    **{f"{mine}_{of}": f"of_{of}.{name}" for of in "xhc" for mine, name in (("g", "weight"), ("b", "bias"))},
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layer_norm_lstm_is_a_module_written_by_hand(dtype):
    scenario = complete(read_text(text_of("layer_norm_lstm"), dtype=dtype))
    ours = {THEIRS.get(key, key): key for key in scenario.parameters}
    assert_is("layer_norm_lstm", LayerNormLSTM(scenario.parameters), dtype, ours)


def test_what_is_said_of_layer_norm_lstm_is_true():
    text = text_of("layer_norm_lstm")
    scenario = read_text(text)
    rows = scenario.batches[0].values
    np.testing.assert_allclose(rows[:, 1], 10 * rows[:, 0], rtol=1e-6)
    assert updates_until_right(scenario, 60) == 10
    assert 0 < largest_difference(scenario) < 1e-4
    done = Model(scenario).run_batch()
    standardized = done.known("L0", 0, 0)["a"]  # of W @ x alone: h_prev is 0 at step 1
    assert abs(float(standardized.mean())) < 1e-6
    assert float(standardized.std()) == pytest.approx(1, abs=1e-3)
    start, end = text.index("\n[cell."), text.index("\n[target]")
    plain = re.sub("(?m)^[gb]_. = .*$", "", text[:start] + text[end:]).replace('"ln_lstm"', '"LSTM"')
    assert f"{largest_difference(read_text(plain)):.4f}" == "0.8627"
    assert updates_until_right(read_text(plain), 60) == 18


def largest_difference(scenario: Scenario) -> float:
    """How far h of the two rows is apart, at most."""
    output = Model(scenario).run_batch().output
    return float(np.abs(output[:, 0] - output[:, 1]).max())


# ── conv1d_lstm ──────────────────────────────────────────────────────────────────────────────────


class Windowed(nn.Module):
    """The bundled `conv1d_lstm`, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1d = nn.Conv1d(1, 4, 3, padding="same")
        self.rnn = nn.LSTM(4, 3)
        self.linear = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        windows = self.conv1d(x.permute(1, 2, 0)).permute(2, 0, 1)
        return self.linear(self.rnn(windows)[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_conv1d_lstm_is_a_module_written_by_hand(dtype):
    torch.manual_seed(0)
    module = Windowed()
    names = [key.removeprefix("rnn.") for key, _ in module.named_parameters()]
    ours = dict(zip(dict(module.named_parameters()), names, strict=True))
    assert_is("conv1d_lstm", module, dtype, ours)


def test_what_is_said_of_conv1d_lstm_is_true():
    text = text_of("conv1d_lstm")
    scenario = read_text(text)
    (batch,) = scenario.batches
    beside = np.pad(batch.values[:, :, 0], ((1, 1), (0, 0)))
    peaks = (beside[1:-1] > beside[:-2]) & (beside[1:-1] > beside[2:])
    np.testing.assert_array_equal(batch.target, peaks)
    np.testing.assert_array_equal(batch.values[:2, 0], batch.values[:2, 1])
    assert batch.target[1].tolist() == [1, 0]
    assert updates_until_right(scenario, 60) == 11

    model = Model(scenario)
    done = model.run_batch()
    weight, bias = (scenario.parameters[f"conv1d.{name}"] for name in ("weight", "bias"))
    for row in (0, 1):
        window = sum(weight[:, 0, k] * beside[1 + k, row] for k in range(3)) + bias
        np.testing.assert_allclose(done.known("conv1d", 1, row)["x"], window, rtol=0, atol=1e-6)
    known = model.backward(done).known("conv1d", 1, 0)
    np.testing.assert_allclose(known["∂input_2"], weight[:, :, 2].T @ known["∂x"], rtol=0, atol=1e-7)

    start, end = text.index('[[layers]]\nmodule = "Conv1d"'), text.index('[[layers]]\nmodule = "LSTM"')
    without = (text[:start] + text[end:]).replace("epochs = 60", "epochs = 200")
    learning = Learning(read_text(without))
    bound = 2 * np.log(2) / 12
    assert f"{bound:.4f}" == "0.1155"
    assert "0.1155" in text
    losses = [learning.record(epoch).loss for epoch in range(200)]
    assert bound < min(losses) < bound + 0.005
    np.testing.assert_array_equal(*learning.epoch(199).forward(0).logits[1])


@pytest.mark.parametrize("layout", ["", "batch_first = true"])
def test_the_program_of_windows_over_short_rows_has_zeros_as_their_padding(layout, capsys):
    start = 'vocabulary = ["a", "b", "c"]\ninput.text = ["abca", "b"]\ntarget.text = ["bcab", "c"]\n'
    conv = '[[layers]]\nmodule = "Conv1d"\nout_channels = 4\nkernel_size = 3\npadding = "same"\n'
    above = f'[[layers]]\nmodule = "LSTM"\nhidden_size = 3\n{layout}\n[[layers]]\nmodule = "Linear"\n[weights]\nseed = 0\n'
    text = start + conv + above
    names: dict[str, object] = {}
    exec(torch_program(read_text(text)), names)
    torch.set_printoptions(profile="default")
    assert "loss" in capsys.readouterr().out
    assert names["loss"].item() == pytest.approx(Model(complete(read_text(text))).run_batch().loss, abs=1e-6)
