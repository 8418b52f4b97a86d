"""`torch.nn.Dropout` between two layers of a recurrent module: each number times that of a mask."""

from __future__ import annotations

from rnnstep.cells.cell import CellWords
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.network.blocks import Block
from rnnstep.network.wires import Wires, data

WORDS = CellWords({"output": Text("each element dropped or scaled by 1/(1 − p)")})


def block(layer: int, size: int, entering: Wires) -> Block:
    """The block behind a layer; its mask is given."""
    inputs = {"h": (size,), "mask": (size,)}
    program = check(parse_lines("output = mask * h"), inputs, {}, {})
    wires = {"h": entering, "mask": data("mask")}
    key = f"dropout{layer}"
    return Block(
        key,
        "mask",
        layer,
        "forward",
        program,
        {},
        {},
        wires=wires,
        constant=("mask",),
        words=WORDS,
        about=Text("{key} is torch.nn.Dropout between two layers.", key=key),
    )
