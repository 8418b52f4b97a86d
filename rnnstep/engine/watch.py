"""Watches: expressions over the values of a step, in the language of equations.

    max(abs(h)) > 0.95        t == 3 and i[0] < 0.1        norm(h - h_prev)

A watch may read every value of the step, the parameters under the equations' names, `t` and
`layer` (both from 0).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Self

import numpy as np

from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.program import Shape, infer, written
from rnnstep.equations.syntax import Apply, Expression, Number, Pick, names_in, numbers_in, parse_expression
from rnnstep.errors import EquationError
from rnnstep.language import Text
from rnnstep.network.blocks import Block

_QUESTIONS = frozenset(
    {"lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not", "isnan", "isinf", "isfinite"} | {"any", "all"}
)
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

    def as_condition(self, blocks: Iterable[Block]) -> Self:
        """Give the same as what is to be true or false at a step.

        Raises:
            EquationError: it is a vector of numbers, which is neither.
        """
        shapes = [_shapes(block) for block in blocks if block.key in self.blocks]
        is_vector = any(len(infer(self.expression, one)) == 1 for one in shapes)
        if is_vector and not self.is_question and not _is_number(self.expression):
            raise EquationError(
                Text(
                    "`{text}` is a vector of numbers, neither true nor false: write what is asked of it, as in"
                    " max(abs({text})) > 0.9, any({text} > 0) or isnan({text})",
                    text=self.text[:40],
                )
            )
        return self

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
            # A user-defined cell may call a value `t`: its own names go first.
            if name in block.parameters:
                known[name] = block.parameters[name]
            else:
                known[name] = values[name] if name in block.program.shapes else counters[name]
        return np.asarray(evaluate(self.expression, known, Values()))

    def holds(self, block: Block, values: Mapping[str, Array], t: int) -> bool:
        """Whether it is true for any element of any row; a number is true unless it is zero."""
        return holds(self.value(block, values, t))


def holds(value: Array | None) -> bool:
    """Whether a value of a watch is true: any element is not zero."""
    return value is not None and bool(np.any(value))


def _is_number(expression: Expression) -> bool:
    """Whether a vector has one element whatever it is made of."""
    match expression:
        case Pick():
            return True
        case Apply(op=op, args=args):
            row = OPERATIONS[op]
            if row.kind == "reduction":
                return op not in ("softmax", "log_softmax")
            return row.kind == "elementwise" and all(map(_is_number, args))
    return isinstance(expression, Number)


def _shapes(block: Block) -> dict[str, Shape]:
    """Give the shape of everything that may be read in a block."""
    return {**dict.fromkeys(COUNTERS, ()), **block.program.shapes}


def _check(expression: Expression, shapes: Mapping[str, Shape]) -> None:
    word = next((one.text for one in numbers_in(expression) if math.isnan(one.value)), None)
    if word is not None:
        raise EquationError(Text("`{word}` has no number here: write it, as in h[0:2]", word=word))
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
