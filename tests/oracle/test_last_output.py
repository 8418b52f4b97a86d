"""`from = "last"`: a linear layer on `output[-1]`, literally, beside torch.nn as people write it."""

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
from rnnstep.scenario import bundled
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
from rnnstep.worksheet.worksheet import worksheet
from tests.oracle.programs import agrees, scenario_in

STEPS, ROWS, LENGTHS = 5, 3, (5, 2, 4)
BOTH = {"bidirectional": True}
CASES = {
    "RNN": ("RNN", {}, {}),
    "LSTM, deep, both ways, packed": ("LSTM", {"num_layers": 2, **BOTH}, {"lengths": LENGTHS}),
    "GRU, both ways, padding walked over": ("GRU", BOTH, {"lengths": LENGTHS, "packed": False}),
    "packed, no row to the end": ("GRU", BOTH, {"lengths": (3, 2, 3)}),
    "batch_first, packed": ("RNN", {"batch_first": True, **BOTH}, {"lengths": LENGTHS}),
    "LSTM, projected": ("LSTM", {"proj_size": 2, **BOTH}, {}),
    "cell": ("LSTMCell", {}, {}),
    "cell, packed": ("GRUCell", {}, {"lengths": LENGTHS}),
    "dropout": ("GRU", {"num_layers": 2, "dropout": 0.4, "mode": "train"}, {"lengths": LENGTHS}),
    "unbatched": ("GRU", BOTH, {"values": np.random.default_rng(1).standard_normal((4, 3)).tolist()}),
}
TARGET = [1, 0, 1]


@cache
def scenario_of(case: str, dtype: str = "float64") -> Scenario:
    module, options, given = CASES[case]
    shape = [ROWS, STEPS, 3] if options.get("batch_first") else [STEPS, ROWS, 3]
    data = {
        "input": {**({} if "values" in given else {"random": {"shape": shape, "seed": 1}}), **given},
        "recurrent": {"module": module, "hidden_size": 4, **options},
        "linear": {"out_features": 2, "from": "last"},
        "weights": {"seed": 3},
        "target": {"indices": TARGET[0] if "values" in given else TARGET},
        "training": {"optimizer": "Adam", "lr": 0.1, "epochs": 3},
        "display": {"dtype": dtype},
    }
    return complete(read_text(tomlkit.dumps(data)))


