"""Blocks and their wires as one graph, to be followed both ways."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.network.blocks import Block, Where
from rnnstep.network.wires import When, Wire


class Part(NamedTuple):
    """Elements `start:stop` of what a block reads under a name, and the wire that brings them.

    Attributes:
        reader: the key of the block that reads.
        name: of its input.
        start: the first element.
        stop: the one after the last. Of a bank those of each of its vectors.
        wire: where they come from.
    """

    reader: str
    name: str
    start: int
    stop: int
    wire: Wire


class Graph:
    """The blocks of a pass, in order of computation."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)

    @cached_property
    def by_key(self) -> Mapping[str, Block]:
        """Each block under its key."""
        return {block.key: block for block in self.blocks}

    @cached_property
    def lookup(self) -> Block | None:
        """The block that looks indices up; None where vectors are given."""
        return next((block for block in self.blocks if block.kind == "lookup"), None)

    @cached_property
    def last_of_recurrent(self) -> Block | None:
        """The last block with states, or the join of the last layer's directions; None where none has states."""
        return next(
            (block for block in reversed(self.blocks) if block.program.states or is_join(block)), None
        )

    # ── from a reader to what it reads ───────────────────────────────────────────────

    def entering(self, key: str, name: str) -> tuple[Part, ...]:
        """What an input of a block is joined of; nothing for what is no input, and for a program's own states."""
        return self._entering.get((key, name), ())

    @cached_property
    def _entering(self) -> Mapping[tuple[str, str], tuple[Part, ...]]:
        return {
            (block.key, name): tuple(self._parts(block, name))
            for block in self.blocks
            for name in block.wires
        }

    def _parts(self, block: Block, name: str) -> Iterator[Part]:
        start = 0
        wires = block.wires[name]
        is_whole = name not in block.program.banks
        sizes = [
            None
            if not wire.block or (wire.when is When.ALL and is_whole)
            else self._size(self.by_key[wire.block], wire.value)
            for wire in wires
        ]
        given = self._size(block, name) - sum(size for size in sizes if size is not None)
        for wire, size in zip(wires, sizes, strict=True):  # what is left is given, the same each time
            stop = start + (given // sizes.count(None) if size is None else size)
            yield Part(block.key, name, start, stop, wire)
            start = stop

    @staticmethod
    def _size(block: Block, name: str) -> int:
        shape = block.program.shapes[block.state_before(name) or name]
        return int(shape[-1]) if shape else 1

    def origins(self, key: str, name: str) -> tuple[Part, ...]:
        """The same, with joined final states each from the direction that computed it."""
        return tuple(one for part in self.entering(key, name) for one in self._origins(part))

    def _origins(self, part: Part) -> Iterator[Part]:
        """Where a part was computed: the final states of a block that only joins others are those of the others."""
        block = self.by_key.get(part.wire.block)
        if part.wire.when is not When.LAST or block is None or not is_join(block):
            yield part
            return
        start = part.start
        for name in block.program.inputs:
            for below in self.entering(block.key, name):
                stop = start + below.stop - below.start
                wire = Wire(below.wire.block, below.wire.value, When.LAST)
                yield from self._origins(part._replace(start=start, stop=stop, wire=wire))
                start = stop

    def origin(self, key: str, name: str, element: int) -> Part | None:
        """Where an element of an input was computed; None for what is no input."""
        return next((part for part in self.origins(key, name) if part.start <= element < part.stop), None)

    def computed_by(self, key: str) -> tuple[Part, ...]:
        """Which elements of a block's output were computed where: itself, or what it only puts side by side."""
        return self._computed_by[key]

    @cached_property
    def _computed_by(self) -> Mapping[str, tuple[Part, ...]]:
        found = {}
        for block in self.blocks:
            size = self._size(block, block.output)
            whole = Part(block.key, block.output, 0, size, Wire(block.key, block.output, When.LAST))
            found[block.key] = tuple(self._origins(whole))
        return found

    def below(self, key: str) -> frozenset[str]:
        """The blocks that a block stands on: those that it reads, and all that these do."""
        return self._below[key]

    @cached_property
    def _below(self) -> Mapping[str, frozenset[str]]:
        read = {
            block.key: {wire.block for wires in block.wires.values() for wire in wires if wire.block}
            for block in self.blocks
        }
        found: dict[str, frozenset[str]] = {"": frozenset()}
        for key in read:
            seen: set[str] = set()
            waiting = [key]
            while waiting:  # a loop comes back to where it began
                new = read[waiting.pop()] - seen
                seen |= new
                waiting += new
            found[key] = frozenset(seen)
        return found

    @cached_property
    def loops(self) -> tuple[tuple[str, ...], ...]:
        """The blocks that read one another of the step before, or themselves, in order of computation."""
        found: dict[frozenset[str], tuple[str, ...]] = {}
        for block in self.blocks:
            keys = frozenset(one for one in self.below(block.key) if block.key in self.below(one))
            if keys:
                found[keys] = tuple(one.key for one in self.blocks if one.key in keys)
        return tuple(found.values())

    @cached_property
    def loop_of(self) -> Mapping[str, tuple[str, ...]]:
        """The loop of each block that is in one."""
        return {key: loop for loop in self.loops for key in loop}

    def read_when(self, key: str) -> When:
        """When what a block gives is read: where one step of each row alone is, when that is, else `SAME`."""
        when, *others = {part.wire.when for part in self.readers(key)} or {When.SAME}
        return when if when.is_once and not others else When.SAME

    def bank_source(self, key: str) -> str:
        """The block whose steps are the vectors of what a block reads whole."""
        return self.entering(key, next(iter(self.by_key[key].program.banks)))[0].wire.block

    @cached_property
    def num_reading(self) -> Mapping[Where, int]:
        """How many blocks read the same part of the same parameter."""
        return Counter(where for block in self.blocks for where in block.kept_in.values())

    # ── from a value to its readers ──────────────────────────────────────────────────

    def readers(self, key: str) -> tuple[Part, ...]:
        """The inputs that a block's output enters, in order of computation; final states that are joined first by the join."""
        return self._readers.get(key, ())

    def ends(self, key: str) -> tuple[Part, ...]:
        """The inputs that a block's final states enter by way of a join of them."""
        return self._ends.get(key, ())

    @cached_property
    def _readers(self) -> Mapping[str, tuple[Part, ...]]:
        return _by_source(part for parts in self._entering.values() for part in parts)

    @cached_property
    def _ends(self) -> Mapping[str, tuple[Part, ...]]:
        every = [part for parts in self._entering.values() for part in parts]
        return _by_source(one for part in every for one in self._origins(part) if one is not part)


def is_join(block: Block) -> bool:
    """Whether a block puts vectors side by side and does nothing else."""
    match block.program.lines:
        case (Line(expression=Apply(op="cat", args=args)),):
            return all(isinstance(one, Name) and one.id in block.program.inputs for one in args)
    return False


def _by_source(parts: Iterator[Part]) -> Mapping[str, tuple[Part, ...]]:
    found: dict[str, list[Part]] = {}
    for part in parts:
        found.setdefault(part.wire.block, []).append(part)
    return {key: tuple(each) for key, each in found.items()}
