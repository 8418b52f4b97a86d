"""Normalizations by hand, right and wrong: plain Python, one number after the other, rounded where a person would.

Written from the pages of torch.nn.LayerNorm and BatchNorm1d, without anything of the program's.
"""

from __future__ import annotations

import math

from tests.oracle.by_hand import Pen, Vector, each, plus, rnn, times
from tests.oracle.by_hand_network import numbers

MODULE = """
[input]
values = {values}
[[layers]]
name = "norm"
module = "{module}"
eps = {eps}
[[layers]]
name = "rnn"
module = "RNN"
hidden_size = 2
[weights]
seed = {seed}
round = 2
"norm.weight" = [0.9, -1.2, 0.7, 1.1]
"norm.bias" = [0.1, 0.2, -0.3, 0.0]
{running}
"""
CELL = """
[input]
values = {values}
[recurrent]
module = "ln"
hidden_size = 3
[cell.ln]
state = ["h"]
parameters = {{W = "hidden_size, input_size", U = "hidden_size, hidden_size", g = "hidden_size", b = "hidden_size"}}
equations = \"\"\"
s = W @ x + U @ h_prev
n = layer_norm(s, g, b)
h = tanh(n)
\"\"\"
[weights]
seed = {seed}
round = 2
"""
RUNNING = '"norm.running_mean" = [0.3, -0.2, 0.1, 0.4]\n"norm.running_var" = [0.08, 0.3, 0.05, 0.12]'


def layer_norm(a: Vector, weight: Vector, bias: Vector, eps: float, pen: Pen, mistake: str | None) -> Vector:
    """(a − mean) / √(var + eps) · weight + bias."""
    mean = pen(pen(math.fsum(a)) / len(a))
    centred = [pen(value - mean) for value in a]
    squares = [pen(value * value) for value in centred]
    count = len(a) - 1 if mistake == "unbiased_variance" else len(a)
    return _scaled(centred, pen(pen(math.fsum(squares)) / count), weight, bias, eps, pen, mistake)


def batch_norm(
    a: Vector,
    running: tuple[Vector, Vector],
    weight: Vector,
    bias: Vector,
    eps: float,
    pen: Pen,
    mistake: str | None,
) -> Vector:
    """The same with the mean and the variance that training left, each element its own."""
    found = []
    for value, mean, variance, w, b in zip(a, *running, weight, bias, strict=True):
        found += _scaled([pen(value - mean)], variance, [w], [b], eps, pen, mistake)
    return found


def _scaled(
    centred: Vector, variance: float, weight: Vector, bias: Vector, eps: float, pen: Pen, mistake: str | None
) -> Vector:
    inside = variance if mistake == "eps_left_out" else pen(variance + eps)
    root = pen(math.sqrt(inside)) or math.sqrt(
        variance + eps
    )  # nobody divides by what was rounded to nothing
    return plus(each([pen(value / root) for value in centred], weight, pen), bias, pen)


def of_module(scenario, eps: float, pen: Pen, mistake: str | None) -> list[dict[str, Vector]]:
    """What the normalization gives at each step, and the h above it."""
    p = {name: numbers(value) for name, value in scenario.parameters.items()}
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    recurrent = {name: p[f"rnn.{name}_l0"] for name in names}
    found, h = [], [0.0, 0.0]
    for x in numbers(scenario.batches[0].values[:, 0]):
        if "norm.running_mean" in p:
            running = p["norm.running_mean"], p["norm.running_var"]
            n = batch_norm(x, running, p["norm.weight"], p["norm.bias"], eps, pen, mistake)
        else:
            n = layer_norm(x, p["norm.weight"], p["norm.bias"], eps, pen, mistake)
        h = rnn(recurrent, n, h, pen, None)["h"]
        found.append({"norm": n, "h": h})
    return found


def of_cell(scenario, pen: Pen, mistake: str | None) -> list[dict[str, Vector]]:
    """What the cell of `CELL` has at each step."""
    p = {name: numbers(value) for name, value in scenario.parameters.items()}
    p = {name.removesuffix("_l0"): value for name, value in p.items()}
    found, h = [], [0.0] * 3
    for x in numbers(scenario.batches[0].values[:, 0]):
        s = plus(times(p["W"], x, pen), times(p["U"], h, pen), pen)
        n = layer_norm(s, p["g"], p["b"], 1e-5, pen, mistake)
        h = [pen(math.tanh(value)) for value in n]
        found.append({"s": s, "n": n, "h": h})
    return found


def of_batch(scenario, eps: float, pen: Pen, mistake: str | None) -> list[list[Vector]]:
    """What BatchNorm1d gives in training mode, of each step and row: mean and variance are those of all of them."""
    p = {name: numbers(value) for name, value in scenario.parameters.items()}
    steps = numbers(scenario.batches[0].values)
    every = [x for step in steps for x in step]
    columns = [list(one) for one in zip(*every, strict=True)]
    means = [pen(pen(math.fsum(column)) / len(column)) for column in columns]
    count = len(every) - 1 if mistake == "unbiased_variance" else len(every)
    variances = []
    for column, mean in zip(columns, means, strict=True):
        centred = [pen(value - mean) for value in column]
        variances.append(pen(pen(math.fsum(pen(value * value) for value in centred)) / count))
    weight, bias = p["norm.weight"], p["norm.bias"]
    return [
        [batch_norm(x, (means, variances), weight, bias, eps, pen, mistake) for x in step] for step in steps
    ]
