"""The backward pass of a program as another program: its lines last first, each operation's vector-Jacobian product.

    h = tanh(a)            ∂h = ∂h_above + ∂h_next
    a = ih + hh      →     ∂a = ∂h * (1 - h * h)
    hh = W_hh @ h_prev     ∂hh = ∂a;  ∂W_hh_t = ∂hh ⊗ h_prev;  ∂h_prev = W_hhᵀ·∂hh

`∂v` is ∂L/∂v. What reaches an output from outside of the block is read as `∂h_above`; what reaches a state from
the step computed after this one as `∂h_next`, and what goes on to the step before is set as `∂h_prev`. Each
parameter has the share of a step, `∂W_t`, and the sum so far, `∂W = ∂W_later + ∂W_t`. With several rows in
a batch a share is the sum over the rows, and the rows of `v` together are read as `v⋮`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass

from rnnstep.equations.program import Program, Shape, infer
from rnnstep.equations.slopes import SLOPES, ZERO, add, div, sub
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick, names_in

D = "∂"
ABOVE, NEXT, LATER, SHARE, ROWS = "_above", "_next", "_later", "_t", "⋮"
_NUMBERS = "₀₁₂₃₄₅₆₇₈₉"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one use of a parameter adds to its gradient: `g xᵀ` of a matrix product, or `g` alone."""

    g: Expression
    x: Expression | None = None


@dataclass(frozen=True)
class Backward:
    """A program's backward pass.

    Attributes:
        program: All its lines, in order, shares and sums of the parameters included.
        core: The lines that are a vector for each row: what is compiled.
        contributions: What a step adds to each parameter's gradient, in names of `core` and of the forward program.
        above: The input that is given from outside of the block: `∂h_above`, or the whole of `∂output`.
    """

    program: Program
    core: Program
    contributions: Mapping[str, tuple[Contribution, ...]]
    above: str = ""


def backward(
    program: Program, output: str, *, rows: int = 1, is_summed: bool = True, constant: Container[str] = ()
) -> Backward:
    """Give the backward pass of a program whose shapes are numbers.

    Args:
        program: The forward program.
        output: The value that goes on to the block above. Of a program without states ∂output is given whole.
        rows: How many rows a batch has.
        is_summed: Whether there are several steps, so that the shares of a parameter are summed.
        constant: Inputs that nothing goes back to: a target, a mask.
    """
    return _Backward(program, output, rows, is_summed=is_summed, constant=constant).build()


