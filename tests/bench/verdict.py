"""How long torch's verdict on a long run takes, against a plain loop over torch's cell: `python tests/bench/verdict.py [STEPS [HIDDEN]]`.

The verdict is torch's own run (the whole module, then step by step) and judging ours beside it. Reach: at 100,000 steps of an LSTM of 256,
one row, at most 3 × the loop, which keeps h alone and judges nothing; our own run stays under 1 GiB there.
Processor time of one thread, the loop before and after.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch

from rnnstep.engine import Model
from rnnstep.reference import complete
from rnnstep.reference.judge.forward import judge
from rnnstep.reference.run.forward import run_reference
from rnnstep.scenario.read import read_text

STEPS, HIDDEN = 20_000, 256
SCENARIO = """
input = {{random = {{shape = [{steps}, {hidden}], seed = 0}}}}
recurrent = {{module = "LSTM", hidden_size = {hidden}}}
weights = {{seed = 0}}
"""
Found = TypeVar("Found")


def timed(call: Callable[[], Found]) -> tuple[Found, float]:
    """Give what a call gives, and the processor seconds it takes."""
    start = time.process_time()
    found = call()
    return found, time.process_time() - start


def peak() -> float:
    """The most memory that this process has had so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def loop(steps: int, hidden: int) -> None:
    """Step torch's cell, as one writes it."""
    cell, x = torch.nn.LSTMCell(hidden, hidden), torch.randn(steps, 1, hidden)
    with torch.no_grad():
        h = c = torch.zeros(1, hidden)
        for x_t in x:
            h, c = cell(x_t, (h, c))


def main(steps: int = STEPS, hidden: int = HIDDEN) -> None:
    """Print the parts of the verdict as shares of the loop."""
    torch.set_num_threads(1)
    scenario = complete(read_text(SCENARIO.format(steps=steps, hidden=hidden)))
    trace, own = timed(Model(scenario).run)
    memory, done = peak(), trace.passes[0]
    _, before = timed(lambda: loop(steps, hidden))
    reference, of_torch = timed(lambda: run_reference(done))
    verdict, judging = timed(lambda: judge(done, reference))
    _, after = timed(lambda: loop(steps, hidden))
    plain = float(np.mean((before, after)))
    assert verdict.agrees, verdict.faults
    print(f"LSTM {hidden}, {steps} steps; the loop over torch's cell takes {plain:.2f} s")
    print(f"our run      {own / plain:5.2f} ×, up to {memory:.2f} GiB (< 1)")
    print(f"torch's runs {of_torch / plain:5.2f} ×")
    print(f"judging      {judging / plain:5.2f} ×, up to {peak():.2f} GiB")
    print(f"the verdict  {(of_torch + judging) / plain:5.2f} × (≤ 3)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
