"""The way back through a block, derived from its equations anew: nothing of the engine's own way back is taken for it."""

from __future__ import annotations

from dataclasses import replace

from rnnstep.engine import Block
from rnnstep.engine.blocks import Direction
from rnnstep.engine.returning import CONSTANT
from rnnstep.equations.differentiate import Backward, D, backward

__all__ = ["D", "core_block", "derived"]


def derived(block: Block) -> Backward:
    """The vector-Jacobian products of a block's lines, for however many rows and steps."""
    return backward(block.program, block.output, is_summed=False, constant=CONSTANT.get(block.kind, ()))


def core_block(block: Block, derivation: Backward) -> Block:
    """The way back of a recurrent block as a block that carries its states the other way through time."""
    direction: Direction = "forward" if block.direction == "backward" else "backward"
    return replace(block, direction=direction, program=derivation.core)
