"""What may be done wrong in a calculation by hand: other lines in a block, or other wires between blocks.

A slip is a rewrite of the equations or of the run around them, so that it fits every cell in which its pattern stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from rnnstep.checking.rounding import Rounded
from rnnstep.checking.step import Fed
from rnnstep.engine.structure import Phase
from rnnstep.equations.intervals import Interval, point
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick, names_in
from rnnstep.network.blocks import Block

Lines = tuple[Line, ...]
Here = Callable[[Phase, str, int], bool]
Rewrite = Callable[[Phase, Block, Lines], Lines]

AT_EVERY_STEP = " at every step"
"""Behind a line's name: its value at all steps, (T, B, n), the own one first; a slip may read it."""


class Feeding(Protocol):
    """What a calculation feeds into its blocks where nothing is done wrong."""

    def order(self, block: Block) -> range:
        """The steps of a recurrent block in the order of computation."""

    def x(self, block: Block, t: int) -> Fed:
        """What enters a recurrent block at a step."""

    def query(self, block: Block, t: int) -> Fed:
        """What a block that looks at all steps of another asks with."""

    def before(self, block: Block, state: str, t: int) -> Fed:
        """A state before a step."""

    def initial(self, block: Block, state: str) -> Interval:
        """A state before the first step."""

    def output(self, t: int) -> Fed:
        """What the linear layer reads at a step."""

    def finals(self) -> Fed:
        """What a linear layer on h_n reads."""

    def final(self, key: str, state: str) -> Fed:
        """A state after the last step of each row, for what reads that."""

    def learnt_parameters(self, block: Block) -> Mapping[str, Interval]:
        """A block's parameters."""

    def sent(self, block: Block, t: int) -> Fed:
        """∂L/∂ of what a block gave at a step."""

    def later(self, block: Block, state: str, t: int) -> Fed:
        """What comes from the step after, in the backward pass."""

    def gradient(self, torch: str) -> Fed:
        """What the optimizer is given for a parameter."""


@dataclass(frozen=True, eq=False)
class Slip:
    """One way of doing it, right or wrong.

    Attributes:
        id: of the mistake; "" of what is right.
        rewrite: gives a block's lines as they are done; the same ones where the pattern is not there.
        wires: what is fed in instead, under the names of the methods below.
        walks_padding: whether a row goes on behind its end.
        here: at which blocks and steps it is done; None everywhere. All else is then right.
        reading: how numbers are written down; None as is right.
        begins: what the backward pass begins with in the place of ∂L/∂L = 1.
        learns: whether it is made in the backward pass or in the update, so that what follows an update comes of it, too.
        goes_back: whether it is followed from the forward pass into what the backward pass reads of that, which takes long.
        sequence: of what is fed along a sequence its name; it is tried for values along that one.
    """

    id: str = ""
    rewrite: Rewrite | None = None
    wires: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    walks_padding: bool = False
    here: Here | None = None
    reading: type[Rounded] | None = None
    begins: float = 1.0
    learns: bool = False
    goes_back: bool = False
    sequence: str | None = None
    _written: dict[tuple[Phase, str, int], tuple[object, Lines]] = field(default_factory=dict)

    def lines(self, phase: Phase, block: Block) -> Lines:
        """The lines of a block as they are done; written once for a program."""
        right = by_hand(block)
        if self.rewrite is None:
            return right
        key = (phase, block.key, id(block.program))
        if key not in self._written:
            self._written[key] = block.program, self.rewrite(phase, block, right)
        return self._written[key][1]

    def _wired(self, name: str, right: Callable[..., Any], *args: Any) -> Any:
        wire = self.wires.get(name)
        return right(*args[1:]) if wire is None else wire(*args)

    def order(self, paper: Feeding, block: Block) -> range:
        """The steps of a recurrent block in the order of computation."""
        return self._wired("order", paper.order, paper, block)  # type: ignore[no-any-return]

    def x(self, paper: Feeding, block: Block, t: int) -> Fed:
        """What enters a recurrent block at a step."""
        return self._wired("x", paper.x, paper, block, t)  # type: ignore[no-any-return]

    def query(self, paper: Feeding, block: Block, t: int) -> Fed:
        """What a block that looks at all steps of another asks with."""
        return self._wired("query", paper.query, paper, block, t)  # type: ignore[no-any-return]

    def before(self, paper: Feeding, block: Block, state: str, t: int) -> Fed:
        """A state before a step."""
        return self._wired("before", paper.before, paper, block, state, t)  # type: ignore[no-any-return]

    def initial(self, paper: Feeding, block: Block, state: str) -> Interval:
        """A state before the first step."""
        return self._wired("initial", paper.initial, paper, block, state)  # type: ignore[no-any-return]

    def output(self, paper: Feeding, t: int) -> Fed:
        """What the linear layer reads at a step."""
        return self._wired("output", paper.output, paper, t)  # type: ignore[no-any-return]

    def finals(self, paper: Feeding) -> Fed:
        """What a linear layer on h_n reads."""
        return self._wired("finals", paper.finals, paper)  # type: ignore[no-any-return]

    def final(self, paper: Feeding, key: str, state: str) -> Fed:
        """A state after the last step of each row, for what reads that."""
        return self._wired("final", paper.final, paper, key, state)  # type: ignore[no-any-return]

    def parameters(self, paper: Feeding, block: Block) -> Mapping[str, Interval]:
        """A block's parameters."""
        return self._wired("parameters", paper.learnt_parameters, paper, block)  # type: ignore[no-any-return]

    def sent(self, paper: Feeding, block: Block, t: int) -> Fed:
        """∂L/∂ of what a block gave at a step."""
        value, doubts = self._wired("sent", paper.sent, paper, block, t)
        if block.kind == "total" and self.begins != 1:
            value = point(np.full(1, self.begins))
        return value, doubts

    def later(self, paper: Feeding, block: Block, state: str, t: int) -> Fed:
        """What comes from the step after in the backward pass."""
        return self._wired("later", paper.later, paper, block, state, t)  # type: ignore[no-any-return]

    def gradient(self, paper: Feeding, torch: str) -> Fed:
        """What the optimizer is given for a parameter."""
        return self._wired("gradient", paper.gradient, paper, torch)  # type: ignore[no-any-return]


