"""How far a gradient reaches back in time: the norms by which one sees it vanish or explode, and why gates help.

Of one row of a batch and each recurrent block, at every step t:

    ‖∂L/∂h_t‖                  what the loss says to this state, by whatever way
    ‖∂h_T/∂h_t‖                the largest singular value of the product of the steps' Jacobians, within the block
    the same through h alone   with every path through c cut
    ‖∂c_T/∂c_t‖ through c alone    for an LSTM the largest product of forget gates

(Hochreiter 1991; Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013.) Norms are taken in float64:
the squares of a float32 underflow long before the gradient does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.passes import Pass
from rnnstep.engine.recurrence import BlockRun
from rnnstep.equations.compile import ROWS
from rnnstep.equations.operations import Array

Norms = NDArray[np.float64]
MOST_WORK = 3e8  # T·H³: beyond it the Jacobians' norms take longer than one waits


@dataclass(frozen=True, eq=False)
class Flow:
    """The norms of one block, each (T,), NaN where the row is over.

    None where they take too long, where there is no c, and where a state comes back into the block by way of others, whose
    part in ∂h_T/∂h_t the block's own Jacobians lack.

    Attributes:
        gradient: ‖∂L/∂h_t‖.
        jacobian: ‖∂h_T/∂h_t‖.
        through_h: the same through h alone.
        through_c: ‖∂c_T/∂c_t‖ through c alone.
    """

    gradient: Norms
    jacobian: Norms | None = None
    through_h: Norms | None = None
    through_c: Norms | None = None


def flow(back: BackwardPass, key: str, row: int = 0) -> Flow:
    """Give the norms of a block for one row."""
    run = back.done.runs[key]
    h, *others = run.block.program.states
    steps = _steps_of_row(back.done, run, row)
    gradient = _over(run, steps, np.linalg.norm(back.states(key, h)[steps, row].astype(np.float64), axis=-1))
    size = int(run.block.program.states[h][0])
    if len(steps) * size**3 > MOST_WORK or key in back.done.graph.loop_of:
        return Flow(gradient)
    jacobians = _Jacobians(run, back.equations(key), row, steps)
    found = {"jacobian": _over(run, steps, jacobians.norms(h))}
    if others:
        found["through_h"] = _over(run, steps, jacobians.norms(h, is_alone=True))
        found["through_c"] = _over(run, steps, jacobians.norms(others[0], is_alone=True))
    return Flow(gradient, **found)


def largest_singular_values(done: Pass, key: str) -> dict[str, float]:
    """The largest singular value of each matrix that a block multiplies its state with, under its name."""
    block = done.by_key[key]
    size = int(next(iter(block.program.states.values()))[0])
    recurrent = [name for name in block.parameters if name.startswith(("W_h", "U_"))]
    return {
        name: _largest_singular_value(block.parameters[name])
        for name in recurrent
        if block.parameters[name].ndim == 2 and block.parameters[name].shape[1] == size
    }


def _largest_singular_value(matrix: Array) -> float:
    """The largest singular value; NaN or infinity where an element is, for which the decomposition does not converge."""
    if np.isfinite(matrix).all():
        return float(np.linalg.norm(matrix.astype(np.float64), 2))
    return float("nan") if np.isnan(matrix).any() else float("inf")


def _steps_of_row(done: Pass, run: BlockRun, row: int) -> list[int]:
    """The steps that a row takes part in, in the order of computation."""
    return list(done.axis(run.block.key).order(run.block.direction, row))


def _over(run: BlockRun, steps: list[int], norms: Norms) -> Norms:
    whole = np.full(run.num_steps, np.nan)
    whole[steps] = norms
    return whole


class _Jacobians:
    """The Jacobians of the last state by each state before, row for row of the last state."""

    def __init__(self, run: BlockRun, equations: BackwardEquations, row: int, steps: list[int]) -> None:
        self._run = run
        self._steps = steps
        self._row = row
        self._equations = equations
        self._compiled = equations.compiled
        self._prepared = self._compiled.prepare(run.block.parameters, self._dtype, ROWS)

    @property
    def _dtype(self) -> np.dtype[np.floating]:
        return self._run.segments[0].x.dtype

    def norms(self, state: str, *, is_alone: bool = False) -> Norms:
        """‖∂state_T/∂state_t‖ at each step, in the order of computation; `is_alone`: along that state's path alone."""
        found = [_largest_singular_value(each) for each in self._back(state, is_alone)]
        return np.array(found[::-1])

    def _back(self, state: str, is_alone: bool) -> Iterator[Array]:  # noqa: FBT001
        program = self._run.block.program
        sizes = {name: int(shape[0]) for name, shape in program.states.items()}
        rows = sizes[state]
        carried = {name: np.zeros((rows, size), self._dtype) for name, size in sizes.items()}
        carried[state] = np.eye(rows, dtype=self._dtype)
        yield carried[state]
        for t in reversed(self._steps[1:]):
            before = self._step(t, carried, rows)
            # What is total at one step is carried to the one before; a path that is cut carries nothing.
            carried = {
                name: value if name == state or not is_alone else np.zeros_like(value)
                for name, value in before.items()
            }
            yield carried[state]

    def _step(self, t: int, carried: dict[str, Array], rows: int) -> dict[str, Array]:
        """Take ∂/∂ of the states after step `t` to those before it, for all rows of the Jacobian at once."""
        core = self._compiled.program
        live = self._run.live_rows(t)
        place = self._row if live is None else int(np.flatnonzero(live == self._row)[0])
        values = self._run.values(t)
        outside = self._equations.from_outside
        inputs = [
            np.zeros((1, rows, int(core.shapes[name][0])), self._dtype)
            if name in outside
            else np.ascontiguousarray(
                np.broadcast_to(values[name][place], (1, rows, len(values[name][place])))
            )
            for name in core.inputs
        ]
        with np.errstate(all="ignore"):
            kept = self._compiled.function(ROWS)(*inputs, *carried.values(), *self._prepared)
        return {
            name: kept[index][0, :, a:b]
            for name, (index, a, b) in zip(carried, self._compiled.state_columns, strict=True)
        }
