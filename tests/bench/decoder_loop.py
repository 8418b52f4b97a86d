"""A decoder that asks attention with its own state, against the loop as one writes it in torch: `python tests/bench/decoder_loop.py`.

100 steps, hidden 64, attention over 100 steps. The engine keeps every value; torch's loop keeps h, the forward pass without autograd, and
with its way back. One thread, in turn, medians.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from rnnstep.engine import Model
from rnnstep.scenario.read import read_text

STEPS, HIDDEN, LEAST = 100, 64, 2.0
SCENARIO = """
[input]
random = {{shape = [{steps}, {rows}, {hidden}], seed = 0}}
[[layers]]
name = "encoder"
module = "GRU"
hidden_size = {hidden}
[[layers]]
name = "attention"
module = "Attention"
score = "{score}"
{size}
query = "decoder.h_prev"
memory = "encoder.output"
[[layers]]
name = "decoder"
module = "GRUCell"
input = ["input", "attention"]
hidden_size = {hidden}
[weights]
seed = 0
[target]
values = {target}
[loss]
over_time = "together"
"""


class ByHand(nn.Module):
    """The same with torch's modules; what does not depend on the loop's state is computed before it."""

    def __init__(self, score: str) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.GRU(HIDDEN, HIDDEN), nn.GRUCell(2 * HIDDEN, HIDDEN)
        self.score = score
        self.w, self.u = nn.Linear(HIDDEN, HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.v = nn.Linear(HIDDEN, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        memory = self.encoder(x)[0].transpose(0, 1)
        h, outputs = x.new_zeros(x.shape[1], HIDDEN), []
        seen = self.u(memory) if self.score == "additive" else memory
        for x_t in x:
            if self.score == "additive":
                scores = self.v(torch.tanh(self.w(h)[:, None] + seen))
            else:
                scores = torch.bmm(memory, h[..., None])
            context = torch.bmm(torch.softmax(scores, 1).transpose(1, 2), memory)[:, 0]
            h = self.decoder(torch.cat([x_t, context], -1), h)
            outputs.append(h)
        return torch.stack(outputs)


def medians(calls: list[Callable[[], object]], rounds: int = 9) -> list[float]:
    """The median time of each, measured in turn."""
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found[1:]) for found in times]


def measure(score: str, rows: int) -> None:
    """Print the ratios of one score and batch."""
    target = np.zeros((STEPS, rows, HIDDEN)).tolist()
    size = f"size = {HIDDEN}" if score == "additive" else ""
    model = Model(
        read_text(
            SCENARIO.format(steps=STEPS, rows=rows, hidden=HIDDEN, score=score, size=size, target=target)
        )
    )
    by_hand = ByHand(score)
    x = torch.tensor(model.scenario.batches[0].values)
    done = model.run_batch()
    criterion, wanted = nn.MSELoss(), torch.zeros(STEPS, rows, HIDDEN)

    def forward() -> object:
        with torch.no_grad():
            return by_hand(x)

    def back() -> object:
        by_hand.zero_grad()
        return criterion(by_hand(x), wanted).backward()

    ours, theirs, ours_back, theirs_back = medians(
        [model.run_batch, forward, lambda: model.backward(model.run_batch()), back]
    )
    assert done.loss is not None
    for what, one, other in (("forward", ours, theirs), ("and back", ours_back, theirs_back)):
        mark = "" if one <= LEAST * other else "  too slow"
        print(
            f"{score:10} rows {rows:2} {what:8} {1e3 * one:7.1f} ms, torch {1e3 * other:7.1f} ms: {one / other:.2f} ×{mark}"
        )


def main() -> None:
    """Measure both scores at batch 1 and 32."""
    torch.set_num_threads(1)
    for score in ("dot", "additive"):
        for rows in (1, 32):
            measure(score, rows)


if __name__ == "__main__":
    main()
