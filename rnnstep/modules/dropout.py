"""`torch.nn.Dropout` between two layers of a recurrent module: each number times that of a mask."""

from __future__ import annotations

from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.network.blocks import Block
from rnnstep.network.wires import Wires, data


def block(layer: int, size: int, entering: Wires) -> Block:
    """The block behind a layer; its mask is given."""
    inputs = {"h": (size,), "mask": (size,)}
    program = check(parse_lines("output = mask * h"), inputs, {}, {})
    wires = {"h": entering, "mask": data("mask")}
    return Block(f"dropout{layer}", "dropout", layer, "forward", program, {}, {}, wires=wires)
