"""A loss, its way back and an update by hand, right and wrong: an RNNCell whose state is the logits, as in `hello`."""

from __future__ import annotations

import math

import numpy as np

MISTAKES = {
    "loss": ["softmax_twice", "log10", "log2", "mean_for_sum", "one_minus_p"],
    "grad.weight_hh": [
        "no_recurrent_gradient",
        "recurrent_gradient_without_derivative",
        "longest_chain_only",
        "u_for_u_transposed",
        "derivative_at_preactivation",
        "gradient_sign",
    ],
    "update.weight_hh": ["adam_no_correction", "adam_only_v_corrected", "adam_only_m_corrected"],
}


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


class Hello:
    """`hello` in numpy's float64, all of it written out."""

    def __init__(self, scenario) -> None:
        self.w = {name: value.astype(float) for name, value in scenario.parameters.items()}
        self.x = scenario.batches[0].values[:, 0].astype(float)
        self.y = scenario.batches[0].target[:, 0]
        self.h = [np.zeros(4)]
        self.a = []
        for x in self.x:
            ih = self.w["weight_ih"] @ x + self.w["bias_ih"]
            self.a.append(ih + self.w["weight_hh"] @ self.h[-1] + self.w["bias_hh"])
            self.h.append(np.tanh(self.a[-1]))

    def loss(self, mistake: str | None = None) -> float:
        each = []
        for h, y in zip(self.h[1:], self.y, strict=True):
            p = softmax(softmax(h) if mistake == "softmax_twice" else h)[y]
            logarithm = {"log10": math.log10, "log2": math.log2}.get(mistake or "", math.log)
            each.append(1 - p if mistake == "one_minus_p" else -logarithm(p))
        return sum(each) / (len(each) if mistake == "mean_for_sum" else 1)

    def gradient(self, mistake: str | None = None) -> np.ndarray:
        """∂L/∂W_hh."""
        u = self.w["weight_hh"]
        total, later = np.zeros((4, 4)), np.zeros(4)
        for t in reversed(range(len(self.x))):
            above = softmax(self.h[t + 1])
            above[self.y[t]] -= 1
            above = -above if mistake == "gradient_sign" else above
            inner = self.a[t] if mistake == "derivative_at_preactivation" else self.h[t + 1]
            slope = 1 - inner * inner
            coming = np.zeros(4) if mistake == "no_recurrent_gradient" else later
            if mistake == "recurrent_gradient_without_derivative":
                delta = above * slope + coming
            else:
                delta = (above + coming) * slope
            share = np.outer(delta, self.h[t])
            total = share if mistake == "longest_chain_only" else total + share
            later = (u if mistake == "u_for_u_transposed" else u.T) @ delta
        return total

    def update(self, mistake: str | None = None, lr: float = 0.1) -> np.ndarray:
        """What Adam takes off W_hh in the first update."""
        grad = self.gradient()
        m, v = 0.1 * grad, 0.001 * grad * grad
        if mistake not in ("adam_no_correction", "adam_only_v_corrected"):
            m = m / 0.1
        if mistake not in ("adam_no_correction", "adam_only_m_corrected"):
            v = v / 0.001
        return lr * m / (np.sqrt(v) + 1e-8)

    def value(self, name: str, mistake: str | None = None) -> np.ndarray:
        """Any of the three."""
        ways = {"loss": self.loss, "grad.weight_hh": self.gradient, "update.weight_hh": self.update}
        return np.atleast_1d(ways[name](mistake))
