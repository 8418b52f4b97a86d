"""Where a number came from: across operations, blocks and steps, passes and epochs.

forward    h_prev of the step before, x of the block below; a weight of the update before its batch
backward   ∂h_next of the step handled before, ∂h_above of the block above; x, h, gates of the forward pass
update     grad of the last sum ∂W; w_prev and what the optimizer keeps of the update before
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from rnnstep.engine import Block
from rnnstep.equations.shares import ROWS, D
from rnnstep.session.edits import is_carried_on, is_learnt
from rnnstep.session.run import Run
from rnnstep.session.tree import Index, Path, Spot, number_of


class Origin(NamedTuple):
    """Where an element was computed, and the row of the batch that it belongs to."""

    path: Path
    row: int


@dataclass(frozen=True, slots=True)
class Number:
    """One element of a value: at a spot that names the value as its operation, by its index, in a row."""

    spot: Spot
    index: Index
    row: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a block reads an element, and under which name."""

    spot: Spot
    name: str
    index: Index


def source(run: Run, spot: Spot, name: str, index: Index, row: int = 0) -> Origin | None:
    """Give the place where an element of a value that a spot's line reads was computed; None for what is given.

    Args:
        run: the run.
        spot: where it is read.
        name: under which name.
        index: which element.
        row: the row of the batch: in a packed one rows begin and end at steps of their own.
    """
    if name.endswith(ROWS):
        name, row, index = name.removesuffix(ROWS), index[0], index[1:]
        if not run.is_live(spot, row):  # zeros stand for a row that is over
            return None
    number = _number(run, spot, name, index or (0,), row)
    if number is None or run.tree.path_to(number.spot) is None or not run.is_live(number.spot, number.row):
        return None
    there = number.spot
    element = number_of(run.tree.block(there), there.operation or "", number.index)
    path = None if element is None else run.tree.path_to(replace(there, element=element))
    return None if path is None else Origin(path, number.row)


