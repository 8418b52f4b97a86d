"""What makes recording live modules hard, each as it was met: the program must notice nothing, and what is recorded must be true."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import rnn as torchs
from torch.utils.checkpoint import checkpoint

import rnnstep
from rnnstep.capturing import listening, weights
from rnnstep.capturing.weights import are_same_bits

KERNELS = torchs._VF


@pytest.fixture(autouse=True)
def nothing_stays_behind() -> Iterator[None]:
    from torch.nn.modules import module
    from torch.optim import optimizer

    before = [dict(hooks) for hooks in (module._global_forward_hooks, module._global_forward_pre_hooks)]
    steps = dict(optimizer._global_optimizer_post_hooks)
    yield
    assert torchs._VF is KERNELS
    assert listening.way_in_use() is None
    assert [dict(module._global_forward_hooks), dict(module._global_forward_pre_hooks)] == before
    assert dict(optimizer._global_optimizer_post_hooks) == steps


def x_of(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7))


# ── where it is listened ─────────────────────────────────────────────────────────────────────────


def test_this_torch_has_its_kernels_where_they_are_looked_for() -> None:
    """The name is private to torch: where a version moves it, module hooks hear less, and it is said."""
    with rnnstep.capture() as seen:
        pass
    assert seen.way == "kernels"
    assert all(callable(getattr(torchs._VF, name)) for name in listening.KERNELS)


def test_what_another_puts_over_ours_while_it_listens_keeps_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another tool wraps what it finds, which is ours, and stays: calls go through it to torch, then and later."""

    class Wrapped:
        def __init__(self, found: Any) -> None:
            self.found = found

        def __getattr__(self, name: str) -> Any:
            return getattr(self.found, name)

    model, x = nn.GRU(3, 4), x_of(4, 2, 3)
    monkeypatch.setattr(torchs, "_VF", KERNELS)  # put back at the end
    expected = model(x)[0]
    with rnnstep.capture(model):
        theirs = torchs._VF = Wrapped(torchs._VF)
    assert torchs._VF is theirs
    assert torch.equal(model(x)[0], expected)
    for _ in range(2):
        with rnnstep.capture(model) as seen:
            assert torch.equal(model(x)[0], expected)
        assert len(seen.calls) == 1
        assert torchs._VF is theirs


@pytest.mark.parametrize("has_memcmp", [True, False])
def test_tensors_are_compared_bit_for_bit(monkeypatch: pytest.MonkeyPatch, *, has_memcmp: bool) -> None:
    """However they lie, in every dtype, with C's memcmp and where there is none."""
    if not has_memcmp:
        monkeypatch.setattr(weights, "_memcmp", lambda: None)
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        one = x_of(3, 4, 5).to(dtype)
        one[0, 0, :3] = torch.tensor([float("nan"), float("inf"), 0.0])
        lies_otherwise = one.transpose(0, 2).contiguous().transpose(0, 2)
        assert are_same_bits(one, one.clone())
        assert are_same_bits(one, lies_otherwise)
        assert are_same_bits(lies_otherwise, one)
        assert not are_same_bits(one, one.reshape(4, 3, 5))
        assert not are_same_bits(one, one.to(torch.float32 if dtype != torch.float32 else torch.float64))
        for index, value in (((0, 0, 2), -0.0), ((2, 3, 4), 9.0), ((0, 0, 0), 1.0)):
            other = one.clone()
            other[index] = value
            assert not are_same_bits(one, other)
            assert not are_same_bits(lies_otherwise, other)


def test_nothing_stays_behind_an_exception() -> None:
    model = nn.LSTM(3, 4)
    output = None

    def breaks() -> None:
        nonlocal output
        with rnnstep.capture(model):
            output, _ = model(x_of(4, 2, 3))
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        breaks()
    assert output is not None
    assert not output._backward_hooks
    with pytest.raises(RuntimeError), rnnstep.capture(model) as seen:
        model(x_of(4, 2, 5))
    assert seen.calls == []


def test_no_hook_stays_on_what_the_program_still_has() -> None:
    model, cell = nn.GRU(3, 4), nn.LSTMCell(3, 4)
    with rnnstep.capture() as seen:
        output, _ = model(x_of(4, 2, 3))
        h, c = cell(x_of(2, 3))
    output.sum().backward()
    h.sum().backward()
    assert not any(one._backward_hooks for one in (output, h, c))
    assert not any(one.recorded.gradients for one in seen.calls)


