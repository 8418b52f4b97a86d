"""Two runs under one another: what each has of a value, how far they are apart, and where they first part.

A difference is the first run's number minus the second's; where both are not finite in the same way it is 0. What one
run alone has, and what has other shapes in the two, has none: it is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Pass, TraceStep
from rnnstep.engine.learning import Learning
from rnnstep.equations.operations import Array
from rnnstep.reports.formats import strict
from rnnstep.reports.gradients import Gradients, StateGradient, gradients_json
from rnnstep.reports.trace import Selection, trace_json
from rnnstep.reports.training import EpochResult, TrainingRun, training_json
from rnnstep.scenario.beside_value import BesideValue
from rnnstep.scenario.model import Scenario

_RESULTS = ("output", "h_n", "c_n", "logits")


def apart(first: Any, second: Any) -> NDArray[np.float64] | None:
    """Give first − second in float64, 0 where both are the same or both NaN; None where the shapes differ."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape:
        return None
    with np.errstate(invalid="ignore"):
        gap = one - other
    return np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, gap)


def largest(gap: NDArray[np.float64]) -> float:
    """Give the largest magnitude of a difference; NaN where one of the two runs alone is NaN somewhere."""
    return float(np.max(np.abs(gap), initial=0.0))


def at_epoch(scenario: Scenario, value: BesideValue) -> Scenario:
    """Give a scenario with the parameters with which its training begins an epoch; it is trained so far."""
    if value.epoch is None:
        return scenario
    learning = Learning(scenario, is_looked_through=False)
    state = learning.state(value.epoch)
    return scenario.with_parameters(learning.trainer.parameters_at(state))


# ── values ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False, slots=True)
class ValuePair:
    """A value in both runs.

    Attributes:
        name: what it is called.
        place: where it stands: `3/L0/h`, or its name where it belongs to the whole run.
        first: the first run's, of rows of the batch (rows, n); None where that has none.
        second: the second run's; None where that has none.
        rows: which rows of the batch; None where it is of none.
    """

    name: str
    place: str
    first: Array | None
    second: Array | None
    rows: list[int] | None = None

    @property
    def difference(self) -> NDArray[np.float64] | None:
        """First − second; None where one has no such value, or another shape."""
        if self.first is None or self.second is None:
            return None
        return apart(self.first, self.second)

    def by_row(self) -> Iterator[ValuePair]:
        """Give the same row by row of the batch."""
        if self.rows is None:
            yield self
            return
        for position, row in enumerate(self.rows):
            ours, theirs = (None if one is None else one[position] for one in (self.first, self.second))
            yield ValuePair(self.name, self.place, ours, theirs, [row])


@dataclass(frozen=True, slots=True)
class Parting:
    """The first number in which two runs differ: its place, and what each has there."""

    place: str
    first: float
    second: float


@dataclass
class Differences:
    """What is known of the differences between two runs after some values were looked at.

    Attributes:
        largest: by name the largest magnitude; None where the shapes differ.
        first: where the runs first differ, in the order of computation.
        only: what the first run alone has, and the second alone, by name.
    """

    largest: dict[str, float | None] = field(default_factory=dict)
    first: Parting | None = None
    only: tuple[dict[str, None], dict[str, None]] = field(default_factory=lambda: ({}, {}))

    def take(self, pair: ValuePair) -> None:
        """Look at a value of both runs."""
        if pair.first is None or pair.second is None:
            self.only[0 if pair.second is None else 1][pair.name] = None
            return
        gap = pair.difference
        known = self.largest.get(pair.name, 0.0)
        if gap is None or known is None:
            self.largest[pair.name] = None
            return
        reach = largest(gap)
        self.largest[pair.name] = (
            reach if np.isnan(reach) else known if np.isnan(known) else max(known, reach)
        )
        if self.first is None and reach != 0:
            index = tuple(int(part) for part in np.argwhere(gap != 0)[0])
            row = "" if pair.rows is None else f"@row{pair.rows[index[0]]}"
            inner = index if pair.rows is None else index[1:]
            element = f"[{','.join(map(str, inner))}]" if inner else ""
            row = "" if row == "@row0" else row
            self.first = Parting(
                f"{pair.place}{element}{row}", float(pair.first[index]), float(pair.second[index])
            )

    @property
    def alone(self) -> tuple[list[str], list[str]]:
        """What each run alone has: a name that stands in both somewhere is not meant."""
        both = self.largest.keys() | (self.only[0].keys() & self.only[1].keys())
        return tuple([name for name in names if name not in both] for names in self.only)  # type: ignore[return-value]


# ── traces ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False, slots=True)
class StepPair:
    """A step of both runs; `second` is None where the second has none like it."""

    first: TraceStep
    second: TraceStep | None
    pairs: list[ValuePair]


