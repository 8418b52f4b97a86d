"""Which parameters the loss depends on; the others torch's optimizers leave alone, as their `.grad` is None."""

from __future__ import annotations

from collections.abc import Sequence

from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.network.blocks import Block
from rnnstep.network.graph import Graph


def unreached(blocks: Sequence[Block], num_steps: int) -> frozenset[str]:
    """Torch's names of the parameters that no output depends on: spare ones of a cell of one's own.

    Args:
        blocks: of a model, in order of computation.
        num_steps: of the longest batch: in a single step no state is carried.
    """
    graph = Graph(blocks)
    reached: set[str] = set()
    wanted = {blocks[-1].key}  # blocks whose output is read
    for block in reversed(blocks):
        if block.key in wanted:
            read = names_read(block.program, block.output, is_carried=num_steps > 1)
            reached |= {where.torch for name, where in block.kept_in.items() if name in read}
            parts = (
                part
                for name in block.program.inputs
                if name in read
                for part in graph.entering(block.key, name)
            )
            wanted |= {part.wire.block for part in parts}
    return frozenset(where.torch for block in blocks for where in block.kept_in.values()) - reached


def names_read(program: Program, output: str, *, is_carried: bool) -> set[str]:
    """All names that an output depends on; with `is_carried` by way of the steps before, too."""
    lines = {program.before(state): state for state in program.states} if is_carried else {}
    found: set[str] = set()
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        if name in program.by_name:
            waiting += names_in(program.by_name[name].expression)
        elif name in lines:
            waiting.append(lines[name])
    return found
