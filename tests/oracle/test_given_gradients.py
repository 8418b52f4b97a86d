"""Gradients that are given at any value, without a loss: beside torch.autograd.grad with grad_outputs, and beside slopes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import rnnstep
from rnnstep.engine import Model
from rnnstep.engine.backward import BackwardPass, GivenOutside
from rnnstep.errors import ScenarioError, UsageError
from rnnstep.program import torch_program
from rnnstep.reference import check_gradients, set_beside
from rnnstep.reference.worker.answers import Answering
from rnnstep.scenario.call.scenario_of_call import scenario_of_call
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.scenario.model import Loss, Scenario
from rnnstep.scenario.recorded import Recorded
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen

DRAW = np.random.default_rng(4)
LENGTHS = (5, 2, 4)


def numbers(*shape: int) -> np.ndarray:
    return DRAW.standard_normal(shape)


def arrays_of(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: values.numpy().copy() for name, values in module.state_dict().items()}


def close(ours: np.ndarray, theirs: torch.Tensor | np.ndarray) -> None:
    np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-10, atol=1e-12)


# ── torch's own modules ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_given_at_outputs_and_final_states_of_an_lstm(lengths) -> None:
    lstm = torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True).double()
    linear = torch.nn.Linear(8, 2).double()
    x, h_0, c_0 = (
        torch.from_numpy(numbers(*shape)).requires_grad_() for shape in ((5, 3, 3), (4, 3, 4), (4, 3, 4))
    )
    if lengths is None:
        output, (h_n, c_n) = lstm(x, (h_0, c_0))
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        output, (h_n, c_n) = lstm(packed, (h_0, c_0))
        output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)
    outputs = (output, linear(output), h_n, c_n)
    given = tuple(torch.from_numpy(numbers(*one.shape)) for one in outputs)
    named = {
        **dict(lstm.named_parameters()),
        **{f"linear.{name}": p for name, p in linear.named_parameters()},
    }
    theirs = torch.autograd.grad(outputs, (*named.values(), x, h_0, c_0), given)
    arrays = {**arrays_of(lstm), **{f"linear.{name}": value for name, value in arrays_of(linear).items()}}
    entering = BatchInput(x.detach().numpy(), h_0.detach().numpy(), c_0.detach().numpy(), lengths)
    model = Model(made("LSTM", entering, arrays))
    done = model.run_batch()
    above = {("join1", "output"): given[0].numpy(), ("linear", "logits"): given[1].numpy()}
    for number, (key, run) in enumerate(done.runs.items()):
        for name, ends in (("h", given[2]), ("c", given[3])):
            above[key, name] = done.batch.first.axis.at_final(ends[number].numpy(), run.block.direction)
    back = model.backward(done, above)
    for name, value in zip(named, theirs, strict=False):
        close(back.parameters[name], value)
    close(back.entering("L0", "x") + back.entering("L0←", "x"), theirs[-3])
    for name, value in (("h", theirs[-2]), ("c", theirs[-1])):
        close(np.stack([back.first_state(key, name) for key in done.runs]), value)
    close(np.array(back.loss), sum((one * g).sum() for one, g in zip(outputs, given, strict=True)).detach())


# ── inner values, by the equations of torch's page in torch ──────────────────────────────────────


def gru(x: torch.Tensor, h: torch.Tensor, p: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`torch.nn.GRU`'s equations; every value of every step."""
    found: dict[str, list[torch.Tensor]] = {}
    w, u, b, c = (p[name].chunk(3) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"))
    for x_t in x:
        ih = [x_t @ w[k].T + b[k] for k in range(3)]
        hh = [h @ u[k].T + c[k] for k in range(3)]
        r, z = torch.sigmoid(ih[0] + hh[0]), torch.sigmoid(ih[1] + hh[1])
        n = torch.tanh(ih[2] + r * hh[2])
        h = (1 - z) * n + z * h
        for name, value in {"ih_r": ih[0], "hh_n": hh[2], "r": r, "z": z, "n": n, "h": h}.items():
            found.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in found.items()}


