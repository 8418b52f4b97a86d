"""Calls of live modules over time, recorded: bit for bit as without, traced and gone back through beside what they really gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import rnnstep
from rnnstep.capturing import Captured
from rnnstep.errors import UsageError

LENGTHS = (2, 5, 4)


class Holder(nn.Module):
    """A model with one recurrent module in it."""

    def __init__(self, rnn: nn.Module) -> None:
        super().__init__()
        self.rnn = rnn

    def forward(self, *given: Any) -> Any:
        return self.rnn(*given)


def loss_of(output: Any, ends: Any) -> torch.Tensor:
    """A loss that reaches every number of every result, each with a weight of its own."""
    output = output.data if isinstance(output, PackedSequence) else output
    every = [output, *(ends if isinstance(ends, tuple) else (ends,))]
    generator = torch.Generator().manual_seed(3)
    return sum((one * torch.randn(one.shape, generator=generator, dtype=one.dtype)).sum() for one in every)  # type: ignore[return-value]


class Case:
    """A module, and what it is called with."""

    def __init__(
        self,
        kind: str,
        *,
        packed: bool = False,
        unbatched: bool = False,
        states: bool = False,
        dtype: torch.dtype = torch.float32,
        **options: Any,
    ) -> None:
        torch.manual_seed(1)
        self.model = Holder(getattr(nn, kind)(3, 4, dtype=dtype, **options))
        first = options.get("batch_first", False)
        shape = (5, 3) if unbatched else (3, 5, 3) if first else (5, 3, 3)
        self.x = torch.randn(shape, dtype=dtype, requires_grad=True)
        self.packed, self.first = packed, first
        self.states: tuple[Any, ...] = ()
        if states:
            count = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
            sizes = [options.get("proj_size", 0) or 4, *([4] if kind == "LSTM" else [])]
            each = tuple(
                torch.randn((count, size) if unbatched else (count, 3, size), dtype=dtype).requires_grad_()
                for size in sizes
            )
            self.states = each
        self.is_lstm = kind == "LSTM"

    def run(self) -> list[torch.Tensor]:
        """One pass forth and back: the output, the states, and every gradient."""
        for one in (self.x, *self.states, *self.model.parameters()):
            one.grad = None
        torch.manual_seed(5)  # of the dropout masks
        x: Any = self.x
        if self.packed:
            x = pack_padded_sequence(x, torch.tensor(LENGTHS), self.first, enforce_sorted=False)
        given = () if not self.states else (self.states if self.is_lstm else self.states[0],)
        output, ends = self.model(x, *given)
        loss_of(output, ends).backward()
        shown = pad_packed_sequence(output, self.first)[0] if self.packed else output
        every = [shown, *(ends if isinstance(ends, tuple) else (ends,))]
        leaves = (self.x, *self.states, *self.model.parameters())
        return [one.detach().clone() for one in (*every, *(leaf.grad for leaf in leaves))]


CASES: dict[str, Callable[[str], Case]] = {
    "plain": Case,
    "deep, both ways, states": lambda kind: Case(kind, num_layers=2, bidirectional=True, states=True),
    "packed": lambda kind: Case(kind, packed=True, num_layers=2, states=True),
    "packed, rows first, both ways": lambda kind: Case(
        kind, packed=True, batch_first=True, bidirectional=True
    ),
    "rows first": lambda kind: Case(kind, batch_first=True, states=True),
    "unbatched": lambda kind: Case(kind, unbatched=True, states=True, num_layers=2),
    "unbatched, rows first": lambda kind: Case(kind, unbatched=True, batch_first=True),
    "dropout": lambda kind: Case(kind, num_layers=3, dropout=0.4, bidirectional=True),
    "dropout, packed": lambda kind: Case(kind, num_layers=2, dropout=0.4, packed=True, batch_first=True),
    "dropout, unbatched": lambda kind: Case(kind, num_layers=2, dropout=0.4, unbatched=True),
    "float64 without biases": lambda kind: Case(kind, dtype=torch.float64, bias=False),
}
EVERY = [(kind, case) for kind in ("RNN", "LSTM", "GRU") for case in CASES]


@pytest.mark.parametrize(("kind", "case"), EVERY)
def test_a_call_is_what_the_model_gave_and_the_program_notices_nothing(kind: str, case: str) -> None:
    made = CASES[case](kind)
    plain = made.run()
    with rnnstep.capture(made.model) as seen:
        recorded = made.run()
    for one, other in zip(plain, recorded, strict=True):
        assert torch.equal(one, other)
    (call,) = seen["rnn"]
    run, back = call.trace(), call.grad()
    assert run.agrees
    assert back.agrees
    assert run.reference is not None
    np.testing.assert_array_equal(run.reference.output, plain[0].numpy())
    np.testing.assert_array_equal(run.reference.h_n, plain[1].numpy())
    assert back.reference is not None
    for name, one in made.model.rnn.named_parameters():
        assert one.grad is not None
        np.testing.assert_array_equal(back.reference.parameters[name], one.grad.numpy())
        np.testing.assert_allclose(back.parameters[name], one.grad.numpy(), rtol=1e-4, atol=5e-6)
    assert made.x.grad is not None
    np.testing.assert_array_equal(call.recorded.gradients["x"], made.x.grad.numpy())
    assert set(back.comparisons[0].recorded) == {
        f"grad.{name}" for name, _ in made.model.rnn.named_parameters()
    }


def test_one_number_that_the_model_did_not_give_is_found() -> None:
    made = Case("LSTM", num_layers=2)
    with rnnstep.capture(made.model) as seen:
        made.run()
    recorded = seen["rnn"][0].recorded
    output = recorded.output.copy()
    output[3, 1, 2] += 1e-4
    from dataclasses import replace

    from rnnstep.scenario.call.scenario_of_call import scenario_of_call

    assert not rnnstep.trace(scenario_of_call(replace(recorded, output=output), "wrong")).agrees
    wrong = dict(recorded.gradients, weight_hh_l0=recorded.gradients["weight_hh_l0"] * np.float32(1.001))
    assert not rnnstep.grad(scenario_of_call(replace(recorded, gradients=wrong), "wrong")).agrees


def test_a_projection_and_relu() -> None:
    for made in (
        Case("LSTM", proj_size=2, states=True, num_layers=2),
        Case("RNN", nonlinearity="relu", bidirectional=True),
    ):
        with rnnstep.capture(made.model) as seen:
            made.run()
        (call,) = seen.calls
        assert call.trace().agrees
        assert call.grad().agrees


def test_gradients_of_several_calls_sum_to_grad() -> None:
    """A module that is called three times, with tied weights elsewhere: each call has its own share, bit for bit autograd's."""
    torch.manual_seed(0)
    model = nn.ModuleDict({"rnn": nn.GRU(4, 4, bidirectional=True), "top": nn.Linear(8, 4)})

    def run() -> None:
        model.zero_grad()
        torch.manual_seed(2)
        x = torch.randn(5, 2, 4)
        for _ in range(3):
            output, h_n = model["rnn"](x)
            x = model["top"](output) + x
        (x.square().sum() + h_n.sum()).backward()

    run()
    plain = [one.grad.clone() for one in model.parameters()]
    with rnnstep.capture(model) as seen:
        run()
    assert all(torch.equal(one, two.grad) for one, two in zip(plain, model.parameters(), strict=True))
    calls = seen["rnn"]
    assert [call.place for call in calls] == ["rnn[0]", "rnn[1]", "rnn[2]"]
    backs = [call.grad() for call in calls]
    assert all(back.agrees for back in backs)
    for name, one in model["rnn"].named_parameters():
        for found in (
            [back.parameters[name] for back in backs],
            [back.reference.parameters[name] for back in backs],
        ):
            np.testing.assert_allclose(sum(found), one.grad.numpy(), rtol=1e-5, atol=1e-5)


