"""Where a number goes next: the operations that read it, in its block, one step on, above, below, and in other passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from rnnstep.engine import Block
from rnnstep.equations.shares import ROWS, D
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Pick
from rnnstep.network.graph import is_join
from rnnstep.network.wires import When
from rnnstep.session.edits import gone_on_from
from rnnstep.session.provenance import above, above_name, end_of_row, sent_to
from rnnstep.session.run import SessionRun
from rnnstep.session.tree import Spot, index_of, size_of

_LIKE = {"head": 1, "tail": 1, "spread": 1, "to_each": 1, "placed": 2, "within": 2, "scatter": 2}
"""Operations with an argument whose shape alone counts, and which argument that is."""

Read = tuple[Spot, str]
"""A block at a step, and the name under which it reads a value. A spot with an operation means that one alone."""


def readers(run: SessionRun, spot: Spot, row: int = 0, *, most: int | None = None) -> list[Spot]:
    """Give the operations that read a spot's value next, of an element those that read it; in the order of computation.

    A weight is read at every step, so one may ask for `most` of them alone.
    """
    if spot.operation is None or spot.t is None:
        return []
    here, name = replace(spot, operation=None, element=None, term=None), spot.operation
    match spot.phase:
        case "backward":
            reads = _of_backward(run, here, name, spot.element, row)
        case "update":
            reads = _of_update(run, here, name, spot.element)
        case _:
            reads = _of_forward(run, here, name, spot.element, row)
    found: dict[Spot, None] = {}
    for there, read_as in reads:
        found |= dict.fromkeys(_lines_reading(run, there, read_as, row))
        if most is not None and len(found) >= most:
            break
    return sorted(found, key=lambda one: run.tree.path_to(one) or ())[:most]


def _lines_reading(run: SessionRun, spot: Spot, name: str, row: int) -> list[Spot]:
    """The lines of a spot's block that read a name, also of all rows together."""
    if run.tree.path_to(replace(spot, operation=None)) is None or not run.is_live(spot, row):
        return []
    wanted = {name, f"{name}{ROWS}"}
    lines = [line for line in run.tree.block(spot).program.lines if spot.operation in (None, line.name)]
    return [replace(spot, operation=line.name) for line in lines if wanted & set(names_read(line))]


def names_read(line: Line) -> tuple[str, ...]:
    """The names whose numbers a line reads, each once: not those that only say how long a value is."""
    return tuple(dict.fromkeys(_names(line.expression)))


def _names(expression: Expression) -> Iterator[str]:
    match expression:
        case Name(id=name):
            yield name
        case Pick(base=base):
            yield from _names(base)
        case Apply(op=op, args=args):
            for number, argument in enumerate(args):
                if _LIKE.get(op) != number:
                    yield from _names(argument)


def _elements(block: Block, operation: str, element: int | None) -> range:
    """The elements that are asked about."""
    return range(size_of(block, operation)) if element is None else range(element, element + 1)


# ── forward ──────────────────────────────────────────────────────────────────────────────


def _of_forward(run: SessionRun, spot: Spot, name: str, element: int | None, row: int) -> Iterator[Read]:
    """Who reads a value in the forward pass reads it in the backward pass as well."""
    for there, read_as in _in_forward_pass(run, spot, name, element, row):
        yield there, read_as
        back = replace(there, phase="backward")
        if "backward" in run.tree.phases and there.key in run.tree.stage(back).by_key:
            yield back, read_as


def _in_forward_pass(run: SessionRun, spot: Spot, name: str, element: int | None, row: int) -> Iterator[Read]:
    block = run.tree.block(spot)
    yield spot, name
    if name in block.program.states:
        yield from _as_state(run, spot, block.program.before(name), row)
    for reading in above(run, spot, name, index_of(block, name, element or 0) or (0,), row):
        yield reading.spot, reading.name


def _as_state(run: SessionRun, spot: Spot, read_as: str, row: int) -> Iterator[Read]:
    """One step on; where states go on, at the end of a row its beginning in the next batch."""
    on = run.tree.step_after(spot)
    if on is not None:
        yield replace(spot, t=on), read_as
    following = run.tree.batch_after(spot)
    if following is None or spot.t != end_of_row(run, spot, row):
        return
    there = replace(spot, batch=following.batch, epoch=following.epoch)
    if gone_on_from(run, there) is not None:
        assert there.batch is not None
        block = run.tree.block(there)
        axis = run.scenario.batches[there.batch].axis(block.sequence)
        yield replace(there, t=axis.first_step(block.direction, row)), read_as


