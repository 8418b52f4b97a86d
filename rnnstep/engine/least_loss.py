"""What a cross-entropy can never reach where the scores it is given are bounded.

Scores within [−b, b] are at best b for the right class and −b for the C − 1 others, so that no entry's loss is
below ln(1 + (C − 1)·e^(−2b)). So it is where a state itself is the logits, of a cell that has a bound (`rnnstep.cells.cell.OutputBound`).

A softmax taken before the loss, which takes its own, bounds any logits: its numbers are from 0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.model import Batch, Scenario


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that a batch's loss can come to.

    Attributes:
        loss: of the whole batch, reduced as the scenario says.
        each: of one entry.
        entries: how many of those are added up; 1 where their mean is taken.
        num_classes: C.
        spread: how far the right class's score can be above the others', 2b.
        bound: b; None where it is a softmax that bounds.
        state: the state that is the logits, in words of its equation: "tanh(a)"; "" where there is a linear layer.
    """

    loss: float
    each: float
    entries: float
    num_classes: int
    spread: float
    bound: float | None
    state: str

    @property
    def formula(self) -> str:
        """Where `each` comes from: `ln(1 + 3·e^(−2))`."""
        return f"ln(1 + {self.num_classes - 1}·e^(−{self.spread:.4g}))"

    @property
    def why(self) -> Text:
        """Say what the loss can never reach, and why."""
        values = {
            "others": self.num_classes - 1,
            "formula": self.formula,
            "each": _shown(self.each),
            "whole": self._whole,
        }
        if self.bound is None:
            return Text(
                "The loss is given softmax(logits), numbers from 0 to 1, and takes the softmax of them once more:"
                " at best 1 for the right class and 0 for the other {others}. So no single loss is below"
                " {formula} = {each}{whole}, however long it is trained.",
                **values,
            )
        return Text(
            "The state itself is the logits, and h = {state} is within [−{bound}, {bound}]: at best {bound} for"
            " the right class and −{bound} for the other {others}. So no single loss is below {formula} = {each}"
            "{whole}, however long it is trained.",
            bound=f"{self.bound:.4g}",
            state=self.state,
            **values,
        )

    @property
    def _whole(self) -> Text | str:
        if self.loss == self.each:
            return ""
        if self.loss != self.entries * self.each:
            return Text(", and the whole, times its factor, not below {loss}", loss=_shown(self.loss))
        return Text(
            ", and the sum of {count} not below {loss}", count=f"{self.entries:g}", loss=_shown(self.loss)
        )


def _shown(loss: float) -> str:
    return f"{loss:.3f}" if loss >= 0.001 else f"{loss:.2g}"


def floor(scenario: Scenario, batch: Batch) -> Floor | None:
    """Give the least loss of a batch; None where the scores are not bounded, or the loss is another one."""
    loss, target = scenario.loss, batch.target
    if loss is None or target is None or loss.name != "CrossEntropyLoss":
        return None
    num_classes = scenario.num_scores
    found = bounded_state(scenario)
    bound, state = found or (None, "")
    spread = math.inf if bound is None else 2 * bound
    is_softmax_first = (
        scenario.training is not None and scenario.training.mistake == "softmax_before_cross_entropy"
    )
    if is_softmax_first:  # of the same best scores: p − q for p + (C − 1)·q = 1, q = p·e^(−spread)
        rest = math.exp(-spread)
        spread = (1 - rest) / (1 + (num_classes - 1) * rest)
        bound = None
    if math.isinf(spread) or num_classes < 2:
        return None
    each = math.log1p((num_classes - 1) * math.exp(-spread))
    counted = np.count_nonzero(np.atleast_2d(target != loss.ignore_index), axis=1)
    if not counted.sum():
        return None
    if loss.reduction == "sum":
        entries = float(counted.sum())
    else:
        is_step_by_step = loss.over_time == "sum" and target.ndim > 1
        entries = float(np.count_nonzero(counted)) if is_step_by_step else 1.0
    if loss.factor <= 0:  # what is subtracted has no least
        return None
    return Floor(loss.factor * entries * each, each, entries, num_classes, spread, bound, state)


def bounded_state(scenario: Scenario) -> tuple[float, str] | None:
    """The bound of h where it is the scores, and how it is made; None where there is none."""
    recurrent = scenario.scored_module
    bound = recurrent.cell.bound if isinstance(recurrent, Recurrent) else None
    if bound is None or not isinstance(recurrent, Recurrent):
        return None
    largest = bound.limit
    for batch in scenario.batches if bound.is_from_first else ():
        given = scenario.initial_of(batch).get(f"{recurrent.before_places}h_0")
        if given is not None and given.size:
            largest = max(largest, float(np.abs(given).max()))
    return (largest, bound.formula) if math.isfinite(largest) else None
