"""A run as a tree of places: batch, step, block, operation, element, term.

    order "time":   batch ▸ step ▸ block ▸ operation ▸ element ▸ term
    order "layer":  batch ▸ block ▸ step ▸ operation ▸ element ▸ term

A place is a path of child numbers; a longer path lies deeper. `()` is *start*, before all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rnnstep.engine import Block, Pass, Trace
from rnnstep.engine.passes import run_steps
from rnnstep.equations.expand import number_of_terms
from rnnstep.equations.syntax import Line

Path = tuple[int, ...]

BY_TIME = ("batch", "step", "block", "operation", "element", "term")
BY_LAYER = ("batch", "block", "step", "operation", "element", "term")


@dataclass(frozen=True, slots=True)
class Spot:
    """What a path points at; what lies deeper than the path is None. `t` counts from 0."""

    batch: int
    key: str | None = None  # the block's
    t: int | None = None
    operation: str | None = None  # the line's name
    element: int | None = None
    term: int | None = None


class Tree:
    """The places of a trace, in the scenario's order of computation."""

    def __init__(self, trace: Trace) -> None:
        self._passes = trace.passes
        self._by_time = trace.scenario.display.order == "time"
        self.levels = BY_TIME if self._by_time else BY_LAYER

    @property
    def depth(self) -> int:
        """The length of the longest paths."""
        return len(self.levels)

    def level(self, name: str) -> int:
        """The length of a path to a place of that level."""
        return self.levels.index(name) + 1

    def count(self, path: Path) -> int:
        """How many children a place has."""
        match len(path):
            case 0:
                return len(self._passes)
            case 1:
                return len(self._times(path[0])) if self._by_time else len(self._blocks(path[0]))
            case 2 if self._by_time:
                return len(self._keys(path[0], path[1]))
            case 2:
                return len(self._steps(path[0])[self._blocks(path[0])[path[1]].key])
        block = self._block(path)
        if len(path) == 3:
            return len(block.program.lines)
        line = block.program.lines[path[3]]
        if len(path) == 4:
            return size_of(block, line.name)
        return number_of_terms(line, block.program.shapes) if len(path) == 5 else 0

    def locate(self, path: Path) -> Spot:
        """Give what a path, other than start, points at."""
        batch = path[0]
        key: str | None = None
        t: int | None = None
        if len(path) >= 2 and self._by_time:
            t = self._times(batch)[path[1]]
            key = self._keys(batch, path[1])[path[2]] if len(path) >= 3 else None
        elif len(path) >= 2:
            key = self._blocks(batch)[path[1]].key
            t = self._steps(batch)[key][path[2]] if len(path) >= 3 else None
        operation = self._block(path).program.lines[path[3]].name if len(path) >= 4 else None
        rest = (*path[4:], None, None)
        return Spot(batch, key, t, operation, rest[0], rest[1])

    def path_to(self, spot: Spot) -> Path | None:
        """Give the path to a spot, as deep as it says; None where there is no such place."""
        if not 0 <= spot.batch < len(self._passes):
            return None
        path = self._path_to_step(spot)
        if path is None or spot.operation is None:
            return path
        if spot.key is None or spot.t is None:
            return None
        block = self._block(path)
        names = block.program.names
        if spot.operation not in names:
            return None
        path = (*path, names.index(spot.operation))
        for number in (spot.element, spot.term):
            if number is None:
                break
            if not 0 <= number < self.count(path):
                return None
            path = (*path, number)
        return path

    def _path_to_step(self, spot: Spot) -> Path | None:
        times, keys = self._times(spot.batch), [block.key for block in self._blocks(spot.batch)]
        if spot.key is not None and spot.key not in keys:
            return None
        if not self._by_time:
            if spot.key is None:
                return (spot.batch,) if spot.t is None else None
            steps = self._steps(spot.batch)[spot.key]
            if spot.t is None:
                return (spot.batch, keys.index(spot.key))
            return (spot.batch, keys.index(spot.key), steps.index(spot.t)) if spot.t in steps else None
        if spot.t is None:
            return (spot.batch,) if spot.key is None else None
        if spot.t not in times:
            return None
        path = (spot.batch, times.index(spot.t))
        if spot.key is None:
            return path
        at_step = self._keys(*path)
        return (*path, at_step.index(spot.key)) if spot.key in at_step else None

    def keys(self, batch: int = 0) -> tuple[str, ...]:
        """The keys of a batch's blocks, in order; none for a batch that is not there."""
        return tuple(block.key for block in self._blocks(batch)) if 0 <= batch < len(self._passes) else ()

    def num_steps(self, batch: int = 0) -> int:
        """How many steps a batch has."""
        return len(self._times(batch))

    def block(self, spot: Spot) -> Block:
        """The block of a spot that names one."""
        assert spot.key is not None
        return self._passes[spot.batch].by_key[spot.key]

    def line(self, spot: Spot) -> Line:
        """The equation of a spot that names an operation."""
        assert spot.operation is not None
        return self.block(spot).program.by_name[spot.operation]

    def _block(self, path: Path) -> Block:
        if self._by_time:
            return self._passes[path[0]].by_key[self._keys(path[0], path[1])[path[2]]]
        return self._blocks(path[0])[path[1]]

    def _blocks(self, batch: int) -> tuple[Block, ...]:
        return self._passes[batch].blocks

    def _times(self, batch: int) -> range:
        return range(max(len(steps) for steps in self._steps(batch).values()))

    def _keys(self, batch: int, step: int) -> tuple[str, ...]:
        """The blocks that take part in a step, in order; a linear layer on h_n only in the last."""
        steps = self._steps(batch)
        return tuple(block.key for block in self._blocks(batch) if step in steps[block.key])

    def _steps(self, batch: int) -> dict[str, range]:
        return self._all_steps[batch]

    @cached_property
    def _all_steps(self) -> list[dict[str, range]]:
        return [self._steps_of(done) for done in self._passes]

    @staticmethod
    def _steps_of(done: Pass) -> dict[str, range]:
        """The steps of every block, in order of computation."""
        steps = {key: run_steps(run) for key, run in done.runs.items()}
        last = max(len(found) for found in steps.values())
        linear = done.scenario.linear
        for block in done.blocks:
            if block.kind == "linear" and linear is not None and linear.source == "h_n":
                steps[block.key] = range(last - 1, last)
            elif block.kind != "recurrent":
                steps[block.key] = range(last)
        return steps


def size_of(block: Block, name: str) -> int:
    """How many elements a value of a block has."""
    shape = block.program.shapes[name]
    return int(shape[0]) if shape else 1
