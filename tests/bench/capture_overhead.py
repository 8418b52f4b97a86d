"""What recording live modules, and watching them, costs, as ratios against the plain pass in the same run: `python tests/bench/capture_overhead.py`.

One thread, plain and recorded in turn, the least of each: what else the machine does makes both slower. Processor time, not the
clock's. Aimed at: at most 10 % of a forward pass without gradients, 30 % of one forth and back with gradients recorded, at H 256,
B 32, T 100; 40 % of a loop of cells; watching at most 20 % of one forth and back. The last row misses all three by far: at such sizes
a step of torch's takes no longer than the Python that tells where it belongs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import rnnstep

STEPS = 100
WATCHED = 20  # percent that watching may cost, forth and back


@dataclass(frozen=True)
class Case:
    """A module and its sizes, and what recording it may cost, in percent: forward, forth and back."""

    kind: str
    rows: int
    hidden: int
    forward: float
    both: float


CASES = (
    Case("RNN", 32, 256, 10, 30),
    Case("LSTM", 32, 256, 10, 30),
    Case("GRU", 32, 256, 10, 30),
    Case("RNNCell", 32, 256, 40, 40),
    Case("LSTMCell", 32, 256, 40, 40),
    Case("GRUCell", 32, 256, 40, 40),
    Case("LSTMCell", 8, 64, 40, 40),
)


def least(calls: list[Callable[[], object]], seconds: float = 4.0) -> list[float]:
    """Time calls in turn until the seconds are over (five rounds at least); give each one's least processor time."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for call, found in zip(calls, times, strict=True):
            start = time.process_time()
            call()
            found.append(time.process_time() - start)
    return [min(found) for found in times]


def recorded(call: Callable[[], object]) -> Callable[[], object]:
    """The same while it is recorded."""

    def inner() -> object:
        with rnnstep.capture() as seen:
            call()
        return seen

    return inner


def watched(call: Callable[[], object]) -> Callable[[], object]:
    """The same while it is watched."""

    def inner() -> object:
        with rnnstep.watch() as watch:
            call()
        return watch

    return inner


def main() -> int:
    """Print a row a case; the exit status says whether all ratios are reached."""
    torch.set_num_threads(1)
    is_reached = True
    for case in CASES:
        module = getattr(nn, case.kind)(case.hidden, case.hidden)
        x = torch.randn(STEPS, case.rows, case.hidden)

        def run(module: Any = module, x: torch.Tensor = x, case: Case = case) -> torch.Tensor:
            if not case.kind.endswith("Cell"):
                return module(x)[0]  # type: ignore[no-any-return]
            state = None
            for one in x:
                state = module(one, state)
            return state[0] if isinstance(state, tuple) else state  # type: ignore[return-value]

        def forward(run: Callable[[], torch.Tensor] = run) -> None:
            with torch.no_grad():
                run()

        def both(run: Callable[[], torch.Tensor] = run, module: Any = module) -> None:
            module.zero_grad()
            run().sum().backward()

        plain, heard, plain_both, heard_both, looked_at = least(
            [forward, recorded(forward), both, recorded(both), watched(both)]
        )
        costs = 100 * (heard / plain - 1), 100 * (heard_both / plain_both - 1)
        watching = 100 * (looked_at / plain_both - 1)
        is_fine = costs[0] <= case.forward and costs[1] <= case.both and watching <= WATCHED
        is_reached &= is_fine
        print(
            f"{case.kind:9} H {case.hidden:3} B {case.rows:2}  forward {costs[0]:+6.1f} % (≤ {case.forward:g})"
            f"  forth and back {costs[1]:+6.1f} % (≤ {case.both:g})"
            f"  watched {watching:+6.1f} % (≤ {WATCHED})  {'' if is_fine else 'missed'}",
            flush=True,
        )
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
