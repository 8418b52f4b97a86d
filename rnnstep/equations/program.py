"""A program: the equations of a cell, checked, with the shape of every value known.

A shape is that of one row: `()` a number, `(n,)` a vector, `(m, n)` a matrix, `(S, n)` a bank: S vectors (`banks`). Sizes are
whole numbers or words (`"hidden_size"`) that `sized` puts numbers to; two different words
may turn out equal, so a program is checked in words where they are all it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from keyword import iskeyword
from types import MappingProxyType

from rnnstep.equations.compile_lines import straight
from rnnstep.equations.operations import OPERATIONS, Array, function_names
from rnnstep.equations.syntax import (
    Apply,
    Expression,
    Line,
    Name,
    Number,
    Pick,
    names_in,
    parse_lines,
    rebuilt,
)
from rnnstep.errors import EquationError
from rnnstep.language import Text

Size = int | str
Shape = tuple[Size, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """Equations with what they read: inputs, states (read as `NAME_prev`), parameters and banks.

    A bank is the same at every step: S vectors, or of which of them are live S numbers.

    Two programs are equal if they are the same one, so that what is made of a program is kept under it.
    """

    lines: tuple[Line, ...]
    inputs: Mapping[str, Shape]
    states: Mapping[str, Shape]
    parameters: Mapping[str, Shape]
    shapes: Mapping[str, Shape] = field(default_factory=dict)  # of every name, lines included
    read_as: Mapping[str, str] = field(default_factory=dict)  # of states that are not read as `NAME_prev`
    banks: Mapping[str, Shape] = field(default_factory=dict)

    def before(self, state: str) -> str:
        """The name under which a line reads a state as it was before the step: `h_prev`."""
        return self.read_as.get(state, f"{state}_prev")

    def read_for(self, state: str) -> str:
        """The name under which a step's sums read a state: `h_kept` where rows may begin anew, else as `before` has it."""
        kept = f"{state}_kept"
        return kept if kept in self.by_name else self.before(state)

    @cached_property
    def befores(self) -> tuple[str, ...]:
        """The names under which the states are read, in their order."""
        return tuple(map(self.before, self.states))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The values that the lines give, in order."""
        return tuple(line.name for line in self.lines)

    @cached_property
    def by_name(self) -> Mapping[str, Line]:
        """Each line under its name."""
        return {line.name: line for line in self.lines}

    @cached_property
    def shares(self) -> frozenset[str]:
        """The lines that say how much of each vector of a bank is taken: from 0, nothing, to 1."""
        return frozenset(
            line.expression.args[0].id
            for line in self.lines
            if isinstance(line.expression, Apply) and line.expression.op == "mixed"
            if isinstance(line.expression.args[0], Name)
        )

    @cached_property
    def at_once(self) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """All lines as one function from what they read to what they give, for a program that is not run over steps."""
        return straight(self.lines)

    def without_numbers(self) -> Program:
        """The same without lines that are numbers alone: they stand where their names were read."""
        numbers: dict[Expression, Expression] = {}
        lines = []
        for line in self.lines:
            expression = rebuilt(line.expression, numbers.get)
            if any(names_in(expression)):
                lines.append(Line(line.name, expression, line.row))
            else:
                numbers[Name(line.name)] = expression
        return replace(self, lines=tuple(lines)) if numbers else self

    def sized(self, sizes: Mapping[str, int]) -> Program:
        """Put numbers to the words of all shapes: `{"hidden_size": 4, …}`."""
        return _sized(self, tuple(sizes.items()))

    def without(self, parameters: Iterable[str]) -> Program:
        """Give the program with some parameters left out of every sum they stand in."""
        dropped = frozenset(parameters)
        lines = tuple(replace(line, expression=_drop(line.expression, dropped)) for line in self.lines)
        kept = {name: shape for name, shape in self.parameters.items() if name not in dropped}
        return check(lines, self.inputs, self.states, kept, self.read_as, self.banks)


@lru_cache(maxsize=256)
def _sized(words: Program, given: tuple[tuple[str, int], ...]) -> Program:
    sizes = dict(given)

    def numbers(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        return {
            name: tuple(sizes[size] if isinstance(size, str) else size for size in shape)
            for name, shape in shapes.items()
        }

    def known(part: Expression) -> Expression | None:
        if not isinstance(part, Number) or not math.isnan(part.value) or part.text not in sizes:
            return None
        return Number(float(sizes[part.text]), part.text)

    lines = tuple(replace(line, expression=rebuilt(line.expression, known)) for line in words.lines)
    return check(
        lines,
        numbers(words.inputs),
        numbers(words.states),
        numbers(words.parameters),
        words.read_as,
        numbers(words.banks),
    )


def program(
    equations: str,
    *,
    inputs: Mapping[str, Shape],
    states: Mapping[str, Shape],
    parameters: Mapping[str, Shape],
) -> Program:
    """Read and check a cell's equations.

    Raises:
        EquationError: at the first line that cannot be read, or reads what is not there.
    """
    return check(parse_lines(equations), inputs, states, parameters)


def check(
    lines: tuple[Line, ...],
    inputs: Mapping[str, Shape],
    states: Mapping[str, Shape],
    parameters: Mapping[str, Shape],
    read_as: Mapping[str, str] = MappingProxyType({}),
    banks: Mapping[str, Shape] = MappingProxyType({}),
) -> Program:
    """Check names and shapes of lines, in order, and give the program.

    `read_as` names the states that are not read as `NAME_prev`. What stands as a product or a sum with one of the `banks` becomes
    what it is of a bank: `M @ q`, `weights @ M`, `W @ M`, `W @ M + v`.

    Raises:
        EquationError: with the row of the line at fault.
    """
    shapes: dict[str, Shape] = {**inputs, **parameters, **banks}
    shapes.update({read_as.get(name, f"{name}_prev"): shape for name, shape in states.items()})
    given = set(shapes)
    for name in parameters:
        if name in inputs or not _is_free(name):
            raise EquationError(Text("`{name}` cannot be used as a name", name=name))
    moving = given - set(parameters)
    later = {line.name for line in lines}
    read = list(lines)
    for number, line in enumerate(lines):
        if line.name in given:
            raise EquationError(Text("`{name}` is given and cannot be set", name=line.name), line.row)
        if line.name in shapes:
            raise EquationError(Text("`{name}` is set twice", name=line.name), line.row)
        if not _is_free(line.name):
            raise EquationError(Text("`{name}` cannot be used as a name", name=line.name), line.row)
        for name in names_in(line.expression):
            if name not in shapes:
                raise EquationError(_unknown(name, shapes, states, later), line.row)
        if banks:
            read[number] = replace(line, expression=_with_banks(line.expression, shapes, banks))
        shapes[line.name] = infer(read[number].expression, shapes, line.row)
        if not banks:
            _check_matrices(line.expression, shapes, moving, line.row)
        if not moving.isdisjoint(names_in(line.expression)):
            moving.add(line.name)
    _check_states(lines, states, shapes)
    return Program(tuple(read), inputs, states, parameters, shapes, read_as, banks)


def _with_banks(
    expression: Expression, shapes: Mapping[str, Shape], banks: Mapping[str, Shape]
) -> Expression:
    """Give the same with the operations of banks where banks are multiplied, or added to."""
    match expression:
        case Apply(op=op, args=args):
            args = tuple(_with_banks(one, shapes, banks) for one in args)
            is_bank = [_is_bank(one, banks) for one in args]
            if op == "matmul" and is_bank[0]:
                return Apply("scored", args)
            if op == "matmul" and is_bank[1]:
                return Apply("mixed" if len(infer(args[0], shapes)) == 1 else "on_each", args)
            if OPERATIONS[op].kind == "elementwise" and any(is_bank):
                bank = args[is_bank.index(True)]
                args = tuple(
                    Apply("to_each", (one, bank)) if len(infer(one, shapes)) == 1 else one for one in args
                )
            return Apply(op, args)
        case Pick(base=base, index=index):
            return Pick(_with_banks(base, shapes, banks), index)
    return expression


def _is_bank(expression: Expression, banks: Mapping[str, Shape]) -> bool:
    """Whether an expression is a vector for each of a bank's."""
    match expression:
        case Name(id=name):
            return len(banks.get(name, ())) == 2
        case Apply(op="on_each" | "to_each" | "products"):
            return True
        case Apply(op=op, args=args):
            return OPERATIONS[op].kind == "elementwise" and any(_is_bank(one, banks) for one in args)
    return False