@pytest.mark.parametrize(
    "names", [("r",), ("hh_n",), ("h",), ("ih_r", "z"), ("ih_r", "hh_n", "r", "z", "n", "h")], ids=" ".join
)
@pytest.mark.parametrize("rows", [1, 3])
def test_given_at_inner_values(names, rows) -> None:
    module = torch.nn.GRU(3, 4).double()
    leaves = dict(module.named_parameters())
    x, h_0 = (torch.from_numpy(numbers(*shape)).requires_grad_() for shape in ((5, rows, 3), (1, rows, 4)))
    values = gru(x, h_0[0], leaves)
    given = {name: torch.from_numpy(numbers(5, rows, 4)) for name in names}
    theirs = torch.autograd.grad(
        [values[name] for name in names], (*leaves.values(), x, h_0), list(given.values()), allow_unused=True
    )
    model = Model(made("GRU", x.detach().numpy(), arrays_of(module), h_0=h_0.detach().numpy()))
    done = model.run_batch()
    back = model.backward(done, {("L0", name): g.numpy() for name, g in given.items()})
    zeros = {name: torch.zeros_like(value) for name, value in leaves.items()}
    for name, value in zip(leaves, theirs, strict=False):
        close(back.parameters[name], zeros[name] if value is None else value)
    close(back.entering("L0", "x"), theirs[-2])
    close(back.first_state("L0", "h"), theirs[-1][0])
    for name in names:  # and it is stepped: what is total there has what was given in it
        shown = back.values("L0", 2)
        assert f"∂{name}_above" in shown
        close(shown[f"∂{name}_above"], given[name][2])


# ── slopes ───────────────────────────────────────────────────────────────────────────────────────

WIDE = {
    "packed": {"lengths": LENGTHS},
    "whole": {},
}


def weighed(scenario: Scenario, above: dict[tuple[str, str], np.ndarray]) -> float:
    """Σ G ⊙ v, read off the run step by step."""
    done = Model(scenario).run_batch()
    total = 0.0
    for (key, name), g in above.items():
        if key not in done.runs:  # modules without states act on padding, too, as torch's do
            total += float(np.sum(done.everything(key)[name] * g))
            continue
        for t in range(done.batch.first.num_steps):
            rows = done.live_rows(key, t)
            live = np.arange(done.batch.num_rows) if rows is None else rows
            if len(live):
                total += float(np.sum(done.value(key, name, t)[: len(live)] * g[t, live]))
    return total


