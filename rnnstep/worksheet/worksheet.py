"""A sheet to work out by hand: which values of which steps, and a scenario whose numbers are those that are printed.

What is asked for needs other values, and these need others: `Needs` walks back from the one to the others, through steps
and layers, up to what is given: inputs, weights, and states before the first of the steps that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

from rnnstep.checking.calculation import Calculation
from rnnstep.checking.own_numbers import Own
from rnnstep.engine.blocks import build
from rnnstep.engine.learning import Learning
from rnnstep.engine.passes import Pass
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import names_in
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.modules.window import read_over
from rnnstep.network.blocks import Block
from rnnstep.network.description import INPUT
from rnnstep.network.wires import When
from rnnstep.scenario.keys import closest
from rnnstep.scenario.model import Batch, Floats, Scenario
from rnnstep.worksheet.pocket_calculator import Pocket


class SheetPlace(NamedTuple):
    """A line of a block at a step."""

    key: str
    t: int
    name: str


class GivenOnSheet(NamedTuple):
    """What is not worked out on a sheet.

    Attributes:
        kind: "x", an input; "first", a state before a block's first step; "state", one after a step; "mask", of dropout, or what a
            module knows of each of its steps.
        key: the block; of an input the sequence, "" of the first one.
        t: the step, from 0; of a first state the one that reads it.
        name: of the value.
    """

    kind: Literal["x", "first", "state", "mask"]
    key: str
    t: int
    name: str


def first_reader(done: Pass) -> str:
    """The first block that reads what is given, or looked up."""
    return next(block.key for block in done.blocks if block.kind != "lookup")


def given_name(done: Pass, block: Block, name: str) -> tuple[str, str]:
    """Give the sequence, "" of the first one, and the name under which a sheet gives what a block reads of the data."""
    if block.sequence_read == INPUT:
        block = done.by_key[first_reader(done)]
        name = next(iter(block.program.inputs))
    elif block.kind == "lookup":
        return block.sequence, block.output
    is_window = any(wire.when is When.OFFSET for wire in block.wires[name])
    sequence = "" if block.sequence_read == INPUT else block.sequence_read
    return sequence, read_over(name) if is_window else name


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
        self._row = row
        self._given: set[GivenOnSheet] = set()
        self.lines: set[SheetPlace] = set()
        self.parameters: set[tuple[str, str]] = set()

    @property
    def given(self) -> list[GivenOnSheet]:
        """In the order in which a sheet gives it: inputs by step, then states by block."""
        keys = list(self._done.by_key)
        kinds = ("x", "mask", "first", "state")

        def place(one: GivenOnSheet) -> tuple[int, int, int, int]:
            if one.kind == "x":
                return 0, list(self._done.batch.sequences).index(one.key or INPUT), one.t, 0
            states = [*self._done.by_key[one.key].program.states, one.name]
            return min(kinds.index(one.kind), 2), keys.index(one.key), one.t, states.index(one.name)

        return sorted(self._given, key=place)

    def walk(self, places: Iterable[SheetPlace]) -> None:
        """Note all that some lines need."""
        waiting = list(places)
        while waiting:
            place = waiting.pop()
            if place not in self.lines:
                self.lines.add(place)
                waiting += self._before(place)

    def _before(self, place: SheetPlace) -> Iterator[SheetPlace]:
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
            elif name in program.banks:
                yield from self._read_whole(block, name)
            else:
                yield from self._entering(block, name, place.t)

    def _read_whole(self, block: Block, name: str) -> Iterator[SheetPlace]:
        """What a block reads at every step: all steps of another that the row has; how many those are is seen from them."""
        if len(block.program.banks[name]) == 2:
            for t in range(self._done.axis(self._graph.bank_source(block.key)).length(self._row)):
                yield from self._entering(block, name, t)

    def _state_before(self, block: Block, t: int, state: str) -> Iterator[SheetPlace]:
        before = self._done.axis(block.key).step_before(block.direction, t, self._row)
        if before is None and f"{state}_0" in block.wires:
            yield from self._entering(block, f"{state}_0", t)
        elif before is None:
            self._given.add(GivenOnSheet("first", block.key, t, state))
        else:
            yield from self._state(block, before, state)

    def _state(self, block: Block, t: int, state: str) -> Iterator[SheetPlace]:
        if not self._done.axis(block.key).is_live(t, self._row):  # zeros of a row that is over
            return
        if t in self._steps:
            yield SheetPlace(block.key, t, state)
        else:
            self._given.add(GivenOnSheet("state", block.key, t, state))

    def _take(self, block: Block, name: str, t: int) -> None:
        """Note what a block reads of the data at a step."""
        if name in block.known_by_step:
            self._given.add(GivenOnSheet("mask", block.key, t, name))
        else:
            sequence, given = given_name(self._done, block, name)
            self._given.add(GivenOnSheet("x", sequence, t, given))

    def _entering(self, block: Block, name: str, t: int) -> Iterator[SheetPlace]:
        """What other blocks bring into one at a step: through those that are not worked out on a sheet, up to what is given."""
        for part in self._graph.origins(block.key, name):
            wire = part.wire
            at = wire.step_read(t, self._done.axis_read(block.key, wire).num_steps)  # of most the step itself
            is_first = (
                wire.when is When.BEFORE and at < 0 and not self._done.by_key[wire.block].program.states
            )
            if is_first or t in wire.taught:
                self._given.add(GivenOnSheet("x", block.sequence, t, name))
                continue
            if wire.when is When.BEFORE and at < 0:
                yield from self._state_before(self._done.by_key[wire.block], t, wire.value)
                continue
            if not wire.when.is_once and not 0 <= at < self._done.axis_read(block.key, wire).num_steps:
                continue
            if not wire.block:
                self._take(block, name, at)
                continue
            below = self._done.by_key[wire.block]
            if wire.when.is_once:
                axis = self._done.axis(below.key)
                at = axis.step_brought(wire.when, below.direction, self._row)
                if not axis.is_live(at, self._row):
                    continue  # zeros of a row that is over
            if below.program.states:
                yield from self._state(below, at, wire.value)
            elif below.kind == "map":
                yield SheetPlace(below.key, at, wire.value)
            else:
                for each in below.program.inputs:
                    yield from self._entering(below, each, at)


# ── the sheet ────────────────────────────────────────────────────────────────────────────────────

MOST_NUMBERS = 4000  # that are asked for or printed on one sheet


@dataclass(frozen=True, slots=True)
class Asked:
    """One value that is worked out: a row of the sheet.

    Attributes:
        key: the block: "L0", "L0←", "linear".
        layer: of a recurrent block, from 0.
        direction: "forward" or "backward".
        t: the step, from 0.
        name: of a line.
        size: how many numbers it has.
        block: what the module is called, where there are several recurrent ones.
    """

    key: str
    layer: int
    direction: str
    t: int
    name: str
    size: int
    block: str | None = None


@dataclass(frozen=True, eq=False)
class Worksheet:
    """What is to be worked out.

    Attributes:
        scenario: with the numbers that are printed, in float64.
        decimals: how many everything is printed and worked out with.
        steps: which are worked out, from 0.
        asked: in the order of the calculation.
        worked: the same with all the values that they need.
        given: what stands before them.
        parameters: the blocks' that they need, by block and name.
        row: which sequence of the batch.
    """

    scenario: Scenario
    decimals: int
    steps: tuple[int, ...]
    asked: tuple[Asked, ...]
    worked: tuple[Asked, ...]
    given: tuple[GivenOnSheet, ...]
    parameters: frozenset[tuple[str, str]]
    done: Pass
    row: int = 0

    @cached_property
    def _paper(self) -> Calculation:
        return Calculation(self.done, Own(), self.decimals, reading=Pocket(self.decimals))

    def known(self, key: str, t: int) -> dict[str, Array]:
        """All that a block's lines read and give at a step, each result rounded as it is written down."""
        shapes = self.done.by_key[key].program.shapes
        known = self._paper.step("forward", key, t).known
        found = {name: value[0] for name, value in known.items() if isinstance(value, tuple)}
        return {
            name: value[self.row] if value.ndim > len(shapes[name]) else value
            for name, value in found.items()
        }

    def value(self, one: Asked) -> Array:
        """The numbers of a row of the key."""
        return self.known(one.key, one.t)[one.name]

    def _fed(self, sequence: str) -> Array:
        """What is fed along a sequence, looked up where it is indices, (T, B, n)."""
        values = self.done.batch.sequences[sequence].values
        if values is not None:
            return values
        tables = (block for block in self.done.blocks if block.kind == "lookup")
        return self.done.whole(next(block.key for block in tables if block.sequence == sequence))

    def number(self, one: GivenOnSheet) -> Array:
        """The numbers of what is given."""
        match one.kind:
            case "x" if one.key:
                return np.asarray(self._fed(one.key)[one.t][self.row], np.float64)
            case "x":
                reader = self.done.by_key[first_reader(self.done)]
                is_read = one.name in reader.program.inputs  # of a window each step has another name
                read = self.done.entering(reader.key, one.name) if is_read else self._fed(INPUT)
                return np.asarray(read[one.t][self.row], np.float64)
            case "mask":
                return np.asarray(self.done.entering(one.key, one.name)[one.t][self.row], np.float64)
            case "first":
                return self.known(one.key, one.t)[self.done.by_key[one.key].program.before(one.name)]
        return self.known(one.key, one.t)[one.name]


