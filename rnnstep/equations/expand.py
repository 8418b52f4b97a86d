"""One element with its numbers put in: `hh[0] = 0.31·0.42 − 0.07·0.88 + 0.12 = 0.1886`.

`expand` works on one line of a program, one element of it and one row of the batch. What it
gives can be written as a whole (`tokens`) or walked term by term (`terms`).

A *term* is one product of a matrix product, one element of a `sum` or `mean`, or any other
addend of the line's outermost sum; the sum inside a function that makes the whole line, or a
whole addend, counts as outermost (`h = tanh(W @ x + b)` has a term for each product and one
for b). Everything else is one term: `z[0]·h_prev[0]`, `r[0]·(…)`, `max(h[0], h[1])`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.operations import Array
from rnnstep.equations.pieces import Factor, Index, Piece, Token, tokens
from rnnstep.equations.program import Shape, infer
from rnnstep.equations.syntax import Apply, Expression, Line, Pick, names_in
from rnnstep.equations.working import NOTHING, Term, Work, is_passed_through, is_sum, length, num_rows
from rnnstep.equations.write import is_number

__all__ = ["Expansion", "Factor", "Term", "Token", "expand", "number_of_terms", "provenance"]


@dataclass(frozen=True, eq=False)
class Expansion:
    """An element of a line, worked out.

    Attributes:
        name: the line's name.
        index: `(i,)` of a vector, `(i, j)` of a matrix, `()` of a number.
        terms: the terms that are written, in order.
        zero_terms: how many terms were left out because a factor of their product is zero.
        cut_terms: how many terms were left out because they were not asked for.
        value: the element's value, the trace's own where the row holds it.
    """

    name: str
    index: Index
    terms: tuple[Term, ...]
    zero_terms: int
    cut_terms: int
    value: float
    piece: Piece

    @cached_property
    def tokens(self) -> tuple[Token, ...]:
        """The right side with numbers: `0.31·0.42 − 0.07·0.88 + 0.25·(−0.11)`."""
        return tokens(self.piece)

    @cached_property
    def symbols(self) -> tuple[Token, ...]:
        """The right side with names (each token's `text`): `W_hh[0,0]·h_prev[0] + W_hh[0,1]·h_prev[1]`."""
        return tokens(self.piece, is_symbolic=True)


def expand(
    line: Line,
    element: int | Index,
    row: Mapping[str, Array],
    *,
    skip_zeros: bool = False,
    only: Container[int] | None = None,
) -> Expansion:
    """Put numbers into one element of a line.

    Args:
        line: the line; a watch is `Line("watch", expression)`.
        element: its index, from 0.
        row: what the names stand for in one row of the batch: vectors (n,), parameters (n,) or
            (m, n); the line's own value too where it is known.
        skip_zeros: leave out products of the outermost sum that are zero, as one-hot inputs give
            many; `zero_terms` tells how many.
        only: the numbers of the terms to write, for a sum that is longer than its place; 1000
            terms take several milliseconds, a few of 1000 much less.

    Raises:
        IndexError: an element outside the line's value.
        KeyError: a name that the row does not hold.
    """
    arrays = {name: np.asarray(row[name]) for name in names_in(line.expression)}
    value = np.asarray(row[line.name] if line.name in row else evaluate(line.expression, arrays, Values()))
    index = (element if isinstance(element, tuple) else (int(element),))[: value.ndim]
    if len(index) < value.ndim or not all(0 <= k < size for k, size in zip(index, value.shape, strict=True)):
        raise IndexError(element)
    work = Work(arrays, skip_zeros=skip_zeros, only=only)
    piece = work.outermost(line.expression, index, 1)
    return Expansion(
        line.name,
        index,
        tuple(work.terms),
        work.zero_terms,
        work.cut_terms,
        float(value[index]),
        NOTHING if piece is None else piece,
    )


def number_of_terms(line: Line, shapes: Mapping[str, Shape]) -> int:
    """Count the terms that any element of a line has, from the shapes of a sized program alone."""
    return _count(line.expression, shapes)


def provenance(line: Line) -> tuple[str, ...]:
    """Give the names that a line reads, each once, in the order of the equation.

    Which *element* of a name a number came from is in its `Factor`.
    """
    return tuple(dict.fromkeys(names_in(line.expression)))


def _count(expression: Expression, shapes: Mapping[str, Shape]) -> int:
    match expression:
        case Apply(op="add" | "sub", args=(left, right)):
            return _count(left, shapes) + _count(right, shapes)
        case Apply(op="matmul" | "scored" | "on_each", args=(_, vector)):
            return int(infer(vector, shapes)[-1])
        case Apply(op="mixed" | "over_each", args=(several, *_)):
            return length(several, shapes)
        case Apply(op="sum" | "mean", args=(vector,)):
            return length(vector, shapes)
        case Apply(op="mul", args=(scale, inner)) if is_number(scale) and is_sum(inner):
            return _count(inner, shapes)
        case Apply(op="div", args=(inner, scale)) if is_number(scale) and is_sum(inner):
            return _count(inner, shapes)
        case Apply(op="pullback", args=args):
            return sum(int(infer(vector, shapes)[-1]) for vector in args[1::2])
        case Apply(op="outer" | "rows" | "scatter", args=(g, *_)):
            return num_rows(g, shapes)
        case Apply(op="spread", args=(inner, _)):
            return _count(inner, shapes)
        case Apply(op=op, args=(argument,)) if is_passed_through(op):
            return _count(argument, shapes)
        case Pick(base=base):
            return _count(base, shapes)
    return 1
