"""Which number of a pass is the first, in the order of computation, that is not finite.

As all that is computed before it is finite, it is the first cause: its own operands are finite, or were given as they
are. A pass that is finite throughout costs no more than its magnitudes: the lines that a run does not keep are bounded
by those it keeps (`rnnstep.equations.magnitudes`), and computed only where the bounds do not say enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rnnstep.engine.recurrence import bounds_of_run
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.compile import ONE_ROW
from rnnstep.equations.magnitudes import UNKNOWN
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.graph import is_join

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rnnstep.engine.backward import BackwardPass
    from rnnstep.engine.epoch import UpdatePass
    from rnnstep.engine.passes import Pass
    from rnnstep.engine.recurrence import BlockRun
    from rnnstep.equations.operations import Array

_WINDOW = 4 << 20
"""Bytes of a line's values that are computed at once, where they are to be looked through."""


@dataclass(frozen=True, slots=True)
class NotFinite:
    """A number that is not finite.

    Attributes:
        epoch: from 0.
        batch: from 0.
        phase: the pass.
        key: the block's.
        t: the step, from 0.
        name: the line's.
        row: the row of the batch, from 0; None of what belongs to all rows.
        element: its number in the value, of a matrix in rows one after the other.
        value: NaN or an infinity.
    """

    epoch: int
    batch: int
    phase: Phase
    key: str
    t: int
    name: str
    row: int | None
    element: int
    value: float


class Stretch(NamedTuple):
    """Values of one line at some steps, in the order of computation.

    Attributes:
        name: the line's.
        values: (steps, rows, n); of what belongs to all rows (steps, 1, …).
        steps: from 0, one for each; one alone where all steps have the same values.
        rows: the row of the batch at each place; None of what belongs to all rows.
    """

    name: str
    values: Array
    steps: Sequence[int]
    rows: NDArray[np.intp] | None


def first_of_pass(
    passed: Pass | BackwardPass | UpdatePass,
    stage: Stage,
    *,
    is_by_time: Callable[[str], bool],
    epoch: int,
    batch: int,
) -> NotFinite | None:
    """Give the first number of a pass that is not finite; None where all are.

    Args:
        passed: the pass.
        stage: its blocks, and their steps in the order of computation.
        is_by_time: whether a step goes through all blocks along a sequence before the next one.
        epoch: which it is, from 0.
        batch: which it is, from 0.
    """
    found: list[tuple[tuple[int, int, int], NotFinite]] = []
    last = max(max(one) for one in stage.steps.values())
    with np.errstate(all="ignore"):
        for part in stage.stretches:  # a sequence comes to its end before the next begins
            goes_by_time = is_by_time(part.sequence)
            for number, block in enumerate(part.blocks):
                steps = stage.steps[block.key]
                lines = {name: position for position, name in enumerate(block.program.names)}
                for stretch in _stretches(passed, block, steps):
                    finding = _first_of_stretch(
                        stretch, NotFinite(epoch, batch, stage.phase, block.key, 0, "", 0, 0, 0.0)
                    )
                    if finding is None:
                        continue
                    # Of a backward pass by time the steps count down; otherwise a block's come in its own order.
                    at = abs(finding.t - steps[0])
                    if goes_by_time:
                        at = last - finding.t if stage.phase == "backward" else finding.t
                    line = lines[finding.name]
                    found.append(((at, number, line) if goes_by_time else (number, at, line), finding))
                if found and not goes_by_time:
                    break
            if found:
                break
    return min(found, key=lambda one: one[0])[1] if found else None


def _first_of_stretch(stretch: Stretch, at: NotFinite) -> NotFinite | None:
    """The first place of a stretch: its first step, there the first row of the batch, there the first element."""
    strange = ~np.isfinite(stretch.values)
    if not strange.any():
        return None
    k = int(np.argmax(strange.reshape(len(strange), -1).any(axis=1)))
    order = (
        range(strange.shape[1]) if stretch.rows is None else np.argsort(stretch.rows, kind="stable").tolist()
    )
    place = next(one for one in order if strange[k, one].any())
    element = int(np.argmax(strange[k, place].reshape(-1)))
    row = None if stretch.rows is None else int(stretch.rows[place])
    value = float(stretch.values[k, place].reshape(-1)[element])
    return replace(at, t=stretch.steps[k], name=stretch.name, row=row, element=element, value=value)


