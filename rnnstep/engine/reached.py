"""Which parameters the loss depends on; the others torch's optimizers leave alone, as their `.grad` is None."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.network.blocks import Block


def unreached(blocks: Sequence[Block], num_steps: int) -> frozenset[str]:
    """Torch's names of the parameters that no output depends on: spare ones of a cell of one's own.

    Args:
        blocks: of a model, in order of computation.
        num_steps: of the longest batch: in a single step no state is carried.
    """
    found: set[str] = set()
    reached: set[str] = set()
    is_read = True
    for _, side_by_side in groupby(reversed(blocks), lambda block: (block.kind, block.layer)):
        reads_below = False
        for block in side_by_side:  # both directions of a layer
            read = names_read(block.program, block.output, is_carried=num_steps > 1) if is_read else set()
            found |= {where.torch for where in block.kept_in.values()}
            reached |= {where.torch for name, where in block.kept_in.items() if name in read}
            reads_below |= any(name in read for name in block.program.inputs)
        is_read = reads_below
    return frozenset(found - reached)


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
