"""What enters a step of a calculation by hand from several steps of another block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from rnnstep.checking.step import Doubts, Fed, Step
from rnnstep.engine import Block, Pass
from rnnstep.engine.structure import Phase
from rnnstep.equations.evaluate import Reading
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.operations import Array
from rnnstep.network.graph import Part


class CalculationLike(Protocol):
    """A calculation, as far as it is asked for what enters."""

    done: Pass
    no_doubts: Doubts

    def given(self, key: str, t: int, name: str | None = None) -> Fed:
        """What a block gives at a step."""

    def data(self, part: Part, t: int) -> Any:
        """An array of the scenario's at a step."""

    def step(self, phase: Phase, key: str, t: int, until: str | None = None) -> Step:
        """All of a block's values at a step, or those up to a line."""

    def entering(self, block: Block, name: str, t: int) -> Fed:
        """What the wires of a block's input bring at a step."""


def one_after_the_other(steps: Sequence[Fed], no_doubts: Doubts) -> Fed:
    """All numbers of several steps, and whether any of them is in doubt."""
    low, high = (np.concatenate([value[side].reshape(-1) for value, _ in steps]) for side in (0, 1))
    return (low, high), no_doubts | any(doubts.any() for _, doubts in steps)


def part_of_step(value: Interval, steps: range, rows: int, t: int) -> Interval:
    """The other way: what belongs to a step, (B, 1)."""
    each = (np.broadcast_to(bound, (len(steps) * rows,)) for bound in value)
    low, high = (bound.reshape(len(steps), rows, 1)[t - steps[0]] for bound in each)
    return low, high


def diagonal(found: Sequence[Fed]) -> Fed:
    """Of each row what stands in its own of several, as many as there are rows."""
    low, high = (np.stack([one[side][row] for row, (one, _) in enumerate(found)]) for side in (0, 1))
    return (low, high), np.array([doubts[row] for row, (_, doubts) in enumerate(found)])


def bank(calculation: CalculationLike, block: Block, name: str) -> Fed:
    """What a block reads whole, (B, S, n), zeros where there are no more steps; or which of it is live, (B, S)."""
    like = calculation.done.banks(block.key)[name]
    if like.ndim == 2:
        return point(like), calculation.no_doubts
    if block.reads_all_rows:
        return _of_all_rows(calculation, block, name, like)
    steps = range(calculation.done.axis(calculation.done.graph.bank_source(block.key)).num_steps)
    found = [calculation.entering(block, name, step) for step in steps]
    low, high = np.zeros(like.shape), np.zeros(like.shape)
    for step, (value, _) in enumerate(found):
        low[:, step], high[:, step] = value
    return (low, high), np.logical_or.reduce([doubts for _, doubts in found])


def _of_all_rows(calculation: CalculationLike, block: Block, name: str, like: Array) -> Fed:
    """The vectors of all steps and rows, row beside row in each step, the same in each row."""
    axis, count = calculation.done.axis(block.key), calculation.done.num_read(block.key)
    steps = range(axis.num_steps) if count == axis.num_steps * axis.num_rows else [axis.end]
    found = [calculation.entering(block, name, step) for step in steps]
    low, high = np.zeros(like.shape), np.zeros(like.shape)
    for bound, side in ((low, 0), (high, 1)):
        bound[:, :count] = np.concatenate([value[side] for value, _ in found])
    is_doubtful = any(doubts.any() for _, doubts in found)
    return (low, high), calculation.no_doubts | is_doubtful


def own_first(calculation: CalculationLike, block: Block, t: int, name: str) -> Interval:
    """A line's value at all steps of a block, (T, B, n), the step's own first and then the others in turn."""
    others = (one for one in calculation.done.axis(block.key).order("forward") if one != t)
    found = [calculation.step("forward", block.key, one, name).values[name] for one in (t, *others)]
    low, high = (np.stack([value[side] for value in found]) for side in (0, 1))
    return low, high


def norms(grads: Sequence[Fed], clamped: Callable[[Any], Any], reading: Reading[Any]) -> Fed:
    """The norm of each parameter's gradient, clamped, one after the other, and whether any gradient is in doubt."""
    held = ([np.asarray(clamped(bound.reshape(-1)), np.float64) for bound in value] for value, _ in grads)
    found = [reading.apply("norm", ((low, high),)) for low, high in held]
    low, high = (np.concatenate([one[side] for one in found]) for side in (0, 1))
    return (low, high), np.logical_or.reduce([doubts for _, doubts in grads])


def where_brought(value: Interval, done: Pass, part: Part, t: int) -> Interval:
    """Of what goes back to what a wire brings once a row what is of a step; zeros elsewhere."""
    is_here = np.zeros(np.shape(value[0]), np.bool_)
    for one in done.graph.origins(part.reader, part.name):
        if part.start <= one.start < part.stop:
            axis, direction = done.axis(one.wire.block), done.by_key[one.wire.block].direction
            is_end = axis.steps_brought(one.wire.when, direction) == t
            is_here[:, one.start - part.start : one.stop - part.start] = is_end[:, None]
    return np.where(is_here, value[0], 0.0), np.where(is_here, value[1], 0.0)


def in_window(calculation: CalculationLike, part: Part, t: int) -> Fed:
    """One step of a window, or what stands outside."""
    wire, done = part.wire, calculation.done
    if not 0 <= t < done.axis_read(part.reader, wire).num_steps:
        outside = np.full((done.batch.num_rows, part.stop - part.start), wire.outside)
        return point(outside), calculation.no_doubts
    if wire.block:
        return calculation.given(wire.block, t, wire.value)
    return calculation.data(part, t), calculation.no_doubts
