"""A program whose loss a GradScaler scales is watched: gradients that overflow for the scale are no finding, others are."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.capturing.finding import Stopped


@pytest.fixture(autouse=True, scope="module")
def objects_of_other_tests_left_out() -> None:
    """A scaler is looked for among all objects: not among the hundreds of thousands that a run of tests holds."""
    gc.collect()
    gc.freeze()


class Training:
    """A small module that is trained with a scaled loss."""

    def __init__(self, kind: str = "LSTM", *, scale: float = 2.0**127, fused: bool = False) -> None:
        torch.manual_seed(0)
        self.module = getattr(nn, kind)(3, 4)
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr=0.1, fused=fused)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        self.x = torch.randn(6, 2, 3)
        self.scales: list[float] = []

    def output(self) -> torch.Tensor:
        if not isinstance(self.module, nn.RNNCellBase):
            return self.module(self.x)[0]  # type: ignore[no-any-return]
        state: Any = None
        outputs = []
        for one in self.x:
            state = self.module(one, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(outputs)

    def step(self, factor: float = 10.0) -> None:
        self.optimizer.zero_grad()
        loss = self.output().square().sum() * factor
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scales.append(self.scaler.get_scale())


def stopped(program: Callable[[], None]) -> Stopped:
    with pytest.raises(Stopped) as caught, rnnstep.watch():
        program()
    return caught.value


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "LSTMCell", "RNNCell"])
def test_a_scale_that_is_found_is_no_finding(kind: str, fused: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """The first passes overflow, and their updates are left out; the others learn as without."""
    plain, watched = Training(kind, fused=fused), Training(kind, fused=fused)
    for _ in range(12):
        plain.step()
    with rnnstep.watch():
        for _ in range(12):
            watched.step()
    assert watched.scales == plain.scales
    assert watched.scales[0] < 2.0**127  # one pass at least was left out
    assert watched.scales[-1] == watched.scales[-2]  # and the last ones were not
    for one, other in zip(plain.module.parameters(), watched.module.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_scaler_of_a_class_of_its_own() -> None:
    class Scaler(torch.amp.GradScaler):
        pass

    training = Training()
    training.scaler = Scaler("cpu", init_scale=2.0**127)
    with rnnstep.watch():
        training.step()
    assert training.scales == [2.0**126]


@pytest.mark.parametrize("kind", ["LSTM", "GRUCell"])
def test_what_is_not_finite_without_a_scale_is_found(kind: str) -> None:
    """NaN stays whatever the scale: once it is down at 1 the program is stopped."""
    training = Training(kind, scale=8.0)

    def program() -> None:
        for _ in range(10):
            training.step(float("nan"))

    found = stopped(program)
    assert training.scales == [4.0, 2.0, 1.0]
    place = found.finding.place
    assert place is not None
    assert ":backward:" in place


def test_an_update_without_the_scaler_is_found() -> None:
    """The scaler belongs to something else: what an optimizer is about to take is not finite."""
    training = Training()
    training.scaler.scale(training.output().sum())
    reached = []

    def program() -> None:
        (training.output().sum() * float("inf")).backward()
        reached.append("update")
        training.optimizer.step()
        reached.append("next")

    stopped(program)
    assert reached == ["update"]


@pytest.mark.parametrize("is_switched_off", [True, False])
def test_without_a_scaled_loss_the_pass_itself_is_stopped(is_switched_off: bool) -> None:  # noqa: FBT001 - a parameter of the test
    training = Training()
    if is_switched_off:
        training.scaler = torch.amp.GradScaler("cpu", enabled=False)
        training.scaler.scale(training.output().sum())
    gc.collect()  # no scaler of another test is left
    reached = []

    def program() -> None:
        (training.output().sum() * float("inf")).backward()
        reached.append("update")

    stopped(program)
    assert not reached