def worksheet(
    scenario: Scenario, steps: Sequence[int], names: Sequence[str], decimals: int, row: int = 0
) -> Worksheet:
    """Choose values of steps, and round all that is printed.

    Args:
        scenario: complete.
        steps: which, from 0; none for all.
        names: of lines; none for every line of the recurrent blocks, and the logits.
        decimals: of weights, inputs and results.
        row: which sequence of the first batch.

    Raises:
        UsageError: there is no such step or value, or it would be too much for a sheet.
    """
    check_size(scenario, steps, names, row)
    for layer in scenario.layers:
        if layer.reads_batch:
            text = Text(
                "a sheet is about one row, and {layer} takes mean and variance of all rows: in evaluation mode it can be worked out",
                layer=layer.name,
            )
            raise UsageError(text)
    shown = rounded_scenario(scenario, decimals)
    learning = Learning(shown)
    shown, done = learning.scenario, learning.epoch(0).forward(0)
    wanted = _wanted(done.batch, steps, row)
    asked = tuple(_asked(shown, done.blocks, wanted, names, row))
    needs = Needs(done, wanted, row)
    needs.walk(SheetPlace(one.key, one.t, one.name) for one in asked)
    worked = _asked(shown, done.blocks, wanted, (), row, needs.lines)
    return Worksheet(
        shown,
        decimals,
        wanted,
        asked,
        tuple(one for one in worked if SheetPlace(one.key, one.t, one.name) in needs.lines),
        tuple(needs.given),
        frozenset(needs.parameters),
        done,
        row,
    )


