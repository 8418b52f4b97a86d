"""The bound carried through time: how far two right programs may part, each on its own states.

The values of every operation along the engine's run are known for all steps at once; only the errors are walked through
time. The error of h_{t-1} enters step t, and a layer's error enters the layer above. `RunErrors` has the errors of
a whole batch, backward pass included: infinity where they have outgrown the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.equations.bounds import Given, Pair, each
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.syntax import Apply, Expression, Name, Number, Pick
from rnnstep.network.graph import Part, is_join
from rnnstep.network.time import Mask, as_computed
from rnnstep.network.wires import When
from rnnstep.reference.judge.block_bounds import LossBounds, bounded
from rnnstep.reference.judge.bounds import A_NUMBER, Error, Product, Rounding
from rnnstep.reference.judge.circle_bounds import errors_around

WINDOW_BYTES = 64 << 20  # values of all operations held at once

Entering = (
    Mapping[str, Pair] | Callable[[slice], Mapping[str, Pair]]
)  # what enters, or how to read some steps of it


def carried_errors(
    block: Block,
    inputs: Entering,
    before: Mapping[str, Array],
    dtype: np.dtype[np.floating],
    living: Mask | None,
    first: Mapping[str, Error] | None = None,
) -> dict[str, Error]:
    """Bound the error of each state after every step of our run.

    Args:
        block: a recurrent block, or the backward pass through one.
        inputs: what entered it along our run, (T, B, I), and its error; where that would be much, how to read
            a stretch of steps.
        before: what each step read of each state, (T, B, n), along our run.
        dtype: that of the run.
        living: which rows take part in which step, (T, B); None when all do.
        first: the errors of the states before the first step, (B, n); none without.

    Returns:
        For each state an array (T, B, n): infinity from where on the errors have outgrown the values.
    """
    steps, rows = next(iter(before.values())).shape[:2]
    errors: Mapping[str, Error] = {name: np.zeros((rows, value.shape[-1])) for name, value in before.items()}
    errors = {**errors, **(first or {})}
    # What is not walked through is beyond a bound: infinity.
    whole = {name: np.full(value.shape, np.inf) for name, value in before.items()}
    sizes = sum(int((shape or (1,))[-1]) for shape in block.program.shapes.values())
    window = max(1, WINDOW_BYTES // max(1, sizes * rows * 16))
    starts = range(0, steps, window)
    is_reversed = block.direction == "backward"
    for start in as_computed(starts, block.direction):
        part = slice(start, min(start + window, steps))
        walk = _Walk(
            block, _entering(inputs, part), {name: value[part] for name, value in before.items()}, dtype
        )
        with np.errstate(all="ignore"):
            for t in as_computed(range(part.start, part.stop), block.direction):
                after = {name: error[t] for name, error in whole.items()}
                walk.step(t - start, errors, after)
                has_ended = None if living is None else ~living[t]
                if has_ended is not None:
                    for error in after.values():
                        error[has_ended] = 0.0
                if walk.is_of_no_use(t - start, after, None if is_reversed else has_ended):
                    return whole
                errors = after
    return whole


def _entering(inputs: Entering, part: slice) -> Mapping[str, Pair]:
    if callable(inputs):
        return inputs(part)
    return {name: _steps_of(pair, part) for name, pair in inputs.items()}


def _steps_of(pair: Pair, part: slice) -> Pair:
    value, error = pair[0][part], pair[1][part]
    return Product(value, error, pair.terms) if isinstance(pair, Product) else (value, error)


@dataclass(eq=False)
class _Value:
    """One value of a window: over its steps, or of parameters alone; its error too, unless it reads a state."""

    value: Array
    error: Error | None
    over_time: bool
    terms: int = 0  # of a matrix product: how many each of its elements is the sum of

    @property
    def pair(self) -> Pair:
        """The value with its error, which it has."""
        assert self.error is not None
        return Product(self.value, self.error, self.terms) if self.terms else (self.value, self.error)

    @property
    def without_error(self) -> Pair:
        """The value as if it were given, but for what it is a sum of."""
        return Product(self.value, np.zeros(()), self.terms) if self.terms else Given(self.value)

    def at(self, k: int) -> Array:
        return self.value[k] if self.over_time else self.value

    def error_at(self, k: int) -> Error:
        assert self.error is not None
        return self.error[k] if self.over_time and np.ndim(self.error) else self.error


_Known = dict[_Value, Error]  # the errors of one step
_Rule = Callable[[int, _Known], Error]
_LEAST = 5e-324  # in place of a factor of zero, so that an unbounded error stays unbounded


class _Walk:
    """The operations of a window of steps, with what of their errors does not depend on the states' errors."""

    def __init__(
        self,
        block: Block,
        inputs: Mapping[str, Pair],
        before: Mapping[str, Array],
        dtype: np.dtype[np.floating],
    ) -> None:
        self._reading = Rounding(dtype)
        self._roundoff = float(np.finfo(dtype).eps) / 2
        self._largest = float(np.finfo(dtype).max) * 0.999
        self._rules: list[tuple[_Value, _Rule]] = []
        self._made: dict[Expression, _Value] = {}
        self._states = {name: _Value(value, None, over_time=True) for name, value in before.items()}
        self._known: dict[str, _Value] = {
            **{name: _Value(*Given(value), over_time=False) for name, value in block.parameters.items()},
            **{name: _entered(pair) for name, pair in inputs.items()},
            **{block.program.before(name): value for name, value in self._states.items()},
        }
        for line in block.program.lines:
            self._known[line.name] = self._visit(line.expression)
        self._after = {name: self._known[name] for name in before}

    def step(self, k: int, errors: Mapping[str, Error], after: Mapping[str, Error]) -> None:
        """Carry the states' errors through step `k` of the window, and write those after it where they belong."""
        known: _Known = {self._states[name]: error for name, error in errors.items()}
        for value, rule in self._rules:
            known[value] = rule(k, known)
        for name, found in after.items():
            value = self._after[name]
            found[:] = known[value] if value in known else value.error_at(k)
            if not found.max() < self._least_room[name]:
                found[~(found < self._room[name][k])] = np.inf

    def is_of_no_use(self, k: int, errors: Mapping[str, Error], has_ended: Mask | None) -> bool:
        """Whether all errors are larger than the values, or 1: what grows so far does not shrink again.

        `has_ended` says which rows are over for good, (B,).
        """
        for name, error in errors.items():
            if has_ended is None and error.item(0) <= 1.0:  # nearly always the first tells
                return False
            is_large = error > self._usable[name][k]
            if has_ended is not None:
                is_large |= has_ended[:, None]
            if not is_large.all():
                return False
        return bool(errors)

    @cached_property
    def _room(self) -> dict[str, Error]:
        """How far off each state may be before it may have overflowed, at each step; nothing that isn't finite may."""
        return {name: self._largest - size for name, size in self._after_sizes.items()}

    @cached_property
    def _least_room(self) -> dict[str, float]:
        return {name: float(room.min()) for name, room in self._room.items()}

    @cached_property
    def _usable(self) -> dict[str, Error]:
        """Beyond which error there is nothing to be said of a state, at each step."""
        return {name: np.maximum(1.0, size) for name, size in self._after_sizes.items()}

    @cached_property
    def _after_sizes(self) -> dict[str, Error]:
        return {
            name: np.abs(np.broadcast_to(self._after[name].value, before.value.shape), dtype=np.float64)
            for name, before in self._states.items()
        }

    def _visit(self, expression: Expression) -> _Value:
        match expression:
            case Name(id=name):
                return self._known[name]
            case Number(value=number):
                value, error = self._reading.number(number)
                return _Value(value, error, over_time=False)
        known = self._made.get(expression)
        if known is None:
            known = self._made[expression] = self._made_of(expression)
        return known

    def _made_of(self, expression: Expression) -> _Value:
        if isinstance(expression, Pick):
            return self._pick(self._visit(expression.base), expression.index)
        assert isinstance(expression, Apply)
        args = tuple(self._visit(argument) for argument in expression.args)
        over_time = any(argument.over_time for argument in args)
        if all(argument.error is not None for argument in args):
            value, error = self._reading.apply(expression.op, tuple(argument.pair for argument in args))
            error = np.where(error >= A_NUMBER, np.inf, error)  # the rules of a step know one doubt alone
            return _Value(value, error, over_time=over_time, terms=_terms(expression.op, args))
        with np.errstate(all="ignore"):
            value = OPERATIONS[expression.op].forward(*(a.value for a in args))
            made = _Value(value, None, over_time=True, terms=_terms(expression.op, args))
            self._rules.append((made, self._rule(expression.op, made, args)))
        return made

    def _pick(self, base: _Value, index: int) -> _Value:
        start = index % base.value.shape[-1]
        part = slice(start, start + 1)
        if base.error is not None:
            value, error = self._reading.pick(base.pair, index)
            return _Value(value, error, over_time=base.over_time)
        made = _Value(base.value[..., part], None, over_time=True)
        self._rules.append((made, lambda _, known: known[base][..., part]))
        return made

    def _rule(self, op: str, made: _Value, args: tuple[_Value, ...]) -> _Rule:
        """How an operation's error at a step follows from its operands'.

        What does not depend on the states' errors is worked out for all steps of the window: `own`, what the operation adds
        of its own whatever comes in; what known errors bring; and the factors of those that are not known.
        """
        row, u = OPERATIONS[op], self._roundoff
        given = tuple(Given(argument.value) for argument in args)
        own = self._reading.settled(op, made.value, np.asarray(row.error(u, made.value, *given)), given)
        own = each((made.value, own))
        carried = [argument for argument in args if argument.error is None]
        one, other = carried[0], carried[-1]
        match op:
            case "matmul" if args[0].error is not None and not np.any(args[0].error):
                size = _factor(args[0]).T.copy()
                return lambda k, known: known[one] @ size + own[k]
            case "pullback" if not any(a.error is None or np.any(a.error) for a in args[::2]):
                return _pulled(args, own)
            case "neg" | "relu" | "abs":
                return lambda k, known: known[one] + own[k]
            case "add" | "sub":
                own = own + self._reading.onto(tuple(argument.without_error for argument in args))
                own = reduce(np.add, (a.error for a in args if a.error is not None), own)
                if len(carried) == 1:
                    return lambda k, known: known[one] + own[k]
                return lambda k, known: known[one] + known[other] + own[k]
            case "mul" if len(carried) == 1:
                beside = args[1] if one is args[0] else args[0]
                assert beside.error is not None
                own = own + np.abs(one.value) * beside.error
                factor = np.broadcast_to(_factor(beside), own.shape)
                return lambda k, known: known[one] * factor[k] + own[k]
            case "tanh":
                return lambda k, known: _unless_unbounded(np.minimum(known[one], 2.0) + own[k], known[one])
            case "sigmoid":
                return lambda k, known: _unless_unbounded(
                    np.minimum(known[one] / 4, 1.0) + own[k], known[one]
                )
        doubt = np.isinf(own)

        def rule(k: int, known: _Known) -> Error:
            pairs = [(a.at(k), known[a] if a in known else a.error_at(k)) for a in args]
            return np.where(doubt[k], np.inf, row.error(u, made.at(k), *pairs))

        return rule


