"""A scenario's model as blocks, in order of computation, and the wires between them.

    embedding ─ L0 (L0→ and L0←, then join) ─ dropout ─ L1 … ─ linear ─ loss ─ total

The recurrent blocks carry states from step to step; the others act on each step alone.
All of them are equations, so whatever reads equations reads every block. The last two are of a batch
with a target alone, and made in `loss`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Program, check
from rnnstep.equations.syntax import Apply, Line, Name, parse_lines
from rnnstep.network.blocks import Block, Direction, Extent, Where
from rnnstep.network.wires import When, Wire, Wires, data
from rnnstep.scenario.model import Linear, Recurrent, Scenario


def build(scenario: Scenario) -> tuple[Block, ...]:
    """Make the blocks of a scenario whose parameters are all there, each with the wires of what it reads."""
    recurrent = scenario.recurrent
    blocks: list[Block] = []
    entering = data("x")
    if scenario.embedding is not None:
        blocks.append(_embedding(scenario))
        entering = output_of(blocks[-1])
    size = recurrent.input_size
    for layer in range(recurrent.num_layers):
        directions = [
            _recurrent(scenario, layer, direction, size, entering) for direction in _directions(recurrent)
        ]
        blocks += directions
        size = recurrent.output_size * recurrent.num_directions
        if recurrent.bidirectional:
            blocks.append(_join(layer, recurrent.output_size, directions))
        entering = output_of(blocks[-1])
        if recurrent.mode == "train" and recurrent.dropout > 0 and layer < recurrent.num_layers - 1:
            blocks.append(_dropout(layer, size, entering))
            entering = output_of(blocks[-1])
    if scenario.linear is not None:
        blocks.append(_linear(scenario, scenario.linear, size, entering))
    return tuple(blocks)


def output_of(block: Block, when: When = When.SAME) -> Wires:
    """The wire of what a block gives."""
    return (Wire(block.key, block.output, when),)


def torch_name(recurrent: Recurrent, parameter: str, layer: int, direction: Direction) -> str:
    """Give torch's name of a parameter: `weight_ih_l1_reverse`; a cell's has no layer."""
    if recurrent.is_cell:
        return parameter
    return f"{parameter}_l{layer}{'_reverse' if direction == 'backward' else ''}"


def _directions(recurrent: Recurrent) -> tuple[Direction, ...]:
    return ("forward", "backward") if recurrent.bidirectional else ("forward",)


def _recurrent(
    scenario: Scenario, layer: int, direction: Direction, input_size: int, entering: Wires
) -> Block:
    recurrent, cell = scenario.recurrent, scenario.cell
    sizes = cell.sizes(input_size, recurrent.hidden_size, recurrent.proj_size)
    shapes = cell.parameter_shapes(input_size, recurrent.hidden_size, recurrent.proj_size)
    parameters: dict[str, Array] = {}
    kept_in: dict[str, Where] = {}
    for stack in cell.stacks:
        name = torch_name(recurrent, stack.torch, layer, direction)
        start = 0
        for part in stack.parts:
            stop = start + shapes[part][0]
            parameters[part] = scenario.parameters[name][start:stop]
            kept_in[part] = Where(name, start, stop)
            start = stop
    key = f"L{layer}{'←' if direction == 'backward' else ''}"
    program = cell.program.sized(sizes)
    # The way back reads what functions gave: keeping it costs less than computing it again.
    keep = tuple(line.name for line in program.lines if _is_function(line)) if scenario.has_loss else ()
    wires = dict.fromkeys(program.inputs, entering)
    return Block(key, "recurrent", layer, direction, program, parameters, kept_in, keep, wires)


def _is_function(line: Line) -> bool:
    """Whether a line is a function of elements, such as tanh."""
    match line.expression:
        case Apply(op=op):
            return OPERATIONS[op].kind == "elementwise" and not OPERATIONS[op].symbol
    return False


def _whole(names: Mapping[str, str], scenario: Scenario) -> tuple[dict[str, Array], dict[str, Where]]:
    """Give parameters that are torch's whole: program's name → torch's name."""
    parameters = {name: scenario.parameters[torch] for name, torch in names.items()}
    return parameters, {name: Where(torch, 0, len(parameters[name])) for name, torch in names.items()}


def _embedding(scenario: Scenario) -> Block:
    assert scenario.embedding is not None
    shape = (scenario.embedding.num_embeddings, scenario.embedding.embedding_dim)
    parameters, kept_in = _whole({"weight": "embedding.weight"}, scenario)
    line = Line("x", Apply("lookup", (Name("weight"), Name("index"))))
    # The shape of a lookup is a row of its table, which inference of the users' operations does not know.
    program = Program(
        (line,), {"index": ()}, {}, {"weight": shape}, {"index": (), "weight": shape, "x": shape[1:]}
    )
    wires = {"index": data("index")}
    return Block("embedding", "embedding", 0, "forward", program, parameters, kept_in, wires=wires)


def _join(layer: int, size: int, directions: Sequence[Block]) -> Block:
    line = Line("output", Apply("cat", (Name("forward"), Name("backward"))))
    inputs = {"forward": (size,), "backward": (size,)}
    program = Program((line,), inputs, {}, {}, {**inputs, "output": (2 * size,)})
    wires: dict[str, Wires] = {block.direction: output_of(block) for block in directions}
    return Block(f"join{layer}", "join", layer, "forward", program, {}, {}, wires=wires)


def _dropout(layer: int, size: int, entering: Wires) -> Block:
    inputs = {"h": (size,), "mask": (size,)}
    program = check(parse_lines("output = mask * h"), inputs, {}, {})
    wires = {"h": entering, "mask": data("mask")}
    return Block(f"dropout{layer}", "dropout", layer, "forward", program, {}, {}, wires=wires)


def _linear(scenario: Scenario, linear: Linear, size: int, entering: Wires) -> Block:
    source = linear.source
    is_final = source == "h_n"
    if is_final:
        entering = tuple(replace(wire, when=When.LAST) for wire in entering)
    bias = " + bias" if linear.bias else ""
    names = {"weight": "linear.weight"} | ({"bias": "linear.bias"} if linear.bias else {})
    parameters, kept_in = _whole(names, scenario)
    program = check(
        parse_lines(f"logits = weight @ {source}{bias}"),
        {source: (size,)},
        {},
        {name: tuple(parameters[name].shape) for name in names},
    )
    last = scenario.recurrent.num_layers - 1
    extent = Extent.FINAL if is_final else Extent.LIVE
    wires: dict[str, Wires] = {source: entering}
    return Block(
        "linear", "linear", last, "forward", program, parameters, kept_in, wires=wires, extent=extent
    )
