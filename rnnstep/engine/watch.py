"""Watches: expressions over the values of a step, in the language of equations.

    max(abs(h)) > 0.95        t == 3 and i[0] < 0.1        norm(h - h_prev)

A watch may read every value of the step, the parameters under the equations' names, `t` and
`layer` (both from 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from rnnstep.engine.blocks import Block
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Shape, infer, written
from rnnstep.equations.syntax import Apply, Expression, names_in, parse_expression
from rnnstep.errors import EquationError
from rnnstep.language import Text

_QUESTIONS = frozenset({"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "isnan"})
COUNTERS = ("t", "layer")


@dataclass(frozen=True, slots=True)
class Watch:
    """An expression that was checked against the blocks it is to be read in."""

    text: str
    expression: Expression
    blocks: frozenset[str]  # keys of those that it fits: `x[7]` may fit one layer and not the next

    @classmethod
    def parse(cls, text: str, blocks: Iterable[Block]) -> Watch:
        """Read an expression for recurrent blocks.

        Raises:
            EquationError: It cannot be read, names what is not there, or fits none of the blocks.
        """
        expression = parse_expression(text)
        fitting = set()
        refused: EquationError | None = None
        for block in blocks:
            try:
                _check(expression, _shapes(block))
                fitting.add(block.key)
            except EquationError as error:
                refused = refused or error
        if not fitting and refused is not None:
            raise refused
        return cls(text.strip(), expression, frozenset(fitting))

    def read_again(self, blocks: Iterable[Block]) -> Watch | None:
        """Give the same watch for the blocks of another run; None where it fits none of them."""
        try:
            return Watch.parse(self.text, blocks)
        except EquationError:
            return None

    @property
    def is_question(self) -> bool:
        """Whether its value is true or false rather than a number."""
        return isinstance(self.expression, Apply) and self.expression.op in _QUESTIONS

    def value(self, block: Block, values: Mapping[str, Array], t: int) -> Array | None:
        """Give its value in a block at step `t`, (live rows, n) or (1,) or (); None where it does not fit."""
        return None if block.key not in self.blocks else self._value(block, values, np.asarray(float(t)))

    def over_steps(self, block: Block, values: Mapping[str, Array], steps: int) -> Array:
        """Give its value at every step of a block that it fits, (T, n), from the values of one row, each (T, n)."""
        found = self._value(block, values, np.arange(float(steps))[:, None])
        return np.broadcast_to(found, (steps, found.shape[-1] if found.ndim else 1))

    @property
    def names_read(self) -> tuple[str, ...]:
        """The names that it reads, each once."""
        return tuple(dict.fromkeys(names_in(self.expression)))

    def _value(self, block: Block, values: Mapping[str, Array], t: Array) -> Array:
        counters = {"t": t, "layer": np.asarray(float(block.layer))}
        known: dict[str, Array] = {}
        for name in self.names_read:
            # A cell of one's own may call a value `t`: its own names go first.
            if name in block.parameters:
                known[name] = block.parameters[name]
            else:
                known[name] = values[name] if name in block.program.shapes else counters[name]
        return np.asarray(evaluate(self.expression, known, Values()))

    def holds(self, block: Block, values: Mapping[str, Array], t: int) -> bool:
        """Whether it is true for any element of any row; a number is true unless it is zero."""
        value = self.value(block, values, t)
        return value is not None and bool(np.any(value))


def _shapes(block: Block) -> dict[str, Shape]:
    """Give the shape of everything that may be read in a block."""
    return {**dict.fromkeys(COUNTERS, ()), **block.program.shapes}


def _check(expression: Expression, shapes: Mapping[str, Shape]) -> None:
    for name in names_in(expression):
        if name in shapes:
            continue
        near = get_close_matches(name, list(shapes), 1)
        if near:
            raise EquationError(
                Text("unknown name `{name}`: did you mean `{near}`?", name=name, near=near[0])
            )
        raise EquationError(
            Text("unknown name `{name}`; there are {known}", name=name, known=", ".join(shapes))
        )
    shape = infer(expression, shapes)
    if len(shape) > 1:
        raise EquationError(
            Text("a watch gives a number or a vector; this gives a matrix, {shape}", shape=written(shape))
        )