class _Backward:
    """The lines of a backward pass as they are found."""

    def __init__(
        self, program: Program, output: str, rows: int, *, is_summed: bool, constant: Container[str]
    ) -> None:
        self._forward = program
        self._constant = constant
        self._output = output
        self._rows = rows
        self._is_summed = is_summed
        self._reaching: defaultdict[str, list[Expression]] = defaultdict(list)
        self._used: defaultdict[str, list[Contribution]] = defaultdict(list)
        self._shapes: dict[str, Shape] = dict(program.shapes)
        self._lines: list[Line] = []
        self._extra: list[Line] = []  # of parameters: not for each row
        self._sums: dict[str, Shape] = {}
        self._of_parameters = frozenset(program.parameters)
        # A subtree that is a line's whole expression is written as that line's name.
        self._named = {
            line.expression: line.name for line in program.lines if not isinstance(line.expression, Name)
        }
        self._uses = self._count_uses()

    def build(self) -> Backward:
        program = self._forward
        given: dict[str, Shape] = {}
        for state in program.states:
            shape = program.states[state]
            if state == self._output:
                given[self._marked(state, ABOVE)] = shape
                self._reaching[state].append(Name(self._marked(state, ABOVE)))
            self._reaching[state].append(Name(self._marked(state, NEXT)))
            self._shapes[self._marked(state, NEXT)] = shape
        if not program.states:
            given[f"{D}{self._output}"] = program.shapes[self._output]
        self._shapes.update(given)
        for line in reversed(program.lines):
            self._line(line)
        return self._finished(given)

    # ── one line ─────────────────────────────────────────────────────────────────────

    def _line(self, line: Line) -> None:
        gradient = Name(f"{D}{line.name}")
        if line.name in self._reaching:
            self._write(gradient.id, self._total(line.name))
        if line.name in self._reaching or gradient.id in self._shapes:
            self._pull(line, line.expression, gradient)
        for name in dict.fromkeys(names_in(line.expression)):
            self._uses[name] -= 1
            if not self._uses[name]:
                self._close(name)

    def _close(self, name: str) -> None:
        """All lines that read a name are done: say what reaches it."""
        if name in self._of_parameters:
            self._parameter(name)
            return
        befores = dict(zip(self._forward.befores, self._forward.states, strict=True))
        if name in befores:
            self._write(f"{D}{name}", self._total(name))
        elif name in self._forward.inputs and name in self._reaching:
            self._write(f"{D}{name}", self._total(name))

    def _write(self, name: str, expression: Expression, *, is_extra: bool = False) -> None:
        expression = self._with_names(expression)
        line = Line(name, expression)
        self._lines.append(line)
        if is_extra:
            self._extra.append(line)
        self._shapes[name] = infer(expression, self._shapes)

    def _total(self, name: str) -> Expression:
        """Add up what reaches a name: its matrix products as one sum, and what is subtracted last."""
        found = self._reaching[name]
        products = [one for one in found if isinstance(one, Apply) and one.op == "pullback"]
        terms: list[Expression] = []
        if products:  # in the order of the forward lines: the rows of torch's stacked weights
            terms.append(Apply("pullback", tuple(arg for one in reversed(products) for arg in one.args)))
        others = [one for one in found if one not in products]
        terms += sorted(others, key=lambda one: isinstance(one, Apply) and one.op == "neg")
        if not terms:
            return Apply("spread", (ZERO, Name(name)))
        total = terms[0]
        for term in terms[1:]:
            is_negative = isinstance(term, Apply) and term.op == "neg"
            total = sub(total, term.args[0]) if is_negative and isinstance(term, Apply) else add(total, term)
        return total

    # ── through one expression ───────────────────────────────────────────────────────

    def _pull(self, line: Line, expression: Expression, g: Expression) -> None:
        """Send g, which is ∂L/∂expression, on to the names that the expression reads."""
        match expression:
            case Number():
                return
            case Name(id=name):
                self._reach(name, self._fitted(g, expression))
            case Pick(base=base, index=index):
                size = int(infer(base, self._shapes)[0])
                at = Number(float(index % size), str(index % size))
                self._pull(line, base, Apply("placed", (g, at, base)))
            case Apply(op="matmul", args=(matrix, vector)):
                self._product(line, matrix, vector, self._as_name(line, g))
            case Apply(op="mean", args=(vector,)):
                size = int(infer(vector, self._shapes)[0])
                count = Number(float(size), str(size))
                self._pull(line, vector, Apply("spread", (div(g, count), vector)))
            case Apply(op=op, args=args) if op in SLOPES:
                if not isinstance(g, Name) and self._is_shared(expression):
                    g = self._as_name(line, g)
                out = Name(line.name) if expression == line.expression else expression
                for argument, part in zip(args, SLOPES[op](g, out, *args), strict=True):
                    if part is not None and self._is_reached(argument):
                        self._pull(line, argument, self._fitted(part, argument))

    def _product(self, line: Line, matrix: Expression, vector: Expression, g: Expression) -> None:
        if isinstance(matrix, Name) and matrix.id in self._of_parameters:
            self._used[matrix.id].append(Contribution(g, vector))
        else:  # a matrix that is made of parameters
            self._pull(line, matrix, self._outer(Contribution(g, vector)))
        self._pull(line, vector, Apply("pullback", (matrix, g)))

    def _reach(self, name: str, g: Expression) -> None:
        if name in self._of_parameters:
            self._used[name].append(Contribution(g))
        else:
            self._reaching[name].append(g)

    def _is_reached(self, expression: Expression) -> bool:
        """Whether an expression reads anything that a gradient goes back to."""
        return any(name not in self._constant for name in names_in(expression))

    def _is_shared(self, expression: Expression) -> bool:
        """Whether what reaches an expression goes on to more than one place, or into a matrix product."""
        match expression:
            case Apply(op="matmul"):
                return True
            case Apply(op="add" | "sub" | "mul" | "div", args=args):
                return sum(map(self._is_reached, args)) > 1 or any(map(self._is_shared, args))
            case Apply(args=args):
                return any(map(self._is_shared, args))
        return False

    def _fitted(self, g: Expression, like: Expression) -> Expression:
        """Sum g where its value was stretched, and stretch it where it was summed."""
        wanted, found = infer(like, self._shapes), infer(g, self._shapes)
        if len(wanted) == 2 or wanted == found:
            return g
        if wanted in ((), (1,)) and found not in ((), (1,)):
            return Apply("sum", (g,))
        if wanted not in ((), (1,)) and found in ((), (1,)):
            return Apply("spread", (g, like))
        return g

    def _as_name(self, line: Line, g: Expression) -> Expression:
        """Give g a line of its own where it is read more than once."""
        if isinstance(g, Name):
            return g
        name = self._free(f"{D}{line.name}")
        self._write(name, g)
        return Name(name)

    def _free(self, base: str) -> str:
        number = 1
        while f"{base}{_subscript(number)}" in self._shapes:
            number += 1
        return f"{base}{_subscript(number)}"

    def _with_names(self, expression: Expression) -> Expression:
        if expression in self._named:
            return Name(self._named[expression])
        match expression:
            case Apply(op=op, args=args):
                return Apply(op, tuple(self._with_names(argument) for argument in args))
            case Pick(base=base, index=index):
                return Pick(self._with_names(base), index)
        return expression

    # ── parameters ───────────────────────────────────────────────────────────────────

    def _parameter(self, name: str) -> None:
        """Write the share of a step, and the sum so far."""
        used = self._used.get(name, [])
        self._used[name] = used = [
            Contribution(self._with_names(one.g), None if one.x is None else self._with_names(one.x))
            for one in used
        ]
        if not used:
            return
        parts = [self._outer(one) if one.x is not None else self._over_rows(one.g) for one in used]
        share = parts[0]
        for part in parts[1:]:
            share = add(share, part)
        total = f"{D}{name}"
        if not self._is_summed:
            self._write(total, share, is_extra=True)
            return
        if not isinstance(share, Name):
            self._write(self._marked(name, SHARE), share, is_extra=True)
            share = Name(self._marked(name, SHARE))
        later = self._marked(name, LATER)
        self._sums[total] = self._shapes[later] = self._forward.parameters[name]
        self._write(total, add(Name(later), share), is_extra=True)

    def _marked(self, name: str, mark: str) -> str:
        """`∂h` with a mark, primed where a cell of one's own has a value of that name: its gradient is another."""
        marked = f"{name}{mark}"
        while marked in self._forward.shapes:
            marked += "′"
        return D + marked

    def _outer(self, one: Contribution) -> Expression:
        assert one.x is not None
        return Apply("outer", (self._every_row(one.g), self._every_row(one.x)))

    def _over_rows(self, g: Expression) -> Expression:
        if isinstance(g, Apply) and g.op == "scatter":
            return Apply("scatter", (self._every_row(g.args[0]), self._every_row(g.args[1]), g.args[2]))
        return g if self._rows == 1 else Apply("rows", (self._every_row(g),))

    def _every_row(self, expression: Expression) -> Expression:
        """The same of all rows of the batch; with one row it is as it is."""
        if self._rows == 1:
            return expression
        match expression:
            case Name(id=name) if name not in self._of_parameters:
                self._shapes[f"{name}{ROWS}"] = (self._rows, *self._shapes[name])
                return Name(f"{name}{ROWS}")
            case Apply(op=op, args=args):
                return Apply(op, tuple(self._every_row(argument) for argument in args))
            case Pick(base=base, index=index):
                return Pick(self._every_row(base), index)
        return expression

    # ── the whole ────────────────────────────────────────────────────────────────────

    def _finished(self, given: dict[str, Shape]) -> Backward:
        program = self._forward
        states = {f"{D}{program.before(name)}": shape for name, shape in program.states.items()}
        read_as = {f"{D}{program.before(name)}": self._marked(name, NEXT) for name in program.states}
        core = [line for line in self._lines if line not in self._extra]
        return Backward(
            self._program(self._lines, given, {**states, **self._sums}, read_as),
            self._program(core, given, states, read_as),
            {name: tuple(used) for name, used in self._used.items() if used},
            next(iter(given)),
        )

    def _program(
        self, lines: list[Line], given: Mapping[str, Shape], states: Mapping[str, Shape], read: Mapping[str, str]
    ) -> Program:
        """Put lines together with all they read."""
        sums = {name: self._marked(name.removeprefix(D), LATER) for name in states if name not in read}
        set_here, befores = {line.name for line in lines}, {*read.values(), *sums.values()}
        needed = {name for line in lines for name in names_in(line.expression)}
        parameters = {name: shape for name, shape in self._forward.parameters.items() if name in needed}
        inputs = {
            name: self._shapes[name]
            for name in (*given, *self._forward_names(), *self._rows_names(needed))
            if name in needed and name not in set_here and name not in befores
        }
        shapes = {name: shape for name, shape in self._shapes.items() if name in needed or name in set_here}
        shapes |= {f"{before}": states[name] for name, before in {**read, **sums}.items()}
        return Program(tuple(lines), inputs, dict(states), parameters, shapes, {**read, **sums})

    def _forward_names(self) -> Iterator[str]:
        yield from self._forward.inputs
        yield from self._forward.befores
        yield from self._forward.names

    def _rows_names(self, needed: set[str]) -> list[str]:
        return sorted(name for name in needed if name.endswith(ROWS))

    def _count_uses(self) -> dict[str, int]:
        """How many lines read each name."""
        uses: defaultdict[str, int] = defaultdict(int)
        for line in self._forward.lines:
            for name in set(names_in(line.expression)):
                uses[name] += 1
        return uses


def _subscript(number: int) -> str:
    return "".join(_NUMBERS[int(digit)] for digit in str(number))
