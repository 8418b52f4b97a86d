"""One block with states, each step from what is given to it, forward: from torch's states before it, or from our run's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.engine.recurrence import BlockRun
from rnnstep.equations.bounds import Given, GivenAnchor, GivenNear
from rnnstep.equations.compile import ROWS
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import names_in
from rnnstep.reference.judge.block_bounds import LiveRows, Pairs, given_parameters
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.run.forward import ReferencePass
from rnnstep.reference.run.stepping import varying

_MANY = 1 << 14
"""From as many numbers of a state on, to ask how near they are to others takes less time than a product."""


class StepBounds:
    """Every line of a block with states, each step from what is given to it, for many steps at once.

    Several checks read the same inputs with other states before: the lines that inputs alone decide are kept until others enter.

    Attributes:
        block: it.
        reading: of the run's dtype.
    """

    def __init__(self, block: Block, dtype: np.dtype[np.floating]) -> None:
        self.block = block
        self.reading = Rounding(dtype)
        self._parameters = given_parameters(block)
        of_states = reached(block.program, block.program.befores)
        self._of_inputs = tuple(line for line in block.program.lines if line.name not in of_states)
        self._of_states = tuple(line for line in block.program.lines if line.name in of_states)
        self._entered: Pairs = {}
        self._bases: dict[str, GivenAnchor] = {}

    def lines(self, known: Mapping[str, Given]) -> Pairs:
        """Every line, and what it may read, from inputs and states before, (rows, n)."""
        seen = {**known, **self.entered(known), **self.states(known)}
        return seen | evaluate_lines(self._of_states, seen, self.reading)

    def entered(self, known: Mapping[str, Given]) -> Pairs:
        """Parameters, inputs and what they alone decide."""
        inputs = {name: known[name] for name in self.block.program.inputs}
        if not self._entered or not all(
            np.array_equal(self._entered[name][0], pair[0]) for name, pair in inputs.items()
        ):
            seen, self._bases = {**self._parameters, **inputs}, {}
            self._entered = seen | evaluate_lines(self._of_inputs, seen, self.reading)
        return self._entered

    def states(self, known: Mapping[str, Given]) -> dict[str, Given]:
        """The states before; where others were read with the same inputs, as what is near to those."""
        found: dict[str, Given] = {}
        for name in self.block.program.befores:
            if name in known:
                value = known[name][0]
                if value.size < _MANY:
                    found[name] = known[name]
                elif name not in self._bases or self._bases[name][0].shape != value.shape:
                    found[name] = self._bases[name] = GivenAnchor(value)
                else:
                    found[name] = GivenNear.to(self._bases[name], value)
        return found


def reached(program: Program, names: Iterable[str]) -> set[str]:
    """The lines that some names reach, and these names."""
    found = set(names)
    for line in program.lines:
        if not found.isdisjoint(names_in(line.expression)):
            found.add(line.name)
    return found


class OneStep:
    """Our compiled step from torch's own states, for chosen steps of a block."""

    def __init__(
        self, done: Pass, reference: ReferencePass, key: str, bounds: StepBounds | None = None
    ) -> None:
        self.block: Block = done.by_key[key]
        self._dtype = done.scenario.dtype
        self._living = done.axis(key).alive()
        self._bounds = StepBounds(self.block, self._dtype) if bounds is None else bounds
        self._prepared = self.block.compiled.prepare(self.block.parameters, self._dtype, ROWS)
        self.names = varying(self.block.program)
        self._inputs = {next(iter(self.block.program.inputs)): reference.x[key], **done.known_by_step(key)}
        self._axis, self._states, self._first = done.axis(key), reference.states[key], reference.first[key]

    def at(self, span: slice, names: Iterable[str] | None = None) -> dict[str, tuple[Array, Error]]:
        """Give for some lines, or all, our value and the bound of its error, (steps, B, n)."""
        rows, names = LiveRows(self._living, span), self.names if names is None else names
        known = {name: rows.of(value) for name, value in self._inputs.items()}
        for name, value in self._states.items():
            before = self._axis.before(value, self._first[name], self.block.direction, span)
            known[f"{name}_prev"] = rows.of_part(before)
        ours = self._compiled(known, names)
        bounds = self._bounds.lines({name: Given(value) for name, value in known.items()})
        return {name: (rows.back(ours[name]), rows.back(bounds[name][1])) for name in names}

    def _compiled(self, known: Mapping[str, Array], names: Iterable[str]) -> dict[str, Array]:
        """Run the compiled function on all rows as rows of one step."""
        compiled, program = self.block.compiled, self.block.program
        inputs = [known[name][None] for name in program.inputs]
        states = [known[f"{name}_prev"] for name in program.states]
        values: dict[str, Array] = {**self.block.parameters, **known}
        with np.errstate(all="ignore"):
            kept = compiled.function(ROWS)(*inputs, *states, *self._prepared)
            for name, (index, start, stop) in compiled.columns.items():
                values[name] = kept[index][0, :, start:stop]
            for name in names:
                compiled.derive(name, values)
        return values


class OwnSteps:
    """Every kept line of our run by the equations, each step from the run's own states."""

    def __init__(self, run: BlockRun, errors: RunErrors, bounds: StepBounds) -> None:
        self._key = key = run.block.key
        self._bounds, self._errors = bounds, errors
        self._living = errors.done.axis(key).alive()
        self._inputs = {
            next(iter(run.block.program.inputs)): errors.entering(key),
            **errors.done.known_by_step(key),
        }
        self._kept = [name for name in run.block.compiled.columns if _is_kept(run, name)]

    def at(self, span: slice) -> Pairs:
        """Give for every kept line its value and the bound of its error, (steps, B, n)."""
        rows = LiveRows(self._living, span)
        known = {name: Given(rows.of(value)) for name, value in self._inputs.items()}
        for name, value in self._errors.before(self._key, span).items():
            known[f"{name}_prev"] = Given(rows.of_part(value))
        lines, count = self._bounds.lines(known), len(next(iter(known.values()))[0])
        found: Pairs = {}
        for name in self._kept:  # one that parameters alone make is the same in every row
            value, error = (np.broadcast_to(part, (count, part.shape[-1])) for part in lines[name])
            found[name] = rows.back(value), rows.back(error)
        return found


def _is_kept(run: BlockRun, name: str) -> bool:
    """Whether a line is stored for the whole run; of a very long one the states alone are."""
    index = run.block.compiled.columns[name][0]
    return all(
        segment.kept is not None and len(segment.kept[index]) == segment.stop - segment.start
        for segment in run.segments
    )
