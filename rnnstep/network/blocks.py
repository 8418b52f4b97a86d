"""A block: a small program with its parameters, and the wires that its inputs come from.

A recurrent block carries states from step to step; any other acts on each step alone. All of them are equations, so
whatever reads equations reads every block.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Literal

from rnnstep.cells.cell import NO_WORDS, CellWords
from rnnstep.equations.compile import Compiled
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.language import Text
from rnnstep.network.description import INPUT
from rnnstep.network.wires import When, Wire, Wires

Kind = Literal["lookup", "map", "mask", "recurrent", "join", "loss", "total", "clip", "update"]
"""What a block does: look rows up, map each step's vector, drop elements, carry states, put side by side …"""
Direction = Literal["forward", "backward"]


class Extent(Enum):
    """How often a block computes its values in one batch, and for which of the rows."""

    LIVE = "each step, of the rows that take part in it"
    EVERY = "each step, of every row"
    FINAL = "once, of every row: what follows from final states"
    ONCE = "once, of no row in particular"

    @property
    def is_single(self) -> bool:
        """Whether there is one computation, which stands at the last step."""
        return self in (Extent.FINAL, Extent.ONCE)


@dataclass(frozen=True, slots=True)
class Where:
    """Where torch keeps one of the equations' parameters: rows `start:stop` of `torch`."""

    torch: str
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Block:
    """One block; the program names its inputs in the order in which they are fed."""

    key: str  # "embedding", "L0", "L0←", "join0", "dropout0", "linear", "loss", "total": as in a place
    kind: Kind
    layer: int
    direction: Direction
    program: Program
    parameters: Mapping[str, Array]
    kept_in: Mapping[str, Where]  # each of the parameters' place in torch's
    keep: tuple[str, ...] = ()  # lines that a run keeps though they could be derived
    wires: Mapping[str, Wires] = field(default_factory=lambda: MappingProxyType({}))  # of each input
    extent: Extent = Extent.LIVE
    constant: tuple[str, ...] = ()  # inputs and parameters that nothing goes back to
    words: CellWords = NO_WORDS  # what is said of its lines
    about: Text | None = None  # what it is, in a sentence
    module: str = ""  # what the module is called that it is of; "" of the only recurrent one
    sequence: str = INPUT  # whose steps it runs along

    @cached_property
    def compiled(self) -> Compiled:
        """The block's program as one fast function; made when it first runs."""
        return _compiled(self.program, self.keep)

    def with_parameters(self, given: Mapping[str, Array]) -> Block:
        """The same block with other numbers, under torch's names."""
        parameters = {
            name: given[where.torch][where.start : where.stop] for name, where in self.kept_in.items()
        }
        return replace(self, parameters=parameters)

    @cached_property
    def learnt_in(self) -> Mapping[str, Where]:
        """The place in torch's of each of the parameters that have a gradient."""
        return {name: where for name, where in self.kept_in.items() if name not in self.constant}

    @property
    def reads_data(self) -> bool:
        """Whether what enters it are arrays of the scenario's alone."""
        return all(wire.when is When.DATA for wires in self.wires.values() for wire in wires)

    def state_before(self, name: str) -> str | None:
        """The state that a wire gives the first value of: "h" of `h_0`; None of what is no such name."""
        state = name.removesuffix("_0")
        return state if state != name and state in self.program.states and name in self.wires else None

    @property
    def given(self) -> tuple[str, ...]:
        """The inputs that nothing goes back to, such as a mask."""
        return tuple(name for name in self.program.inputs if name in self.constant)

    @property
    def brought(self) -> tuple[str, ...]:
        """The inputs that other blocks or the data bring: all but those that nothing goes back to, such as a mask."""
        return tuple(name for name in self.program.inputs if name not in self.constant)

    @property
    def output(self) -> str:
        """The value that goes on to the next block."""
        return next(iter(self.program.states), self.program.lines[-1].name)


@lru_cache(maxsize=128)
def _compiled(program: Program, keep: tuple[str, ...]) -> Compiled:
    """A program is compiled once for all its numbers."""
    return Compiled(program, keep)


def whole(names: Mapping[str, str], given: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Where]]:
    """Give parameters that are torch's whole: program's name → torch's name."""
    parameters = {name: given[torch] for name, torch in names.items()}
    return parameters, {name: Where(torch, 0, len(parameters[name])) for name, torch in names.items()}


def output_of(block: Block) -> Wires:
    """The wire of what a block gives."""
    return (Wire(block.key, block.output),)
