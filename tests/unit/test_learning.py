"""Training as epochs to go to and step through: all ways to an epoch give the same bits, and plain loops the same losses."""

from __future__ import annotations

import math
import pickle
import sys
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rnnstep.engine.learning as learning_module
from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.engine.prediction import Score, prediction, score
from rnnstep.reference import complete
from rnnstep.scenario.bundled import find, names
from rnnstep.scenario.read import read, read_text

torch.set_num_threads(1)

HELLO = """
vocabulary = ["e", "h", "l", "o"]
input.text = "hello"
recurrent = {module = "RNNCell", hidden_size = 4}
weights.seed = 2
target.text = "ohlol"
display.dtype = "float64"
[training]
optimizer = "Adam"
lr = 0.1
epochs = 15
"""
SERIES = """
input.values = [0.1, -0.4, 0.9, 0.3, -0.7, 0.2, 0.8, -0.1, 0.5, -0.6]
input.windows = {length = 3, stride = 1, batch_size = 4}
recurrent = {module = "GRU", hidden_size = 3}
linear = {out_features = 1, from = "h_n"}
weights.seed = 1
target.values = [[0.3], [-0.7], [0.2], [0.8], [-0.1], [0.5], [-0.6], [0.0], [0.1], [0.2]]
display.dtype = "float64"
[training]
optimizer = "AdamW"
lr = 0.05
epochs = 7
"""


def without_training(text: str) -> str:
    return text.split("[training]", maxsplit=1)[0]


def learning_of(text: str, **training: Any) -> Learning:
    scenario = read_text(text)
    return Learning(replace(scenario, training=replace(scenario.training, **training)))


def bits(learning: Learning, index: int) -> bytes:
    """All that a state is, to the last bit."""
    state = learning.state(index)
    parts = [state.parameters, *(state.buffers[name] for name in sorted(state.buffers))]
    parts += [state.gathered] if state.gathered is not None else []
    return b"".join(part.tobytes() for part in (*parts, *state.initial.values())) + bytes(
        [state.updates % 256]
    )


# ── epochs, their records and states ─────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", [HELLO, SERIES], ids=["one batch", "mini-batches"])
@pytest.mark.parametrize("mistake", [None, "no_zero_grad"])
def test_records_are_what_stepping_through_the_epochs_gives(text: str, mistake: str | None) -> None:
    learning = learning_of(text, mistake=mistake)
    for index in range(learning.num_epochs):
        record, epoch = learning.record(index), learning.epoch(index)
        assert record.index == epoch.index == index
        passes = [epoch.forward(batch) for batch in range(epoch.num_batches)]
        assert list(epoch.trace.passes) == passes
        losses = [done.loss for done in passes]
        assert record.loss == (losses[0] if len(losses) == 1 else float(np.mean(losses)))
        said = [word for done in passes for word in prediction(done) or ()]
        assert record.prediction == (tuple(said) or None)
        assert record.accuracy == sum(map(score, passes), Score()).share
        for batch, done in enumerate(passes):
            back, update = epoch.backward(batch), epoch.update(batch)
            assert back.done is done
            assert back.loss == losses[batch]
            assert update.index == batch
    assert len(learning.records) == learning.num_epochs
    assert [record.index for record in learning.records] == list(range(learning.num_epochs))


