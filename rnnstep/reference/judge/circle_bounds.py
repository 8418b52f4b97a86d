"""The bound carried through modules that read one another of the step before: step by step, block after block.

Such a circle has no layer whose errors are all known before the next one's: what a decoder's state is off by enters what its
attention gives at the next step, and comes back into the state from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.differentiate import D
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.network.graph import Part
from rnnstep.network.time import Mask
from rnnstep.network.wires import When
from rnnstep.reference.judge.block_bounds import Pairs, bounded, derived, given_parameters
from rnnstep.reference.judge.bounds import Accumulating, Error, Rounding

_WITH_STEPS = 3  # axes of what has steps: (T, B, n)


class OutsideOfCircle(Protocol):
    """What is known of a run outside of a circle."""

    done: Pass

    def brought(self, part: Part) -> Error:
        """The error of what a wire brings, (T, B, n); of what is the same at all steps (1, B, n)."""

    def before(self, key: str) -> dict[str, Array]:
        """What each step of a block read of its states, (T, B, n), under the states' names."""

    def first(self, key: str, name: str) -> Error:
        """The error of a block's state before its first step, (B, n)."""

    def banks(self, key: str) -> dict[str, Pair]:
        """What a block reads whole, (B, S, n), with its error."""


@dataclass(frozen=True)
class CircleErrors:
    """The errors along a circle: of each state of the blocks that have any, and of what the others give, (T, B, n)."""

    states: dict[str, dict[str, Error]] = field(default_factory=dict)
    outputs: dict[str, Error] = field(default_factory=dict)


def errors_around(around: OutsideOfCircle, keys: Sequence[str]) -> CircleErrors:
    """Carry the errors of a run through a circle.

    Args:
        around: what is known outside of it.
        keys: its blocks, in the order of computation within a step.
    """
    done = around.done
    found = CircleErrors()
    blocks = [_OneBlock(around, done.by_key[key], found, keys) for key in keys]
    with np.errstate(all="ignore"):
        for t in range(done.axis(keys[0]).num_steps):
            for block in blocks:
                block.step(t)
    return found


class _OneBlock:
    """One block of a circle, and the errors of what it gave so far."""

    def __init__(
        self, around: OutsideOfCircle, block: Block, found: CircleErrors, keys: Sequence[str]
    ) -> None:
        done = around.done
        self._block, self._done = block, done
        self._reading = Rounding(done.scenario.dtype)
        self._parameters = given_parameters(block)
        self._entering = {name: done.entering(block.key, name) for name in block.program.inputs}
        self._errors = {
            name: [self._reader(around, part, found, keys) for part in done.graph.entering(block.key, name)]
            for name in block.program.inputs
        }
        self._same: Pairs = around.banks(block.key) if block.program.banks else {}
        self._living: Mask | None = done.axis(block.key).alive() if block.program.states else None
        self._before = around.before(block.key) if block.program.states else {}
        self._carried = {name: around.first(block.key, name) for name in block.program.states}
        shape = done.axis(block.key).shape
        sizes = {name: int(size[0]) for name, size in block.program.states.items()}
        self._states = {name: np.zeros((*shape, size)) for name, size in sizes.items()}
        if block.program.states:
            found.states[block.key] = self._states
        else:
            found.outputs[block.key] = np.zeros((*shape, int(block.program.shapes[block.output][0])))
        self._given = found.outputs.get(block.key)

    def step(self, t: int) -> None:
        """Carry what entered through one step."""
        known: dict[str, Pair] = {
            name: (whole[t], self._error(name, t)) for name, whole in self._entering.items()
        }
        for name, whole in self._before.items():
            known[self._block.program.before(name)] = whole[t], self._carried[name]
        lines = bounded(self._block, known | self._same, self._reading, self._parameters)
        if self._given is not None:
            self._given[t] = lines[self._block.output][1]
            return
        for name, whole in self._states.items():
            whole[t] = lines[name][1]
            if self._living is not None:
                whole[t][~self._living[t]] = 0.0
            self._carried[name] = whole[t]

    def _error(self, name: str, t: int) -> Error:
        parts = [read(t) for read in self._errors[name]]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def _reader(
        self, around: OutsideOfCircle, part: Part, found: CircleErrors, keys: Sequence[str]
    ) -> Callable[[int], Error]:
        """What gives of a step the error of what a wire brings, (B, n)."""
        source = part.wire.block
        rows = self._done.batch.num_rows
        if source not in keys:
            whole = np.asarray(around.brought(part))
            shape = (rows, whole.shape[-1])
            return lambda t: np.broadcast_to(whole[t if len(whole) > 1 else 0], shape)

        def gave(t: int) -> Error:
            if source in found.outputs:
                return np.asarray(found.outputs[source][t])
            return np.asarray(found.states[source][self._done.by_key[source].output][t])

        if part.wire.when is When.BEFORE:
            begun = around.first(source, self._done.by_key[source].output)
            exact = np.zeros_like(begun)
            return lambda t: exact if t in part.wire.taught else gave(t - 1) if t else begun
        return gave