def test_captures_within_captures() -> None:
    model = nn.GRU(3, 4)
    with rnnstep.capture(model) as outer:
        model(x_of(4, 2, 3))
        with rnnstep.capture(model) as inner:
            output, _ = model(x_of(4, 2, 3))
            output.sum().backward()
        model(x_of(4, 2, 3))
    assert (len(outer), len(inner)) == (3, 1)
    assert inner.calls[0].grad().agrees
    assert outer.calls[1].grad().agrees
    with pytest.raises(rnnstep.errors.UsageError, match="running already"), outer, outer:
        pass


def test_other_threads_are_heard() -> None:
    model = nn.LSTM(3, 4)
    with rnnstep.capture(model) as seen:
        threads = [threading.Thread(target=model, args=(x_of(4, 2, 3),)) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert len(seen) == 4
    assert all(call.trace(torch=False).agrees for call in seen.calls)


def test_forward_called_by_itself_subclasses_and_functional_call() -> None:
    class Mine(nn.GRU):
        def forward(self, x: torch.Tensor, hx: Any = None) -> Any:
            return super().forward(x * 2, hx)

    mine, lstm = Mine(3, 4), nn.LSTM(3, 4)
    other = {name: one.detach() * 0.5 for name, one in lstm.named_parameters()}
    with rnnstep.capture() as seen:
        mine.forward(x_of(4, 2, 3))
        torch.func.functional_call(lstm, other, (x_of(4, 2, 3),))
    first, second = seen.calls
    np.testing.assert_array_equal(first.x, (x_of(4, 2, 3) * 2).numpy())
    np.testing.assert_array_equal(second.recorded.parameters["weight_hh_l0"], other["weight_hh_l0"].numpy())
    assert first.trace().agrees
    assert second.trace().agrees


def test_weights_that_are_made_anew() -> None:
    from torch.nn.utils.parametrizations import weight_norm

    lstm = weight_norm(nn.LSTM(3, 4), "weight_hh_l0")
    lstm.parametrizations.weight_hh_l0.original0.data *= 1.5
    with rnnstep.capture(lstm) as seen:
        output, _ = lstm(x_of(4, 2, 3))
        output.sum().backward()
    (call,) = seen.calls
    np.testing.assert_array_equal(
        call.recorded.parameters["weight_hh_l0"], lstm.weight_hh_l0.detach().numpy()
    )
    assert call.trace().agrees
    assert call.grad().agrees
    assert "weight_hh_l0" in call.recorded.gradients


def test_without_kernels_module_hooks_hear_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_kernels_there", lambda: (None, None))
    model = nn.ModuleDict({"rnn": nn.LSTM(3, 4, batch_first=True), "cell": nn.GRUCell(4, 4)})

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        packed = nn.utils.rnn.pack_padded_sequence(
            x_of(3, 5, 3), torch.tensor([2, 5, 4]), batch_first=True, enforce_sorted=False
        )
        output, (h_n, _) = model["rnn"](packed)
        model["rnn"](x_of(5, 3))
        state = None
        for _ in range(3):
            state = model["cell"](h_n[0], state)
        (output.data.sum() + state.sum()).backward()
        return [output.data, state, *(one.grad for one in model.parameters())]

    plain = [one.detach().clone() for one in run()]
    with rnnstep.capture(model) as seen:
        recorded = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, recorded, strict=True))
    assert seen.way == "hooks"
    assert "module(x)" in str(seen)
    assert [call.place for call in seen.calls] == ["rnn[0]", "rnn[1]", "cell[0]"]
    assert all(call.trace().agrees for call in seen.calls)
    assert seen["rnn"][0].grad().agrees
    assert seen["cell"][0].grad().agrees


# ── numbers that change behind one's back ────────────────────────────────────────────────────────


def changed_by_fused_step(one: nn.Parameter) -> None:
    one.grad = torch.ones_like(one)
    torch.optim.Adam([one], lr=0.5, fused=True).step()


def changed_by_data(one: nn.Parameter) -> None:
    one.data += 0.5


