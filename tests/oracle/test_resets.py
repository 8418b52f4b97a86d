"""Rows that begin anew from zeros within a loop around a cell: one chain, whose resets are operations, forth and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

import rnnstep
from rnnstep.capturing import Captured
from rnnstep.errors import ScenarioError, UsageError
from rnnstep.scenario.call.call_files import call_of, options_of, tensors_of
from rnnstep.scenario.call.recorded_call import RecordedCall
from rnnstep.scenario.call.scenario_of_call import scenario_of_call
from rnnstep.scenario.file.write import difference, write_scenario
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.scenario.read import read
from tests.oracle.programs import agrees

KINDS = ("RNNCell", "LSTMCell", "GRUCell")
STEPS, ROWS = 6, 3
RESET = np.array([[0, 0, 0], [0, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1]], np.uint8)


def states_of(state: Any) -> tuple[torch.Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def by_hand(kind: str, reset: np.ndarray, dtype: torch.dtype, nonlinearity: str = "tanh") -> RecordedCall:
    """What a loop gives in which h becomes h · (1 − done), with the gradients of Σ output ⊙ G and of the last c."""
    torch.manual_seed(0)
    options = {"nonlinearity": nonlinearity} if kind == "RNNCell" else {}
    cell = getattr(nn, kind)(2, 4, dtype=dtype, **options)
    x = torch.randn(len(reset), reset.shape[1], 2, dtype=dtype, requires_grad=True)
    first = [torch.randn(reset.shape[1], 4, dtype=dtype) for _ in range(1 + (kind == "LSTMCell"))]
    state, outputs = [one.clone().requires_grad_() for one in first], []
    leaves = state
    for x_t, done in zip(x, torch.from_numpy(reset), strict=True):
        state = [one * (1 - done)[:, None] for one in state]
        state = list(states_of(cell(x_t, state[0] if len(state) == 1 else tuple(state))))
        outputs.append(state[0])
    output = torch.stack(outputs)
    above = {"output": torch.randn_like(output)}
    loss = (output * above["output"]).sum()
    if len(state) > 1:
        above["c_n"] = torch.randn_like(state[1])
        loss = loss + (state[1] * above["c_n"]).sum()
    loss.backward()
    parameters = dict(cell.named_parameters())
    shares = {name: one.grad for name, one in parameters.items()}
    entered = dict(zip(("x", "h_0", "c_0"), [x.grad, *(one.grad for one in leaves)], strict=False))
    arrays = {"h_0": first[0], "h_n": state[0]}
    if len(state) > 1:
        arrays |= {"c_0": first[1], "c_n": state[1]}
    return RecordedCall(
        kind,
        x.detach().numpy(),
        {name: one.detach().numpy() for name, one in parameters.items()},
        output=output.detach().numpy(),
        reset=reset,
        nonlinearity=nonlinearity,
        gradients={name: g.numpy() for name, g in (above | shares | entered).items()},
        dtype=str(dtype).removeprefix("torch."),
        **{name: one.detach().numpy() for name, one in arrays.items()},
    )


AT_THE_FIRST = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0]], np.uint8)


@pytest.mark.parametrize("reset", [RESET, AT_THE_FIRST, RESET[:, :1]], ids=["many", "first", "one row"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_forth_and_back_as_in_a_loop_by_hand(kind: str, dtype: torch.dtype, reset: np.ndarray) -> None:
    call = by_hand(kind, reset, dtype)
    scenario = scenario_of_call(call, "cell[0]")
    run, back = rnnstep.trace(scenario), rnnstep.grad(scenario)
    assert run.agrees
    assert back.agrees
    close: dict[str, float] = {"rtol": 1e-4, "atol": 1e-5} if dtype is torch.float32 else {"rtol": 1e-10}
    done = run.trace.passes[0]
    np.testing.assert_allclose(done.output, call.output, **close)
    np.testing.assert_allclose(done.h_n, call.h_n, **close)
    for name in call.parameters:
        np.testing.assert_allclose(back.parameters[name], call.gradients[name], **close)


@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_crosses_a_reset(kind: str) -> None:
    call = by_hand(kind, RESET, torch.float64)
    back = rnnstep.grad(scenario_of_call(call, "cell[0]"))
    through = back.passes[0]
    for state in ("h", "c")[: 1 + (kind == "LSTMCell")]:
        for t, rows in enumerate(RESET):
            before = through.values("L0", t)[f"∂{state}_prev"]
            assert not before[rows == 1].any()
            assert before[rows == 0].any() or not (rows == 0).any()
    np.testing.assert_allclose(through.entering("L0", "x"), call.gradients["x"], rtol=1e-9)


def test_relu_and_the_operation_itself() -> None:
    call = by_hand("RNNCell", RESET, torch.float64, "relu")
    run = rnnstep.trace(scenario_of_call(call, "cell[0]"))
    assert run.agrees
    values = run.trace.passes[0].values("L0", 2)
    np.testing.assert_array_equal(values["keep"], [[0], [1], [0]])
    np.testing.assert_array_equal(values["h_kept"], values["keep"] * values["h_prev"])
    assert values["h_prev"][0].any()


def test_what_torch_gives_beside_is_a_run_of_its_own() -> None:
    """A reset that the recorded model did not make is found, by what it gave and by torch's."""
    call = by_hand("GRUCell", RESET, torch.float32)
    other = RESET.copy()
    other[3, 1] = 1
    changed = RecordedCall(
        **{name: getattr(call, name) for name in ("module", "x", "parameters", "output", "h_0", "h_n")},
        reset=other,
    )
    run = rnnstep.trace(scenario_of_call(changed, "cell[0]"))
    assert not run.agrees


