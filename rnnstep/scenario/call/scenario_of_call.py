"""One call of a live module as a scenario: what it was given, what it gave as the reference, the gradients that reached it."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Direction
from rnnstep.network.time import TimeAxis
from rnnstep.scenario.call.recorded_call import Array, RecordedCall
from rnnstep.scenario.in_memory import BatchInput, made
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.recorded import Recorded
from rnnstep.scenario.recorded_shapes import check_recorded


def scenario_of_call(call: RecordedCall, name: str) -> Scenario:
    """Make a scenario of a call.

    What the model gave stands in it as what was recorded; where a gradient reached one of its results, the backward pass begins
    with these, as that of the loss Σ output ⊙ G (of h_n and c_n likewise).

    Raises:
        UsageError: There is nothing to step through, or what was recorded does not fit together.
    """
    if call.x.size == 0:
        raise UsageError(Text("{name} was called without a step, or without a row", name=name))
    if call.p_dropout and call.masks is None:
        raise UsageError(
            Text("{name}: its dropout masks could not be drawn again, so its numbers cannot be", name=name)
        )
    recorded = Recorded(call.output, call.h_n, call.c_n, dtype=call.dtype if call.is_half else None)
    entering = BatchInput(
        call.x, call.h_0, call.c_0, call.lengths, masks=call.masks, reset=call.reset, recorded=recorded
    )
    scenario = made(
        call.module,
        entering,
        call.parameters,
        batch_first=call.batch_first,
        nonlinearity=call.nonlinearity,
        dropout=call.p_dropout,
        name=name,
    )
    return _with_gradients(scenario, call) if call.has_gradients else scenario


def _with_gradients(scenario: Scenario, call: RecordedCall) -> Scenario:
    """Begin the backward pass with what reached the call, and set what autograd made of it beside."""
    (batch,) = scenario.batches
    assert batch.recorded is not None
    above = {
        at: np.ascontiguousarray(g, scenario.dtype)
        for at, g in gradients_above(call, scenario.recurrent).items()
    }
    shares = {key: value for key, value in call.gradients.items() if key in call.parameters}
    recorded = replace(batch.recorded, gradients=shares)
    batch = replace(batch, above=MappingProxyType(above), recorded=recorded)
    check_recorded(scenario, batch)
    return replace(scenario, batches=(batch,))


def gradients_above(call: RecordedCall, recurrent: Recurrent) -> dict[tuple[str, str], Array]:
    """The gradients that reached the results of a call, by the block and value that gave them, (T, B, n).

    Raises:
        UsageError: One has another shape than its result.
    """
    for name in ("output", "h_n", "c_n"):
        g, result = call.gradients.get(name), call.result(name)
        if g is not None and (result is None or g.shape != result.shape):
            found, expected = str(g.shape), "–" if result is None else str(result.shape)
            raise UsageError(
                Text(
                    "{name}: found {found}, expected {expected}",
                    name=f"grad.{name}",
                    found=found,
                    expected=expected,
                )
            )
    axis = TimeAxis(call.num_steps, call.num_rows, call.lengths)
    found_at: dict[tuple[str, str], Array] = {}
    directions: tuple[Direction, ...] = ("forward", "backward") if recurrent.bidirectional else ("forward",)
    for name, state in (("h_n", "h"), ("c_n", "c")):
        ends = call.gradients.get(name)
        if ends is None:
            continue
        every = ends.reshape(recurrent.num_states, call.num_rows, -1)
        for layer in range(recurrent.num_layers):
            for direction in directions:
                g = every[recurrent.position(layer, direction)]
                if g.any():
                    found_at[recurrent.key_of(layer, direction), state] = axis.at_final(g, direction)
    through = call.gradients.get("c")
    if through is not None:
        found_at[recurrent.key_of(0, "forward"), "c"] = call.time_major(through)
    top = recurrent.key_of_output(recurrent.num_layers - 1), "output" if recurrent.bidirectional else "h"
    shown = call.gradients.get("output")
    if shown is None and call.output is None:
        raise UsageError(
            Text("{name}: found {found}, expected {expected}", name="output", found="–", expected="(T, B, n)")
        )
    if shown is None:
        shown = np.zeros_like(call.output)
    over_time = call.time_major(shown)
    found_at[top] = found_at[top] + over_time if top in found_at else over_time
    return found_at