@pytest.mark.parametrize("more", WIDE.values(), ids=WIDE)
def test_every_parameter_has_the_slope_of_what_is_given(more) -> None:
    module = torch.nn.LSTM(3, 4, num_layers=2, proj_size=2).double()
    scenario = made("LSTM", BatchInput(numbers(5, 3, 3), **more), arrays_of(module))
    above = {("L0", "f"): numbers(5, 3, 4), ("L1", "c"): numbers(5, 3, 4), ("L0", "h"): numbers(5, 3, 2)}
    model = Model(scenario)
    back = model.backward(model.run_batch(), above)
    assert back.loss == pytest.approx(weighed(scenario, above))
    for name, value in scenario.parameters.items():
        for index in [(0,) * value.ndim, tuple(size - 1 for size in value.shape)]:
            slope = 0.0
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * 1e-6
                slope += sign * weighed(scenario.with_parameters({name: moved}), above) / 2e-6
            assert back.parameters[name][index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_beside_a_loss_it_begins_with_what_is_given_alone() -> None:
    module, linear = torch.nn.RNN(3, 4).double(), torch.nn.Linear(4, 2).double()
    arrays = {**arrays_of(module), **{f"linear.{name}": value for name, value in arrays_of(linear).items()}}
    plain = made("RNN", numbers(5, 2, 3), arrays)
    batch = replace(plain.batches[0], target=numbers(5, 2, 2))
    learnt = replace(plain, batches=(batch,), loss=Loss("MSELoss"))
    g = numbers(5, 2, 4)
    found = []
    for scenario in (plain, learnt):
        model = Model(scenario)
        back = model.backward(model.run_batch(), {("L0", "h"): g})
        assert [block.key for block in back.blocks] == ["L0"]
        assert not back.parameters["linear.weight"].any()
        found.append(back.parameters["weight_hh_l0"])
    np.testing.assert_array_equal(*found)
    model = Model(learnt)
    done = model.run_batch()
    total = model.backward(done)
    scores = total.of_block("loss").gradient("output")
    same = model.backward(done, {("linear", "logits"): scores})
    for name, value in total.parameters.items():
        np.testing.assert_array_equal(same.parameters[name], value)


def test_what_does_not_fit_is_refused() -> None:
    model = Model(made("GRU", numbers(5, 2, 3), arrays_of(torch.nn.GRU(3, 4).double())))
    done = model.run_batch()
    assert model.backward(done) is None
    with pytest.raises(UsageError, match="found L1/h"):
        model.backward(done, {("L1", "h"): numbers(5, 2, 4)})
    with pytest.raises(UsageError, match="found L0/x"):
        model.backward(done, {("L0", "x"): numbers(5, 2, 3)})
    with pytest.raises(UsageError, match=r"L0/r: found \(5, 4\), expected \(5, 2, 4\)"):
        model.backward(done, {("L0", "r"): numbers(5, 4)})
    back = model.backward(done, {("L0", "r"): numbers(5, 2, 4)})
    with pytest.raises(UsageError, match="where torch's modules return it"):
        check_gradients(done, back)


# ── as a scenario's own ──────────────────────────────────────────────────────────────────────────


def given_scenario(**more) -> Scenario:
    """An LSTM of two layers that begins its backward pass at states and a gate."""
    module = torch.nn.LSTM(3, 4, num_layers=2).double()
    above = {("L1", "h"): numbers(3, 2, 4), ("L0", "h"): numbers(3, 2, 4), ("L0", "i"): numbers(3, 2, 4)}
    return made("LSTM", BatchInput(numbers(3, 2, 3), above=above, **more), arrays_of(module))


def test_a_batch_may_bring_them_with_it() -> None:
    scenario = given_scenario(lengths=(3, 2))
    model = Model(scenario)
    done = model.run_batch()
    back, asked = model.backward(done), model.backward(done, scenario.batches[0].above)
    for name, value in back.parameters.items():
        np.testing.assert_array_equal(value, asked.parameters[name])
    found = rnnstep.grad(scenario)
    np.testing.assert_array_equal(found.parameters["weight_hh_l0"], back.parameters["weight_hh_l0"])
    assert found.loss == back.loss
    assert found.reference is None
    assert found.agrees is None
    with pytest.raises(UsageError, match="have no place in it"):
        torch_program(scenario)
    with pytest.raises(UsageError, match="not those of a loss"):
        rnnstep.LoadedScenario(scenario).save("given.toml")
    with pytest.raises(UsageError, match="found L5/h"):
        rnnstep.LoadedScenario(
            replace(scenario, batches=(replace(done.batch, above={("L5", "h"): numbers(3, 2, 4)}),))
        )


def test_it_is_stepped_and_torch_has_no_word_on_it() -> None:
    run = SessionRun.of(given_scenario())
    assert run.tree.phases == ("forward", "backward")
    answers = list(Answering(lambda: False)._answers(run.epoch, 0, in_parts=True))
    assert [(one.forward is not None, one.backward) for one in answers] == [(True, None)]
    session = Session.open(run.with_checked(set_beside(run.epoch, {0: answers[0]}))).at("backward:3/L0/∂i[1]")
    look = Look(torch="ready")
    rows = plain(screen(session, look, 120, 40))
    assert "∂i_above" in rows
    assert "gradients given: no torch" in rows
    assert "from the gradients that were given" in plain(screen(session.at("backward:"), look, 120, 40))


def test_what_follows_from_them_is_marked() -> None:
    scenario = given_scenario()
    model = Model(scenario)
    back = model.backward(model.run_batch())

    def answer(name: str, t: int, off: float = 0.0) -> str:
        value = back.value("L0", f"∂{name}", t)[0].round(5) + off
        return f"grad.{name}_{t + 1} = " + " ".join(f"{one:.5f}" for one in value)

    lines = [answer("h", 2), answer("i", 2), answer("c", 1), answer("h", 0)]
    states = [
        f"{name}_{t + 1} = " + " ".join(f"{one:.5f}" for one in back.done.value("L0", name, t)[0])
        for t in range(3)
        for name in ("i", "f", "g", "o", "c", "h")
    ]
    weights = " ".join(f"{one:.5f}" for one in back.parameters["bias_ih_l1"])
    marks = rnnstep.check(scenario, "\n".join([*lines, *states, f"grad.bias_ih_l1 = {weights}"]))
    assert {mark.status for mark in marks.marks} == {"correct"}
    wrong = rnnstep.check(scenario, "\n".join([*states, answer("i", 2, 0.01)]))
    assert wrong.marks[-1].status == "wrong"


def test_what_nothing_goes_back_to_has_no_gradient_to_answer() -> None:
    module, linear = torch.nn.RNN(3, 4, num_layers=2), torch.nn.Linear(4, 2)
    arrays = {**arrays_of(module), **{f"linear.{name}": value for name, value in arrays_of(linear).items()}}
    for at, size, names in (
        (("L0", "h"), 4, ["logits_1 = 0 0", "linear.bias = 0 0", "bias_ih_l1 = 0 0 0 0"]),
        (("linear", "logits"), 2, ["logits_1 = 0 0"]),
    ):
        scenario = made("RNN", BatchInput(numbers(3, 1, 3), above={at: numbers(3, 1, size)}), arrays)
        for name in names:
            with pytest.raises(ScenarioError, match=r"nothing goes back to|there is no parameter"):
                rnnstep.check(scenario, f"grad.{name}")


@pytest.mark.parametrize("has_linear", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_given_at_the_scores_alone_torch_goes_back_too(kind, lengths, has_linear) -> None:
    module = getattr(torch.nn, kind)(3, 4, num_layers=2, bidirectional=True)
    arrays = arrays_of(module)
    if has_linear:
        arrays |= {f"linear.{name}": value for name, value in arrays_of(torch.nn.Linear(8, 2)).items()}
    at, size = (("linear", "logits"), 2) if has_linear else (("join1", "output"), 8)
    x = numbers(5, 3, 3).astype(np.float32)
    scenario = made(kind, BatchInput(x, lengths=lengths, above={at: numbers(5, 3, size)}), arrays)
    found = rnnstep.grad(scenario)
    assert found.agrees
    (compared,) = found.comparisons
    assert str(compared.explanation) == "agrees with autograd"
    assert compared.value("L0", "∂h", 1) is not None
    run = SessionRun.of(scenario)
    (answer,) = (one for one in Answering(lambda: False)._answers(run.epoch, 0, in_parts=False))
    session = Session.open(run.with_checked(set_beside(run.epoch, {0: answer}))).at("backward:2/L0/∂h[1]")
    assert "✓ autograd" in plain(screen(session, Look(torch="ready"), 120, 40))


def test_one_wrong_number_of_ours_is_seen_where_they_are_given(monkeypatch) -> None:
    scenario = made(
        "GRU",
        BatchInput(numbers(4, 2, 3), above={("L0", "h"): numbers(4, 2, 4)}),
        arrays_of(torch.nn.GRU(3, 4).double()),
    )
    assert rnnstep.grad(scenario).agrees
    monkeypatch.setattr(
        BackwardPass,
        "given_outside",
        property(lambda back: GivenOutside(next(iter(back.given.values())) * (1 + 1e-6), {})),
    )
    assert not rnnstep.grad(scenario).agrees


CHAIN = """
input = {random = {shape = [4, 2, 3], seed = 1}, lengths = [4, 2]}
layers = [
    {module = "Linear", out_features = 4, name = "widen"},
    {module = "GRU", hidden_size = 2, bidirectional = true},
    {module = "Tanh"},
    {module = "LayerNorm"},
    {module = "Linear", out_features = 3},
]
weights = {seed = 3}
"""


def test_they_go_through_a_chain_of_modules() -> None:
    scenario = rnnstep.loads(CHAIN).scenario
    last = Model(scenario).blocks[-1]
    above = {(last.key, last.output): numbers(4, 2, 3).astype(np.float32)}
    found = rnnstep.grad(replace(scenario, batches=(replace(scenario.batches[0], above=above),)))
    assert found.agrees
    inside = {
        ("tanh", "tanh_out"): numbers(4, 2, 4),
        ("L0", "n"): numbers(4, 2, 2),
        ("widen", "x"): numbers(4, 2, 4),
    }
    model = Model(scenario)
    back = model.backward(model.run_batch(), inside)
    assert not back.parameters["linear.weight"].any()
    assert back.parameters["widen.weight"].any()
    for name in ("weight_hh_l0", "widen.weight"):
        value = scenario.parameters[name].astype(np.float64)
        slopes = []
        for sign in (1, -1):
            moved = {one: each.astype(np.float64) for one, each in scenario.parameters.items()}
            moved[name] = value.copy()
            moved[name][0, 1] += sign * 1e-6
            double = replace(
                scenario,
                parameters=moved,
                display=replace(scenario.display, dtype="float64"),
                batches=(replace(scenario.batches[0], values=scenario.batches[0].values.astype(np.float64)),),
            )
            slopes.append(sign * weighed(double, inside) / 2e-6)
        assert back.parameters[name][0, 1] == pytest.approx(sum(slopes), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_given_at_final_states_torch_goes_back_too(kind, bidirectional, lengths) -> None:
    module = getattr(torch.nn, kind)(3, 4, num_layers=2, bidirectional=bidirectional)
    x = numbers(5, 3, 3).astype(np.float32)
    model = Model(made(kind, BatchInput(x, lengths=lengths), arrays_of(module)))
    done = model.run_batch()
    above = {
        (key, name): done.axis(key).at_final(numbers(3, 4), run.block.direction)
        for key, run in done.runs.items()
        for name in run.block.program.states
    }
    above[done.scored.key, done.scored.output] = numbers(5, 3, 8 if bidirectional else 4)
    found = rnnstep.grad(made(kind, BatchInput(x, lengths=lengths, above=above), arrays_of(module)))
    assert found.agrees
    (compared,) = found.comparisons
    assert compared.value("L0", "∂h", 1) is not None
    assert compared.verdict.worst.share < 0.5


def test_one_wrong_number_at_a_final_state_is_seen(monkeypatch) -> None:
    g = np.zeros((4, 2, 4))
    g[-1] = numbers(2, 4)
    module = torch.nn.LSTM(3, 4, num_layers=2).double()
    above = {("L0", "c"): g, ("L1", "h"): numbers(4, 2, 4)}
    scenario = made("LSTM", BatchInput(numbers(4, 2, 3), above=above), arrays_of(module))
    assert rnnstep.grad(scenario).agrees
    wrong = GivenOutside(above["L1", "h"], {("L0", "c"): g[-1] * (1 + 1e-6)})
    monkeypatch.setattr(BackwardPass, "given_outside", property(lambda back: wrong))  # noqa: ARG005
    assert not rnnstep.grad(scenario).agrees


def test_gradients_that_were_recorded_stand_beside_what_is_given() -> None:
    module = torch.nn.GRU(3, 4)
    x, g = torch.from_numpy(numbers(4, 2, 3)).float(), torch.from_numpy(numbers(4, 2, 4)).float()
    output, _ = module(x)
    (output * g).sum().backward()
    theirs = {name: one.grad.numpy() for name, one in module.named_parameters()}

    def judged(gradients: dict[str, np.ndarray]):
        entering = BatchInput(
            x.numpy(), above={("L0", "h"): g.numpy()}, recorded=Recorded(gradients=gradients)
        )
        return rnnstep.grad(made("GRU", entering, arrays_of(module)))

    right = judged(theirs)
    assert right.agrees
    assert right.comparisons[0].recorded == tuple(f"grad.{name}" for name in theirs)
    np.testing.assert_array_equal(right.reference.parameters["weight_hh_l0"], theirs["weight_hh_l0"])
    assert not judged({**theirs, "bias_ih_l0": theirs["bias_ih_l0"] + np.float32(1e-3)}).agrees


# ── states of a cell, which a loop around it has at every step ───────────────────────────────────


@pytest.mark.parametrize(
    "reset", [None, np.array([[0, 0], [0, 1], [0, 0], [1, 1]], np.uint8)], ids=["", "reset"]
)
def test_given_at_every_c_of_a_cell_stands_beside_torchs_loop(reset) -> None:
    cell = torch.nn.LSTMCell(3, 4).double()
    x = torch.from_numpy(numbers(4, 2, 3)).requires_grad_()
    h, c = torch.zeros(2, 4).double(), torch.zeros(2, 4).double()
    every: list[tuple[torch.Tensor, torch.Tensor]] = []
    for t, x_t in enumerate(x):
        keep = 1 if reset is None else torch.from_numpy(1.0 - reset[t])[:, None]
        h, c = cell(x_t, (h * keep, c * keep))
        every.append((h, c))
    hs, cs = (torch.stack(each) for each in zip(*every, strict=True))
    given = {name: torch.from_numpy(numbers(4, 2, 4)) for name in "hc"}
    theirs = torch.autograd.grad((hs, cs), (*cell.parameters(), x), (given["h"], given["c"]))
    above = {("L0", name): g.numpy() for name, g in given.items()}
    scenario = made("LSTMCell", BatchInput(x.detach().numpy(), reset=reset, above=above), arrays_of(cell))
    found = rnnstep.grad(scenario)
    assert found.agrees
    assert found.reference is not None
    for (name, _), value in zip(cell.named_parameters(), theirs, strict=False):
        close(found.parameters[name], value)
        close(found.reference.parameters[name], value)
    close(found.passes[0].entering("L0", "x"), theirs[-1])
    compared = found.comparisons[0]
    np.testing.assert_array_equal(compared.value("L0", "∂c_above", 1), given["c"][1].numpy())


def test_a_share_that_autograd_did_not_send_is_found_where_a_cells_c_is_read() -> None:
    torch.manual_seed(0)
    cell = torch.nn.LSTMCell(3, 4)
    with rnnstep.capture(cell) as seen:
        state, total = None, torch.zeros(())
        for x_t in torch.randn(5, 2, 3):
            state = cell(x_t, state)
            total = total + state[1].square().sum()
        total.backward()
    recorded = seen.calls[0].recorded
    assert recorded.gradients["c"][:-1].any()
    back = seen.calls[0].grad()
    assert back.agrees
    assert set(back.comparisons[0].recorded) == {f"grad.{name}" for name, _ in cell.named_parameters()}
    shares = dict(recorded.gradients, weight_hh=recorded.gradients["weight_hh"] * np.float32(1.001))
    wrong = scenario_of_call(replace(recorded, gradients=shares), "wrong")
    assert not rnnstep.grad(wrong).agrees
