"""Cells and scenarios with a loss, which the tests of our way back and those of torch's go through alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnstep.engine import Model

Case = tuple[str, dict[str, Any], dict[str, Any]]  # what goes into `make`: module, its options, the tables


def model_of(make, case: Case, dtype: str = "float64") -> Model:
    module, options, tables = case
    return Model(make(module, dtype=dtype, tables=tables, **options))


# ── tables ───────────────────────────────────────────────────────────────────────────────────


def classes(*shape: int, ignored: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Give classes 0 to 2 in some shape, ignored at some places."""
    found = np.random.default_rng(5).integers(0, 3, shape)
    for place in ignored:
        found[place] = -100
    return {"indices": found.tolist()}


def numbers(*shape: int, below: float = 2.0) -> dict[str, Any]:
    return {"values": np.random.default_rng(6).uniform(0, below, shape).round(3).tolist()}


def given(shape: list[int], lengths: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"random": {"shape": shape, "seed": 1}} | ({"lengths": lengths} if lengths else {}) | more


LINEAR, FINAL = {"out_features": 3}, {"out_features": 3, "from": "h_n"}
SUMMED, TOGETHER = {"over_time": "sum"}, {"over_time": "together"}

# ── cells ────────────────────────────────────────────────────────────────────────────────────

MGU = {
    "state": ["h"],
    "parameters": {
        "W_f": "hidden_size, input_size",
        "U_f": "hidden_size, hidden_size",
        "b_f": "hidden_size",
        "W_n": "hidden_size, input_size",
        "U_n": "hidden_size, hidden_size",
        "b_n": "hidden_size",
    },
    "equations": """
f = sigmoid(W_f @ x + U_f @ h_prev + b_f)
n = tanh(W_n @ x + U_n @ (f * h_prev) + b_n)
h = (1 - f) * h_prev + f * n
""",
}
WITH_A_SPARE = {**MGU, "parameters": {**MGU["parameters"], "spare": "hidden_size"}}  # which nothing reads

# ── scenarios ────────────────────────────────────────────────────────────────────────────────

COMMON: dict[str, Case] = {
    "RNNCell": ("RNNCell", {}, {"target": classes(5, 3)}),
    "LSTMCell": ("LSTMCell", {}, {"target": classes(5, 3), "linear": LINEAR}),
    "cell, packed": (
        "LSTMCell",
        {},
        {"input": given([6, 3, 2], [2, 5, 4]), "target": classes(6, 3, ignored=((0, 1), (5, 0)))},
    ),
    "RNN": ("RNN", {"nonlinearity": "relu"}, {"target": classes(5, 3)}),
    "LSTM": ("LSTM", {"bias": False}, {"target": classes(5, 3), "loss": {"reduction": "sum"}}),
    "deep, both ways, packed": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True},
        {
            "input": given([6, 4, 3], [2, 5, 1, 5]),
            "linear": LINEAR,
            "target": classes(6, 4, ignored=((5, 1), (2, 2))),
        },
    ),
    "projected, both ways, packed, final": (
        "LSTM",
        {"num_layers": 2, "bidirectional": True, "proj_size": 2},
        {"input": given([5, 3, 3], [5, 2, 4]), "linear": FINAL, "target": classes(3)},
    ),
    "final, padding walked over": (
        "RNN",
        {},
        {"input": given([5, 3, 3], [3, 5, 1], packed=False), "linear": FINAL, "target": classes(3)},
    ),
    "unbatched": ("LSTM", {"num_layers": 2}, {"input": numbers(5, 3), "target": classes(5)}),
    "unbatched cell": ("GRUCell", {}, {"input": numbers(5, 3), "target": classes(5)}),
    "initial state": (
        "LSTM",
        {"hidden_size": 2},
        {
            "initial_state": {"h_0": [[[0.5, -0.5], [1.0, 0.2]]], "c_0": [[[2.0, 0.1], [-1.0, 0.3]]]},
            "input": given([4, 2, 3]),
            "linear": LINEAR,
            "target": classes(4, 2),
        },
    ),
    "MSE": ("RNN", {}, {"target": numbers(5, 3, 4), "loss": {"name": "MSELoss"}}),
    "BCE": (
        "LSTM",
        {"bidirectional": True},
        {"target": numbers(5, 3, 8, below=1), "loss": {"name": "BCEWithLogitsLoss", **SUMMED}},
    ),
}
