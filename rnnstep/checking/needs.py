"""What a value needs: the lines, the weights and the given numbers that it comes from, through steps and layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from rnnstep.engine.blocks import Block
from rnnstep.engine.passes import Pass
from rnnstep.equations.syntax import names_in


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
            elif block.kind == "linear":
                yield from self._output(block.layer, place.t, is_final=self._done.is_final)
            else:
                yield from self._x(block, place.t)

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

    def _x(self, block: Block, t: int) -> Iterator[Place]:
        if not block.layer:
            self._given.add(Given("x", "", t, "x"))
            return
        dropout = f"dropout{block.layer - 1}"
        if dropout in self._done.by_key:
            self._given.add(Given("mask", dropout, t, "mask"))
        yield from self._output(block.layer - 1, t)

    def _output(self, layer: int, t: int, *, is_final: bool = False) -> Iterator[Place]:
        """What a layer gives at a step, or at its end, in both directions."""
        for run in self._done.runs.values():
            if run.block.layer == layer:
                at = steps_of(run.block, self._last)[-1] if is_final else t
                yield from self._state(run.block, at, run.block.output)
