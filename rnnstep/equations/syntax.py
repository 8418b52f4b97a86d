"""Equations as trees: read with Python's own `ast`, a whitelist of nodes, never evaluated.

    h = tanh(W_ih @ x + b)      →   "h", Apply("tanh", (Apply("add", (Apply("matmul", …), Name("b"))),))

What may stand in an equation: numbers, names, `+ - * / @`, comparisons, `and or not`,
`[i]`, `[i:j]` and the functions of the table of operations. Length and depth are limited before
Python's parser sees the text, so that no text can make it deep or slow.
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from rnnstep.equations.operations import OPERATIONS, function_names
from rnnstep.errors import EquationError
from rnnstep.language import Text
from rnnstep.language.printable import printable

SIZES = ("input_size", "hidden_size", "proj_size")  # words of a shape
MOST_ELEMENTS = 1 << 24  # of a vector: float32 counts no further
MAX_LENGTH = 2_000  # characters of one equation
MAX_LINES = 200  # equations of one cell
MAX_BRACKETS = 32  # brackets inside one another
MAX_OPERATORS = 100  # of one equation: a chain a + b + … is as deep as it is long


@dataclass(frozen=True, slots=True)
class Number:
    """A number, and how it was written."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name: an input, a state before (`h_prev`), a parameter, or an earlier line."""

    id: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation of the table on its arguments."""

    op: str
    args: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """One element, `i[0]`."""

    base: Expression
    index: int


Expression = Number | Name | Apply | Pick


@dataclass(frozen=True, slots=True)
class Line:
    """One equation: `name = expression`; `row` is its line in the text, from 0."""

    name: str
    expression: Expression
    row: int = 0


def number(value: float) -> Expression:
    """Give a number as an equation has it, in as few digits as read back the same: `0.5`, `-2`."""
    if value < 0:
        return Apply("neg", (number(-value),))
    return Number(value, repr(value).removesuffix(".0"))


def parse_lines(text: str) -> tuple[Line, ...]:
    """Read equations, one a line; blank lines and `#` comments are passed over.

    Raises:
        EquationError: with the line and column, at the first thing that cannot be read.
    """
    rows = text.splitlines()
    if len(rows) > MAX_LINES:
        raise EquationError(Text("at most {most} equations, found {found}", most=MAX_LINES, found=len(rows)))
    lines: list[Line] = []
    for row, raw in enumerate(rows):
        source = raw.split("#", 1)[0].rstrip()
        if not source.strip():
            continue
        left, equals, right = source.partition("=")
        name = unicodedata.normalize("NFKC", left.strip())  # as Python's parser does on the right side
        if not equals or right.startswith("=") or not name.isidentifier():
            raise EquationError(Text("an equation is written NAME = EXPRESSION"), row)
        start = len(left) + 1
        lines.append(Line(name, _parse(right, row, start), row))
    return tuple(lines)


def parse_expression(text: str) -> Expression:
    """Read one expression, as watches and breakpoints are.

    Raises:
        EquationError: with the column, at the first thing that cannot be read.
    """
    return _parse(text, 0, 0)


def names_in(expression: Expression) -> Iterator[str]:
    """Give the names an expression reads, from left to right, repeated as written."""
    if isinstance(expression, Name):
        yield expression.id
    elif isinstance(expression, Apply):
        for argument in expression.args:
            yield from names_in(argument)
    elif isinstance(expression, Pick):
        yield from names_in(expression.base)


def numbers_in(expression: Expression) -> Iterator[Number]:
    """Give the numbers that an expression holds, from left to right."""
    match expression:
        case Number():
            yield expression
        case Apply(args=args):
            for argument in args:
                yield from numbers_in(argument)
        case Pick(base=base):
            yield from numbers_in(base)
        case Name():
            return


def rebuilt(expression: Expression, other: Callable[[Expression], Expression | None]) -> Expression:
    """Give the same with parts replaced, from the outside in: those for which `other` gives another."""
    found = other(expression)
    if found is not None:
        return found
    match expression:
        case Apply(op=op, args=args):
            return Apply(op, tuple(rebuilt(argument, other) for argument in args))
        case Pick(base=base, index=index):
            return Pick(rebuilt(base, other), index)
    return expression


def _parse(text: str, row: int, start: int) -> Expression:
    _check_limits(text, row)
    stripped = text.replace("\n", " ").replace("\r", " ").lstrip()
    start += len(text) - len(stripped)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of, as `1and 2`, is refused
            tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        offset = 1 if error.offset is None else error.offset or len(stripped) + 1  # 0: at the end
        column = start + offset - 1
        raise EquationError(
            Text("not an expression: {found}", found=repr(stripped[:60])), row, column
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise EquationError(
            Text("not an expression: {found}", found=repr(stripped[:60])), row, start
        ) from None
    return _Reader(stripped, row, start).read(tree)


def _check_limits(text: str, row: int) -> None:
    if len(text) > MAX_LENGTH:
        raise EquationError(
            Text("at most {most} characters in an equation, found {found}", most=MAX_LENGTH, found=len(text)),
            row,
        )
    depth = deepest = 0
    operators = len(_WORD_OPERATOR.findall(text))
    for character in text:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth -= 1
        operators += character in "+-*/@<>=!~["
    if deepest > MAX_BRACKETS:
        raise EquationError(Text("at most {most} brackets inside one another", most=MAX_BRACKETS), row)
    if operators > MAX_OPERATORS:
        raise EquationError(Text("at most {most} operators in an equation", most=MAX_OPERATORS), row)


def _other_number(function: str, arity: int, found: int) -> Text:
    if arity == 1:
        return Text("`{name}` takes one value, found {found}", name=function, found=found)
    return Text("`{name}` takes {arity} values, found {found}", name=function, arity=arity, found=found)


# A digit may stand before such a word, a letter may not.
_DECIMAL = frozenset("0123456789.eE+-")
_WORD_OPERATOR = re.compile(r"(?<![^\W\d])(?:and|or|not)(?!\w)")

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.MatMult: "matmul",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}


class _Reader:
    """Turns Python's tree into one of these nodes, refusing every node that is not on the list."""

    def __init__(self, source: str, row: int, start: int) -> None:
        self._source = source
        self._row = row
        self._start = start

    def read(self, node: ast.expr) -> Expression:
        match node:
            case ast.Constant():
                return self._number(node)
            case ast.Name(id=name):
                return Name(name)
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _BINARY:
                return Apply(_BINARY[type(operator)], (self.read(left), self.read(right)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Apply("neg", (self.read(operand),))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Apply("not", (self.read(operand),))
            case ast.BoolOp(op=operator, values=values):
                return self._chain("and" if isinstance(operator, ast.And) else "or", values)
            case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARE:
                return Apply(_COMPARE[type(operator)], (self.read(left), self.read(right)))
            case ast.Compare():
                raise self._error(node, Text("compare two values at a time: `a < b and b < c`"))
            case ast.Subscript():
                return self._subscript(node)
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self._call(node, function, arguments)
        raise self._error(node, Text("not allowed in an equation: {found}", found=self._segment(node)))

    def _subscript(self, node: ast.Subscript) -> Expression:
        """One element, or the elements from one place up to another."""
        match node.slice:
            case ast.Constant(value=int(index)) if not isinstance(index, bool):
                return Pick(self.read(node.value), index)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(index))) if not isinstance(
                index, bool
            ):
                return Pick(self.read(node.value), -index)
            case ast.Slice(lower=start, upper=stop, step=None):
                return Apply("part", (self.read(node.value), self._bound(start), self._bound(stop)))
        raise self._error(node, Text("not allowed in an equation: {found}", found=self._segment(node)))

    def _bound(self, node: ast.expr | None) -> Number:
        """Where a part begins or ends: a whole number, or a size in words, whose number is not known yet (NaN)."""
        match node:
            case None:
                return Number(0.0, "")
            case ast.Constant(value=int(index)) if not isinstance(index, bool) and index < MOST_ELEMENTS:
                return Number(float(index), str(index))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(index))) if (
                not isinstance(index, bool) and 0 < index < MOST_ELEMENTS
            ):
                return Number(-float(index), f"-{index}")
            case ast.Name(id=word) if word in SIZES:
                return Number(math.nan, word)
        raise self._error(
            node,
            Text(
                "a part is written a[2:4], with whole numbers or {words}; found {found}",
                words=", ".join(SIZES),
                found=self._segment(node),
            ),
        )

    def _number(self, node: ast.Constant) -> Number:
        value, text = node.value, ast.get_source_segment(self._source, node) or ""
        if isinstance(value, bool) or not isinstance(value, int | float) or not set(text) <= _DECIMAL:
            raise self._error(node, Text("not allowed in an equation: {found}", found=self._segment(node)))
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._error(node, Text("a number too large: {found}", found=self._segment(node)))
        return Number(number, text)

    def _chain(self, op: str, values: list[ast.expr]) -> Expression:
        chained = self.read(values[0])
        for value in values[1:]:
            chained = Apply(op, (chained, self.read(value)))
        return chained

    def _call(self, node: ast.Call, function: str, arguments: list[ast.expr]) -> Expression:
        if function not in function_names():
            near = get_close_matches(function, function_names(), 1)
            if near:
                message = Text(
                    "unknown function `{found}`: did you mean `{near}`?", found=function, near=near[0]
                )
            else:
                message = Text(
                    "unknown function `{found}`; there are {known}",
                    found=function[:40],
                    known=", ".join(function_names()),
                )
            raise self._error(node, message)
        arity = OPERATIONS[function].arity
        if len(arguments) != arity:
            raise self._error(
                node,
                _other_number(function, arity, len(arguments)),
            )
        return Apply(function, tuple(self.read(argument) for argument in arguments))

    def _segment(self, node: ast.expr) -> str:
        return printable((ast.get_source_segment(self._source, node) or "")[:60])

    def _error(self, node: ast.expr, message: Text) -> EquationError:
        # Python counts columns in UTF-8 bytes, people in characters.
        column = len(self._source.encode()[: node.col_offset].decode(errors="ignore"))
        return EquationError(message, self._row, self._start + column)