def test_a_penalty_on_the_weights_is_no_share_of_a_call() -> None:
    torch.manual_seed(0)
    model = Holder(nn.LSTM(3, 4))
    with rnnstep.capture(model) as seen:
        output, _ = model(torch.randn(4, 2, 3))
        (output.sum() + sum(one.square().sum() for one in model.parameters())).backward()
    assert seen["rnn"][0].grad().agrees


def test_a_call_without_a_backward_pass_says_so() -> None:
    model = Holder(nn.GRU(3, 4))
    with rnnstep.capture(model) as seen:
        model(torch.randn(4, 2, 3))
    assert seen["rnn"][0].trace().agrees
    with pytest.raises(UsageError, match="no gradient reached it"):
        seen["rnn"][0].grad()
    with rnnstep.capture(model, gradients=False) as seen:
        model(torch.randn(4, 2, 3))[0].sum().backward()
    with pytest.raises(UsageError, match="gradients=True"):
        seen["rnn"][0].grad()


def test_one_result_alone_may_have_a_gradient() -> None:
    model = Holder(nn.LSTM(3, 4, num_layers=2, bidirectional=True))
    for which in range(3):
        with rnnstep.capture(model) as seen:
            output, (h_n, c_n) = model(torch.randn(4, 2, 3))
            (output, h_n, c_n)[which].square().sum().backward()
        (call,) = seen.calls
        assert call.grad().agrees
        assert {"output", "h_n", "c_n"} & set(call.recorded.gradients) == {("output", "h_n", "c_n")[which]}


