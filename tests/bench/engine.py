"""How fast the engine is, as ratios against torch taken in the same run: `python tests/bench/engine.py`.

One thread, batch by batch in turn, medians. `trace` is `scenario.run()`: every intermediate value at
hand. torch.nn keeps none of them; the loop over torch's cell keeps h alone. TorchLens is measured
where it is installed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from rnnstep.engine import Model
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.reference.run.equations import TorchValues
from rnnstep.scenario.read import read_text

SCENARIO = """
[input]
random = {{shape = [{steps}, {rows}, {inputs}], seed = 0}}
[recurrent]
module = "{module}"
hidden_size = {hidden}
[weights]
seed = 0
[display]
dtype = "{dtype}"
"""


@dataclass(frozen=True)
class Case:
    """A size, and the ratios to reach against torch.nn and against a loop over torch's cell."""

    module: str
    steps: int
    rows: int
    inputs: int
    hidden: int
    against_module: float
    against_loop: float | None
    dtype: str = "float32"


CASES = (
    Case("RNN", 5, 1, 4, 4, 0.7, 0.5),
    Case("LSTM", 5, 1, 4, 4, 0.7, 0.5),
    Case("GRU", 5, 1, 4, 4, 0.8, 0.7),
    Case("RNN", 1000, 1, 128, 128, 0.8, 0.4),
    Case("LSTM", 1000, 1, 128, 128, 3.2, 0.5),
    Case("LSTM", 1000, 1, 128, 128, 0.9, None, "float64"),
    Case("GRU", 1000, 1, 128, 128, 1.0, 0.6),
    Case("RNN", 1000, 32, 128, 256, 1.1, 0.95),
    Case("LSTM", 1000, 32, 128, 256, 2.5, 1.5),
    Case("GRU", 1000, 32, 128, 256, 1.8, 1.6),
)


def medians(calls: list[Callable[[], object]], seconds: float = 2.0) -> list[float]:
    """Time calls in turn until the seconds are over (three rounds at least); give each one's median."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 3:
        for call, found in zip(calls, times, strict=True):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def torch_module(case: Case) -> tuple[torch.nn.Module, torch.nn.Module, torch.Tensor]:
    """Give torch's whole module, its cell, and the input; all of the scenario's dtype."""
    dtype = getattr(torch, case.dtype)
    torch.manual_seed(0)
    whole = getattr(torch.nn, case.module)(case.inputs, case.hidden).to(dtype)
    cell = getattr(torch.nn, f"{case.module}Cell")(case.inputs, case.hidden).to(dtype)
    values = np.random.default_rng(0).standard_normal((case.steps, case.rows, case.inputs))
    return whole, cell, torch.tensor(values).to(dtype)


def loop(cell: torch.nn.Module, x: torch.Tensor) -> object:
    """Loop over torch's cell as course programs do."""
    state = None
    for x_t in x:
        state = cell(x_t, state)
    return state


def measure(case: Case) -> None:
    """Print one row of the table."""
    model = Model(read_text(SCENARIO.format(**case.__dict__)))
    whole, cell, x = torch_module(case)
    ours, theirs, looped = medians([model.run, lambda: whole(x), lambda: loop(cell, x)])
    size = f"({case.steps}, {case.inputs}→{case.hidden}) batch {case.rows} {case.dtype}"
    wanted = f"≤ {case.against_module}"
    line = f"{case.module:5} {size:40} torch.nn {ours / theirs:5.2f} × ({wanted})"
    if case.against_loop is not None:
        line += f"   loop {ours / looped:5.2f} × (≤ {case.against_loop})"
    print(line, f"  {ours * 1e6:9.0f} µs")


class Written(torch.nn.Module):
    """A cell written out in torch's operations, a line for each of its equations, and looped over."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        (self.block,) = model.blocks
        self.known = {name: torch.tensor(value) for name, value in self.block.parameters.items()}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give h after the last step; x is (T, B, input_size)."""
        states = {
            name: torch.zeros(x.shape[1], int(shape[0])) for name, shape in self.block.program.states.items()
        }
        reading = TorchValues(np.dtype("float32"))
        for x_t in x:
            before = {f"{name}_prev": value for name, value in states.items()}
            values = evaluate_lines(self.block.program.lines, {**self.known, **before, "x": x_t}, reading)
            states = {name: values[name] for name in states}
        return states["h"]


def measure_torchlens() -> None:
    """Print how many times faster a trace is than TorchLens at equal detail, where it is installed."""
    try:
        import torchlens
    except ImportError:
        print("TorchLens is not installed: python -m pip install torchlens")
        return
    for name in ("RNN", "LSTM", "GRU"):
        case = Case(name, 100, 1, 64, 64, 0, None)
        model = Model(read_text(SCENARIO.format(**case.__dict__)))
        _, _, x = torch_module(case)
        ours = medians([model.run])[0]
        start = time.perf_counter()
        torchlens.trace(Written(model), x)
        theirs = time.perf_counter() - start
        print(f"{name:5} (100, 64→64) against TorchLens: {theirs / ours:8.0f} × faster (≥ 1000)")


def main() -> None:
    """Print all rows."""
    torch.set_num_threads(1)
    with torch.no_grad():
        for case in CASES:
            measure(case)
        measure_torchlens()


if __name__ == "__main__":
    sys.exit(main())
