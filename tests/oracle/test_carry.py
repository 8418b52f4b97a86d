"""States that go on from batch to batch, beside loops written by hand with `h = h.detach()`: two epochs of an update a batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.engine.learning import Learning
from rnnstep.engine.model import Model
from rnnstep.program import torch_program
from rnnstep.reference import TrainingComparison, check, complete
from rnnstep.reports.gradients import gradients
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.write import as_file, write_scenario
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read, read_text
from rnnstep.session.place import read_place, write_place
from rnnstep.session.provenance import source
from rnnstep.session.run import SessionRun
from tests.oracle.programs import agrees, scenario_in

SERIES = np.round(np.sin(np.arange(44) / 3.0), 3)
REST = """
[weights]
seed = 5
[loss]
name = "MSELoss"
[training]
optimizer = "Adam"
lr = 0.05
epochs = 2
[display]
dtype = "float64"
"""


def text_of(modules: str, *, rows: int = 2, rest: str = REST, horizon: str = "horizon = 1") -> str:
    return f"""
[input]
values = {SERIES.tolist()}
windows = {{length = 5, batch_size = {rows}, {horizon}}}
{modules}
{rest}
"""


def scenario_of(modules: str, **cut) -> Scenario:
    return complete(read_text(text_of(modules, **cut)))


def pieces(scenario: Scenario, rows: int, length: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The series in equal parts side by side, and these in pieces: what is fed, and what is wanted, (length, rows, 1)."""
    series = torch.tensor(scenario.origins.input.series)
    part = len(series) // rows
    found = []
    for start in range(0, part - length + 1, length):
        places = [row * part + start for row in range(rows)]
        if places[-1] + length < len(series):
            cut = [
                torch.stack([series[p + k : p + k + length] for p in places], 1)[..., None] for k in (0, 1)
            ]
            found.append((cut[0], cut[1]))
    return found


