"""A scenario's model as blocks: each a small program with its parameters, in order of computation.

    embedding ─ L0 (L0→ and L0←, then join) ─ dropout ─ L1 … ─ linear ─ loss ─ total

The recurrent blocks carry states from step to step; the others act on each step alone.
All of them are equations, so whatever reads equations reads every block. The last two are of a batch
with a target alone, and made in `loss`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

from rnnstep.equations.compile import Compiled
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Program, check
from rnnstep.equations.syntax import Apply, Line, Name, parse_lines
from rnnstep.scenario.model import Linear, Recurrent, Scenario

Kind = Literal["embedding", "recurrent", "dropout", "join", "linear", "loss", "total", "clip", "update"]
Direction = Literal["forward", "backward"]


@dataclass(frozen=True, slots=True)
class Where:
    """Where torch keeps one of the equations' parameters: rows `start:stop` of `torch`."""

    torch: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Block:
    """One block; `inputs` names the program's inputs in the order in which they are fed."""

    key: str  # "embedding", "L0", "L0←", "join0", "dropout0", "linear", "loss", "total": as in a place
    kind: Kind
    layer: int
    direction: Direction
    program: Program
    parameters: Mapping[str, Array]
    kept_in: Mapping[str, Where]  # each of the parameters' place in torch's
    keep: tuple[str, ...] = ()  # lines that a run keeps though they could be derived

    @cached_property
    def compiled(self) -> Compiled:
        """The block's program as one fast function; made when it first runs."""
        return _compiled(self.program, self.keep)

    def with_parameters(self, scenario: Scenario) -> Block:
        """The same block with the numbers of a scenario that differs in its parameters alone."""
        parameters = {
            name: scenario.parameters[where.torch][where.start : where.stop]
            for name, where in self.kept_in.items()
        }
        return replace(self, parameters=parameters)

    @property
    def output(self) -> str:
        """The value that goes on to the next block."""
        return next(iter(self.program.states), self.program.lines[-1].name)


@lru_cache(maxsize=128)
def _compiled(program: Program, keep: tuple[str, ...]) -> Compiled:
    """A program is compiled once for all its numbers."""
    return Compiled(program, keep)


def build(scenario: Scenario) -> tuple[Block, ...]:
    """Make the blocks of a scenario whose parameters are all there."""
    recurrent = scenario.recurrent
    blocks: list[Block] = []
    if scenario.embedding is not None:
        blocks.append(_embedding(scenario))
    size = recurrent.input_size
    for layer in range(recurrent.num_layers):
        blocks += [_recurrent(scenario, layer, direction, size) for direction in _directions(recurrent)]
        size = recurrent.output_size * recurrent.num_directions
        if recurrent.bidirectional:
            blocks.append(_join(layer, recurrent.output_size))
        if recurrent.mode == "train" and recurrent.dropout > 0 and layer < recurrent.num_layers - 1:
            blocks.append(_dropout(layer, size))
    if scenario.linear is not None:
        blocks.append(_linear(scenario, scenario.linear, size))
    return tuple(blocks)


def torch_name(recurrent: Recurrent, parameter: str, layer: int, direction: Direction) -> str:
    """Give torch's name of a parameter: `weight_ih_l1_reverse`; a cell's has no layer."""
    if recurrent.is_cell:
        return parameter
    return f"{parameter}_l{layer}{'_reverse' if direction == 'backward' else ''}"


def _directions(recurrent: Recurrent) -> tuple[Direction, ...]:
    return ("forward", "backward") if recurrent.bidirectional else ("forward",)


def _recurrent(scenario: Scenario, layer: int, direction: Direction, input_size: int) -> Block:
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
    return Block(key, "recurrent", layer, direction, program, parameters, kept_in, keep)


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
    return Block("embedding", "embedding", 0, "forward", program, parameters, kept_in)


def _join(layer: int, size: int) -> Block:
    line = Line("output", Apply("cat", (Name("forward"), Name("backward"))))
    inputs = {"forward": (size,), "backward": (size,)}
    program = Program((line,), inputs, {}, {}, {**inputs, "output": (2 * size,)})
    return Block(f"join{layer}", "join", layer, "forward", program, {}, {})


def _dropout(layer: int, size: int) -> Block:
    inputs = {"h": (size,), "mask": (size,)}
    program = check(parse_lines("output = mask * h"), inputs, {}, {})
    return Block(f"dropout{layer}", "dropout", layer, "forward", program, {}, {})


def _linear(scenario: Scenario, linear: Linear, size: int) -> Block:
    source = "h_n" if linear.source == "h_n" else "output"
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
    return Block("linear", "linear", last, "forward", program, parameters, kept_in)
