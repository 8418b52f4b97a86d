"""What each module costs: its parameters, and the multiplications of one pass forward, counted from its equations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.engine.passes import Pass
from rnnstep.equations.evaluate import Values
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.time import TimeAxis
from rnnstep.scenario.model import Scenario

_VECTOR = {"mul": 1, "div": 1, "softmax": 1, "live_softmax": 1, "standardized": 1, "norm": 1, "dropped": 1}
"""How many multiplications or divisions each element of an operation's result takes."""
_NORMALIZED = {"normalized": 2, "layer_norm": 3}  # each element; beside mean and variance, a division each


@dataclass(frozen=True, slots=True)
class Cost:
    """What one module costs.

    Attributes:
        name: the module's.
        parameters: how many numbers it has of its own; those that it shares with another module are counted there.
        learnt: how many of them have a gradient.
        tied: names of parameters that are other modules' → those.
        parts: multiplications at one step of one row, and at how many steps of rows, all rows together; a division counts as
            one, a function as none. Several where some of the module is computed more often than the rest.
    """

    name: str
    parameters: int
    learnt: int
    tied: Mapping[str, str]
    parts: tuple[tuple[int, int], ...]

    @property
    def total(self) -> int:
        """Multiplications of one pass forward."""
        return sum(each * times for each, times in self.parts)


def costs(scenario: Scenario, done: Pass) -> list[Cost]:
    """Give what each module costs over one batch, in the file's order."""
    found = []
    for module in scenario.layers:
        blocks = [block for block in done.blocks if block.module == module.key and not _is_of_loss(block)]
        counted: Counter[int] = Counter()
        for block in blocks:
            counted[_times(block, done.axis(block.key))] += multiplications(block)
        sizes = {one.name: math.prod(one.shape) for one in module.own_parameters}
        learnt = sum(sizes[one.name] for one in module.own_parameters if one.is_learnt)
        found.append(
            Cost(
                module.name,
                sum(sizes.values()),
                learnt,
                dict(module.tied),
                tuple((each, times) for times, each in counted.items() if each),
            )
        )
    return found


def _is_of_loss(block: Block) -> bool:
    return block.kind in ("loss", "total")


def _times(block: Block, axis: TimeAxis) -> int:
    """At how many steps of rows a block computes, in one pass."""
    if block.reads_all_rows:  # the same in each
        return 1
    match block.extent:
        case Extent.ONCE:
            return 1
        case Extent.FINAL:
            return axis.num_rows
        case Extent.EVERY:
            return axis.num_steps * axis.num_rows
    return sum(axis.length(row) for row in range(axis.num_rows))


def multiplications(block: Block) -> int:
    """Count what one step of one row of a block multiplies and divides: W @ x with W (m, n) has m·n."""
    program = block.program
    names = (*program.inputs, *program.befores, *program.parameters, *program.banks)
    counting = _Counting({name: _zeros(block, name) for name in names})
    for line in program.lines:
        counting.worked_out(line)
    return counting.count


def _zeros(block: Block, name: str) -> Array:
    if block.kind == "lookup" and name in block.program.inputs:  # which row is looked up
        return np.zeros((), np.intp)
    return np.zeros(tuple(int(size) for size in block.program.shapes[name]))


class _Counting:
    """Works a block's lines out with zeros, and counts what is multiplied; what stands twice is multiplied once."""

    def __init__(self, known: dict[str, Array]) -> None:
        self._known = known
        self._found: dict[Expression, Array] = {}
        self._values = Values()
        self.count = 0

    def worked_out(self, line: Line) -> None:
        """Work out a line, which those behind it may read."""
        self._known[line.name] = self._value(line.expression)

    def _value(self, expression: Expression) -> Array:
        if expression not in self._found:
            self._found[expression] = self._worked_out(expression)
        return self._found[expression]

    def _worked_out(self, expression: Expression) -> Array:
        match expression:
            case Apply(op=op, args=args):
                given = tuple(map(self._value, args))
                found = self._values.apply(op, given)
                self.count += _count(op, given, found)
                return found
            case Name(id=name):
                return self._known[name]
            case Pick(base=base, index=index):
                return self._values.pick(self._value(base), index)
            case Number(value=value):
                return self._values.number(value)


def _count(op: str, args: tuple[Array, ...], found: Array) -> int:
    size = int(np.size(found))
    match op:
        case "matmul" | "on_each":  # a matrix and vectors
            return int(np.size(args[0])) * (int(np.size(args[1])) // max(1, int(np.shape(args[1])[-1])))
        case "scored":
            return int(np.size(args[0]))
        case "mixed":
            return int(np.size(args[1]))
        case "mean":
            return size
    return _VECTOR.get(op, 0) * size + (_NORMALIZED[op] * size + 2 if op in _NORMALIZED else 0)