# ── backward ─────────────────────────────────────────────────────────────────────────────


def _of_backward(run: SessionRun, spot: Spot, name: str, element: int | None, row: int) -> Iterator[Read]:
    block = run.tree.block(spot)
    yield spot, name
    on = run.tree.step_after(spot)
    if name in block.program.states and on is not None:
        yield replace(spot, t=on), block.program.before(name)
    value = name.removeprefix(D)
    if value in block.kept_in and on is None and "update" in run.tree.phases:
        yield replace(spot, key=block.kept_in[value].torch, t=0, phase="update"), "grad"
    forward = replace(spot, phase="forward")
    yield from _where_it_began(run, forward, value, element, row)
    if value in run.tree.block(forward).program.inputs:
        yield from _below(run, forward, value, element, row)


def _where_it_began(run: SessionRun, spot: Spot, name: str, element: int | None, row: int) -> Iterator[Read]:
    """The block whose state another one began with, `h_0`, in the backward pass: what is left of ∂h_prev goes on to it."""
    block = run.tree.block(spot)
    state = next((one for one in block.program.states if block.program.before(one) == name), None)
    if state is None or f"{state}_0" not in block.wires:
        return
    assert spot.batch is not None
    axis = run.scenario.batches[spot.batch].axis(block.sequence)
    if spot.t == axis.first_step(block.direction, row):
        yield from _below(run, spot, f"{state}_0", element, row)


def _below(run: SessionRun, spot: Spot, name: str, element: int | None, row: int) -> Iterator[Read]:
    """The blocks that gave a forward spot's block its input, in the backward pass."""
    block, graph = run.tree.block(spot), run.tree.stage(spot).graph
    assert spot.key is not None
    parts = graph.entering(spot.key, name)
    has_parts = any(part.wire.when in (When.ALL, When.LAST) for part in parts)
    numbers: Iterable[int] = (element or 0,)
    value = block.state_before(name) or name
    if has_parts:
        numbers = _elements(block, value, element)
    elif element is None and len(parts) > 1:
        numbers = [part.start for part in parts]
    for number in numbers:
        below = sent_to(run, spot, name, (number,), row)
        if below is None:
            continue
        there = replace(below.spot, phase="backward", operation=None)
        read_as = above_name(run, there)
        if is_join(run.tree.block(below.spot)) and (has_parts or element is not None):
            there = replace(there, operation=f"{D}{_half(run.tree.block(below.spot), below.index[0])}")
        yield there, read_as


def _half(join: Block, element: int) -> str:
    """The input of a join that an element of its output is of."""
    for name in join.program.inputs:
        if element < size_of(join, name):
            return name
        element -= size_of(join, name)
    raise IndexError(element)


# ── update ───────────────────────────────────────────────────────────────────────────────


def _of_update(run: SessionRun, spot: Spot, name: str, element: int | None) -> Iterator[Read]:
    tree = run.tree
    block = tree.block(spot)
    yield spot, name
    if block.kind == "clip":
        yield from ((replace(spot, key=one.key), name) for one in tree.stage(spot).blocks[1:])
    following = tree.batch_after(spot)
    if following is None or name not in block.program.states:
        return
    there = replace(spot, batch=following.batch, epoch=following.epoch)
    yield there, block.program.before(name)
    if name == "w":
        row = None if element is None else index_of(block, name, element)[0]
        yield from _of_parameter(run, there, row)


def _of_parameter(run: SessionRun, spot: Spot, row: int | None) -> Iterator[Read]:
    """Every step that reads one of torch's parameters, forward and backward; or its part with one of its rows."""
    for phase in run.tree.phases:
        if phase == "update":
            continue
        stage = run.tree.stage(replace(spot, phase=phase))
        for block in stage.blocks:
            for part, where in block.kept_in.items():
                if where.torch == spot.key and (row is None or where.start <= row < where.stop):
                    for t in stage.steps[block.key]:
                        yield replace(spot, phase=phase, key=block.key, t=t), part