def check_size(scenario: Scenario, steps: Sequence[int], names: Sequence[str], row: int = 0) -> None:
    """Refuse what is not there, or too much for a sheet, before anything is computed.

    Raises:
        UsageError: as `worksheet`.
    """
    batch = scenario.batches[0]
    wanted = _wanted(batch, steps, row)
    numbers = sum(one.size for one in _asked(scenario, build(scenario), wanted, names, row))
    table = None if scenario.lookup is None else scenario.lookup.table
    numbers += sum(value.size for name, value in scenario.parameters.items() if name != table)
    numbers += len(wanted) * sum(one.input_size for one in scenario.recurrents[:1])
    if numbers > MOST_NUMBERS:
        raise UsageError(
            Text(
                "{count} numbers are too many for a sheet of paper: {most} at most",
                count=numbers,
                most=MOST_NUMBERS,
            )
        )


def _wanted(batch: Batch, steps: Sequence[int], row: int) -> tuple[int, ...]:
    last = max(one.axis.last_step(row) for one in batch.sequences.values())
    for t in steps:
        if not 0 <= t <= last:
            raise UsageError(Text("there is no step {step}: there are {last}", step=t + 1, last=last + 1))
    return tuple(sorted(set(steps))) or tuple(range(last + 1))


# ── what is asked for ────────────────────────────────────────────────────────────────