# ── back ─────────────────────────────────────────────────────────────────────────────────────────


class Side(Protocol):
    """The engine's backward pass along its run, with errors."""

    done: Pass

    def entering(self, key: str, name: str) -> Pair:
        """What a block without states read, (T, B, n)."""

    def banks(self, block: Block) -> Mapping[str, Pair]:
        """What a block without states reads whole, (B, S, n)."""

    def read(self, key: str) -> tuple[Mapping[str, Pair], Mapping[str, Pair]]:
        """What each step of a block read, `x` and `h_prev` …, and the states after it, (T, B, n)."""

    def sent(self, block: Block) -> Pairs:
        """∂L/∂ of a block's values as far as it comes from outside of the circle, (T, B, n)."""


def fed_back_around(
    side: Side, keys: Sequence[str], read_after: Mapping[str, Mapping[str, Array]]
) -> dict[tuple[str, str], list[Pair]]:
    """Carry the errors of a backward pass back through a circle.

    Args:
        side: what is known outside of it.
        keys: its blocks, in the order of computation within a step.
        read_after: what each step of a recurrent block reads of the step after it, `∂h_next`, (T, B, n).

    Returns:
        What comes back from step to step, (T, B, n), by the block and the value that was read of the step before.
    """
    done = side.done
    blocks = {
        key: (_RecurrentStepBack if done.by_key[key].program.states else _PlainStepBack)(
            side, done.by_key[key]
        )
        for key in keys
    }
    for key, read in read_after.items():
        if key in blocks:
            blocks[key].read_after = read
    reading = Accumulating(done.scenario.dtype)
    found: dict[tuple[str, str], list[Pair]] = {}
    places = {
        part: _place(done, part, found)
        for key in keys
        for name in done.by_key[key].program.inputs
        for part in done.graph.entering(key, name)
        if part.wire.block in keys
    }
    with np.errstate(all="ignore"):
        for t in reversed(range(done.axis(keys[0]).num_steps)):
            for key in reversed(keys):
                for name, (value, error) in blocks[key].step(t).items():
                    for part in done.graph.entering(key, name):
                        if part not in places:
                            continue
                        here = slice(part.start, part.stop)
                        sent: Pair = value[..., here], np.broadcast_to(error, value.shape)[..., here]
                        at = t - (part.wire.when is When.BEFORE)
                        if at >= 0 and t not in part.wire.taught:
                            blocks[part.wire.block].add(at, sent, reading)
                            if at < t:
                                for whole, one in zip(places[part], sent, strict=True):
                                    whole[at] = one
    return found


def _place(done: Pass, part: Part, found: dict[tuple[str, str], list[Pair]]) -> Pair:
    """Where what a wire sends back is put, (T, B, n), if it brought the step before."""
    shape = (*done.axis(part.reader).shape, part.stop - part.start)
    place = np.zeros(shape, done.scenario.dtype), np.zeros(shape)
    if part.wire.when is When.BEFORE:
        found.setdefault((part.wire.block, part.wire.value), []).append(place)
    return place


