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
from rnnstep.engine.blocks import last_block_of
from rnnstep.equations.shares import ROWS, D
from rnnstep.network.graph import Part, is_join
from rnnstep.network.wires import When
from rnnstep.session.edits import gone_on_from, is_learnt
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Index, Path, Spot, number_of


class Origin(NamedTuple):
    """Where an element was computed, and the row of the batch that it belongs to."""

    path: Path
    row: int


@dataclass(frozen=True, slots=True)
class ElementAt:
    """One element of a value: at a spot that names the value as its operation, by its index, in a row."""

    spot: Spot
    index: Index
    row: int


@dataclass(frozen=True, slots=True)
class ReadBy:
    """Where a block reads an element, and under which name."""

    spot: Spot
    name: str
    index: Index


def source(run: SessionRun, spot: Spot, name: str, index: Index, row: int = 0) -> Origin | None:
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


def _number(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    spot = replace(spot, element=None, term=None)
    if name in run.tree.block(spot).program.names:
        return ElementAt(replace(spot, operation=name), index, row)
    match spot.phase:
        case "backward":
            return _in_backward_pass(run, spot, name, index, row)
        case "update":
            return _in_the_update(run, spot, name, index, row)
    return _forward(run, spot, name, index, row)


# ── forward ──────────────────────────────────────────────────────────────────────────────


def _forward(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    block = run.tree.block(spot)
    if name in block.program.befores:
        return _previous_state(run, spot, name, index, row)
    if name in block.kept_in:
        return _learnt(run, spot, block, name, index, row) if name in block.learnt_in else None
    return from_below(run, spot, name, index, row)


def _previous_state(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    program = run.tree.block(spot).program
    state = next(one for one in program.states if program.before(one) == name)
    before = run.tree.step_before(spot)
    if before is not None:
        there = replace(spot, t=before, operation=state)
        if run.is_live(there, row):
            return ElementAt(there, index, row)
    if f"{state}_0" in run.tree.block(spot).wires:
        return from_below(run, spot, f"{state}_0", index, row)
    batch = gone_on_from(run, spot)
    if batch is None:
        return None
    there = replace(spot, batch=batch.batch, epoch=batch.epoch, operation=state)
    return ElementAt(replace(there, t=end_of_row(run, there, row)), index, row)


def end_of_row(run: SessionRun, spot: Spot, row: int) -> int:
    """The step at which a recurrent block comes to the end of a row."""
    return _step_brought(run, spot, When.LAST, row)


def _step_brought(run: SessionRun, spot: Spot, when: When, row: int) -> int:
    """The step of a block that a wire brings which brings one step of each row."""
    assert spot.batch is not None
    block = run.tree.block(spot)
    if block.extent.is_single:
        return run.tree.last_step(spot)
    return run.scenario.batches[spot.batch].axis(block.sequence).step_brought(when, block.direction, row)


def _learnt(run: SessionRun, spot: Spot, block: Block, name: str, index: Index, row: int) -> ElementAt | None:
    """A parameter comes from the update before the batch; the first ones are given."""
    before = run.tree.batch_before(spot)
    if before is None or not is_learnt(run, spot):
        return None
    where = block.kept_in[name]
    there = replace(before, key=where.torch, t=0, operation="w", phase="update")
    return ElementAt(there, where.index(index), row)


def from_below(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    """Find where an element that a block is given by another was computed; None of what the scenario gives."""
    assert spot.key is not None
    part = run.tree.stage(spot).graph.origin(spot.key, name, index[-1])
    if part is not None and not part.wire.block:
        return _said_before(run, spot, row)
    if part is None:
        return None
    there = replace(spot, key=part.wire.block, operation=part.wire.value)
    if name in run.tree.block(spot).program.banks and run.tree.block(spot).reads_all_rows:
        return _of_all_rows(run, there, part, index)
    if name in run.tree.block(spot).program.banks:  # vector s of a bank is step s
        return ElementAt(replace(there, t=index[0]), (index[1] - part.start,), row)
    match part.wire.when:
        case When.BEFORE:
            assert spot.t is not None
            is_given = not spot.t and not run.tree.block(there).program.states
            if is_given or spot.t in part.wire.taught:  # what is fed first, or what was wanted
                return None
            if not spot.t:  # what the module read of itself there
                before = run.tree.block(there).program.before(part.wire.value)
                there = replace(there, t=spot.t, operation=None)
                return _previous_state(run, there, before, (index[0] - part.start, *index[1:]), row)
            there = replace(there, t=part.wire.step_read(spot.t))
        case When.ALL:
            return _entry(run, there, index[0])
        case When.LAST | When.ROW_END | When.END:
            there = replace(there, t=_step_brought(run, there, part.wire.when, row))
        case When.OFFSET:
            assert spot.t is not None
            there = replace(there, t=part.wire.step_read(spot.t, _num_steps(run, there)))
            if not run.is_live(there, row):  # outside, or the padding of a row
                return None
    return ElementAt(there, (index[0] - part.start, *index[1:]), row)


def _num_steps(run: SessionRun, spot: Spot) -> int:
    """How many steps there are along the sequence of a block, padding included."""
    assert spot.batch is not None
    return run.scenario.batches[spot.batch].axis(run.tree.block(spot).sequence).num_steps


def _said_before(run: SessionRun, spot: Spot, row: int) -> ElementAt | None:
    """The score that was the largest, or was drawn, a step before one that a layer feeds; None of what is given."""
    feeding = run.scenario.feeds.get(run.tree.block(spot).sequence)
    if feeding is None or not spot.t or not feeding.is_of_classes or spot.batch is None:
        return None
    if feeding.teacher is not None and feeding.teacher[spot.t]:
        return None
    indices = run.batch_of(spot.batch).sequences[run.tree.block(spot).sequence].indices
    assert indices is not None
    block = last_block_of(run.tree.stage(spot).blocks, feeding.layer)
    there = replace(spot, key=block.key, t=spot.t - 1, operation=block.output)
    return ElementAt(there, (int(indices[spot.t, row]),), row)


def _of_all_rows(run: SessionRun, spot: Spot, part: Part, index: Index) -> ElementAt | None:
    """Where an element of the vectors of all steps and rows was computed, which stand row beside row in each step."""
    assert spot.batch is not None
    t, row = divmod(index[0], run.num_rows(spot.batch))
    if _is_brought_once(run, spot, part):
        if t:  # of a larger batch
            return None
        t = _step_brought(run, spot, part.wire.when, row)
    elif t > run.tree.last_step(spot):
        return None
    return ElementAt(replace(spot, t=t), (index[1] - part.start,), row)


def _is_brought_once(run: SessionRun, spot: Spot, part: Part) -> bool:
    """Whether one vector of each row is read of a block that gives it."""
    return part.wire.when.is_once or run.tree.block(spot).extent.is_single


def _entry(run: SessionRun, spot: Spot, number: int) -> ElementAt:
    """One of all the numbers of a value, one step after the other: of which step and row it is."""
    assert spot.batch is not None
    t, row = divmod(number, run.num_rows(spot.batch))
    return ElementAt(spot if run.tree.block(spot).extent.is_single else replace(spot, t=t), (0,), row)


def entry_number(run: SessionRun, spot: Spot, row: int) -> int:
    """The other way: which of all the numbers of a value that of a step and row is."""
    assert spot.batch is not None
    assert spot.t is not None
    return row if run.tree.block(spot).extent.is_single else spot.t * run.num_rows(spot.batch) + row


# ── upwards ──────────────────────────────────────────────────────────────────────────────


def above(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> Iterator[ReadBy]:
    """Give where the blocks above read an element of a value of a forward spot's block."""
    assert spot.key is not None
    graph = run.tree.stage(spot).graph
    for part in (*graph.readers(spot.key), *graph.ends(spot.key)):
        if part.wire.value == name:
            reader = run.tree.block(replace(spot, key=part.reader, operation=None))
            is_of_all = reader.reads_all_rows and part.name in reader.program.banks
            yield from (_read_of_all_rows if is_of_all else _reading)(run, spot, part, index, row)
    yield from _fed_by(run, spot, name, index, row)


def _fed_by(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> Iterator[ReadBy]:
    """What the next step is fed because this score was the largest, or was drawn."""
    block = run.tree.block(spot)
    for sequence, feeding in run.scenario.feeds.items():
        if block.module != feeding.layer or name != block.output or spot.t is None:
            continue
        for reader in run.tree.stage(spot).blocks:
            if not reader.reads_data or reader.sequence != sequence:
                continue
            there = replace(spot, key=reader.key, t=spot.t + 1, operation=None)
            read = next(iter(reader.program.inputs), "x")
            if spot.t >= run.tree.last_step(there) or not run.is_live(there, row):
                continue
            if _said_before(run, there, row) == ElementAt(replace(spot, operation=name), index, row):
                yield ReadBy(there, read, (0,) if reader.kind == "lookup" else index)


def _reading(run: SessionRun, spot: Spot, part: Part, index: Index, row: int) -> Iterator[ReadBy]:
    """Where one input reads an element, if it reads that step of it; of a join no end is read, but those of its parts."""
    there = replace(spot, key=part.reader, operation=None)
    if run.tree.block(there).state_before(part.name) is not None:
        yield from _before_first(run, spot, part, index, row)
        return
    match part.wire.when:
        case When.SAME:
            yield ReadBy(there, part.name, (part.start + index[0], *index[1:]))
        case When.ALL if part.name in run.tree.block(there).program.banks:
            assert spot.t is not None
            for t in range(run.tree.last_step(there) + 1):
                yield ReadBy(replace(there, t=t), part.name, (spot.t, part.start + index[0]))
        case When.BEFORE | When.OFFSET:
            assert spot.t is not None
            for at in part.wire.steps_reading(spot.t, _num_steps(run, spot), _num_steps(run, there)):
                following = replace(there, t=at)
                if run.tree.path_to(following) is not None and run.is_live(following, row):
                    yield ReadBy(following, part.name, (part.start + index[0], *index[1:]))
        case When.ALL:
            yield ReadBy(_at_last_step(run, there), part.name, (entry_number(run, spot, row),))
        case When.LAST if is_join(run.tree.block(spot)):
            return
        case When.LAST | When.ROW_END | When.END if spot.t == _step_brought(run, spot, part.wire.when, row):
            for t in run.tree.stage(there).steps[part.reader]:  # the same at every step, where it has several
                yield ReadBy(replace(there, t=t), part.name, (part.start + index[0],))


def _read_of_all_rows(run: SessionRun, spot: Spot, part: Part, index: Index, row: int) -> Iterator[ReadBy]:
    """Where a block that reads the vectors of all steps and rows reads an element."""
    assert spot.t is not None
    assert spot.batch is not None
    is_once = _is_brought_once(run, spot, part)
    if is_once and spot.t != _step_brought(run, spot, part.wire.when, row):
        return
    there = _at_last_step(run, replace(spot, key=part.reader, operation=None))
    number = (0 if is_once else spot.t) * run.num_rows(spot.batch) + row
    yield ReadBy(there, part.name, (number, part.start + index[0]))


def _before_first(run: SessionRun, spot: Spot, part: Part, index: Index, row: int) -> Iterator[ReadBy]:
    """Where a block reads an element as that of its state before the first step of a row."""
    assert spot.batch is not None
    if is_join(run.tree.block(spot)) or spot.t != _step_brought(run, spot, part.wire.when, row):
        return
    there = replace(spot, key=part.reader, operation=None)
    block = run.tree.block(there)
    state = block.state_before(part.name)
    assert state is not None
    axis = run.scenario.batches[spot.batch].axis(block.sequence)
    first = replace(there, t=axis.first_step(block.direction, row))
    element = part.start + index[0]
    yield ReadBy(first, block.program.before(state), (element,))
    for one in run.tree.stage(there).graph.readers(
        part.reader
    ):  # as the state of the step before the first one
        if one.wire.when is When.BEFORE and one.wire.value == state:
            yield ReadBy(replace(there, key=one.reader, t=0), one.name, (one.start + element,))


def _at_last_step(run: SessionRun, spot: Spot) -> Spot:
    return replace(spot, t=run.tree.last_step(spot))


# ── in the backward pass ─────────────────────────────────────────────────────────────────


def _in_backward_pass(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    tree = run.tree
    program = tree.block(spot).program
    state = next((one for one in program.states if program.before(one) == name), None)
    if state is not None:
        before = tree.step_before(spot)
        if before is None:
            return None
        there = replace(spot, t=before, operation=state)
        is_sum = state.removeprefix(D) in tree.block(spot).kept_in
        return ElementAt(there, index, living_row(run, there, row) if is_sum else row)
    forward = replace(spot, phase="forward")
    if not name.startswith(D):
        if name in tree.block(forward).program.names:
            return ElementAt(replace(forward, operation=name), index, row)
        return _forward(run, forward, name, index, row)
    return _from_above(run, spot, index, row) if name == above_name(run, spot) else None


def above_name(run: SessionRun, spot: Spot) -> str:
    """The name under which a backward spot's block reads the gradient of what it gave to the block above."""
    program = run.tree.block(spot).program
    forward = run.tree.block(replace(spot, phase="forward"))
    if not forward.program.states:
        return f"{D}{forward.output}"
    return next(name for name in program.inputs if name.startswith(D) and not name.endswith(ROWS))


def _from_above(run: SessionRun, spot: Spot, index: Index, row: int) -> ElementAt | None:
    """What the block above sends back."""
    reading = sent_from(run, replace(spot, phase="forward"), index, row)
    if reading is None:
        return None
    there = replace(reading.spot, phase="backward", operation=f"{D}{reading.name}")
    if (
        there.key not in run.tree.stage(there).by_key
    ):  # nothing comes back from a block above what gradients are given at
        return None
    return ElementAt(there, reading.index, row)


def sent_from(run: SessionRun, spot: Spot, index: Index, row: int) -> ReadBy | None:
    """Where the gradient of an element of a forward spot's output comes from; of two directions the last computed.

    None where several modules, or several steps, send something back, which no operation adds up. Of final states it goes through their join, which the forward pass does not.
    """
    assert spot.key is not None
    found = list(above(run, spot, run.tree.block(spot).output, index, row))
    if is_join(run.tree.block(spot)):
        for part in run.tree.stage(spot).graph.readers(spot.key):
            if part.wire.when is When.LAST:
                there = _at_last_step(run, replace(spot, key=part.reader, operation=None))
                element = part.start + index[0]
                number = from_below(run, there, part.name, (element,), row)
                if number is not None and number.spot.t == spot.t:
                    return None if found else ReadBy(there, part.name, (element,))
    modules = {(run.tree.block(one.spot).module, one.spot.t) for one in found}
    is_read_twice = len({(one.spot.key, one.spot.t) for one in found}) < len(found)
    if is_read_twice:  # by a window in which one step stands for another
        return None
    is_joined = bool(found) and is_join(run.tree.block(found[0].spot))
    if len(found) > 1 and any(run.tree.block(one.spot).reads_all_rows for one in found):
        return None
    return found[0] if is_joined or len(modules) == 1 else None


def sent_to(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    """Whose gradient an element of what a forward spot's block is given goes on to: the other way of `sent_from`."""
    assert spot.key is not None
    number = from_below(run, spot, name, index, row)
    if number is None or run.tree.path_to(number.spot) is None:
        return None
    for part in run.tree.stage(spot).graph.entering(spot.key, name):
        if part.wire.block != number.spot.key and part.start <= index[-1] < part.stop:  # by way of a join
            there = replace(number.spot, key=part.wire.block, operation=part.wire.value)
            number = ElementAt(there, (index[0] - part.start,), row)
    taken = sent_from(run, number.spot, number.index, number.row)
    return number if taken is not None and taken.spot.key == spot.key else None


def living_row(run: SessionRun, spot: Spot, row: int) -> int:
    """A row of the batch, or the first that takes part in a step where this one does not."""
    assert spot.batch is not None
    if run.is_live(spot, row):
        return row
    return next((one for one in range(run.num_rows(spot.batch)) if run.is_live(spot, one)), row)


# ── in the update ────────────────────────────────────────────────────────────────────────


def _in_the_update(run: SessionRun, spot: Spot, name: str, index: Index, row: int) -> ElementAt | None:
    if name == "grad":
        return _gradient(run, spot, index, row)
    if name == "clip_coef":
        return ElementAt(replace(spot, key="clip", operation=name), (0,), row)
    program = run.tree.block(spot).program
    state = next((one for one in program.states if program.before(one) == name), None)
    before = run.tree.batch_before(spot)
    if state is None or before is None:
        return None
    return ElementAt(replace(spot, batch=before.batch, epoch=before.epoch, operation=state), index, row)


def _gradient(run: SessionRun, spot: Spot, index: Index, row: int) -> ElementAt | None:
    """The sum of all shares in the gradient of one of torch's parameters, of the part that the element is in."""
    back = replace(spot, phase="backward", key=None, operation=None)
    for block in run.tree.stage(back).blocks:
        for part, where in block.kept_in.items():
            own = where.own_index(index) if where.torch == spot.key else None
            if own is not None and f"{D}{part}" in block.program.names:
                there = replace(back, key=block.key, operation=f"{D}{part}")
                there = replace(there, t=run.tree.last_step(there))
                return ElementAt(there, own, living_row(run, there, row))
    return None
