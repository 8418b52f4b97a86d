"""A program as one Python function over numpy: the fast way to run a whole sequence.

The function computes what does not read a state for all steps at once, then loops over the
steps, every result going into an array made beforehand. What it returns are the lines that
are kept; every other line is element by element of those, and `Compiled.derive` gives it on
demand with the same operations, bit for bit.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import cached_property
from types import FunctionType
from typing import Any

import numpy as np

from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.generate import ONE_ROW, ROWS, Generated, generate
from rnnstep.equations.operations import Array
from rnnstep.equations.plan import fixed_values, plan
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in

__all__ = ["ONE_ROW", "ROWS", "Compiled"]


class Compiled:
    """A program with its functions for one row (arrays without a row axis) and for many.

    A function gives for each kept group an array `(T, B, columns)`, of one row `(T, columns)`;
    `columns` says which columns of which array are a line's. `keep` names lines that are kept though
    they could be derived; `is_reversed` begins at the last step.
    """

    def __init__(
        self,
        program: Program,
        keep: Container[str] = (),
        *,
        is_reversed: bool = False,
        has_large_steps: bool = False,
    ) -> None:
        self.program = program
        self._is_reversed = is_reversed
        self._plan = plan(program, keep, has_large_steps=has_large_steps)
        self._arrays = [self._plan.home_of.get(group, group) for group in self._plan.kept_places]

    @cached_property
    def columns(self) -> Mapping[str, tuple[int, int, int]]:
        """For each kept line: the index of its array, its first column, and the one after its last."""
        found = {}
        for name in self._plan.kept:
            node = self._plan.lines[name]
            group = self._plan.group_of.get(node)
            if group is not None:
                home = self._plan.home_of.get(group)
                start = group.offset(node) + (home.offset(group) if home is not None else 0)
                found[name] = (self._arrays.index(home or group), start, start + node.size)
        return found

    @cached_property
    def state_columns(self) -> tuple[tuple[int, int, int], ...]:
        """The columns of each state, in the order of the program's states."""
        return tuple(self.columns[name] for name in self.program.states)

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The columns of each kept array."""
        return tuple(array.size for array in self._arrays)

    @cached_property
    def numbers_a_step(self) -> int:
        """How many numbers are kept for each row and step."""
        return sum(self.widths)

    def prepare(
        self, parameters: Mapping[str, Array], dtype: np.dtype[np.floating], mode: str
    ) -> tuple[Any, ...]:
        """Stack parameters as the function of `mode` takes them; done once for all runs."""
        constants = self._generated(mode).constants  # writing the function may add numbers to what is fixed
        values = fixed_values(self._plan.fixed, parameters, dtype)
        with np.errstate(over="ignore"):  # a number of an equation may be too large for the dtype
            return tuple([constant.stacked(values, dtype) for constant in constants])

    def function(self, mode: str) -> FunctionType:
        """The function of `mode`: `(inputs…, states…, *prepared, *arrays) -> kept arrays`.

        It makes the arrays that it gives where none are given to write to; those have to be contiguous.

        Where values overflow, it lets numpy warn as the caller has set it (`np.errstate`).
        """
        return self._generated(mode).function

    def source(self, mode: str = ROWS) -> str:
        """The text of the function, for those who want to see it."""
        return self._generated(mode).source

    def _generated(self, mode: str) -> Generated:
        return self._one_row if mode == ONE_ROW else self._rows

    @cached_property
    def _one_row(self) -> Generated:
        return generate(self.program, self._plan, ONE_ROW, is_reversed=self._is_reversed)

    @cached_property
    def _rows(self) -> Generated:
        return generate(self.program, self._plan, ROWS, is_reversed=self._is_reversed)

    def derive(self, name: str, known: dict[str, Array]) -> Array:
        """Give a line from kept lines, states before, inputs and parameters in `known`, and put it there."""
        if name not in known:
            line = self.program.by_name[name]
            for needed in names_in(line.expression):
                if needed in self.program.by_name:
                    self.derive(needed, known)
            known[name] = evaluate(line.expression, known, Values())
        return known[name]
