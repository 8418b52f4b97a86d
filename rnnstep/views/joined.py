"""The joined form: `[W_hh W_ih]·[h_prev; x]` is the same number as the two products and their sum.

Course notes write it this way; torch keeps the two matrices apart.
"""

from __future__ import annotations

import numpy as np

from rnnstep.language import Text
from rnnstep.views import grids
from rnnstep.views.compose import Block, beside, pad
from rnnstep.views.grids import Grid
from rnnstep.views.rows import Span
from rnnstep.views.scene import Scene


def joined(scene: Scene, cells: int, height: int) -> Block:
    """Draw the joined product of a built-in cell, each gate below the other; [] where there is no such form."""
    stacks = {stack.torch: stack.parts for stack in scene.scenario.cell.stacks}
    known, block = scene.known, scene.block
    if (
        known is None
        or block.kind != "recurrent"
        or not {"weight_ih", "weight_hh"} <= stacks.keys()
        or height < 4
    ):
        return []
    w_ih = np.concatenate([block.parameters[part] for part in stacks["weight_ih"]])
    w_hh = np.concatenate([block.parameters[part] for part in stacks["weight_hh"]])
    matrix, vector = np.concatenate([w_hh, w_ih], axis=1), np.concatenate([known["h_prev"], known["x"]])
    bias = sum(
        (
            np.concatenate([block.parameters[part] for part in stacks[name]])
            for name in ("bias_ih", "bias_hh")
            if name in stacks
        ),
        start=np.zeros(len(matrix), matrix.dtype),
    )
    total = matrix @ vector + bias
    decimals = min(2, scene.look.decimals)
    alphabet = scene.look.alphabet
    weight, state = scene.scale("weight"), scene.scale("state")
    parts = [
        Grid("[W_hh W_ih]", matrix, matrix.shape, "weight", weight),
        Grid("[h_prev; x_t]", vector, vector.shape, "state", state),
        Grid("b_ih + b_hh", bias, bias.shape, "weight", weight),
        Grid("a" if len(stacks["weight_ih"]) == 1 else "ih + hh", total, total.shape, "state", state),
    ]
    fixed = sum(grids.grid_width(part, decimals) for part in parts[1:]) + 9
    room = max(12, cells - fixed)
    drawn = [
        grids.draw(part, decimals, height - 1, room if part is parts[0] else cells, alphabet=alphabet)
        for part in parts
    ]
    tall = max(map(len, drawn))
    signs = [grids.operator(alphabet.spell(sign), tall) for sign in ("·", "+", "=")]
    note = Text("joined form: the same sums, written as one product")
    row = beside([drawn[0], signs[0], drawn[1], signs[1], drawn[2], signs[2], drawn[3]], gap=0)
    return pad([(Span(scene.look.say(note), "dim"),), *row], cells, None, alphabet)