class Written(nn.Module):
    """A module with a linear layer on `output[-1]`, by hand."""

    def __init__(self, case: str) -> None:
        super().__init__()
        self.module, self.options, self.given = CASES[case]
        options = {name: value for name, value in self.options.items() if name not in ("mode", "dropout")}
        self.rnn = getattr(nn, self.module)(3, 4, **options)
        size = (options.get("proj_size") or 4) * (2 if "bidirectional" in options else 1)
        self.linear = nn.Linear(size, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Take x as the module does, (T, B, I), (B, T, I) or (T, I)."""
        lengths = self.given.get("lengths") if self.given.get("packed", True) else None
        is_first = self.options.get("batch_first", False)
        if self.module.endswith("Cell"):
            return self.linear(self._looped(x, lengths)[-1])
        if mask is not None:
            return self.linear(self._in_layers(x, lengths, mask)[-1])
        if lengths is None:
            output, _ = self.rnn(x)
        else:
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, is_first, enforce_sorted=False)
            output, _ = self.rnn(packed)
            output, _ = nn.utils.rnn.pad_packed_sequence(output, is_first, total_length=STEPS)
        return self.linear(output[:, -1] if is_first else output[-1])

    def _looped(self, x: torch.Tensor, lengths: tuple[int, ...] | None) -> list[torch.Tensor]:
        states, outputs = None, []
        for t, x_t in enumerate(x):
            states = self.rnn(x_t, states)
            h = states[0] if isinstance(states, tuple) else states
            is_alive = torch.tensor([t < length for length in lengths or (STEPS,) * ROWS])
            outputs.append(torch.where(is_alive[:, None], h, 0.0))
        return outputs

    def _in_layers(self, x: torch.Tensor, lengths: tuple[int, ...], mask: torch.Tensor) -> torch.Tensor:
        for k in range(2):
            layer = nn.GRU(x.shape[2], 4).to(x.dtype)
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                setattr(layer, f"{name}_l0", getattr(self.rnn, f"{name}_l{k}"))
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            x, _ = nn.utils.rnn.pad_packed_sequence(layer(packed)[0], total_length=STEPS)
            x = mask * x if k == 0 else x
        return x


def written(scenario: Scenario, case: str) -> Written:
    torch.manual_seed(3)
    module = Written(case).to(getattr(torch, scenario.display.dtype))
    for name, values in module.named_parameters():
        kept = scenario.parameters[name.removeprefix("rnn.")]
        assert np.array_equal(values.detach().numpy(), kept), name
    return module


def passed(scenario: Scenario, module: Written) -> tuple[torch.Tensor, torch.Tensor]:
    (batch,) = scenario.batches
    masks = scenario.masks_of(batch)
    mask = torch.tensor(masks["dropout0"]) if masks else None
    logits = module(torch.tensor(np.array(scenario.laid_out(batch.values))), mask)
    wanted = torch.tensor(TARGET if scenario.is_batched else TARGET[0])
    return logits, nn.CrossEntropyLoss()(logits, wanted)


@pytest.mark.parametrize("case", CASES)
def test_logits_loss_gradients_and_updates_are_those_of_a_module_by_hand(case):
    scenario = scenario_of(case)
    module, learning, theirs = written(scenario, case), Learning(scenario), TorchTraining(scenario).epochs()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for number in range(3):
        optimizer.zero_grad()
        logits, loss = passed(scenario, module)
        loss.backward()
        done, back = learning.epoch(number).forward(0), learning.epoch(number).backward(0)
        np.testing.assert_allclose(done.logits, logits.detach().numpy(), rtol=0, atol=1e-10)
        assert back.loss == pytest.approx(loss.item(), rel=1e-10)
        assert next(theirs).loss == pytest.approx(loss.item(), rel=1e-10)
        for name, values in module.named_parameters():
            ours = back.parameters[name.removeprefix("rnn.")]
            gradient = np.zeros(ours.shape) if values.grad is None else values.grad.numpy()
            np.testing.assert_allclose(ours, gradient, rtol=0, atol=1e-10)
        optimizer.step()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_every_value_forth_and_back_agrees_with_torch(case, dtype):
    done = Model(scenario_of(case, dtype)).run_batch(0)
    assert compare(done, run_reference(done)).agrees
    back = Model(scenario_of(case, dtype)).backward(done)
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
    scenario = scenario_of(case)
    write_scenario(scenario, tmp_path / "s.toml")
    assert difference(scenario, read(tmp_path / "s.toml")) is None


# ── where a number came from ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", CASES)
def test_what_the_linear_layer_reads_comes_from_the_last_step_of_both_directions(case):
    run = SessionRun.of(scenario_of(case))
    done = run.trace.passes[0]
    last = done.axis("linear").num_steps - 1
    (name,) = done.head.program.inputs
    assert name == "last"
    spot = Spot(0, "linear", run.tree.last_step(Spot(0, "linear")), "logits", 0)
    for row in range(done.batch.num_rows):
        values = done.value("linear", name, spot.t)[row]
        is_live = done.axis("linear").is_live(last, row)
        assert is_live or not values.any()
        for element, value in enumerate(values):
            found = source(run, spot, name, (element,), row)
            assert (found is not None) == is_live
            if found is None:
                continue
            there = run.tree.locate(found.path)
            assert (there.t, found.row) == (last, row)
            index = done.row_index(there.key, last, row)
            assert done.value(there.key, there.operation, last)[index][there.element] == value


@pytest.mark.parametrize("case", CASES)
def test_nothing_goes_back_to_rows_that_are_over(case):
    done = Model(scenario_of(case)).run_batch(0)
    back = Model(scenario_of(case)).backward(done)
    last = done.axis("linear").num_steps - 1
    top = [
        key for key, run in done.runs.items() if run.block.layer == scenario_of(case).recurrent.num_layers - 1
    ]
    for key in top:
        g = back.states(key, done.by_key[key].output)
        for row in range(done.batch.num_rows):
            assert bool(g[:, row].any()) == done.axis("linear").is_live(last, row)
            if "←" in key:
                assert not g[:last, row].any()  # it has done one step there: nothing goes further


# ── marking, sheets, words ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "case", [case for case in CASES if case not in ("dropout", "LSTM, deep, both ways, packed")]
)
def test_right_answers_are_right_forth_and_back(case):
    scenario = scenario_of(case)
    done = Model(scenario).run_batch(0)
    back = Model(scenario).backward(done)
    lines = []
    logits = np.atleast_2d(done.logits)
    rows = [
        f"[[answer]]\nname = 'logits'\nbatch = {row}\nvalue = {logits[row].round(4).tolist()}\n"
        for row in range(len(logits))
    ]
    lines += rows
    lines.append(f"[[answer]]\nname = 'loss'\nvalue = {round(done.loss, 4)}\n")
    for name, value in back.parameters.items():
        lines.append(f"[[answer]]\nname = 'grad.{name}'\nvalue = {value.round(4).tolist()}\n")
    marks = marked(scenario, "decimals = 4\n" + "".join(lines))
    assert [(one["name"], one["status"]) for one in marks["answers"] if one["status"] != "correct"] == []


def marked(scenario: Scenario, text: str) -> dict:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.toml"
        path.write_text(text, "utf-8")
        return rnnstep.check(scenario, path).as_dict()


def test_gradients_are_right_where_the_padding_of_a_packed_batch_has_a_loss():
    """A loss of numbers is taken of padded steps, too; nothing of that goes back to the rows that are over."""
    values = np.random.default_rng(1).random((STEPS, ROWS, 2)).round(2).tolist()
    data = tomlkit.parse(scenario_of("cell, packed").file_text)
    data |= {"linear": {"out_features": 2}, "target": {"values": values}}
    scenario = read_text(tomlkit.dumps(data))
    back = Model(scenario).backward(Model(scenario).run_batch(0))
    answers = (
        f"[[answer]]\nname = 'grad.{name}'\nvalue = {value.round(4).tolist()}\n"
        for name, value in back.parameters.items()
    )
    marks = marked(scenario, "decimals = 4\n" + "".join(answers))
    assert {one["status"] for one in marks["answers"]} == {"correct"}


def test_h_n_in_the_place_of_the_last_output_is_wrong():
    scenario = scenario_of("GRU, both ways, padding walked over")
    done = Model(scenario).run_batch(0)
    linear = done.head.parameters
    wrong = linear["weight"] @ done.final(done.last_of_recurrent.key)[0] + linear["bias"]
    marks = marked(
        scenario, f"decimals = 4\n[[answer]]\nname = 'logits'\nvalue = {wrong.round(4).tolist()}\n"
    )
    assert marks["answers"][0]["status"] == "wrong"


@pytest.mark.parametrize("form", ["md", "tex"])
def test_a_sheet_says_of_which_step_it_is(form, capsys, tmp_path):
    text = scenario_of("RNN").file_text
    data = tomlkit.parse(text)
    data["recurrent"]["bidirectional"] = True
    (tmp_path / "s.toml").write_text(tomlkit.dumps(data), "utf-8")
    assert main(("worksheet", str(tmp_path / "s.toml"), "--key", "--format", form)) == 0
    sheet = capsys.readouterr().out
    equation = "last = [h_5; L0← h_5]" if form == "md" else r"\left[h_{5}"
    assert "last" in sheet
    assert equation in sheet or "h_5" in sheet or "h_{5}" in sheet


def test_a_sheet_of_a_row_that_is_over_reads_zeros():
    scenario = scenario_of("LSTM, deep, both ways, packed")
    sheet = worksheet(scenario, (), (), 3, row=1)
    (logits,) = [one for one in sheet.worked if one.key == "linear"]
    assert not sheet.known("linear", logits.t)["last"].any()


@pytest.mark.parametrize(
    ("case", "words", "chinese"),
    [
        ("GRU, both ways, padding walked over", "The backward direction begins there", "反向从那里开始"),
        ("GRU, both ways, padding walked over", "stands behind its padding", "在它的填充之后"),
        ("cell, packed", "is zeros, whatever the row was", "是零，与行的内容无关"),
    ],
)
def test_the_page_of_information_says_what_it_is(case, words, chinese):
    session = Session.open(SessionRun.of(scenario_of(case)))
    assert words in plain(info(session, Look(), 1000))
    assert chinese in plain(info(session, Look(language="zh"), 1000))


def test_nothing_is_said_where_it_is_the_final_state():
    text = plain(info(Session.open(SessionRun.of(scenario_of("RNN"))), Look(), 1000))
    assert "from output[-1]" in text
    assert "begins there" not in text
    assert "is over by then" not in text


def test_what_does_not_fit_is_told_by_its_key():
    text = scenario_of("RNN").file_text.replace("indices = [1, 0, 1]", "indices = [1, 0]")
    with pytest.raises(ScenarioError, match=r'one for each row of the batch \(`from = "last"`\)'):
        read_text(text)
    with pytest.raises(ScenarioError, match=r"expected .*last|did you mean"):
        read_text(scenario_of("RNN").file_text.replace('from = "last"', 'from = "lst"'))


def test_windows_want_one_value_behind_each():
    scenario = read_text(
        "[input]\nvalues = [1, 2, 3, 4, 5, 6]\nwindows = {length = 3, batch_size = 2, horizon = 1}\n"
        '[recurrent]\nmodule = "RNN"\nhidden_size = 2\n[linear]\nout_features = 1\nfrom = "last"\n[weights]\nseed = 1\n'
    )
    assert [batch.target.ravel().tolist() for batch in scenario.batches] == [[4, 5], [6]]


def test_json_has_one_set_of_logits_a_row(tmp_path, capsys):
    (tmp_path / "s.toml").write_text(scenario_of("cell, packed").file_text, "utf-8")
    assert main(("trace", str(tmp_path / "s.toml"), "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert np.shape(found["logits"]) == np.shape(found["reference"]["logits"]) == (3, 2)
    assert found["agrees"]


# ── the pitfall ──────────────────────────────────────────────────────────────────────────────────

PITFALL = "pitfalls/last_output_of_both_directions"


class Beginnings(nn.Module):
    """The pitfall's program, and its cure's, by hand."""

    def __init__(self, *, is_cured: bool) -> None:
        super().__init__()
        self.rnn = nn.RNN(3, 3, bidirectional=True)
        self.linear = nn.Linear(6, 2)
        self.is_cured = is_cured

    def forward(self, words: list[str]) -> torch.Tensor:
        indices = [torch.tensor(["dgo".index(letter) for letter in word]) for word in words]
        packed = nn.utils.rnn.pack_sequence(
            [nn.functional.one_hot(row, 3).float() for row in indices], enforce_sorted=False
        )
        output, h_n = self.rnn(packed)
        output, _ = nn.utils.rnn.pad_packed_sequence(output)
        return self.linear(torch.cat([h_n[-2], h_n[-1]], dim=-1) if self.is_cured else output[-1])


@pytest.mark.parametrize("is_cured", [False, True])
def test_the_pitfall_and_its_cure_are_what_the_program_gives(is_cured):
    scenario = read(bundled.find(PITFALL))
    scenario = scenario.cure if is_cured else scenario
    torch.manual_seed(2)
    module = Beginnings(is_cured=is_cured)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    run = rnnstep.train(scenario)
    assert run.agrees
    for epoch in run.epochs:
        optimizer.zero_grad()
        logits = module(["goddo", "oggdo", "god", "ogd"])
        loss = nn.CrossEntropyLoss()(logits, torch.tensor([0, 1, 0, 1]))
        assert epoch.loss == pytest.approx(loss.item(), abs=2e-5)
        assert [int(one) for one in epoch.prediction] == logits.argmax(-1).tolist()
        loss.backward()
        optimizer.step()


def test_the_words_of_the_pitfall_are_true():
    scenario = read(bundled.find(PITFALL))
    learning = Learning(scenario)
    for number in range(scenario.training.epochs):
        done = learning.epoch(number).forward(0)
        read_by_linear = done.entering("linear", "last")[0]
        assert np.array_equal(read_by_linear[0, 3:], read_by_linear[1, 3:])  # both end with the same letter
        assert not np.array_equal(read_by_linear[0, :3], read_by_linear[1, :3])
        assert not read_by_linear[2:].any()  # god and ogd are over
        said = done.prediction
        assert said[2] == said[3]
        assert done.loss > np.log(2) / 2
    losses = [learning.record(number).loss for number in range(scenario.training.epochs)]
    assert losses[-1] == pytest.approx(0.35, abs=0.005)
    assert np.log(2) / 2 == pytest.approx(0.3466, abs=5e-5)
    cure = Learning(scenario.cure)
    right = [list(cure.record(number).prediction) == ["0", "1", "0", "1"] for number in range(15)]
    assert right == [False, False] + [True] * 13  # after two updates
