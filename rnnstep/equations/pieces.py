"""One element's arithmetic as a small tree of numbers, and that tree as a row of tokens.

The tree holds scalars only: what was a matrix product is a sum of products here. It keeps the
order and the brackets of the equation, so that reckoning it as it is written gives the element
again. A view writes the tokens one after the other and only decides how a number looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from rnnstep.equations.operations import OPERATIONS

Index = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Factor:
    """A number that was read: `h_prev[2]` with its value; `index` is `()`, `(i,)` or `(i, j)`.

    `name` is a name of the program, or, for a product inside a product (the `U·x` of
    `W @ (U @ x)`, which stands for its value), that product in brackets.
    """

    name: str
    index: Index
    value: float

    @property
    def symbol(self) -> str:
        """`W_hh[0,2]`, `h_prev[2]`; the name alone of a number without index."""
        return f"{self.name}[{','.join(map(str, self.index))}]" if self.index else self.name


class WrittenPiece(NamedTuple):
    """A number that the equation itself holds, and how it is written there."""

    text: str
    value: float


class Total(NamedTuple):
    """A sum of any length, from left to right."""

    parts: tuple[Piece, ...]


class Applied(NamedTuple):
    """An operation of the table on scalars."""

    op: str
    args: tuple[Piece, ...]


class MarkedTerm(NamedTuple):
    """The piece that is term `number` of the element."""

    number: int
    piece: Piece


Piece = Factor | WrittenPiece | Total | Applied | MarkedTerm


def total(pieces: Sequence[Piece]) -> Piece:
    """Add up pieces, one at least."""
    return Total(tuple(pieces)) if len(pieces) > 1 else pieces[0]


def joined(op: str, first: Piece | None, second: Piece | None) -> Piece | None:
    """Give `first ± second`, either of which may have been left out."""
    if second is None:
        return first
    if first is None:
        return second if op == "add" else Applied("neg", (second,))
    return Applied(op, (first, second))


def whole_number(value: int) -> WrittenPiece:
    """Give a whole number, as it is written."""
    return WrittenPiece(str(value), float(value))


Kind = Literal["value", "number", "operator", "function", "open", "close", "comma"]


class Token(NamedTuple):
    """The smallest part of a written element.

    A view writes `text`, except of a "value": there it writes the number `value` (its sign is
    taken off where an operator before it has it: `− 0.07·0.88`). Operators hold their own blanks.
    `term` is the number of the term it belongs to, the operator before a term included, or None.
    """

    kind: Kind
    text: str
    term: int | None = None
    value: float = 0.0
    factor: Factor | None = None


_OPERATORS = {"add": " + ", "sub": " − ", "mul": "·", "div": "/", "neg": "−", "not": "not "}
_OF_NUMBERS = {
    "maximum": "max",
    "minimum": "min",
    "largest": "max",
}  # of numbers there is no element by element
_SUM = OPERATIONS["add"].precedence
_PRODUCT = OPERATIONS["mul"].precedence
_COMPARISON = OPERATIONS["lt"].precedence

# What may stand before a negative number: nothing, an operator (so it takes brackets), or its own sign.
Lead = Literal["free", "after", "signed"]


def factors(piece: Piece) -> Iterator[Factor]:
    """Give the numbers that were read, from left to right."""
    match piece:
        case Factor():
            yield piece
        case MarkedTerm(piece=inner):
            yield from factors(inner)
        case Total(parts=parts) | Applied(args=parts):
            for part in parts:
                yield from factors(part)


def reckon(piece: Piece) -> float:
    """Reckon a piece with the numbers it holds, in float64, in the order in which it is written."""
    match piece:
        case Factor(value=value) | WrittenPiece(value=value):
            return value
        case MarkedTerm(piece=inner):
            return reckon(inner)
        case Total(parts=parts):
            return sum(map(reckon, parts))
        case Applied(op=op, args=args):
            values = np.array([reckon(argument) for argument in args])
            row = OPERATIONS[op]
            with np.errstate(all="ignore"):
                return float(np.sum(row.forward(values) if row.kind == "reduction" else row.forward(*values)))


def tokens(piece: Piece, *, is_symbolic: bool = False) -> tuple[Token, ...]:
    """Write a tree as tokens; `is_symbolic` keeps signs apart from values, as names need it."""
    row = _Row(is_symbolic=is_symbolic)
    row.write(piece)
    return tuple(row.tokens)


class _Row:
    """Tokens, written from left to right."""

    def __init__(self, *, is_symbolic: bool) -> None:
        self._is_symbolic = is_symbolic
        self._term: int | None = None
        self.tokens: list[Token] = []

    def write(self, piece: Piece, needs: int = 0, lead: Lead = "free") -> None:
        """Write a piece, in brackets where its operation binds less than `needs`."""
        match piece:
            case Factor():
                self._factor(piece, lead)
            case WrittenPiece(text=text, value=value):
                self._add("number", text, value)
            case MarkedTerm(number=number, piece=inner):
                self._term = number
                self.write(inner, needs, lead)
                self._term = None
            case Total(parts=parts):
                if needs > _SUM:
                    self._bracketed(piece)
                else:
                    self.write(parts[0], _SUM, lead)
                    for part in parts[1:]:
                        self._plus(part)
            case Applied(op=op, args=args):
                self._operation(piece, op, args, needs, lead)

    def _operation(self, piece: Piece, op: str, args: tuple[Piece, ...], needs: int, lead: Lead) -> None:
        precedence = OPERATIONS[op].precedence
        if not OPERATIONS[op].symbol:
            self._call(op, args)
        elif precedence < needs or (op == "neg" and lead == "after"):
            self._bracketed(piece)
        elif len(args) == 1:
            self._add("operator", _OPERATORS[op])
            self.write(args[0], precedence, "after")
        elif op == "add":
            self.write(args[0], _SUM, lead)
            self._plus(args[1])
        elif op in _OPERATORS:
            self.write(args[0], precedence, lead)
            self._join(_OPERATORS[op], args[1])
            self.write(args[1], precedence + 1, "after")
        else:  # comparisons, which do not chain, and logic
            self.write(args[0], precedence + (precedence == _COMPARISON))
            self._add("operator", f" {OPERATIONS[op].symbol} ")
            self.write(args[1], precedence + 1)

    def _plus(self, part: Piece) -> None:
        """Write `+ part`, or `− part` where the part starts with a negative number."""
        is_negative = not self._is_symbolic and _starts_negative(part)
        self._join(_OPERATORS["sub" if is_negative else "add"], part)
        self.write(part, _SUM + 1, "signed" if is_negative else "after")

    def _join(self, operator: str, following: Piece) -> None:
        term = following.number if isinstance(following, MarkedTerm) else self._term
        self.tokens.append(Token("operator", operator, term))

    def _factor(self, factor: Factor, lead: Lead) -> None:
        is_negative = factor.value < 0 and not self._is_symbolic
        if is_negative and lead == "after":
            self._add("open", "(")
        value = -factor.value if is_negative and lead == "signed" else factor.value
        self.tokens.append(Token("value", factor.symbol, self._term, value, factor))
        if is_negative and lead == "after":
            self._add("close", ")")

    def _call(self, op: str, args: tuple[Piece, ...]) -> None:
        self._add("function", _OF_NUMBERS.get(op, op))
        self._add("open", "(")
        for position, argument in enumerate(args):
            if position:
                self._add("comma", ", ")
            self.write(argument)
        self._add("close", ")")

    def _bracketed(self, piece: Piece) -> None:
        self._add("open", "(")
        self.write(piece)
        self._add("close", ")")

    def _add(self, kind: Kind, text: str, value: float = 0.0) -> None:
        self.tokens.append(Token(kind, text, self._term, value))


def _starts_negative(piece: Piece) -> bool:
    match piece:
        case Factor(value=value):
            return value < 0
        case MarkedTerm(piece=inner):
            return _starts_negative(inner)
        case Applied(op="mul" | "div", args=(first, _)):
            return _starts_negative(first)
    return False
