"""Our compiled step, from whatever states one likes, and what it may be off by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass
from rnnstep.equations.bounds import Pair
from rnnstep.equations.compile import ROWS
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Error, Rounding, exact
from rnnstep.reference.layout import Mask, alive, initial, previous
from rnnstep.reference.passes import ReferencePass
from rnnstep.reference.stepping import varying

SPAN_BYTES = 64 << 20  # numbers of all lines that are compared at once


class OneStep:
    """Our compiled step from torch's own states, for chosen steps of a block."""

    def __init__(self, done: Pass, reference: ReferencePass, key: str) -> None:
        self.block: Block = done.by_key[key]
        self._dtype = done.scenario.dtype
        self._living = alive(done.batch)
        self._reading = Rounding(self._dtype)
        self._prepared = self.block.compiled.prepare(self.block.parameters, self._dtype, ROWS)
        self.names = varying(self.block.program)
        is_reversed = self.block.direction == "backward"
        self._known = {next(iter(self.block.program.inputs)): reference.x[key]}
        for name, value in reference.states[key].items():
            first = initial(done.scenario, self.block, name, done.batch.num_rows)
            self._known[f"{name}_prev"] = previous(value, first, self._living, is_reversed=is_reversed)

    def at(self, span: slice) -> dict[str, tuple[Array, Error]]:
        """Give for every line our value and the bound of its error, (steps, B, n)."""
        rows = Rows(self._living, span)
        known = {name: rows.of(value) for name, value in self._known.items()}
        ours = self._compiled(known)
        bounds = bounded(self.block, {name: exact(value) for name, value in known.items()}, self._reading)
        return {name: (rows.back(ours[name]), rows.back(bounds[name][1])) for name in self.names}

    def _compiled(self, known: Mapping[str, Array]) -> dict[str, Array]:
        """Run the compiled function on all rows as rows of one step."""
        compiled, program = self.block.compiled, self.block.program
        inputs = [known[name][None] for name in program.inputs]
        states = [known[f"{name}_prev"] for name in program.states]
        values: dict[str, Array] = {**self.block.parameters, **known}
        with np.errstate(all="ignore"):
            kept = compiled.function(ROWS)(*inputs, *states, *self._prepared)
            for name, (index, start, stop) in compiled.columns.items():
                values[name] = kept[index][0, :, start:stop]
            for name in self.names:
                compiled.derive(name, values)
        return values


def bounded(block: Block, known: Mapping[str, Pair], reading: Rounding) -> dict[str, Pair]:
    """Every line of a block as (value, error), by the equations and not by the compiled function."""
    parameters = {name: exact(value) for name, value in block.parameters.items()}
    return evaluate_lines(block.program.lines, {**parameters, **known}, reading)


class Rows:
    """The live rows of some steps as rows of one array, and back."""

    def __init__(self, living: Mask | None, span: slice) -> None:
        self._living = None if living is None else living[span]
        self._span = span
        self._rows = 0

    def of(self, whole: NDArray[Any]) -> NDArray[Any]:
        """(T, B, n) → (live rows of the steps, n)."""
        return self.of_part(whole[self._span])

    def of_part(self, part: NDArray[Any]) -> NDArray[Any]:
        """The same of the steps alone, (steps, B, n)."""
        self._rows = part.shape[1]
        return np.ascontiguousarray(
            part.reshape(-1, part.shape[-1]) if self._living is None else part[self._living]
        )

    def back(self, rows: NDArray[Any]) -> NDArray[Any]:
        """(live rows of the steps, n) → (steps, B, n), zeros where a row is over."""
        if self._living is None:
            return rows.reshape(-1, self._rows, rows.shape[-1])
        whole = np.zeros((*self._living.shape, rows.shape[-1]), rows.dtype)
        whole[self._living] = rows
        return whole


def spans(block: Block, steps: int, rows: int) -> Iterator[slice]:
    """Cut the steps so that what is compared at once is not too large."""
    numbers = sum(int((shape or (1,))[-1]) for shape in block.program.shapes.values())
    length = max(1, SPAN_BYTES // max(1, numbers * rows * 32))
    return (slice(start, min(start + length, steps)) for start in range(0, steps, length))
