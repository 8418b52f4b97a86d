"""torch's loss and gradients beside the engine: fused, stepped, by the equations, and by finite differences."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnstep.engine import Model
from rnnstep.engine.blocks import build
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.reference import run_gradients, run_reference
from rnnstep.reference.gradient_steps import step_through
from rnnstep.reference.layout import initial
from rnnstep.scenario.model import Training

MODULES = ("RNN", "LSTM", "GRU")
CELLS = tuple(f"{name}Cell" for name in MODULES)
MGU = {
    "state": ["h"],
    "parameters": {
        "W_f": "hidden_size, input_size",
        "U_f": "hidden_size, hidden_size",
        "b_f": "hidden_size",
        "W_n": "hidden_size, input_size",
        "U_n": "hidden_size, hidden_size",
        "b_n": "hidden_size",
    },
    "equations": """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
""",
}
EVERYTHING = {
    "state": {"h": "hidden_size", "c": "hidden_size", "m": "hidden_size"},
    "parameters": {"W": "hidden_size, input_size", "U": "hidden_size, hidden_size", "b": "hidden_size"},
    "equations": """
twice = 2 * b
V = U * 0.5 + U * U
a = W @ x + V @ h_prev + twice / 3
same = a
s = softmax(same) + b[1] * a[0]
size = norm(a) + sum(abs(a)) - mean(a) + max(a) * min(a)
root = sqrt(exp(-a) + 0.1)
shut = (a > 0.01) * (c_prev < 5) + (a[0] <= 1 and not (a[-1] >= 2 or isnan(a[1])))
c = c_prev * 0.5 + shut * log(1 + s * s) - root / (1 + size)
m = c
h = relu(m) + tanh(c) * (s == s) * (a != 0.5) - 0.1 * m_prev
""",
}


def classes(*shape, ignored=()):
    """Give classes 0 to 2 in some shape, ignored at some places."""
    found = np.random.default_rng(5).integers(0, 3, shape)
    for place in ignored:
        found[place] = -100
    return {"indices": found.tolist()}


def numbers(*shape, below=2.0):
    return {"values": np.random.default_rng(6).uniform(0, below, shape).round(3).tolist()}


def given(shape, lengths=None, **more):
    return {"random": {"shape": shape, "seed": 1}} | ({"lengths": lengths} if lengths else {}) | more


LINEAR = {"out_features": 3}
FINAL = {"out_features": 3, "from": "h_n"}
# What goes into `make`: module, its options, the tables.
CASES = {
    "RNNCell": ("RNNCell", {}, {"target": classes(5, 3)}),
    "LSTMCell": ("LSTMCell", {}, {"target": classes(5, 3), "linear": LINEAR}),
    "GRUCell": ("GRUCell", {}, {"target": classes(5, 3), "loss": {"over_time": "together"}}),
    "cell, packed": (
        "LSTMCell",
        {},
        {"input": given([6, 3, 2], [2, 5, 4]), "target": classes(6, 3, ignored=[(0, 1), (5, 0)])},
    ),
    "RNN": ("RNN", {"nonlinearity": "relu"}, {"target": classes(5, 3)}),
    "LSTM": ("LSTM", {"bias": False}, {"target": classes(5, 3), "loss": {"reduction": "sum"}}),
    "GRU": (
        "GRU",
        {"batch_first": True},
        {"target": classes(5, 3), "loss": {"over_time": "sum"}, "linear": LINEAR},
    ),
    "deep, both ways, packed": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True},
        {
            "input": given([6, 4, 3], [2, 5, 1, 5]),
            "linear": LINEAR,
            "target": classes(6, 4, ignored=[(5, 1), (2, 2)]),
        },
    ),
    "projected, both ways, packed": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True, "proj_size": 2},
        {"input": given([5, 3, 3], [5, 2, 4]), "linear": FINAL, "target": classes(3)},
    ),
    "projected": ("LSTM", {"proj_size": 3}, {"target": classes(5, 3)}),
    "dropped, packed, final": (
        "GRU",
        {"num_layers": 3, "bidirectional": True, "dropout": 0.4, "mode": "train"},
        {"input": given([5, 3, 3], [3, 5, 1]), "linear": FINAL, "target": classes(3, ignored=[1])},
    ),
    "final, walked padding": (
        "RNN",
        {},
        {"input": given([5, 3, 3], [3, 5, 1], packed=False), "linear": FINAL, "target": classes(3)},
    ),
    "embedding": (
        "GRU",
        {},
        {
            "input": {"indices": [[1, 0, 2], [0, 0, 1], [2, 1, 1]]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "linear": LINEAR,
            "target": classes(3, 3),
        },
    ),
    "unbatched": ("LSTM", {"num_layers": 2}, {"input": numbers(5, 3), "target": classes(5)}),
    "unbatched cell": ("GRUCell", {}, {"input": numbers(5, 3), "target": classes(5)}),
    "initial state": (
        "LSTM",
        {"hidden_size": 2},
        {
            "initial_state": {"h_0": [[[0.5, -0.5], [1.0, 0.2]]], "c_0": [[[2.0, 0.1], [-1.0, 0.3]]]},
            "input": given([4, 2, 3]),
            "linear": LINEAR,
            "target": classes(4, 2),
        },
    ),
    "MSE": ("RNN", {}, {"target": numbers(5, 3, 4), "loss": {"name": "MSELoss"}}),
    "MSE, summed, a call a step": (
        "GRUCell",
        {},
        {
            "target": numbers(5, 3, 2),
            "linear": {"out_features": 2},
            "loss": {"name": "MSELoss", "reduction": "sum"},
        },
    ),
    "BCE": (
        "LSTM",
        {"bidirectional": True},
        {"target": numbers(5, 3, 8, below=1), "loss": {"name": "BCEWithLogitsLoss", "over_time": "sum"}},
    ),
    "BCE, final": (
        "RNN",
        {},
        {
            "target": numbers(3, 2, below=1),
            "linear": {**FINAL, "out_features": 2},
            "loss": {"name": "BCEWithLogitsLoss"},
        },
    ),
    "own": ("mine", {}, {"cell": {"mine": MGU}, "linear": LINEAR, "target": classes(5, 3)}),
    "own, everything, packed": (
        "mine",
        {},
        {
            "cell": {"mine": EVERYTHING},
            "input": given([5, 3, 3], [3, 4, 1]),
            "target": classes(5, 3),
        },
    ),
}


def done_of(make, case, dtype="float64"):
    module, options, tables = CASES[case]
    return Model(make(module, dtype=dtype, tables=tables, **options)).run_batch(0)


every_case = pytest.mark.parametrize("case", CASES)


# ── torch against torch ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@every_case
def test_fused_stepped_and_equations_give_the_same_gradients(make, case, dtype):
    done = done_of(make, case, dtype)
    found = run_gradients(done)
    by_equations = step_through(done, by_equations=True)
    tolerance = {"rtol": 1e-4, "atol": 1e-6} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-14}
    assert found.stepped_loss == pytest.approx(found.loss, rel=1e-6 if dtype == "float32" else 1e-14)
    assert list(found.parameters) == list(done.scenario.parameters)
    for name, gradient in found.parameters.items():
        assert gradient.dtype == done.scenario.dtype
        assert gradient.shape == done.scenario.parameters[name].shape
        np.testing.assert_allclose(found.stepped_parameters[name], gradient, **tolerance, err_msg=name)
        np.testing.assert_allclose(by_equations.parameters[name], gradient, **tolerance, err_msg=name)
    for key, states in found.states.items():
        for name, gradient in states.items():
            assert gradient.shape == (*done.x.shape[:2], done.by_key[key].program.states[name][0])
            np.testing.assert_allclose(by_equations.gradients.states[key][name], gradient, **tolerance)


@every_case
def test_the_shares_of_the_steps_add_up_to_torchs_gradients(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    assert found.shares.keys() == {block.key for block in done.blocks if block.parameters}
    for key, shares in found.shares.items():
        block = done.by_key[key]
        assert shares.keys() == block.parameters.keys()
        steps = 1 if key == "linear" and done.is_final else done.x.shape[0]
        for name, where in block.kept_in.items():
            whole = found.parameters[where.torch][where.start : where.stop]
            assert shares[name].shape == (steps, *whole.shape)
            np.testing.assert_allclose(shares[name].sum(axis=0), whole, rtol=1e-11, atol=1e-14)


@every_case
def test_the_values_along_the_stepped_run_are_those_of_the_reference(make, case):
    done = done_of(make, case)
    found, reference = run_gradients(done), run_reference(done)
    for key, states in found.values.states.items():
        np.testing.assert_allclose(found.values.x[key], reference.x[key], rtol=1e-13, atol=1e-15)
        for name, value in states.items():
            np.testing.assert_allclose(value, reference.states[key][name], rtol=1e-13, atol=1e-15)
    logits = reference.features if reference.logits_by_row is None else reference.logits_by_row
    np.testing.assert_allclose(found.values.logits, logits, rtol=1e-13, atol=1e-15)


# ── finite differences ───────────────────────────────────────────────────────────────────────

Change = Callable[[str, str, int, int, np.ndarray], np.ndarray]  # key, name, t, row and the value there


def same(key, name, t, row, value):
    return value


class Numbers:
    """The loss in plain numpy, row by row and line by line; every value passes through `change`."""

    def __init__(self, done, change: Change = same, scenario=None):
        self.done, self.change = done, change
        self.scenario = scenario or done.scenario
        self.blocks = {block.key: block for block in build(self.scenario) if block.kind == "recurrent"}
        self.steps, self.rows = done.x.shape[:2]

    def loss(self):
        return self.criterion(self.logits())

    def logits(self):
        parameters, recurrent = self.scenario.parameters, self.scenario.recurrent
        batch = self.done.batch
        x = self.done.x if batch.values is not None else parameters["embedding.weight"][batch.indices]
        for layer in range(recurrent.num_layers):
            keys = [key for key, block in self.blocks.items() if block.layer == layer]
            rows = [[self.walk(key, x[:, row], row) for key in keys] for row in range(self.rows)]
            outputs = np.stack([np.concatenate([whole for whole, _ in found], -1) for found in rows], 1)
            ends = np.stack([np.concatenate([end for _, end in found], -1) for found in rows])
            x = self.done.masks.get(f"dropout{layer}", 1.0) * outputs
        linear = self.scenario.linear
        features = ends if linear is not None and linear.source == "h_n" else x
        features = self.spread("features", features)
        if linear is not None:
            features = features @ parameters["linear.weight"].T + parameters["linear.bias"]
        return self.spread("logits", features)

    def spread(self, name, whole):
        by_row = whole if whole.ndim == 3 else whole[None]
        changed = [
            [self.change("", name, t, row, by_row[t, row]) for row in range(self.rows)]
            for t in range(len(by_row))
        ]
        return np.array(changed) if whole.ndim == 3 else np.array(changed[0])

    def walk(self, key, x, row):
        """Step one row; give its output as it is read above, (T, n), and the end of it."""
        block = self.blocks[key]
        length = self.done.batch.last_step(row) + 1
        states = {
            f"{name}_prev": initial(self.scenario, block, name, self.rows)[row]
            for name in block.program.states
        }
        output = np.zeros((self.steps, *states[f"{block.output}_prev"].shape))
        for t in range(length - 1, -1, -1) if block.direction == "backward" else range(length):
            known = {**block.parameters, "x": x[t], **states}
            seen = {name: self.change(key, name, t, row, value) for name, value in known.items()}
            for line in block.program.lines:
                value = evaluate(line.expression, seen, Values())
                seen[line.name] = self.change(key, line.name, t, row, value)
            states = {f"{name}_prev": seen[name] for name in block.program.states}
            output[t] = seen[block.output]
        output = np.array([self.change(key, "output", t, row, value) for t, value in enumerate(output)])
        return output, output[0 if block.direction == "backward" else length - 1]

    def criterion(self, logits):
        loss, target = self.scenario.loss, self.done.batch.target
        per_step = (
            list(zip(logits, target, strict=True))
            if logits.ndim == 3 and loss.over_time == "sum"
            else [(logits, target)]
        )
        total = 0.0
        for said, wanted in per_step:
            if loss.name == "CrossEntropyLoss":
                flat, classes = said.reshape(-1, said.shape[-1]), wanted.reshape(-1)
                counted = classes != loss.ignore_index
                flat, classes = flat[counted], classes[counted]
                each = np.log(np.exp(flat).sum(-1)) - flat[np.arange(len(flat)), classes]
            elif loss.name == "MSELoss":
                each = (said - wanted) ** 2
            else:
                each = np.log1p(np.exp(said)) - wanted * said
            total += each.mean() if loss.reduction == "mean" else each.sum()
        return total


def slope(function: Callable[[float], float], step=1e-5):
    """The derivative at 0."""
    return (function(step) - function(-step)) / (2 * step)


def assert_slope(found, function):
    assert found == pytest.approx(slope(function), rel=1e-6, abs=1e-9)


def pushed(place, by):
    """Change one element of one value: of all rows at once where the place has no row, as for a parameter."""
    key, name, t, row, element = place

    def change(*at_and_value):
        *at, value = at_and_value
        if at[:3] != [key, name, t] or row not in (None, at[3]):
            return value
        moved = np.array(value, np.float64)
        moved[element] += by
        return moved

    return change


def chosen(generator, array, count):
    """Some indices of an array."""
    every = [np.unravel_index(index, array.shape) for index in range(array.size)]
    picked = generator.permutation(len(every))[:count]
    return [tuple(int(axis) for axis in every[index]) for index in picked]


@every_case
def test_the_loss_and_the_gradients_of_parameters_are_right(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    assert found.loss == pytest.approx(Numbers(done).loss(), rel=1e-12)
    generator = np.random.default_rng(0)
    for name, gradient in found.parameters.items():
        for index in chosen(generator, gradient, 2):
            if case == "embedding" and name == "embedding.weight" and index[0] == 0:
                assert gradient[index] == 0  # the row of the padding does not learn
                continue

            def loss(by, name=name, index=index):
                changed = done.scenario.parameters[name].copy()
                changed[index] += by
                return Numbers(done, scenario=done.scenario.with_parameters({name: changed})).loss()

            assert_slope(gradient[index], loss)


@every_case
def test_the_gradients_along_the_run_are_right(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    generator = np.random.default_rng(1)
    arrays = [("", name, getattr(found.gradients, name)) for name in ("features", "logits")]
    for key in done.runs:
        arrays += [(key, "output", found.gradients.output[key]), (key, "x", found.gradients.x[key])]
        arrays += [(key, name, value) for name, value in found.states[key].items()]
        arrays += [(key, name, value) for name, value in found.inner[key].items()]
    lengths = [done.batch.last_step(row) + 1 for row in range(done.batch.num_rows)]
    for key, name, gradient in arrays:
        for index in chosen(generator, gradient, 2):
            t, row, element = index if gradient.ndim == 3 else (0, *index)
            if key and name != "output" and t >= lengths[row]:
                assert gradient[index] == 0
                continue
            place = key, name, t, row, (Ellipsis, element)
            assert_slope(gradient[index], lambda by, place=place: Numbers(done, pushed(place, by)).loss())


@every_case
def test_the_share_of_each_step_is_right(make, case):
    done = done_of(make, case)
    found = run_gradients(done)
    generator = np.random.default_rng(2)
    for key in done.runs:
        for name, share in found.shares[key].items():
            for t, *index in chosen(generator, share, 1):
                place = key, name, t, None, tuple(index)
                assert_slope(
                    share[t, *index], lambda by, place=place: Numbers(done, pushed(place, by)).loss()
                )


def test_a_softmax_before_the_cross_entropy_is_made_on_purpose(make):
    done = done_of(make, "RNNCell")
    mistaken = replace(done.scenario, training=Training(mistake="softmax_before_cross_entropy"))
    found = run_gradients(Model(mistaken).run_batch(0))

    class Mistaken(Numbers):
        def criterion(self, logits):
            powers = np.exp(logits)
            return super().criterion(powers / powers.sum(-1, keepdims=True))

    assert found.loss == pytest.approx(Mistaken(done).loss(), rel=1e-12)
    assert found.loss != pytest.approx(Numbers(done).loss(), rel=1e-3)
    for t in (0, 4):
        place = "L0", "h", t, 1, (Ellipsis, 2)
        assert_slope(
            found.states["L0"]["h"][t, 1, 2], lambda by, place=place: Mistaken(done, pushed(place, by)).loss()
        )


# ── what is told of the numbers, and what they take ──────────────────────────────────────────


def test_what_the_module_gives_away_is_told_apart_from_the_self_check(make):
    found = run_gradients(done_of(make, "deep, both ways, packed"))
    assert found.is_module
    for key in ("L0", "L0←", "L1", "L1←"):
        assert all(found.is_module_confirmed(key, name) for name in ("h", "c", "x"))
        assert not any(found.is_module_confirmed(key, name) for name in ("h_prev", "a_i", "tanh_c"))
    projected = run_gradients(done_of(make, "projected"))
    assert projected.is_module_confirmed("L0", "h")
    assert not projected.is_module_confirmed("L0", "c")
    own = run_gradients(done_of(make, "own"))
    assert not own.is_module
    assert not own.is_module_confirmed("L0", "h")


def test_the_c_of_torchs_cell_is_what_its_h_is_made_of():
    cell = torch.nn.LSTMCell(2, 3)
    h, c = cell(torch.ones(1, 2))
    c.retain_grad()
    h.sum().backward()
    assert c.grad is not None
    assert bool(c.grad.ne(0).all())


def test_the_gradients_of_lines_are_left_out_where_they_would_take_too_much(make):
    done = done_of(make, "LSTM")
    numbers_a_step = 16 * 4 + 4 + 4 + 4  # ih, hh, a and the gate four times; tanh_c; x; as much as is counted
    assert run_gradients(done, inner_bytes=5 * 3 * 8).inner == {}
    assert run_gradients(done, inner_bytes=5 * 3 * 8).shares == {}
    assert run_gradients(done, inner_bytes=5 * 3 * numbers_a_step * 8).inner.keys() == {"L0"}
    without_shares = run_gradients(done, share_bytes=5 * 4 * 8)
    assert without_shares.shares == {}
    for name, gradient in run_gradients(done).inner["L0"].items():
        np.testing.assert_allclose(without_shares.inner["L0"][name], gradient, rtol=1e-13, atol=1e-16)


def test_lines_are_those_that_change_and_what_is_read(make):
    done = done_of(make, "own, everything, packed")
    found = run_gradients(done)
    assert list(found.inner["L0"]) == [
        *("x", "h_prev", "c_prev", "m_prev"),
        *("a", "same", "s", "size", "root", "shut"),
    ]
    assert list(found.states["L0"]) == ["h", "c", "m"]


def test_what_stands_in_the_padding_of_a_packed_batch_does_not_matter(make):
    done = done_of(make, "deep, both ways, packed")
    batch = done.batch
    values = batch.values.copy()
    values[~(np.arange(batch.num_steps)[:, None] < np.array(batch.lengths))] = np.nan
    changed = replace(done.scenario, batches=(replace(batch, values=values),))
    clean, strange = run_gradients(done), run_gradients(Model(changed).run_batch(0))
    for name, gradient in clean.parameters.items():
        np.testing.assert_array_equal(strange.parameters[name], gradient)
        np.testing.assert_array_equal(
            strange.stepped_parameters[name], gradient := clean.stepped_parameters[name]
        )
    for key, lines in clean.inner.items():
        for name, gradient in lines.items():
            np.testing.assert_array_equal(strange.inner[key][name], gradient)
        for name, share in clean.shares[key].items():
            np.testing.assert_array_equal(strange.shares[key][name], share)


def test_a_parameter_that_the_loss_does_not_depend_on_has_a_gradient_of_zeros(make):
    idle = {**MGU, "parameters": {**MGU["parameters"], "spare": "hidden_size"}}
    tables = {"cell": {"mine": idle}, "target": classes(5, 3)}
    found = run_gradients(Model(make("mine", tables=tables)).run_batch(0))
    assert not found.parameters["spare"].any()
    assert not found.shares["L0"]["spare"].any()


def test_a_gradient_that_is_not_finite_is_kept(make):
    done = Model(make("RNN", nonlinearity="relu", scale=1e30, tables={"target": classes(5, 3)})).run_batch(0)
    found = run_gradients(done)
    assert not np.isfinite(found.loss)
    assert not all(np.isfinite(gradient).all() for gradient in found.parameters.values())


def test_gradients_can_be_sent_and_the_scenario_is_left_alone(make):
    done = done_of(make, "dropped, packed, final")
    before = {name: value.copy() for name, value in done.scenario.parameters.items()}
    found = pickle.loads(pickle.dumps(run_gradients(done)))
    assert found.loss == run_gradients(done).loss
    for name, value in before.items():
        np.testing.assert_array_equal(done.scenario.parameters[name], value)
    with torch.no_grad():
        assert run_gradients(done).loss == found.loss
