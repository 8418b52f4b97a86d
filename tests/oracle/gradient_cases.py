"""Runs of many kinds of which torch's gradients are asked."""

from __future__ import annotations

import pytest

from tests.oracle.cases import (
    COMMON,
    FINAL,
    LINEAR,
    MGU,
    SUMMED,
    TOGETHER,
    Case,
    classes,
    given,
    model_of,
    numbers,
)

EVERYTHING = {
    "state": {"h": "hidden_size", "c": "hidden_size", "m": "hidden_size"},
    "parameters": {"W": "hidden_size, input_size", "U": "hidden_size, hidden_size", "b": "hidden_size"},
    "equations": """
twice = 2 * b
V = U * 0.5 + U * U
a = W @ x + V @ h_prev + twice / 3
same = a
s = softmax(same) + b[1] * a[0]
size = norm(a) + sum(abs(a)) - mean(a) + max(a) * min(a)
root = sqrt(exp(-a) + 0.1)
shut = (a > 0.01) * (c_prev < 5) + (a[0] <= 1 and not (a[-1] >= 2 or isnan(a[1])))
c = c_prev * 0.5 + shut * log(1 + s * s) - root / (1 + size)
m = c
h = relu(m) + tanh(c) * (s == s) * (a != 0.5) - 0.1 * m_prev
""",
}
CASES: dict[str, Case] = {
    **COMMON,
    "GRUCell": ("GRUCell", {}, {"target": classes(5, 3), "loss": TOGETHER}),
    "GRU": (
        "GRU",
        {"batch_first": True},
        {"target": classes(5, 3), "loss": SUMMED, "linear": LINEAR},
    ),
    "projected": ("LSTM", {"proj_size": 3}, {"target": classes(5, 3)}),
    "dropped, packed, final": (
        "GRU",
        {"num_layers": 3, "bidirectional": True, "dropout": 0.4, "mode": "train"},
        {"input": given([5, 3, 3], [3, 5, 1]), "linear": FINAL, "target": classes(3, ignored=(1,))},
    ),
    "embedding": (
        "GRU",
        {},
        {
            "input": {"indices": [[1, 0, 2], [0, 0, 1], [2, 1, 1]]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "linear": LINEAR,
            "target": classes(3, 3),
        },
    ),
    "MSE, summed, a call a step": (
        "GRUCell",
        {},
        {
            "target": numbers(5, 3, 2),
            "linear": {"out_features": 2},
            "loss": {"name": "MSELoss", "reduction": "sum"},
        },
    ),
    "half of it, smooth": (
        "LSTMCell",
        {},
        {
            "target": numbers(5, 3, 2),
            "linear": {"out_features": 2},
            "loss": {"name": "SmoothL1Loss", "beta": 0.75, "factor": 0.5},
        },
    ),
    "BCE, final": (
        "RNN",
        {},
        {
            "target": numbers(3, 2, below=1),
            "linear": {**FINAL, "out_features": 2},
            "loss": {"name": "BCEWithLogitsLoss"},
        },
    ),
    "own": ("mine", {}, {"cell": {"mine": MGU}, "linear": LINEAR, "target": classes(5, 3)}),
    "own, everything, packed": (
        "mine",
        {},
        {
            "cell": {"mine": EVERYTHING},
            "input": given([5, 3, 3], [3, 4, 1]),
            "target": classes(5, 3),
        },
    ),
}
every_case = pytest.mark.parametrize("case", CASES)


def done_of(make, case, dtype="float64"):
    return model_of(make, CASES[case], dtype).run_batch(0)