class Alone(nn.Module):
    """One module and a linear layer on it; called with what it returned."""

    def __init__(self, kind: str, **options) -> None:
        super().__init__()
        self.rnn = getattr(nn, kind)(1, 3, **options)
        self.linear = nn.Linear(3, 1)
        self.is_cell = kind.endswith("Cell")

    def forward(self, x, state):
        if not self.is_cell:
            output, state = self.rnn(x, state)
            return self.linear(output), state
        outputs = []
        for x_t in x:
            state = self.rnn(x_t, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return self.linear(torch.stack(outputs)), state


def detached(state):
    return tuple(one.detach() for one in state) if isinstance(state, tuple) else state.detach()


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def loss_of(said, wanted, *, is_summed: bool):
    if is_summed:  # a loop over a cell has one call a step
        return sum(nn.functional.mse_loss(a, b) for a, b in zip(said, wanted, strict=True))
    return nn.functional.mse_loss(said, wanted)


KINDS = {
    "RNN": {},
    "LSTM": {},
    "GRU": {},
    "RNNCell": {},
    "LSTMCell": {},
    "GRUCell": {},
    "two layers": {"num_layers": 2},
}


def assert_is_a_loop(scenario: Scenario, kind: str, options: dict, rows: int) -> None:
    """Losses, gradients and states of two epochs, and the parameters after them, are those of a loop written by hand."""
    assert scenario.dtype == np.float64
    learning = Learning(replace(scenario, training=replace(scenario.training, epochs=2)))
    arguments = scenario.training.arguments
    model = Alone(kind, **options).double()
    names = {f"rnn.{key}" if "linear" not in key else key: key for key in scenario.parameters}
    model.load_state_dict({key: torch.tensor(scenario.parameters[ours]) for key, ours in names.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments["lr"])
    cut = pieces(scenario, rows)
    assert len(scenario.batches) == len(cut) > 1
    for index in range(2):
        epoch, state, losses = learning.epoch(index), None, []
        for number, (x, wanted) in enumerate(cut):
            done, back = epoch.forward(number), epoch.backward(number)
            before = [np.zeros_like(done.h_n)] if state is None else [one.numpy() for one in as_tuple(state)]
            first = done.values("L0", 0)["h_prev"]
            np.testing.assert_allclose(first, before[0].reshape(-1, rows, 3)[0], atol=1e-10)
            optimizer.zero_grad()
            said, state = model(x, state)
            loss = loss_of(said, wanted, is_summed=model.is_cell)
            loss.backward()
            state = detached(state)
            np.testing.assert_allclose(done.loss, loss.item(), atol=1e-10)
            np.testing.assert_allclose(done.h_n, as_tuple(state)[0].numpy(), atol=1e-10)
            if "LSTM" in kind:
                np.testing.assert_allclose(done.c_n, state[1].numpy(), atol=1e-10)
            gradients = dict(model.named_parameters())
            for key, ours in names.items():
                np.testing.assert_allclose(back.parameters[ours], gradients[key].grad.numpy(), atol=1e-10)
            optimizer.step()
            losses.append(loss.item())
        np.testing.assert_allclose(learning.record(index).loss, np.mean(losses), atol=1e-10)
    for key, value in learning.trained().items():
        ours = {ours: key for key, ours in names.items()}[key]
        np.testing.assert_allclose(value, dict(model.named_parameters())[ours].detach().numpy(), atol=1e-10)
    comparison = TrainingComparison(learning.scenario)
    assert all(epoch.agrees and epoch.difference < 1e-10 for epoch in comparison.epochs())


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("rows", [1, 2])
def test_losses_gradients_and_states_are_those_of_a_loop_that_detaches_its_state(name, rows):
    kind, options = ("LSTM" if name == "two layers" else name), KINDS[name]
    lines = "".join(f"{key} = {value}\n" for key, value in options.items())
    scenario = scenario_of(
        f'[recurrent]\nmodule = "{kind}"\nhidden_size = 3\ncarry = true\n{lines}[linear]\nout_features = 1',
        rows=rows,
    )
    assert_is_a_loop(scenario, kind, options, rows)


NETWORK = """
[[layers]]
name = "low"
module = "GRU"
hidden_size = 3
carry = true
[[layers]]
name = "fresh"
module = "RNN"
hidden_size = 2
[[layers]]
name = "top"
module = "LSTMCell"
hidden_size = 4
carry = true
[[layers]]
module = "Linear"
"""


def test_each_module_of_several_carries_its_own_state_or_none():
    scenario = scenario_of(NETWORK)
    low, fresh, top, head = nn.GRU(1, 3), nn.RNN(3, 2), nn.LSTMCell(2, 4), nn.Linear(4, 1)
    modules = {"low": low, "fresh": fresh, "top": top, "linear": head}
    model = nn.ModuleDict(modules).double()
    model.load_state_dict({key: torch.tensor(value) for key, value in scenario.parameters.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    learning = Learning(scenario)
    for index in range(2):
        epoch, h, state = learning.epoch(index), None, None
        for number, (x, wanted) in enumerate(pieces(scenario, 2)):
            done, back = epoch.forward(number), epoch.backward(number)
            optimizer.zero_grad()
            output, h = low(x, h)
            output, _ = fresh(output)
            steps = []
            for x_t in output:
                state = top(x_t, state)
                steps.append(head(state[0]))
            loss = loss_of(steps, wanted, is_summed=True)
            loss.backward()
            h, state = h.detach(), detached(state)
            np.testing.assert_allclose(done.loss, loss.item(), atol=1e-10)
            for key, value in model.named_parameters():
                np.testing.assert_allclose(back.parameters[key], value.grad.numpy(), atol=1e-10)
            np.testing.assert_allclose(done.final("low.L0"), h[0].numpy(), atol=1e-10)
            np.testing.assert_allclose(done.final("top.L0", "c"), state[1].numpy(), atol=1e-10)
            assert not done.values("fresh.L0", 0)["h_prev"].any()
            optimizer.step()
    assert all(epoch.agrees for epoch in TrainingComparison(scenario).epochs())


OWN = """
[cell.leaky]
state = ["h"]
parameters = {W = "hidden_size, input_size", U = "hidden_size, hidden_size"}
equations = "h = 0.5 * h_prev + 0.5 * tanh(W @ x + U @ h_prev)"
[recurrent]
module = "leaky"
hidden_size = 3
carry = true
[linear]
out_features = 1
"""


def test_a_cell_of_the_file_goes_on_as_well():
    scenario = scenario_of(OWN)
    parameters = {name: nn.Parameter(torch.tensor(value)) for name, value in scenario.parameters.items()}
    optimizer = torch.optim.Adam(parameters.values(), lr=0.05)
    learning = Learning(scenario)
    for index in range(2):
        h = torch.zeros(2, 3, dtype=torch.double)
        for number, (x, wanted) in enumerate(pieces(scenario, 2)):
            back = learning.epoch(index).backward(number)
            optimizer.zero_grad()
            steps = []
            for x_t in x:
                h = 0.5 * h + 0.5 * torch.tanh(x_t @ parameters["W"].T + h @ parameters["U"].T)
                steps.append(h @ parameters["linear.weight"].T + parameters["linear.bias"])
            loss = loss_of(steps, wanted, is_summed=True)
            loss.backward()
            h = h.detach()
            np.testing.assert_allclose(back.loss, loss.item(), atol=1e-10)
            for name, value in parameters.items():
                np.testing.assert_allclose(back.parameters[name], value.grad.numpy(), atol=1e-10)
            optimizer.step()


def test_a_given_first_state_is_that_of_every_epoch_and_of_its_first_batch_alone():
    given = "[initial_state]\nh_0 = [[[0.5, -0.5, 0.25], [0.1, 0.2, 0.3]]]\n"
    scenario = scenario_of(
        '[recurrent]\nmodule = "GRU"\nhidden_size = 3\ncarry = true\n[linear]\nout_features = 1',
        rest=given + REST,
    )
    learning = Learning(scenario)
    for index in range(2):
        epoch = learning.epoch(index)
        assert epoch.forward(0).values("L0", 0)["h_prev"].tolist() == [[0.5, -0.5, 0.25], [0.1, 0.2, 0.3]]
        for number in range(1, 4):
            before = epoch.forward(number - 1).h_n[0]
            np.testing.assert_array_equal(epoch.forward(number).values("L0", 0)["h_prev"], before)
    assert all(epoch.agrees for epoch in TrainingComparison(scenario).epochs())


def test_without_updates_the_state_goes_on_under_the_parameters_of_the_file():
    modules = '[recurrent]\nmodule = "LSTM"\nhidden_size = 3\ncarry = true'
    scenario = scenario_of(modules, rest="[weights]\nseed = 1\n", horizon="pad = false")
    rnn = nn.LSTM(1, 3)
    rnn.load_state_dict({name: torch.tensor(value) for name, value in scenario.parameters.items()})
    trace, state = Model(scenario).run(), None
    for done, (x, _) in zip(trace.passes, pieces(scenario, 2), strict=True):
        output, state = rnn(x.float(), state)
        np.testing.assert_allclose(done.output, output.detach().numpy(), atol=1e-6)
    assert check(trace).agrees


# ── every reader ─────────────────────────────────────────────────────────────────────────────────

LINEAR = "[linear]\nout_features = 1\n"
PROGRAMS = {
    "RNN": '[recurrent]\nmodule = "RNN"\nhidden_size = 3\ncarry = true\n' + LINEAR,
    "LSTM, rows first, two layers": '[recurrent]\nmodule = "LSTM"\nhidden_size = 3\ncarry = true\nnum_layers = 2\n'
    "batch_first = true\n" + LINEAR,
    "LSTMCell": '[recurrent]\nmodule = "LSTMCell"\nhidden_size = 3\ncarry = true\n' + LINEAR,
    "GRUCell": '[recurrent]\nmodule = "GRUCell"\nhidden_size = 3\ncarry = true\n' + LINEAR,
    "dropout between layers": '[recurrent]\nmodule = "GRU"\nhidden_size = 3\ncarry = true\nnum_layers = 2\n'
    'dropout = 0.5\nmode = "train"\n' + LINEAR,
    "own cell": OWN,
    "own cell, two layers": OWN.replace("carry = true", "carry = true\nnum_layers = 2"),
    "several": NETWORK,
    "read by name": NETWORK.replace('module = "Linear"', 'module = "Linear"\ninput = ["top", "low"]'),
}
RESTS = {"trained": REST, "gradients": REST[: REST.index("[training]")] + '[display]\ndtype = "float64"\n'}


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_detaches_its_state_between_batches(tmp_path, name, rows, rest):
    scenario = scenario_in(tmp_path, text_of(PROGRAMS[name], rows=rows, rest=RESTS[rest]))
    assert len(scenario.batches) > 1
    agrees(scenario)
    program = torch_program(scenario)
    assert ".detach()" in program
    assert (name in ("several", "read by name")) == ("top_h_0" in program)


@pytest.mark.parametrize("cut", ["pad = 0.5", "pad = false"])
def test_the_program_cuts_a_series_in_equal_parts(tmp_path, cut):
    modules = '[recurrent]\nmodule = "RNN"\nhidden_size = 1\ncarry = true\n'
    scenario = scenario_in(tmp_path, text_of(modules, rows=3, rest="[weights]\nseed = 2\n", horizon=cut))
    agrees(scenario)
    assert scenario.left_over == (2 if cut == "pad = 0.5" else 14)


@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_agree_with_autograd_in_every_batch(name):
    scenario = scenario_of(PROGRAMS[name], rest=RESTS["gradients"])
    assert gradients(scenario).agrees
    assert check(Model(scenario).run()).agrees


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_file_written_from_it_reads_back_as_the_same(tmp_path, name, rows):
    scenario = scenario_of(PROGRAMS[name], rows=rows)
    write_scenario(scenario, str(tmp_path / "again.toml"))
    again = complete(read(tmp_path / "again.toml"))
    assert all(
        one.carry == other.carry for one, other in zip(again.recurrents, scenario.recurrents, strict=True)
    )
    for one, other in zip(
        Learning(again).epoch(1).trace.passes, Learning(scenario).epoch(1).trace.passes, strict=True
    ):
        np.testing.assert_array_equal(one.output, other.output)
        assert one.loss == other.loss


def test_one_window_is_written_as_one():
    scenario = scenario_of(PROGRAMS["RNN"], rows=1)
    short = replace(scenario, batches=scenario.batches[:1])
    again = complete(read_text(as_file(short, Path("short.toml")).text))
    assert again.carries
    np.testing.assert_array_equal(again.batches[0].values, short.batches[0].values)


@pytest.mark.parametrize("fault", ["zeros", "rows exchanged"])
def test_a_state_that_was_carried_wrongly_is_a_disagreement(monkeypatch, fault):
    right = Model.beginning_with

    def wrong(model, states):
        changed = {
            name: np.zeros_like(state) if fault == "zeros" else np.ascontiguousarray(state[:, ::-1])
            for name, state in states.items()
        }
        return right(model, changed)

    scenario = scenario_of(PROGRAMS["LSTM, rows first, two layers"])
    assert check(Model(scenario).run()).agrees
    monkeypatch.setattr(Model, "beginning_with", wrong)
    found = check(Model(scenario).run())
    assert not found.agrees
    assert {(batch, fault.key, fault.name) for batch, fault in found.faults} >= {
        (1, "L0", "h_0"),
        (1, "L1", "c_0"),
    }
    assert not all(epoch.agrees for epoch in TrainingComparison(scenario).epochs())


# ── stateful ─────────────────────────────────────────────────────────────────────────────────────


def test_stateful_is_a_loop_written_by_hand():
    scenario = complete(read(find("stateful"), dtype="float64"))
    assert_is_a_loop(scenario, "RNN", {}, 2)


def test_what_is_said_of_stateful_is_true():
    text = find("stateful").read_text("utf-8")
    carried = complete(read_text(text))
    assert carried.left_over == 0
    assert [batch.values.shape for batch in carried.batches] == [(5, 2, 1)] * 4
    assert carried.batches[0].values[0, 1, 0] == carried.origins.input.series[20].astype(np.float32)
    assert f"{Learning(carried).record(39).loss:.4f}" == "0.0005"
    plain = text.replace("carry = true", "").replace("length = 5,", "length = 5, stride = 5,")
    anew = complete(read_text(plain))
    learning = Learning(anew)
    assert f"{learning.record(39).loss:.3f}" == "0.048"
    passes = [learning.epoch(39).forward(number) for number in range(len(anew.batches))]
    squares = [(done.logits_by_row - done.batch.target) ** 2 for done in passes]
    assert f"{sum(one[0].sum() for one in squares) / sum(one.sum() for one in squares):.1f}" == "0.7"
    run = SessionRun.of(carried)
    first = run.tree.locate(read_place(run.tree, "2:1/L0/hh"))
    origin = source(run, first, "h_prev", (0,), 1)
    assert write_place(run.tree, origin.path) == "1:5/L0/h[0]"
    assert origin.row == 1


LOOP = """
[[layers]]
name = "gate"
module = "Linear"
input = ["input", "cell.h_prev"]
out_features = 2
[[layers]]
name = "cell"
module = "GRUCell"
hidden_size = 3
carry = true
[[layers]]
module = "Linear"
"""


def test_a_state_that_is_fed_back_goes_on_as_well(tmp_path):
    scenario = scenario_of(LOOP)
    gate, cell, head = nn.Linear(4, 2), nn.GRUCell(2, 3), nn.Linear(3, 1)
    model = nn.ModuleDict({"gate": gate, "cell": cell, "linear": head}).double()
    model.load_state_dict({key: torch.tensor(value) for key, value in scenario.parameters.items()})
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    learning = Learning(scenario)
    for index in range(2):
        h = torch.zeros(2, 3, dtype=torch.double)
        for number, (x, wanted) in enumerate(pieces(scenario, 2)):
            optimizer.zero_grad()
            steps = []
            for x_t in x:
                h = cell(gate(torch.cat([x_t, h], -1)), h)
                steps.append(head(h))
            loss = loss_of(steps, wanted, is_summed=True)
            loss.backward()
            h = h.detach()
            back = learning.epoch(index).backward(number)
            np.testing.assert_allclose(back.loss, loss.item(), atol=1e-10)
            for key, value in model.named_parameters():
                np.testing.assert_allclose(back.parameters[key], value.grad.numpy(), atol=1e-10)
            optimizer.step()
    assert all(epoch.agrees for epoch in TrainingComparison(scenario).epochs())
    agrees(scenario_in(tmp_path, text_of(LOOP)))
