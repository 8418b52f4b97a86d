"""The mistakes between the steps and between the layers: what is fed in is another number than it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.mistakes import fed
from rnnstep.checking.rounding import shown
from rnnstep.checking.slip import Slip
from rnnstep.checking.step import Fed, joined, side_by_side
from rnnstep.engine.passes import Pass
from rnnstep.equations.intervals import Interval, point
from rnnstep.network.blocks import Block
from rnnstep.network.time import as_computed


def variants(done: Pass) -> Iterator[Slip]:
    """Every slip of the run's wires that could make a difference."""
    recurrents, batch = done.scenario.recurrents, done.batch
    if not recurrents:
        return
    states = max((one.cell.states for one in recurrents), key=len)
    yield Slip("h_stays_h_0", wires={"before": _stays})
    if len(states) > 1:  # c went on
        yield Slip("h_stays_h_0", wires={"before": _h_stays})
    carried = [one for one in recurrents if one.carry and done.index]
    gone_on = {f"{one.before_places}{state}_0" for one in carried for state in one.cell.states}
    if carried:
        yield from _not_carried(done, states)
    if done.scenario.initial_of(batch).keys() - gone_on:
        yield Slip("h_zero_ignored", wires={"initial": _zeros})
        if len(states) > 1:  # of one state alone, as where c_0 was taken and h_0 was not
            yield from (Slip("h_zero_ignored", wires={"initial": _zeros_of(state)}) for state in states)
    if any(one.num_layers > 1 for one in recurrents):
        yield Slip("layer_reads_x", wires={"x": _reads_x})
        yield Slip("layer_reads_below_late", wires={"x": _reads_late})
        yield Slip("h_n_first_layer", wires={"finals": _finals_of_first_layer})
    if any(one.bidirectional for one in recurrents[-1:]):
        yield Slip(
            "halves_swapped",
            wires={"output": _swapped(Calculation.output), "finals": _swapped(Calculation.finals)},
        )
        yield Slip("backward_half_at_last_step", wires={"finals": _backward_at_last_step})
    if any(one.bidirectional for one in recurrents):
        yield Slip("backward_not_reversed", wires={"order": _in_order})
        yield Slip("directions_share_weights", wires={"parameters": _of_forward})
    if batch.num_rows > 1:
        yield Slip("h_n_viewed", wires={"finals": _viewed})
    if any(one.packed_lengths is not None for one in batch.sequences.values()):
        yield Slip("padding_walked", walks_padding=True)
    yield from fed.variants(done)


# ── states ───────────────────────────────────────────────────────────────────────────


def _stays(paper: Calculation, block: Block, state: str, _: int) -> Fed:
    return paper.initial(block, state), np.zeros(paper.batch.num_rows, np.bool_)


def _h_stays(paper: Calculation, block: Block, state: str, t: int) -> Fed:
    if state == block.output:
        return _stays(paper, block, state, t)
    return paper.before(block, state, t)


def _zeros(paper: Calculation, block: Block, state: str) -> Interval:
    return point(np.zeros((paper.batch.num_rows, int(block.program.states[state][0]))))


def _zeros_of(one: str) -> Callable[[Calculation, Block, str], Interval]:
    def initial(paper: Calculation, block: Block, state: str) -> Interval:
        return (_zeros if state == one else Calculation.initial)(paper, block, state)

    return initial


def _not_carried(done: Pass, states: Iterable[str]) -> Iterator[Slip]:
    """The states of carried modules begin anew at the batch: from zeros, or as an epoch does; or one of them alone."""

    def anew(*which: str, is_given: bool = False) -> Slip:
        def initial(paper: Calculation, block: Block, state: str) -> Interval:
            if state not in which or not done.goes_on(block.key):
                return paper.initial(block, state)
            if is_given:
                return shown(
                    done.scenario.first_state(block, state, done.scenario.batches[done.index]),
                    paper.reading.decimals,
                )
            return _zeros(paper, block, state)

        return Slip("state_not_carried", wires={"initial": initial})

    yield anew(*states)
    if done.scenario.initial_of(done.scenario.batches[done.index]):
        yield anew(*states, is_given=True)
    if len(tuple(states)) > 1:
        yield from (anew(state) for state in states)


def _of_forward(paper: Calculation, block: Block) -> Mapping[str, Interval]:
    """The parameters of a layer's forward direction, for both."""
    return paper.learnt_parameters(paper.done.by_key.get(block.key.removesuffix("←"), block))


def _in_order(paper: Calculation, block: Block) -> range:
    return as_computed(paper.order(block), block.direction)


# ── inputs ───────────────────────────────────────────────────────────────────────────


def _reads_x(paper: Calculation, block: Block, t: int) -> Fed:
    found = paper.x(next(iter(paper.done.runs.values())).block, t)
    right = paper.x(block, t)
    return found if found[0][0].shape == right[0][0].shape else right


def _reads_late(paper: Calculation, block: Block, t: int) -> Fed:
    if not block.layer:
        return paper.x(block, t)
    if t > 0:
        return paper.x(block, t - 1)
    below = _of_layer(paper, block.module, block.layer - 1)
    value = joined([paper.initial(one, one.output) for one in below])
    return value, np.zeros(paper.batch.num_rows, np.bool_)


# ── what is taken out at the end ─────────────────────────────────────────────────────


def _of_layer(paper: Calculation, module: str, layer: int) -> list[Block]:
    """The recurrent blocks of a layer of a module, one for each direction."""
    every = (run.block for run in paper.done.runs.values())
    return [block for block in every if block.module == module and block.layer == layer]


def _of_last_layer(paper: Calculation) -> list[Block]:
    last = paper.done.scenario.recurrent
    return _of_layer(paper, last.key, last.num_layers - 1)


def _finals_of_first_layer(paper: Calculation) -> Fed:
    last = paper.done.scenario.recurrent
    return side_by_side([paper.final(one.key, one.output) for one in _of_layer(paper, last.key, 0)])


def _swapped(right: Callable[..., Fed]) -> Callable[..., Fed]:
    def swapped(paper: Calculation, *args: Any) -> Fed:
        (low, high), doubts = right(paper, *args)
        half = low.shape[-1] // 2
        return (np.roll(low, half, axis=-1), np.roll(high, half, axis=-1)), doubts

    return swapped


def _backward_at_last_step(paper: Calculation) -> Fed:
    forward, backward = _of_last_layer(paper)
    last = paper.given(backward.key, paper.done.axis(backward.key).num_steps - 1)
    return side_by_side([paper.final(forward.key, forward.output), last])


def _viewed(paper: Calculation) -> Fed:
    """h_n of the last layer as `h_n.view(B, −1)`: rows that are no rows."""
    parts = [paper.final(one.key, one.output) for one in _of_last_layer(paper)]
    rows = paper.batch.num_rows
    low, high = (np.stack([value[side] for value, _ in parts]).reshape(rows, -1) for side in (0, 1))
    return (low, high), np.logical_or.reduce([doubts for _, doubts in parts])
