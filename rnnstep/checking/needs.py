"""What a value needs: the lines, the weights and the given numbers that it comes from, through steps and layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from rnnstep.engine.passes import Pass
from rnnstep.equations.syntax import names_in
from rnnstep.network.blocks import Block
from rnnstep.network.wires import When


class Place(NamedTuple):
    """A line of a block at a step."""

    key: str
    t: int
    name: str


class Given(NamedTuple):
    """What is not worked out on a sheet.

    Attributes:
        kind: "x", an input; "first", a state before a block's first step; "state", one after a step; "mask", of dropout.
        key: the block; "" of an input.
        t: the step, from 0; of a first state the one that reads it.
        name: of the value.
    """

    kind: Literal["x", "first", "state", "mask"]
    key: str
    t: int
    name: str


def steps_of(block: Block, last: int) -> range:
    """A row's steps in a block's order, `last` its last one."""
    return range(last, -1, -1) if block.direction == "backward" else range(last + 1)


class Needs:
    """A walk back from values.

    Attributes:
        lines: that are worked out.
        parameters: that they read, by block and name.
        given: what else they read, inputs first.
    """

    def __init__(self, done: Pass, steps: Sequence[int], row: int) -> None:
        self._done = done
        self._steps = frozenset(steps)
        self._graph = done.graph
        self._axis = done.batch.axis
        self._row = row
        self._last = done.batch.last_step(row)
        self._given: set[Given] = set()
        self.lines: set[Place] = set()
        self.parameters: set[tuple[str, str]] = set()

    @property
    def given(self) -> list[Given]:
        """In the order in which a sheet gives it: inputs by step, then states by block."""
        keys = list(self._done.by_key)
        kinds = ("x", "mask", "first", "state")

        def place(one: Given) -> tuple[int, int, int, int]:
            if not one.key:
                return kinds.index(one.kind), 0, one.t, 0
            states = [*self._done.by_key[one.key].program.states, one.name]
            return min(kinds.index(one.kind), 2), keys.index(one.key), one.t, states.index(one.name)

        return sorted(self._given, key=place)

    def walk(self, places: Iterable[Place]) -> None:
        """Note all that some lines need."""
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place not in self.lines:
                self.lines.add(place)
                waiting += self._before(place)

    def _before(self, place: Place) -> Iterator[Place]:
        """The lines that one reads; what is given is noted."""
        block = self._done.by_key[place.key]
        program = block.program
        states = dict(zip(program.befores, program.states, strict=True))
        for name in dict.fromkeys(names_in(program.by_name[place.name].expression)):
            if name in program.parameters:
                self.parameters.add((block.key, name))
            elif name in states:
                yield from self._state_before(block, place.t, states[name])
            elif name in program.by_name:
                yield place._replace(name=name)
            else:
                yield from self._entering(block, name, place.t)

    def _state_before(self, block: Block, t: int, state: str) -> Iterator[Place]:
        before = t + 1 if block.direction == "backward" else t - 1
        if 0 <= before <= self._last:
            yield from self._state(block, before, state)
        else:
            self._given.add(Given("first", block.key, t, state))

    def _state(self, block: Block, t: int, state: str) -> Iterator[Place]:
        if t in self._steps:
            yield Place(block.key, t, state)
        else:
            self._given.add(Given("state", block.key, t, state))

    def _entering(self, block: Block, name: str, t: int) -> Iterator[Place]:
        """What other blocks bring into one at a step: through those that are not worked out on a sheet, up to what is given."""
        for part in self._graph.origins(block.key, name):
            wire = part.wire
            if wire.when is When.DATA:
                is_input = name in list(block.program.inputs)[:1]
                self._given.add(Given("x", "", t, "x") if is_input else Given("mask", block.key, t, name))
                continue
            below = self._done.by_key[wire.block]
            at = self._axis.final_step(below.direction, self._row) if wire.when is When.LAST else t
            if below.program.states:
                yield from self._state(below, at, wire.value)
            else:
                for each in below.program.inputs:
                    yield from self._entering(below, each, at)