# ── heard ────────────────────────────────────────────────────────────────────────────────────────


class Policy(nn.Module):
    """A loop in which rows whose episode is over begin anew."""

    def __init__(self, kind: str, way: str = "times") -> None:
        super().__init__()
        self.cell = getattr(nn, kind)(3, 4)
        self.way = way

    def reset(self, state: torch.Tensor, over: torch.Tensor) -> torch.Tensor:
        if self.way == "in place":
            state[over] = 0
            return state
        if self.way == "where":
            return torch.where(over[:, None], torch.zeros(()), state)
        return state * (1 - over.float())[:, None]

    def forward(self, x: torch.Tensor, done: torch.Tensor, state: Any = None) -> torch.Tensor:
        outputs = []
        for one, over in zip(x, done, strict=True):
            if state is not None:
                each = tuple(self.reset(part, over) for part in states_of(state))
                state = each if len(each) > 1 else each[0]
            state = self.cell(one, state)
            outputs.append(states_of(state)[0].clone())
        return torch.stack(outputs)


DONE = torch.from_numpy(RESET).bool()


def recorded(model: nn.Module, *given: Any, **options: Any) -> Captured:
    """What is recorded of a pass there and back, whose numbers are compared with those without."""

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        output = model(*given)
        output.square().sum().backward()
        return [output.detach().clone(), *(one.grad.clone() for one in model.parameters())]

    plain = run()
    with rnnstep.capture(model, **options) as seen:
        found = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, found, strict=True))
    return seen


