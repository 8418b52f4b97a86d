"""Calls of torch's cells, recorded: a loop is one sequence, whatever the program does with its states in between."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

import rnnstep
from rnnstep.capturing import Captured

KINDS = ("RNNCell", "LSTMCell", "GRUCell")
STEPS, ROWS = 5, 2


def states_of(state: Any) -> tuple[torch.Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


class Loop(nn.Module):
    """A loop around a cell, whose h goes into a linear layer at each step or at the end."""

    def __init__(self, kind: str, way: str) -> None:
        super().__init__()
        self.cell = getattr(nn, kind)(3, 4)
        self.top = nn.Linear(4, 2)
        self.way = way

    def forward(self, x: torch.Tensor, state: Any = None) -> torch.Tensor:
        outputs, extra = [], torch.zeros(())
        for t, one in enumerate(x):
            state = self.cell(one, state)
            h = states_of(state)[0]
            if self.way == "detached" and t == 2:
                state = tuple(each.detach() for each in state) if isinstance(state, tuple) else state.detach()
            if self.way == "c is read":
                extra = extra + states_of(state)[-1].square().sum()
            outputs.append(self.top(h) if self.way == "inside" else h)
        found = torch.stack(outputs)
        if self.way == "last":
            return self.top(found[-1])
        return found if self.way == "inside" else self.top(found) + extra


def compared(model: nn.Module, *given: Any) -> Captured:
    """Run without and with recording, compared bit for bit; give what was recorded."""

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        output = model(*given)
        output.square().sum().backward()
        return [
            output.detach().clone(),
            *(one.grad.clone() for one in model.parameters() if one.grad is not None),
        ]

    plain = run()
    with rnnstep.capture(model) as seen:
        recorded = run()
    assert len(plain) == len(recorded)
    assert all(torch.equal(one, other) for one, other in zip(plain, recorded, strict=True))
    return seen


def judged(seen: Captured, cell: nn.Module, name: str = "cell") -> None:
    """Each call agrees, forth and back, and the shares of all sum to `.grad`."""
    sums: dict[str, Any] = {}
    for call in seen[name]:
        assert call.trace().agrees
        back = call.grad()
        assert back.agrees
        for key, value in back.parameters.items():
            sums[key] = sums.get(key, 0) + value
    for key, one in cell.named_parameters():
        np.testing.assert_allclose(sums[key], one.grad.numpy(), rtol=1e-4, atol=5e-6)


@pytest.mark.parametrize("way", ["each", "inside", "last", "detached", "c is read"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_is_one_sequence(kind: str, way: str) -> None:
    torch.manual_seed(0)
    model = Loop(kind, way)
    seen = compared(model, torch.randn(STEPS, ROWS, 3))
    judged(seen, model.cell)
    steps = [call.recorded.num_steps for call in seen["cell"]]
    assert steps == ([3, 2] if way == "detached" else [STEPS])
    if (
        way == "last"
    ):  # nothing but the last state is read from outside, and what is not is nothing to the last bit
        assert not seen["cell"][0].recorded.gradients["output"][:-1].any()


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_batch(kind: str) -> None:
    torch.manual_seed(0)
    model = Loop(kind, "each")
    seen = compared(model, torch.randn(STEPS, 3))
    judged(seen, model.cell)
    (call,) = seen["cell"]
    assert call.x.shape == (STEPS, 3)
    assert call.h_n.shape == (4,)


@pytest.mark.parametrize("kind", KINDS)
def test_given_states_and_rows(kind: str) -> None:
    torch.manual_seed(0)
    model = Loop(kind, "each")
    first = torch.randn(3, 4)
    state = (first, torch.randn(3, 4)) if kind == "LSTMCell" else first
    with rnnstep.capture(model, rows=[2, 0]) as seen:
        model(torch.randn(STEPS, 3, 3), state).sum().backward()
    (call,) = seen.calls
    np.testing.assert_array_equal(call.recorded.h_0, first.numpy()[[2, 0]])
    assert call.output.shape == (STEPS, 2, 4)
    assert call.trace().agrees
    assert call.grad().agrees


def test_loops_that_take_turns_with_one_cell() -> None:
    torch.manual_seed(0)

    class Turns(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            one = other = None
            for t in range(STEPS):
                one = self.cell(x[t], one)
                other = self.cell(x[STEPS - 1 - t], other)
            return torch.cat([one, other], -1)

    model = Turns()
    seen = compared(model, torch.randn(STEPS, ROWS, 3))
    judged(seen, model.cell)
    assert [call.recorded.num_steps for call in seen["cell"]] == [STEPS, STEPS]


def test_an_encoder_whose_states_a_decoder_goes_on_with() -> None:
    torch.manual_seed(0)

    class Translator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
            self.decoder = nn.LSTMCell(3, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            _, (h_n, c_n) = self.encoder(x)
            state = torch.cat([h_n[-2], h_n[-1]], -1), torch.cat([c_n[-2], c_n[-1]], -1)
            outputs = []
            for one in x:
                state = self.decoder(one, state)
                outputs.append(state[0])
            return torch.stack(outputs)

    model = Translator()
    seen = compared(model, torch.randn(STEPS, ROWS, 3))
    assert [call.place for call in seen.calls] == ["encoder[0]", "decoder[0]"]
    judged(seen, model.encoder, "encoder")
    judged(seen, model.decoder, "decoder")
    encoder = seen["encoder"][0].recorded
    assert encoder.gradients["c_n"].any()
    np.testing.assert_array_equal(
        seen["decoder"][0].recorded.c_0, np.concatenate(list(encoder.c_n[-2:]), axis=-1)
    )


def test_states_carried_from_call_to_call() -> None:
    torch.manual_seed(0)
    model = nn.LSTM(3, 4)
    with rnnstep.capture(model) as seen:
        state = None
        for _ in range(3):
            output, state = model(torch.randn(4, ROWS, 3), state)
            output.sum().backward()
            state = tuple(one.detach() for one in state)
    first, second, third = seen.calls
    np.testing.assert_array_equal(first.h_n, second.recorded.h_0)
    np.testing.assert_array_equal(second.c_n, third.recorded.c_0)
    assert all(call.trace().agrees and call.grad().agrees for call in seen.calls)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_after_a_burn_in_are_a_call_of_their_own(kind: str) -> None:
    torch.manual_seed(0)

    class BurnsIn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = getattr(nn, kind)(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = None
            with torch.no_grad():
                for one in x[:3]:
                    state = self.cell(one, state)
            for one in x[3:]:
                state = self.cell(one, state)
            return states_of(state)[0]

    model = BurnsIn()
    seen = compared(model, torch.randn(STEPS, ROWS, 3))
    before, after = seen["cell"]
    assert (before.recorded.num_steps, after.recorded.num_steps) == (3, STEPS - 3)
    np.testing.assert_array_equal(before.h_n, after.recorded.h_0)
    assert not before.recorded.has_gradients
    back = after.grad()
    assert back.agrees
    for name, one in model.cell.named_parameters():
        assert one.grad is not None
        np.testing.assert_allclose(back.parameters[name], one.grad.numpy(), rtol=1e-4, atol=5e-6)


def test_a_step_that_raises_is_none() -> None:
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen:
        h = cell(torch.randn(2, 3))
        with pytest.raises(RuntimeError):
            cell(torch.randn(2, 5), h)
        cell(torch.randn(2, 3), h)
    (call,) = seen.calls
    assert call.recorded.num_steps == 2
    assert call.trace().agrees


def test_half_a_cell_and_autocast() -> None:
    for kind in KINDS:
        torch.manual_seed(0)
        model = Loop(kind, "each").to(torch.bfloat16)
        with rnnstep.capture(model) as seen:
            model(torch.randn(STEPS, ROWS, 3).to(torch.bfloat16)).float().sum().backward()
        assert seen.calls[0].trace().agrees
        assert seen.calls[0].grad().agrees
        model = Loop(kind, "each")
        with rnnstep.capture(model) as seen, torch.autocast("cpu", torch.bfloat16):
            model(torch.randn(STEPS, ROWS, 3)).float().sum().backward()
        assert seen.calls[0].recorded.is_half
        assert all(call.trace().agrees for call in seen.calls)


# ── resets ───────────────────────────────────────────────────────────────────────────────────────


class Policy(nn.Module):
    """What policies do: a row whose episode is over begins anew from zeros."""

    def __init__(self, kind: str, *, in_place: bool = False) -> None:
        super().__init__()
        self.cell = getattr(nn, kind)(3, 4)
        self.in_place = in_place

    def forward(self, x: torch.Tensor, done: torch.Tensor) -> torch.Tensor:
        state, outputs = None, []
        for one, over in zip(x, done, strict=True):
            if state is not None and over.any():
                each = states_of(state)
                if self.in_place:
                    for part in each:
                        part[over] = 0
                else:
                    each = tuple(part * ~over[:, None] for part in each)
                state = each if len(each) > 1 else each[0]
            state = self.cell(one, state)
            outputs.append(states_of(state)[0].clone())
        return torch.stack(outputs)


@pytest.mark.parametrize(
    ("kind", "in_place"),
    [*((kind, False) for kind in KINDS), ("LSTMCell", True), ("GRUCell", True)],  # tanh needs what it gave
)
def test_resets_within_a_loop(kind: str, in_place: bool) -> None:  # noqa: FBT001 - a parameter of the test
    torch.manual_seed(0)
    model = Policy(kind, in_place=in_place)
    done = torch.tensor([[False, False, False], [False, True, False], [False, False, False]] * 2)
    seen = compared(model, torch.randn(6, 3, 3), done)
    judged(seen, model.cell)
    (call,) = seen["cell"]
    assert call.output.shape == (6, 3, 4)
    np.testing.assert_array_equal(call.recorded.reset, done.numpy())


@pytest.mark.parametrize("kind", ["RNNCell", "GRUCell", "LSTMCell"])
def test_what_a_loop_sent_to_the_weights_is_recorded(kind: str) -> None:
    """Of one loop bit for bit `.grad`; of two that read each other their sum, each beside what the engine makes of it."""
    torch.manual_seed(3)
    cell, before, between = getattr(nn, kind)(3, 4), nn.Linear(2, 3), torch.randn(4, 3)
    x = torch.randn(6, 2, 2)

    def looped(given: list[torch.Tensor]) -> torch.Tensor:
        state = None
        for one in given:
            state = cell(one, state)
        assert state is not None
        return state[0] if isinstance(state, tuple) else state

    with rnnstep.capture() as seen:
        looped([before(one) for one in x]).square().sum().backward()
    (call,) = seen.calls
    for name, parameter in cell.named_parameters():
        np.testing.assert_array_equal(call.recorded.gradients[name], parameter.grad)
    assert call.grad().agrees

    cell.zero_grad()
    with rnnstep.capture() as seen:
        middle = looped([before(one) for one in x]) @ between
        looped([middle, middle, middle]).square().sum().backward()
    assert len(seen.calls) == 2
    for name, parameter in cell.named_parameters():
        shares = [one.recorded.gradients[name] for one in seen.calls]
        np.testing.assert_allclose(sum(shares), parameter.grad, rtol=1e-5, atol=1e-6)
    assert all(one.grad().agrees for one in seen.calls)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_that_asks_for_some_gradients_has_no_share_of_the_others(kind: str) -> None:
    torch.manual_seed(0)
    cell, x = getattr(nn, kind)(3, 4), torch.randn(STEPS, 2, 3, requires_grad=True)
    with rnnstep.capture() as seen:
        state = None
        for one in x:
            state = cell(one, state)
        loss = states_of(state)[0].square().sum()
        torch.autograd.grad(loss, [x, cell.weight_hh], retain_graph=True)
        loss.backward()
    (call,) = seen.calls
    assert "weight_hh" in call.recorded.gradients
    assert not {"weight_ih", "bias_ih", "bias_hh"} & set(call.recorded.gradients)
    assert call.grad().agrees


def test_gradients_of_gradients_have_no_share() -> None:
    torch.manual_seed(0)
    cell, x = nn.GRUCell(3, 4), torch.randn(STEPS, 2, 3, requires_grad=True)
    with rnnstep.capture() as seen:
        h = None
        for one in x:
            h = cell(one, h)
        (g,) = torch.autograd.grad(h.square().sum(), x, create_graph=True)
        g.square().sum().backward()
    assert "weight_hh" not in seen.calls[0].recorded.gradients


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
def test_weights_that_learn_from_a_step_on(kind: str, bias: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The graph of a later step is another than that of the first: what it sends is found there."""
    torch.manual_seed(0)
    cell, x = getattr(nn, kind)(3, 4, bias=bias), torch.randn(STEPS, 2, 3)
    cell.weight_ih.requires_grad_(False)

    def run() -> Any:
        state = None
        for t, one in enumerate(x):
            cell.weight_ih.requires_grad_(t > 1)
            state = cell(one, state)
        cell.zero_grad()
        states_of(state)[0].square().sum().backward()
        return cell.weight_ih.grad.clone()

    plain = run()
    with rnnstep.capture() as seen:
        assert torch.equal(run(), plain)
    (call,) = seen.calls
    for name, parameter in cell.named_parameters():
        np.testing.assert_allclose(call.recorded.gradients[name], parameter.grad, rtol=1e-5, atol=1e-7)


