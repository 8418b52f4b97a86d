"""An LSTM with layer normalization, written as equations, beside the same written with torch's layer_norm and autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

import rnnstep
from rnnstep.engine import Model
from rnnstep.scenario.read import read_text
from tests.oracle.loss_checks import assert_are_slopes, assert_are_torchs

# Ba, Kiros and Hinton 2016, "Layer Normalization", section 6 and its supplementary material, equations 20 to 22.
LAYER_NORM_LSTM = """
[input]
random = {shape = [5, 3, 2], seed = 1}
[recurrent]
module = "ln_lstm"
hidden_size = 3
[cell.ln_lstm]
state = ["h", "c"]
parameters = {W = "12, input_size", U = "12, hidden_size", b = "12", g_x = "12", b_x = "12", g_h = "12", b_h = "12", g_c = "hidden_size", b_c = "hidden_size"}
equations = \"\"\"
a = layer_norm(W @ x, g_x, b_x) + layer_norm(U @ h_prev, g_h, b_h) + b
i = sigmoid(a[0:hidden_size])
f = sigmoid(a[3:6])
g = tanh(a[-6:-3])
o = sigmoid(a[9:])
c = f * c_prev + i * g
h = o * tanh(layer_norm(c, g_c, b_c))
\"\"\"
[weights]
seed = 3
[target]
values = %s
[loss]
over_time = "together"
reduction = "sum"
[display]
dtype = "%s"
"""
TARGET = np.random.default_rng(2).uniform(-1, 1, (5, 3, 3)).round(2)


def scenario_of(dtype):
    return read_text(LAYER_NORM_LSTM % (TARGET.tolist(), dtype))


def by_torch(scenario):
    """h of every step, the loss, and its gradients."""
    w = {name: torch.tensor(value, requires_grad=True) for name, value in scenario.parameters.items()}
    x = torch.tensor(scenario.batches[0].values)
    h = c = x.new_zeros(3, 3)
    outputs = []
    for x_t in x:
        a = functional.layer_norm(x_t @ w["W"].T, (12,), w["g_x"], w["b_x"])
        a = a + functional.layer_norm(h @ w["U"].T, (12,), w["g_h"], w["b_h"]) + w["b"]
        i, f, g, o = a.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * functional.layer_norm(c, (3,), w["g_c"], w["b_c"]).tanh()
        outputs.append(h)
    output = torch.stack(outputs)
    loss = functional.mse_loss(output, x.new_tensor(TARGET), reduction="sum")
    loss.backward()
    return output.detach().numpy(), loss.item(), {name: value.grad.numpy() for name, value in w.items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_states_loss_and_gradients_are_torchs(dtype):
    model = Model(scenario_of(dtype))
    output, loss, gradients = by_torch(model.scenario)
    unit = float(np.finfo(dtype).eps)
    np.testing.assert_allclose(model.run_batch(0).output, output, rtol=0, atol=64 * unit)
    assert_are_torchs(model, loss, gradients, units=64, gradient_units=1024)


def test_gradients_are_the_slopes_of_the_loss():
    assert_are_slopes(Model(scenario_of("float64")), rel=1e-5, abs_=1e-8)


def test_every_line_is_worked_out_in_numbers(tmp_path):
    (tmp_path / "s.toml").write_text(LAYER_NORM_LSTM % (TARGET.tolist(), "float64"))
    run = rnnstep.trace(tmp_path / "s.toml")
    assert run.agrees
    assert rnnstep.grad(tmp_path / "s.toml").agrees
    from rnnstep.equations.expand import expand, number_of_terms
    from rnnstep.equations.pieces import reckon

    done = run.trace.passes[0]
    block = done.by_key["L0"]
    back = Model(run.scenario).backward(done)
    for passed, key in ((done, "L0"), (back, "L0")):
        shown = passed.by_key[key]
        known = passed.known(key, 3, 1)
        for line in shown.program.lines:
            value = np.asarray(known[line.name])
            for element in list(np.ndindex(value.shape))[:5]:
                expansion = expand(line, element, known)
                assert reckon(expansion.piece) == pytest.approx(expansion.value, rel=1e-9, abs=1e-12), line
                if "⋮" not in str(line):
                    assert len(expansion.terms) == number_of_terms(line, shown.program.shapes)
    text = "".join(
        token.text if token.kind != "value" else f"{token.value:.2f}"
        for token in expand(block.program.by_name["a"], 0, done.known("L0", 0, 0)).tokens
    )
    assert "sqrt(" in text
    assert "1e-05" in text
