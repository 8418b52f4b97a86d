"""A loop over several blocks as one block: it carries all their states, and runs, goes back and is stepped as a cell does.

What a block reads of the step before, whichever block gave it, is a state of the loop; what comes from outside
enters as its one input, side by side. A value keeps its name behind the key of its block: `decoder.h`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnnstep.equations.program import Shape, check
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, rebuilt
from rnnstep.network.blocks import Block, Where
from rnnstep.network.graph import Graph, Part
from rnnstep.network.wires import When, Wire

_X = "x"
_INSIDE = (When.SAME, When.BEFORE)


@dataclass(frozen=True)
class Loop:
    """Several blocks as one.

    Attributes:
        block: The one; its output is the first of the values that are read outside.
        origins: Of each of its values the block that gives it, and its name there.
    """

    block: Block
    origins: Mapping[str, tuple[str, str]]


def composed(graph: Graph, keys: Sequence[str], key: str) -> Loop:
    """Compose blocks that read one another into one.

    Args:
        graph: All blocks; the wires of those of the loop bring their own values of the same step or of the one before.
        keys: The blocks of the loop, in the order of computation within a step.
        key: What the loop is called.

    Raises:
        ValueError: A block goes back in time, or reads of the same step what is computed after it.
    """
    return _Composer(graph, keys).loop(key)


class _Composer:
    def __init__(self, graph: Graph, keys: Sequence[str]) -> None:
        self._graph = graph
        self._keys = tuple(keys)
        self._blocks = [graph.by_key[key] for key in keys]
        self._outer = self._entering_from_outside()
        self._known: list[str] = []  # the blocks whose lines stand already
        self._kept: dict[Where, str] = {}  # each parameter once, also where several read it

    def loop(self, key: str) -> Loop:
        if any(block.direction == "backward" for block in self._blocks):
            raise ValueError("a loop over several blocks goes forward in time")
        lines: list[Line] = []
        origins: dict[str, tuple[str, str]] = {}
        for block in self._blocks:
            for line in self._lines(block):
                lines.append(Line(line.name, line.expression, len(lines)))
                origins[line.name] = (block.key, line.name.removeprefix(f"{block.key}."))
            self._known.append(block.key)
        kept_in, numbers, shapes = {}, {}, {}
        for block in self._blocks:
            for name, where in block.kept_in.items():
                kept_in[self._parameter(block, name)] = where
                numbers[self._parameter(block, name)] = block.parameters[name]
                shapes[self._parameter(block, name)] = block.program.parameters[name]
        states, read_as = self._states()
        width = sum(size for _, size in self._outer.values())
        program = check(tuple(lines), {_X: (width,)}, states, shapes, read_as)
        first = self._blocks[0]
        return Loop(
            Block(
                key,
                "recurrent",
                first.layer,
                "forward",
                program,
                numbers,
                kept_in,
                tuple(_of(block, name) for block in self._blocks for name in block.keep),
                {_X: tuple(self._outer)},
                first.extent,
            ),
            origins,
        )

    def _entering_from_outside(self) -> dict[Wire, tuple[int, int]]:
        """Each wire from outside once, with where it begins in what enters, and how many elements it brings."""
        found: dict[Wire, tuple[int, int]] = {}
        start = 0
        for block in self._blocks:
            for name in block.program.inputs:
                for part in self._graph.entering(block.key, name):
                    if not self._is_inside(part) and part.wire not in found:
                        found[part.wire] = (start, part.stop - part.start)
                        start += part.stop - part.start
        return found

    def _is_inside(self, part: Part) -> bool:
        return part.wire.block in self._keys and part.wire.when in _INSIDE

    def _states(self) -> tuple[dict[str, Shape], dict[str, str]]:
        """The states: first what is read outside, then the blocks' own, then what else is read of the step before."""
        outside = [
            _named(part.wire)
            for block in self._blocks
            for part in self._graph.readers(block.key)
            if part.reader not in self._keys
        ]
        own = [_of(block, name) for block in self._blocks for name in block.program.states]
        fed_back = [
            _named(part.wire)
            for block in self._blocks
            for name in block.program.inputs
            for part in self._graph.entering(block.key, name)
            if self._is_inside(part) and part.wire.when is When.BEFORE
        ]
        last = self._blocks[-1]
        every = dict.fromkeys([*(outside or [_of(last, last.output)]), *own, *fed_back])
        shapes = {
            _of(block, name): shape for block in self._blocks for name, shape in block.program.shapes.items()
        }
        read_as = {
            _of(block, state): _of(block, block.program.before(state))
            for block in self._blocks
            for state in block.program.states
        }
        return {name: shapes[name] for name in every}, read_as

    # ── the lines of a block ─────────────────────────────────────────────────────────

    def _lines(self, block: Block) -> Iterator[Line]:
        """A block's lines under their names in the loop; before them what it reads, where that is joined of several."""
        given: dict[str, Expression] = {}
        for name in block.program.inputs:
            parts = [self._brought(block, part) for part in self._graph.entering(block.key, name)]
            given[name] = parts[0]
            if len(parts) > 1:
                yield Line(_of(block, name), _side_by_side(parts))
                given[name] = Name(_of(block, name))

        def renamed(part: Expression) -> Expression | None:
            if not isinstance(part, Name):
                return None
            if part.id in block.kept_in:
                return Name(self._parameter(block, part.id))
            return given.get(part.id, Name(_of(block, part.id)))

        for line in block.program.lines:
            yield Line(_of(block, line.name), rebuilt(line.expression, renamed))

    def _parameter(self, block: Block, name: str) -> str:
        """A parameter's name in the loop: that under which the first block reads it."""
        return self._kept.setdefault(block.kept_in[name], _of(block, name))

    def _brought(self, block: Block, part: Part) -> Expression:
        """What a wire brings, as it is read within the loop."""
        if not self._is_inside(part):
            start, size = self._outer[part.wire]
            whole = Name(_X)
            if size == sum(every for _, every in self._outer.values()):
                return whole
            return Apply("part", (whole, _number(start), _number(start + size)))
        if part.wire.when is When.SAME:
            if part.wire.block not in self._known:
                raise ValueError(
                    f"{block.key} reads {part.wire.block} of the same step, which is computed after it"
                )
            return Name(_named(part.wire))
        source = self._graph.by_key[part.wire.block]
        is_state = part.wire.value in source.program.states
        before = source.program.before(part.wire.value) if is_state else f"{part.wire.value}_prev"
        return Name(_of(source, before))


def _of(block: Block, name: str) -> str:
    return f"{block.key}.{name}"


def _named(wire: Wire) -> str:
    return f"{wire.block}.{wire.value}"


def _number(value: int) -> Number:
    return Number(float(value), str(value))


def _side_by_side(parts: Sequence[Expression]) -> Expression:
    *others, last = parts
    found = last
    for part in reversed(others):
        found = Apply("cat", (part, found))
    return found
