"""What every cell is made of: its equations, and where torch keeps their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rnnstep.equations.program import Program, Shape


@dataclass(frozen=True, slots=True)
class Stack:
    """One of torch's parameters, and the equations' parameters stacked in its rows."""

    torch: str  # "weight_ih"
    parts: tuple[str, ...]  # ("W_ii", "W_if", "W_ig", "W_io"), top to bottom


@dataclass(frozen=True)
class Cell:
    """A cell: a program in words of the sizes, and torch's layout of its parameters."""

    name: str  # "LSTM"
    program: Program
    stacks: tuple[Stack, ...]  # in the order of torch's `named_parameters`
    gates: tuple[str, ...] = ()  # values that open and close, between 0 and 1: for colours and plots

    @property
    def states(self) -> Mapping[str, str]:
        """Each state and its size in words: `{"h": "hidden_size"}`; the first is the output."""
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

    @staticmethod
    def sizes(input_size: int, hidden_size: int, proj_size: int = 0) -> dict[str, int]:
        """Give the numbers that the words of a program's shapes stand for."""
        return {"input_size": input_size, "hidden_size": hidden_size, "proj_size": proj_size or hidden_size}


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


def gated_stacks(gates: tuple[str, ...], *, bias: bool) -> tuple[Stack, ...]:
    """Give torch's four parameters of a gated cell, their rows in the order of `gates`."""
    kinds = {"weight_ih": "W_i", "weight_hh": "W_h"}
    if bias:
        kinds |= {"bias_ih": "b_i", "bias_hh": "b_h"}
    return tuple(Stack(torch, tuple(part + gate for gate in gates)) for torch, part in kinds.items())


def without_bias(program: Program) -> Program:
    """Give the program of `bias=False`: every parameter `b_…` left out of its sum."""
    return program.without(name for name in program.parameters if name.startswith("b_"))
