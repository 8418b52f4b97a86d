"""`[loss] at = "last"`: the loss of each row's last step alone, beside torch.nn as people write it."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
import tomlkit
import torch
from torch import nn

import rnnstep
from rnnstep.cli import main
from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.errors import ScenarioError
from rnnstep.reference import (
    TorchTraining,
    compare,
    compare_gradients,
    complete,
    run_gradients,
    run_reference,
)
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.session.provenance import source
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.session.tree import Spot
from rnnstep.views.info import info
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from tests.oracle.programs import agrees, scenario_in

STEPS, ROWS, LENGTHS = 5, 3, (5, 2, 4)
DRAWN = np.random.default_rng(4)
VALUES = {size: DRAWN.uniform(-1, 1, (ROWS, size)).round(2).tolist() for size in (2, 4, 8)}
CLASSES = [1, 0, 1]
LINEAR = {"linear": {"out_features": 2}}
BOTH = {"bidirectional": True}
PACKED = {"lengths": LENGTHS}
CASES = {
    "RNN": ("RNN", {}, {}, LINEAR),
    "LSTM, both ways, packed": ("LSTM", BOTH, PACKED, LINEAR),
    "both ways, packed, without a linear layer": ("GRU", BOTH, PACKED, {"target": {"values": VALUES[8]}}),
    "padding walked over": ("GRU", {}, {**PACKED, "packed": False}, LINEAR),
    "batch_first, packed": ("RNN", {"batch_first": True}, PACKED, LINEAR),
    "batch_first": ("RNN", {"batch_first": True}, {}, {"target": {"values": VALUES[4]}}),
    "cell": ("LSTMCell", {}, {}, LINEAR),
    "cell, packed": ("GRUCell", {}, PACKED, {"target": {"values": VALUES[4]}}),
    "summed, times a factor": (
        "RNN",
        {},
        PACKED,
        {**LINEAR, "target": {"values": VALUES[2]}, "loss": {"reduction": "sum", "factor": 0.5}},
    ),
    "one row ignored": (
        "RNN",
        {},
        {},
        {**LINEAR, "target": {"indices": [1, -100, 0]}, "loss": {"over_time": "sum"}},
    ),
    "unbatched": (
        "GRU",
        {},
        {"values": DRAWN.standard_normal((4, 3)).tolist()},
        {**LINEAR, "target": {"indices": [1]}},
    ),
}


@cache
def scenario_of(case: str, dtype: str = "float64") -> Scenario:
    module, options, given, more = CASES[case]
    shape = [ROWS, STEPS, 3] if options.get("batch_first") else [STEPS, ROWS, 3]
    data = {
        "input": {**({} if "values" in given else {"random": {"shape": shape, "seed": 1}}), **given},
        "recurrent": {"module": module, "hidden_size": 4, **options},
        "weights": {"seed": 3},
        "target": {"indices": CLASSES},
        "training": {"optimizer": "Adam", "lr": 0.1, "epochs": 3},
        "display": {"dtype": dtype},
        **more,
    }
    data["loss"] = {"at": "last", **more.get("loss", {})}
    return complete(read_text(tomlkit.dumps(data)))


class Written(nn.Module):
    """A module with a linear layer on every step, of which each row's last one is compared, by hand."""

    def __init__(self, case: str) -> None:
        super().__init__()
        self.module, self.options, self.given, more = CASES[case]
        self.rnn = getattr(nn, self.module)(3, 4, **self.options)
        size = 8 if "bidirectional" in self.options else 4
        self.linear = nn.Linear(size, 2) if "linear" in more else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the last scores of each row, (B, C), of x as the module takes it; (C) without a batch."""
        lengths = self.given.get("lengths") if self.given.get("packed", True) else None
        is_first = self.options.get("batch_first", False)
        if self.module.endswith("Cell"):
            states, outputs = None, []
            for x_t in x:
                states = self.rnn(x_t, states)
                outputs.append(states[0] if isinstance(states, tuple) else states)
            output = torch.stack(outputs)
        elif lengths is None:
            output, _ = self.rnn(x)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, is_first, enforce_sorted=False)
            output, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], is_first)
        output = output.transpose(0, 1) if is_first else output
        if lengths is None:
            return self.linear(output[-1])
        return self.linear(torch.stack([output[length - 1, row] for row, length in enumerate(lengths)]))


def loss_by_hand(scenario: Scenario, module: Written) -> torch.Tensor:
    (batch,) = scenario.batches
    scores = module(torch.tensor(np.array(scenario.laid_out(batch.values))))
    wanted = torch.tensor(batch.target if scenario.is_batched else batch.target[0])
    kind = nn.MSELoss if wanted.is_floating_point() else nn.CrossEntropyLoss
    return scenario.loss.factor * kind(reduction=scenario.loss.reduction)(scores, wanted)


@pytest.mark.parametrize("case", CASES)
def test_loss_gradients_and_updates_are_those_of_a_module_by_hand(case):
    scenario = scenario_of(case)
    torch.manual_seed(3)
    module = Written(case).double()
    for name, values in module.named_parameters():
        assert np.array_equal(values.detach().numpy(), scenario.parameters[name.removeprefix("rnn.")])
    learning, theirs = Learning(scenario), TorchTraining(scenario).epochs()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for number in range(3):
        optimizer.zero_grad()
        loss = loss_by_hand(scenario, module)
        loss.backward()
        back = learning.epoch(number).backward(0)
        assert back.loss == pytest.approx(loss.item(), rel=1e-10)
        assert next(theirs).loss == pytest.approx(loss.item(), rel=1e-10)
        for name, values in module.named_parameters():
            ours = back.parameters[name.removeprefix("rnn.")]
            np.testing.assert_allclose(ours, values.grad.numpy(), rtol=0, atol=1e-10)
        optimizer.step()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_every_value_forth_and_back_agrees_with_torch(case, dtype):
    model = Model(scenario_of(case, dtype))
    done = model.run_batch(0)
    assert compare(done, run_reference(done)).agrees
    back = model.backward(done)
    assert compare_gradients(back, run_gradients(done)).agrees


@pytest.mark.parametrize("case", CASES)
def test_the_program_gives_these_numbers(case, tmp_path):
    text = scenario_of(case, "float32").file_text
    assert agrees(scenario_in(tmp_path, text)) is not None
    data = tomlkit.parse(text)
    del data["training"]
    assert agrees(scenario_in(tmp_path, tomlkit.dumps(data))) is not None


@pytest.mark.parametrize("case", CASES)
def test_it_is_written_and_read_back(case, tmp_path):
    write_scenario(scenario_of(case), tmp_path / "s.toml")
    assert difference(scenario_of(case), read(tmp_path / "s.toml")) is None


@pytest.mark.parametrize("case", CASES)
def test_right_answers_are_right_forth_and_back(case, tmp_path):
    scenario = scenario_of(case)
    done = Model(scenario).run_batch(0)
    back = Model(scenario).backward(done)
    answers = [f"[[answer]]\nname = 'loss'\nvalue = {round(done.loss, 4)}\n"]
    answers += [
        f"[[answer]]\nname = 'grad.{name}'\nvalue = {value.round(4).tolist()}\n"
        for name, value in back.parameters.items()
    ]
    (tmp_path / "a.toml").write_text("decimals = 4\n" + "".join(answers), "utf-8")
    marks = rnnstep.check(scenario, tmp_path / "a.toml").as_dict()
    assert {one["name"]: one["status"] for one in marks["answers"] if one["status"] != "correct"} == {}


@pytest.mark.parametrize("case", CASES)
def test_what_is_compared_comes_from_each_rows_last_step(case):
    run = SessionRun.of(scenario_of(case))
    done = run.trace.passes[0]
    name = next(iter(done.by_key["loss"].program.inputs))
    axis = done.axis("loss")
    spot = Spot(0, "loss", axis.end, done.by_key["loss"].program.names[0], 0)
    for row in range(done.batch.num_rows):
        values = done.value("loss", name, axis.end)[row]
        for element, value in enumerate(values):
            found = source(run, spot, name, (element,), row)
            there = run.tree.locate(found.path)
            assert (there.t, found.row) == (axis.last_step(row), row)
            index = done.row_index(there.key, there.t, row)
            assert done.value(there.key, there.operation, there.t)[index][there.element] == value


# ── targets ──────────────────────────────────────────────────────────────────────────────────────

TEXT = """
vocabulary = ["a", "b", "c"]
[input]
text = %s
[recurrent]
module = "RNN"
hidden_size = 3
[weights]
seed = 1
[target]
text = %s
[loss]
at = "last"
"""


@pytest.mark.parametrize(
    ("given", "wanted", "expected"),
    [
        ('"abca"', '"bcab"', [1]),
        ('"abca"', '"c"', [2]),
        ('"a"', '"c"', [2]),
        ('["abc", "ba"]', '["bca", "cb"]', [0, 1]),  # of a packed row its own last one
        ('["abc", "ba"]', '["c", "b"]', [2, 1]),
        ('["abc", "bac"]', '"cb"', [2, 1]),
    ],
)
def test_of_letters_for_all_steps_the_last_are_taken_or_there_is_one_a_row(given, wanted, expected):
    assert read_text(TEXT % (given, wanted)).batches[0].target.tolist() == expected


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([1, 0, 1], [1, 0, 1]),
        ([[0, 0, 0]] * 4 + [[2, 1, 0]], [2, 1, 0]),
    ],
)
def test_of_classes_for_all_steps_the_last_are_taken_or_there_is_one_a_row(indices, expected):
    data = tomlkit.parse(scenario_of("RNN").file_text)
    data |= {"target": {"indices": indices}, "linear": {"out_features": 3}}
    assert read_text(tomlkit.dumps(data)).batches[0].target.tolist() == expected


def test_of_values_for_all_steps_the_last_are_taken_with_batch_first_too():
    whole = DRAWN.uniform(-1, 1, (ROWS, STEPS, 4)).round(2)
    data = tomlkit.parse(scenario_of("batch_first").file_text)
    data["target"] = {"values": whole.tolist()}
    assert read_text(tomlkit.dumps(data)).batches[0].target.tolist() == whole[:, -1].tolist()


@pytest.mark.parametrize(
    ("indices", "words"),
    [
        ([1, 0], r'found 2 labels, expected 3: one for each row of the batch \(`at = "last"`\)'),
        ([[1, 0, 1]] * 4, "the target is for 4 steps, the input has 5"),
        ([1, 0, 7], "found the class 7"),
    ],
)
def test_targets_of_another_length_are_told(indices, words):
    data = tomlkit.parse(scenario_of("RNN").file_text)
    data["target"] = {"indices": indices}
    with pytest.raises(ScenarioError, match=words):
        read_text(tomlkit.dumps(data))


def test_where_scores_are_of_one_step_already_it_is_told():
    text = scenario_of("RNN").file_text.replace("out_features = 2", 'out_features = 2\nfrom = "h_n"')
    with pytest.raises(ScenarioError, match="`at`: the scores are of one step of each row already"):
        read_text(text)
    with pytest.raises(ScenarioError, match="`at`: found"):
        read_text(scenario_of("RNN").file_text.replace('at = "last"', 'at = "first"'))


def test_windows_are_compared_with_what_comes_behind_their_last_value(tmp_path):
    text = """