class TracePair:
    """Two runs, the values of the one under the other's.

    Attributes:
        first: what is shown of the first run.
        second: the same of the second.
        differences: after `steps` has been walked: what was found.
    """

    def __init__(self, first: Selection, second: Selection) -> None:
        self.first = first
        self.second = second
        self.differences = Differences()
        runs = (first.run, second.run)
        self._is_network = all(run.scenario.is_network for run in runs)
        self._by_place: dict[tuple[Any, ...], tuple[Pass, str, int]] = {}
        for done in second.run.trace.passes:
            for t, key in done.recurrent_steps():
                self._by_place.setdefault(self._place(TraceStep(done, key, t)), (done, key, t))
        self._seen: set[tuple[Any, ...]] = set()

    def _place(self, step: TraceStep) -> tuple[Any, ...]:
        """Where a step is, so that the other run's is found: modules and sequences of networks by their names."""
        name = (step.module, step.sequence) if self._is_network else ()
        return (step.batch, step.t, step.layer, step.direction, *name)

    def steps(self) -> Iterator[StepPair]:
        """Walk the steps of the first run in order of computation, as far as it is shown."""
        self.differences = Differences()
        self._seen.clear()
        for seen in self.first.steps():
            place = self._place(seen.step)
            found = self._by_place.get(place)
            second = None if found is None else TraceStep(*found)
            values = {**seen.step, **seen.watched}
            others: Mapping[str, Array] = {}
            if second is not None and found is not None:
                self._seen.add(place)
                block = found[0].by_key[found[1]]
                others = {**second, **self.second.watched(block, second)}
            pairs = list(self._pairs(seen.step, second, values, others))
            for pair in pairs:
                self.differences.take(pair)
            yield StepPair(seen.step, second, pairs)

    @property
    def missed(self) -> int:
        """How many steps of blocks the second run has that the first has not, after `steps` has been walked."""
        return 0 if self.first.stopped is not None else len(self._by_place.keys() - self._seen)

    def _pairs(
        self,
        first: TraceStep,
        second: TraceStep | None,
        values: Mapping[str, Array],
        others: Mapping[str, Array],
    ) -> Iterator[ValuePair]:
        """The values of a step, those of the second run alone behind the others."""
        where = self._where(first)
        lives = (_rows(first, values), [] if second is None else _rows(second, others))
        for name in dict.fromkeys((*values, *others)):
            given = (values.get(name), others.get(name))
            yield from _aligned(name, f"{where}/{name}", given, lives)

    def _where(self, step: TraceStep) -> str:
        scenario = self.first.run.scenario
        batch = f"{step.batch + 1}:" if len(scenario.batches) > 1 else ""
        sequences = {block.sequence for block in self.first.run.trace.passes[step.batch].blocks}
        sequence = f"{step.sequence}:" if len(sequences) > 1 else ""
        return f"{batch}{sequence}{step.t + 1}/{step.key}"

    def results(self) -> Iterator[ValuePair]:
        """Give output, h_n, c_n and logits, those that either run has; of several batches each batch's."""
        runs = (self.first.run, self.second.run)
        for name in _RESULTS:
            found = [_batches(getattr(run, name)) for run in runs]
            for index in range(max(map(len, found))):
                ours, theirs = (arrays[index] if index < len(arrays) else None for arrays in found)
                batch = f"{index + 1}:" if max(map(len, found)) > 1 else ""
                yield ValuePair(name, f"{batch}{name}", ours, theirs)

    def all_differences(self) -> Differences:
        """Walk everything; steps before results, as they are computed."""
        for _ in self.steps():
            pass
        for pair in self.results():
            self.differences.take(pair)
        return self.differences


def _aligned(
    name: str,
    place: str,
    given: tuple[Array | None, Array | None],
    lives: tuple[list[int], list[int]],
) -> Iterator[ValuePair]:
    """A value (rows, n) of both runs in the rows that both have, and behind it those of one alone."""
    first, second = given
    if first is not None and second is not None:
        both = [row for row in lives[0] if row in set(lives[1])]
        if both:
            yield ValuePair(
                name, place, _of_rows(first, lives[0], both), _of_rows(second, lives[1], both), both
            )
    for number, (value, live, others) in enumerate(
        (
            (first, lives[0], lives[1] if second is not None else []),
            (second, lives[1], lives[0] if first is not None else []),
        )
    ):
        alone = [row for row in live if row not in set(others)]
        if value is not None and alone:
            found = _of_rows(value, live, alone)
            yield ValuePair(name, place, None if number else found, found if number else None, alone)


def _of_rows(value: Array, live: list[int], wanted: list[int]) -> Array:
    return value if live == wanted else np.asarray(value[[live.index(row) for row in wanted]])


def _rows(step: TraceStep, values: Mapping[str, Array]) -> list[int]:
    if step.rows is not None:
        return [int(row) for row in step.rows]
    return list(range(len(next(iter(values.values())))))


