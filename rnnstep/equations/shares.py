"""The gradients of parameters: what each use of one adds, the share of a step, and the sum so far.

    ∂W_hh_t = ∂hh·h_prevᵀ              the share of this step
    ∂W_hh = ∂W_hh_later + ∂W_hh_t      with those of the steps that came before it in the backward pass

With several rows in a batch a share is the sum over the rows; the rows of `v` together are read as `v⋮`, (B, n).
What is made of parameters alone is the same in every row and step: what reaches it is gathered first.
A bank is the same in every step: its gradient is gathered over the steps, for each row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rnnstep.equations.program import Program, Shape, infer
from rnnstep.equations.slopes import add
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Pick, names_in, rebuilt

D = "∂"
ROWS = "⋮"
LATER, SHARE = "_later", "_t"
_GATHERING = ("outer", "rows", "scatter")


class Shares:
    """The lines of a backward pass, and among them those that belong to parameters.

    Attributes:
        lines: all, in order.
        extra: those that are not a vector for each row.
        shapes: of every name, of one row.
        gathered: what reaches values of parameters alone, over however many rows.
        sums: the sums of the parameters' shares, and their shapes.
        later: the names by which those are read.
        fixed: the forward lines that are made of parameters alone; of states the gradient is still one a row.
    """

    def __init__(self, program: Program, rows: int, *, is_summed: bool) -> None:
        self._forward = program
        self._rows = rows
        self._is_summed = is_summed
        self._used: defaultdict[str, list[Expression]] = defaultdict(list)
        self._of_banks: defaultdict[str, list[Expression]] = defaultdict(list)
        self.lines: list[Line] = []
        self.extra: list[Line] = []
        self.shapes: dict[str, Shape] = dict(program.shapes)
        self.gathered: list[Line] = []
        self.sums: dict[str, Shape] = {}
        self.later: dict[str, str] = {}
        self.fixed: set[str] = set()
        for line in program.lines:
            if line.name not in program.states and self.is_fixed(line.expression):
                self.fixed.add(line.name)

    @property
    def contributions(self) -> Mapping[str, tuple[Expression, ...]]:
        """What each use of a parameter adds."""
        return {name: tuple(map(self.written_out, used)) for name, used in self._used.items()}

    @property
    def of_banks(self) -> Mapping[str, tuple[Expression, ...]]:
        """What each use of a bank adds at a step, for each row."""
        return {name: tuple(map(self.written_out, used)) for name, used in self._of_banks.items()}

    def written_out(self, expression: Expression) -> Expression:
        """The same with what is made of parameters alone in terms of them."""
        if not self.fixed:
            return expression
        return rebuilt(expression, self._fixed_as_lines)

    def _fixed_as_lines(self, part: Expression) -> Expression | None:
        if not isinstance(part, Name) or part.id not in self.fixed:
            return None
        return self.written_out(self._forward.by_name[part.id].expression)

    def is_fixed(self, expression: Expression) -> bool:
        """Whether an expression is made of parameters alone; numbers alone are nothing to go back to."""
        names = list(names_in(expression))
        return bool(names) and all(name in self._forward.parameters or name in self.fixed for name in names)

    def add(self, name: str, gathered: Expression) -> None:
        """Note what a use of a parameter adds, gathered over rows."""
        self._used[name].append(gathered)

    def add_to_bank(self, name: str, share: Expression) -> None:
        """Note what a use of a bank adds, for each row."""
        self._of_banks[name].append(share)

    def write(self, name: str, expression: Expression) -> None:
        """Write a line of a parameter."""
        line = Line(name, expression)
        self.lines.append(line)
        self.extra.append(line)
        self.shapes[name] = infer(expression, self.shapes)

    def close(self, name: str) -> None:
        """All uses of a parameter, or of a bank, are known: write the share of a step, and the sum so far."""
        parts = [self.seen(one) for one in self._used.get(name, ())] + self._of_banks.get(name, [])
        if not parts:
            return
        share = parts[0]
        for part in parts[1:]:
            share = add(share, part)
        total = f"{D}{name}"
        if not self._is_summed:
            self.write(total, share)
            return
        if not isinstance(share, Name):
            self.write(self.marked(name, SHARE), share)
            share = Name(self.marked(name, SHARE))
        later = self.later[total] = self.marked(name, LATER)
        self.sums[total] = self.shapes[later] = self._forward.shapes[name]
        self.write(total, add(Name(later), share))

    def marked(self, name: str, mark: str) -> str:
        """`∂h` with a mark, primed where a user-defined cell has a value of that name: its gradient is another."""
        marked = f"{name}{mark}"
        while marked in self._forward.shapes:
            marked += "′"
        return D + marked

    def seen(self, gathered: Expression) -> Expression:
        """What is gathered as it is written: of one row the row itself, of several the rows together."""
        match gathered:
            case Apply(op="rows", args=(g,)) if self._rows == 1 and len(infer(g, self.shapes)) == 1:
                return g
            case Apply(op=op, args=args) if op in _GATHERING and not any(map(_gathers, args)):
                return Apply(op, tuple(self._every_row(argument) for argument in args))
            case Apply(op=op, args=args):
                return Apply(op, tuple(self.seen(argument) for argument in args))
            case Pick(base=base, index=index):
                return Pick(self.seen(base), index)
        return gathered

    def _every_row(self, expression: Expression) -> Expression:
        """The same of all rows of the batch; what is not of rows stays."""
        return rebuilt(expression, self._row_as_rows)

    def _row_as_rows(self, part: Expression) -> Expression | None:
        if not isinstance(part, Name) or self._rows == 1 or not self._is_of_rows(part.id):
            return None
        name = f"{part.id}{ROWS}"
        self.shapes[name] = (self._rows, *self.shapes[part.id])
        return Name(name)

    def _is_of_rows(self, name: str) -> bool:
        is_of_parameters = name in self._forward.parameters or name in self.fixed
        return not is_of_parameters and all(line.name != name for line in self.extra)


def _gathers(expression: Expression) -> bool:
    match expression:
        case Apply(op=op, args=args):
            return op in _GATHERING or any(map(_gathers, args))
        case Pick(base=base):
            return _gathers(base)
    return False
