"""How fast going back and training are, as ratios against torch taken in the same run: `python tests/bench/learning.py`.

One thread, call by call in turn, medians. `backward` is the whole way back with every gradient of every value kept
or derivable, from a run that is there; torch's is `loss.backward()` on a graph that is there, which keeps the
parameters' gradients alone. An epoch of torch is zero_grad, forward, backward, step, as a course program has it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from rnnstep.engine import Model
from rnnstep.engine.learning import Learning
from rnnstep.scenario import bundled
from rnnstep.scenario.read import read, read_text

SCENARIO = """
[input]
random = {{shape = [{steps}, {rows}, {inputs}], seed = 0}}
[recurrent]
module = "{module}"
hidden_size = {hidden}
[weights]
seed = 0
[target]
indices = {target}
[display]
dtype = "{dtype}"
"""
EPOCHS = 1000


@dataclass(frozen=True)
class Case:
    """A size, and the ratio to reach against torch's `loss.backward()`."""

    module: str
    steps: int
    rows: int
    inputs: int
    hidden: int
    reach: float
    dtype: str = "float32"


CASES = tuple(
    Case(module, steps, 1, size, size, reach, dtype)
    for steps, size in ((100, 64), (1000, 128))
    for module, dtype, reach in (
        ("RNN", "float32", 0.4),
        ("GRU", "float32", 0.4),
        ("LSTM", "float64", 0.5),
        ("LSTM", "float32", 1.7),
    )
) + tuple(Case(module, 200, 32, 128, 256, 1.3) for module in ("RNN", "GRU", "LSTM"))


def measure(case: Case) -> None:
    """Print one row of the table."""
    target = np.random.default_rng(0).integers(0, case.hidden, (case.steps, case.rows))
    text = SCENARIO.format(**{**case.__dict__, "target": target.tolist()})
    model = Model(read_text(text))
    done = model.run_batch()
    assert done.loss is not None
    module = getattr(torch.nn, case.module)(case.inputs, case.hidden).to(getattr(torch, case.dtype))
    module.load_state_dict({name: torch.tensor(value) for name, value in model.scenario.parameters.items()})
    x = torch.tensor(done.x)
    wanted = torch.tensor(target).reshape(-1)

    def graph() -> torch.Tensor:
        module.zero_grad()
        output, _ = module(x)
        return torch.nn.functional.cross_entropy(output.reshape(-1, case.hidden), wanted)

    ours, theirs = in_turn(lambda: model.backward(done), graph)
    size = f"({case.steps}, {case.inputs}→{case.hidden}) batch {case.rows} {case.dtype}"
    print(f"{case.module:5} {size:40} backward {ours / theirs:5.2f} × (≤ {case.reach})  {ours * 1e6:9.0f} µs")


def in_turn(
    ours: Callable[[], object], graph: Callable[[], torch.Tensor], seconds: float = 3.0
) -> list[float]:
    """Time our way back and torch's in turn; torch's forward pass, which makes the graph anew, is not timed."""
    times: list[list[float]] = [[], []]
    ours()
    graph().backward()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 3:
        loss = graph()
        for call, found in ((ours, times[0]), (loss.backward, times[1])):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return [statistics.median(found) for found in times]


def hello(epochs: int) -> Learning:
    """The training of `hello`, nothing of it done yet."""
    scenario = read(bundled.find("hello"))
    assert scenario.training is not None
    return Learning(replace(scenario, training=replace(scenario.training, epochs=epochs)))


def torch_epochs(learning: Learning) -> Callable[[], object]:
    """One epoch of the course's program, again and again."""
    scenario = learning.scenario
    cell = torch.nn.RNNCell(4, 4)
    cell.load_state_dict({name: torch.tensor(value) for name, value in scenario.parameters.items()})
    values, target = scenario.batches[0].values, scenario.batches[0].target
    assert values is not None
    assert target is not None
    x, y = torch.tensor(values), torch.tensor(target.astype(np.int64))
    criterion = torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(cell.parameters(), lr=0.1)

    def epoch() -> None:
        loss = torch.zeros(())
        optimizer.zero_grad()
        hidden = torch.zeros(1, 4)
        for x_t, y_t in zip(x, y, strict=True):
            hidden = cell(x_t, hidden)
            loss = loss + criterion(hidden, y_t)
        loss.backward()
        optimizer.step()

    return epoch


def measure_epochs() -> None:
    """Print how long an epoch of `hello` takes beside torch's, and how long going to one of a thousand."""
    learning = hello(EPOCHS)
    theirs = torch_epochs(learning)
    times: list[list[float]] = [[], []]
    for _ in range(EPOCHS):
        for call, found in ((learning.advance, times[0]), (theirs, times[1])):
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    ours, torchs = (statistics.median(found) for found in times)
    print(f"hello, an epoch: {ours / torchs:5.2f} × (≤ 0.6)  {ours * 1e6:.0f} µs")
    gone = []
    for index in random.Random(0).sample(range(EPOCHS), 60):
        start = time.perf_counter()
        epoch = learning.epoch(index)
        assert epoch.forward(0).loss == learning.record(index).loss
        assert epoch.backward(0) is not None
        gone.append(time.perf_counter() - start)
    median, worst = statistics.median(gone) * 1e3, max(gone) * 1e3
    print(f"hello, to any of {EPOCHS} epochs: {median:.1f} ms, at most {worst:.1f} ms (< 50 ms)")


def main() -> None:
    """Print all rows."""
    torch.set_num_threads(1)
    kernels = os.environ.get("OPENBLAS_CORETYPE")
    if kernels is not None:  # torch's are chosen by its own library, which does not read it
        print(f"OPENBLAS_CORETYPE is {kernels}: numpy's products are not as fast as this processor allows")
    measure_epochs()
    for case in CASES:
        measure(case)


if __name__ == "__main__":
    sys.exit(main())
