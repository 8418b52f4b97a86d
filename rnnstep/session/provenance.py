"""Where a number came from, and where it goes: across operations, blocks and steps."""

from __future__ import annotations

from dataclasses import replace

from rnnstep.engine import Block
from rnnstep.equations.expand import provenance
from rnnstep.session.run import Run
from rnnstep.session.tree import Path, Spot


def source(run: Run, spot: Spot, name: str, element: int, row: int = 0) -> Path | None:
    """Give the place where an element of a value that a spot's line reads was computed; None for what is given.

    `row` is that of the batch: in a packed one rows begin and end at steps of their own.
    """
    block = run.tree.block(spot)
    if name in block.program.names:
        return run.tree.path_to(replace(spot, operation=name, element=element, term=None))
    if name.endswith("_prev"):
        return _previous_state(run, spot, block, name.removesuffix("_prev"), element, row)
    if name in block.program.inputs:
        return _input(run, spot, block, name, element, row)
    return None


def _previous_state(run: Run, spot: Spot, block: Block, state: str, element: int, row: int) -> Path | None:
    assert spot.t is not None
    before = spot.t - 1 if block.direction == "forward" else spot.t + 1
    return _path_of_row(run, replace(spot, t=before, operation=state, element=element, term=None), row)


def _path_of_row(run: Run, spot: Spot, row: int) -> Path | None:
    """Give the path to a spot in which a row of the batch takes part."""
    path = run.tree.path_to(spot)
    return path if path is not None and run.row_index(spot, row) is not None else None


def _input(run: Run, spot: Spot, block: Block, name: str, element: int, row: int) -> Path | None:
    """Find the output of the block below, through a join to the direction that the element is of."""
    below = _block_below(run, spot, block, name)
    if below is None:
        return None
    at = replace(spot, key=below.key, operation=below.output, element=element, term=None)
    if run.is_final(spot):
        at = _final_state(run, at, element, row)
    return run.tree.path_to(at)


def _block_below(run: Run, spot: Spot, block: Block, name: str) -> Block | None:
    blocks = run.trace.passes[spot.batch].blocks
    keys = [one.key for one in blocks]
    if block.kind == "join":
        return blocks[keys.index(f"L{block.layer}{'←' if name == 'backward' else ''}")]
    if name in ("index", "mask"):
        return None
    position = keys.index(block.key) - 1
    if block.direction == "backward":
        position -= 1  # both directions read what lies below the layer
    return blocks[position] if position >= 0 else None


def _final_state(run: Run, at: Spot, element: int, row: int) -> Spot:
    """The last layer's final state: of the forward direction at the row's last step, of the backward one at the first."""
    scenario = run.scenario
    layer = scenario.recurrent.num_layers - 1
    size = scenario.recurrent.output_size
    h = next(iter(scenario.cell.states))
    if element >= size:
        return replace(at, key=f"L{layer}←", t=0, operation=h, element=element - size)
    return replace(at, key=f"L{layer}", t=run.scenario.batches[at.batch].last_step(row), operation=h)


def readers(run: Run, spot: Spot, row: int = 0) -> list[Spot]:
    """Give the operations that read a spot's value next: in its block, one step on, in the block above."""
    if spot.operation is None or spot.t is None:
        return []
    block = run.tree.block(spot)
    found = _lines_reading(spot, block, spot.operation)
    if spot.operation in block.program.states:
        found += _readers_of_state(run, spot, block, row)
    if spot.operation == block.output:
        found += _readers_above(run, spot, block)
        found += _readers_of_final(run, spot, block, row)
    return found


def _readers_of_state(run: Run, spot: Spot, block: Block, row: int) -> list[Spot]:
    assert spot.t is not None
    on = spot.t + 1 if block.direction == "forward" else spot.t - 1
    later = _lines_reading(replace(spot, t=on), block, f"{spot.operation}_prev")
    return [one for one in later if _path_of_row(run, one, row) is not None]


def _readers_above(run: Run, spot: Spot, block: Block) -> list[Spot]:
    """The lines of the same step that take a block's output in: of a join, or of both directions of the layer above."""
    blocks = run.trace.passes[spot.batch].blocks
    above = blocks[[one.key for one in blocks].index(block.key) + 1 :]
    if block.kind == "recurrent" and run.scenario.recurrent.bidirectional:
        above = tuple(one for one in above if one.kind == "join" and one.layer == block.layer)
    if not above or run.is_final(replace(spot, key=above[0].key)):
        return []
    first = above[0]
    nexts = [one for one in above if (one.kind, one.layer) == (first.kind, first.layer)]
    return [
        found
        for one in nexts
        for found in _lines_reading(replace(spot, key=one.key), one, _entry(one, block))
    ]


def _entry(block: Block, below: Block) -> str:
    """The name under which a block reads what comes from below."""
    return below.direction if block.kind == "join" else next(iter(block.program.inputs))


def _readers_of_final(run: Run, spot: Spot, block: Block, row: int) -> list[Spot]:
    """The linear layer on h_n, of the last layer's states at the end of the run."""
    linear = run.trace.passes[spot.batch].by_key.get("linear")
    is_last = block.kind == "recurrent" and block.layer == run.scenario.recurrent.num_layers - 1
    at = replace(spot, key="linear", t=run.tree.num_steps(spot.batch) - 1)
    end = 0 if block.direction == "backward" else run.scenario.batches[spot.batch].last_step(row)
    if linear is None or not is_last or not run.is_final(at) or spot.t != end:
        return []
    return _lines_reading(at, linear, next(iter(linear.program.inputs)))


def _lines_reading(spot: Spot, block: Block, name: str) -> list[Spot]:
    """The lines of a spot's block that read a name."""
    return [
        replace(spot, operation=line.name, element=None, term=None)
        for line in block.program.lines
        if name in provenance(line)
    ]
