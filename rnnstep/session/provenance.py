"""Where a number came from, and where it goes: across operations, blocks and steps."""

from __future__ import annotations

from dataclasses import replace

from rnnstep.engine import Block
from rnnstep.equations.expand import provenance
from rnnstep.session.run import Run
from rnnstep.session.tree import Path, Spot


def source(run: Run, spot: Spot, name: str, element: int) -> Path | None:
    """Give the place where an element of a value that a spot's line reads was computed; None for what is given."""
    block = run.tree.block(spot)
    if name in block.program.names:
        return run.tree.path_to(replace(spot, operation=name, element=element, term=None))
    if name.endswith("_prev"):
        return _previous_state(run, spot, block, name.removesuffix("_prev"), element)
    if name in block.program.inputs:
        return _input(run, spot, block, name, element)
    return None


def _previous_state(run: Run, spot: Spot, block: Block, state: str, element: int) -> Path | None:
    assert spot.t is not None
    before = spot.t - 1 if block.direction == "forward" else spot.t + 1
    return run.tree.path_to(replace(spot, t=before, operation=state, element=element, term=None))


def _input(run: Run, spot: Spot, block: Block, name: str, element: int) -> Path | None:
    """Find the output of the block below, through a join to the direction that the element is of."""
    below = _block_below(run, spot, block, name)
    if below is None:
        return None
    at = replace(spot, key=below.key, operation=below.output, element=element, term=None)
    if run.is_final(spot):
        at = _final_state(run, at, element)
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


def _final_state(run: Run, at: Spot, element: int) -> Spot:
    """The last layer's final state: of the forward direction at its last step, of the backward one at the first."""
    scenario = run.scenario
    layer = scenario.recurrent.num_layers - 1
    size = scenario.recurrent.output_size
    h = next(iter(scenario.cell.states))
    steps = run.tree.num_steps(at.batch)
    if element >= size:
        return replace(at, key=f"L{layer}←", t=0, operation=h, element=element - size)
    return replace(at, key=f"L{layer}", t=steps - 1, operation=h)


def readers(run: Run, spot: Spot) -> list[Spot]:
    """Give the operations that read a spot's value next: in its block, in the block above, one step on."""
    if spot.operation is None or spot.t is None:
        return []
    block = run.tree.block(spot)
    found = [
        replace(spot, operation=line.name, element=None, term=None)
        for line in block.program.lines
        if spot.operation in provenance(line)
    ]
    if spot.operation in block.program.states:
        found += _readers_of_state(run, spot, block)
    elif spot.operation == block.output:
        found += _readers_above(run, spot, block)
    return found


def _readers_of_state(run: Run, spot: Spot, block: Block) -> list[Spot]:
    assert spot.t is not None
    on = spot.t + 1 if block.direction == "forward" else spot.t - 1
    read = f"{spot.operation}_prev"
    later = [
        replace(spot, t=on, operation=line.name, element=None, term=None)
        for line in block.program.lines
        if read in provenance(line)
    ]
    later = [one for one in later if run.tree.path_to(one) is not None]
    return (_readers_above(run, spot, block) if spot.operation == block.output else []) + later


def _readers_above(run: Run, spot: Spot, block: Block) -> list[Spot]:
    blocks = run.trace.passes[spot.batch].blocks
    keys = [one.key for one in blocks]
    above = blocks[keys.index(block.key) + 1 :]
    if block.kind == "recurrent" and run.scenario.recurrent.bidirectional:
        above = [one for one in above if one.kind == "join" and one.layer == block.layer]
    first = above[0] if above else None
    if first is None:
        return []
    nexts = [one for one in above if one.kind == "recurrent" and one.layer == first.layer] if first.kind == "recurrent" else [first]
    return [
        replace(spot, key=one.key, operation=line.name, element=None, term=None)
        for one in nexts
        for line in one.program.lines
        if any(name in provenance(line) for name in one.program.inputs)
        and run.tree.path_to(replace(spot, key=one.key, operation=line.name, element=None, term=None)) is not None
    ]
