"""`torch.nn.RNN`, `LSTM`, `GRU`, their cells, and cells of a file: layers, directions, and the joins of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rnnstep.cells.cell import Cell, CellWords
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.language import Text
from rnnstep.modules import dropout
from rnnstep.network.blocks import Block, Direction, Where, output_of
from rnnstep.network.description import Recurrent
from rnnstep.network.wires import Wires

JOIN_WORDS = CellWords({"output": Text("forward and backward side by side")})


def blocks(
    recurrent: Recurrent, cell: Cell, parameters: Mapping[str, Array], entering: Wires, *, is_learnt: bool
) -> list[Block]:
    """The blocks of a recurrent module, layer by layer; what the last one gives is the module's output.

    Args:
        recurrent: its options.
        cell: its equations.
        parameters: under torch's names.
        entering: where the lowest layer's input comes from.
        is_learnt: whether there is a way back, which reads what functions gave.
    """
    found: list[Block] = []
    size = recurrent.input_size
    for layer in range(recurrent.num_layers):
        directions = [
            _direction(recurrent, cell, parameters, layer, direction, size, entering, is_learnt=is_learnt)
            for direction in _directions(recurrent)
        ]
        found += directions
        size = recurrent.output_size * recurrent.num_directions
        if recurrent.bidirectional:
            found.append(_join(layer, recurrent.output_size, directions))
        entering = output_of(found[-1])
        if recurrent.mode == "train" and recurrent.dropout > 0 and layer < recurrent.num_layers - 1:
            found.append(dropout.block(layer, size, entering))
            entering = output_of(found[-1])
    return found


def torch_name(recurrent: Recurrent, parameter: str, layer: int, direction: Direction) -> str:
    """Give torch's name of a parameter: `weight_ih_l1_reverse`; a cell's has no layer."""
    if recurrent.is_cell:
        return parameter
    return f"{parameter}_l{layer}{'_reverse' if direction == 'backward' else ''}"


def _directions(recurrent: Recurrent) -> tuple[Direction, ...]:
    return ("forward", "backward") if recurrent.bidirectional else ("forward",)


def _direction(
    recurrent: Recurrent,
    cell: Cell,
    given: Mapping[str, Array],
    layer: int,
    direction: Direction,
    input_size: int,
    entering: Wires,
    *,
    is_learnt: bool,
) -> Block:
    sizes = cell.sizes(input_size, recurrent.hidden_size, recurrent.proj_size)
    shapes = cell.parameter_shapes(input_size, recurrent.hidden_size, recurrent.proj_size)
    parameters: dict[str, Array] = {}
    kept_in: dict[str, Where] = {}
    for stack in cell.stacks:
        name = torch_name(recurrent, stack.torch, layer, direction)
        start = 0
        for part in stack.parts:
            stop = start + shapes[part][0]
            parameters[part] = given[name][start:stop]
            kept_in[part] = Where(name, start, stop)
            start = stop
    key = f"L{layer}{'←' if direction == 'backward' else ''}"
    program = cell.program.sized(sizes)
    # The way back reads what functions gave: keeping it costs less than computing it again.
    keep = tuple(line.name for line in program.lines if _is_function(line)) if is_learnt else ()
    wires = dict.fromkeys(program.inputs, entering)
    return Block(
        key, "recurrent", layer, direction, program, parameters, kept_in, keep, wires, words=cell.words
    )


def _is_function(line: Line) -> bool:
    """Whether a line is a function of elements, such as tanh."""
    match line.expression:
        case Apply(op=op):
            return OPERATIONS[op].kind == "elementwise" and not OPERATIONS[op].symbol
    return False


def _join(layer: int, size: int, directions: Sequence[Block]) -> Block:
    line = Line("output", Apply("cat", (Name("forward"), Name("backward"))))
    inputs = {"forward": (size,), "backward": (size,)}
    program = Program((line,), inputs, {}, {}, {**inputs, "output": (2 * size,)})
    wires: dict[str, Wires] = {block.direction: output_of(block) for block in directions}
    key = f"join{layer}"
    about = Text("{key} puts both directions side by side, as torch's output has them.", key=key)
    return Block(key, "join", layer, "forward", program, {}, {}, wires=wires, words=JOIN_WORDS, about=about)
