"""`torch.nn.RNN`, `LSTM`, `GRU`, their cells, and cells of a file: layers, directions, and the joins of these."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal

from rnnstep.cells import cell_for, torch_cell
from rnnstep.cells.cell import KEEP, Bias, Cell, CellWords, Stack
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.language import Text
from rnnstep.modules.dropout import Dropout
from rnnstep.modules.module import DropoutMask, NetworkModule, Parameter, Shape, Standing, Uniform
from rnnstep.network.blocks import Block, Direction, Where, output_of
from rnnstep.network.wires import Wires, data

JOIN_WORDS = CellWords({"output": Text("forward and backward side by side")})


@dataclass(frozen=True)
class Recurrent(NetworkModule):
    """The recurrent module, in the words of torch's constructor.

    Attributes:
        module: "RNNCell", "RNN", "LSTMCell", "LSTM", "GRUCell", "GRU", or the name of an own cell.
        carry: whether its states go on from batch to batch, without a gradient, as `h = h.detach()` between them does.
        has_resets: whether rows begin anew from zeros at some steps, as a program's loop around a cell lets them (`Batch.keep`).
        own: a [cell.NAME] of the file; None of torch's.
        bias: `"ih"` is no word of torch's: one bias, as most books have it.
        key: what it is called, and stands before its parameters: "encoder"; "" of the only one without a name.
        is_alone: whether there is no other recurrent module, so that places leave its name out.
    """

    derived = ("own", "is_alone", "has_resets")

    module: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    nonlinearity: str = "tanh"
    bias: Bias = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    mode: Literal["eval", "train"] = "eval"
    dropout_seed: int = 0
    carry: bool = False
    has_resets: bool = False
    own: Cell | None = field(default=None, compare=False)
    key: str = ""
    is_alone: bool = True

    @property
    def is_own(self) -> bool:
        """Whether it is a [cell.NAME] of the file."""
        return self.own is not None

    @property
    def is_cell(self) -> bool:
        """Whether it is called once a step, by a loop around it (RNNCell …): parameters without `_l0`.

        A cell of the file is one where it stands alone; in layers or both directions it is laid out as torch's modules are.
        """
        if self.is_own:
            return self.num_layers == 1 and not self.bidirectional
        return self.module.endswith("Cell")

    @cached_property
    def cell(self) -> Cell:
        """The equations of a step."""
        if self.own is not None:
            return self.own
        return cell_for(
            self.module,
            nonlinearity=self.nonlinearity,
            bias=self.bias,
            proj_size=self.proj_size,
            has_resets=self.has_resets,
        )

    # ── sizes ────────────────────────────────────────────────────────────────────────

    @property
    def num_directions(self) -> int:
        """2 when bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def num_states(self) -> int:
        """D·num_layers: how many states of one name there are, as many as h_0 and h_n have rows of."""
        return self.num_layers * self.num_directions

    def position(self, layer: int, direction: Direction) -> int:
        """Where the state of a layer and direction stands in h_0 and h_n: layer by layer, forward before backward."""
        return layer * self.num_directions + (direction == "backward")

    @cached_property
    def state_sizes(self) -> dict[str, int]:
        """How many elements each state has; the first is the output."""
        return self.cell.state_sizes(self.input_size, self.hidden_size, self.proj_size)

    @property
    def output_size(self) -> int:
        """Size of one direction's h: `proj_size` if there is one, else `hidden_size`; of a cell of the file that of its first state."""
        return next(iter(self.state_sizes.values()))

    @property
    def size(self) -> int:
        """Size of the output at a step: the last layer's h of all directions."""
        return self.output_size * self.num_directions

    @property
    def final_sizes(self) -> dict[str, int]:
        """How many numbers of each state are there where a row ended, of the last layer in all directions: "h_n", "c_n"."""
        sizes = [size * self.num_directions for size in self.state_sizes.values()]
        return dict(zip(("h_n", "c_n"), sizes, strict=False))

    def sizes_of(self, layer: int) -> dict[str, int]:
        """The numbers that the words of the equations' shapes stand for in a layer."""
        return self.cell.sizes(self.input_size_of(layer), self.hidden_size, self.proj_size)

    def input_size_of(self, layer: int) -> int:
        """Size of what a layer reads: x, or the joined h of the directions below."""
        return self.input_size if layer == 0 else self.size

    @property
    def most_to_blame(self) -> str:
        """The option that makes it large."""
        return max("hidden_size", "input_size", "num_layers", key=lambda name: getattr(self, name))

    @property
    def values_a_step(self) -> int:
        """How many numbers one step of one row leaves behind in all layers, what they read included."""
        program = self.cell.program.sized(self.sizes_of(0))
        lines = sum(math.prod(map(int, program.shapes[name])) for name in program.names)
        inputs = self.input_size + self.size * (self.num_layers - 1)
        return inputs + lines * self.num_states

    # ── parameters ───────────────────────────────────────────────────────────────────

    def suffixes(self, layer: int) -> tuple[str, ...]:
        """What torch appends to the names of a layer's directions: `_l0`, `_l0_reverse`; "" for a cell."""
        if self.is_cell:
            return ("",)
        return (f"_l{layer}", f"_l{layer}_reverse") if self.bidirectional else (f"_l{layer}",)

    @property
    def name(self) -> str:
        """What it is called among all modules: its key, or torch's name in lower case."""
        return self.key or self.module.lower()

    @property
    def before_names(self) -> str:
        """What stands before the names of its parameters: `encoder.`."""
        return f"{self.key}." if self.key else ""

    @property
    def before_places(self) -> str:
        """What stands before the keys of its blocks: `encoder.`."""
        return "" if self.is_alone else self.before_names

    def torch_name(self, parameter: str, layer: int, direction: Direction) -> str:
        """Give the name of a parameter: `weight_ih_l1_reverse`, `encoder.weight_ih_l0`; a cell's has no layer."""
        return self.before_names + parameter + self.suffixes(layer)[direction == "backward"]

    def shapes_of(self, layer: int) -> dict[str, Shape]:
        """The shapes of one direction of a layer, under torch's names without suffix."""
        parts = self._parts(layer)
        return {stack.torch: _stacked([parts[part] for part in stack.parts]) for stack in self.cell.stacks}

    def _parts(self, layer: int) -> dict[str, Shape]:
        return self.cell.parameter_shapes(self.input_size_of(layer), self.hidden_size, self.proj_size)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:  # kept: layers may be many
        """Layer by layer, forward then `_reverse`, as `named_parameters()` of torch's module gives them."""
        return tuple(
            self._parameter(stack, shape, layer, suffix)
            for layer in range(self.num_layers)
            for suffix in self.suffixes(layer)
            for stack, shape in zip(self.cell.stacks, self.shapes_of(layer).values(), strict=True)
        )

    @property
    def has_one_bias(self) -> bool:
        """Whether there is the input's bias alone, `bias = "ih"`: torch's other one is zeros, and is not learnt."""
        return self.bias == "ih"

    @property
    def drawn(self) -> tuple[Parameter, ...]:
        """What torch's constructor draws: of one bias the other, too."""
        return replace(self, bias=True).parameters if self.has_one_bias else self.parameters

    def _parameter(self, stack: Stack, shape: Shape, layer: int, suffix: str) -> Parameter:
        part_shapes = self._parts(layer)
        heights = [part_shapes[part][0] if part_shapes[part] else 1 for part in stack.parts]
        ends = accumulate(heights)
        before = self.before_names
        return Parameter(
            before + stack.torch + suffix,
            shape,
            self._words(stack.parts, layer),
            Uniform(1.0 / math.sqrt(self.hidden_size)),
            tuple(before + part + suffix for part in stack.parts),
            tuple(slice(end - height, end) for end, height in zip(ends, heights, strict=True)),
            self._partner(stack.torch, suffix),
        )

    def _partner(self, name: str, suffix: str) -> str | None:
        """The other of the two biases that are added, bias_hh_l0 for bias_ih_l0, if there is one."""
        for one, other in (("bias_ih", "bias_hh"), ("bias_hh", "bias_ih")):
            partner = other + name.removeprefix(one)
            if name.startswith(one) and any(stack.torch == partner for stack in self.cell.stacks):
                return self.before_names + partner + suffix
        return None

    def _words(self, parts: tuple[str, ...], layer: int) -> str:
        words = [str(size) for size in self.cell.program.parameters[parts[0]]]
        if layer > 0:
            below = next(iter(self.cell.states.values()))
            inner = f"num_directions*{below}" if self.bidirectional else below
            words = [inner if word == "input_size" else word for word in words]
        if len(parts) > 1:
            words[0] = f"{len(parts)}*{words[0]}"
        return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"

    # ── torch ────────────────────────────────────────────────────────────────────────

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What torch's constructor is given; of masks, which stand between its single layers, nothing."""
        options = {
            "num_layers": (self.num_layers, 1),
            "dropout": (self.between.p if self.between is not None and not self.has_masks else 0.0, 0.0),
            "nonlinearity": (self.nonlinearity, "tanh"),
            "bias": (bool(self.bias), True),
            "batch_first": (self.batch_first, False),
            "bidirectional": (self.bidirectional, False),
            "proj_size": (self.proj_size, 0),
        }
        named = {name: value for name, (value, usual) in options.items() if value != usual}
        return (self.input_size, self.hidden_size), named

    def own_arguments(self, *, is_cell: bool) -> dict[str, Any]:
        """The arguments that a layer, or a cell, is given beside its sizes: `bias`, and those that only some take."""
        name = self.module.removesuffix("Cell")
        taken = torch_cell(name).options_of(f"{name}Cell" if is_cell else name)
        return {"bias": bool(self.bias), **{option: getattr(self, option) for option in taken}}

    # ── blocks ───────────────────────────────────────────────────────────────────────

    @property
    def between(self) -> Dropout | None:
        """What stands between two layers; None where nothing is dropped, or no layer follows."""
        if not self.dropout or self.num_layers == 1:
            return None
        return Dropout(self.size, self.dropout, is_between=True)

    @property
    def has_masks(self) -> bool:
        """Whether elements are dropped between its layers: in training mode."""
        return self.mode == "train" and self.between is not None

    def above(self, layer: int) -> Dropout | None:
        """The mask above a layer; None where there is none, as above the last one."""
        if not self.has_masks or layer == self.num_layers - 1:
            return None
        key = f"{self.before_places}dropout{layer}"
        return Dropout(self.size, self.dropout, key, is_between=True)

    def in_mode(self, mode: str, dropout_seed: int) -> Recurrent:
        """The module in evaluation or training mode."""
        return replace(self, mode=mode, dropout_seed=dropout_seed)  # type: ignore[arg-type]  # one of two literals

    @property
    def masks(self) -> tuple[DropoutMask, ...]:
        """Those between its layers."""
        every = (self.above(layer) for layer in range(self.num_layers)) if self.has_masks else ()
        return tuple(mask for one in every if one is not None for mask in one.masks)

    def blocks(self, parameters: Mapping[str, Array], standing: Standing) -> list[Block]:
        """Its blocks, layer by layer; what the last one gives is the module's output."""
        found: list[Block] = []
        entering = standing.entering
        for layer in range(self.num_layers):
            directions = [
                self._direction(parameters, layer, direction, entering, is_learnt=standing.is_learnt)
                for direction in self._directions
            ]
            found += directions
            if self.bidirectional:
                key = self.key_of_output(layer)
                found.append(_join(key, layer, self.output_size, directions))
            entering = output_of(found[-1])
            mask = self.above(layer)
            if mask is not None:
                found += mask.blocks(parameters, Standing(entering, layer))
                entering = output_of(found[-1])
        return found

    def key_of(self, layer: int, direction: Direction) -> str:
        """What the block of a layer and direction is called: "L0", "encoder.L1←"."""
        return f"{self.before_places}L{layer}{'←' if direction == 'backward' else ''}"

    def key_of_output(self, layer: int) -> str:
        """What the block is called that gives a layer's output: its only one, or the join of both directions."""
        return f"{self.before_places}join{layer}" if self.bidirectional else self.key_of(layer, "forward")

    @property
    def _directions(self) -> tuple[Direction, ...]:
        return ("forward", "backward") if self.bidirectional else ("forward",)

    def _direction(
        self,
        given: Mapping[str, Array],
        layer: int,
        direction: Direction,
        entering: Wires,
        *,
        is_learnt: bool,
    ) -> Block:
        parameters: dict[str, Array] = {}
        kept_in: dict[str, Where] = {}
        for part, name, rows in self._places(layer, direction):
            parameters[part] = given[name][rows]
            kept_in[part] = Where(name, rows.start, rows.stop)
        key = self.key_of(layer, direction)
        program = self.cell.program.sized(self.sizes_of(layer))
        # The backward pass reads what functions gave: keeping it costs less than computing it again.
        keep = tuple(line.name for line in program.lines if _is_function(line)) if is_learnt else ()
        constant = (KEEP,) if self.has_resets else ()
        wires = {name: data(name) if name in constant else entering for name in program.inputs}
        words = self.cell.words
        return Block(
            key,
            "recurrent",
            layer,
            direction,
            program,
            parameters,
            kept_in,
            keep,
            wires,
            constant=constant,
            words=words,
        )

    def _places(self, layer: int, direction: Direction) -> Iterator[tuple[str, str, slice]]:
        """Each of the equations' parameters, the one of torch's that holds it, and in which rows."""
        shapes = self._parts(layer)
        for stack in self.cell.stacks:
            start = 0
            for part in stack.parts:
                stop = start + shapes[part][0]
                yield part, self.torch_name(stack.torch, layer, direction), slice(start, stop)
                start = stop


def _stacked(shapes: list[Shape]) -> Shape:
    if len(shapes) == 1:
        return shapes[0]
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def _is_function(line: Line) -> bool:
    """Whether a line is a function of elements, such as tanh."""
    match line.expression:
        case Apply(op=op):
            return OPERATIONS[op].kind == "elementwise" and not OPERATIONS[op].symbol
    return False


def _join(key: str, layer: int, size: int, directions: Sequence[Block]) -> Block:
    line = Line("output", Apply("cat", (Name("forward"), Name("backward"))))
    inputs = {"forward": (size,), "backward": (size,)}
    program = Program((line,), inputs, {}, {}, {**inputs, "output": (2 * size,)})
    wires: dict[str, Wires] = {block.direction: output_of(block) for block in directions}
    about = Text("{key} puts both directions side by side, as torch's output has them.", key=key)
    return Block(key, "join", layer, "forward", program, {}, {}, wires=wires, words=JOIN_WORDS, about=about)
