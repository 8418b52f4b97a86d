"""The first number that is not finite, found by magnitudes and in bulk, beside a look at every number in turn."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnstep.engine.learning import Learning
from rnnstep.scenario.read import read
from rnnstep.session.run import SessionRun

LOSS = '[target]\nvalues = [[[0.1, 0.2], [0.0, 0.4]], [[0.3, 0.1], [0.2, 0.0]], [[0.3, 0.1], [0.5, 0.5]]]\n[loss]\nname = "MSELoss"\n'
CLASSES = '[linear]\nout_features = 3\n[target]\nindices = [[0, 1], [2, 1], [1, 0]]\n[loss]\nname = "CrossEntropyLoss"\n'
SGD = '[training]\noptimizer = "SGD"\nlr = 0.5\nmomentum = 0.9\nepochs = 2\n'
ADAM = '[training]\noptimizer = "Adam"\nlr = 0.1\nepochs = 2\nclip_grad_norm = 1.0\n'
DATA = "[input]\nvalues = [[[0.3, 1.0], [2.0, -0.5]], [[0.0, 0.2], [0.5, 1.0]], [[1.0, 0.1], [-0.4, 0.9]]]\n"
WINDOWS = "[input]\nvalues = [[0.1], [0.5], [0.2], [0.9], [0.4], [0.3]]\nwindows = {length = 3, stride = 1, batch_size = 2, pad = 0.0}\n"
SERIES = """
[target]
values = [[[0.5], [0.2], [0.9], [0.4], [0.3], [0.1]], [[0.5], [0.2], [0.9], [0.4], [0.3], [0.1]], [[0.5], [0.2], [0.9], [0.4], [0.3], [0.1]]]
[loss]
name = "MSELoss"
"""
OWN = """
[cell.odd]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size"}
equations = \"\"\"
a = log(abs(W @ x))
b = U @ h_prev
s = sqrt(a + b)
d = a / (b - b * b)
h = tanh(s * exp(d)) * 0 + tanh(a)
\"\"\"
"""


def _text(module="RNN", more="", extra="", data=DATA):
    return f'{data}[recurrent]\nmodule = "{module}"\nhidden_size = 2\n{more}\n[weights]\nseed = 3\n{extra}'


CASES = {
    "rnn": _text(extra=LOSS + SGD),
    "relu": _text(more='nonlinearity = "relu"', extra=LOSS + ADAM),
    "lstm": _text("LSTM", extra=CLASSES + ADAM),
    "gru": _text("GRU", more="num_layers = 2", extra=CLASSES),
    "both": _text("LSTM", more="bidirectional = true\nnum_layers = 2", extra=CLASSES + SGD),
    "dropout": _text(
        "GRU", more='num_layers = 2\ndropout = 0.5\nmode = "train"\ndropout_seed = 1', extra=CLASSES
    ),
    "packed": _text("GRU", more="bidirectional = true", data=DATA + "lengths = [1, 3]\n", extra=""),
    "packed back": _text("RNN", data=DATA + "lengths = [3, 2]\n", extra=CLASSES + SGD),
    "final": _text(
        "LSTM",
        extra='[linear]\nout_features = 2\nfrom = "h_n"\n[target]\nindices = [1, 0]\n[loss]\nname = "CrossEntropyLoss"\n'
        + SGD,
    ),
    "own": _text("odd", extra=OWN),
    "own back": _text("odd", extra=OWN + LOSS + SGD),
    "batches": _text(data=WINDOWS, extra="[linear]\nout_features = 1\n"),
    "trained batches": _text(data=WINDOWS, extra=f"[linear]\nout_features = 1\n{SERIES}{SGD}"),
}
VALUES = [0.0, 1.0, -1.0, 30.0, 1e19, -1e19, 3e38, -3e38, np.inf, -np.inf, np.nan, 1e-38]


@cache
def scenario_of(name):
    with TemporaryDirectory() as folder:
        path = Path(folder, "case.toml")
        path.write_text(CASES[name], "utf-8")
        return read(path)


def by_hand(scenario):
    """Look at every number of every operation, in the order of the tree of places."""
    run = SessionRun.of(scenario)
    tree = run.tree

    def operations(path):
        if len(path) == tree.level("operation"):
            yield path
            return
        for number in range(tree.count(path)):
            yield from operations((*path, number))

    for epoch in range(tree.num_epochs):
        here, seen = run.at_epoch(epoch, epoch), (None, {})
        for path in operations((epoch,)):
            spot = tree.locate(path)
            if (key := (spot.batch, spot.phase, spot.key, spot.t)) != seen[0]:
                seen = key, here.pass_of(spot).values(spot.key, spot.t)
            value = np.asarray(seen[1][spot.operation], np.float64)
            if np.isfinite(value).all():
                continue
            shape = tree.block(spot).program.shapes[spot.operation]
            place = (spot.epoch, spot.batch, spot.phase, spot.key, spot.t, spot.operation)
            if value.ndim <= len(shape) and spot.phase != "forward":
                flat = value.reshape(-1)
                row, number = None, int(np.argmax(~np.isfinite(flat)))
            else:
                at = int(np.argmax((~np.isfinite(value)).reshape(len(value), -1).any(axis=1)))
                rows = [row for row in range(run.num_rows(spot.batch)) if here.row_index(spot, row) == at]
                flat = value[at].reshape(-1)
                row, number = rows[0], int(np.argmax(~np.isfinite(flat)))
            return (*place, row, number, str(flat[number]))
    return None


def found(scenario):
    learning = Learning(scenario)
    assert learning.look_on(60)
    one = learning.finding
    if one is None:
        return None
    return (one.epoch, one.batch, one.phase, one.key, one.t, one.name, one.row, one.element, str(one.value))


def poked(scenario, pokes):
    """Put numbers into parameters and data."""
    parameters = {name: value.copy() for name, value in scenario.parameters.items()}
    names = sorted(parameters)
    batches = list(scenario.batches)
    for which, place, value in pokes:
        number = which % (len(names) + 1)
        if number == len(names):
            if batches[0].values is None:
                continue
            values = batches[0].values.copy()
            values.reshape(-1)[place % values.size] = value
            batches[0] = replace(batches[0], values=values)
        else:
            parameters[names[number]].reshape(-1)[place % parameters[names[number]].size] = value
    return replace(scenario.with_parameters(parameters), batches=tuple(batches))


@pytest.mark.parametrize("name", CASES)
@given(
    pokes=st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 60), st.sampled_from(VALUES)), min_size=0, max_size=4
    )
)
@settings(max_examples=20, deadline=None)
def test_the_first_number_that_is_not_finite_is_found(name, pokes):
    scenario = poked(scenario_of(name), pokes)
    with np.errstate(all="ignore"):
        assert found(scenario) == by_hand(scenario)


@pytest.mark.parametrize("name", CASES)
@given(scale=st.floats(0, 38.5), seed=st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_what_overflows_by_its_size_alone_is_found(name, scale, seed):
    """All weights of one size, so that products, sums, states and gradients overflow in turn."""
    generator = np.random.default_rng(seed)
    scenario = scenario_of(name)
    parameters = {
        key: np.clip(generator.standard_normal(value.shape) * 10.0**scale, -3e38, 3e38).astype(value.dtype)
        for key, value in scenario.parameters.items()
    }
    with np.errstate(all="ignore"):
        scenario = scenario.with_parameters(parameters)
        assert found(scenario) == by_hand(scenario)
