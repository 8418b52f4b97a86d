"""The engine at batch 32 against loops written out in numpy by hand: `python tests/bench/written_loops.py`.

A loop has the fewest calls that its equations need: biases added up beforehand, the input's product for all steps at once, gates of one
kind together, every array made before the clock starts and used again; it keeps x W_ihᵀ and the states. The engine adds each bias where
torch does, keeps every sum and makes its arrays anew. Processor time, in turn, least and median.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Model
from rnnstep.scenario.read import read_text

T, B, INPUTS, H = 1000, 32, 128, 256
ROUNDS = 15
Array = NDArray[np.float32]
SCENARIO = """
input = {{random = {{shape = [{T}, {B}, {INPUTS}], seed = 0}}}}
recurrent = {{module = "{module}", hidden_size = {H}}}
weights = {{seed = 0}}
"""


def weights(parameters: Mapping[str, Array], gates: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    """Give W_ihᵀ, W_hhᵀ and both biases, the gates in another order."""
    columns = np.concatenate([np.arange(gate * H, (gate + 1) * H) for gate in gates])
    stacked = [parameters[f"{kind}_l0"][columns] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    return stacked[0].T.copy(), stacked[1].T.copy(), stacked[2].copy(), stacked[3].copy()


def rnn(parameters: Mapping[str, Array], x: Array) -> Callable[[], Array]:
    """h = tanh(x W_ihᵀ + h W_hhᵀ + b)."""
    w, u, b_ih, b_hh = weights(parameters, (0,))
    bias = b_ih + b_hh
    inputs, h, zero = np.empty((T, B, H), x.dtype), np.empty((T, B, H), x.dtype), np.zeros((B, H), x.dtype)

    def run() -> Array:
        np.dot(x.reshape(-1, INPUTS), w, inputs.reshape(-1, H))
        np.add(inputs, bias, inputs)
        before = zero
        for x_t, h_t in zip(inputs, h, strict=True):
            np.dot(before, u, h_t)
            np.add(h_t, x_t, h_t)
            np.tanh(h_t, h_t)
            before = h_t
        return h

    return run


def sigmoid(x: Array, out: Array) -> None:
    """1 / (1 + e^−x)."""
    np.negative(x, out)
    np.exp(out, out)
    np.add(out, np.float32(1), out)
    np.reciprocal(out, out)


def lstm(parameters: Mapping[str, Array], x: Array) -> Callable[[], Array]:
    """The gates i, f, o beside each other, g behind them."""
    w, u, b_ih, b_hh = weights(parameters, (0, 1, 3, 2))
    bias = b_ih + b_hh
    inputs = np.empty((T, B, 4 * H), x.dtype)
    h, c, zero = np.empty((T, B, H), x.dtype), np.empty((T, B, H), x.dtype), np.zeros((B, H), x.dtype)
    z, gates, g = np.empty((B, 4 * H), x.dtype), np.empty((B, 3 * H), x.dtype), np.empty((B, H), x.dtype)
    i, f, o = (gates[:, k * H : (k + 1) * H] for k in range(3))

    def run() -> Array:
        np.dot(x.reshape(-1, INPUTS), w, inputs.reshape(-1, 4 * H))
        np.add(inputs, bias, inputs)
        h_before = c_before = zero
        for x_t, c_t, h_t in zip(inputs, c, h, strict=True):
            np.dot(h_before, u, z)
            np.add(z, x_t, z)
            sigmoid(z[:, : 3 * H], gates)
            np.tanh(z[:, 3 * H :], g)
            np.multiply(f, c_before, c_t)
            np.multiply(i, g, g)
            np.add(c_t, g, c_t)
            np.tanh(c_t, h_t)
            np.multiply(o, h_t, h_t)
            h_before, c_before = h_t, c_t
        return h

    return run


def gru(parameters: Mapping[str, Array], x: Array) -> Callable[[], Array]:
    """h = n + u ⊙ (h − n), which needs one product less than torch's formula."""
    w, u, b_ih, b_hh = weights(parameters, (0, 1, 2))
    b_ih[: 2 * H] += b_hh[: 2 * H]
    inputs, h, zero = (
        np.empty((T, B, 3 * H), x.dtype),
        np.empty((T, B, H), x.dtype),
        np.zeros((B, H), x.dtype),
    )
    z, gates, n = np.empty((B, 3 * H), x.dtype), np.empty((B, 2 * H), x.dtype), np.empty((B, H), x.dtype)
    r, update = gates[:, :H], gates[:, H:]

    def run() -> Array:
        np.dot(x.reshape(-1, INPUTS), w, inputs.reshape(-1, 3 * H))
        np.add(inputs, b_ih, inputs)
        before = zero
        for x_t, h_t in zip(inputs, h, strict=True):
            np.dot(before, u, z)
            np.add(z[:, : 2 * H], x_t[:, : 2 * H], gates)
            sigmoid(gates, gates)
            np.add(z[:, 2 * H :], b_hh[2 * H :], n)
            np.multiply(r, n, n)
            np.add(n, x_t[:, 2 * H :], n)
            np.tanh(n, n)
            np.subtract(before, n, h_t)
            np.multiply(h_t, update, h_t)
            np.add(h_t, n, h_t)
            before = h_t
        return h

    return run


def times(calls: list[Callable[[], object]]) -> list[list[float]]:
    """The processor seconds of each call, sorted."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, taken in zip(calls, found, strict=True):
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
    return [sorted(taken) for taken in found]


def main() -> None:
    """Print a row for each module, once both agree."""
    for module, written in (("RNN", rnn), ("GRU", gru), ("LSTM", lstm)):
        model = Model(read_text(SCENARIO.format(**globals(), module=module)))
        done = model.run().passes[0]
        run = written(model.scenario.parameters, done.input)
        np.testing.assert_allclose(run(), done.output, atol=1e-5)
        ours, theirs = times([model.run, run])
        least, middle = ours[0] / theirs[0], ours[ROUNDS // 2] / theirs[ROUNDS // 2]
        print(
            f"{module:5} ({T}, {INPUTS}→{H}) batch {B}: least {least:4.2f} ×, median {middle:4.2f} × (≤ 1.1)"
        )


if __name__ == "__main__":
    main()
