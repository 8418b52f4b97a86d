"""Recorded calls on a screen: a picture where there is no terminal, never the application inside a running loop."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import types
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import torch
from torch import nn

import rnnstep
from rnnstep.capturing import Captured, showing
from rnnstep.errors import UsageError


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(3, 4)
        self.decoder = nn.GRUCell(3, 4)

    def forward(self, x: torch.Tensor, *, scale: float = 1.0) -> torch.Tensor:
        _, (h_n, _) = self.encoder(x * scale)
        h = h_n[0]
        for one in x:
            h = self.decoder(one, h)
        return h


@pytest.fixture
def seen() -> Captured:
    torch.manual_seed(0)
    model = Model()
    with rnnstep.capture(model) as found:
        model(torch.randn(3, 2, 3)).sum().backward()
    return found


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is shown in a notebook that stands in for one."""
    shown: list[Any] = []
    shell, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    shell.get_ipython = object  # type: ignore[attr-defined]
    display.display = shown.append  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_place_as_a_picture(seen: Captured) -> None:
    picture = seen["decoder"][0].view(at="2/L0/h[1]")
    assert ET.fromstring(picture.svg).tag.endswith("svg")
    assert picture._repr_svg_() == picture.svg
    assert "step 2/3 · L0 · h[1]" in str(picture)
    assert "✓ recorded" in str(picture)
    assert "\x1b" not in picture.svg + str(picture)
    back = seen["encoder"][0].view(at="backward:2/L0/∂c[1]", width=120, height=40)
    assert "backward" in str(back)
    with pytest.raises(UsageError):
        seen["decoder"][0].view(at="9/L7/x")


def test_without_a_terminal_or_a_notebook_it_is_said(seen: Captured) -> None:
    with pytest.raises(UsageError, match="needs a terminal"):
        seen.open()
    with pytest.raises(UsageError, match="needs a terminal"):
        seen.calls[0].open()


def test_in_a_notebook_there_is_a_picture_and_the_way_to_a_terminal(
    seen: Captured, notebook: list[Any]
) -> None:
    async def cell() -> None:
        assert showing.is_in_a_loop()
        seen.open(at="decoder[0]:2/L0/h[1]")

    asyncio.run(cell())
    picture, line = notebook
    assert "step 2/3 · L0 · h[1]" in str(picture)
    assert "rnnstep calls" in repr(line)


def test_a_loop_that_runs_keeps_the_application_out(seen: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    async def cell() -> bool:
        return showing.has_terminal()

    assert not asyncio.run(cell())


def test_the_table(seen: Captured) -> None:
    lines = str(seen).split("\n")
    assert lines[0].split()[:2] == ["call", "module"]
    assert lines[1].startswith("encoder[0]  LSTM")
    assert "(3, 2, 3)" in lines[2]
    html = seen._repr_html_()
    assert html.count("<tr>") == 3
    assert html.count("<svg") == 2
    assert "rnnstep calls" in html


def test_a_name_of_a_module_steers_nothing() -> None:
    model = nn.ModuleDict({"<b>\x1b[2J": nn.GRU(3, 4)})
    with rnnstep.capture(model) as found:
        model["<b>\x1b[2J"](torch.randn(3, 2, 3))
    assert "\x1b" not in str(found) + found._repr_html_()
    assert "<b>" not in found._repr_html_()


def test_steps_that_are_not_finite_are_marked() -> None:
    model = nn.GRU(3, 4)
    x = torch.randn(5, 1, 3)
    x[2, 0, 1] = float("inf")
    x[2, 0, 0] = -float("inf")
    with rnnstep.capture(model) as found:
        model(x)
    assert "no, from step 3" in str(found)
    assert found._repr_html_().count('fill="#c00"') == 3
    assert found.calls[0].trace().agrees


def test_a_table_of_many_calls_shows_the_first_and_the_last() -> None:
    model = nn.GRU(1, 1)
    with rnnstep.capture(model) as found, torch.no_grad():
        for _ in range(70):
            model(torch.randn(1, 1, 1))
    assert "… 10 more …" in str(found)
    assert "gru[69]" in str(found)


# ── debug ────────────────────────────────────────────────────────────────────────────────────────


def test_debug_captures_one_pass_and_leaves_gradients_alone(notebook: list[Any]) -> None:
    model = Model()
    found = rnnstep.debug(
        model, torch.randn(3, 2, 3), scale=2.0, loss=lambda y: y.sum(), at="decoder[0]:1/L0/h", rows=[1]
    )
    assert found["encoder"][0].recorded.num_rows == 1
    assert found["decoder"][0].grad().agrees
    assert all(one.grad is None for one in model.parameters())
    assert len(notebook) == 2
    with pytest.raises(UsageError, match="no recurrent module was called"):
        rnnstep.debug(nn.Linear(3, 2), torch.randn(1, 3))


def test_debug_in_a_program_without_a_terminal_ends_with_a_message() -> None:
    program = "import torch, rnnstep\nrnnstep.debug(torch.nn.GRU(1, 1), torch.ones(2, 1, 1))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert "needs a terminal" in done.stderr
    assert "\x1b" not in done.stdout
