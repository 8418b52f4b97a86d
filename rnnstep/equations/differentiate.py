"""The backward pass of a program as another program: its lines last first, each operation's vector-Jacobian product.

    h = tanh(a)            ∂h = ∂h_above + ∂h_next
    a = ih + hh      →     ∂a = ∂h * (1 - h * h)
    hh = W_hh @ h_prev     ∂hh = ∂a;  ∂W_hh_t = ∂hh·h_prevᵀ;  ∂h_prev = W_hhᵀ·∂hh

`∂v` is ∂L/∂v. What reaches an output from outside of the block is read as `∂h_above`; what reaches a state from
the step computed after this one as `∂h_next`, and what goes on to the step before is set as `∂h_prev`. How the
parameters' shares are gathered is told in `shares`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from rnnstep.equations.operations import OPERATIONS
from rnnstep.equations.program import Program, Shape, infer
from rnnstep.equations.shares import ROWS, D, Shares
from rnnstep.equations.slopes import SLOPES, ZERO, add, div, sub
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number, Pick, names_in, rebuilt

__all__ = ["ROWS", "Backward", "D", "backward"]

ABOVE, NEXT = "_above", "_next"
_NUMBERS = "₀₁₂₃₄₅₆₇₈₉"


@dataclass(frozen=True)
class Backward:
    """A program's backward pass.

    Attributes:
        program: All its lines, in order, shares and sums of the parameters included.
        core: The lines that are a vector for each row: what is compiled.
        contributions: What each use of a parameter adds to its gradient: expressions over names of `core` and of
            the forward program that gather rows, `outer(∂hh, h_prev)` or `rows(∂hh)`, of however many rows and steps.
        of_banks: What each use of a bank adds to its gradient at a step, for each row.
        gathered: Lines that those expressions read, of values made of parameters alone.
        above: The input that is given from outside of the block: `∂h_above`, or the whole of `∂output`.
        given: The inputs of what else is given from outside, by the values that it is given at: `a`, `∂a_above`.
        fixed: The forward lines that are made of parameters alone: `program` reads them, `core` holds them written out.
    """

    program: Program
    core: Program
    contributions: Mapping[str, tuple[Expression, ...]]
    of_banks: Mapping[str, tuple[Expression, ...]]
    gathered: tuple[Line, ...]
    above: str
    given: Mapping[str, str]
    fixed: tuple[Line, ...]

    @cached_property
    def lines_of_banks(self) -> frozenset[str]:
        """The lines of the gradients of banks, which are one for each row: the share of a step, and the sum so far."""
        sums = {f"{D}{name}" for name in self.of_banks}
        shares = {name for total in sums for name in names_in(self.program.by_name[total].expression)}
        return frozenset(sums | (shares & self.program.by_name.keys() - self.core.by_name.keys()))

    @cached_property
    def later_of_banks(self) -> frozenset[str]:
        """The names by which the sums of the steps that came before are read."""
        return frozenset(self.program.before(f"{D}{name}") for name in self.of_banks)

    @cached_property
    def names_of_rows(self) -> frozenset[str]:
        """The gradients that are one for each row: all but those of parameters."""
        core = self.core
        names = (*core.by_name, *core.inputs, *core.befores, self.above)
        return self.lines_of_banks.union(self.later_of_banks, names)

    @cached_property
    def fixed_names(self) -> frozenset[str]:
        """The forward lines that are made of parameters alone."""
        return frozenset(line.name for line in self.fixed)


def backward(
    program: Program,
    output: str,
    *,
    rows: int = 1,
    is_summed: bool = True,
    constant: Iterable[str] = (),
    given: Iterable[str] = (),
) -> Backward:
    """Give the backward pass of a program whose shapes are numbers.

    Args:
        program: The forward program.
        output: The value that goes on to the block above. Of a program without states ∂output is given whole.
        rows: How many rows a batch has.
        is_summed: Whether there are several steps, so that the shares of a parameter are summed.
        constant: Inputs that nothing goes back to: a target, a mask.
        given: Values beside the output at which a gradient is given from outside, too: lines that are not made of
            parameters alone.
    """
    others = tuple(name for name in program.names if name in set(given) and name != output)
    return _derived(program, output, frozenset(constant), others, rows=rows, is_summed=is_summed)


@lru_cache(maxsize=256)
def _derived(
    program: Program,
    output: str,
    constant: frozenset[str],
    given: tuple[str, ...],
    *,
    rows: int,
    is_summed: bool,
) -> Backward:
    program = program.without_numbers()
    return _Backward(program, output, Shares(program, rows, is_summed=is_summed), constant, given).build()


class _Backward:
    """The lines of a backward pass as they are found."""

    def __init__(
        self,
        program: Program,
        output: str,
        shares: Shares,
        constant: frozenset[str],
        given: tuple[str, ...],
    ) -> None:
        self._forward = program
        self._given = {name: shares.marked(name, ABOVE) for name in given}
        self._output = output
        self._shares = shares
        self._constant = constant
        self._reaching: defaultdict[str, list[Expression]] = defaultdict(list)
        self._shapes = shares.shapes
        # A subtree that is a line's whole expression is written as that line's name; of parameters alone, that of
        # a state is one for each row.
        self._named = {
            line.expression: line.name
            for line in program.lines
            if not isinstance(line.expression, Name)
            and (line.name in shares.fixed or not shares.is_fixed(line.expression))
        }
        self._uses = self._count_uses()

    def build(self) -> Backward:
        program = self._forward
        given: dict[str, Shape] = {}
        for state in program.states:
            shape = program.states[state]
            if state == self._output:
                given[self._shares.marked(state, ABOVE)] = shape
                self._reaching[state].append(Name(self._shares.marked(state, ABOVE)))
            self._reaching[state].append(Name(self._shares.marked(state, NEXT)))
            self._shapes[self._shares.marked(state, NEXT)] = shape
        if not program.states:
            given[f"{D}{self._output}"] = program.shapes[self._output]
        for name, marked in self._given.items():
            given[marked] = program.shapes[name]
            self._reaching[name].append(Name(marked))
        self._shapes.update(given)
        for line in reversed(program.lines):
            self._line(line)
        for name in program.states:  # one that nothing reads
            if f"{D}{program.before(name)}" not in self._shapes:
                self._write(f"{D}{program.before(name)}", self._total(program.before(name)))
        return self._finished(given)

    # ── one line ─────────────────────────────────────────────────────────────────────

    def _line(self, line: Line) -> None:
        gradient = Name(f"{D}{line.name}")
        if line.name in self._shares.fixed:
            if line.name in self._reaching:
                total = self._total(line.name)
                self._shares.gathered.append(Line(gradient.id, total))
                self._shares.write(gradient.id, self._shares.seen(total))
                self._pull_fixed(line.expression, gradient)
        else:
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
        if name in self._forward.parameters or name in self._forward.banks:
            self._shares.close(name)
        elif name in self._forward.befores or (name in self._forward.inputs and name in self._reaching):
            self._write(f"{D}{name}", self._total(name))

    def _write(self, name: str, expression: Expression) -> None:
        self._shares.lines.append(Line(name, self._with_names(expression)))
        self._shapes[name] = infer(self._shares.lines[-1].expression, self._shapes)

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
        if self._shares.is_fixed(expression):
            g = g if isinstance(g, Name) else self._as_name(line, g)
            self._pull_fixed(expression, Apply("rows", (g,)))
            return
        match expression:
            case Name(id=name) if name in self._forward.banks:
                self._shares.add_to_bank(name, self._with_names(g))
            case Name(id=name):
                self._reaching[name].append(self._fitted(g, expression))
            case Apply(op="matmul" | "on_each", args=(matrix, vector)):
                g = self._as_name(line, g)
                self._pull_fixed(matrix, Apply("outer", (g, self._operand(line, vector))))
                self._pull(line, vector, Apply("pullback", (matrix, g)))
            case Apply(op="lookup", args=(table, place)):
                self._pull_fixed(table, Apply("scatter", (g, place, table)))
            case _:
                if not isinstance(g, Name) and self._is_shared(expression):
                    g = self._as_name(line, g)
                out = Name(line.name) if expression == line.expression else expression
                for argument, part in self._parts(expression, g, out):
                    if self._is_reached(argument):
                        self._pull(line, argument, self._fitted(part, argument))

    def _pull_fixed(self, expression: Expression, g: Expression) -> None:
        """The same where an expression is made of parameters alone, and g is gathered over the rows."""
        match expression:
            case Name(id=name) if name in self._forward.parameters:
                self._shares.add(name, self._with_names(self._fitted(g, expression)))
            case Name(id=name):
                self._reaching[name].append(self._fitted(g, expression))
            case Apply(op="matmul", args=(matrix, vector)):
                self._pull_fixed(matrix, Apply("outer", (g, vector)))
                self._pull_fixed(vector, Apply("pullback", (matrix, g)))
            case _:
                for argument, part in self._parts(expression, g, expression):
                    self._pull_fixed(argument, self._fitted(part, argument))

    def _parts(
        self, expression: Expression, g: Expression, out: Expression
    ) -> Iterator[tuple[Expression, Expression]]:
        """Give each argument with what goes back to it."""
        match expression:
            case Pick(base=base, index=index):
                size = int(infer(base, self._shapes)[0])
                at = Number(float(index % size), str(index % size))
                yield base, Apply("placed", (g, at, base))
            case Apply(op="mean", args=(vector,)):
                size = int(infer(vector, self._shapes)[0])
                yield vector, Apply("spread", (div(g, Number(float(size), str(size))), vector))
            case Apply(op=op, args=args) if op in SLOPES:
                for argument, part in zip(args, SLOPES[op](g, out, *args), strict=True):
                    if part is not None and not isinstance(argument, Number):
                        yield argument, part

    def _is_reached(self, expression: Expression) -> bool:
        """Whether an expression reads anything that a gradient goes back to."""
        return any(name not in self._constant for name in names_in(expression))

    def _is_shared(self, expression: Expression) -> bool:
        """Whether what reaches an expression goes on to more than one place, or into a matrix product."""
        match expression:
            case Apply(op="matmul" | "on_each"):
                return True
            case Apply(op="add" | "sub" | "mul" | "div" | "scored" | "mixed", args=args):
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
            return Apply("sum", (g if len(found) == 1 else Apply("rows", (g,)),))
        if wanted not in ((), (1,)) and found in ((), (1,)):
            return Apply("spread", (g, like))
        return g

    def _as_name(self, line: Line, g: Expression) -> Expression:
        """Give g a line of its own where it is read more than once."""
        return g if isinstance(g, Name) else self._numbered(f"{D}{line.name}", g)

    def _operand(self, line: Line, vector: Expression) -> Expression:
        """What a matrix is multiplied with; a line of its own unless the rows of it together are read the same way."""
        named = self._with_names(vector)
        has_parameters = any(self._shares.is_fixed(Name(name)) for name in names_in(named))
        if has_parameters or not _is_elementwise(named):
            return self._numbered(f"{line.name}ₓ", named)
        return named

    def _numbered(self, base: str, expression: Expression) -> Name:
        number = 1
        while f"{base}{_subscript(number)}" in self._shapes:
            number += 1
        self._write(f"{base}{_subscript(number)}", expression)
        return Name(f"{base}{_subscript(number)}")

    def _with_names(self, expression: Expression) -> Expression:
        return rebuilt(expression, self._as_named)

    def _as_named(self, part: Expression) -> Expression | None:
        return Name(self._named[part]) if part in self._named else None

    # ── the whole ────────────────────────────────────────────────────────────────────

    def _finished(self, given: dict[str, Shape]) -> Backward:
        program, shares = self._forward, self._shares
        states = {f"{D}{program.before(name)}": shape for name, shape in program.states.items()}
        read_as = {f"{D}{program.before(name)}": shares.marked(name, NEXT) for name in program.states}
        core = [
            Line(line.name, shares.written_out(line.expression))
            for line in shares.lines
            if line not in shares.extra
        ]
        return Backward(
            self._program(shares.lines, given, {**states, **shares.sums}, {**read_as, **shares.later}),
            self._program(core, given, states, read_as),
            shares.contributions,
            shares.of_banks,
            tuple(Line(line.name, shares.written_out(line.expression)) for line in shares.gathered),
            next(iter(given)),
            self._given,
            tuple(line for line in program.lines if line.name in shares.fixed),
        )

    def _program(
        self,
        lines: list[Line],
        given: Mapping[str, Shape],
        states: Mapping[str, Shape],
        read: Mapping[str, str],
    ) -> Program:
        """Put lines together with all they read."""
        set_here = {line.name for line in lines} | set(read.values())
        needed = {name for line in lines for name in names_in(line.expression)}
        forward = self._forward
        gathered = sorted(name for name in needed if name.endswith(ROWS))
        names = (*given, *forward.inputs, *forward.befores, *forward.names, *gathered)
        inputs = {name: self._shapes[name] for name in names if name in needed and name not in set_here}
        parameters = {name: shape for name, shape in forward.parameters.items() if name in needed}
        shapes = {name: shape for name, shape in self._shapes.items() if name in needed or name in set_here}
        shapes |= {before: states[name] for name, before in read.items()}
        banks = {name: shape for name, shape in forward.banks.items() if name in needed}
        return Program(tuple(lines), inputs, dict(states), parameters, shapes, dict(read), banks)

    def _count_uses(self) -> dict[str, int]:
        """How many lines read each name."""
        uses: defaultdict[str, int] = defaultdict(int)
        for line in self._forward.lines:
            for name in set(names_in(line.expression)):
                uses[name] += 1
        return uses


def _is_elementwise(expression: Expression) -> bool:
    match expression:
        case Pick():
            return False
        case Apply(op=op, args=args):
            return OPERATIONS[op].kind == "elementwise" and all(map(_is_elementwise, args))
    return True


def _subscript(number: int) -> str:
    return "".join(_NUMBERS[int(digit)] for digit in str(number))