def _stretches(passed: Pass | BackwardPass | UpdatePass, block: Block, steps: range) -> Iterator[Stretch]:
    """The values of a block that may not be finite: all those that the magnitudes do not show to be so."""
    from rnnstep.engine.backward import BackwardPass
    from rnnstep.engine.epoch import UpdatePass

    if isinstance(passed, UpdatePass):
        values = passed.values(block.key)
        for name in block.program.names:
            yield Stretch(name, np.asarray(values[name])[None, None], (0,), None)
    elif isinstance(passed, BackwardPass):
        yield from _in_backward_pass(passed, block, steps)
    elif block.key in passed.runs:
        yield from _of_run(passed.runs[block.key])
    else:
        yield from _plain(passed, block, steps)


# ── forward ──────────────────────────────────────────────────────────────────────────────


def _plain(done: Pass, block: Block, steps: range) -> Iterator[Stretch]:
    """A block without states; where it has one step for all rows, or rows that are over, as its pass gives it."""
    if is_join(block):  # puts nothing together that is finite already
        parts = (part for name in block.program.inputs for part in done.graph.entering(block.key, name))
        values = (done.whole(part.wire.block) for part in parts)
    else:
        values = (done.everything(block.key)[name] for name in block.program.names)
    if all(np.isfinite(value).all() for value in values):
        return
    for t in steps:
        rows = done.live_rows(block.key, t) if block.extent is Extent.LIVE else None
        for name in block.program.names:
            value = np.asarray(done.value(block.key, name, t))
            yield Stretch(name, value[None], (t,), np.arange(len(value)) if rows is None else rows)


def _of_run(run: BlockRun) -> Iterator[Stretch]:
    bounds = bounds_of_run(run)
    names = [name for name in run.block.program.names if bounds[name] == UNKNOWN]
    if not names:
        return
    dtype = run.segments[0].x.dtype
    shapes = run.block.program.shapes
    for number, segment in enumerate(run.segments):
        rows = np.arange(segment.rows) if run.rows is None else run.rows.order[: segment.rows]
        order = segment.order(run.block.direction)
        widest = max(prod(map(int, shapes[name])) for name in names)
        window = max(1, _WINDOW // max(1, segment.rows * widest * dtype.itemsize))
        for start in range(0, len(order), window):
            part = slice(start, start + window)
            known = run.over_segment(number, names, part)
            for name in names:
                yield _stretch(name, known[name], order[part], rows, shapes[name], is_one=run.mode == ONE_ROW)


def _stretch(
    name: str,
    value: Array,
    steps: range,
    rows: NDArray[np.intp],
    shape: tuple[int | str, ...],
    *,
    is_one: bool,
) -> Stretch:
    """Give a line's values over steps their axes; one of parameters alone is the same in each."""
    if np.ndim(value) <= len(shape) or len(shape) > 1:
        return Stretch(name, np.asarray(value)[None, None], (steps[0],), None if len(shape) > 1 else rows[:1])
    return Stretch(name, value[:, None] if is_one else value, steps, rows)


# ── in the backward pass ─────────────────────────────────────────────────────────────────


def _in_backward_pass(back: BackwardPass, block: Block, steps: range) -> Iterator[Stretch]:
    """From the first step on that may have such a number up to the one that has."""
    through = back.of_block(block.key)
    first = through.suspect()
    if first is None:
        return
    for t in steps[steps.index(first) if first in steps else 0 :]:
        values = through.values(t)
        live = back.live_rows(block.key, t) if block.kind == "recurrent" else None
        is_found = False
        for name in block.program.names:
            value = np.asarray(values[name])
            is_of_all = back.is_of_all_rows(block.key, name)
            rows = None if is_of_all else np.arange(len(value)) if live is None else live
            is_found |= not np.isfinite(value).all()
            yield Stretch(name, value[None, None] if is_of_all else value[None], (t,), rows)
        if is_found:
            return