@pytest.mark.parametrize("text", [HELLO, SERIES], ids=["one batch", "mini-batches"])
def test_updates_of_an_epoch_lead_to_the_next_one(text: str) -> None:
    learning = learning_of(text)
    for index in range(3):
        epoch, following = learning.epoch(index), learning.state(index + 1)
        last = epoch.update(epoch.num_batches - 1)
        for name, (place, shape) in learning.trainer.places.items():
            np.testing.assert_array_equal(last.value(name, "w"), following.parameters[place].reshape(shape))
            for buffer in following.buffers:
                np.testing.assert_array_equal(
                    last.value(name, buffer), following.buffers[buffer][place].reshape(shape)
                )
        for batch in range(1, epoch.num_batches):
            before, after = epoch.update(batch - 1), epoch.forward(batch).scenario.parameters
            for name, value in after.items():
                np.testing.assert_array_equal(before.value(name, "w"), value)
        assert following.updates == (index + 1) * epoch.num_batches


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (HELLO, None),
        (HELLO, "no_zero_grad"),
        (HELLO, "hidden_not_reset"),
        (SERIES, None),
        (SERIES, "no_zero_grad"),
    ],
)
def test_state_computed_anew_is_the_same_to_the_last_bit(
    text: str, mistake: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = learning_of(text, mistake=mistake)
    one_after_the_other = [bits(whole, index) for index in range(whole.num_epochs + 1)]
    assert len(set(one_after_the_other)) == whole.num_epochs + 1
    monkeypatch.setattr(learning_module, "KEPT_STATES", 2)
    sparse = learning_of(text, mistake=mistake)
    assert len(sparse._states) <= 3
    for index in (whole.num_epochs, 3, 1, 0, 6, 5, 2, 4):
        assert bits(sparse, index) == one_after_the_other[index]
    assert len(sparse._states) <= 3
    straight_to = learning_of(text, mistake=mistake)
    assert bits(straight_to, 5) == one_after_the_other[5]


def test_few_states_are_kept_of_many_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    learning = learning_of(HELLO, epochs=200)
    learning.record(199)
    assert len(learning._states) <= learning_module.KEPT_STATES + 1
    assert learning.epoch(100).forward(0).loss == learning.record(100).loss
    monkeypatch.setattr(learning_module, "KEPT_BYTES", 1)
    large = learning_of(HELLO, epochs=20)
    large.record(19)
    assert len(large._states) <= 4


def test_epochs_go_no_further_than_they_were_asked() -> None:
    learning = learning_of(HELLO)
    assert learning.records == ()
    learning.epoch(4)
    assert len(learning.records) == 4
    assert learning.reach(7, seconds=60.0)
    assert len(learning.records) == 7
    assert not learning.reach(15, seconds=-1.0)
    learning.trained()
    assert len(learning.records) == 15
    learning.advance()  # there is nothing to go through any more
    assert len(learning.records) == 15


def test_trained_parameters_are_those_after_the_last_epoch() -> None:
    learning = learning_of(HELLO)
    trained = learning.trained()
    assert list(trained) == list(learning.scenario.parameters)
    last = learning.epoch(14).update(0)
    for name, value in trained.items():
        np.testing.assert_array_equal(value, last.value(name, "w"))
        assert value.shape == learning.scenario.parameters[name].shape


def test_the_scenario_is_left_alone() -> None:
    scenario = read_text(HELLO)
    before = {name: value.copy() for name, value in scenario.parameters.items()}
    Learning(scenario).trained()
    for name, value in before.items():
        np.testing.assert_array_equal(scenario.parameters[name], value)


def test_states_can_be_sent() -> None:
    for mistake in (None, "no_zero_grad", "hidden_not_reset"):
        learning = learning_of(HELLO, mistake=mistake)
        state = learning.state(3)
        again = pickle.loads(
            pickle.dumps(replace(state, buffers=dict(state.buffers), initial=dict(state.initial)))
        )
        np.testing.assert_array_equal(again.parameters, state.parameters)
        np.testing.assert_array_equal(
            learning.trainer.advance(again)[1].parameters, learning.state(4).parameters
        )


def test_one_thread_may_go_on_while_another_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    epochs = 30
    alone = learning_of(SERIES, epochs=epochs)
    expected = [bits(alone, index) for index in range(epochs + 1)]
    losses = [alone.record(index).loss for index in range(epochs)]
    monkeypatch.setattr(learning_module, "KEPT_STATES", 4)
    learning = learning_of(SERIES, epochs=epochs)
    failed: list[BaseException] = []

    def going_on() -> None:
        try:
            assert [learning.record(index).loss for index in range(epochs)] == losses
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = threading.Thread(target=going_on)
        thread.start()
        for index in [*range(0, epochs, 4), *range(epochs - 1, -1, -5), 7, 2, 19, epochs - 1]:
            assert bits(learning, index) == expected[index]
            epoch = learning.epoch(index)
            assert epoch.forward(0).scenario.parameters.keys() == learning.scenario.parameters.keys()
            assert np.mean([epoch.forward(batch).loss for batch in range(epoch.num_batches)]) == losses[index]
        thread.join(timeout=60)
    finally:
        sys.setswitchinterval(interval)
    assert failed == []
    assert learning.records == alone.records


def test_rows_kept_apart_are_tried_with_the_first_parameters_of_an_epoch() -> None:
    learning = Learning(complete(read(find("names"))))
    for index in range(3):
        record = learning.record(index)
        model = learning.trainer.model_of(learning.state(index))
        tried = [model.run_test_batch(number) for number in range(len(learning.scenario.test_batches))]
        assert record.test_accuracy == sum(map(score, tried), Score()).share
        right = sum(int((done.prediction == done.batch.target).sum()) for done in tried)
        assert record.test_accuracy == right / 90
    assert learning_of(HELLO).record(0).test_accuracy is None


# ── plain loops of torch ─────────────────────────────────────────────────────────────────────


class Plain:
    """The course's program: hello → ohlol, a loop over a cell, in the words of its slides."""

    def __init__(self, module: str) -> None:
        self.cell = getattr(nn, module)(4, 4).double()
        scenario = read_text(HELLO.replace("RNNCell", module))
        self.cell.load_state_dict({name: torch.tensor(value) for name, value in scenario.parameters.items()})
        self.x = torch.eye(4, dtype=torch.float64)[[1, 0, 2, 2, 3]][:, None]
        self.y = torch.tensor([3, 1, 2, 3, 2])[:, None]

    def losses(
        self,
        *,
        zero_grad: bool = True,
        keeps_hidden: bool = False,
        has_softmax: bool = False,
        clip: float | None = None,
    ) -> list[float]:
        optimizer = torch.optim.Adam(self.cell.parameters(), lr=0.1)
        found, state = [], None
        for _epoch in range(15):
            if zero_grad:
                optimizer.zero_grad()
            state = state if keeps_hidden else None
            loss = torch.zeros((), dtype=torch.float64)
            for x_t, y_t in zip(self.x, self.y, strict=True):
                state = self.cell(x_t, state)
                h = state[0] if isinstance(state, tuple) else state
                loss = loss + nn.CrossEntropyLoss()(h.softmax(-1) if has_softmax else h, y_t)
            state = tuple(one.detach() for one in state) if isinstance(state, tuple) else state.detach()
            loss.backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(self.cell.parameters(), clip)
            optimizer.step()
            found.append(loss.item())
        return found


@pytest.mark.parametrize("module", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize(
    ("training", "how"),
    [
        ({}, {}),
        ({"clip_grad_norm": 0.5}, {"clip": 0.5}),
        ({"mistake": "no_zero_grad"}, {"zero_grad": False}),
        ({"mistake": "no_zero_grad", "clip_grad_norm": 0.5}, {"zero_grad": False, "clip": 0.5}),
        ({"mistake": "hidden_not_reset"}, {"keeps_hidden": True}),
        ({"mistake": "softmax_before_cross_entropy"}, {"has_softmax": True}),
        ({"mistake": "backward_inside_the_loop"}, {}),
        ({"mistake": "h_0_of_the_wrong_shape"}, {}),
    ],
)
def test_losses_are_those_of_a_plain_loop(module: str, training: dict[str, Any], how: dict[str, Any]) -> None:
    learning = learning_of(HELLO.replace("RNNCell", module), **training)
    expected = Plain(module).losses(**how)
    np.testing.assert_allclose([learning.record(index).loss for index in range(15)], expected, rtol=1e-10)
    if how:
        assert not np.allclose(expected, Plain(module).losses(), rtol=1e-6)


def test_mini_batches_are_those_of_a_plain_loop() -> None:
    learning = learning_of(SERIES)
    module, linear = nn.GRU(1, 3).double(), nn.Linear(3, 1).double()
    for name, value in learning.scenario.parameters.items():
        target = (
            dict(linear.named_parameters()) if name.startswith("linear.") else dict(module.named_parameters())
        )
        target[name.removeprefix("linear.")].data = torch.tensor(value)
    optimizer = torch.optim.AdamW([*module.parameters(), *linear.parameters()], lr=0.05)
    assert [batch.num_rows for batch in learning.scenario.batches] == [4, 4, 2]
    for index in range(7):
        losses = []
        for batch in learning.scenario.batches:
            optimizer.zero_grad()
            _, h_n = module(torch.tensor(batch.values))
            loss = nn.MSELoss()(linear(h_n[0]), torch.tensor(batch.target))
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert learning.record(index).loss == pytest.approx(np.mean(losses), rel=1e-10)


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────


def test_gradients_that_are_not_set_to_zero_add_up() -> None:
    learning = learning_of(HELLO, mistake="no_zero_grad")
    total: dict[str, np.ndarray] = {}
    for index in range(4):
        epoch = learning.epoch(index)
        for name, gradient in epoch.backward(0).parameters.items():
            total[name] = total[name] + gradient if index else gradient
            np.testing.assert_allclose(
                epoch.update(0).value(name, "grad"), total[name], rtol=1e-13, atol=1e-15
            )


@pytest.mark.parametrize("module", ["RNN", "LSTM"])
def test_states_that_are_not_reset_begin_where_the_last_epoch_ended(module: str) -> None:
    text = HELLO.replace("RNNCell", module).replace(
        "hidden_size = 4", "hidden_size = 2, num_layers = 2, bidirectional = true"
    )
    learning = learning_of(text, mistake="hidden_not_reset")
    for index in range(4):
        done = learning.epoch(index).forward(0)
        if index:
            before = learning.epoch(index - 1).forward(0)
            np.testing.assert_array_equal(done.scenario.initial_of(done.batch)["h_0"], before.h_n)
            if module == "LSTM":
                np.testing.assert_array_equal(done.scenario.initial_of(done.batch)["c_0"], before.c_n)
            first = done.values("L1", 0)["h_prev"]
            np.testing.assert_array_equal(first, before.h_n[2])
        else:
            assert not done.values("L1", 0)["h_prev"].any()


def test_given_first_states_come_back_in_every_epoch() -> None:
    text = HELLO.replace("[training]", "[initial_state]\nh_0 = [0.5, -0.5, 0.25, 1.0]\n[training]")
    learning = learning_of(text)
    for index in range(3):
        assert learning.epoch(index).forward(0).values("L0", 0)["h_prev"].tolist() == [[0.5, -0.5, 0.25, 1.0]]


# ── without a training, or a loss ────────────────────────────────────────────────────────────


def test_without_training_there_is_one_epoch_and_no_update() -> None:
    learning = Learning(read_text(without_training(HELLO)))
    assert learning.num_epochs == 1
    assert learning.structure.phases == ("forward", "backward")
    epoch = learning.epoch(0)
    assert not epoch.has_update
    assert epoch.update(0) is None
    assert epoch.backward(0).loss == learning.record(0).loss == epoch.forward(0).loss
    for name, value in learning.trained().items():
        np.testing.assert_array_equal(value, learning.scenario.parameters[name])


def test_without_training_mini_batches_all_begin_with_the_same_weights() -> None:
    learning = Learning(read_text(without_training(SERIES)))
    epoch = learning.epoch(0)
    losses = [epoch.forward(batch).loss for batch in range(epoch.num_batches)]
    assert losses == [done.loss for done in Model(learning.scenario).run().passes]
    assert learning.record(0).loss == pytest.approx(np.mean(losses), rel=1e-15)


def test_without_a_target_there_is_one_forward_pass() -> None:
    learning = Learning(read_text(without_training(HELLO).replace('target.text = "ohlol"', "")))
    assert learning.num_epochs == 1
    assert learning.structure.phases == ("forward",)
    epoch = learning.epoch(0)
    assert (epoch.backward(0), epoch.update(0), epoch.has_update) == (None, None, False)
    assert epoch.forward(0).loss is None


def test_training_that_overflows_goes_on() -> None:
    text = HELLO.replace("RNNCell", "RNN").replace(
        '"Adam"\nlr = 0.1', '"SGD"\nlr = 1e300\nweight_decay = 1e10'
    )
    text = text.replace("[training]", "[linear]\nout_features = 4\n[training]")
    learning = learning_of(text)
    losses = [learning.record(index).loss for index in range(learning.num_epochs)]
    assert math.isfinite(losses[0])
    assert not math.isfinite(losses[-1])
    assert learning.epoch(14).update(0).value("linear.bias", "w").shape == (4,)


# ── what is there, before anything is run ────────────────────────────────────────────────────


OTHERS = {
    "padding beyond the longest row": """
input = {random = {shape = [6, 3, 2], seed = 1}, lengths = [2, 4, 3]}
recurrent = {module = "GRU", hidden_size = 3, bidirectional = true}
weights.seed = 0
target.indices = [[0, 1, 2], [2, 1, 0], [0, 0, 0], [1, 1, 1], [2, 2, 2], [0, 1, 0]]
training = {optimizer = "SGD", clip_grad_norm = 1.0, momentum = 0.9, dampening = 0.5, mistake = "no_zero_grad"}
""",
    "dropout, final states, batches of several sizes": """
input.values = [0.1, -0.4, 0.9, 0.3, -0.7]
input.windows = {length = 3, batch_size = 2}
recurrent = {module = "LSTM", hidden_size = 3, num_layers = 2, dropout = 0.5, mode = "train", proj_size = 2}
linear = {out_features = 1, from = "h_n"}
weights.seed = 0
target.values = [[1], [2], [3], [4], [5]]
training = {optimizer = "RMSprop", centered = true}
""",
    "one step": """
input.random = {shape = [1, 1, 2], seed = 1}
recurrent = {module = "LSTMCell", hidden_size = 3}
weights.seed = 0
target.indices = [2]
""",
}


@pytest.mark.parametrize("name", [*names(), *OTHERS])
def test_structure_is_what_the_passes_have(name: str) -> None:
    scenario = read_text(OTHERS[name]) if name in OTHERS else complete(read(find(name)))
    learning = Learning(scenario)
    structure, epoch = learning.structure, learning.epoch(0)
    assert structure.num_batches == epoch.num_batches == len(scenario.batches)
    for batch in {0, structure.num_batches - 1}:
        made = {
            "forward": epoch.forward(batch),
            "backward": epoch.backward(batch),
            "update": epoch.update(batch),
        }
        assert structure.phases == tuple(phase for phase, done in made.items() if done is not None)
        for phase in structure.phases:
            stage, done = structure.stage(batch, phase), made[phase]
            assert stage.phase == done.phase == phase
            assert [block.key for block in stage.blocks] == [block.key for block in done.blocks]
            assert list(stage.by_key) == list(done.by_key) == list(stage.steps)
            for one, other in zip(stage.blocks, done.blocks, strict=True):
                assert (one.kind, one.layer, one.direction) == (other.kind, other.layer, other.direction)
                assert one.program.lines == other.program.lines
                assert one.program.shapes == other.program.shapes
                for t in {*list(stage.steps[one.key])[:1], *list(stage.steps[one.key])[-1:]}:
                    values = done.values(one.key, t)
                    assert set(one.program.names) <= values.keys()
            assert structure.stage(batch, phase) is stage
        for key, run in made["forward"].runs.items():
            steps = structure.stage(batch, "forward").steps[key]
            assert [t for t, other in made["forward"].recurrent_steps() if other == key] == list(steps)
            if made["backward"] is not None:
                back = [t for t, other in made["backward"].recurrent_steps() if other == key]
                assert back == list(structure.stage(batch, "backward").steps[key]) == list(steps)[::-1]
            assert run.is_reversed == (steps.step < 0 or (len(steps) == 1 and key.endswith("←")))


@pytest.mark.parametrize("index", [-1, 15, 16])
def test_there_is_no_record_of_an_epoch_that_is_not(index: int) -> None:
    learning = learning_of(HELLO)
    assert learning.num_epochs == 15
    with pytest.raises(IndexError):
        learning.record(index)
    assert learning.reach(99, 1.0)