def changed_by_numpy(one: nn.Parameter) -> None:
    one.detach().numpy()[0, 0] += 0.5


def changed_by_new_data(one: nn.Parameter) -> None:
    one.data = one.data.clone() + 0.5


WAYS = [changed_by_fused_step, changed_by_data, changed_by_numpy, changed_by_new_data]


@pytest.mark.parametrize("change", WAYS)
def test_weights_that_change_between_calls(change: Any) -> None:
    lstm = nn.LSTM(3, 4)
    with rnnstep.capture(lstm) as seen, torch.no_grad():
        lstm(x_of(4, 2, 3))
        before = lstm.weight_hh_l0.detach().clone()
        change(lstm.weight_hh_l0)
        lstm(x_of(4, 2, 3))
    assert not torch.equal(before, lstm.weight_hh_l0)
    first, second = (call.recorded.parameters["weight_hh_l0"] for call in seen.calls)
    np.testing.assert_array_equal(first, before.numpy())
    np.testing.assert_array_equal(second, lstm.weight_hh_l0.detach().numpy())
    assert all(call.trace().agrees for call in seen.calls)


@pytest.mark.parametrize("change", WAYS)
def test_weights_of_a_cell_that_change_between_loops(change: Any) -> None:
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen, torch.no_grad():
        for _ in range(2):
            h = torch.zeros(2, 4)
            for t in range(3):
                h = cell(x_of(4, 2, 3)[t], h)
            change(cell.weight_hh)
    assert [call.recorded.num_steps for call in seen.calls] == [3, 3]
    assert all(call.trace().agrees for call in seen.calls)


def test_weights_that_are_the_same_are_copied_once() -> None:
    lstm = nn.LSTM(3, 4)
    with rnnstep.capture(lstm) as seen:
        for _ in range(3):
            lstm(x_of(4, 2, 3))
    assert len({id(call.live.weights) for call in seen.calls}) == 1
    lstm.weight_hh_l0.data[0, 0] = float("nan")  # which is not equal to itself
    with rnnstep.capture(lstm) as seen:
        for _ in range(3):
            lstm(x_of(4, 2, 3))
    assert len({id(call.live.weights) for call in seen.calls}) == 1
    assert not seen.calls[0].recorded.is_finite
    assert "no, from step 1" in str(seen)


def test_results_and_inputs_that_are_written_to_afterwards() -> None:
    gru, x = nn.GRU(3, 4), x_of(4, 2, 3)
    with rnnstep.capture(gru) as seen, torch.no_grad():
        output, h_n = gru(x)
        kept = output.clone(), h_n.clone()
        output.zero_()
        h_n.numpy()[:] = 7
        x += 1
    (call,) = seen.calls
    np.testing.assert_array_equal(call.output, kept[0].numpy())
    np.testing.assert_array_equal(call.h_n, kept[1].numpy())
    np.testing.assert_array_equal(call.x, x_of(4, 2, 3).numpy())


def test_what_is_handed_on_is_no_view() -> None:
    """Old programs detach states in place, which torch refuses on views."""
    gru, cell = nn.GRU(3, 4), nn.LSTMCell(3, 4)
    with rnnstep.capture():
        gru(x_of(4, 2, 3))[1].detach_()
        for state in cell(x_of(2, 3)):
            state.detach_()