def _asked(
    scenario: Scenario,
    blocks: Sequence[Block],
    steps: Sequence[int],
    names: Sequence[str],
    row: int,
    needed: Collection[SheetPlace] = (),
) -> Iterator[Asked]:
    """The values in the order in which the scenario's calculation comes to them; those that are needed of the padding, too."""
    blocks = [block for block in blocks if block.kind in ("recurrent", "map")]
    _check_names(names, blocks)
    axes = {block.key: scenario.batches[0].axis(block.sequence) for block in blocks}
    behind = sorted({(one.t, one.key) for one in needed if one.t >= axes[one.key].length(row)})
    places = []
    for block in blocks:
        order, last = axes[block.key].order(block.direction, row), axes[block.key].last_step(row)
        places += [(t, block) for t in order if t in steps and (not block.extent.is_single or t == last)]
        places += [(t, block) for t, key in behind if key == block.key]
    if scenario.display.order == "time" and not any(one.bidirectional for one in scenario.recurrents):
        sequences = list(dict.fromkeys(block.sequence for block in blocks))
        places.sort(key=lambda place: (sequences.index(place[1].sequence), place[0]))
    found = [
        Asked(
            block.key,
            block.layer,
            block.direction,
            t,
            line.name,
            int(block.program.shapes[line.name][0]),
            block.module if len(scenario.recurrents) > 1 else None,
        )
        for t, block in places
        for line in block.program.lines
        if not names or line.name in names
    ]
    if not found:  # the logits of a final state, in another step
        last = next(axes[block.key].last_step(row) for block in blocks if block.extent.is_single)
        raise UsageError(
            Text("`{name}` is a value of step {step} alone", name=", ".join(names), step=last + 1)
        )
    yield from found


def _check_names(names: Sequence[str], blocks: Sequence[Block]) -> None:
    known = dict.fromkeys(name for block in blocks for name in block.program.names)
    for name in names:
        if name in known:
            continue
        guess = closest(name, known)
        if guess is not None:
            raise UsageError(
                Text("there is no value `{name}`; did you mean `{guess}`?", name=name, guess=guess)
            )
        words = ", ".join(known)
        raise UsageError(Text("there is no value `{name}`; known are {known}", name=name, known=words))


# ── numbers as they are printed ──────────────────────────────────────────────────────


def rounded_scenario(scenario: Scenario, decimals: int) -> Scenario:
    """The scenario with weights, inputs and first states of so many decimals, in float64: what is printed is all of it."""

    def rounded(value: Floats) -> Floats:
        return np.round(value.astype(np.float64), decimals) + 0.0

    batches = tuple(_rounded_batch(batch, rounded) for batch in scenario.batches)
    states = {name: rounded(value) for name, value in scenario.initial_state.items()}
    parameters = {name: rounded(value) for name, value in scenario.parameters.items()}
    return replace(
        scenario,
        batches=batches,
        initial_state=MappingProxyType(states),
        parameters=MappingProxyType(parameters),
        display=replace(scenario.display, decimals=decimals, dtype="float64"),
    )


def _rounded_batch(batch: Batch, rounded: Callable[[Floats], Floats]) -> Batch:
    if batch.values is not None:
        batch = replace(batch, values=rounded(batch.values))
    beside = {
        name: fed if fed.values is None else replace(fed, values=rounded(fed.values))
        for name, fed in batch.beside.items()
    }
    batch = replace(batch, beside=MappingProxyType(beside))
    if batch.initial_state is not None:
        states = {name: rounded(value) for name, value in batch.initial_state.items()}
        batch = replace(batch, initial_state=MappingProxyType(states))
    return batch
