"""One block in one step, from given numbers: each line as a value and what it may be off by.

Forward, what a step gives is read in `step_bounds`. Backward, each step of a recurrent block goes back from given
totals ∂L/∂h_t, ∂L/∂c_t, whatever the equations would make of those of the step after it: so all steps are read at
once, and an error of one does not reach the next. What the equations make of them is read too, to be set beside the
totals of the step before. The loss is read from given outputs, forward and backward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass
from rnnstep.engine.loss import LossBlocks
from rnnstep.equations.bounds import Given, Pair, each
from rnnstep.equations.differentiate import Backward, D, backward
from rnnstep.equations.evaluate import evaluate, evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Apply, Expression, Line, Name, Number
from rnnstep.network.graph import Part
from rnnstep.network.time import Mask, TimeAxis, as_computed, opposite
from rnnstep.reference.judge.bounds import Accumulating, Error, Gathering, Rounding, Sized, Sum
from rnnstep.reference.run.loss import given_by_row

Pairs = dict[str, Pair]


def derived(block: Block, given: Iterable[str] = ()) -> Backward:
    """The vector-Jacobian products of a block's lines, for however many rows and steps; `given` as of `backward`."""
    return backward(block.program, block.output, is_summed=False, constant=block.constant, given=given)


def core_block(block: Block, derivation: Backward) -> Block:
    """The backward pass of a recurrent block as a block that carries its states the other way through time."""
    return replace(block, direction=opposite(block.direction), program=derivation.core)


# ── forward ──────────────────────────────────────────────────────────────────────────────────────

SPAN_BYTES = 128 << 20  # numbers of all lines that are compared at once


def given_parameters(block: Block) -> Pairs:
    """Give a block's parameters as both programs are given them."""
    return {name: Given(value) for name, value in block.parameters.items()}


def bounded(
    block: Block, known: Mapping[str, Pair], reading: Rounding, parameters: Pairs | None = None
) -> Pairs:
    """Every line of a block as (value, error), by the equations and not by the compiled function.

    Args:
        block: it.
        known: what it reads, parameters apart.
        reading: of the run's dtype.
        parameters: `given_parameters` of the block, where one has them already.
    """
    given = given_parameters(block) if parameters is None else parameters
    return evaluate_lines(block.program.lines, {**given, **known}, reading)


class LiveRows:
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


# ── backward ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, eq=False)
class Steps:
    """What one side has along a recurrent block, each (T, B, n).

    Attributes:
        entering: what each step read: `x`, and the states before it, `h_prev`.
        after: the states after it.
        above: ∂L/∂ of the output, and of other values that blocks above read, as far as it comes from above; by the value.
        is_remade: whether some of what it is set beside comes from the states of a step computed anew, which may
            be off by what the equations say.
        completed: the states whose totals hold what the equations gave within the step.
    """

    entering: Mapping[str, Pair]
    after: Mapping[str, Pair]
    above: Mapping[str, Pair]
    is_remade: bool = False
    completed: tuple[str, ...] = ()