def test_a_tanh_that_is_written_to_is_refused_as_without_recording() -> None:
    cell = nn.RNNCell(3, 4)
    with rnnstep.capture():
        h = cell(torch.randn(2, 3))
        h[0] = 0
        with pytest.raises(RuntimeError, match="inplace"):
            h.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_made_anew_at_each_step(kind: str) -> None:
    """Their shares are those of autograd in a weight that was made once, and are added up as the steps go back."""
    torch.manual_seed(5)
    cell = weight_norm(getattr(nn, kind)(3, 4), "weight_hh")

    def looped(steps: int) -> torch.Tensor:
        return Loop.forward(held, torch.linspace(-1, 1, steps * 6).reshape(steps, 2, 3)).square().sum()

    held = Loop(kind, "each")
    held.cell = cell
    with parametrize.cached():
        weight = cell.weight_hh
        expected = torch.autograd.grad(looped(STEPS), [weight, cell.weight_ih])
    kept = []
    for steps in (STEPS, 2 * STEPS):
        with rnnstep.capture(cell) as seen:
            looped(steps).backward()
        (call,) = seen.calls
        assert call.recorded.num_steps == steps
        assert call.trace().agrees
        assert call.grad().agrees
        kept.append(sum("sent" in name for name in call.live.gradients.tensors()))
        if steps == STEPS:
            for name, g in zip(("weight_hh", "weight_ih"), expected, strict=True):
                np.testing.assert_allclose(call.recorded.gradients[name], g.numpy(), rtol=1e-4, atol=1e-6)
    assert kept[0] == kept[1] == 4


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_a_hook_clips(kind: str) -> None:
    """What goes on to the steps before is what the hook gave; so the shares are those of `.grad`."""
    torch.manual_seed(0)

    class Clipped(Loop):
        def forward(self, x: torch.Tensor, state: Any = None) -> torch.Tensor:
            outputs = []
            for one in x:
                state = self.cell(one, state)
                h = states_of(state)[0]
                h.register_hook(lambda g: g.clamp(-0.05, 0.05))
                outputs.append(h)
            return self.top(torch.stack(outputs))

    model = Clipped(kind, "each")
    seen = compared(model, torch.randn(STEPS, ROWS, 3))
    judged(seen, model.cell)
    assert len(seen["cell"]) == 1
    totals = seen["cell"][0].live.gradients.totals
    reached = [one.abs().max() for (_, k), one in totals.items() if k == 0]
    assert max(reached) == pytest.approx(0.05)