[input]
values = [1, 2, 3, 4, 5, 6]
windows = {length = 3, batch_size = 2, horizon = 1}
[recurrent]
module = "RNN"
hidden_size = 2
[linear]
out_features = 1
[weights]
seed = 1
[loss]
at = "last"
[training]
optimizer = "SGD"
lr = 0.1
epochs = 2
"""
    scenario = scenario_in(tmp_path, text)
    assert [batch.target.ravel().tolist() for batch in scenario.batches] == [[4, 5], [6]]
    assert agrees(scenario) is not None


def test_labelled_rows_have_one_label_each(tmp_path):
    (tmp_path / "rows.csv").write_text("text,label\nab,x\nabc,y\nba,x\ncab,y\n", "utf-8")
    text = """
vocabulary = ["a", "b", "c"]
[data]
file = "rows.csv"
batch_size = 2
[recurrent]
module = "GRU"
hidden_size = 2
[linear]
[weights]
seed = 1
[loss]
at = "last"
[training]
optimizer = "SGD"
lr = 0.5
epochs = 2
"""
    scenario = scenario_in(tmp_path, text)
    assert [batch.target.tolist() for batch in scenario.batches] == [[0, 1], [0, 1]]
    assert rnnstep.train(scenario).agrees
    assert agrees(scenario) is not None


# ── words and numbers outside ────────────────────────────────────────────────────────────────────


def test_json_and_text_have_the_scores_of_all_steps_and_one_answer_a_row(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(scenario_of("LSTM, both ways, packed").file_text, "utf-8")
    for command in ("trace", "grad", "train"):
        assert main((command, str(tmp_path / "s.toml"), "--format", "json")) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["agrees"]
        if command == "trace":
            assert np.shape(found["logits"]) == (STEPS, ROWS, 2)
        if command == "train":
            assert all(len(epoch["prediction"]) == ROWS for epoch in found["epochs"])
        for language in ("en", "zh"):
            assert main((command, str(tmp_path / "s.toml"), "--language", language)) == 0
            assert capsys.readouterr().out


def test_letters_are_wanted_at_each_rows_last_step_alone():
    from rnnstep.views import timeline
    from rnnstep.views.scene import Scene

    session = Session.open(SessionRun.of(read_text(TEXT % ('["abc", "ba"]', '["bca", "cb"]'))))
    for row, expected in ((0, ["", "", "a"]), (1, ["", "b", ""])):
        scene = Scene(session.jump((0, 0, 0)).other_row(row), Look())
        assert [timeline.wanted(scene, t).strip() for t in range(3)] == expected


def test_the_page_of_information_says_so():
    session = Session.open(SessionRun.of(scenario_of("RNN")))
    assert "on the scores of its last step alone" in plain(info(session, Look(), 400))
    assert "只用最后一步的得分" in plain(info(session, Look(language="zh"), 400))


def test_one_target_a_row_is_read_where_there_are_as_many_steps_as_rows():
    """Of the sequence whose steps are scored, which need not be the first one."""
    text = (
        "[input]\nrandom = {shape = [3, 2, 2], seed = 1}\n[input.second]\nrandom = {shape = [2, 2, 2], seed = 2}\n"
        '[[layers]]\nname = "one"\nmodule = "GRU"\nhidden_size = 2\n[[layers]]\nname = "two"\nmodule = "GRU"\n'
        'input = "second"\nh_0 = "one.h_n"\nhidden_size = 2\n[weights]\nseed = 1\n[target]\nindices = [1, 0]\n'
        '[loss]\nat = "last"\n'
    )
    scenario = read_text(text)
    assert scenario.batches[0].target.tolist() == [1, 0]
    done = Model(scenario).run().passes[0]
    scores = torch.tensor(done.whole("two.L0")[1])
    expected = nn.functional.cross_entropy(scores, torch.tensor([1, 0])).item()
    assert float(done.loss) == pytest.approx(expected, rel=1e-6)
