"""torch's training beside the engine's: plain programs of torch give the same epochs, and torch its words."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.language import translations
from rnnstep.reference import TorchTraining, run_gradients, torch_update, torch_words
from rnnstep.scenario.bundled import find
from rnnstep.scenario.model import Training
from rnnstep.scenario.read import read

OPTIMIZERS = {
    "SGD": {"lr": 0.1},
    "SGD with momentum": {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01},
    "SGD of Nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "SGD upwards": {"lr": 0.1, "momentum": 0.5, "maximize": True},
    "Adam": {"lr": 0.1},
    "Adam with all": {"lr": 0.1, "betas": [0.8, 0.9], "eps": 0.01, "weight_decay": 0.1, "amsgrad": True},
    "AdamW": {"lr": 0.05, "weight_decay": 0.1},
    "AdamW upwards": {"lr": 0.05, "maximize": True, "amsgrad": True},
    "RMSprop": {"lr": 0.02},
    "RMSprop with all": {"lr": 0.02, "alpha": 0.8, "weight_decay": 0.1, "momentum": 0.9, "centered": True},
    "Adagrad": {"lr": 0.1},
    "Adagrad with all": {
        "lr": 0.1,
        "lr_decay": 0.1,
        "weight_decay": 0.1,
        "initial_accumulator_value": 0.2,
        "eps": 0.01,
    },
}
every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)


def bundled(name):
    return read(find(name))


def mistaken(scenario, mistake):
    return replace(scenario, training=replace(scenario.training, mistake=mistake))


def letters(scenario, epoch):
    return "".join(scenario.vocabulary[index] for index in epoch.prediction[0][:, 0])


def trained(scenario):
    return [epoch.loss for epoch in TorchTraining(scenario).epochs()]


class Hello:
    """The course's program: hello → ohlol."""

    def __init__(self):
        torch.manual_seed(2)
        self.x = torch.eye(4)[[1, 0, 2, 2, 3]][:, None]
        self.y = torch.tensor([3, 1, 2, 3, 2])[:, None]

    def cell(self, epochs=15, lr=0.1, **how):
        cell = nn.RNNCell(4, 4)
        return self.train(cell.parameters(), epochs, lr, lambda h: self.looped(cell, h, **how), **how)

    def module(self, epochs=15, lr=0.05, **how):
        module = nn.RNN(4, 4)
        return self.train(module.parameters(), epochs, lr, lambda h: self.called(module, h), **how)

    def looped(self, cell, h, *, has_softmax=False, **_):
        loss = 0
        for x_t, y_t in zip(self.x, self.y, strict=True):
            h = cell(x_t, h)
            loss = loss + nn.CrossEntropyLoss()(h.softmax(-1) if has_softmax else h, y_t)
        return loss, h

    def called(self, module, h):
        output, h = module(self.x, None if h is None else h[None])
        return nn.CrossEntropyLoss()(output.view(-1, 4), self.y.view(-1)), h[0]

    def train(self, parameters, epochs, lr, run, *, zero_grad=True, keeps_hidden=False, **_):
        optimizer = torch.optim.Adam(parameters, lr=lr)
        h, losses = None, []
        for _epoch in range(epochs):
            if zero_grad:
                optimizer.zero_grad()
            loss, end = run(h)
            h = end.detach() if keeps_hidden else None
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


# ── whole trainings ──────────────────────────────────────────────────────────────────────────


def test_hello_learns_as_the_courses_program_does():
    scenario = bundled("hello")
    epochs = list(TorchTraining(scenario).epochs())
    assert [epoch.index for epoch in epochs] == list(range(15))
    assert [epoch.loss for epoch in epochs] == Hello().cell()
    assert letters(scenario, epochs[0]) == "heeee"
    assert [letters(scenario, epoch) for epoch in epochs[4:]] == ["ohlol"] * 11


