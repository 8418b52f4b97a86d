"""A block: a small program with its parameters, and the wires that its inputs come from.

A recurrent block carries states from step to step; any other acts on each step alone. All of them are equations, so
whatever reads equations reads every block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np

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
    """Where torch keeps one of the equations' parameters: rows `start:stop` of `torch`, of a window the step `tap` of them."""

    torch: str
    start: int
    stop: int
    tap: int | None = None

    @property
    def part(self) -> tuple[slice | int, ...]:
        """Which part of torch's array it is."""
        rows = slice(self.start, self.stop)
        return (rows,) if self.tap is None else (rows, slice(None), self.tap)

    def of(self, whole: Array) -> Array:
        """Give the part of torch's array, in the shape that the equations have."""
        return whole[self.part]

    def index(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Give where an element of the part is in torch's array."""
        return (self.start + index[0], *index[1:], *(() if self.tap is None else (self.tap,)))

    def own_index(self, index: tuple[int, ...]) -> tuple[int, ...] | None:
        """Give where an element of torch's array is in the part; None where it is not in it."""
        is_here = self.start <= index[0] < self.stop and (self.tap is None or index[-1] == self.tap)
        own = index if self.tap is None else index[:-1]
        return (own[0] - self.start, *own[1:]) if is_here else None


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
    reads_all_rows: bool = (
        False  # whether what it reads whole is of all rows, the same in each: step by step, row by row
    )
    reads_along: str = ""  # whose steps it reads, where it begins the sequence that it runs along

    @cached_property
    def compiled(self) -> Compiled:
        """The block's program as one fast function; made when it first runs."""
        return _compiled(self.program, self.keep)

    def with_parameters(self, given: Mapping[str, Array]) -> Block:
        """The same block with other numbers, under torch's names."""
        parameters = {name: where.of(given[where.torch]) for name, where in self.kept_in.items()}
        return replace(self, parameters=parameters)

    @cached_property
    def learnt_in(self) -> Mapping[str, Where]:
        """The place in torch's of each of the parameters that have a gradient."""
        return {name: where for name, where in self.kept_in.items() if name not in self.constant}

    @cached_property
    def windows(self) -> Mapping[str, Wire]:
        """The inputs that are the steps of a window, each with a wire that says which step."""
        return {name: wires[0] for name, wires in self.wires.items() if wires[0].when is When.OFFSET}

    @property
    def sequence_read(self) -> str:
        """The sequence whose steps it reads, of what does not belong to another block."""
        return self.reads_along or self.sequence

    @property
    def attends(self) -> bool:
        """Whether each of its steps looks at all steps of another block, row by row."""
        return bool(self.program.banks) and not self.reads_all_rows

    @property
    def reads_data(self) -> bool:
        """Whether what enters it are arrays of the scenario's alone."""
        return all(not wire.block for wires in self.wires.values() for wire in wires)

    def state_before(self, name: str) -> str | None:
        """The state that a wire gives the first value of: "h" of `h_0`; None of what is no such name."""
        state = name.removesuffix("_0")
        return state if state != name and state in self.program.states and name in self.wires else None

    @property
    def given(self) -> tuple[str, ...]:
        """The inputs that nothing goes back to, such as a mask."""
        return tuple(name for name in self.program.inputs if name in self.constant)

    @property
    def known_by_step(self) -> tuple[str, ...]:
        """Those of them that are numbers known of each step beside what enters: a mask, what is kept of states, how many steps are counted."""
        return self.given if self.kind in ("map", "mask", "recurrent") else ()

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


def joined_parts(parts: Sequence[tuple[Where, Array]]) -> Array:
    """Give a whole array of torch's from all of its parts, in the order of its rows."""
    if parts[0][0].tap is None:
        return parts[0][1] if len(parts) == 1 else np.concatenate([part for _, part in parts])
    rows, taps = max(where.stop for where, _ in parts), 1 + max(where.tap or 0 for where, _ in parts)
    whole = np.empty((rows, *parts[0][1].shape[1:], taps), parts[0][1].dtype)
    for where, part in parts:
        where.of(whole)[...] = part
    return whole


def output_of(block: Block) -> Wires:
    """The wire of what a block gives."""
    return (Wire(block.key, block.output),)