RIGHT = Slip()


def by_hand(block: Block) -> Lines:
    """A block's lines as people calculate: of the loss the logarithm of p, which the program takes without the detour."""
    if block.kind != "loss":
        return block.program.lines
    return tuple(
        Line(line.name, _BY_HAND.get(line.name, line.expression), line.row) for line in block.program.lines
    )


def _two_logarithms() -> Expression:
    """−(y·ln p + (1 − y)·ln(1 − p))."""
    one, y, p = Number(1.0, "1"), Name("target"), Name("p")
    hit = Apply("mul", (y, Apply("log", (p,))))
    miss = Apply("mul", (Apply("sub", (one, y)), Apply("log", (Apply("sub", (one, p)),))))
    return Apply("neg", (Apply("add", (hit, miss)),))


_BY_HAND: Mapping[str, Expression] = {"log_p": Apply("log", (Name("p"),)), "bce_each": _two_logarithms()}


def together(first: Slip, second: Slip) -> Slip:
    """Two slips at once."""

    def rewrite(phase: Phase, block: Block, lines: Lines) -> Lines:
        for slip in (first, second):
            if slip.rewrite is not None:
                lines = slip.rewrite(phase, block, lines)
        return lines

    return Slip(
        f"{first.id}+{second.id}",
        rewrite,
        {**first.wires, **second.wires},
        first.walks_padding or second.walks_padding,
        first.here,
        begins=first.begins * second.begins,
        learns=first.learns or second.learns,
        goes_back=first.goes_back or second.goes_back,
    )


def once(slip: Slip, step: int) -> Slip:
    """A slip of what is fed in, made at one step alone."""

    def x(paper: Feeding, block: Block, t: int) -> Fed:
        return (slip if t == step else RIGHT).x(paper, block, t)

    return Slip(slip.id, slip.rewrite, {**slip.wires, "x": x}, goes_back=slip.goes_back)


class WorkedLine(NamedTuple):
    """A line as it is worked out, with what would otherwise be looked for at every step."""

    line: Line
    names: tuple[str, ...]
    is_right: bool  # it is written so without the slip, too


def _work(line: Line, right: Mapping[str, WorkedLine]) -> WorkedLine:
    """A line of a slip beside those that are right, by name; of what is right beside none."""
    found = right.get(line.name)
    if found is not None and found.line == line:
        return found
    return WorkedLine(line, tuple(dict.fromkeys(names_in(line.expression))), is_right=not right)


class LinesByHand:
    """The lines of blocks as they are worked out with a slip; `right` are those without it, None if these are."""

    def __init__(self, slip: Slip, right: LinesByHand | None = None) -> None:
        self._slip = slip
        self._right = right
        self._lines: dict[str, tuple[WorkedLine, ...]] = {}
        self._divisors: dict[str, bool] = {}

    def of(self, phase: Phase, block: Block) -> tuple[WorkedLine, ...]:
        """The lines of a block as they are done, taken apart once for all of its steps."""
        if self._right is not None and self._slip.rewrite is None:
            return self._right.of(phase, block)
        name = f"{phase}:{block.key}"
        if name not in self._lines:
            right = (
                {} if self._right is None else {one.line.name: one for one in self._right.of(phase, block)}
            )
            self._lines[name] = tuple(_work(line, right) for line in self._slip.lines(phase, block))
        return self._lines[name]

    def divides(self, phase: Phase, block: Block) -> bool:
        """Whether a line of a block divides by a number, or takes its logarithm."""
        if self._right is not None:
            return self._right.divides(phase, block)
        name = f"{phase}:{block.key}"
        if name not in self._divisors:
            self._divisors[name] = any(_has_divisor(line.expression) for line in by_hand(block))
        return self._divisors[name]


_DIVIDING = frozenset({"div", "log", "layer_norm", "normalized", "normalized_back", "standardized"})


def _has_divisor(expression: Expression) -> bool:
    match expression:
        case Apply(op=op, args=args):
            return op in _DIVIDING or any(map(_has_divisor, args))
        case Pick(base=base):
            return _has_divisor(base)
    return False
