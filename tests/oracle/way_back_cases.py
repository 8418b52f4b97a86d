"""Ways back of many kinds, the order of their steps, and how near their numbers are to others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.oracle.cases import (
    COMMON,
    FINAL,
    LINEAR,
    SUMMED,
    TOGETHER,
    WITH_A_SPARE,
    Case,
    classes,
    given,
    model_of,
    numbers,
)

OF_PARAMETERS = {
    "state": {"h": "hidden_size", "c": "hidden_size"},
    "parameters": {
        "W": "hidden_size, input_size",
        "U": "hidden_size, hidden_size",
        "b": "hidden_size",
        "k": "1",
    },
    "equations": """
twice = 2 * b
V = U * 0.5 + U * U
w = V @ tanh(twice)
a = W @ x + V @ h_prev + twice / 3 + w
c = c_prev * k + a * w - b[1] * a[0]
h = tanh(c) * softmax(a) + norm(a) * max(x)
""",
}
CASES: dict[str, Case] = {
    **COMMON,
    "GRUCell": ("GRUCell", {"bias": False}, {"target": classes(5, 3), "loss": TOGETHER}),
    "one row": ("LSTMCell", {"shape": [4, 1, 2]}, {"target": classes(4, 1), "linear": LINEAR}),
    "one row, one step": ("GRU", {"shape": [1, 1, 2]}, {"target": classes(1, 1)}),
    "one step": ("LSTM", {"shape": [1, 3, 2]}, {"target": classes(1, 3), "linear": LINEAR}),
    "GRU": ("GRU", {"batch_first": True, "shape": [3, 5, 4]}, {"target": classes(3, 5), "loss": SUMMED, "linear": LINEAR}),
    "both ways": ("GRU", {"bidirectional": True}, {"target": classes(5, 3), "linear": LINEAR}),
    "both ways, one row": ("RNN", {"bidirectional": True, "shape": [4, 1, 2]}, {"target": classes(4, 1)}),
    "projected": ("LSTM", {"proj_size": 3, "num_layers": 2}, {"target": classes(5, 3)}),
    "dropped": ("RNN", {"num_layers": 3, "dropout": 0.4, "mode": "train"}, {"target": classes(5, 3)}),
    "dropped, both ways, packed, final": (
        "GRU",
        {"num_layers": 2, "bidirectional": True, "dropout": 0.4, "mode": "train"},
        {"input": given([5, 3, 3], [3, 5, 1]), "linear": FINAL, "target": classes(3, ignored=(1,))},
    ),
    "embedding": (
        "GRU",
        {"num_layers": 2},
        {
            "input": {"indices": [[1, 0, 2], [0, 0, 1], [2, 1, 1]]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "linear": LINEAR,
            "target": classes(3, 3),
        },
    ),
    "embedding, one row, both ways": (
        "LSTM",
        {"bidirectional": True},
        {
            "input": {"indices": [3, 0, 3, 1]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3},
            "target": classes(4),
        },
    ),
    "embedding, packed": (
        "RNN",
        {},
        {
            "input": {"indices": [[1, 2, 0], [3, 1, 1], [0, 2, 0]], "lengths": [2, 3, 1]},
            "embedding": {"num_embeddings": 4, "embedding_dim": 3, "padding_idx": 0},
            "target": classes(3, 3),
        },
    ),
    "MSE, summed": (
        "GRUCell",
        {},
        {"target": numbers(5, 3, 3), "linear": LINEAR, "loss": {"name": "MSELoss", "reduction": "sum"}},
    ),
    "BCE, final": (
        "RNN",
        {},
        {"target": numbers(3, 3, below=1), "linear": FINAL, "loss": {"name": "BCEWithLogitsLoss"}},
    ),
    "several batches": (
        "GRU",
        {},
        {
            "input": {"values": np.linspace(-1, 1, 9).round(3).tolist(), "windows": {"length": 3, "batch_size": 4}},
            "linear": LINEAR,
            "target": classes(3, 9),
        },
    ),
    "a cell of one's own": ("mine", {}, {"cell": {"mine": WITH_A_SPARE}, "linear": LINEAR, "target": classes(5, 3)}),
    "a cell with lines of parameters alone": (
        "mine",
        {},
        {"cell": {"mine": OF_PARAMETERS}, "input": given([5, 3, 3], [3, 4, 1]), "target": classes(5, 3)},
    ),
    "the same, one row": (
        "mine",
        {"shape": [4, 1, 3]},
        {"cell": {"mine": OF_PARAMETERS}, "target": classes(4, 1)},
    ),
    "a softmax too many": (
        "RNN",
        {},
        {"target": classes(5, 3), "training": {"mistake": "softmax_before_cross_entropy"}},
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES)


def backs_of(make, case: str, dtype: str = "float64") -> list[Any]:
    """The ways back of all batches."""
    model = model_of(make, CASES[case], dtype)
    return [model.backward(model.run_batch(index)) for index in range(len(model.scenario.batches))]


def steps_of(back: Any, key: str) -> range:
    """A block's steps in the order of the way back."""
    done = back.done
    if done.by_key[key].extent.is_single:
        return range(done.batch.first.num_steps - 1, done.batch.first.num_steps)
    last = (
        max(done.batch.first.axis.last_step(row) for row in range(done.batch.num_rows)) + 1
        if key in done.runs
        else done.batch.first.num_steps
    )
    return range(last) if key.endswith("←") else range(last - 1, -1, -1)


def close(found: Any, expected: Any, of: str) -> None:
    expected = np.asarray(expected)
    size = float(np.abs(expected).max(initial=0))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12 * max(size, 1e-3), err_msg=of)
