"""The mistakes in what is fed along a sequence, and in what of one sequence goes on into another.

Another step's input, another row looked up, a decoder that is fed another letter than the one before; and the last output of an
encoder in the place of its final state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.rounding import shown
from rnnstep.checking.slip import Slip
from rnnstep.checking.step import Fed, side_by_side
from rnnstep.engine.passes import Pass
from rnnstep.equations.intervals import Interval, point
from rnnstep.network.blocks import Block
from rnnstep.network.graph import Part
from rnnstep.network.wires import When, Wire

TAUGHT = "teacher_off_by_one"
MOST_INDICES = 40  # that are tried for one that was read wrong

Feeding = Callable[[Calculation, Part, int], Fed]
"""Gives what is fed in a part of x at a step, (B, n)."""


def variants(done: Pass) -> Iterator[Slip]:
    """Every slip in what is fed, of each sequence its own; and in what a block is given of another one's end."""
    for sequence in done.batch.sequences:
        entering = _Entering.of(done, sequence)
        if entering is None:
            continue
        if _is_shifted(done, sequence):
            yield entering.slip(TAUGHT, _wanted)
            yield entering.slip(TAUGHT, _further_back)
        else:
            for is_kept in (False, True):
                yield entering.slip("x_of_previous_step", _of_step(-1, is_kept_at_end=is_kept))
                yield entering.slip("x_of_next_step", _of_step(1, is_kept_at_end=is_kept))
        yield from _indices(done, entering)
    for when in (When.END, When.ROW_END):
        if _may_end_elsewhere(done, when):
            yield Slip("encoder_last_for_h_n", wires={"final": _last_output(when)}, goes_back=True)


class _Entering(NamedTuple):
    """What enters the lowest recurrent module along a sequence.

    Attributes:
        sequence: its name.
        parts: of each block of the module's first layer what its x is joined of.
        fed: those parts that come of the sequence itself, through whatever keeps nothing from step to step.
    """

    sequence: str
    parts: Mapping[str, tuple[Part, ...]]
    fed: frozenset[Part]

    @classmethod
    def of(cls, done: Pass, sequence: str) -> _Entering | None:
        """None where no recurrent module runs along the sequence."""
        sequences = done.scenario.sequence_of
        lowest = next((one.key for one in done.scenario.recurrents if sequences[one.key] == sequence), None)
        blocks = [
            run.block for run in done.runs.values() if run.block.module == lowest and not run.block.layer
        ]
        if lowest is None or not blocks:
            return None
        parts = {
            block.key: done.graph.origins(block.key, next(iter(block.program.inputs))) for block in blocks
        }
        every = (part for several in parts.values() for part in several)
        return cls(sequence, parts, frozenset(part for part in every if _is_fed(done, part)))

    def slip(self, id_: str, feeding: Feeding) -> Slip:
        """The slip of feeding something else."""

        def x(paper: Calculation, block: Block, t: int) -> Fed:
            if block.key not in self.parts:
                return paper.x(block, t)
            found = [
                (feeding if part in self.fed else Calculation.brought)(paper, part, t)
                for part in self.parts[block.key]
            ]
            return found[0] if len(found) == 1 else side_by_side(found)

        return Slip(id_, wires={"x": x}, goes_back=id_ == TAUGHT, sequence=self.sequence)


def _is_fed(done: Pass, part: Part) -> bool:
    """Whether a part comes of the sequence at the same step, and nothing that it comes through keeps anything."""
    if not part.wire.block:
        return True
    below = [done.by_key[key] for key in (part.wire.block, *done.graph.below(part.wire.block)) if key]
    return part.wire.when is When.SAME and not any(
        one.program.states or one.program.banks or one.extent.is_single for one in below
    )


# ── another step ─────────────────────────────────────────────────────────────────────


def _of_step(shift: int, *, is_kept_at_end: bool) -> Feeding:
    """X of another step; zeros where there is none, or that of the step itself."""

    def feeding(paper: Calculation, part: Part, t: int) -> Fed:
        if 0 <= t + shift < paper.done.axis(part.reader).num_steps:
            return paper.brought(part, t + shift)
        value, doubts = paper.brought(part, t)
        return value if is_kept_at_end else point(np.zeros(value[0].shape)), doubts

    return feeding