def _check_states(lines: tuple[Line, ...], states: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> None:
    rows = {line.name: line.row for line in lines}
    for name, shape in states.items():
        if name not in rows:
            last = lines[-1].row if lines else 0
            raise EquationError(Text("no equation sets the state `{name}`", name=name), last)
        if not _may_equal(shapes[name], shape):
            raise EquationError(
                Text(
                    "the state `{name}` has shape {expected}, its equation gives {found}",
                    name=name,
                    expected=written(shape),
                    found=written(shapes[name]),
                ),
                rows[name],
            )


def _is_free(name: str) -> bool:
    return not iskeyword(name) and name not in function_names()


def _check_matrices(expression: Expression, shapes: Mapping[str, Shape], moving: set[str], row: int) -> None:
    """Refuse a matrix that changes from step to step: values of steps are vectors."""
    match expression:
        case Apply(args=args):
            if len(infer(expression, shapes, row)) < 2:
                for argument in args:
                    _check_matrices(argument, shapes, moving, row)
                return
            for name in names_in(expression):
                if name in moving:
                    raise EquationError(
                        Text(
                            "a matrix is made of parameters alone: `{name}` changes from step to step",
                            name=name,
                        ),
                        row,
                    )
        case Pick(base=base):
            _check_matrices(base, shapes, moving, row)


def _unknown(name: str, shapes: Mapping[str, Shape], states: Mapping[str, Shape], later: set[str]) -> Text:
    if name in states:
        return Text(
            "`{name}` is read before its line: did you mean `{near}`?", name=name, near=f"{name}_prev"
        )
    if name in later:
        return Text("`{name}` is read before its line", name=name)
    near = get_close_matches(name, list(shapes), 1)
    if near:
        return Text("unknown name `{name}`: did you mean `{near}`?", name=name, near=near[0])
    return Text("unknown name `{name}`", name=name)


def written(shape: Shape) -> str:
    """Give a shape as people write it: `4×2`, `hidden_size`, `1` for a number."""
    return "×".join(str(size) for size in shape) or "1"


def infer(expression: Expression, shapes: Mapping[str, Shape], row: int = 0) -> Shape:
    """Give the shape of an expression from its names' shapes.

    Raises:
        EquationError: shapes that do not fit.
    """
    match expression:
        case Number():
            return ()
        case Name(id=name):
            return shapes[name]
        case Pick(base=base, index=index):
            shape = infer(base, shapes, row)
            if len(shape) != 1:
                raise EquationError(
                    Text("`[{index}]` needs a vector, found {found}", index=index, found=written(shape)), row
                )
            if isinstance(shape[0], int) and not -shape[0] <= index < shape[0]:
                raise EquationError(
                    Text("`[{index}]` is outside a vector of {size}", index=index, size=shape[0]), row
                )
            return (1,)
        case Apply(op="part", args=(base, Number() as start, Number() as stop)):
            return _part_shape(infer(base, shapes, row), start, stop, row)
        case Apply(op=op, args=args):
            return _apply_shape(op, [infer(argument, shapes, row) for argument in args], row)


def _part_shape(shape: Shape, start: Number, stop: Number, row: int) -> Shape:
    told = {"start": start.text, "stop": stop.text}
    if len(shape) != 1:
        raise EquationError(
            Text("`[{start}:{stop}]` needs a vector, found {found}", found=written(shape), **told), row
        )
    (size,) = shape
    if isinstance(size, str) or math.isnan(start.value + stop.value):
        if start.value >= 0 and stop.value > 0:  # whole numbers: the size is not needed
            if start.value >= stop.value:
                raise EquationError(Text("`[{start}:{stop}]` holds no element", **told), row)
            return (int(stop.value - start.value),)
        end = stop.text if math.isnan(stop.value) else f"{size}{stop.text}"
        return (end if start.value == 0 else f"{end} - {start.text}",)
    first = int(start.value) + (size if start.value < 0 else 0)
    last = int(stop.value) + (size if stop.value <= 0 else 0)
    if not 0 <= first < last <= size:
        raise EquationError(
            Text("`[{start}:{stop}]` is no part of a vector of {size}", size=size, **told), row
        )
    return (last - first,)


_INNER_SHAPES: Mapping[str, Callable[..., Shape]] = {
    "lookup": lambda table, _: table[1:],
    "within": lambda _g, _i, a: a,
    "normalized_back": lambda g, *_: g,
    "head": lambda _, a: a,
    "tail": lambda _, b: b,
    "chosen": lambda *_: (1,),
    "placed": lambda _g, _i, a: a,
    "pullback": lambda w, g, *_: (*g[:-1], *w[1:]),
    "outer": lambda g, x: (g[-1], x[-1]),
    "rows": lambda g: g[-1:],
    "spread": lambda _, a: a,
    "scatter": lambda _g, _i, table: table,
    "to_each": lambda v, bank: (bank[0], *v),
    "over_each": lambda bank: bank[1:],
    "products": lambda g, v: (*g, *v),
    "live_softmax": lambda a, _: a,
}
"""What the operations of the program's own give; their arguments are made to fit."""


def _added(one: Size, other: Size) -> Size:
    return one + other if isinstance(one, int) and isinstance(other, int) else f"{one} + {other}"


def _apply_shape(op: str, args: list[Shape], row: int) -> Shape:
    kind = OPERATIONS[op].kind
    if kind == "product":
        matrix, vector = args
        if len(matrix) != 2 or len(vector) != 1 or not _may_equal(matrix[1:], vector):
            raise EquationError(
                Text(
                    "`@` is matrix times vector: {left} times {right} does not fit",
                    left=written(matrix),
                    right=written(vector),
                ),
                row,
            )
        return (matrix[0],)
    if kind == "reduction":
        if len(args[0]) != 1:
            raise EquationError(
                Text("`{name}` needs a vector, found {found}", name=op, found=written(args[0])), row
            )
        return args[0] if op in ("softmax", "log_softmax", "normalized") else (1,)
    if op == "cat":
        if not all(len(one) == 1 for one in args):
            raise EquationError(
                Text(
                    "`cat` puts two vectors side by side, found {left} and {right}",
                    left=written(args[0]),
                    right=written(args[1]),
                ),
                row,
            )
        return (_added(args[0][0], args[1][0]),)
    if op == "layer_norm":
        return _normalized_shape(args, row)
    if op in ("scored", "mixed", "on_each"):
        return _bank_product_shape(op, args, row)
    if kind == "inner":
        return _INNER_SHAPES[op](*args)
    shape: Shape = ()
    for other in args:
        if not shape or shape == (1,):
            shape = other or shape
        elif other not in ((), (1,)) and not _may_equal(other, shape):
            raise EquationError(
                Text(
                    "`{op}` is element by element: {left} and {right} do not fit",
                    op=OPERATIONS[op].symbol or op,
                    left=written(shape),
                    right=written(other),
                ),
                row,
            )
    return shape


def _bank_product_shape(op: str, args: list[Shape], row: int) -> Shape:
    """That of `M @ v`, `w @ M` or `W @ M`, where M is a bank."""
    left, right = args
    fits = {
        "scored": len(left) == 2 and len(right) == 1 and _may_equal(left[1:], right),
        "mixed": len(left) == 1 and len(right) == 2 and _may_equal(left, right[:1]),
        "on_each": len(left) == len(right) == 2 and _may_equal(left[1:], right[1:]),
    }
    if not fits[op]:
        raise EquationError(
            Text("`@`: {left} and {right} do not fit", left=written(left), right=written(right)), row
        )
    return {"scored": left[:1], "mixed": right[1:], "on_each": (*right[:1], *left[:1])}[op]


def _normalized_shape(args: list[Shape], row: int) -> Shape:
    vector, weight, bias = args
    if len(vector) != 1 or not _may_equal(weight, vector) or not _may_equal(bias, vector):
        raise EquationError(
            Text(
                "`layer_norm` takes a vector, and a weight and a bias as long as it: found {vector}, {weight}, {bias}",
                vector=written(vector),
                weight=written(weight),
                bias=written(bias),
            ),
            row,
        )
    return vector


def _may_equal(one: Shape, other: Shape) -> bool:
    """Whether shapes are the same, or may be once their words have numbers (`Program.sized` asks again)."""
    return len(one) == len(other) and all(
        a == b or isinstance(a, str) or isinstance(b, str) for a, b in zip(one, other, strict=True)
    )


def _drop(expression: Expression, dropped: frozenset[str]) -> Expression:
    """Leave the named terms out of sums; a name dropped elsewhere is not a term and stays."""
    match expression:
        case Apply(op="add", args=(left, Name(id=name))) if name in dropped:
            return _drop(left, dropped)
        case Apply(op="add", args=(Name(id=name), right)) if name in dropped:
            return _drop(right, dropped)
        case Apply(op=op, args=args):
            return Apply(op, tuple(_drop(argument, dropped) for argument in args))
        case Pick(base=base, index=index):
            return Pick(_drop(base, dropped), index)
    return expression
