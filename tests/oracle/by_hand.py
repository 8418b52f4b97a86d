"""Calculations by hand, right and wrong: plain Python, one number after the other, rounded where a person would.

Written from the pages of torch.nn, without anything of the program's, so that marking has something to be held against.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

Vector = list[float]
Matrix = list[Vector]
Values = dict[str, Vector]

MISTAKES = {
    "RNN": [
        "no_b_ih",
        "no_b_hh",
        "no_bias",
        "bias_twice",
        "bias_after_activation",
        "no_activation",
        "sigmoid_for_tanh",
        "relu_for_tanh",
        "activation_per_term",
        "transposed_ih",
        "transposed_hh",
        "weights_swapped",
        "tan_for_tanh",
        "degrees",
        "h_stays_h_0",
        "x_of_previous_step",
        "x_of_next_step",
    ],
    "LSTM": [
        "no_b_ih",
        "no_b_hh",
        "no_bias",
        "bias_twice",
        "transposed_hh",
        "gates_ifog",
        "gates_iofg",
        "gates_icfo",
        "gates_i_f_swapped",
        "g_with_sigmoid",
        "h_without_tanh",
        "c_without_forget",
        "forget_is_one_minus_input",
        "c_for_h",
        "o_reads_c",
        "tanh_for_sigmoid",
        "h_stays_h_0",
        "x_of_previous_step",
    ],
    "GRU": [
        "no_b_ih",
        "no_b_hh",
        "no_bias",
        "bias_twice",
        "transposed_hh",
        "gru_reset_before",
        "gru_b_hn_outside",
        "gru_z_swapped",
        "gru_gates_zrn",
        "gru_no_reset",
        "gru_reset_over_both",
        "sigmoid_for_tanh",
        "h_stays_h_0",
        "x_of_previous_step",
    ],
}


class Pen:
    """Writes numbers down with so many decimals, each time or only now and then."""

    def __init__(self, decimals: int, share: float = 1.0, seed: int = 0) -> None:
        self.decimals = decimals
        self._share = share
        self._random = random.Random(seed)

    def __call__(self, value: float) -> float:
        return round(value, self.decimals) if self._random.random() < self._share else value

    def written(self, values: Vector) -> str:
        return " ".join(f"{value:.{self.decimals}f}" for value in values)


def times(w: Matrix, x: Vector, pen: Pen) -> Vector:
    return [pen(math.fsum(pen(a * b) for a, b in zip(row, x, strict=True))) for row in w]


def plus(a: Vector, b: Vector, pen: Pen) -> Vector:
    return [pen(u + v) for u, v in zip(a, b, strict=True)]


def each(a: Vector, b: Vector, pen: Pen) -> Vector:
    return [pen(u * v) for u, v in zip(a, b, strict=True)]


def of(function: Callable[[float], float], a: Vector, pen: Pen) -> Vector:
    return [pen(function(value)) for value in a]


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def turned(w: Matrix) -> Matrix:
    return [list(column) for column in zip(*w, strict=True)]


def biases(b_i: Vector, b_h: Vector, mistake: str | None) -> tuple[Vector, Vector]:
    nothing = [0.0] * len(b_i)
    if mistake == "bias_twice":
        return b_i, b_i
    return (
        nothing if mistake in ("no_b_ih", "no_bias") else b_i,
        nothing if mistake in ("no_b_hh", "no_bias") else b_h,
    )


def rnn(parameters: dict[str, list], x: Vector, h: Vector, pen: Pen, mistake: str | None) -> Values:
    w_i, w_h = parameters["weight_ih"], parameters["weight_hh"]
    b_i, b_h = biases(parameters["bias_ih"], parameters["bias_hh"], mistake)
    w_i = turned(w_i) if mistake == "transposed_ih" else w_i
    w_h = turned(w_h) if mistake == "transposed_hh" else w_h
    if mistake == "weights_swapped":
        w_i, w_h = w_h, w_i
    if mistake == "bias_after_activation":
        sum_ = plus(times(w_i, x, pen), times(w_h, h, pen), pen)
        return {"h": plus(plus(of(math.tanh, sum_, pen), b_i, pen), b_h, pen)}
    ih, hh = plus(times(w_i, x, pen), b_i, pen), plus(times(w_h, h, pen), b_h, pen)
    a = plus(ih, hh, pen)
    functions = {
        "no_activation": lambda v: v,
        "sigmoid_for_tanh": sigmoid,
        "relu_for_tanh": lambda v: max(v, 0.0),
        "tan_for_tanh": math.tan,
        "degrees": lambda v: math.tan(math.radians(v)),
    }
    if mistake == "activation_per_term":
        return {"h": plus(of(math.tanh, ih, pen), of(math.tanh, hh, pen), pen)}
    return {"ih": ih, "hh": hh, "a": a, "h": of(functions.get(mistake or "", math.tanh), a, pen)}


def gates(parameters: dict[str, list], order: str, mistake: str | None) -> dict[str, tuple]:
    """The weights and biases of each gate, the rows read in an order."""
    found = {}
    for number, gate in enumerate(order):
        parts = []
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            size = len(parameters[name]) // len(order)
            parts.append(parameters[name][number * size : (number + 1) * size])
        w_i, w_h, b_i, b_h = parts
        w_h = turned(w_h) if mistake == "transposed_hh" else w_h
        found[gate] = (w_i, w_h, *biases(b_i, b_h, mistake))
    return found


def lstm(
    parameters: dict[str, list], x: Vector, h: Vector, c: Vector, pen: Pen, mistake: str | None
) -> Values:
    order = {"gates_ifog": "ifog", "gates_iofg": "iofg", "gates_icfo": "igfo"}.get(mistake or "", "ifgo")
    v: Values = {}
    for gate, (w_i, w_h, b_i, b_h) in gates(parameters, order, mistake).items():
        read = c if mistake == "o_reads_c" and gate == "o" else h
        v[f"ih_{gate}"] = plus(times(w_i, x, pen), b_i, pen)
        v[f"hh_{gate}"] = plus(times(w_h, read, pen), b_h, pen)
        v[f"a_{gate}"] = plus(v[f"ih_{gate}"], v[f"hh_{gate}"], pen)
    for gate in "ifo":
        v[gate] = of(math.tanh if mistake == "tanh_for_sigmoid" else sigmoid, v[f"a_{gate}"], pen)
    v["g"] = of(sigmoid if mistake == "g_with_sigmoid" else math.tanh, v["a_g"], pen)
    if mistake == "forget_is_one_minus_input":
        v["f"] = [pen(1 - value) for value in v["i"]]
    kept, new = each(v["f"], c, pen), each(v["i"], v["g"], pen)
    if mistake == "gates_i_f_swapped":
        kept, new = each(v["i"], c, pen), each(v["f"], v["g"], pen)
    v["c"] = plus(c if mistake == "c_without_forget" else kept, new, pen)
    v["tanh_c"] = of(math.tanh, v["c"], pen)
    v["h"] = each(v["o"], v["c"] if mistake == "h_without_tanh" else v["tanh_c"], pen)
    return v | {"h": v["c"]} if mistake == "c_for_h" else v


def gru(parameters: dict[str, list], x: Vector, h: Vector, pen: Pen, mistake: str | None) -> Values:
    weights = gates(parameters, "zrn" if mistake == "gru_gates_zrn" else "rzn", mistake)
    v: Values = {}
    for gate in "rz":
        w_i, w_h, b_i, b_h = weights[gate]
        sum_ = plus(plus(times(w_i, x, pen), b_i, pen), plus(times(w_h, h, pen), b_h, pen), pen)
        v[gate] = of(sigmoid, sum_, pen)
    w_i, w_h, b_i, b_h = weights["n"]
    ih = plus(times(w_i, x, pen), b_i, pen)
    product = times(w_h, each(v["r"], h, pen) if mistake == "gru_reset_before" else h, pen)
    hh = plus(product, b_h, pen)
    if mistake in ("gru_no_reset", "gru_reset_before"):
        a = plus(ih, hh, pen)
    elif mistake == "gru_b_hn_outside":
        a = plus(plus(ih, each(v["r"], product, pen), pen), b_h, pen)
    elif mistake == "gru_reset_over_both":
        a = each(v["r"], plus(ih, hh, pen), pen)
    else:
        a = plus(ih, each(v["r"], hh, pen), pen)
    v["n"] = of(sigmoid if mistake == "sigmoid_for_tanh" else math.tanh, a, pen)
    rest = [pen(1 - value) for value in v["z"]]
    new, old = (v["z"], rest) if mistake == "gru_z_swapped" else (rest, v["z"])
    v["h"] = plus(each(new, v["n"], pen), each(old, h, pen), pen)
    return v


def run(scenario, pen: Pen, mistake: str | None = None, at: range | None = None) -> list[Values]:
    """Go through a scenario of one layer and row; the mistake is made in the steps `at`, or in all of them."""
    parameters = {
        name.removesuffix("_l0"): np.vectorize(lambda value: float(str(value)))(values).tolist()
        for name, values in scenario.parameters.items()
    }
    inputs = [[float(str(value)) for value in x] for x in scenario.batches[0].values[:, 0]]
    kind = scenario.cell.name
    size = scenario.recurrent.hidden_size
    h, c = [0.0] * size, [0.0] * size
    found = []
    for t, right in enumerate(inputs):
        here = mistake if at is None or t in at else None
        x, h_before, c_before = right, h, c
        if here == "h_stays_h_0":
            h_before, c_before = [0.0] * size, [0.0] * size
        shift = {"x_of_previous_step": -1, "x_of_next_step": 1}.get(here or "", 0)
        if shift:
            x = inputs[t + shift] if 0 <= t + shift < len(inputs) else [0.0] * len(x)
        if kind == "LSTM":
            values = lstm(parameters, x, h_before, c_before, pen, here)
            c = values["c"]
        else:
            values = (rnn if kind == "RNN" else gru)(parameters, x, h_before, pen, here)
        h = values["h"]
        found.append(values)
    return found
