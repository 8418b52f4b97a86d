"""What every cell is made of: its equations, where torch keeps their parameters, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from rnnstep.equations.program import Program, Shape, check
from rnnstep.equations.syntax import Line, Name, parse_lines, rebuilt
from rnnstep.language import Text

Bias = bool | Literal["ih"]
"""Which biases a cell of torch's has: both, none, or the input's alone, as most books have it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One of torch's parameters, and the equations' parameters stacked in its rows."""

    torch: str  # "weight_ih"
    parts: tuple[str, ...]  # ("W_ii", "W_if", "W_ig", "W_io"), top to bottom


@dataclass(frozen=True, slots=True)
class OutputBound:
    """What no element of a cell's output passes.

    Attributes:
        limit: the magnitude.
        formula: how the output is made, from which it follows: "o ⊙ tanh(c)".
        is_from_first: whether the state before the first step counts, where that is larger.
    """

    limit: float
    formula: str
    is_from_first: bool = False


@dataclass(frozen=True)
class CellWords:
    """What is said of a cell beside its equations.

    Attributes:
        lines: of each line a sentence; of a family of lines under what stands before their underscore: "ih", "hh", "a".
        back: of a line of the backward pass, under the value whose gradient it is; of a bias, how its gradient differs
            from that of the other; where it is missing, what the line looks like tells it.
        biases: how the gradients of both biases differ; None where they are the same.
        biases_of: the same of two biases by their names in torch.
        without_b_hh: what is said of lines instead where h_prev has no bias.
    """

    lines: Mapping[str, Text]
    back: Mapping[str, Text] = field(default_factory=dict)
    biases: Text | None = None
    biases_of: Callable[[str, str], Text] | None = None
    without_b_hh: Mapping[str, Text] = field(default_factory=dict)

    def sentence(self, line: str) -> Text | None:
        """Give the sentence of a line."""
        return self.lines.get(line) or self.lines.get(line.partition("_")[0])


NO_WORDS = CellWords({})
GATED = {
    "ih": Text("what x_t says to this gate"),
    "hh": Text("what the memory says to this gate"),
    "a": Text("the two are added"),
}
"""Sentences of what every gate begins with."""


@dataclass(frozen=True)
class Cell:
    """A cell: a program in words of the sizes, and torch's layout of its parameters.

    Attributes:
        name: "LSTM", or what a user calls it.
        program: its equations.
        stacks: in the order of torch's `named_parameters`.
        gates: values that open and close, between 0 and 1: for colours and plots.
        bound: what its output never passes; None where that is not known.
        words: what is said of it; none of a user's own.
    """

    name: str
    program: Program
    stacks: tuple[Stack, ...]
    gates: tuple[str, ...] = ()
    bound: OutputBound | None = None
    words: CellWords = field(default=NO_WORDS, compare=False)

    @property
    def states(self) -> Mapping[str, str]:
        """Each state and its size in words, or a number: `{"h": "hidden_size"}`; the first is the output."""
        return {name: str(shape[0]) for name, shape in self.program.states.items()}

    def parameter_shapes(
        self, input_size: int, hidden_size: int, proj_size: int = 0
    ) -> dict[str, tuple[int, ...]]:
        """Give the shape of each of the equations' parameters."""
        sizes = self.sizes(input_size, hidden_size, proj_size)
        return {
            name: tuple(sizes[size] if isinstance(size, str) else size for size in shape)
            for name, shape in self.program.parameters.items()
        }

    def state_sizes(self, input_size: int, hidden_size: int, proj_size: int = 0) -> dict[str, int]:
        """Give the number of elements of each state; the first is the output."""
        sizes = self.sizes(input_size, hidden_size, proj_size)
        return {name: sizes[size] if size in sizes else int(size) for name, size in self.states.items()}

    @staticmethod
    def sizes(input_size: int, hidden_size: int, proj_size: int = 0) -> dict[str, int]:
        """Give the numbers that the words of a program's shapes stand for."""
        return {"input_size": input_size, "hidden_size": hidden_size, "proj_size": proj_size or hidden_size}


