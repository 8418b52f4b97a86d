"""What the rewrites look for in a block's lines: sums and their terms, products with x and with h', activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rnnstep.engine.passes import Pass
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Expression, Line, Name, names_in, rebuilt
from rnnstep.network.blocks import Block

Lines = tuple[Line, ...]


def terms(expression: Expression) -> Iterator[Expression]:
    """The terms of a sum; anything else is its own only term."""
    match expression:
        case Apply(op="add", args=(left, right)):
            yield from terms(left)
            yield from terms(right)
        case _:
            yield expression


def total(parts: list[Expression]) -> Expression:
    """The sum of some terms, of one at least."""
    found = parts[0]
    for part in parts[1:]:
        found = Apply("add", (found, part))
    return found


def products(expression: Expression) -> Iterator[tuple[Expression, Expression]]:
    """All matrix products, W and x of each."""
    match expression:
        case Apply(op="matmul", args=(w, x)):
            yield w, x
            yield from products(x)
        case Apply(args=args):
            for argument in args:
                yield from products(argument)


def reads(expression: Expression, names: frozenset[str]) -> bool:
    """Whether an expression reads any of some names."""
    return any(name in names for name in names_in(expression))


def each(lines: Lines, other: Callable[[Expression], Expression | None]) -> Lines:
    """Rewrite parts in all lines; the same lines where nothing changes."""
    found = tuple(Line(line.name, rebuilt(line.expression, other), line.row) for line in lines)
    return lines if found == lines else found


def one(lines: Lines, name: str, other: Callable[[Expression], Expression | None]) -> Lines:
    """Rewrite parts of one line."""
    return tuple(each((line,), other)[0] if line.name == name else line for line in lines)


def replaced(lines: Lines, name: str, expression: Expression) -> Lines:
    """Put another expression in a line."""
    return tuple(Line(line.name, expression, line.row) if line.name == name else line for line in lines)


def renamed(lines: Lines, names: dict[str, str]) -> Lines:
    """Read other names."""
    return each(
        lines, lambda part: Name(names[part.id]) if isinstance(part, Name) and part.id in names else None
    )


def first_of_each(done: Pass) -> list[Block]:
    """The first block of each recurrent module: those above it have the same equations."""
    every = [run.block for run in done.runs.values()]
    return [
        next(one for one in every if one.module == name) for name in dict.fromkeys(b.module for b in every)
    ]


class Pattern:
    """What stands where in a recurrent block.

    Attributes:
        lines: right ones.
        entering: the names that enter from below: x.
        read_for: of each state what is read of it as it was: h_prev, where rows may begin anew h_kept.
        before: the names of those.
        biases: the parameters that are vectors.
    """

    def __init__(self, block: Block, lines: Lines) -> None:
        program: Program = block.program
        self._block = block
        self.lines = lines
        self.shapes = program.shapes
        self.states = tuple(program.states)
        self.entering = frozenset(block.brought)
        self.read_for = {state: Name(program.read_for(state)) for state in program.states}
        self.before = frozenset(name.id for name in self.read_for.values())
        self.parameters = frozenset(program.parameters)
        self.biases = frozenset(name for name, shape in program.parameters.items() if len(shape) == 1)
        self.by_name = {line.name: line for line in lines}

    def reordered(self, lines: Lines) -> Pattern:
        """The pattern with its lines in another order."""
        return Pattern(self._block, lines)

    def size(self, expression: Expression) -> tuple[int, ...] | None:
        """The shape of a name; None of anything else."""
        return tuple(int(one) for one in self.shapes[expression.id]) if isinstance(expression, Name) else None

    def is_square(self, w: Expression) -> bool:
        """Whether a matrix has as many rows as columns."""
        size = self.size(w)
        return size is not None and len(size) == 2 and size[0] == size[1]

    def is_bias(self, expression: Expression) -> bool:
        """Whether it is a parameter that is a vector."""
        return isinstance(expression, Name) and expression.id in self.biases

    def sums(self, *, of_x: bool, of_h: bool) -> list[tuple[str, list[Expression]]]:
        """The lines that are sums with products of x, or of h', and none of the other; their terms."""
        found = []
        for line in self.lines:
            parts = list(terms(line.expression))
            vectors = [x for part in parts for _, x in products(part)]
            has_x = any(reads(x, self.entering) for x in vectors)
            has_h = any(reads(x, self.before) for x in vectors)
            if vectors and (has_x, has_h) == (of_x, of_h):
                found.append((line.name, parts))
        return found

    def activations(self, op: str) -> list[str]:
        """The lines that are a function of something: `h = tanh(a)`."""
        return [line.name for line in self.lines if _is_call(line.expression, op)]

    def argument(self, name: str) -> Expression | None:
        """What a line's function is taken of; None where the line is no function of one thing."""
        match self.by_name[name].expression:
            case Apply(args=(argument,)):
                return argument
        return None

    def written_out(self, expression: Expression) -> Expression:
        """A name of a line as what stands there, once."""
        if isinstance(expression, Name) and expression.id in self.by_name:
            return self.by_name[expression.id].expression
        return expression


def _is_call(expression: Expression, op: str) -> bool:
    return isinstance(expression, Apply) and expression.op == op


Rewriting = Callable[[Pattern], Lines | None]
"""Gives the lines as they are done; None, or the same ones, where the pattern is not there."""
