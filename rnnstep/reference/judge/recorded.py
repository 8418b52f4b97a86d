"""What was recorded of a batch beside our run: along the run, with the bound that is carried through it; no torch is needed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnstep.engine import Pass, Trace
from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.shapes import from_torch_shape
from rnnstep.equations.operations import Array
from rnnstep.network.graph import Part
from rnnstep.reference.judge.bounds import Error
from rnnstep.reference.judge.findings import Finding, Tally
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.run.gradients import ReferenceGradients
from rnnstep.reference.run.layout import states_by_block
from rnnstep.scenario.recorded import Recorded
from rnnstep.scenario.recorded_shapes import check_recorded


def faults_beside_records(trace: Trace) -> tuple[Finding, ...] | None:
    """What disagrees with what was recorded of any batch, without torch; None where nothing was recorded."""
    if all(done.batch.recorded is None for done in trace.passes):
        return None
    found: list[Finding] = []
    for done in trace.passes:
        tally = Tally(done.batch.longest)
        with np.errstate(all="ignore"):
            judge_recorded(done, RunErrors(done), tally)
        found += tally.faults.values()
    return tuple(found)


def judge_recorded(done: Pass, errors: RunErrors, tally: Tally) -> None:
    """Set the results of our run beside those that were recorded of its batch.

    Args:
        done: our run.
        errors: those along it.
        tally: where to note what is found.

    Raises:
        UsageError: what was recorded has other shapes.
    """
    recorded = done.batch.recorded
    if recorded is None:
        return
    check_recorded(done.scenario, done.batch)
    coarse = recorded.coarseness(done.scenario.dtype)
    carried = {
        key: {name: error * coarse for name, error in each.items()} for key, each in errors.states.items()
    }
    states = [name for one in done.scenario.recurrents[-1:] for name in one.cell.states]
    if recorded.output is not None:
        _judge_output(done, recorded.output, carried, tally)
    for name, whole in zip(states, (recorded.h_n, recorded.c_n), strict=False):
        if whole is not None:
            _judge_final(done, name, whole, carried, tally)
    if recorded.logits is not None and done.head is not None:
        ours, error = errors.logits
        is_over_time = ours.ndim == 3
        theirs = from_torch_shape(done.scenario, recorded.logits) if is_over_time else recorded.logits
        start = 0 if is_over_time else None
        theirs = np.reshape(theirs, ours.shape)
        tally.compare("recorded", done.head.key, "logits", ours, theirs, np.asarray(error) * coarse, start)
    if recorded.loss is not None and errors.loss is not None:
        value, bound = errors.loss.loss
        loss = np.reshape(recorded.loss, (1, 1, 1))
        shape = (1, 1, 1)
        end = done.axis("total").end
        tally.compare(
            "recorded", "total", "loss", value.reshape(shape), loss, bound.reshape(shape) * coarse, end
        )


def _judge_output(done: Pass, shown: Array, errors: Mapping[str, Mapping[str, Error]], tally: Tally) -> None:
    """Each part of the output beside the states of the block that computed it."""
    output = from_torch_shape(done.scenario, shown)
    for part in _parts_of_output(done):
        key, name = part.wire.block, part.wire.value
        theirs = output[..., part.start : part.stop]
        tally.compare("recorded", key, name, done.runs[key].state(name), theirs, errors[key][name])


def _judge_final(
    done: Pass, name: str, shown: Array, errors: Mapping[str, Mapping[str, Error]], tally: Tally
) -> None:
    """Each layer's and direction's final state beside our own."""
    whole = states_by_block(done.scenario, done.scenario.recurrent, shown)
    for theirs, (key, run) in zip(whole, done.runs.items(), strict=True):
        error = done.axis(key).final(errors[key][name], run.block.direction)
        tally.compare("recorded", key, f"{name}_n", run.final(name), theirs, error, None)


def recorded_output(done: Pass, key: str, name: str) -> Array | None:
    """What was recorded of a state after every step, (T, B, n): of the last layer's output; else None."""
    recorded: Recorded | None = done.batch.recorded
    if recorded is None or recorded.output is None:
        return None
    for part in _parts_of_output(done):
        if (part.wire.block, part.wire.value) == (key, name):
            return from_torch_shape(done.scenario, recorded.output)[..., part.start : part.stop]
    return None


def _parts_of_output(done: Pass) -> tuple[Part, ...]:
    """Which elements of the output which block computed; nothing without a recurrent module."""
    last = done.last_of_recurrent
    return () if last is None else done.graph.computed_by(last.key)


def gradients_beside(back: BackwardPass, reference: ReferenceGradients) -> tuple[float, Mapping[str, Array]]:
    """The loss and the gradients of parameters that stand beside the engine's: what was recorded, else torch's."""
    recorded = back.batch.recorded
    if recorded is None:
        return reference.loss, reference.parameters
    loss = reference.loss if recorded.loss is None else recorded.loss
    return loss, {**reference.parameters, **recorded.gradients}