def _number(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    spot = replace(spot, element=None, term=None)
    if name in run.tree.block(spot).program.names:
        return Number(replace(spot, operation=name), index, row)
    match spot.phase:
        case "backward":
            return _on_the_way_back(run, spot, name, index, row)
        case "update":
            return _in_the_update(run, spot, name, index, row)
    return _forward(run, spot, name, index, row)


# ── forward ──────────────────────────────────────────────────────────────────────────────


def _forward(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    block = run.tree.block(spot)
    if name in block.program.befores:
        return _previous_state(run, spot, name, index, row)
    if name in block.kept_in:
        return _learnt(run, spot, block, name, index, row)
    if name in block.program.inputs:
        return from_below(run, spot, name, index, row)
    return None


def _previous_state(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    program = run.tree.block(spot).program
    state = next(one for one in program.states if program.before(one) == name)
    before = run.tree.step_before(spot)
    if before is not None:
        there = replace(spot, t=before, operation=state)
        if run.is_live(there, row):
            return Number(there, index, row)
    batch = run.tree.batch_before(spot)
    if batch is None or not is_carried_on(run, spot):
        return None
    there = replace(spot, batch=batch.batch, epoch=batch.epoch, operation=state)
    return Number(replace(there, t=end_of_row(run, there, row)), index, row)


def end_of_row(run: Run, spot: Spot, row: int) -> int:
    """The step at which a recurrent block comes to the end of a row."""
    assert spot.batch is not None
    return (
        0 if run.tree.block(spot).direction == "backward" else run.scenario.batches[spot.batch].last_step(row)
    )


def _learnt(run: Run, spot: Spot, block: Block, name: str, index: Index, row: int) -> Number | None:
    """A parameter comes from the update before the batch; the first ones are given."""
    before = run.tree.batch_before(spot)
    if before is None or not is_learnt(run, spot):
        return None
    where = block.kept_in[name]
    there = replace(before, key=where.torch, t=0, operation="w", phase="update")
    return Number(there, (where.start + index[0], *index[1:]), row)


def from_below(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    """Find the output of the block below that a block is given, through a join to the direction that it is of."""
    block = run.tree.block(spot)
    if block.kind == "total":
        return _entry(run, spot, index[0]) if name == _first_input(block) else None
    if run.is_final(spot):
        return _final_state(run, spot, index[0], row)
    below = _block_below(run, spot, block, name)
    return None if below is None else Number(replace(spot, key=below.key, operation=below.output), index, row)


def _block_below(run: Run, spot: Spot, block: Block, name: str) -> Block | None:
    blocks = run.tree.stage(spot).blocks
    keys = [one.key for one in blocks]
    if block.kind == "join":
        return blocks[keys.index(f"L{block.layer}{'←' if name == 'backward' else ''}")]
    if name != _first_input(block) or name == "index":
        return None
    position = keys.index(block.key) - 1
    if block.direction == "backward":
        position -= 1  # both directions read what lies below the layer
    return blocks[position] if position >= 0 else None


def _first_input(block: Block) -> str:
    return next(iter(block.program.inputs))


def _entry(run: Run, spot: Spot, number: int) -> Number:
    """The loss of a step and row; `total` has them all, one step after the other."""
    assert spot.batch is not None
    t, row = divmod(number, run.num_rows(spot.batch))
    loss = run.tree.block(replace(spot, key="loss"))
    there = replace(spot, key="loss", operation=loss.output)
    return Number(there if _is_of_final(run) else replace(there, t=t), (0,), row)


def entry_number(run: Run, spot: Spot, row: int) -> int:
    """The number among all entries of the loss of a step and row."""
    assert spot.batch is not None
    assert spot.t is not None
    return row if _is_of_final(run) else spot.t * run.num_rows(spot.batch) + row


def _is_of_final(run: Run) -> bool:
    """Whether the loss is one of the final states alone."""
    return run.is_final(Spot(0, "linear"))


def _final_state(run: Run, spot: Spot, element: int, row: int) -> Number:
    """The last layer's final state: of the forward direction at the row's last step, of the backward one at the first."""
    layer = run.scenario.recurrent.num_layers - 1
    size = run.scenario.recurrent.output_size
    is_backward = element >= size
    there = replace(
        spot, key=f"L{layer}{'←' if is_backward else ''}", operation=next(iter(run.scenario.cell.states))
    )
    return Number(replace(there, t=end_of_row(run, there, row)), (element - size * is_backward,), row)


# ── upwards ──────────────────────────────────────────────────────────────────────────────


def above(run: Run, spot: Spot, index: Index, row: int) -> Iterator[Reading]:
    """Give where the blocks above read an element of the output of a forward spot's block."""
    blocks = run.tree.stage(spot).blocks
    block = run.tree.block(spot)
    later = blocks[[one.key for one in blocks].index(block.key) + 1 :]
    if block.kind == "loss":
        name = _first_input(later[0])
        yield Reading(_at_last_step(run, spot, "total"), name, (entry_number(run, spot, row),))
        return
    if block.kind == "recurrent" and run.scenario.recurrent.bidirectional:
        joins = [one for one in later if one.kind == "join" and one.layer == block.layer]
        yield from (Reading(replace(spot, key=one.key), block.direction, index) for one in joins)
    elif later and run.is_final(replace(spot, key=later[0].key)):
        pass
    elif later and later[0].kind != "total":
        nexts = [one for one in later if (one.kind, one.layer) == (later[0].kind, later[0].layer)]
        yield from (Reading(replace(spot, key=one.key), _first_input(one), index) for one in nexts)
    yield from _final_reading(run, spot, block, index, row)


def _at_last_step(run: Run, spot: Spot, key: str) -> Spot:
    there = replace(spot, key=key, operation=None)
    return replace(there, t=run.tree.last_step(there))


def _final_reading(run: Run, spot: Spot, block: Block, index: Index, row: int) -> Iterator[Reading]:
    """The linear layer on h_n, of the last layer's states at the end of the run."""
    is_last = block.kind == "recurrent" and block.layer == run.scenario.recurrent.num_layers - 1
    if not is_last or not _is_of_final(run) or spot.t != end_of_row(run, spot, row):
        return
    there = _at_last_step(run, spot, "linear")
    offset = run.scenario.recurrent.output_size * (block.direction == "backward")
    yield Reading(there, _first_input(run.tree.block(there)), (index[0] + offset,))


# ── on the way back ──────────────────────────────────────────────────────────────────────


def _on_the_way_back(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    tree = run.tree
    program = tree.block(spot).program
    state = next((one for one in program.states if program.before(one) == name), None)
    if state is not None:
        before = tree.step_before(spot)
        if before is None:
            return None
        there = replace(spot, t=before, operation=state)
        is_sum = state.removeprefix(D) in tree.block(spot).kept_in
        return Number(there, index, living_row(run, there, row) if is_sum else row)
    forward = replace(spot, phase="forward")
    if not name.startswith(D):
        if name in tree.block(forward).program.names:
            return Number(replace(forward, operation=name), index, row)
        return _forward(run, forward, name, index, row)
    return _from_above(run, spot, index, row) if name == above_name(run, spot) else None


def above_name(run: Run, spot: Spot) -> str:
    """The name under which a backward spot's block reads the gradient of what it gave to the block above."""
    program = run.tree.block(spot).program
    forward = run.tree.block(replace(spot, phase="forward"))
    if not forward.program.states:
        return f"{D}{forward.output}"
    return next(name for name in program.inputs if name.startswith(D) and not name.endswith(ROWS))


def _from_above(run: Run, spot: Spot, index: Index, row: int) -> Number | None:
    """What the block above sends back."""
    reading = sent_from(run, replace(spot, phase="forward"), index, row)
    if reading is None:
        return None
    there = replace(reading.spot, phase="backward", operation=f"{D}{reading.name}")
    return Number(there, reading.index, row)


def sent_from(run: Run, spot: Spot, index: Index, row: int) -> Reading | None:
    """Where the gradient of an element of a forward spot's output comes from; of two directions the last computed.

    Of final states it goes through their join, which the way forward does not.
    """
    block = run.tree.block(spot)
    if block.kind == "total":
        return None
    if block.kind != "join" or not _is_of_final(run) or block.layer < run.scenario.recurrent.num_layers - 1:
        return next(above(run, spot, index, row), None)
    there = _at_last_step(run, spot, "linear")
    number = _final_state(run, there, index[0], row)
    return Reading(there, _first_input(run.tree.block(there)), index) if number.spot.t == spot.t else None


def sent_to(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    """Whose gradient an element of what a forward spot's block is given goes on to: the other way of `sent_from`."""
    number = from_below(run, spot, name, index, row)
    if number is None or run.tree.path_to(number.spot) is None:
        return None
    if run.is_final(spot) and run.scenario.recurrent.bidirectional:
        join = f"join{run.scenario.recurrent.num_layers - 1}"
        number = replace(number, spot=replace(number.spot, key=join, operation="output"), index=index)
    taken = sent_from(run, number.spot, number.index, number.row)
    return number if taken is not None and taken.spot.key == spot.key else None


def living_row(run: Run, spot: Spot, row: int) -> int:
    """A row of the batch, or the first that takes part in a step where this one does not."""
    assert spot.batch is not None
    if run.is_live(spot, row):
        return row
    return next((one for one in range(run.num_rows(spot.batch)) if run.is_live(spot, one)), row)


# ── in the update ────────────────────────────────────────────────────────────────────────


def _in_the_update(run: Run, spot: Spot, name: str, index: Index, row: int) -> Number | None:
    if name == "grad":
        return _gradient(run, spot, index, row)
    if name == "clip_coef":
        return Number(replace(spot, key="clip", operation=name), (0,), row)
    program = run.tree.block(spot).program
    state = next((one for one in program.states if program.before(one) == name), None)
    before = run.tree.batch_before(spot)
    if state is None or before is None:
        return None
    return Number(replace(spot, batch=before.batch, epoch=before.epoch, operation=state), index, row)


def _gradient(run: Run, spot: Spot, index: Index, row: int) -> Number | None:
    """The sum of all shares in the gradient of one of torch's parameters, of the part that the element is in."""
    back = replace(spot, phase="backward", key=None, operation=None)
    for block in run.tree.stage(back).blocks:
        for part, where in block.kept_in.items():
            is_in = where.torch == spot.key and where.start <= index[0] < where.stop
            if is_in and f"{D}{part}" in block.program.names:
                there = replace(back, key=block.key, operation=f"{D}{part}")
                there = replace(there, t=run.tree.last_step(there))
                return Number(there, (index[0] - where.start, *index[1:]), living_row(run, there, row))
    return None
