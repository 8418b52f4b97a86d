"""Running one recurrent block over time: whole, in pieces, packed, forwards or backwards.

A run is a row of segments. A segment is a stretch of steps with the same live rows; usually
there is just one. A packed batch has one for each number of rows alive (rows are sorted by
length, so the live ones come first); a long run is cut so that no piece is large. The compiled
function runs a segment in one call, or a large one portion by portion: what it computes of the
inputs of a few steps is then still in the processor's cache when it comes to their states. The
same segment run again gives the same bits, so a run may forget all but its states and compute
a place anew when it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.array_pool import ArrayPool
from rnnstep.equations.compile import ONE_ROW, ROWS
from rnnstep.equations.magnitudes import Magnitudes, largest
from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Block, Direction
from rnnstep.network.time import RowOrder, TimeAxis, as_computed

SEGMENT_BYTES = 64 << 20  # kept numbers of one call at most, so that a long run needs no memory twice
PORTION_BYTES = 2 << 20  # kept numbers of the steps that are computed together: they stay in the cache
PORTION_ROWS = 512  # of all those steps at least: a product of fewer takes longer for each


@dataclass(slots=True, eq=False)
class Segment:
    """Steps `start` to `stop` (in the order of time) of the first `rows` rows."""

    start: int
    stop: int
    rows: int
    x: Array  # (steps, rows, n): its inputs side by side, in the order of computation
    before: tuple[Array, ...]  # each state before the first step, (rows, size)
    kept: tuple[Array, ...] | None  # what the function gave, or None if it is to be computed anew

    def order(self, direction: Direction) -> range:
        """Its steps as a direction computes them."""
        return as_computed(range(self.start, self.stop), direction)


class BlockRun:
    """What a recurrent block did over one batch; arrays are time-major, `t` counts from 0."""

    def __init__(
        self,
        block: Block,
        prepared: tuple[Any, ...],
        x: Array,
        initial: tuple[Array, ...],
        axis: TimeAxis,
        *,
        is_kept: bool = True,
        is_by_steps: bool = False,
        pool: ArrayPool | None = None,
    ) -> None:
        """Run a block.

        Args:
            block: What is run.
            prepared: Its constants, as `Compiled.prepare` gives them.
            x: Its inputs side by side, (T, B, n).
            initial: Its states before the first step, each (B, n).
            axis: Its time.
            is_kept: Keep all that is computed, and not the states alone.
            is_by_steps: Only make room, for `advance` to go from step to step.
            pool: Where memory comes from.
        """
        self.block = block
        self.is_reversed = block.direction == "backward"
        self._prepared = prepared
        self._pool = ArrayPool() if pool is None else pool
        self._axis = axis
        self._rows = axis.longest_first()
        self._is_kept = is_kept
        self._mode = ONE_ROW if x.shape[1] == 1 else ROWS
        self._function = block.compiled.function(self._mode)
        self._parts = parts_of_inputs(block)
        self._shape, self._dtype = x.shape, x.dtype
        self.segments: list[Segment] = []
        self._states: dict[str, Array] = {}
        self._recent: tuple[int, tuple[Array, ...]] | None = None  # the segment computed anew last
        stretches = self._stretches()
        self._arrays = self._new_arrays(*x.shape[:2]) if self._rows is None else ()
        self._initial = initial if self._rows is None else tuple(state[self._rows.order] for state in initial)
        if is_by_steps:
            self._make_room(x, stretches)
        else:
            self._run(x, stretches)

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self._shape[0])

    def live_rows(self, t: int) -> NDArray[np.intp] | None:
        """The rows of the batch that take part in step `t`, ascending; None when all do."""
        return self._axis.live_rows(t)

    def values(self, t: int) -> dict[str, Array]:
        """All values of step `t`: inputs, states before, and every line; each (live rows, n)."""
        known, shared = self._known(t)
        compiled = self.block.compiled
        named = [*self.block.program.inputs, *self.block.program.befores]
        named += self.block.program.names
        return {
            name: self._by_row(name, compiled.derive(name, known), t) for name in named if name not in shared
        }

    def value(self, name: str, t: int) -> Array:
        """One value of step `t`, (live rows, n)."""
        known, _ = self._known(t)
        return self._by_row(name, self.block.compiled.derive(name, known), t)

    def state(self, name: str) -> Array:
        """A state after every step, (T, B, n); zeros where a packed row is over."""
        if name not in self._states:
            self._states[name] = self._whole(name)
        return self._states[name]

    def final(self, name: str) -> Array:
        """A state at the end of the run, (B, n): at each row's true length, or at step 0 going backwards."""
        return self._axis.final(self.state(name), self.block.direction)

    def over_time(self, name: str, row: int) -> Array | None:
        """One row's value after every step, (T, n), NaN where the row is over; None where only states are kept."""
        if not self._is_kept and name not in self.block.program.states:
            return None
        place = row if self._rows is None else int(self._rows.place[row])
        size = int(self.block.program.shapes[name][0])
        whole = np.full((self.num_steps, size), np.nan, self.segments[0].x.dtype)
        for segment in self.segments:
            if place < segment.rows:
                part = self._row_of(segment, place, name)
                whole[segment.start : segment.stop] = self.turned(part)
        return whole

    def before(self, name: str, t: int) -> Array:
        """A state as step `t` read it, (live rows, n)."""
        return self.value(f"{name}_prev", t)

    def over_segment(self, number: int, names: Iterable[str], part: slice = slice(None)) -> dict[str, Array]:
        """Values at every step of a segment, or at some, in the order of computation, (steps, rows, n).

        Of one row they are (steps, n); of what is made of parameters alone there are no steps.
        """
        segment = self.segments[number]
        kept = self._kept(segment, needs_all=True, number=number)
        compiled = self.block.compiled
        is_one = self._mode == ONE_ROW
        known: dict[str, Array] = dict(self.block.parameters)
        for name, x in self._inputs(segment.x).items():
            known[name] = (x[:, 0] if is_one else x)[part]
        for position, state in enumerate(self.block.program.states):
            before = segment.before[position][0] if is_one else segment.before[position]
            index, a, b = compiled.columns[state]
            whole = np.concatenate((before[None], kept[index][:-1, ..., a:b]))
            known[self.block.program.before(state)] = whole[part]
        for name, (index, a, b) in compiled.columns.items():
            known[name] = kept[index][part][..., a:b]
        return {name: compiled.derive(name, known) for name in names}

    @property
    def mode(self) -> str:
        """Whether the function runs on arrays with a row axis, `ROWS`, or without, `ONE_ROW`."""
        return self._mode

    @property
    def rows(self) -> RowOrder | None:
        """How the rows of a packed batch lie while it runs; None where all are alive all the time."""
        return self._rows

    @property
    def is_kept(self) -> bool:
        """Whether all that was computed is kept, and not the states alone."""
        return self._is_kept

    def place(self, t: int) -> tuple[int, int]:
        """The segment of a step, and the step's place there in the order of computation."""
        for number, segment in enumerate(self.segments):
            if segment.start <= t < segment.stop:
                return number, segment.order(self.block.direction).index(t)
        raise IndexError(t)

    def turned(self, steps: Array) -> Array:
        """Steps in the order of time as they are computed, and the other way round."""
        return as_computed(steps, self.block.direction)

    # ── running ──────────────────────────────────────────────────────────────────────

    def _run(self, x: Array, stretches: Sequence[tuple[int, int, int]]) -> None:
        if self._rows is not None:
            x = x[:, self._rows.order]
        for start, stop, rows in stretches:
            before = self._before(rows)
            piece = x[start:stop, :rows]
            piece = np.ascontiguousarray(self.turned(piece))
            kept = self._call(piece, before, self._arrays_of(start, stop, rows))
            if not self._is_kept:
                kept = tuple(  # a copy of nothing: a part of the array would hold all of it
                    array if index in self._state_arrays else array[:0].copy()
                    for index, array in enumerate(kept)
                )
            self.segments.append(Segment(start, stop, rows, piece, before, kept))

    def _before(self, rows: int) -> tuple[Array, ...]:
        """The states before the next segment, (rows, n)."""
        if not self.segments:
            return tuple([state[:rows] for state in self._initial])
        after = self._after(self.segments[-1])
        return tuple(map(_resized, after, self._initial, [rows] * len(self._initial)))

    def _make_room(self, x: Array, stretches: Sequence[tuple[int, int, int]]) -> None:
        """Make segments without numbers, to be computed step by step."""
        for start, stop, rows in stretches:
            entered = np.empty((stop - start, rows, x.shape[-1]), x.dtype)
            kept = cast(tuple[Array, ...], self._arrays_of(start, stop, rows))  # of all that is computed
            self.segments.append(Segment(start, stop, rows, entered, (), kept))

    def advance(self, t: int, x: Array) -> None:
        """Compute step `t`, which follows on the one computed last, from what enters it, (B, n)."""
        number, k = self.place(t)
        segment = self.segments[number]
        assert segment.kept is not None
        if k == 0:
            following, self.segments = self.segments, self.segments[:number]
            segment.before = self._before(segment.rows)
            self.segments = following
        segment.x[k] = x if self._rows is None else x[self._rows.order[: segment.rows]]
        before = segment.before if k == 0 else self._states_at(segment, k - 1)
        self._call(segment.x[k : k + 1], before, tuple(array[k : k + 1] for array in segment.kept))

    def state_at(self, t: int, name: str) -> Array:
        """A state after step `t`, (B, n); zeros where a row is over."""
        number, k = self.place(t)
        segment = self.segments[number]
        assert segment.kept is not None
        index, a, b = self.block.compiled.columns[name]
        value = self._rows_of(segment.kept[index])[k, :, a:b]
        if self._rows is None:
            return value
        whole = np.zeros((self._shape[1], b - a), value.dtype)
        whole[self._rows.order[: segment.rows]] = value
        return whole

    def _states_at(self, segment: Segment, k: int) -> tuple[Array, ...]:
        """The states after a step of a segment, (rows, n)."""
        assert segment.kept is not None
        return tuple(
            np.ascontiguousarray(self._rows_of(segment.kept[index])[k, :, a:b])
            for index, a, b in self.block.compiled.state_columns
        )

    @cached_property
    def _state_arrays(self) -> frozenset[int]:
        """Which of the kept arrays hold states."""
        return frozenset(index for index, _, _ in self.block.compiled.state_columns)

    def _new_arrays(self, steps: int, rows: int, *, needs_all: bool = False) -> tuple[Array | None, ...]:
        """Arrays for what is kept of so many steps and rows; None for what is not kept."""
        shape = (steps,) if self._mode == ONE_ROW else (steps, rows)
        needs_all |= self._is_kept
        return tuple(
            [
                self._pool.empty((*shape, width), self._dtype)
                if needs_all or index in self._state_arrays
                else None
                for index, width in enumerate(self.block.compiled.widths)
            ]
        )

    def _arrays_of(self, start: int, stop: int, rows: int) -> tuple[Array | None, ...]:
        """The arrays that a segment writes to: its part of those of all steps, where all rows are alive in each."""
        if self._rows is not None:
            return self._new_arrays(stop - start, rows)
        if self.is_reversed:
            start, stop = self.num_steps - stop, self.num_steps - start
        return _part(self._arrays, slice(start, stop))

    def _after(self, segment: Segment) -> list[Array]:
        """The states after a segment's last step in the order of computation, (rows, n)."""
        kept = self._kept(segment, needs_all=False)
        return [self._rows_of(kept[index])[-1, :, a:b] for index, a, b in self.block.compiled.state_columns]

    def _stretches(self) -> list[tuple[int, int, int]]:
        """Cut the steps where the live rows change and where a piece would be too large."""
        steps, rows, _ = self._shape
        bytes_a_step = max(1, self.block.compiled.numbers_a_step * rows * 8)
        if self._rows is None and steps * bytes_a_step <= SEGMENT_BYTES:
            return [(0, steps, rows)]
        cuts = {0, steps}
        if self._rows is not None:
            steps = int(self._rows.lengths[0])
            cuts = {0, *(int(length) for length in self._rows.lengths)}
        most = max(1, SEGMENT_BYTES // bytes_a_step)
        if steps > most:
            cuts |= set(range(0, steps, most))
        ends = sorted(cuts)
        found = [
            (start, stop, rows if self._rows is None else self._rows.num_live(start))
            for start, stop in pairwise(ends)
        ]
        return as_computed(found, self.block.direction)

    def _call(
        self, x: Array, before: tuple[Array, ...], arrays: tuple[Array | None, ...]
    ) -> tuple[Array, ...]:
        """Run the function, a portion of the steps after the other.

        Args:
            x: What enters, (steps, rows, n), in the order of computation.
            before: The states before, each (rows, n).
            arrays: What is kept is written to them; of what has None the numbers of the last portion are given.
        """
        rows = x.shape[1]
        is_one = self._mode == ONE_ROW
        if is_one:
            x, before = x[:, 0], tuple([state[0] for state in before])
        inputs = tuple(self._inputs(x).values())
        portion = (
            len(x) if is_one else self._portion(rows)
        )  # the products of one row's steps take most of its time
        if len(x) < 2 * portion:
            return self._function(*inputs, *before, *self._prepared, *arrays)  # type: ignore[no-any-return]
        gave: tuple[Array, ...] = ()
        for start, stop in pairwise((*range(0, len(x) - portion + 1, portion), len(x))):
            part = slice(start, stop)
            gave = self._function(*_part(inputs, part), *before, *self._prepared, *_part(arrays, part))
            before = tuple([gave[index][-1, ..., a:b] for index, a, b in self.block.compiled.state_columns])
        return tuple([one if array is None else array for array, one in zip(arrays, gave, strict=True)])

    def _portion(self, rows: int) -> int:
        """How many steps of so many rows are computed together."""
        bytes_a_step = max(1, self.block.compiled.numbers_a_step * rows * self._dtype.itemsize)
        return max(PORTION_BYTES // bytes_a_step, -(-PORTION_ROWS // rows))

    def _inputs(self, x: Array) -> dict[str, Array]:
        """Each input's part of what entered, (…, n); of a single one all of it, as it lies."""
        if len(self._parts) == 1:
            return dict.fromkeys(self._parts, x)
        return {name: np.ascontiguousarray(x[..., part]) for name, part in self._parts.items()}

    def _rows_of(self, kept: Array) -> Array:
        """Give a kept array its row axis back."""
        return kept[:, None] if self._mode == ONE_ROW else kept

    # ── looking ──────────────────────────────────────────────────────────────────────

    def _whole(self, name: str) -> Array:
        index, a, b = self.block.compiled.columns[name]
        if self._rows is None:
            array = self._arrays[index]
            assert array is not None  # states are kept in any case
            only = self._rows_of(array)[..., a:b]
            return self.turned(only)
        whole = np.zeros((*self._shape[:2], b - a), self.segments[0].x.dtype)
        for segment in self.segments:
            part = self._rows_of(self._kept(segment, needs_all=False)[index])[..., a:b]
            whole[segment.start : segment.stop, : segment.rows] = self.turned(part)
        return whole[:, self._rows.place]

    def _known(self, t: int) -> tuple[dict[str, Array], frozenset[str]]:
        """What is stored of step `t`, in running order, and the names that are the same at every step."""
        number, k = self.place(t)
        segment = self.segments[number]
        kept = self._kept(segment, needs_all=True, number=number)
        compiled = self.block.compiled
        known: dict[str, Array] = dict(self.block.parameters)
        shared = frozenset(known)
        for name, x in self._inputs(segment.x[k]).items():
            known[name] = x.copy()  # may be the scenario's own array
        for position, name in enumerate(self.block.program.states):
            index, a, b = compiled.columns[name]
            known[f"{name}_prev"] = (
                np.ascontiguousarray(self._rows_of(kept[index])[k - 1, :, a:b])
                if k
                else segment.before[position]
            )
        for name, (index, a, b) in compiled.columns.items():
            known[name] = np.ascontiguousarray(self._rows_of(kept[index])[k, :, a:b])
        return known, shared

    def _row_of(self, segment: Segment, place: int, name: str) -> Array:
        """One row's value at every step of a segment, in the order of computation, (steps, n)."""
        assert segment.kept is not None
        compiled = self.block.compiled
        if name in self.block.program.states:
            index, a, b = compiled.columns[name]
            return self._rows_of(segment.kept[index])[:, place, a:b]
        known: dict[str, Array] = dict(self.block.parameters)
        known.update(self._inputs(segment.x[:, place]))
        for one, (index, a, b) in compiled.columns.items():
            known[one] = self._rows_of(segment.kept[index])[:, place, a:b]
        for position, state in enumerate(self.block.program.states):
            known[f"{state}_prev"] = np.concatenate(
                (segment.before[position][place][None], known[state][:-1])
            )
        return compiled.derive(name, known)

    def _kept(self, segment: Segment, *, needs_all: bool, number: int = 0) -> tuple[Array, ...]:
        assert segment.kept is not None
        if needs_all and not self._is_kept:
            recent = self._recent  # another thread may put another segment's there
            if recent is None or recent[0] != number:
                recent = self._recent = number, self._computed_anew(number)
            return recent[1]
        return segment.kept

    def _computed_anew(self, number: int) -> tuple[Array, ...]:
        segment = self.segments[number]
        with np.errstate(all="ignore"):
            arrays = self._new_arrays(len(segment.x), segment.rows, needs_all=True)
            return self._call(segment.x, segment.before, arrays)

    def _by_row(self, name: str, value: Array, t: int) -> Array:
        """Give a value (live rows, n) in the batch's order; one of parameters alone is the same in each row."""
        shape = self.block.program.shapes[name]
        if len(shape) > 1:
            return value  # a matrix that a user-defined cell makes of its parameters
        if np.ndim(value) < 2:
            rows = self._shape[1] if self._rows is None else self._rows.num_live(t)
            return np.array(np.broadcast_to(value, (rows, int(shape[0]) if shape else 1)))
        return self.in_batch_order(value, t)

    def in_batch_order(self, value: Array, t: int) -> Array:
        """Give the live rows of a step, which run longest first, in the batch's order."""
        if self._rows is None:
            return value
        return value[np.argsort(self._rows.order[: self._rows.num_live(t)], kind="stable")]


def _part(arrays: Sequence[Array | None], steps: slice) -> tuple[Array | None, ...]:
    """Some steps of arrays, where there are any."""
    return tuple([None if array is None else array[steps] for array in arrays])


def _resized(state: Array, initial: Array, rows: int) -> Array:
    """Let a state go on with `rows` rows: the ended ones leave, new ones begin as they were given."""
    if len(state) >= rows:
        return state[:rows]
    return np.concatenate((state, initial[len(state) : rows]))


def parts_of_inputs(block: Block) -> dict[str, slice]:
    """Where each input of a block with states stands among what enters it, side by side."""
    sizes = [int(shape[0]) for shape in block.program.inputs.values()]
    ends = list(accumulate(sizes))
    return {
        name: slice(end - size, end)
        for name, size, end in zip(block.program.inputs, sizes, ends, strict=True)
    }


def bounds_of_run(run: BlockRun) -> dict[str, float]:
    """Give for each line of a recurrent run a magnitude that none of its elements passes; `UNKNOWN` where none is known."""
    block = run.block
    kept: dict[int, float] = {}
    for index in {column[0] for column in block.compiled.columns.values()}:
        pieces = [None if segment.kept is None else segment.kept[index] for segment in run.segments]
        whole = zip(pieces, run.segments, strict=True)
        if all(piece is not None and len(piece) == one.stop - one.start for piece, one in whole):
            kept[index] = max(largest(piece) for piece in pieces if piece is not None)
    measured = {name: kept[index] for name, (index, _, _) in block.compiled.columns.items() if index in kept}
    known = {name: largest(value) for name, value in block.parameters.items()}
    for name, part in parts_of_inputs(block).items():
        known[name] = max(largest(segment.x[..., part]) for segment in run.segments)
    for position, state in enumerate(block.program.states):
        before = max(largest(segment.before[position]) for segment in run.segments)
        known[block.program.before(state)] = max(before, measured[state])
    reading = Magnitudes(block.program, run.segments[0].x.dtype)
    return {**known, **reading.lines(block.program.lines, known, measured)}
