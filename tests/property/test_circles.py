"""Networks drawn with states fed back: forward and back as torch's loop over the same modules, and as small differences say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.engine import Model
from rnnstep.errors import ScenarioError
from rnnstep.reference import check, check_gradients
from rnnstep.reference.run.gradients import run_gradients
from rnnstep.scenario.read import read_text

RECURRENT = ("RNNCell", "GRUCell", "LSTMCell", "RNN", "GRU", "LSTM")
STEPS, ROWS = 3, 2


@dataclass(frozen=True)
class Layer:
    """A layer with what it reads; of a recurrent one the number of layers."""

    kind: str
    reads: tuple[str, ...]
    depth: int = 1

    def written(self, name: str) -> str:
        size = "out_features" if self.kind == "Linear" else "hidden_size"
        lines = ["[[layers]]", f'name = "{name}"', f'module = "{self.kind}"', f"input = {list(self.reads)}"]
        lines.append(f"{size} = 2")
        return "\n".join([*lines, *([f"num_layers = {self.depth}"] if self.depth > 1 else [])])


@st.composite
def networks(draw) -> str:
    """Two to four layers: each reads what is before it at the same step, or any state of the step before."""
    kinds = draw(st.lists(st.sampled_from([*RECURRENT, "Linear"]), min_size=2, max_size=4))
    kinds[draw(st.integers(0, len(kinds) - 1))] = draw(st.sampled_from(RECURRENT))
    states = [f"m{number}.h_prev" for number, kind in enumerate(kinds) if kind in RECURRENT]
    layers = []
    for number, kind in enumerate(kinds):
        known = ["input", *(f"m{one}" for one in range(number)), *states]
        reads = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
        depth = draw(st.integers(1, 2)) if kind in ("RNN", "GRU", "LSTM") else 1
        layers.append(Layer(kind, tuple(reads), depth))
    layers[0] = Layer(
        layers[0].kind, ("input", *(one for one in layers[0].reads if one != "input")), layers[0].depth
    )
    every = tuple(f"m{number}" for number in range(len(layers)))
    packed = draw(st.booleans())
    target = np.random.default_rng(draw(st.integers(0, 5))).uniform(-1, 1, (STEPS, ROWS, 2)).round(2)
    return "\n".join(
        [
            f"[input]\nrandom = {{shape = [{STEPS}, {ROWS}, 2], seed = 1}}",
            *(["lengths = [1, 3]", "packed = true"] if packed else []),
            *(layer.written(f"m{number}") for number, layer in enumerate(layers)),
            Layer("Linear", every).written("last"),
            f"[weights]\nseed = {draw(st.integers(0, 9))}",
            f'[target]\nvalues = {target.tolist()}\n[loss]\nover_time = "together"\n[display]\ndtype = "float64"',
        ]
    )


@settings(max_examples=60, deadline=None)
@given(networks())
def test_a_drawn_circle_goes_forward_and_back_as_torchs_loop(text):
    model = Model(read_text(text))
    done = model.run_batch()
    back = model.backward(done)
    theirs = run_gradients(done)
    assert done.loss == pytest.approx(theirs.loss, rel=1e-12)
    for name, gradient in theirs.parameters.items():
        np.testing.assert_allclose(back.parameters[name], gradient, rtol=0, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(theirs.stepped_parameters[name], gradient, rtol=0, atol=1e-12)
    assert not check(model.run()).compared[0].faults
    assert not check_gradients(done, back).faults


@settings(max_examples=25, deadline=None)
@given(networks(), st.randoms(use_true_random=False))
def test_a_gradient_is_what_a_small_change_makes_of_the_loss(text, random):
    model = Model(read_text(text))
    parameters = model.scenario.parameters
    gradients = model.backward(model.run_batch()).parameters
    name = random.choice(sorted(parameters))
    index = tuple(random.randrange(size) for size in parameters[name].shape)
    losses = []
    for small in (1e-5, -1e-5):
        changed = np.array(parameters[name])
        changed[index] += small
        losses.append(model.with_parameters({**parameters, name: changed}).run_batch().loss)
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(gradients[name][index], abs=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    networks(),
    st.sampled_from(["m0", "m1"]),
    st.sampled_from(["m0", "m1", "m2", "m3", "m0.h_n", "m1.last", "m2.h_n"]),
)
def test_whatever_is_read_is_run_or_told(text, layer, read):
    start = text.index(f'name = "{layer}"')
    place = text.index("input = [", start) + len("input = [")
    try:
        model = Model(read_text(f"{text[:place]}'{read}', {text[place:]}"))
    except ScenarioError:
        return
    assert np.isfinite(model.run_batch().loss)
