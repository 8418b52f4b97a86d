"""A trace: every value of a run, step by step, and its results in torch's shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.passes import Pass
from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Direction
from rnnstep.scenario.model import Scenario


class TraceStep(Mapping[str, Array]):
    """One step of one layer and direction; `step["h"]` is an array (live rows, n).

    Attributes:
        t: the step, from 0.
        key: of its block: "L0", "L0←".
        module: what its module is called: "encoder".
        is_one_of_several: whether there are other recurrent modules.
        is_lowest: whether it is of the first layer of the first module, which reads what goes in.
        sequence: the sequence whose step it is, "input" the first.
        layer: the layer, from 0.
        direction: "forward" or "backward".
        batch: which batch of the run, from 0.
        rows: the live rows of a packed batch, ascending; None when all are.
    """

    def __init__(self, done: Pass, key: str, t: int) -> None:
        self._run = done.runs[key]
        block = self._run.block
        self.t = t
        self.key = key
        self.module = done.scenario.recurrent_of(block).name
        self.is_one_of_several = len(done.scenario.recurrents) > 1
        self.is_lowest = not block.layer and block.module == done.scenario.recurrents[0].key
        self.sequence = block.sequence
        self.layer: int = block.layer
        self.direction: Direction = block.direction
        self.batch = done.index
        self.rows: NDArray[np.intp] | None = self._run.live_rows(t)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        program = self._run.block.program
        return (*program.inputs, *program.befores, *program.names)

    @cached_property
    def _values(self) -> dict[str, Array]:
        return self._run.values(self.t)

    def __getitem__(self, name: str) -> Array:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return (
            f"Step(t={self.t}, layer={self.layer}, direction={self.direction!r}, values={list(self._names)})"
        )


class Results:
    """What a run gave as torch returns it; of several batches (windows, data) a list, one entry a batch."""

    @property
    def output(self) -> Any:
        """`output` as torch returns it; for a cell the stack of its h."""
        return self._result("output")

    @property
    def h_n(self) -> Any:
        """`h_n` as torch returns it."""
        return self._result("h_n")

    @property
    def c_n(self) -> Any:
        """`c_n` as torch returns it; None where there is no second state."""
        return self._result("c_n")

    @property
    def logits(self) -> Any:
        """The linear layer's result; None without one."""
        return self._result("logits")

    def _each(self) -> Iterator[Any]:
        """What has these results of one batch, of each in turn."""
        raise NotImplementedError

    def _result(self, name: str) -> Any:
        found = [getattr(one, name) for one in self._each()]
        if len(found) == 1:
            return found[0]
        return None if all(array is None for array in found) else found


class Trace(Results):
    """What a run gave."""

    def __init__(self, scenario: Scenario, passes: Sequence[Pass]) -> None:
        self.scenario = scenario
        self.passes = passes

    @cached_property
    def steps(self) -> Sequence[TraceStep]:
        """Every step of every layer and direction, in the scenario's order of computation."""
        return [TraceStep(done, key, t) for done in self.passes for t, key in done.recurrent_steps()]

    @property
    def input(self) -> Any:
        """What enters the recurrent module, in the shape that torch takes."""
        return self._result("input")

    def _each(self) -> Iterator[Any]:
        return iter(self.passes)
