"""The backward pass through one block of a run: all steps at once, or step by step where states are carried."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.recurrence import BlockRun, bounds_of_run
from rnnstep.equations.compile import ONE_ROW
from rnnstep.equations.differentiate import ROWS, D
from rnnstep.equations.evaluate import Values, evaluate
from rnnstep.equations.magnitudes import FAR, Magnitudes, largest
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Line
from rnnstep.network.blocks import Block


def values_of_step(
    equations: BackwardEquations,
    parameters: Mapping[str, Array],
    vectors: dict[str, Array],
    later: Mapping[str, Array],
    every_row: Mapping[str, Array],
) -> dict[str, Array]:
    """Put beside the vectors of a step what belongs to its parameters: shares, and sums.

    Args:
        equations: the block's backward pass.
        parameters: the block's.
        vectors: every value of the step that is a vector for each row, (rows, n).
        later: the sums of the steps that came before in the backward pass, under the names they are read by.
        every_row: the vectors again, (B, n), with zeros where a row is over.
    """
    program, core = equations.derived.program, equations.derived.core
    gathered = {name: every_row[name.removesuffix(ROWS)] for name in program.inputs if name.endswith(ROWS)}
    fixed = equations.fixed(parameters)
    found: dict[str, Array] = {**later, **gathered, **fixed}
    seen = {**parameters, **found}
    if equations.rows == 1:  # its vectors themselves are multiplied
        seen |= {name: value[0] for name, value in vectors.items()}
    of_banks = equations.derived.lines_of_banks
    for line in program.lines:
        if line.name in of_banks:  # of each row
            found[line.name] = np.asarray(
                evaluate(line.expression, {**vectors, **found, **parameters}, Values(is_silenced=True))
            )
        elif line.name not in core.by_name:
            found[line.name] = seen[line.name] = np.asarray(
                evaluate(line.expression, seen, Values(is_silenced=True))
            )
    return {**vectors, **found}


def _with_axis(known: Mapping[str, Array], axes: int) -> dict[str, Array]:
    """Make the `axes` axes of steps and rows one."""
    return {name: value.reshape(-1, *value.shape[axes:]) for name, value in known.items()}


class StatelessBackward:
    """Through a block without states, for all steps at once.

    Attributes:
        gradients: ∂L/∂ of its parameters, under torch's names.
    """

    def __init__(
        self, block: Block, equations: BackwardEquations, known: Mapping[str, Array], above: Sequence[Array]
    ) -> None:
        """Take what the block read and gave, (T, B, n), and what comes from outside, first ∂L/∂ of what it gave."""
        self._block = block
        self._equations = equations
        derived = equations.derived
        given = {**known, **dict(zip(equations.from_outside, above, strict=True))}
        self._vectors: dict[str, Array] = {
            **given,
            **derived.core.at_once({**block.parameters, **given}),
        }
        self.gradients = self._gradients(slice(None)) if block.learnt_in else {}

    def _gradients(self, steps: slice) -> dict[str, Array]:
        part = self._part(steps)
        if not self._block.program.banks:  # which lie beside every step
            part = _with_axis(part, 2)
        return self._equations.gradients({**self._block.parameters, **part})

    def _part(self, steps: slice) -> dict[str, Array]:
        """The vectors of some steps, (T, B, n); banks are the same at all of them."""
        banks = self._block.program.banks
        return {name: value if name in banks else value[steps] for name, value in self._vectors.items()}

    def _of_banks(self, steps: slice) -> dict[str, Array]:
        """∂L/∂ of what is read whole as far as it comes from some steps, (B, S, n)."""
        return self._equations.of_banks({**self._block.parameters, **self._part(steps)})

    def gradient(self, name: str) -> Array:
        """∂L/∂ of an input, (T, B, n); of what is read whole (B, S, n)."""
        if name in self._block.program.banks:
            return self._gradients_of_banks[name]
        return self._vectors[f"{D}{name}"]

    @cached_property
    def _gradients_of_banks(self) -> dict[str, Array]:
        return self._of_banks(slice(None))

    def values(self, t: int) -> dict[str, Array]:
        """All values of a step, rows that are over included."""
        banks = self._block.program.banks
        steps = len(next(value for name, value in self._vectors.items() if name not in banks))
        k = t if steps > 1 else 0
        vectors = {name: value if name in banks else value[k] for name, value in self._vectors.items()}
        later = self._equations.split(self._gradients(slice(k + 1, None))) if self._block.learnt_in else {}
        if banks:
            later |= self._equations.split_of_banks(self._of_banks(slice(k + 1, None)))
        return values_of_step(self._equations, self._block.parameters, vectors, later, vectors)

    # ── what is not finite ───────────────────────────────────────────────────────────

    def suspect(self) -> int | None:
        """Give the step that comes first in the backward pass of those that may have a number that is not finite, or None."""
        derived = self._equations.derived
        outside = self._equations.from_outside
        names = [name for name in (*outside, *derived.core.names) if name in self._vectors]
        gradients = [self._vectors[name] for name in names]
        steps, banks = len(gradients[0]), self._block.program.banks
        read = [
            np.full((steps, 1), largest(value)) if name in banks else value  # which every step reads whole
            for name, value in self._vectors.items()
            if name not in names
        ]
        is_suspect, _ = suspicions(self._equations, self._block.parameters, gradients, read)
        found = np.flatnonzero(is_suspect)
        return int(found[-1]) if found.size else None


def suspicions(
    equations: BackwardEquations,
    parameters: Mapping[str, Array],
    gradients: Sequence[Array],
    read: Sequence[Array],
    so_far: float = 0.0,
) -> tuple[NDArray[np.bool_], float]:
    """Say at which steps, the last first computed, a gradient or a sum of a parameter's shares may not be finite.

    Args:
        equations: the backward pass.
        parameters: the block's.
        gradients: its vectors, each (T, …).
        read: what they are multiplied with in shares, each (T, …).
        so_far: the largest that the sums may be after the steps that were computed before these.

    Returns:
        Whether that may be, at each step, (T,); and the largest that the sums may be after these steps.
    """
    steps = len(gradients[0])
    limit = float(np.finfo(gradients[0].dtype).max) / FAR
    g, x = (_most(arrays, steps) for arrays in (gradients, read))
    weights = max((largest(value) for value in parameters.values()), default=0.0)
    longest = max(
        (int(size) for shape in equations.derived.program.shapes.values() for size in shape), default=1
    )
    uses = 1.0 + max((len(used) for used in equations.derived.contributions.values()), default=0)
    if equations.derived.gathered or equations.derived.fixed:
        uses = math.inf  # what is made of parameters is multiplied, too
    with np.errstate(all="ignore"):
        shares = uses * equations.rows * g * np.maximum(x, 1)
        sums = so_far + np.cumsum(shares[::-1])[::-1]
        below = g * max(weights, 1) * longest * max(1, len(parameters))
        return ~(np.isfinite(g) & (sums < limit) & (below < limit)), float(sums[0])


def _most(arrays: Sequence[Array], steps: int) -> NDArray[np.float64]:
    """The largest magnitude at each step, NaN where an element is NaN."""
    found = np.zeros(steps)
    for array in arrays:
        if array.size and array.dtype.kind == "f":
            flat = np.abs(np.asarray(array).reshape(len(array), -1))
            found = np.maximum(found, flat.max(axis=1))
    return found


@dataclass(slots=True, eq=False)
class _Piece:
    """The backward pass through a segment: what reached it from the segment computed after it, and what came of it."""

    carried: tuple[Array, ...]  # each state's gradient, (rows, n)
    kept: tuple[Array, ...]


class RecurrentBackward:
    """Through a recurrent block, from the step computed last to the first.

    Attributes:
        gradients: ∂L/∂ of its parameters, under torch's names.
    """

    def __init__(self, run: BlockRun, equations: BackwardEquations, above: Sequence[Array]) -> None:
        """Take the run, and what comes from outside, (T, B, n): first ∂L/∂ of its output as far as it comes from above."""
        self._run = run
        self._equations = equations
        self._outside = dict(zip(equations.from_outside, above, strict=True))
        self._above = above[0]
        order = slice(None) if run.rows is None else run.rows.order
        self._ordered = {name: whole[:, order] for name, whole in self._outside.items()}
        self._compiled = equations.compiled
        self._function = self._compiled.function(run.mode)
        self._prepared = self._compiled.prepare(run.block.parameters, self._above.dtype, run.mode)
        self._recent: tuple[int, tuple[Array, ...]] | None = None
        self.gradients: dict[str, Array] = {}
        self._pieces: dict[int, _Piece] = {}
        self._go()

    def _go(self) -> None:
        states = self._equations.derived.core.states.values()
        rows = self._run.segments[-1].rows
        carried = tuple([np.zeros((rows, int(shape[0])), self._above.dtype) for shape in states])
        for number in reversed(range(len(self._run.segments))):
            carried = tuple([_resized(state, self._run.segments[number].rows) for state in carried])
            known = self._forward(number)
            kept = self._call(number, known, carried)
            self._pieces[number] = _Piece(carried, self._stored(kept))  # shares may read what was carried
            self._add(self._part(number, known, kept))
            carried = tuple(
                [self._rows_of(kept[index])[0, :, a:b] for index, a, b in self._compiled.state_columns]
            )

    def _forward(self, number: int) -> dict[str, Array]:
        return self._run.over_segment(number, self._equations.forward_names)

    def _call(self, number: int, known: Mapping[str, Array], carried: tuple[Array, ...]) -> tuple[Array, ...]:
        core = self._equations.derived.core
        outside = self._outside_of(number)
        inputs = [outside[name] if name in outside else known[name] for name in core.inputs]
        if self._run.mode == ONE_ROW:
            carried = tuple([state[0] for state in carried])
        return self._function(*inputs, *carried, *self._prepared)  # type: ignore[no-any-return]

    def _outside_of(self, number: int) -> dict[str, Array]:
        """What comes from outside at each step of a segment, in the order of computation."""
        segment = self._run.segments[number]
        found = {}
        for name, whole in self._ordered.items():
            part = self._run.turned(whole[segment.start : segment.stop, : segment.rows])
            found[name] = part[:, 0] if self._run.mode == ONE_ROW else part
        return found

    def _stored(self, kept: tuple[Array, ...]) -> tuple[Array, ...]:
        """All of it, or of a very long run the states and what goes below."""
        if self._run.is_kept:
            return kept
        columns = self._compiled.columns
        names = (
            *self._equations.derived.core.states,
            *(f"{D}{one}" for one in self._run.block.program.inputs),
        )
        wanted = {columns[name][0] for name in names if name in columns}
        return tuple(array if index in wanted else array[:0] for index, array in enumerate(kept))

    def _kept(self, number: int) -> tuple[Array, ...]:
        piece = self._pieces[number]
        if self._run.is_kept:
            return piece.kept
        recent = self._recent  # another thread may put another segment's there
        if recent is None or recent[0] != number:
            recent = self._recent = number, self._call(number, self._forward(number), piece.carried)
        return recent[1]

    def _rows_of(self, kept: Array) -> Array:
        """Give an array its row axis back."""
        return kept[:, None] if self._run.mode == ONE_ROW else kept

    # ── parameters ───────────────────────────────────────────────────────────────────

    def _part(
        self, number: int, known: Mapping[str, Array], kept: tuple[Array, ...], steps: slice = slice(None)
    ) -> dict[str, Array]:
        """The parameters' gradients of some steps of a segment."""
        axes = 1 if self._run.mode == ONE_ROW else 2
        arrays = tuple([array[steps] if len(array) else array for array in kept])
        forward = {name: value[steps] for name, value in known.items()}
        rows = {**self._run.block.parameters, **_with_axis(forward, axes)}
        if not self._equations.has_plan_for_all:
            whole = self._vectors(number, known, kept)
            rows |= _with_axis({name: value[steps] for name, value in whole.items()}, axes)
        return self._equations.gradients(rows, arrays)

    def _add(self, part: dict[str, Array]) -> None:
        for name, value in part.items():
            known = self.gradients.get(name)
            self.gradients[name] = value if known is None else known + value

    def _later(self, t: int) -> dict[str, Array]:
        """The sums over the steps that come before `t` in the backward pass, under torch's names."""
        found: dict[str, Array] = {}
        here, k = self._run.place(t)
        for number in range(len(self._run.segments) - 1, here - 1, -1):
            steps = slice(k + 1, None) if number == here else slice(None)
            part = self._part(number, self._forward(number), self._kept(number), steps)
            for name, value in part.items():
                found[name] = value if name not in found else found[name] + value
        return found

    # ── what is not finite ───────────────────────────────────────────────────────────

    def suspect(self) -> int | None:
        """Give the step that comes first in the backward pass of those that may have a number that is not finite, or None."""
        if self._is_bounded():
            return None
        read, so_far = self._equations.forward_names, 0.0
        for number, segment in reversed(list(enumerate(self._run.segments))):
            known, kept = self._forward(number), self._kept(number)
            gradients = [*self._vectors(number, known, kept).values(), *self._outside_of(number).values()]
            beside = [known[name] for name in read]
            parameters = self._run.block.parameters
            is_suspect, so_far = suspicions(self._equations, parameters, gradients, beside, so_far)
            found = np.flatnonzero(is_suspect)
            if found.size:
                return segment.order(self._run.block.direction)[int(found[-1])]
        return None

    def _is_bounded(self) -> bool:
        """Whether magnitudes alone show that everything is finite."""
        derived, run = self._equations.derived, self._run
        if derived.gathered or derived.fixed:
            return False
        measured: dict[str, float] = {}
        for name, (index, _, _) in self._compiled.columns.items():
            pieces = [(self._pieces[number].kept[index], one) for number, one in enumerate(run.segments)]
            if all(len(piece) == one.stop - one.start for piece, one in pieces):
                measured[name] = max(largest(piece) for piece, _ in pieces)
        outside = {name: largest(whole) for name, whole in self._outside.items()}
        known = {**bounds_of_run(run), **outside}
        for position, state in enumerate(derived.core.states):
            carried = max(largest(piece.carried[position]) for piece in self._pieces.values())
            known[derived.core.before(state)] = max(carried, measured[state])
        rows = self._equations.rows
        reading = Magnitudes(derived.program, self._above.dtype, rows)
        bounds = reading.lines(derived.core.lines, known, measured)
        g = max(*outside.values(), *bounds.values())
        x = max((known[name] for name in self._equations.forward_names), default=1.0)
        uses = max((len(used) for used in derived.contributions.values()), default=0)
        sums = g * max(x, 1.0) * rows * run.num_steps * max(1, uses)
        return sums < float(np.finfo(self._above.dtype).max) / FAR

    # ── looking ──────────────────────────────────────────────────────────────────────

    def _vectors(self, number: int, known: Mapping[str, Array], kept: tuple[Array, ...]) -> dict[str, Array]:
        """Every line that is a vector over a segment, derived from what is kept."""
        core = self._equations.derived.core
        values = {
            **self._run.block.parameters,
            **known,
            **self._outside_of(number),
        }
        for name, (index, a, b) in self._compiled.columns.items():
            values[name] = kept[index][..., a:b]
        for state, end in zip(core.states, self._pieces[number].carried, strict=True):
            last = end if self._run.mode == ONE_ROW else end[None]
            values[core.before(state)] = np.concatenate((values[state][1:], last))
        names = self._compiled.program.names
        for name in names:
            self._compiled.derive(name, values)
        return {name: values[name] for name in names}

    def gradient(self, name: str) -> Array:
        """∂L/∂ of what entered the block, (T, B, n); zeros where a row is over."""
        index_of = self._compiled.columns.get(f"{D}{name}")
        if index_of is not None:
            index, a, b = index_of
            return self._whole(
                {n: self._rows_of(piece.kept[index])[..., a:b] for n, piece in self._pieces.items()}
            )
        line = self._equations.derived.core.by_name.get(f"{D}{name}")
        if line is None:  # the block does not read it
            size = int(self._run.block.program.shapes[name][0])
            return np.zeros((*self._above.shape[:2], size), self._above.dtype)
        return self._whole({number: self._derived(number, line) for number in self._pieces})

    def _derived(self, number: int, line: Line) -> Array:
        """What a line of the backward pass gives over a segment where no other block reads it, (steps, rows, n)."""
        known, kept = self._forward(number), self._kept(number)
        seen = {**self._run.block.parameters, **known, **self._vectors(number, known, kept)}
        with np.errstate(all="ignore"):
            return self._rows_of(np.asarray(evaluate(line.expression, seen, Values(is_silenced=True))))

    def state(self, name: str) -> Array:
        """∂L/∂ of a state after each step, or of one before it, (T, B, n); zeros where a row is over."""
        if self._run.is_kept and f"{D}{name}" in self._compiled.columns:
            return self.gradient(name)
        with np.errstate(all="ignore"):
            return self._whole(
                {
                    number: self._rows_of(
                        self._vectors(number, self._forward(number), self._kept(number))[f"{D}{name}"]
                    )
                    for number in self._pieces
                }
            )

    def _whole(self, parts: Mapping[int, Array]) -> Array:
        """Put segments together, rows in the order of the batch."""
        steps, rows = self._above.shape[:2]
        whole = np.zeros((steps, rows, next(iter(parts.values())).shape[-1]), self._above.dtype)
        for number, part in parts.items():
            segment = self._run.segments[number]
            whole[segment.start : segment.stop, : segment.rows] = self._run.turned(part)
        return whole if self._run.rows is None else whole[:, self._run.rows.place]

    def values(self, t: int) -> dict[str, Array]:
        """All values of a step; vectors of the live rows."""
        number, k = self._run.place(t)
        core = self._equations.derived.core
        kept, piece = self._kept(number), self._pieces[number]
        live = self._run.live_rows(t)
        forward = self._run.values(t)
        vectors = {name: forward[name] for name in self._equations.forward_names}
        for name, whole in self._outside.items():
            vectors[name] = whole[t] if live is None else whole[t][live]
        for position, state in enumerate(core.states):
            index, a, b = self._compiled.columns[state]
            array = self._rows_of(kept[index])
            following = array[k + 1, :, a:b] if k + 1 < len(array) else piece.carried[position]
            vectors[core.before(state)] = self._run.in_batch_order(following, t)
        for name, (index, a, b) in self._compiled.columns.items():
            vectors[name] = self._run.in_batch_order(self._rows_of(kept[index])[k, :, a:b], t)
        known = {**self._run.block.parameters, **vectors}
        for line in core.lines:
            if line.name not in known:
                known[line.name] = evaluate(line.expression, known, Values(is_silenced=True))
            vectors[line.name] = known[line.name]
        later = self._equations.split(self._later(t))
        parameters = self._run.block.parameters
        return values_of_step(self._equations, parameters, vectors, later, self._every_row(vectors, live))

    def _every_row(self, vectors: Mapping[str, Array], live: NDArray[np.intp] | None) -> dict[str, Array]:
        """The vectors of all rows, with zeros where a row is over."""
        if live is None:
            return dict(vectors)
        found = {}
        for name, value in vectors.items():
            found[name] = np.zeros((self._above.shape[1], value.shape[-1]), value.dtype)
            found[name][live] = value
        return found


def _resized(state: Array, rows: int) -> Array:
    """Let gradients go back with `rows` rows: those whose rows began here leave, others begin with nothing."""
    if len(state) >= rows:
        return state[:rows]
    return np.concatenate((state, np.zeros((rows - len(state), state.shape[1]), state.dtype)))
