"""A run with torch's beside it: what `rnnstep.trace` gives, and what every format is written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Step, Trace
from rnnstep.engine.shapes import as_torch_shows
from rnnstep.equations.operations import Array
from rnnstep.reference import Checked, Comparison
from rnnstep.scenario.model import Scenario

BACKWARD = "←"


def verdict(*, agrees: bool | None) -> str:
    """Say how numbers stand to torch's."""
    if agrees is None:
        return "without torch"
    return f"{'agrees' if agrees else 'disagrees'} with torch"


def block_key(step: Step) -> str:
    """Give the key of a step's block: "L0", "L0←"."""
    return f"L{step.layer}{BACKWARD if step.direction == 'backward' else ''}"


class ReferenceStep(Mapping[str, Array]):
    """torch's values of one step, each (live rows, n), under the names of ours.

    h and c are those of torch.nn's modules, stepped; the others are the same equations in
    torch's own operations (`rnnstep.reference`). Of a very long run the later steps have
    h and c only.
    """

    def __init__(self, comparison: Comparison, step: Step) -> None:
        self.t = step.t
        self.layer = step.layer
        self.direction = step.direction
        self.batch = step.batch
        self.rows: NDArray[np.intp] | None = step.rows
        self._comparison = comparison
        self._key = block_key(step)
        self._names = tuple(step)

    def __getitem__(self, name: str) -> Array:
        value = self._comparison.value(self._key, name, self.t) if name in self._names else None
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if self._comparison.value(self._key, name, self.t) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def is_self_check(self, name: str) -> bool:
        """Whether a value is the same equation in torch's operations, and not torch.nn's own number."""
        return not self._comparison.is_module_confirmed(self._key, name)

    def agrees(self, name: str) -> bool:
        """Whether nothing was found to disagree with ours at this value."""
        return self._comparison.agrees_at(self._key, name, self.t) is not False


class Reference(Mapping[str, Any]):
    """What torch gave, under the keys of the run: `reference["h_n"]`, or `reference.h_n`."""

    def __init__(self, trace: Trace, checked: Checked) -> None:
        self._trace = trace
        self._checked = checked
        results = {"output": checked.output, "h_n": checked.h_n, "c_n": checked.c_n, "logits": checked.logits}
        self._results = {name: value for name, value in results.items() if value is not None}

    @cached_property
    def steps(self) -> Sequence[ReferenceStep]:
        """The values of torch, step by step, in the order of the run's."""
        return [self.step(step) for step in self._trace.steps]

    def step(self, step: Step) -> ReferenceStep:
        """Give torch's values of one of the run's steps."""
        return ReferenceStep(self._checked.comparisons[step.batch], step)

    @property
    def input(self) -> Any:
        """What entered torch's module; a list where there are several batches."""
        scenario = self._trace.scenario
        found = [
            as_torch_shows(scenario, comparison.reference.x["L0"]) for comparison in self._checked.comparisons
        ]
        return found[0] if len(found) == 1 else found

    def __getattr__(self, name: str) -> Any:
        if name in ("output", "h_n", "c_n", "logits"):
            return self._results.get(name)
        raise AttributeError(name)

    def __getitem__(self, name: str) -> Any:
        if name in ("input", "steps"):
            return getattr(self, name)
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        yield from ("input", "steps", *self._results)

    def __len__(self) -> int:
        return 2 + len(self._results)


class Run:
    """A scenario's run, and torch's beside it. Arrays are in torch's shapes; lists with several batches.

    Attributes:
        scenario: what was run.
        trace: the engine's run alone.
        checked: the comparison with torch; None where torch was not asked, as all that follows is then.
        reference: what torch gave; None of a cell of one's own, which torch does not have.
        self_check: of such a cell, the same equations in torch's own operations; else None.
    """

    def __init__(self, trace: Trace, checked: Checked | None) -> None:
        self.scenario: Scenario = trace.scenario
        self.trace = trace
        self.checked = checked
        beside = None if checked is None else Reference(trace, checked)
        is_module = not self.scenario.recurrent.is_own
        self.reference = beside if is_module else None
        self.self_check = None if is_module else beside

    @property
    def beside(self) -> Reference | None:
        """`reference`, or `self_check` where there is none."""
        return self.reference if self.reference is not None else self.self_check

    @property
    def steps(self) -> Sequence[Step]:
        """Every step of every layer and direction, in order of computation; `steps[3]["h"]` is (B, H)."""
        return self.trace.steps

    @property
    def input(self) -> Any:
        """What enters the recurrent module."""
        return self.trace.input

    @property
    def output(self) -> Any:
        """`output` as torch returns it; for a cell the stack of its h."""
        return self.trace.output

    @property
    def h_n(self) -> Any:
        """`h_n` as torch returns it."""
        return self.trace.h_n

    @property
    def c_n(self) -> Any:
        """`c_n` as torch returns it; None where there is no second state."""
        return self.trace.c_n

    @property
    def logits(self) -> Any:
        """The linear layer's result; None without one."""
        return self.trace.logits

    @property
    def max_abs_diff(self) -> dict[str, float] | None:
        """The largest difference of each result along the run, each program on its own states."""
        return None if self.checked is None else dict(self.checked.max_abs_diff)

    @property
    def one_step_diff(self) -> float | None:
        """The difference of one step from torch's own states, where it takes up most of `tolerance`."""
        return None if self.checked is None else self.checked.one_step_diff

    @property
    def tolerance(self) -> float | None:
        """What rounding may make `one_step_diff`."""
        return None if self.checked is None else self.checked.tolerance

    @property
    def agrees(self) -> bool | None:
        """Whether our numbers are torch's, judged one step at a time."""
        return None if self.checked is None else self.checked.agrees

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain lists and numbers, as `rnnstep trace --format json` prints it."""
        from rnnstep.export.json_text import run_dict
        from rnnstep.export.selection import Selection

        return run_dict(Selection(self))

    def __repr__(self) -> str:
        return f"Run({self.scenario.name!r}, {len(self.steps)} steps, {verdict(agrees=self.agrees)})"