class RecurrentBack:
    """The backward pass through a recurrent block.

    Attributes:
        block: the forward block.
        derivation: its backward pass.
    """

    def __init__(
        self,
        block: Block,
        steps: Steps,
        living: Mask | None,
        dtype: np.dtype[np.floating],
        *,
        has_sums: bool = True,
    ) -> None:
        self.block = block
        self._has_sums = has_sums
        self.derivation: Backward = derived(block, steps.above)
        self._steps = steps
        self._living = living
        self._reading = Accumulating(dtype)
        self._parameters = given_parameters(block)
        self._shape = steps.above[block.output][0].shape[:2]
        self._spans = list(self._cut())
        count = int(np.prod(self._shape) if living is None else living.sum())
        self._gathering = Rounding(dtype) if len(self._spans) == 1 else Gathering(dtype, count)
        self.parameters: Pairs = {}
        """∂L/∂ of the equations' parameters, if they are wanted, when all spans have been gone through."""
        self.read: dict[str, Array] = {}
        """What each step reads of the step after it, `∂h_next`, (T, B, n), after `through`, too."""

    def _cut(self) -> Iterator[slice]:
        """Spans of steps in the order of the backward pass, none of which holds too many numbers."""
        steps, rows = self._shape
        names = {**self.block.program.shapes, **self.derivation.core.shapes}
        numbers = sum(int((shape or (1,))[-1]) for shape in names.values())
        length = max(1, SPAN_BYTES // max(1, numbers * rows * 16))
        found = [slice(start, min(start + length, steps)) for start in range(0, steps, length)]
        return iter(as_computed(found, opposite(self.block.direction)))

    @property
    def _is_reversed(self) -> bool:
        return self.block.direction == "backward"

    def entering(self, span: slice) -> Pairs:
        """What the lines read but for states and parameters, (steps, B, n)."""
        rows = LiveRows(self._living, span)
        known = self._forward(rows) | self._outside(rows)
        return {name: _back(rows, known[name]) for name in self.derivation.core.inputs}

    def through(self, totals: Mapping[str, Pair]) -> Iterator[tuple[slice, Pairs]]:
        """Go back from ∂L/∂ of each state, (T, B, n); give spans of steps with every line, (steps, B, n).

        The totals among the lines are what the equations give, from the totals of the step after.
        """
        edges: dict[
            str, list[NDArray[Any]]
        ] = {}  # what goes from one span on to the next in the backward pass
        for span in self._spans:
            rows = LiveRows(self._living, span)
            seen, awaited = self._lines(rows, totals)
            edges = self._step_back(rows, span, seen, edges)
            self._gather(seen)
            for line in awaited:
                seen[line.name] = evaluate(line.expression, seen, self._reading)
            yield span, self._given_back(rows, seen)

    def _step_back(
        self, rows: LiveRows, span: slice, seen: Pairs, edges: Mapping[str, list[NDArray[Any]]]
    ) -> dict[str, list[NDArray[Any]]]:
        """Let each step read what the step after it, in the order of computation, sends back."""
        core, found = self.derivation.core, {}
        for name in core.states:
            leaving = Sum.of(seen[name])
            parts = [
                rows.back(np.array(np.broadcast_to(part, leaving[0].shape)))
                for part in (*leaving, leaving.size, leaving.brought)
            ]
            read = [self._next(part, edges[name][k] if edges else None) for k, part in enumerate(parts)]
            found[name] = [part[-1 if self._is_reversed else 0] for part in parts]
            value, error, size, brought = (rows.of_part(part) for part in read)
            seen[core.before(name)] = Sum(value, error, size, leaving.terms, brought)
            whole = self.read.setdefault(core.before(name), self._zeros_like(read[0]))
            whole[span] = read[0]
        return found

    def _zeros_like(self, part: Array) -> Array:
        return np.zeros((*self._shape, part.shape[-1]), part.dtype)

    def _next(self, part: NDArray[Any], edge: NDArray[Any] | None) -> NDArray[Any]:
        beyond = np.zeros_like(part[:1]) if edge is None else edge[None]
        return np.concatenate((beyond, part[:-1]) if self._is_reversed else (part[1:], beyond))

    def along(self, read: Mapping[str, Pair]) -> Iterator[tuple[slice, Pairs]]:
        """Go back from what each step reads of the step after, (T, B, n), `∂h_next`; give spans of steps as `through` does."""
        for span in self._spans:
            rows = LiveRows(self._living, span)
            seen = self._forward(rows) | self._outside(rows)
            seen |= {name: flat(rows, pair) for name, pair in read.items()}
            seen |= evaluate_lines(self.derivation.core.lines, seen, self._reading)
            self._gather(seen)
            yield span, self._given_back(rows, seen)

    def _given_back(self, rows: LiveRows, seen: Pairs) -> Pairs:
        return {line.name: _back(rows, seen[line.name]) for line in self.derivation.core.lines}

    def _lines(self, rows: LiveRows, totals: Mapping[str, Pair]) -> tuple[Pairs, list[Line]]:
        """Every line that can be read without the step after; and those of the totals, which are given."""
        given = {f"{D}{name}": pair for name, pair in totals.items()}
        seen = self._forward(rows) | self._outside(rows)
        awaited = []
        for line in self.derivation.core.lines:
            if line.name in given:
                awaited.append(line)
                seen[line.name] = self._total(line, flat(rows, given[line.name]), seen)
            else:
                seen[line.name] = evaluate(line.expression, seen, self._reading)
        return seen, awaited

    def _total(self, line: Line, given: Pair, seen: Pairs) -> Pair:
        """A total that is given, with what it may be off by where the equations completed it."""
        state = line.name.removeprefix(D)
        if state not in self._steps.completed:
            return given
        value, error = given
        following = self.derivation.core.before(f"{D}{self.block.program.before(state)}")
        within = evaluate(line.expression, {**seen, following: Given(np.zeros_like(value))}, self._reading)
        rounding = np.abs(value, dtype=np.float64) * float(np.finfo(value.dtype).eps) / 2
        return value, error + within[1] + rounding

    def _forward(self, rows: LiveRows) -> Pairs:
        """Parameters and every line of the forward pass, (live rows of the steps, n)."""
        known = {name: flat(rows, pair) for name, pair in self._steps.entering.items()}
        after = {name: flat(rows, pair) for name, pair in self._steps.after.items()}
        lines = bounded(self.block, known, self._reading, self._parameters)
        if self._steps.is_remade:
            after = {name: (value, lines[name][1]) for name, (value, _) in after.items()}
        return {**self._parameters, **known, **lines, **after}

    def _outside(self, rows: LiveRows) -> Pairs:
        """What comes from above, (live rows of the steps, n), as the lines read it."""
        names = {self.block.output: self.derivation.above, **self.derivation.given}
        return {name: flat(rows, self._steps.above[value]) for value, name in names.items()}

    def _gather(self, seen: Pairs) -> None:
        if not self._has_sums:
            return
        gathered = {**seen, **evaluate_lines(self.derivation.gathered, seen, self._gathering)}
        for name, value in self.block.parameters.items():
            total = self.parameters.get(name, Given(np.zeros_like(value)))
            for one in self.derivation.contributions.get(name, ()):
                part = evaluate(one, gathered, self._gathering)
                error = each(part).reshape(value.shape)
                total = total[0] + np.reshape(part[0], value.shape), total[1] + error
            self.parameters[name] = total


def plain_back(block: Block, known: Mapping[str, Pair], above: Pair) -> tuple[Pairs, Pairs]:
    """Go back through a block without states.

    Args:
        block: the forward block.
        known: what it read, (T, B, n), as far as its backward pass reads it; of a look-up the places, (T, B).
        above: ∂L/∂ of what it gave, (T, B, n).

    Returns:
        Every line, (T, B, n), and ∂L/∂ of the parameters.
    """
    derivation = derived(block)
    reading = Accumulating(above[0].dtype)
    parameters = given_parameters(block)
    if not block.program.by_name.keys().isdisjoint(derivation.core.inputs):
        # The slope of a function such as tanh is read from what the function gave.
        known = {**known, **bounded(block, known, Rounding(above[0].dtype), parameters)}
    seen = {**parameters, **known, derivation.above: above}
    lines = evaluate_lines(derivation.core.lines, seen, reading)
    as_rows = {**known, derivation.above: above, **lines}
    if not block.program.banks:  # which have no axis of steps
        as_rows = {name: _one_axis(pair) for name, pair in as_rows.items()}
    sums: Pairs = {}
    for name in block.learnt_in:
        total: Pair = Given(np.zeros_like(block.parameters[name]))
        for one in derivation.contributions.get(name, ()):
            part, error = evaluate(one, {**parameters, **as_rows}, reading)
            total = total[0] + part, total[1] + error
        sums[name] = total
    return lines | _banks_back(derivation, {**parameters, **as_rows}, reading), sums


def _banks_back(derivation: Backward, known: Mapping[str, Pair], reading: Rounding) -> Pairs:
    """∂L/∂ of what is read whole, (B, S, n), summed over the steps in any order."""
    found: Pairs = {}
    for name, shares in derivation.of_banks.items():
        total: Pair = Given(np.zeros_like(known[name][0]))
        for share in shares:
            value, error = evaluate(share, known, reading)
            part = over_steps(value, np.broadcast_to(error, value.shape))
            total = reading.apply("add", (total, part))
        found[f"{D}{name}"] = total
    return found


def over_steps(values: Array, errors: Error) -> Pair:
    """The sum along the first axis, in any order."""
    with np.errstate(all="ignore"):
        largest = np.abs(values, dtype=np.float64).sum(axis=0)
        rounding = len(values) * float(np.finfo(values.dtype).eps) / 2
        return values.sum(axis=0), errors.sum(axis=0) + rounding * (largest + errors.sum(axis=0))


def _one_axis(pair: Pair) -> Pair:
    """Make the axes of steps and rows one; an index has no other."""
    value = pair[0]
    shape = (-1, *np.shape(value)[2:])
    return np.reshape(value, shape), each(pair).reshape(shape)


def flat(rows: LiveRows, pair: Pair) -> Pair:
    """(T, B, n) → (live rows of the steps, n), with the error."""
    if isinstance(pair, Given):
        return Given(rows.of(pair[0]))
    return Sized((rows.of(pair[0]), rows.of(each(pair))))


def _back(rows: LiveRows, pair: Pair) -> Pair:
    return rows.back(pair[0]), rows.back(np.array(each(pair)))


# ── the loss ─────────────────────────────────────────────────────────────────────────────────────

# torch.nn.BCEWithLogitsLoss is (1 − y)·s − ln σ(s), which is off by more where s is large: both must have room.
_BCE_OF_TORCH: Expression = Apply(
    "sub",
    (
        Apply("mul", (Apply("sub", (Number(1.0, "1"), Name("target"))), Name("logits"))),
        Apply("neg", (Apply("softplus", (Apply("neg", (Name("logits"),)),)),)),
    ),
)


class LossBounds:
    """A batch's loss from outputs and their errors, (T, B, n); of the final state (1, B, n).

    Attributes:
        blocks: the loss.
        outputs: what it compares with the target.
    """

    def __init__(self, blocks: LossBlocks, outputs: Pair) -> None:
        self.blocks = blocks
        self.outputs = outputs
        self._reading = Rounding(outputs[0].dtype)

    @cached_property
    def lines(self) -> dict[str, Pair]:
        """All that the block `loss` reads and gives, (T, B, n)."""
        program = self.blocks.loss.program
        known: dict[str, Pair] = {next(iter(program.inputs)): self.outputs}
        known |= {name: Given(value) for name, value in given_by_row(self.blocks).items()}  # type: ignore[arg-type]
        # Of scores that are not finite torch's formulas may give infinity where the engine's give NaN.
        is_beyond = ~np.isfinite(self.outputs[0]).all(axis=-1, keepdims=True)
        for line in program.lines:
            value, error = evaluate(line.expression, known, self._reading)
            if line.name == "bce_each":
                error = np.fmax(error, evaluate(_BCE_OF_TORCH, known, self._reading)[1])
            known[line.name] = value, np.where(is_beyond, np.inf, error)
        return known

    @cached_property
    def entries(self) -> dict[str, Pair]:
        """All that the block `total` reads and gives, (N,) and (1,)."""
        program = self.blocks.total.program
        each = next(iter(program.inputs))
        value, error = self.lines[each]
        known = {each: (value.reshape(-1), np.broadcast_to(error, value.shape).reshape(-1))}
        for name, weight in self.blocks.weights.items():  # they are rounded themselves
            known[name] = weight, np.abs(weight, dtype=np.float64) * float(np.finfo(weight.dtype).eps)
        return {**known, **evaluate_lines(program.lines, known, self._reading)}

    @property
    def loss(self) -> Pair:
        """The one number, (1,)."""
        return self.entries["loss"]

    @cached_property
    def back(self) -> Mapping[str, Pair]:
        """∂L/∂ of the lines of `loss` and of its outputs, (T, B, n)."""
        one = np.ones(1, self.outputs[0].dtype)
        total, loss = derived(self.blocks.total), derived(self.blocks.loss)
        entries = evaluate_lines(total.core.lines, {**self.entries, total.above: Given(one)}, self._reading)
        value, error = entries[f"{D}{next(iter(self.blocks.total.program.inputs))}"]
        shape = (*self.outputs[0].shape[:2], 1)
        above = value.reshape(shape), np.broadcast_to(error, value.shape).reshape(shape)
        found = evaluate_lines(loss.core.lines, {**self.lines, loss.above: above}, self._reading)
        return {loss.above: above, **found}


def inputs_of(block: Block, read: NDArray[Any], axis: TimeAxis) -> dict[str, NDArray[Any]]:
    """Each input of a block by its name, out of all of them side by side, (…, n); of windows over that each of their steps."""
    if block.windows:
        return {name: axis.in_window(read, wire) for name, wire in block.windows.items()}
    found, start = {}, 0
    for name in block.brought:
        stop = start + int(block.program.shapes[name][0])
        if stop > read.shape[-1]:  # what comes from another block of the same module
            break
        found[name] = read[..., start:stop]
        start = stop
    return found


def as_banks(done: Pass, block: Block, whole: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What a block reads whole, (B, S, n), from (S', B, n), of S' steps of S; and which of them are live."""
    found = done.banks(block.key)
    return {name: _in_place(value, whole[name]) if name in whole else value for name, value in found.items()}


def as_steps(bank: Pair, num_steps: int) -> Pair:
    """(B, S, n) with its error as (S', B, n), of the steps that there are."""
    value, error = (np.swapaxes(np.broadcast_to(part, bank[0].shape), 0, 1)[:num_steps] for part in bank)
    return value, error


def _in_place(like: NDArray[Any], whole: NDArray[Any]) -> NDArray[Any]:
    bank = np.zeros(like.shape, whole.dtype)
    bank[:, : len(whole)] = whole.swapaxes(0, 1)
    return bank


def spread_rows(part: NDArray[Any], rows: NDArray[np.intp], shape: tuple[int, int]) -> NDArray[Any]:
    """(live rows, n), or what is the same in all of them → (1, B, n)."""
    whole = np.zeros((1, *shape), part.dtype)
    whole[0, rows] = part
    return whole


def side_by_side(parts: Sequence[Part], by_key: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The arrays (…, n) of the blocks that computed a value, side by side."""
    found = [by_key[part.wire.block] for part in parts]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=-1)
