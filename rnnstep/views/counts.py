"""How many weights there are, beside what other layers would need for the same map: why weights are shared."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rnnstep.network.description import INPUT
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.weights.parameters import parameter_shapes, parameters_of

KERNEL_SIZE = 3  # of the convolution over time that ours is set beside


@dataclass(frozen=True, slots=True)
class Counts:
    """The parameters of a scenario, counted.

    Attributes:
        by_name: each parameter's count under torch's name.
        steps: T of the batch that is compared.
        entering: how many numbers enter at each step.
        leaving: how many leave at each step, of both directions.
        shared: the weights of the recurrent modules along the sequence, without biases: the same at every step.
    """

    by_name: dict[str, int]
    steps: int
    entering: int
    leaving: int
    shared: int

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.by_name.values())

    @property
    def dense(self) -> int:
        """The weights of one dense layer from all x at once to all h at once."""
        return self.steps * self.entering * self.steps * self.leaving

    @property
    def convolution(self) -> int:
        """The weights of a Conv1d over time of `KERNEL_SIZE` steps."""
        return self.entering * KERNEL_SIZE * self.leaving


def counts(scenario: Scenario, steps: int, sequence: str = INPUT) -> Counts:
    """Count the parameters of a scenario, and those of the recurrent modules along a sequence of a number of steps."""
    recurrents = [one for one in scenario.recurrents if scenario.sequence_of[one.key] == sequence]
    shapes = {one.name: one.shape for one in parameters_of(scenario.layers).values() if one.is_learnt}
    weights = [shape for shape in parameter_shapes(recurrents).values() if len(shape) == 2]
    return Counts(
        {name: math.prod(shape) for name, shape in shapes.items()},
        steps,
        recurrents[0].input_size if recurrents else 0,
        recurrents[-1].size if recurrents else 0,
        sum(map(math.prod, weights)),
    )