def _is_shifted(done: Pass, sequence: str) -> bool:
    """Whether a sequence beside the first is fed at each step what was wanted at the one before."""
    fed, target = done.batch.beside.get(sequence), done.batch.target
    if fed is None or target is None or done.scenario.scored_sequence != sequence:
        return False
    given = fed.values if fed.indices is None else fed.indices
    if given is None or given.shape != target.shape or fed.num_steps < 2:
        return False
    is_live = fed.live_steps(fed.num_steps).T[1:]  # (T − 1, B)
    is_same = np.asarray(given[1:] == target[:-1])
    return bool(is_same[is_live].all())


def _wanted(paper: Calculation, part: Part, t: int) -> Fed:
    """What is wanted at the step itself; of padding what is fed."""
    right, doubts = paper.brought(part, t)
    target = paper.batch.target
    assert target is not None
    wanted = target[t]
    if wanted.ndim > 1:
        return shown(wanted, paper.reading.decimals), doubts
    vectors = _vectors(paper, part)
    is_class = (wanted >= 0) & (wanted < len(vectors[0]))
    at = np.where(is_class, wanted, 0)
    low, high = (np.where(is_class[:, None], one[at], old) for one, old in zip(vectors, right, strict=True))
    return (low, high), doubts


def _further_back(paper: Calculation, part: Part, t: int) -> Fed:
    """What stood two steps before; at the first two steps what the first one is fed."""
    return paper.brought(part, max(t - 1, 0))


# ── another row ──────────────────────────────────────────────────────────────────────


def _indices(done: Pass, entering: _Entering) -> Iterator[Slip]:
    """Another one-hot vector, another row of the embedding, or a column of it."""
    if done.batch.sequences[entering.sequence].indices is None:
        return
    direct = [part for part in entering.fed if not part.wire.block or _table(done, part) is not None]
    if not direct:
        return
    part = direct[0]
    table, size = _table(done, part), part.stop - part.start
    count = size if table is None else len(table.parameters["weight"])
    for index in range(min(count, MOST_INDICES)):
        yield entering.slip("wrong_index", _looked_up(index))
    if table is not None and count == size:
        yield entering.slip("embedding_column", _column)


def _table(done: Pass, part: Part) -> Block | None:
    """The block that looks a part up; None where that is no such."""
    block = done.by_key.get(part.wire.block)
    return block if block is not None and block.kind == "lookup" else None


def _vectors(paper: Calculation, part: Part) -> Interval:
    """The vector of each index, (N, n): the rows of the table, or one-hot ones."""
    table = _table(paper.done, part)
    return point(np.eye(part.stop - part.start)) if table is None else paper.parameters(table)["weight"]


def _looked_up(index: int) -> Feeding:
    def feeding(paper: Calculation, part: Part, t: int) -> Fed:
        right, doubts = paper.brought(part, t)
        low, high = _vectors(paper, part)
        return (
            np.broadcast_to(low[index], right[0].shape),
            np.broadcast_to(high[index], right[0].shape),
        ), doubts

    return feeding


def _column(paper: Calculation, part: Part, t: int) -> Fed:
    table = _table(paper.done, part)
    _, doubts = paper.brought(part, t)
    assert table is not None
    low, high = paper.parameters(table)["weight"]
    indices = paper.batch.sequences[table.sequence].indices
    assert indices is not None
    at = indices[t]
    return (low.T[at], high.T[at]), doubts


# ── the end of a row ─────────────────────────────────────────────────────────────────


def _may_end_elsewhere(done: Pass, when: When) -> bool:
    """Whether the last output, of all rows or of each row, is another than the final state for what reads that."""
    parts = (
        part
        for block in done.blocks
        for name in block.wires
        for part in done.graph.origins(block.key, name)
        if part.wire.when is When.LAST and done.by_key[part.wire.block].program.states
    )
    last = done.last_of_recurrent
    for part in parts:
        axis, source = done.axis(part.wire.block), done.by_key[part.wire.block]
        is_short = when is When.END and any(axis.length(row) < axis.num_steps for row in range(axis.num_rows))
        # of the last module's own head `backward_half_at_last_step` is the name
        is_backward = source.direction == "backward" and (last is None or source.module != last.module)
        if is_short or is_backward:
            return True
    return False


def _last_output(when: When) -> Callable[[Calculation, str, str], Fed]:
    """What the module gives at the last step: of all rows, zeros in those that are over, or of each row."""

    def final(paper: Calculation, key: str, state: str) -> Fed:
        block = paper.done.by_key[key]
        if not block.program.states or state != block.output:  # `output` holds no c
            return paper.final(key, state)
        return paper.of_each_row(Wire(key, state, when), lambda step: paper.given(key, step, state))

    return final