def test_rows_of_the_batch() -> None:
    for made, rows in (
        (Case("LSTM", num_layers=2, dropout=0.4, batch_first=True, states=True), [2, 0]),
        (Case("GRU", packed=True, bidirectional=True, states=True), [1]),
        (Case("RNN", states=True), slice(1, 3)),
    ):
        with rnnstep.capture(made.model, rows=rows) as seen:
            whole = made.run()
        (call,) = seen.calls
        found = [0, 1, 2][rows] if isinstance(rows, slice) else rows
        shown = whole[0].numpy()
        np.testing.assert_array_equal(call.output, shown[found] if made.first else shown[:, found])
        assert call.trace().agrees
        back = call.grad()
        assert back.agrees
        assert back.comparisons[0].recorded == ()  # autograd's share is that of all rows


# ── names ────────────────────────────────────────────────────────────────────────────────────────


def test_modules_have_the_names_of_the_model() -> None:
    model = nn.ModuleDict({"body": nn.ModuleDict({"encoder": nn.GRU(3, 4)}), "head": nn.LSTM(4, 2)})
    x = torch.randn(4, 2, 3)

    def run() -> None:
        model["head"](model["body"]["encoder"](x)[0])

    def names(*given: Any, **options: Any) -> tuple[str, ...]:
        with rnnstep.capture(*given, **options) as seen:
            run()
        return seen.names

    assert names(model) == ("body.encoder", "head")
    assert names(model, only="head") == ("head",)
    assert names(model, only="body") == ("body.encoder",)
    assert names(model, only=[nn.GRU]) == ("body.encoder",)
    assert names(model["head"]) == ("lstm",)
    assert names([model["head"], model["body"]]) == ("encoder", "lstm")
    assert names({"a": model["head"], "b": model["body"]}) == ("b.encoder", "a")
    assert names() == ("gru", "lstm")  # called by a function: nobody's attribute leads there


def test_without_a_model_callers_say_the_names() -> None:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.memory = nn.GRU(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.memory(x)[0]

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([Inner(), Inner()])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.blocks[0](x) + self.blocks[1](x)

    with rnnstep.capture() as seen:
        Outer()(torch.randn(4, 2, 3))
    assert seen.names == ("blocks.0.memory", "blocks.1.memory")


def test_what_is_asked_for_and_is_not_there() -> None:
    model = Holder(nn.GRU(3, 4))
    with rnnstep.capture(model) as seen:
        model(torch.randn(4, 2, 3))
    with pytest.raises(KeyError, match="rnn"):
        seen["encoder"]
    with pytest.raises(UsageError, match=r"there is no call rnn\[3\]:2; there are rnn\[0\]"):
        seen.at("rnn[3]:2")
    assert seen.at("rnn[0]:2/L0/h[1]") == (seen.calls[0], "2/L0/h[1]")
    assert seen.at("3") == (seen.calls[0], "3")
    with pytest.raises(UsageError, match="limit: found"):
        rnnstep.capture(limit="much")
    empty = Captured(model)
    with empty:
        pass
    with pytest.raises(UsageError, match="no recurrent module was called"):
        empty.at(None)
    assert "not called" in str(empty)
