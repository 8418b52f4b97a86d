"""Scenarios made on the spot, as a file of their tables would say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tomlkit
import torch

from rnnstep.reference import complete
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read_text

Make = Callable[..., Scenario]

# Threads that wait for one another by turning round make a busy machine slower a hundred times.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def make() -> Make:
    """`make("LSTM", num_layers=2, shape=[5, 2, 3], dtype="float64", linear={…})` gives a complete scenario."""
    return scenario_of


def scenario_of(
    module: str,
    *,
    shape: list[int] | None = None,
    dtype: str = "float32",
    hidden_size: int = 4,
    scale: float = 1.0,
    tables: dict[str, Any] | None = None,
    **recurrent: Any,
) -> Scenario:
    """Give a complete scenario; `tables` are added to or replace those made of the other arguments."""
    data: dict[str, Any] = {
        "input": {"random": {"shape": shape or [5, 3, 4], "seed": 1}},
        "recurrent": {"module": module, "hidden_size": hidden_size, **recurrent},
        "weights": {"seed": 2},
        "display": {"dtype": dtype},
    }
    scenario = complete(read_text(tomlkit.dumps({**data, **(tables or {})})))
    if scale == 1.0:
        return scenario
    with np.errstate(over="ignore"):
        return scenario.with_parameters(
            {name: (value * scale).astype(value.dtype) for name, value in scenario.parameters.items()}
        )