def _entered(pair: Pair) -> _Value:
    return _Value(*pair, over_time=True, terms=pair.terms if isinstance(pair, Product) else 0)


def _factor(value: _Value) -> Error:
    """|value| and its error, none of them zero."""
    error = 0.0 if value.error is None else value.error
    return np.maximum(np.abs(value.value, dtype=np.float64) + error, _LEAST)


def _unless_unbounded(error: Error, brought: Error) -> Error:
    """The error of what is bounded itself; of what may not be a number, it isn't."""
    is_bounded = np.isfinite(brought)
    return error if is_bounded.all() else np.where(is_bounded, error, np.inf)


def _pulled(args: tuple[_Value, ...], own: Error) -> _Rule:
    """The rule of Σ Wᵀ g with weights that have no error."""
    products = [(_factor(matrix), vector) for matrix, vector in zip(args[::2], args[1::2], strict=True)]

    def pulled(k: int, known: _Known) -> Error:
        found: Error = own[k]
        for size, vector in products:
            found = found + (known[vector] if vector in known else vector.error_at(k)) @ size
        return found

    return pulled


def _terms(op: str, args: tuple[_Value, ...]) -> int:
    return int(args[0].value.shape[-1]) if op == "matmul" else 0


# ── a whole batch ────────────────────────────────────────────────────────────────────────────────