@pytest.mark.parametrize("way", ["times", "where", "in place"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_with_resets_is_one_call(kind: str, way: str) -> None:
    if (kind, way) == ("RNNCell", "in place"):
        pytest.skip("torch's tanh needs what it gave")
    torch.manual_seed(0)
    model = Policy(kind, way)
    seen = recorded(model, torch.randn(STEPS, ROWS, 3), DONE)
    (call,) = seen.calls
    np.testing.assert_array_equal(call.recorded.reset, RESET)
    assert "cell[0]: rows begin anew from zeros before steps 2, 3, 5, 6" in str(seen)
    assert call.trace().agrees
    back = call.grad()
    assert back.agrees
    for name, one in model.cell.named_parameters():
        np.testing.assert_allclose(back.parameters[name], one.grad.numpy(), rtol=1e-4, atol=5e-6)


def test_chosen_rows_and_calls_on_the_disk() -> None:
    torch.manual_seed(0)
    model = Policy("LSTMCell")
    x = torch.randn(STEPS, ROWS, 3)
    seen = recorded(model, x, DONE, rows=[2, 0], limit=0)
    (call,) = seen.calls
    np.testing.assert_array_equal(call.recorded.reset, RESET[:, [2, 0]])
    assert call.trace().agrees
    assert call.grad().agrees
    (other,) = recorded(model, x, torch.zeros_like(DONE)).calls
    assert other.recorded.reset is None


def test_a_loop_that_does_not_end_is_put_away_from_a_reset_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnstep.capturing.captured.LEAST_OF_A_CHAIN", 1000)
    cell, keep = nn.GRUCell(3, 4), torch.tensor([[1.0], [0.0]])
    with rnnstep.capture(cell, limit=1000) as seen, torch.no_grad():
        h = torch.zeros(2, 4)
        for _ in range(60):
            h = cell(torch.randn(2, 3), h * keep)
    assert len(seen.calls) > 2
    assert seen.calls[0].is_put_away
    assert sum(call.recorded.num_steps for call in seen.calls) == 60
    assert seen.calls[1].goes_on_from == ("grucell[0]", (1,))
    assert all(call.trace().agrees for call in seen.calls)


def test_one_row_without_a_batch() -> None:
    torch.manual_seed(0)
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen:
        h, total = None, torch.zeros(())
        for t in range(4):
            h = cell(torch.randn(3), h if t != 2 else h * 0)
            total = total + h.square().sum()
        total.backward()
    (call,) = seen.calls
    np.testing.assert_array_equal(call.recorded.reset, [[0], [0], [1], [0]])
    assert call.trace().agrees
    assert call.grad().agrees


def test_all_rows_are_another_loop_where_autograd_does_not_lead_back() -> None:
    cell = nn.GRUCell(3, 4)
    first = nn.Parameter(torch.zeros(4))
    with rnnstep.capture(cell) as seen:
        for _ in range(2):  # a first state that is learnt begins as zeros, often
            h = first.expand(2, 4)
            for _ in range(3):
                h = cell(torch.randn(2, 3), h)
        with torch.no_grad():
            for _ in range(2):
                h = torch.zeros(2, 4)
                for _ in range(3):
                    h = cell(torch.randn(2, 3), h)
    assert [call.recorded.num_steps for call in seen.calls] == [3, 3, 3, 3]
    assert all(call.recorded.reset is None for call in seen.calls)


def test_other_weights_and_numbers_that_are_not_finite_begin_a_call() -> None:
    cell = nn.GRUCell(3, 4)
    keep = torch.tensor([[1.0], [0.0]])
    with rnnstep.capture(cell) as seen, torch.no_grad():
        h = cell(torch.randn(2, 3))
        cell.weight_hh.mul_(2)
        cell(torch.randn(2, 3), h * keep)
        h = cell(torch.tensor([[0.0, 0.0, 0.0], [torch.nan, 0.0, 0.0]]))
        cell(torch.randn(2, 3), torch.where(keep == 0, torch.zeros(()), h))
    assert [call.recorded.num_steps for call in seen.calls] == [1, 1, 1, 1]
    found = [call.goes_on_from for call in seen.calls]
    assert found == [None, ("grucell[0]", (1,)), None, ("grucell[2]", (1,))]
    assert all(call.trace().agrees for call in seen.calls)


def test_a_row_that_is_not_finite_goes_on_beside_one_that_begins_anew() -> None:
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen, torch.no_grad():
        h = cell(torch.tensor([[0.0, 0.0, 0.0], [torch.nan, 0.0, 0.0], [1.0, 0.0, 0.0]]))
        cell(torch.randn(3, 3), torch.cat([h[:2], torch.zeros(1, 4)]))
    (call,) = seen.calls
    np.testing.assert_array_equal(call.recorded.reset, [[0, 0, 0], [0, 0, 1]])
    assert call.trace().agrees


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    cell = nn.LSTMCell(3, 4, dtype=dtype)
    with rnnstep.capture(cell) as seen:
        state, total = None, torch.zeros((), dtype=dtype)
        for done in DONE:
            if state is not None:
                state = tuple(one * (~done).to(dtype)[:, None] for one in state)
            state = cell(torch.randn(ROWS, 3, dtype=dtype), state)
            total = total + state[0].sum()
        total.backward()
    (call,) = seen.calls
    assert call.recorded.reset is not None
    assert call.trace().agrees
    assert call.grad().agrees


# ── states that are changed on the way ───────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_zoneout_begins_calls_and_says_so(kind: str) -> None:
    torch.manual_seed(0)
    cell, x = getattr(nn, kind)(3, 4), torch.randn(3, 2, 3)
    stays = torch.tensor([1.0, 0.0, 1.0, 0.0])
    with rnnstep.capture(cell) as seen:
        state = states_of(cell(x[0]))
        for one in x[1:]:
            old = state
            state = states_of(cell(one, old if len(old) > 1 else old[0]))
            state = tuple(stays * a + (1 - stays) * b for a, b in zip(old, state, strict=True))
        cell(x[0], state if len(state) > 1 else state[0])
    name = kind.lower()
    found = [call.begins_with_states_of for call in seen.calls]
    assert found == [None, f"{name}[0]", f"{name}[1]"]
    assert f"{name}[1] begins with states made from those that {name}[0] ended with" in str(seen)


def test_what_is_the_same_of_many_calls_is_said_once() -> None:
    """Each step is a call of its own where something stands between them, as dropout on the state."""
    torch.manual_seed(0)
    cell, dropout = nn.GRUCell(3, 4), nn.Dropout(0.3)
    with rnnstep.capture(cell) as seen:
        h = cell(torch.randn(2, 3))
        for _ in range(29):
            h = cell(torch.randn(2, 3), dropout(h))
    assert len(seen.calls) == 30
    foot = str(seen).splitlines()[31:]
    assert len(foot) == 2
    assert foot[0].startswith("grucell[1] begins with states made from those that grucell[0] ended with")
    assert foot[1] == (
        "the same of 28 more: grucell[2], grucell[3], grucell[4], grucell[5], grucell[6], grucell[7] …"
    )


def test_a_first_state_that_is_learnt_is_written_in_by_a_reset() -> None:
    cell, first = nn.GRUCell(3, 4), torch.full((4,), 0.5)
    done = torch.tensor([[False], [True]])
    with rnnstep.capture(cell) as seen, torch.no_grad():
        h = cell(torch.randn(2, 3), first.expand(2, 4))
        h = cell(torch.randn(2, 3), h)
        h = cell(torch.randn(2, 3), torch.where(done, first, h))
        cell(torch.randn(2, 3), first.expand(2, 4))  # all rows at once are another loop
    assert [call.recorded.num_steps for call in seen.calls] == [2, 1, 1]
    assert [call.begins_with_states_of for call in seen.calls] == [None, "grucell[0]", None]


def test_other_weights_and_other_loops_say_nothing_of_states() -> None:
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen:
        h = cell(torch.randn(2, 3))
        with torch.no_grad():
            cell.weight_hh.mul_(2)
        h = cell(torch.randn(2, 3), h)
        cell(torch.randn(2, 3), h.detach())
        cell(torch.randn(2, 3), torch.randn(2, 4))
        cell(torch.randn(2, 3))
    assert len(seen.calls) == 5
    assert all(call.begins_with_states_of is None for call in seen.calls)


# ── in files, and as a program ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_and_read_back(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    seen = recorded(Policy(kind), torch.randn(STEPS, ROWS, 3), DONE)
    seen.save(tmp_path / "calls")
    (call,) = seen.calls
    tensors = load_file(tmp_path / "calls" / "000-cell-0.safetensors")
    np.testing.assert_array_equal(tensors["reset"], RESET)
    back = read(tmp_path / "calls" / "000-cell-0.toml")
    assert difference(call.scenario, back) in (None, "title")
    assert rnnstep.trace(back).agrees
    assert rnnstep.grad(back).agrees
    same = call_of(tensors_of(call.recorded), options_of(call.recorded))
    np.testing.assert_array_equal(same.reset, call.recorded.reset)
    batches = tuple(replace(one, above=None) for one in back.without_records().batches)
    without_gradients = replace(back, batches=batches)
    with pytest.raises(UsageError, match="begin anew"):
        write_scenario(without_gradients, tmp_path / "other.toml")


BAD: dict[str, tuple[str, np.ndarray, str]] = {
    "another shape": ("GRUCell", np.zeros((6, 2), np.uint8), r"reset: found \(6, 2\), expected \(6, 3\)"),
    "an axis more": ("GRUCell", np.zeros((6, 3, 1), np.uint8), "reset"),
    "another number": ("GRUCell", np.full((6, 3), 7, np.uint8), "reset: found 7, expected 0, 1"),
    "below zero": ("GRUCell", np.full((6, 3), -1, np.int64), "reset: found -1, expected 0, 1"),
    "no whole number": ("GRUCell", np.full((6, 3), 0.5, np.float32), "which no recorded call has"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_with_other_resets_is_refused(case: str, tmp_path: Path) -> None:
    kind, reset, words = BAD[case]
    tensors = {**tensors_of(by_hand(kind, RESET, torch.float32)), "reset": reset}
    save_file(tensors, tmp_path / "a.safetensors")
    (tmp_path / "a.toml").write_text(f'[call]\nfile = "a.safetensors"\nmodule = "{kind}"\n', "utf-8")
    with pytest.raises(ScenarioError, match=words):
        read(tmp_path / "a.toml")


def test_a_module_over_time_has_no_resets() -> None:
    parameters = {name: one.detach().numpy() for name, one in nn.GRU(3, 4).named_parameters()}
    with pytest.raises(UsageError, match="reset"):
        made("GRU", BatchInput(np.zeros((6, 3, 3), np.float32), reset=RESET), parameters)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("is_batched", [True, False])
def test_the_program_gives_the_same_numbers(kind: str, is_batched: bool) -> None:  # noqa: FBT001 - a parameter of the test
    torch.manual_seed(0)
    parameters = {name: one.detach().numpy() for name, one in getattr(nn, kind)(3, 4).named_parameters()}
    x, reset = torch.randn(STEPS, ROWS, 3).numpy(), RESET
    given = BatchInput(x, reset=reset) if is_batched else BatchInput(x[:, 1], reset=reset[:, 1:2])
    scenario = made(kind, given, parameters)
    assert agrees(scenario)
    assert rnnstep.trace(scenario).agrees