@dataclass(frozen=True)
class TorchCell:
    """A cell that torch.nn has, alone (`LSTMCell`) and in a module over time (`LSTM`).

    Attributes:
        name: "LSTM".
        make: gives the cell with both biases; takes those of the options below that change its equations.
        options: the arguments that both of torch's classes take beside those that all such classes take.
        module_options: the arguments that the module over time alone takes.
    """

    name: str
    make: Callable[..., Cell]
    options: tuple[str, ...] = ()
    module_options: tuple[str, ...] = ()

    def options_of(self, module: str) -> tuple[str, ...]:
        """The arguments that one of the two classes takes."""
        return self.options if module.endswith("Cell") else self.options + self.module_options


def gated_parameters(gates: tuple[str, ...], output: str) -> dict[str, Shape]:
    """Give the parameters of a gated cell: `W_i*`, `W_h*`, `b_i*`, `b_h*` for each gate.

    `output` is the size of h in words: "hidden_size", or "proj_size" with a projection.
    """
    shapes: dict[str, Shape] = {}
    shapes.update({f"W_i{gate}": ("hidden_size", "input_size") for gate in gates})
    shapes.update({f"W_h{gate}": ("hidden_size", output) for gate in gates})
    shapes.update({f"b_i{gate}": ("hidden_size",) for gate in gates})
    shapes.update({f"b_h{gate}": ("hidden_size",) for gate in gates})
    return shapes


def gated_stacks(gates: tuple[str, ...]) -> tuple[Stack, ...]:
    """Give torch's four parameters of a gated cell, their rows in the order of `gates`."""
    kinds = {"weight_ih": "W_i", "weight_hh": "W_h", "bias_ih": "b_i", "bias_hh": "b_h"}
    return tuple(Stack(torch, tuple(part + gate for gate in gates)) for torch, part in kinds.items())


def with_biases(cell: Cell, bias: Bias) -> Cell:
    """Give a cell that has both biases with those that are asked for; the others are left out of their sums."""
    left_out = {True: (), False: ("bias_ih", "bias_hh"), "ih": ("bias_hh",)}[bias]
    parts = [part for stack in cell.stacks if stack.torch in left_out for part in stack.parts]
    stacks = tuple(stack for stack in cell.stacks if stack.torch not in left_out)
    if not parts:
        return cell
    words = replace(cell.words, lines={**cell.words.lines, **cell.words.without_b_hh})
    return replace(cell, program=cell.program.without(parts), stacks=stacks, words=words)


KEEP = "keep"
"""The input of a cell with resets: 1, or 0 in a row whose states are zeros before the step."""

_RESET_WORDS = {
    "h": Text("the state before, or zeros in a row that is reset"),
    "c": Text("the cell before, or zeros in a row that is reset"),
}
_NOTHING_GOES_BACK = Text("of a row that is reset nothing goes back: keep is 0")


def with_resets(cell: Cell) -> Cell:
    """Give a cell of torch's whose rows may begin anew: `h_kept = keep * h_prev` stands where h_prev was read, c likewise."""
    program = cell.program
    kept = {program.before(state): f"{state}_kept" for state in program.states}

    def read_kept(line: Line) -> Line:
        return replace(
            line,
            expression=rebuilt(
                line.expression,
                lambda part: Name(kept[part.id]) if isinstance(part, Name) and part.id in kept else None,
            ),
        )

    resets = parse_lines("\n".join(f"{name} = {KEEP} * {before}" for before, name in kept.items()))
    lines = (*resets, *map(read_kept, program.lines))
    inputs: dict[str, Shape] = {**program.inputs, KEEP: (1,)}
    said = {name: text.exchanged(kept) for name, text in cell.words.lines.items()}
    words = replace(
        cell.words,
        lines={**said, **{f"{state}_kept": _RESET_WORDS[state] for state in program.states}},
        back={
            **{kept.get(name, name): text for name, text in cell.words.back.items()},
            **dict.fromkeys(kept, _NOTHING_GOES_BACK),
        },
    )
    made = check(lines, inputs, program.states, program.parameters, program.read_as, program.banks)
    return replace(cell, program=made, words=words)
