"""A scenario's model as blocks, in order of computation, and the wires between them.

    embedding ─ L0 (L0→ and L0←, then join) ─ dropout ─ L1 … ─ linear ─ loss ─ total

The recurrent blocks carry states from step to step; the others act on each step alone.
All of them are equations, so whatever reads equations reads every block. Each module makes its own. The last two are
of a batch with a target alone, and made in `loss`.
"""

from __future__ import annotations

from dataclasses import replace

from rnnstep.modules.module import NetworkModule, Standing
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Block, output_of
from rnnstep.network.wires import data
from rnnstep.scenario.model import Scenario


def build(scenario: Scenario) -> tuple[Block, ...]:
    """Make the blocks of a scenario whose parameters are all there, each with the wires of what it reads."""
    blocks: list[Block] = []
    entering, layer, reads = data("x"), 0, "input"
    for module, following in zip(scenario.layers, (*scenario.layers[1:], None), strict=True):
        gives = _given_name(module, following)
        standing = Standing(entering, layer, scenario.has_loss, reads, gives)
        made = [replace(one, module=module.key) for one in module.blocks(scenario.parameters, standing)]
        blocks += made
        entering, layer, reads = output_of(made[-1]), made[-1].layer, gives
    return tuple(blocks)


def _given_name(module: NetworkModule, following: NetworkModule | None) -> str:
    """What is called what a module gives: as the one behind it reads it, where that has a name for it."""
    if isinstance(module, Recurrent):
        return "output"
    if following is None:
        return "logits"
    return "x" if isinstance(following, Recurrent) else f"{module.key}_out"