def test_hello_learns_with_the_whole_module_too():
    scenario = bundled("hello_rnn")
    epochs = list(TorchTraining(scenario).epochs())
    np.testing.assert_allclose([epoch.loss for epoch in epochs], Hello().module(), rtol=1e-6)
    assert letters(scenario, epochs[-1]) == "ohlol"


@pytest.mark.parametrize(
    ("mistake", "how"),
    [
        ("no_zero_grad", {"zero_grad": False}),
        ("softmax_before_cross_entropy", {"has_softmax": True}),
        ("hidden_not_reset", {"keeps_hidden": True}),
        ("backward_inside_the_loop", {}),
        ("h_0_of_the_wrong_shape", {}),
    ],
)
def test_the_mistakes_that_torch_goes_on_with_are_made_and_no_other(mistake, how):
    losses = trained(mistaken(bundled("hello"), mistake))
    np.testing.assert_allclose(losses, Hello().cell(**how), rtol=1e-6)
    assert (losses != Hello().cell()) == bool(how)


@pytest.mark.parametrize("module", ["RNN", "LSTM"])
def test_states_that_are_not_reset_go_on_in_every_module(make, module):
    tables = {
        "target": {"indices": [[0, 1], [1, 2], [2, 0]]},
        "training": {"optimizer": "SGD", "lr": 0.5, "epochs": 3, "mistake": "hidden_not_reset"},
    }
    options = {"num_layers": 2, "bidirectional": True, "shape": [3, 2, 4]}
    scenario = make(module, tables=tables, **options)
    training = TorchTraining(scenario)
    for epoch in training.epochs():
        done = Model(scenario).run_batch()
        assert epoch.loss == pytest.approx(run_gradients(done).loss, rel=1e-6)
        states = {"h_0": done.h_n} if done.c_n is None else {"h_0": done.h_n, "c_0": done.c_n}
        scenario = replace(scenario.with_parameters(training.parameters), initial_state=states)


# ── one update at a time ─────────────────────────────────────────────────────────────────────


def small(make, name, **training):
    """A scenario of three mini-batches, with dropout."""
    tables = {
        "input": {
            "values": np.random.default_rng(0).normal(size=8).round(2).tolist(),
            "windows": {"length": 3, "stride": 1, "batch_size": 3},
        },
        "linear": {"out_features": 2},
        "target": {"indices": np.random.default_rng(1).integers(0, 2, (3, 8)).tolist()},
        "training": {"optimizer": name.split(maxsplit=1)[0], "epochs": 2, **OPTIMIZERS[name], **training},
    }
    return make("GRU", dropout=0.5, mode="train", num_layers=2, dtype="float64", tables=tables)