class RunErrors:
    """The errors along one of our runs, each computed when it is asked for.

    Attributes:
        done: the run.
    """

    def __init__(self, done: Pass) -> None:
        self.done = done
        self._scenario = done.scenario
        self._reading = Rounding(done.scenario.dtype)
        self._of_states: dict[str, dict[str, Error]] = {}
        self._of_outputs: dict[str, Error] = {}

    def entering(self, key: str) -> Array:
        """What entered a recurrent block, (T, B, I)."""
        return self.done.entering(key, _first_input(self.done.by_key[key]))

    def before(self, key: str, part: slice = slice(None)) -> dict[str, Array]:
        """What each step of a block, or each of a part, read of its states, (T, B, n), under the states' names."""
        run = self.done.runs[key]
        return {
            name: self.done.axis(key).before(
                run.state(name),
                self.done.first_state(key, name),
                run.block.direction,
                part,
            )
            for name in run.block.program.states
        }

    @cached_property
    def states(self) -> dict[str, dict[str, Error]]:
        """The error of each state of each block after every step, (T, B, n)."""
        return {key: self._states(key) for key in self.done.runs}

    def _states(self, key: str) -> dict[str, Error]:
        self._go_round(key)
        if key not in self._of_states:
            block = self.done.by_key[key]
            inputs: dict[str, Pair] = {_first_input(block): (self.entering(key), self.inputs(key))}
            inputs |= {name: self.read(key, name) for name in block.known_by_step}
            self._of_states[key] = carried_errors(
                block,
                inputs,
                self.before(key),
                self._scenario.dtype,
                self.done.axis(key).alive(),
                {name: self.first(key, name) for name in block.program.states},
            )
        return self._of_states[key]

    def _go_round(self, key: str) -> None:
        """Find the errors of all blocks that read one another of the step before, if a block is one of them."""
        circle = self.done.graph.loop_of.get(key)
        if circle is not None and key not in self._of_states and key not in self._of_outputs:
            found = errors_around(self, circle)
            self._of_states |= found.states
            self._of_outputs |= found.outputs

    def first(self, key: str, name: str) -> Error:
        """The error of a block's state before its first step, (B, n); none of what is given."""
        parts = self.done.graph.entering(key, f"{name}_0")
        if not parts:
            size = int(self.done.by_key[key].program.shapes[name][0])
            return np.zeros((self.done.batch.num_rows, size))
        return np.concatenate([self.brought(part)[0] for part in parts], axis=-1)

    def before_errors(self, key: str) -> dict[str, Error]:
        """The errors of what each step of a block read of its states, (T, B, n), under the states' names."""
        axis, direction = self.done.axis(key), self.done.by_key[key].direction
        return {
            name: axis.before(error, self.first(key, name), direction)
            for name, error in self._states(key).items()
        }

    def inputs(self, key: str) -> Error:
        """The error of what enters a block, (T, B, n); of what is computed once (1, B, n)."""
        return self.read(key, _first_input(self.done.by_key[key]))[1]

    # ── along the wires ──────────────────────────────────────────────────────────────

    def read(self, key: str, name: str) -> Pair:
        """What enters a block, with its error; what is given has none."""
        parts = self.done.graph.entering(key, name)
        value = self.done.entering(key, name)
        errors = [
            np.broadcast_to(one, (*value.shape[:2], *one.shape[2:])) for one in map(self.brought, parts)
        ]
        error = errors[0] if len(errors) == 1 else np.concatenate(errors, axis=-1)
        return value, error

    def brought(self, part: Part) -> Error:
        """The error of what a wire brings, (T, B, n); of what is the same at all steps (1, B, n)."""
        match part.wire.when:
            case When.OFFSET if part.wire.block:
                axis = self.done.axis(part.reader)
                return axis.in_window(self._given(part.wire.block), replace(part.wire, outside=0.0))
            case When.DATA | When.OFFSET:
                return np.zeros((1, 1, part.stop - part.start))
            case When.LAST:
                return self._final(part.wire.block, part.wire.value)[None]
            case When.BEFORE:
                key = part.wire.block
                axis, direction = self.done.axis(key), self.done.by_key[key].direction
                error = axis.before(self._given(key), self.first(key, part.wire.value), direction)
                error[list(part.wire.taught)] = 0.0
                return error
            case When.ROW_END | When.END:
                axis = self.done.axis(part.wire.block)
                return axis.brought(self._given(part.wire.block), part.wire.when)[None]
        return self._given(part.wire.block)

    def banks(self, key: str) -> dict[str, Pair]:
        """What a block reads whole, (B, S, n), with its error; which steps are live is known."""
        found: dict[str, Pair] = {}
        for name, whole_bank in self.done.banks(key).items():
            value = whole_bank[:1] if self.done.by_key[key].reads_all_rows else whole_bank
            error = np.zeros(value.shape)
            if value.ndim == 3:
                parts = [self.brought(part) for part in self.done.graph.entering(key, name)]
                if self.done.by_key[key].reads_all_rows:
                    count, rows = self.done.num_read(key), self.done.batch.num_rows
                    every = [np.broadcast_to(one, (count // rows, rows, one.shape[-1])) for one in parts]
                    error[:, :count] = np.concatenate(every, axis=-1).reshape(count, -1)
                else:
                    whole = np.concatenate(parts, axis=-1).swapaxes(0, 1)
                    error[:, : whole.shape[1]] = whole
            found[name] = value, error
        return found

    def _given(self, key: str) -> Error:
        """The error of what a block gives, (T, B, n)."""
        block = self.done.by_key[key]
        if block.program.states:
            return self._states(key)[block.output]
        self._go_round(key)
        if key not in self._of_outputs:
            self._of_outputs[key] = self._computed(block)
        return self._of_outputs[key]

    def _computed(self, block: Block) -> Error:
        whole = self.done.whole(block.key)
        if block.kind == "lookup":
            return np.zeros(whole.shape)  # rows of a table, as they are
        known = {name: self.read(block.key, name) for name in block.program.inputs}
        known |= self.banks(block.key)
        if block.reads_all_rows:  # the same in each
            known = {
                name: (value[:1], error[:1])
                if name in block.program.banks
                else (value[:, :1], np.broadcast_to(error, value.shape)[:, :1])
                for name, (value, error) in known.items()
            }
        with np.errstate(all="ignore"):
            return np.broadcast_to(bounded(block, known, self._reading)[block.output][1], whole.shape)

    def _final(self, key: str, value: str) -> Error:
        """The error of what a block gave where each row ended, or of another of its states there, (B, n)."""
        block, graph = self.done.by_key[key], self.done.graph
        if is_join(block):
            parts = [part for name in block.program.inputs for part in graph.entering(key, name)]
            return np.concatenate([self._final(part.wire.block, part.wire.value) for part in parts], axis=-1)
        error = self._states(key)[value] if block.program.states else self._given(key)
        return error[0] if block.extent.is_single else self.done.axis(key).final(error, block.direction)

    # ── at the end ───────────────────────────────────────────────────────────────────

    def given(self, key: str) -> Pair:
        """What a block gives, with its error, (T, B, n); of what is computed once (1, B, n)."""
        return self.done.whole(key), self._given(key)

    @cached_property
    def logits(self) -> Pair:
        """What the loss reads, (T, B, C) or (B, C): what the last module gives."""
        logits, head = self.done.logits_by_row, self.done.head
        if logits is None or head is None:
            return self.given(self.done.scored.key)
        return logits, self._given(head.key).reshape(logits.shape)

    @cached_property
    def loss(self) -> LossBounds | None:
        """The loss; None where there is no target."""
        run = self.done.loss_run
        if run is None:
            return None
        _, error = self.read("loss", next(iter(run.blocks.loss.program.inputs)))
        with np.errstate(all="ignore"):
            return LossBounds(run.blocks, (run.outputs, np.broadcast_to(error, run.outputs.shape)))


def _first_input(block: Block) -> str:
    return next(iter(block.program.inputs))
