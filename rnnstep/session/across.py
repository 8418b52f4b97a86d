"""Where the second run is while the cursor moves through the first: at the same place, or nowhere, and why.

The same epoch (or the one that was asked for), batch, pass, step and row; the block of the same kind, layer and
direction; the operation of the same name or the same part (`hh` of an RNN is `hh_g` of an LSTM); the same element and
term. Other than a turn from one file to another (`counterpart`), which always leads somewhere, this is strict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rnnstep.engine import Block
from rnnstep.language import Text
from rnnstep.scenario.beside_value import BesideValue
from rnnstep.session.beside import RunBeside
from rnnstep.session.counterpart import bare_name, same_part
from rnnstep.session.edits import apply
from rnnstep.session.moves import Position
from rnnstep.session.place import write_prefix
from rnnstep.session.session import Session
from rnnstep.session.tree import Path, Spot, Tree, index_of, number_of


@dataclass(frozen=True, eq=False, slots=True)
class Across:
    """Where a second run is.

    Attributes:
        session: the second run at the place that stands beside the cursor's; None where it has none.
        reason: why it has not.
    """

    session: Session | None
    reason: Text | None = None


def across(session: Session) -> Across | None:
    """Give where the second run of a session is; None where nothing stands beside."""
    pair = session.beside
    if pair is None:
        return None
    tree, position = pair.run.tree, session.position
    if position.is_start:
        level = session.level if session.level in tree.levels else "step"
        return _at(session, pair, Position((), tree.level(level)))
    spot, name = session.spot, pair.names(session.run)[1]
    assert spot is not None
    epoch = pair.epoch_beside(session.run)
    place = _not_there(session, pair, epoch, name) or _place(session.tree, spot, tree, epoch, name)
    if isinstance(place, Text):
        return Across(None, place)
    return _at(session, pair, Position(place, len(place), position.row, wanted_row=position.row))


def _at(session: Session, pair: RunBeside, position: Position) -> Across:
    """The second run at a position; what is hidden in the first is hidden there, too."""
    there = Session(pair.run, position, is_predicting=session.is_hidden, is_revealed=not session.is_hidden)
    return Across(there)


def with_run_before_edit(session: Session) -> Session:
    """Put the run before the last edit beside the one after it; it stays that one, whatever is edited then."""
    assert session.unedited is not None
    before = apply(session.unedited, session.edits[:-1])
    return session.with_beside(RunBeside.of(BesideValue("before"), before, session.run))


def _not_there(session: Session, pair: RunBeside, epoch: int, name: Text) -> Text | None:
    """Why the second run has not the epoch, batch or row of the cursor; None where it has."""
    tree = pair.run.tree
    if epoch >= tree.num_epochs:
        return Text(
            "{name} has no epoch {epoch}: it has {most}", name=name, epoch=epoch + 1, most=tree.num_epochs
        )
    if epoch != pair.run.epoch.index:
        done = len(pair.run.learning.records)
        return Text(
            "{name} is not trained up to epoch {epoch} yet: {done} are done",
            name=name,
            epoch=epoch + 1,
            done=done,
        )
    spot = session.spot
    assert spot is not None
    batch = session.batch
    if spot.batch is not None and batch >= tree.num_batches:
        return Text(
            "{name} has no batch {batch}: it has {most}", name=name, batch=batch + 1, most=tree.num_batches
        )
    rows = pair.run.num_rows(min(batch, tree.num_batches - 1))
    if session.position.row >= rows:
        return Text(
            "{name} has no row {row} of the batch: rows go from 0 to {most}",
            name=name,
            row=session.position.row,
            most=rows - 1,
        )
    return None


def _place(tree: Tree, spot: Spot, other: Tree, epoch: int, name: Text) -> Path | Text:
    """The path of a spot's place in another tree, or why there is none."""
    there = Spot(spot.batch, phase=spot.phase, epoch=epoch)
    if spot.batch is None or spot.phase is None:
        return other.path_to(there) or ()
    if spot.phase not in other.phases:
        return _no_pass(spot.phase, name)
    if spot.t is None and spot.key is None:
        is_along = other.has_several("sequence") and spot.sequence in other.sequences
        return other.path_to(replace(there, sequence=spot.sequence) if is_along else there) or ()
    stage = other.stage(there)
    blocks: tuple[Block, ...] = stage.blocks
    if spot.key is not None:
        block = _like(tree.block(spot), blocks)
        if block is None:
            return Text("{name} has no {block}", name=name, block=spot.key)
        steps = stage.steps[block.key]
        there = replace(there, key=block.key, t=steps[-1] if spot.t is None else spot.t)
        if spot.t is None and not other.is_by_time(there):
            return other.path_to(replace(there, t=None)) or ()
    else:
        there = _whole_step(other, replace(there, t=spot.t))
        steps = range(other.num_steps(spot.batch or 0, other.sequence(there)))
    path = other.path_to(replace(there, operation=None))
    if path is None:
        assert spot.t is not None
        return Text("{name} has no step {step}: it has {most}", name=name, step=spot.t + 1, most=len(steps))
    return path if spot.operation is None else _operation(tree, spot, other, there, name)


def _no_pass(phase: str, name: Text) -> Text:
    if phase == "update":
        return Text("{name} has no update: it is not trained", name=name)
    return Text("{name} has no backward pass: it has no loss", name=name)


def _whole_step(other: Tree, there: Spot) -> Spot:
    """A step as a whole; where the other run goes layer by layer, that of the last recurrent block."""
    if other.is_by_time(there):
        return there
    stage = other.stage(there)
    blocks = [block for block in stage.blocks if block.kind == "recurrent"] or list(stage.blocks)
    return replace(there, key=blocks[0 if there.phase == "backward" else -1].key)


def _like(own: Block, blocks: tuple[Block, ...]) -> Block | None:
    """The block of the same kind, layer and direction, of several the one of the same name; a parameter's by its name."""
    if own.kind in ("update", "clip"):
        found = [block for block in blocks if bare_name(block.key) == bare_name(own.key)]
    else:
        found = [
            block
            for block in blocks
            if (block.kind, block.layer, block.direction) == (own.kind, own.layer, own.direction)
        ] or [block for block in blocks if block.kind == own.kind != "recurrent"]
    return min(found, key=lambda block: block.key != own.key, default=None)


def _operation(tree: Tree, spot: Spot, other: Tree, there: Spot, name: Text) -> Path | Text:
    """The operation that is the same, with the element and the term as far as they are there."""
    assert spot.operation is not None
    block = other.block(there)
    found = same_part(spot.operation, block.program.names)
    if found is None and there.key != spot.key and block.kind != "recurrent":
        return Text("{name} has no {block}", name=name, block=spot.key)
    if found is None:
        place = f"{write_prefix(other, there)}{(there.t or 0) + 1}/{there.key}"
        return Text("{name} has no {operation} in {place}", name=name, operation=spot.operation, place=place)
    there = replace(there, operation=found)
    path = other.path_to(there)
    assert path is not None
    if spot.element is None:
        return path
    index = index_of(tree.block(spot), spot.operation, spot.element)
    number = (
        number_of(block, found, index or (0,)) if len(index) == len(block.program.shapes[found]) else None
    )
    if number is None:
        return path
    path = (*path, number)
    return (*path, spot.term) if spot.term is not None and spot.term < other.count(path) else path