def test_a_hook_on_c_gets_what_reaches_it_from_elsewhere() -> None:
    """While a loop of LSTMCell is recorded; without a capture it gets what its own h sends, too."""
    torch.manual_seed(0)
    cell, came = nn.LSTMCell(3, 4), []

    def back() -> list[torch.Tensor]:
        h, c = cell(torch.ones(2, 3))
        c.register_hook(came.append)
        h.sum().backward()
        h, c = cell(torch.ones(2, 3))
        c.register_hook(came.append)
        (h.sum() + 2 * c.sum()).backward()
        given, came[:] = came[:], []
        return given

    alone, with_h = back()
    with rnnstep.capture():
        recorded = back()
    assert alone.abs().max() > 0
    assert torch.equal(with_h, alone + 2)
    assert [one.unique().item() for one in recorded] == [2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_in_inference_mode_and_one_that_goes_back_after_it(kind: str) -> None:
    """The weights are copied once, and the way back goes through that copy."""
    torch.manual_seed(0)
    model, x = Loop(kind, "last"), torch.randn(STEPS, ROWS, 3)
    with rnnstep.capture(model) as seen:
        with torch.inference_mode():
            model(x)
        model(x).square().sum().backward()
    first, second = seen["cell"]
    assert first.live.weights is second.live.weights
    assert first.trace().agrees
    assert second.trace().agrees
    assert second.grad().agrees


@pytest.mark.parametrize("is_followed", [True, False])
def test_a_state_that_is_written_to_behind_torchs_back(is_followed: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Bit for bit it is seen where nothing goes back; where autograd follows it, which would go back wrongly, it is a disagreement."""
    torch.manual_seed(0)
    cell, x, h = nn.GRUCell(3, 4), torch.randn(4, 2, 3), None
    with torch.set_grad_enabled(is_followed), rnnstep.capture(cell) as seen:
        for t, one in enumerate(x):
            h = cell(one, h)
            if t == 1:
                h.data[1] = 0
    (call,) = seen.calls
    assert call.trace().agrees is not is_followed
    assert (call.recorded.reset is None) is is_followed
    if not is_followed:
        assert call.recorded.reset.tolist() == [[0, 0], [0, 0], [0, 1], [0, 0]]


def test_a_graph_is_not_held() -> None:
    """A program that never goes back frees what autograd keeps for it as it would without."""
    freed: list[int] = []

    class Told(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            weakref.finalize(ctx, freed.append, 1)
            return x.clone()

        @staticmethod
        def backward(ctx: Any, g: torch.Tensor) -> torch.Tensor:
            del ctx
            return g

    cell = nn.GRUCell(3, 4)
    with rnnstep.capture():
        cell(torch.randn(2, 3))  # its name is looked for in the frames that lead to the first call
        x = Told.apply(torch.randn(2, 3, requires_grad=True))
        h = cell(x, cell(x))
        del x, h
        gc.collect()
        assert freed == [1]
