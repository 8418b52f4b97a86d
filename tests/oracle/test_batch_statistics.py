"""BatchNorm1d that takes mean and variance of the batch: beside torch's, forth, back, in training, and as a program."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.checking import Marks
from rnnstep.checking.answers.reading import given_answers
from rnnstep.engine.learning import Learning
from rnnstep.engine.model import Model
from rnnstep.engine.passes import Pass
from rnnstep.modules.batchnorm import BatchNorm1d
from rnnstep.program import torch_program
from rnnstep.reference import TrainingComparison, check, complete
from rnnstep.reports.gradients import gradients
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.write import as_file, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.look import Look
from rnnstep.views.now import now
from rnnstep.views.scene import Scene
from tests.oracle.programs import agrees, scenario_in

RANDOM = "random = {shape = [4, 3, 2], seed = 1}"
TRAINED = '[training]\noptimizer = "Adam"\nlr = 0.05\nepochs = 3\n'
VALUES = np.random.default_rng(3).standard_normal((4, 3, 2)).round(2)
GRU = '[[layers]]\nname = "gru"\nmodule = "GRU"\nhidden_size = 3\n'
NORM = '[[layers]]\nname = "norm"\nmodule = "BatchNorm1d"\n'
LINEAR = '[[layers]]\nname = "says"\nmodule = "Linear"\nout_features = 2\n'


def text_of(
    layers: str, given: str = RANDOM, target: object = VALUES.tolist(), more: str = "", mode: str = "train"
) -> str:
    wanted = "" if target is None else f"[target]\nvalues = {target}\n"
    return f'mode = "{mode}"\n[input]\n{given}\n{layers}[weights]\nseed = 2\n{wanted}{more}'


CASES = {
    "above": text_of(GRU + NORM + LINEAR),
    "eps, not affine": text_of(GRU + NORM + "eps = 0.01\naffine = false\n" + LINEAR),
    "between": text_of(GRU + NORM + '[[layers]]\nname = "up"\nmodule = "LSTM"\nhidden_size = 2\n'),
    "of what is given": text_of(NORM + '[[layers]]\nname = "up"\nmodule = "RNN"\nhidden_size = 2\n'),
    "none are kept": text_of(GRU + NORM + "track_running_stats = false\n" + LINEAR, mode="eval"),
    "packed": text_of(GRU + NORM + LINEAR, RANDOM + "\nlengths = [4, 2, 3]"),
    "rows first": text_of(GRU + "batch_first = true\n" + NORM + LINEAR, RANDOM, VALUES.tolist()),
    "without a batch": text_of(
        GRU + NORM + LINEAR, "random = {shape = [4, 2], seed = 1}", VALUES[:, 0].tolist()
    ),
    "joined": text_of(GRU + NORM + 'input = ["gru", "input"]\n' + LINEAR),
    "of final states": text_of(GRU + NORM + 'input = "gru.h_n"\n' + LINEAR, RANDOM, VALUES[0].tolist()),
    "batches of two sizes": text_of(
        GRU + NORM + LINEAR,
        "random = {shape = [17, 2], seed = 1}\nwindows = {length = 3, batch_size = 4, stride = 2, horizon = 1}",
        None,
    ),
    "cumulative": text_of(
        GRU + NORM + 'momentum = "none"\n' + LINEAR,
        "random = {shape = [17, 2], seed = 1}\nwindows = {length = 3, batch_size = 4, stride = 2, horizon = 1}",
        None,
    ),
}
each_case = pytest.mark.parametrize("name", CASES)


def scenario_of(name: str, more: str = "", dtype: str = "float64") -> Scenario:
    return complete(read_text(f'{CASES[name]}{more}[display]\ndtype = "{dtype}"\n'))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_case
def test_forth_and_back_it_agrees_with_torch(name, dtype):
    scenario = scenario_of(name, dtype=dtype)
    assert scenario.display.order == "layer"
    assert check(Model(scenario).run()).agrees
    assert gradients(scenario).agrees


@each_case
def test_it_learns_as_torch_does_and_moves_the_running_statistics_alike(name):
    scenario = scenario_of(name, TRAINED)
    comparison = TrainingComparison(scenario)
    assert all(epoch.agrees and epoch.difference < 1e-10 for epoch in comparison.epochs())
    trained, theirs = Learning(scenario).trained(), comparison._torch.running
    assert bool(theirs) == (name != "none are kept")
    for key, value in theirs.items():
        np.testing.assert_allclose(trained[key], value, atol=1e-12)
        assert not np.allclose(trained[key], scenario.parameters[key])


class ByHand(nn.Module):
    def __init__(self, momentum: float | None) -> None:
        super().__init__()
        self.gru, self.norm, self.says = nn.GRU(2, 3), nn.BatchNorm1d(3, momentum=momentum), nn.Linear(3, 2)

    def forward(self, x):
        output, _ = self.gru(x)
        return self.says(self.norm(output.permute(1, 2, 0)).permute(2, 0, 1))


@pytest.mark.parametrize(
    ("name", "momentum"), [("batches of two sizes", 0.1), ("cumulative", None), ("above", 0.1)]
)
def test_losses_gradients_and_statistics_are_those_of_a_module_written_by_hand(name, momentum):
    scenario = scenario_of(name, '[training]\noptimizer = "SGD"\nlr = 0.1\nepochs = 2\n')
    model = ByHand(momentum).double()
    model.load_state_dict(
        {key: torch.tensor(value) for key, value in scenario.parameters.items()}, strict=False
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    learning = Learning(scenario)
    for index in range(2):
        epoch = learning.epoch(index)
        for number, batch in enumerate(scenario.batches):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(torch.tensor(batch.values)), torch.tensor(batch.target))
            loss.backward()
            back = epoch.backward(number)
            np.testing.assert_allclose(back.loss, loss.item(), atol=1e-10)
            for key, value in model.named_parameters():
                np.testing.assert_allclose(back.parameters[key], value.grad.numpy(), atol=1e-10)
            optimizer.step()
            after = learning.trainer.parameters_at(epoch._after(number))
            for key, value in model.named_buffers():
                if "num" not in key:
                    np.testing.assert_allclose(after[key], value.numpy(), atol=1e-10)


def test_gradients_are_those_of_finite_differences():
    scenario = scenario_of("above")
    model = Model(scenario)
    back = model.backward(model.run_batch())
    for key, index in (("gru.weight_hh_l0", (4, 1)), ("gru.bias_ih_l0", (2,)), ("norm.weight", (1,))):
        losses = []
        for step in (1e-5, -1e-5):
            value = scenario.parameters[key].copy()
            value[index] += step
            losses.append(model.with_parameters({key: value}).run_batch().loss)
        assert back.parameters[key][index] == pytest.approx((losses[0] - losses[1]) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("more", ["", TRAINED])
@each_case
def test_the_program_gives_the_same_numbers(tmp_path, name, more):
    scenario = scenario_in(tmp_path, f'{CASES[name]}{more}[display]\ndtype = "float64"\n')
    agrees(scenario)
    assert "norm.eval()" not in torch_program(scenario)


@each_case
def test_a_file_written_from_it_reads_back_as_the_same(tmp_path, name):
    scenario = scenario_of(name)
    write_scenario(scenario, str(tmp_path / "again.toml"))
    again = complete(read(tmp_path / "again.toml"))
    for one, other in zip(Model(again).run().passes, Model(scenario).run().passes, strict=True):
        np.testing.assert_array_equal(one.logits_by_row, other.logits_by_row)
    assert as_file(scenario, tmp_path / "again.toml")


@each_case
def test_right_answers_are_right(name):
    scenario = scenario_of(name)
    learning = Learning(scenario)
    back = learning.epoch(0).backward(0)
    lines = ["decimals = 4", f"[[answer]]\nname = 'loss'\nvalue = {back.loss:.4f}"]
    for key, value in back.parameters.items():
        lines.append(f"[[answer]]\nname = 'grad.{key}'\nvalue = {value.round(4).tolist()}")
    marks = Marks.of(learning, given_answers("\n".join(lines).encode(), "answers.toml", Limits())).marks
    assert {mark.status for mark in marks} == {"correct"}


@pytest.mark.parametrize("mistake", ["unbiased_variance", "eps_left_out"])
def test_a_mistake_in_the_statistics_is_named(mistake):
    scenario = scenario_of("eps, not affine")
    learning = Learning(scenario)
    done = learning.epoch(0).forward(0)
    x = done.features.reshape(-1, 3)
    count, eps = len(x), 0.0 if mistake == "eps_left_out" else 0.01
    var = x.var(axis=0) * (count / (count - 1) if mistake == "unbiased_variance" else 1)
    said = (done.features - x.mean(axis=0)) / np.sqrt(var + eps)
    logits = said @ scenario.parameters["says.weight"].T + scenario.parameters["says.bias"]
    lines = [
        f"[[answer]]\nname = 'logits'\nstep = {t + 1}\nvalue = {logits[t, 0].round(5).tolist()}"
        for t in range(4)
    ]
    marks = Marks.of(
        learning, given_answers("\n".join(["decimals = 5", *lines]).encode(), "answers.toml", Limits())
    )
    assert {id_ for one in marks.remarks(0).mistakes for id_ in one.ids} == {mistake}


def test_the_screen_says_what_a_batch_makes_of_the_running_statistics():
    run = SessionRun.of(scenario_of("batches of two sizes", TRAINED))
    state = nn.BatchNorm1d(3).double()
    for number in (1, 2):
        done = run.epoch.forward(number - 1)
        state(torch.tensor(done.features).permute(1, 2, 0))
        scene = Scene(Session.open(run).at(f"{number}:3/norm.var"), Look())
        told = "\n".join("".join(span.text for span in row) for row in now(scene, None, 100, 8))
        assert "  ".join(f"{value:.4f}" for value in state.running_var.tolist()) in told


def test_statistics_over_another_number_are_a_disagreement(monkeypatch):
    right = Pass.data

    def wrong(done, key, name):
        given = right(done, key, name)
        return given - 1 if name == "N" and key.endswith(".var") else given

    scenario = scenario_of("above", TRAINED)
    monkeypatch.setattr(Pass, "data", wrong)
    assert not check(Model(scenario).run()).agrees
    assert not gradients(scenario).agrees
    assert not all(epoch.agrees for epoch in TrainingComparison(scenario).epochs())


def test_running_statistics_that_are_moved_wrongly_are_a_disagreement(monkeypatch):
    right = BatchNorm1d.moved

    def wrong(module, before, seen, count, batches):
        return right(module, before, seen, count * 10**6, batches)

    monkeypatch.setattr(BatchNorm1d, "moved", wrong)
    scenario = scenario_of("above", TRAINED)
    assert not all(epoch.agrees for epoch in TrainingComparison(scenario).epochs())


def test_many_rows_take_no_more_memory_than_they_have():
    """In each row the statistics are the same: they are computed in one."""
    done = Model(scenario_of("above")).run_batch()
    assert done.everything("norm.var")["var"].strides[1] == 0