@pytest.mark.parametrize("clip", [None, 0.05])
@every_optimizer
def test_a_training_is_gradient_after_update_after_gradient(make, name, clip):
    scenario = small(make, name, **({} if clip is None else {"clip_grad_norm": clip}))
    training = TorchTraining(scenario)
    parameters, buffers, updates = dict(scenario.parameters), {}, 0
    for epoch in training.epochs():
        losses = []
        for index in range(3):
            done = Model(scenario.with_parameters(parameters)).run_batch(index)
            found = run_gradients(done)
            losses.append(found.loss)
            np.testing.assert_array_equal(epoch.prediction[index].shape, done.batch.target.shape)
            parameters, buffers = torch_update(
                scenario.training, parameters, found.parameters, buffers, updates
            )
            updates += 1
        assert epoch.loss == pytest.approx(np.mean(losses), rel=1e-12)
        assert training.updates == updates
        for key, value in training.parameters.items():
            np.testing.assert_allclose(parameters[key], value, rtol=1e-12, atol=1e-15)
            assert buffers[key].keys() == training.buffers[key].keys()
            for buffer, kept in training.buffers[key].items():
                np.testing.assert_allclose(buffers[key][buffer], kept, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip", [None, 0.5])
@every_optimizer
def test_one_update_is_that_of_a_plain_loop(name, clip, dtype):
    arguments = {
        key: tuple(value) if isinstance(value, list) else value for key, value in OPTIMIZERS[name].items()
    }
    generator = np.random.default_rng(0)
    start = {"a": generator.normal(size=(2, 3)).astype(dtype), "b": generator.normal(size=3).astype(dtype)}
    leaves = {key: torch.tensor(value, requires_grad=True) for key, value in start.items()}
    optimizer = getattr(torch.optim, name.split()[0])(leaves.values(), **arguments)
    training = Training(name.split()[0], MappingProxyType(arguments), clip_grad_norm=clip)
    ours, buffers = start, {}
    for updates in range(4):
        gradients = {key: generator.normal(size=value.shape).astype(dtype) for key, value in start.items()}
        for key, leaf in leaves.items():
            leaf.grad = torch.tensor(gradients[key])
        if clip is not None:
            nn.utils.clip_grad_norm_(leaves.values(), clip)
        optimizer.step()
        ours, buffers = torch_update(training, ours, gradients, buffers, updates)
        for key, leaf in leaves.items():
            np.testing.assert_array_equal(ours[key], leaf.detach().numpy())


def test_what_is_remembered_before_the_first_update_does_not_matter(make):
    training = Training("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5})
    values, gradients = {"a": np.ones(3)}, {"a": np.full(3, 2.0)}
    zeros = {"a": {"momentum_buffer": np.zeros(3)}}
    after, buffers = torch_update(training, values, gradients, zeros, 0)
    np.testing.assert_allclose(after["a"], 0.8)  # torch begins with the gradient itself, not dampened
    np.testing.assert_allclose(buffers["a"]["momentum_buffer"], 2.0)
    assert values["a"].tolist() == [1, 1, 1]


def test_a_parameter_without_a_gradient_is_left_alone():
    training = Training("AdamW", {"lr": 0.1, "weight_decay": 0.5})
    after, buffers = torch_update(training, {"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)}, {}, 0)
    assert (after["a"] != 1).all()
    assert (after["b"] == 1).all()
    assert buffers["b"] == {}


# ── what a training is given ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_the_masks_are_drawn_one_after_the_other_from_one_seed(make, p):
    scenario = make("LSTM", num_layers=3, bidirectional=True, dropout=p, mode="train", dropout_seed=7)
    kept = Model(scenario).run_batch().masks
    assert list(kept) == ["dropout0", "dropout1"]
    generator = np.random.default_rng(7)
    for mask in kept.values():
        assert mask.dtype == np.float32
        drawn = np.zeros((5, 3, 8)) if p == 1 else (generator.random((5, 3, 8)) >= p) / (1 - p)
        np.testing.assert_array_equal(mask, drawn.astype(np.float32))


def test_nothing_is_drawn_and_the_start_is_left_alone(make):
    scenario = small(make, "Adam")
    before = {name: value.copy() for name, value in scenario.parameters.items()}
    state = torch.random.get_rng_state()
    losses = trained(scenario)
    assert losses == trained(scenario)
    assert bool(torch.random.get_rng_state().eq(state).all())
    for name, value in before.items():
        np.testing.assert_array_equal(scenario.parameters[name], value)


def test_numbers_are_no_prediction(make):
    tables = {"target": {"values": np.zeros((5, 3, 4)).tolist()}, "training": {"lr": 0.1}}
    (epoch,) = TorchTraining(make("RNN", tables=tables)).epochs()
    assert epoch.prediction is None


def test_labels_of_rows_are_learnt_from_final_states(make):
    tables = {
        "input": {"random": {"shape": [5, 3, 4], "seed": 1}, "lengths": [2, 5, 3]},
        "linear": {"out_features": 3, "from": "h_n"},
        "target": {"indices": [2, 0, 1]},
        "training": {"optimizer": "Adam", "lr": 0.1, "epochs": 30},
    }
    *_, last = TorchTraining(make("GRU", bidirectional=True, tables=tables)).epochs()
    assert last.loss < 0.1
    assert last.prediction[0].tolist() == [2, 0, 1]


# ── torch's words ────────────────────────────────────────────────────────────────────────────

PLAIN = {"target": {"indices": np.zeros((5, 3), int).tolist()}, "training": {"optimizer": "Adam"}}


def words(make, module, mistake, **options):
    tables = {**PLAIN, **options.pop("tables", {})}
    return torch_words(mistaken(make(module, tables=tables, **options), mistake))


@pytest.mark.parametrize("module", ["RNNCell", "LSTMCell", "GRUCell"])
def test_torch_refuses_to_go_back_inside_the_loop(make, module):
    first, second = words(make, module, "backward_inside_the_loop", tables={"linear": {"out_features": 2}})
    assert "a second time" in first.message
    assert "retain_graph" not in first.code
    assert "modified by an inplace operation" in second.message
    assert "retain_graph=True" in second.code
    assert first.error == second.error == "RuntimeError"
    assert first.message.isprintable()


def test_one_step_goes_back_once_only(make):
    tables = {"target": {"indices": [[0, 0, 0]]}}
    assert words(make, "RNNCell", "backward_inside_the_loop", shape=[1, 3, 4], tables=tables) == ()


@pytest.mark.parametrize(
    ("module", "options", "parts"),
    [
        ("RNN", {}, ["hx should also be 3-D but got 2-D", "got [3, 1, 5]", "got [1, 3, 4]"]),
        (
            "LSTM",
            {"batch_first": True, "shape": [3, 5, 4]},
            ["should also be 3-D", "got [3, 1, 5]", "got [1, 3, 4]"],
        ),
        (
            "GRU",
            {"num_layers": 3, "tables": {"linear": {"out_features": 2}}},
            ["3-D but got 2-D", "got [3, 3, 4]"],
        ),
        ("LSTM", {"proj_size": 3}, ["should also be 3-D", "got [3, 1, 3]", "got [1, 3, 4]"]),
        ("RNNCell", {}, ["got 3D", "got 4, expected 5"]),
        ("LSTMCell", {}, ["got 3D", "got 4, expected 5"]),
    ],
)
def test_torch_refuses_h_0_of_the_wrong_shape(make, module, options, parts):
    options = {"hidden_size": 5, **options}
    if options.get("batch_first"):
        options["tables"] = {"target": {"indices": np.zeros((3, 5), int).tolist()}}
    found = words(make, module, "h_0_of_the_wrong_shape", **options)
    assert len(found) == len(parts)
    for one, part in zip(found, parts, strict=True):
        assert part in one.message
        assert one.code.startswith("h_0 = torch.zeros(")


def test_a_state_of_the_inputs_size_is_right_where_both_sizes_are_the_same(make):
    assert len(words(make, "RNNCell", "h_0_of_the_wrong_shape")) == 1


def test_an_unbatched_input_takes_no_axis_of_rows(make):
    tables = {"input": {"values": np.ones((5, 3)).tolist()}, "target": {"indices": [0] * 5}}
    found = words(make, "GRU", "h_0_of_the_wrong_shape", tables=tables)
    assert ["For unbatched 2-D input" in one.message for one in found] == [True, False]


def test_what_was_done_is_told_in_both_languages_and_torch_says_nothing_to_what_is_right(make):
    for mistake in ("backward_inside_the_loop", "h_0_of_the_wrong_shape"):
        for one in words(make, "RNNCell", mistake):
            assert one.what.template in translations("zh")
    for mistake in (None, "no_zero_grad", "softmax_before_cross_entropy", "hidden_not_reset"):
        assert words(make, "RNNCell", mistake) == ()


@pytest.mark.parametrize("name", ["pitfalls/backward_inside_the_loop", "pitfalls/h_0_of_the_wrong_shape"])
def test_torch_has_words_for_the_bundled_pitfalls(name):
    assert len(torch_words(bundled(name))) >= 2