def _batches(found: Any) -> Sequence[Array]:
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def trace_pair_json(pair: TracePair) -> Iterator[str]:
    """Give the text of `{"runs": [A, B], "difference": {key: number}}`."""
    found = pair.all_differences()
    results = {name: found.largest[name] for name in _RESULTS if name in found.largest}
    yield from _pair_json(trace_json(pair.first), trace_json(pair.second), {**results, **found.largest})


def _pair_json(
    first: Iterable[str], second: Iterable[str], difference: Mapping[str, float | None]
) -> Iterator[str]:
    yield '{"runs": ['
    yield from first
    yield ","
    yield from second
    yield f'],\n"difference": {strict(dict(difference))}}}\n'


# ── gradients ────────────────────────────────────────────────────────────────────────────────────


class GradientPair:
    """The gradients of two runs."""

    def __init__(self, first: Gradients, second: Gradients) -> None:
        self.first = first
        self.second = second

    def whole(self) -> Iterator[ValuePair]:
        """Give the loss, and the gradients of all parameters that either has; of several batches each batch's."""
        both = (self.first, self.second)
        names = dict.fromkeys((*self.first.parameters, *self.second.parameters))
        for name in ("loss", *names):
            found = [_of_each_batch(one, name) for one in both]
            for index in range(max(map(len, found))):
                ours, theirs = (arrays[index] if index < len(arrays) else None for arrays in found)
                batch = f"{index + 1}:" if max(map(len, found)) > 1 else ""
                yield ValuePair(name, f"{batch}{name}", ours, theirs)

    def states(self) -> Iterator[ValuePair]:
        """Give ∂L/∂ of every state, in the order of the forward pass, row by row."""
        others = {_state_place(one): one for one in reversed(self.second.states)}
        for one in self.first.states:
            other = others.get(_state_place(one))
            lives = (_state_rows(one), [] if other is None else _state_rows(other))
            batch = f"{one.batch + 1}:" if len(self.first.passes) > 1 else ""
            for name in dict.fromkeys((*one, *(other or ()))):
                given = (one.get(name), None if other is None else other.get(name))
                yield from _aligned(name, f"backward:{batch}{one.t + 1}/{one.key}/∂{name}", given, lives)

    def all_differences(self) -> Differences:
        """Look at everything."""
        found = Differences()
        for pair in (*self.whole(), *self.states()):
            found.take(pair)
        return found


def _of_each_batch(found: Gradients, name: str) -> Sequence[Array]:
    value = found.loss if name == "loss" else found.parameters.get(name)
    if value is None:
        return ()
    return [np.asarray(one) for one in value] if isinstance(value, list) else [np.asarray(value)]


def _state_place(one: StateGradient) -> tuple[Any, ...]:
    return (one.batch, one.t, one.layer, one.direction)


def _state_rows(one: StateGradient) -> list[int]:
    return list(range(len(next(iter(one.values()))))) if one.rows is None else [int(row) for row in one.rows]


def gradient_pair_json(pair: GradientPair) -> Iterator[str]:
    """Give the text of `{"runs": [A, B], "difference": {key: number}}`."""
    yield from _pair_json(
        gradients_json(pair.first), gradients_json(pair.second), pair.all_differences().largest
    )


# ── training ─────────────────────────────────────────────────────────────────────────────────────


class TrainingPair:
    """Two trainings, an epoch of the one beside an epoch of the other.

    Attributes:
        first: the first.
        second: the second.
        skipped: how many epochs the second is ahead.
    """

    def __init__(self, first: TrainingRun, second: TrainingRun, skipped: int = 0) -> None:
        self.first = first
        self.second = second
        self.skipped = skipped

    def epochs(self, results: Iterable[EpochResult]) -> Iterator[tuple[EpochResult, EpochResult | None]]:
        """Go through both at once, as the first goes on; None where the second has no more epochs."""
        while len(self.second.epochs) < self.skipped:
            self.second.advance()
        for result in results:
            yield result, None if self.second.is_done else self.second.advance()

    def difference(self) -> dict[str, float | None]:
        """Give the largest difference of the losses of epochs that stand beside each other."""
        later = self.second.epochs[self.skipped :]
        both = list(zip(self.first.epochs, later, strict=False))
        gap = apart([one.loss for one, _ in both], [other.loss for _, other in both])
        return {"loss": None if gap is None else largest(gap)}


def training_pair_json(pair: TrainingPair, results: Iterable[EpochResult]) -> Iterator[str]:
    """Give the text of `{"runs": [A, B], "difference": {key: number}}`, when the trainings are done."""
    for _ in pair.epochs(results):
        pass
    if pair.first.is_done:
        pair.second.finish()
    yield from _pair_json(
        training_json(pair.first, pair.first.epochs),
        training_json(pair.second, pair.second.epochs[pair.skipped :]),
        pair.difference(),
    )