# ── the way back ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointing_computes_twice_and_is_one_call(use_reentrant: bool) -> None:  # noqa: FBT001 - torch's word
    torch.manual_seed(0)
    model = nn.GRU(3, 4, num_layers=2)
    x = x_of(4, 2, 3).requires_grad_()

    def run() -> None:
        model.zero_grad()
        output = checkpoint(lambda given: model(given)[0], x, use_reentrant=use_reentrant)
        output.square().sum().backward()

    run()
    plain = [one.grad.clone() for one in model.parameters()]
    with rnnstep.capture(model) as seen:
        run()
    assert all(torch.equal(one, two.grad) for one, two in zip(plain, model.parameters(), strict=True))
    (call,) = seen.calls
    assert call.trace().agrees
    back = call.grad()
    assert back.agrees
    for name, one in model.named_parameters():
        np.testing.assert_allclose(back.parameters[name], one.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_two_backward_passes_add_up() -> None:
    model = nn.LSTM(3, 4)
    with rnnstep.capture(model) as seen:
        output, _ = model(x_of(4, 2, 3))
        output.sum().backward(retain_graph=True)
        output.square().sum().backward()
    back = seen.calls[0].grad()
    assert back.agrees
    np.testing.assert_allclose(
        back.parameters["weight_hh_l0"], model.weight_hh_l0.grad.numpy(), rtol=1e-4, atol=1e-6
    )


def test_a_pass_that_asks_for_some_gradients_has_no_share_of_the_others() -> None:
    model, x = nn.GRU(3, 4), x_of(4, 2, 3).requires_grad_()
    with rnnstep.capture(model) as seen:
        output, _ = model(x)
        torch.autograd.grad(output.sum(), x, retain_graph=True)
        output.square().sum().backward()
    (call,) = seen.calls
    assert "weight_hh_l0" not in call.recorded.gradients
    assert "x" in call.recorded.gradients
    assert call.grad().agrees


def test_gradients_of_gradients() -> None:
    model, x = nn.GRU(3, 4), x_of(4, 2, 3).requires_grad_()

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        output, _ = model(x)
        (g,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
        (output.sum() + g.square().sum()).backward()
        return [one.grad.clone() for one in model.parameters()]

    plain = run()
    with rnnstep.capture(model) as seen:
        recorded = run()
    assert all(torch.equal(one, other) for one, other in zip(plain, recorded, strict=True))
    (call,) = seen.calls
    assert set(call.recorded.gradients) == {"output"}  # what else autograd sent went other ways, too
    assert call.grad().agrees


def test_without_a_row_there_is_nothing_to_step() -> None:
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen:
        cell(torch.randn(0, 3))
    assert "(1, 0, 3)" in str(seen)
    with pytest.raises(rnnstep.errors.UsageError, match="without a row"):
        seen.calls[0].trace()


def test_a_residual_that_reads_the_same_input_has_its_share_alone() -> None:
    model, x = nn.GRU(4, 4), x_of(4, 2, 4).requires_grad_()
    with rnnstep.capture(model) as seen:
        (model(x)[0] + x).square().sum().backward()
    call = seen.calls[0]
    assert call.grad().agrees
    share = call.recorded.gradients["x"]
    total = x.grad.numpy()
    np.testing.assert_allclose(share + call.recorded.gradients["output"], total, rtol=1e-5, atol=1e-6)


# ── fewer digits ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_halves_are_stepped_in_float32_within_wider_bounds(kind: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = getattr(nn, kind)(3, 4, num_layers=2).to(dtype)
    with rnnstep.capture(model) as seen:
        output, _ = model(x_of(6, 2, 3).to(dtype))
        output.float().square().sum().backward()
    (call,) = seen.calls
    assert call.recorded.dtype == str(dtype).removeprefix("torch.")
    assert call.trace().agrees
    assert call.grad().agrees
    assert "computed in" in str(seen)
    wrong = call.recorded.output.copy()
    wrong[2, 1, 1] += 3.0  # one step rounds to 1/256, two layers and three steps to much more
    from dataclasses import replace

    from rnnstep.scenario.call.scenario_of_call import scenario_of_call

    assert not rnnstep.trace(scenario_of_call(replace(call.recorded, output=wrong), "wrong")).agrees


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_autocast_computes_in_fewer_digits_than_it_was_given(kind: str) -> None:
    torch.manual_seed(0)
    model = getattr(nn, kind)(3, 4)
    try:
        with torch.autocast("cpu", torch.bfloat16):
            model(x_of(6, 2, 3))
    except RuntimeError as error:
        if "could not create a primitive descriptor" not in str(error):
            raise
        # oneDNN's LSTM in bfloat16 asks for AVX-512
        pytest.skip(f"torch cannot on this processor: {error}")
    with rnnstep.capture(model) as seen, torch.autocast("cpu", torch.bfloat16):
        output, _ = model(x_of(6, 2, 3))
        output.float().square().sum().backward()
    (call,) = seen.calls
    assert call.recorded.dtype == "bfloat16"  # also of a GRU, which keeps its states in float32
    assert call.trace().agrees
    assert call.grad().agrees


class Scriptable(nn.Module):
    """A model that torch's script takes."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rnn(x)[0]


# ── what cannot be seen ──────────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # programs have it still
def test_a_scripted_module_is_named() -> None:
    model = nn.ModuleDict({"plain": nn.GRU(3, 4), "scripted": torch.jit.script(Scriptable())})
    with rnnstep.capture(model) as seen:
        model["plain"](x_of(4, 2, 3))
        model["scripted"](x_of(4, 2, 3))
    assert seen.names == ("plain",)
    assert "scripted.rnn: LSTM is scripted" in str(seen)


@pytest.mark.filterwarnings("ignore")  # programs have it still, and torch warns of what a trace fixes
def test_scripting_and_tracing_within_a_capture() -> None:
    model = Scriptable()
    with rnnstep.capture(model) as seen:
        scripted = torch.jit.script(model)
        traced = torch.jit.trace(model, (x_of(4, 2, 3),), check_trace=False)
    output = model(x_of(4, 2, 3))
    assert torch.equal(scripted(x_of(4, 2, 3)), output)
    assert torch.equal(traced(x_of(4, 2, 3)), output)
    assert "traced into a script" in str(seen)


def test_a_quantized_module_is_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch moves it to a package of its own
        quantized = torch.ao.quantization.quantize_dynamic(
            nn.ModuleDict({"rnn": nn.LSTM(3, 4)}), {nn.LSTM}, dtype=torch.qint8
        )
    with rnnstep.capture(quantized) as seen:
        pass
    assert "rnn: LSTM is quantized" in str(seen)


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # torch's own, with or without us
def test_vmap_and_meta_are_named() -> None:
    cell = nn.GRUCell(3, 4)
    with rnnstep.capture(cell) as seen:
        torch.vmap(cell)(x_of(2, 5, 3), x_of(2, 5, 4))
        nn.GRUCell(3, 4, device="meta")
    assert "torch.func" in str(seen)
    module = nn.GRU(3, 4, device="meta")
    with rnnstep.capture(module) as seen:
        module(torch.randn(4, 2, 3, device="meta"))
    assert "meta" in str(seen)


def test_what_ours_cannot_do_is_not_the_programs_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    from rnnstep.capturing.calls import WholeCall

    def broken(*_: Any) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(WholeCall, "took", broken)
    lstm = nn.LSTM(3, 4)
    with rnnstep.capture(lstm) as seen:
        output, _ = lstm(x_of(4, 2, 3))
    assert output.shape == (4, 2, 4)
    assert "could not be recorded: broken" in str(seen)


def test_inference_mode() -> None:
    lstm, cell = nn.LSTM(3, 4), nn.LSTMCell(3, 4)
    with rnnstep.capture() as seen, torch.inference_mode():
        lstm(x_of(4, 2, 3))
        state = None
        for t in range(3):
            state = cell(x_of(4, 2, 3)[t], state)
    assert [call.recorded.num_steps for call in seen.calls] == [4, 3]
    assert all(call.trace().agrees for call in seen.calls)


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_compiled_model_is_named_and_computes_the_same(is_broken: bool) -> None:  # noqa: FBT001 - a parameter
    """Dynamo leaves whole recurrent modules out of its graphs, and those are heard; a cell it compiles, in one graph as before."""
    model = nn.ModuleDict({"rnn": nn.LSTM(3, 4), "cell": nn.LSTMCell(3, 4)})

    def run(x: torch.Tensor) -> torch.Tensor:
        state = None
        for one in x:
            state = model["cell"](one, state)
        return model["rnn"](x)[0].sum() + state[0].sum() if is_broken else state[0].sum()

    plain = run(x_of(3, 2, 3))
    torch.compiler.reset()
    compiled = torch.compile(run, backend="eager", fullgraph=not is_broken)
    with rnnstep.capture(model) as seen:
        found = compiled(x_of(3, 2, 3))
    assert torch.equal(plain, found)
    assert torch.equal(plain, compiled(x_of(3, 2, 3)))
    if is_broken:
        assert all(call.trace().agrees for call in seen.calls)
        assert "rnn" in seen.names
    for name in set(model) - set(seen.names):
        assert f"{name}: " in str(seen)
        assert "compiled" in str(seen)
    torch.compiler.reset()