class _StepBack:
    """A block, gone back through step by step."""

    read_after: Mapping[str, Array]

    def __init__(self, side: Side, block: Block) -> None:
        sent = side.sent(block)
        self._block = block
        self._reading = Accumulating(side.done.scenario.dtype)
        self._derivation = derived(block, sent)
        self._above = {name: _copied(pair) for name, pair in sent.items()}
        self._parameters = given_parameters(block)

    def add(self, t: int, sent: Pair, reading: Accumulating) -> None:
        """Add what is sent back to what the block gave at a step."""
        value, error = self._above[self._block.output]
        value[t], error[t] = reading.apply("add", ((value[t], error[t]), sent))

    def _outside(self, t: int) -> Pairs:
        names = {self._block.output: self._derivation.above, **self._derivation.given}
        return {name: _at(self._above[value], t) for value, name in names.items()}


class _PlainStepBack(_StepBack):
    """One without states."""

    def __init__(self, side: Side, block: Block) -> None:
        super().__init__(side, block)
        entering = {name: side.entering(block.key, name) for name in block.brought}
        given = {name: Given(side.done.entering(block.key, name)) for name in block.given}
        self._same = {**self._parameters, **side.banks(block)}
        known = {**entering, **given, **side.banks(block)}
        lines = bounded(block, known, Rounding(side.done.scenario.dtype), self._parameters)
        read = self._derivation.core.inputs
        self._known = {**entering, **given, **{name: pair for name, pair in lines.items() if name in read}}

    def step(self, t: int) -> Pairs:
        """Give ∂L/∂ of each input of a step, (B, n)."""
        known = {name: _at(pair, t) for name, pair in self._known.items()}
        seen = {**self._same, **known, **self._outside(t)}
        lines = evaluate_lines(self._derivation.core.lines, seen, self._reading)
        return {name: lines[f"{D}{name}"] for name in self._block.brought if f"{D}{name}" in lines}


class _RecurrentStepBack(_StepBack):
    """One with states, whose gradients go on from step to step."""

    def __init__(self, side: Side, block: Block) -> None:
        super().__init__(side, block)
        entering, after = side.read(block.key)
        lines = bounded(block, entering, Rounding(side.done.scenario.dtype), self._parameters)
        self._known = {**lines, **entering, **after}
        self._living = side.done.axis(block.key).alive()
        rows, core = side.done.batch.num_rows, self._derivation.core
        self._carried = {name: np.zeros((rows, int(shape[0]))) for name, shape in core.states.items()}

    def step(self, t: int) -> Pairs:
        """Give ∂L/∂ of each input of a step, (B, n); zeros where a row is over."""
        core = self._derivation.core
        known = {name: _at(pair, t) for name, pair in self._known.items()}
        read = {
            core.before(name): (self.read_after[core.before(name)][t], error)
            for name, error in self._carried.items()
        }
        seen = {**self._parameters, **known, **self._outside(t), **read}
        lines = evaluate_lines(core.lines, seen, self._reading)
        self._carried = {
            name: self._alive(lines[name][1], t, self._carried[name].shape) for name in self._carried
        }
        found: Pairs = {}
        for name in self._block.program.inputs:
            if f"{D}{name}" in lines:
                value, error = lines[f"{D}{name}"]
                found[name] = self._alive(value, t, value.shape), self._alive(error, t, value.shape)
        return found

    def _alive(self, part: NDArray[Any], t: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """A step's, (B, n), with zeros where a row is over."""
        whole = np.broadcast_to(part, shape)
        return whole if self._living is None else np.where(self._living[t][:, None], whole, 0)


def _copied(pair: Pair) -> Pair:
    value, error = pair
    return np.array(value), np.array(np.broadcast_to(error, np.shape(value)))


def _at(pair: Pair, t: int) -> Pair:
    """One step, (B, n); of what is made of parameters alone the whole."""
    value, error = pair
    if np.ndim(value) < _WITH_STEPS:
        return pair
    return value[t], error[t] if np.ndim(error) == np.ndim(value) else error
