"""A scenario's model as blocks, in order of computation, and the wires between them.

    embedding ─ L0 (L0→ and L0←, then join) ─ dropout ─ L1 … ─ linear ─ loss ─ total

The recurrent blocks carry states from step to step; the others act on each step alone.
All of them are equations, so whatever reads equations reads every block. The last two are of a batch
with a target alone, and made in `loss`.
"""

from __future__ import annotations

from rnnstep.modules import embedding, linear, recurrent
from rnnstep.network.blocks import Block, output_of
from rnnstep.network.wires import data
from rnnstep.scenario.model import Scenario


def build(scenario: Scenario) -> tuple[Block, ...]:
    """Make the blocks of a scenario whose parameters are all there, each with the wires of what it reads."""
    parameters, options = scenario.parameters, scenario.recurrent
    blocks: list[Block] = []
    entering = data("x")
    if scenario.embedding is not None:
        blocks.append(embedding.block(scenario.embedding, parameters))
        entering = output_of(blocks[-1])
    blocks += recurrent.blocks(options, scenario.cell, parameters, entering, is_learnt=scenario.has_loss)
    if scenario.linear is not None:
        size, layer = options.output_size * options.num_directions, options.num_layers - 1
        blocks.append(linear.block(scenario.linear, parameters, layer, size, output_of(blocks[-1])))
    return tuple(blocks)
