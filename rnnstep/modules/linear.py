"""`torch.nn.Linear`, on every step or on the final states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rnnstep.cells.cell import CellWords
from rnnstep.equations.operations import Array
from rnnstep.equations.program import check
from rnnstep.equations.syntax import parse_lines
from rnnstep.language import Text
from rnnstep.network.blocks import Block, Extent, whole
from rnnstep.network.description import Linear
from rnnstep.network.wires import When, Wires

WORDS = CellWords({"logits": Text("a score for each class")})


def block(linear: Linear, parameters: Mapping[str, Array], layer: int, size: int, entering: Wires) -> Block:
    """The block of a linear layer.

    Args:
        linear: its options.
        parameters: under torch's names.
        layer: of the recurrent module, on which it stands.
        size: of what it reads.
        entering: where that comes from.
    """
    source = linear.source
    is_final = source == "h_n"
    if is_final:
        entering = tuple(replace(wire, when=When.LAST) for wire in entering)
    bias = " + bias" if linear.bias else ""
    names = {"weight": "linear.weight"} | ({"bias": "linear.bias"} if linear.bias else {})
    numbers, kept_in = whole(names, parameters)
    program = check(
        parse_lines(f"logits = weight @ {source}{bias}"),
        {source: (size,)},
        {},
        {name: tuple(numbers[name].shape) for name in names},
    )
    extent = Extent.FINAL if is_final else Extent.LIVE
    wires: dict[str, Wires] = {source: entering}
    key = "linear"
    return Block(
        key,
        "map",
        layer,
        "forward",
        program,
        numbers,
        kept_in,
        wires=wires,
        extent=extent,
        words=WORDS,
        about=Text("{key} is torch.nn.Linear: from a state to a score for each class.", key=key),
    )
