"""A cell of the user's own, from the `[cell.NAME]` table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.cells.cell import Cell, Stack
from rnnstep.equations.program import Program, Shape, check, program
from rnnstep.equations.syntax import MAX_OPERATORS, Apply, Expression, Line, Name, Pick, rebuilt
from rnnstep.errors import EquationError
from rnnstep.language import Text


def own_cell(
    name: str,
    *,
    state: Mapping[str, str | int],
    parameters: Mapping[str, Shape],
    equations: str,
) -> Cell:
    """Give a cell from its equations; its parameters keep their own names.

    Args:
        name: what the file calls it.
        state: each state and its size, in words or a number; the first is the output.
        parameters: each parameter and its shape, in words or numbers.
        equations: one a line.

    Raises:
        EquationError: with line and column in `equations`.
    """
    checked = program(
        equations,
        inputs={"x": ("input_size",)},
        states={state_name: (size,) for state_name, size in state.items()},
        parameters=parameters,
    )
    checked = _of_vectors(checked)
    return Cell(name, checked, tuple(Stack(parameter, (parameter,)) for parameter in parameters))


def _of_vectors(made: Program) -> Program:
    """The same, each line a vector, as the values of a step are: a number or a matrix stands where its name was read.

    Raises:
        EquationError: a line is too long with what stands in it now.
    """
    put_in: dict[Expression, Expression] = {}
    operators: dict[str, int] = {}
    lines = []
    for line in made.lines:
        operators[line.name] = _operators(line.expression, operators)
        if operators[line.name] > MAX_OPERATORS:
            raise EquationError(Text("at most {most} operators in an equation", most=MAX_OPERATORS), line.row)
        expression = rebuilt(line.expression, put_in.get)
        if len(made.shapes[line.name]) == 1:
            lines.append(Line(line.name, expression, line.row))
            operators[line.name] = 0
        else:
            put_in[Name(line.name)] = expression
    return check(tuple(lines), made.inputs, made.states, made.parameters) if put_in else made


def _operators(expression: Expression, of_names: Mapping[str, int]) -> int:
    """How many operators an expression has, with those of the lines that are to stand in it."""
    match expression:
        case Name(id=name):
            return of_names.get(name, 0)
        case Apply(args=args):
            return 1 + sum(_operators(one, of_names) for one in args)
        case Pick(base=base):
            return 1 + _operators(base, of_names)
    return 0
