"""A scenario's model as blocks, in order of computation, and the wires between them.

    embedding ─ L0 (L0→ and L0←, then join) ─ dropout ─ L1 … ─ linear ─ loss ─ total

The recurrent blocks carry states from step to step; the others act on each step alone.
All of them are equations, so whatever reads equations reads every block. Each module makes its own. The last two are
of a batch with a target alone, and made in `loss`.
"""

from __future__ import annotations

from rnnstep.modules.module import Standing
from rnnstep.network.blocks import Block, output_of
from rnnstep.network.wires import data
from rnnstep.scenario.model import Scenario


def build(scenario: Scenario) -> tuple[Block, ...]:
    """Make the blocks of a scenario whose parameters are all there, each with the wires of what it reads."""
    blocks: list[Block] = []
    entering, layer = data("x"), 0
    for module in scenario.layers:
        made = module.blocks(scenario.parameters, Standing(entering, layer, is_learnt=scenario.has_loss))
        blocks += made
        entering, layer = output_of(made[-1]), made[-1].layer
    return tuple(blocks)
