"""Lines that are computed again and again with some of what they read the same: that part is computed once.

    scores = tanh(U_a @ memory + W_a @ query) @ v_a      U_a @ memory is the same at every step

What the lines repeat within a step is computed once, too. Every operation is the one that stands in the lines, on the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from rnnstep.equations.compile_lines import straight
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Pick, names_in, rebuilt

Computed = Callable[[Mapping[str, Array]], dict[str, Array]]


class Factored(NamedTuple):
    """Lines in two parts.

    Attributes:
        same: from what is the same each time gives what is made of that alone, under names of its own.
        each: from all that is read, and that, gives the lines.
    """

    same: Computed
    each: Computed


@lru_cache(maxsize=128)
def factored(lines: tuple[Line, ...], fixed: frozenset[str]) -> Factored:
    """Take lines apart.

    Args:
        lines: in order.
        fixed: the names of what they read that is the same each time.
    """
    made: dict[Expression, str] = {}

    def of_fixed(part: Expression) -> Expression | None:
        if not isinstance(part, Apply | Pick):
            return None
        names = set(names_in(part))
        return Name(made.setdefault(part, f"same {len(made)}")) if names and names <= fixed else None

    left = [Line(line.name, rebuilt(line.expression, of_fixed), line.row) for line in lines]
    same = tuple(Line(name, expression, row) for row, (expression, name) in enumerate(made.items()))
    return Factored(straight(same), straight(tuple(_once(left)), tuple(line.name for line in lines)))


def _once(lines: list[Line]) -> Iterator[Line]:
    """The same lines, and before each what it repeats, or a later one does."""
    counts = Counter(part for line in lines for part in _parts(line.expression))
    named: dict[Expression, Name] = {}
    for line in lines:
        new: list[Line] = []

        def repeated(part: Expression, new: list[Line] = new) -> Expression | None:
            if counts[part] < 2 or not isinstance(part, Apply):
                return None
            if part not in named:
                inner = Apply(part.op, tuple(rebuilt(one, repeated) for one in part.args))
                named[part] = Name(f"again {len(named)}")
                new.append(Line(named[part].id, inner, 0))
            return named[part]

        expression = rebuilt(line.expression, repeated)
        yield from new
        yield Line(line.name, expression, line.row)


def _parts(expression: Expression) -> Iterator[Expression]:
    """All operations in an expression on anything but numbers."""
    if isinstance(expression, Apply):
        if any(names_in(expression)):
            yield expression
        for argument in expression.args:
            yield from _parts(argument)
    elif isinstance(expression, Pick):
        yield from _parts(expression.base)
