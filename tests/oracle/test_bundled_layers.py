"""The bundled scenarios that are layers on layers, beside modules written by hand; and that their words are true."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
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


def assert_is(name: str, module: nn.Module, dtype: str) -> None:
    """The scores' loss and all gradients of a bundled scenario are those of a module with the same seed."""
    scenario = complete(read_text(text_of(name), dtype=dtype))
    module = module.to(getattr(torch, dtype))
    (batch,) = scenario.batches
    logits = module(torch.tensor(batch.values))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(batch.target).flatten())
    loss.backward()
    gradients = {key: one.grad.numpy() for key, one in module.named_parameters()}
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
