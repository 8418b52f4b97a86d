"""∂L/∂ of a block's value in a hand calculation, from all that read it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from rnnstep.checking.several_steps import part_of_step, where_brought
from rnnstep.checking.step import Fed, Step
from rnnstep.engine import Pass
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.differentiate import D
from rnnstep.equations.intervals import point
from rnnstep.network.blocks import Extent
from rnnstep.network.graph import Part
from rnnstep.network.wires import When, Wire
from rnnstep.scenario.model import Batch


class Paper(Protocol):
    """What is asked of a hand calculation."""

    done: Pass
    batch: Batch
    reading: Any
    no_doubts: Any

    def step(self, phase: Phase, key: str, t: int) -> Step:
        """All of a block's values at a step."""

    def stage(self, phase: Phase) -> Stage:
        """The blocks of a pass."""

    def all_steps(self, wire: Wire) -> range:
        """The steps of which a wire that brings all of them does."""

    def given_gradient(self, key: str, name: str, t: int) -> Fed | None:
        """The gradient that is given at a value."""


def sent_back(paper: Paper, key: str, name: str, t: int) -> Fed:
    """∂L/∂ of a value of a block at a step, from the blocks that read it and what is given, (B, n); of the loss itself one."""
    block = paper.done.by_key[key]
    there = paper.stage("backward").by_key
    readers = (part for part in paper.done.graph.readers(key) if part.wire.value == name)
    parts = [_along(paper, part, t) for part in readers if part.reader in there]
    if block.reads_all_rows:
        names = [part.reader for part in paper.done.graph.readers(key) if part.wire.value == name]
        of_all = [paper.done.by_key[reader].reads_all_rows for reader in names if reader in there]
        parts = [
            one if is_of_all else _from_all_rows(paper, one)
            for one, is_of_all in zip(parts, of_all, strict=True)
        ]
    given = paper.given_gradient(key, name, t)
    if given is not None:
        parts.append(given)
    if not parts:
        size = int(block.program.shapes[name][0])
        is_loss = block.extent is Extent.ONCE
        return point(np.ones(1) if is_loss else np.zeros((paper.batch.num_rows, size))), paper.no_doubts
    return _added(paper, parts)


def _added(paper: Paper, parts: list[Fed]) -> Fed:
    value, doubts = parts[0]
    for other, doubted in parts[1:]:
        value, doubts = paper.reading.apply("add", (value, other)), doubts | doubted
    return value, doubts


def _along(paper: Paper, part: Part, t: int) -> Fed:
    """What one reader sends back along its wire to what it read of a step, (B, n)."""
    reader = paper.done.by_key[part.reader]
    axis = paper.done.axis(part.reader)
    state = reader.state_before(part.name)
    if part.name in reader.program.banks and reader.reads_all_rows:
        return _of_all_rows(paper, part, t)
    if part.name in reader.program.banks:  # added up at the first step
        (low, high), doubts = _at(paper, part, 0)
        here = slice(part.start, part.stop)
        return (low[:, t, here], high[:, t, here]), doubts
    if state is not None:
        found = _of_first_state(paper, part.reader, state)
    elif part.wire.when.is_once and not reader.extent.is_single:  # it was the same at every step
        found = _added(paper, [_at(paper, part, one) for one in axis.order("forward")])
    else:
        end = axis.num_reached if part.wire.when is When.BEFORE else axis.num_steps
        steps = [axis.end]
        if not reader.extent.is_single:
            steps = part.wire.steps_reading(t, paper.done.axis(part.wire.block).num_steps, end)
        if not steps:  # none reads it
            return point(np.zeros((paper.batch.num_rows, part.stop - part.start))), paper.no_doubts
        found = _added(paper, [_at(paper, part, one) for one in steps])
    (low, high), doubts = found
    if part.wire.when is When.ALL:
        every, rows = paper.all_steps(part.wire), paper.batch.num_rows
        return part_of_step((low, high), every, rows, t), doubts
    if np.shape(low)[-1] != part.stop - part.start:
        low, high = low[..., part.start : part.stop], high[..., part.start : part.stop]
    if part.wire.when.is_once and not paper.done.by_key[part.wire.block].extent.is_single:
        low, high = where_brought((low, high), paper.done, part, t)
    return (low, high), doubts


def _of_all_rows(paper: Paper, part: Part, t: int) -> Fed:
    """What the vectors of all steps and rows send back to those of a step."""
    axis, rows = paper.done.axis(part.reader), paper.batch.num_rows
    (low, high), doubts = _at(paper, part, axis.end)
    first = t * rows if paper.done.num_read(part.reader) > rows else 0
    here = slice(first, first + rows), slice(part.start, part.stop)
    value = low[0][here], high[0][here]
    if part.wire.when.is_once and not paper.done.by_key[part.wire.block].extent.is_single:
        value = where_brought(value, paper.done, part, t)
    return value, paper.no_doubts | doubts.any()


def _from_all_rows(paper: Paper, found: Fed) -> Fed:
    """What comes back to what is the same in each row: the sum over the rows, in each."""
    (low, high), doubts = found
    each = [((low[row], high[row]), paper.no_doubts) for row in range(paper.batch.num_rows)]
    total, _ = _added(paper, each)
    low, high = (np.broadcast_to(bound, found[0][0].shape) for bound in total)
    return (low, high), paper.no_doubts | doubts.any()


def _at(paper: Paper, part: Part, t: int) -> Fed:
    step = paper.step("backward", part.reader, t)
    return step.values[f"{D}{part.name}"], step.doubts[f"{D}{part.name}"]


def _of_first_state(paper: Paper, key: str, state: str) -> Fed:
    """∂L/∂ of a state before each row's first step, (B, n), from all that read it as the one of the step before."""
    own = _of_own_first_state(paper, key, f"{D}{paper.done.by_key[key].program.before(state)}")
    there = paper.stage("backward").by_key
    parts = [own]
    for part in paper.done.graph.readers(key):
        if part.wire.when is When.BEFORE and part.wire.value == state and part.reader in there:
            (low, high), doubts = _at(paper, part, 0)
            parts.append(((low[..., part.start : part.stop], high[..., part.start : part.stop]), doubts))
    return _added(paper, parts)


def _of_own_first_state(paper: Paper, key: str, name: str) -> Fed:
    """The same as far as the block itself read it."""
    axis, direction = paper.done.axis(key), paper.done.by_key[key].direction
    steps = [paper.step("backward", key, axis.first_step(direction, row)) for row in range(axis.num_rows)]
    low, high = (
        np.stack([step.values[name][side][row] for row, step in enumerate(steps)]) for side in (0, 1)
    )
    return (low, high), np.array([step.doubts[name][row] for row, step in enumerate(steps)])
