"""A sheet to work out by hand: which values of which steps, and a scenario whose numbers are those that are printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.equations.operations import Array
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.keys import closest
from rnnstep.scenario.model import Batch, Floats, Scenario

MOST_NUMBERS = 4000  # that are asked for or printed on one sheet


@dataclass(frozen=True, slots=True)
class Asked:
    """One value that the writer works out: a row of the sheet.

    Attributes:
        key: the block: "L0", "linear".
        layer: of a recurrent block, from 0.
        direction: "forward" or "backward".
        t: the step, from 0.
        name: of a line.
        size: how many numbers it has.
    """

    key: str
    layer: int
    direction: str
    t: int
    name: str
    size: int


@dataclass(frozen=True, eq=False)
class Worksheet:
    """What is to be worked out.

    Attributes:
        scenario: with the numbers that are printed.
        decimals: how many everything is printed and worked out with.
        asked: in the order of the calculation.
        row: which sequence of the batch.
    """

    scenario: Scenario
    decimals: int
    asked: tuple[Asked, ...]
    row: int = 0

    @property
    def done(self) -> Pass:
        """The run, for the key."""
        return Learning(self.scenario).epoch(0).forward(0)

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps that are asked for."""
        return tuple(dict.fromkeys(one.t for one in self.asked))

    def of_step(self, t: int) -> Iterator[Asked]:
        """What is asked for in a step."""
        return (one for one in self.asked if one.t == t)


def worksheet(
    scenario: Scenario, steps: Sequence[int], names: Sequence[str], decimals: int, row: int = 0
) -> Worksheet:
    """Choose values of steps, and round all that is printed.

    Args:
        scenario: complete.
        steps: which, from 0; none for all.
        names: of lines; none for every line of the recurrent blocks, and the logits.
        decimals: of weights, inputs and results.
        row: which sequence of the first batch.

    Raises:
        UsageError: there is no such step or value, or it would be too much for a sheet.
    """
    shown = rounded_scenario(scenario, decimals)
    done = Learning(shown).epoch(0).forward(0)
    last = done.batch.last_step(row)
    wanted = list(steps) or list(range(last + 1))
    for t in wanted:
        if not 0 <= t <= last:
            raise UsageError(Text("there is no step {step}: there are {last}", step=t + 1, last=last + 1))
    asked = tuple(one for t in wanted for one in _of_step(done, t, names))
    numbers = sum(one.size for one in asked) + sum(value.size for value in shown.parameters.values())
    if numbers > MOST_NUMBERS:
        most = MOST_NUMBERS
        raise UsageError(
            Text(
                "{count} numbers are too many for a sheet of paper: {most} at most", count=numbers, most=most
            )
        )
    return Worksheet(shown, decimals, asked, row)


def _of_step(done: Pass, t: int, names: Sequence[str]) -> Iterator[Asked]:
    blocks = [
        block for block in done.blocks if block.kind == "recurrent" or _is_linear_at(done, block.key, t)
    ]
    known = {name for block in blocks for name in block.program.names}
    for name in names:
        if name not in known:
            guess = closest(name, known)
            if guess is not None:
                raise UsageError(
                    Text("there is no value `{name}`; did you mean `{guess}`?", name=name, guess=guess)
                )
            words = ", ".join(sorted(known))
            raise UsageError(Text("there is no value `{name}`; known are {known}", name=name, known=words))
    for block in blocks:
        for line in block.program.lines:
            if not names or line.name in names:
                size = int(block.program.shapes[line.name][0])
                yield Asked(block.key, block.layer, block.direction, t, line.name, size)


def _is_linear_at(done: Pass, key: str, t: int) -> bool:
    return key == "linear" and (not done.is_final or t == done.batch.num_steps - 1)


def rounded_scenario(scenario: Scenario, decimals: int) -> Scenario:
    """The scenario with weights, inputs and first states of so many decimals."""

    def rounded(value: Floats) -> Floats:
        return np.round(value.astype(np.float64), decimals).astype(value.dtype) + value.dtype.type(0)

    batches = tuple(_rounded_batch(batch, rounded) for batch in scenario.batches)
    states = {name: rounded(value) for name, value in scenario.initial_state.items()}
    parameters = {name: rounded(value) for name, value in scenario.parameters.items()}
    display = replace(scenario.display, decimals=decimals)
    return replace(
        scenario,
        batches=batches,
        initial_state=MappingProxyType(states),
        parameters=MappingProxyType(parameters),
        display=display,
    )


def _rounded_batch(batch: Batch, rounded: Callable[[Floats], Floats]) -> Batch:
    return batch if batch.values is None else replace(batch, values=rounded(batch.values))


def value_of(sheet: Worksheet, done: Pass, one: Asked) -> Array:
    """The numbers of a row of the key."""
    known = done.known(one.key, one.t, sheet.row)
    assert known is not None
    return np.asarray(known[one.name], np.float64)
