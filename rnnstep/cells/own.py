"""A cell of the user's own, from the `[cell.NAME]` table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.cells.cell import Cell, Stack
from rnnstep.equations.program import Shape, program


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
    return Cell(name, checked, tuple(Stack(parameter, (parameter,)) for parameter in parameters))
