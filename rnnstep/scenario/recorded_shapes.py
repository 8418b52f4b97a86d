"""Whether what was recorded of a batch has the shapes that torch's results of the scenario have."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.model import Batch, Scenario


def check_recorded(scenario: Scenario, batch: Batch) -> None:
    """See that what was recorded of a batch has the shapes that the scenario gives.

    Raises:
        UsageError: It has others, or there is no such result.
    """
    recorded = batch.recorded
    if recorded is None:
        return
    expected: dict[str, tuple[int, ...]] = _shapes(scenario, batch)
    if scenario.has_loss or batch.above is not None:
        expected |= {f"grad.{name}": value.shape for name, value in scenario.learnt.items()}
    found = {name: np.shape(value) for name, value in recorded.results.items()}
    found |= {f"grad.{name}": np.shape(value) for name, value in recorded.gradients.items()}
    if recorded.loss is not None and not scenario.has_loss:
        raise _misfit("loss", recorded.loss, "–")
    for name, shape in found.items():
        if shape != expected.get(name):
            raise _misfit(name, shape, expected.get(name, "–"))


def _misfit(name: str, found: Any, expected: Any) -> UsageError:
    return UsageError(
        Text(
            "{name}: found {found}, expected {expected}",
            name=f"recorded {name}",
            found=str(found),
            expected=str(expected),
        )
    )


def _shapes(scenario: Scenario, batch: Batch) -> dict[str, tuple[int, ...]]:
    """The shape of each result of the forward pass as torch has it."""
    recurrent = scenario.recurrent
    rows = (batch.num_rows,) if scenario.is_batched else ()
    steps = (batch.first.num_steps, *rows)
    if recurrent.batch_first and scenario.is_batched:
        steps = (*rows, batch.first.num_steps)
    states = () if recurrent.is_cell else (recurrent.num_states,)
    names = zip(("h_n", "c_n"), recurrent.state_sizes.values(), strict=False)
    found = {"output": (*steps, recurrent.size)}
    if len(scenario.recurrents) == 1:  # of several each has its own, and there is no one h_n
        found |= {name: (*states, *rows, size) for name, size in names}
    if scenario.head is not None:
        found["logits"] = (*(rows if scenario.reads_final_state else steps), scenario.num_scores)
    return found
