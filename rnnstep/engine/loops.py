"""Blocks that read one another of the step before, run and gone back through together, step by step.

    attention.query ← decoder.h of the step before,   decoder.x ← attention.context of the same step

Each of them is a block of its own before and after: what is found here is what entered each, and what reached what it gave.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.recurrence import BlockRun
from rnnstep.equations.compile import ONE_ROW
from rnnstep.equations.differentiate import D
from rnnstep.equations.factored import factored
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.network.blocks import Block
from rnnstep.network.graph import Graph, Part
from rnnstep.network.wires import When

if TYPE_CHECKING:
    from rnnstep.engine.passes import Pass


def run_loop(
    done: Pass,
    keys: Sequence[str],
    begun: Callable[[Block, Array], BlockRun],
    after: Callable[[int, Mapping[str, Array]], None] | None = None,
) -> tuple[dict[str, BlockRun], dict[str, dict[str, Array]]]:
    """Run the blocks of a loop.

    Args:
        done: what was run before.
        keys: of the blocks, in the order of computation within a step.
        begun: gives the run of a recurrent block before its first step, for what enters it in the shape of an array (T, B, n).
        after: is told of each step what every block has given up to it, (T, B, n); may change what is fed to later ones.

    Returns:
        The runs of the recurrent blocks, and of the others all that they read and gave, (T, B, n).
    """
    return _Forward(done, keys, begun).run(after)


class _Forward:
    def __init__(self, done: Pass, keys: Sequence[str], begun: Callable[[Block, Array], BlockRun]) -> None:
        self._done = done
        self._blocks = [done.by_key[key] for key in keys]
        axis = done.axis(keys[0])
        self._steps, self._rows = axis.num_steps, axis.num_rows
        self._axis = axis
        self._dtype = done.scenario.dtype
        self._gave = {
            block.key: self._empty(int(block.program.shapes[block.output][0])) for block in self._blocks
        }
        self._first = {block.key: done.first(block.key) for block in self._blocks}
        self._read = {
            (block.key, name): [self._reader(part) for part in done.graph.entering(block.key, name)]
            for block in self._blocks
            for name in block.program.inputs
        }
        self._runs = {
            block.key: begun(block, self._empty(self._width(block)))
            for block in self._blocks
            if block.program.states
        }
        self._others: dict[str, dict[str, Array]] = {
            block.key: {**done.banks(block.key)} for block in self._blocks if not block.program.states
        }
        self._steps_of = {
            key: _computing(done.by_key[key], done.by_key[key].program, same)
            for key, same in self._others.items()
        }

    def run(
        self, after: Callable[[int, Mapping[str, Array]], None] | None
    ) -> tuple[dict[str, BlockRun], dict[str, dict[str, Array]]]:
        for t in range(self._steps):
            for block in self._blocks:
                read = {name: self._entering(block, name, t) for name in block.program.inputs}
                if block.key in self._runs:
                    self._advance(block, read, t)
                else:
                    self._compute(block, read, t)
            if after is not None:
                after(t, self._gave)
        return self._runs, self._others

    def _advance(self, block: Block, read: Mapping[str, Array], t: int) -> None:
        run = self._runs[block.key]
        if t <= self._axis.end:
            run.advance(t, next(iter(read.values())))
            self._gave[block.key][t] = run.state_at(t, block.output)

    def _compute(self, block: Block, read: Mapping[str, Array], t: int) -> None:
        whole = self._others[block.key]
        lines = self._steps_of[block.key](read)
        for name, value in {**read, **lines}.items():
            if name not in whole:
                whole[name] = np.empty((self._steps, *np.shape(value)), value.dtype)
            whole[name][t] = value
        self._gave[block.key][t] = lines[block.output]

    def _entering(self, block: Block, name: str, t: int) -> Array:
        parts = [read(t) for read in self._read[block.key, name]]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def _reader(self, part: Part) -> Callable[[int], Array]:
        """What gives of a step what a wire brings, (B, n)."""
        source = part.wire.block
        if source not in self._gave:
            whole = self._done.brought(part)
            return lambda t: whole[t if len(whole) > 1 else 0]
        gave, first = self._gave[source], self._first[source]
        if part.wire.taught:
            taught, told = frozenset(part.wire.taught), self._done.taught(part)
            return lambda t: told[t] if t in taught else gave[t - 1] if t else first
        if part.wire.when is When.BEFORE:
            return lambda t: gave[t - 1] if t else first
        return lambda t: gave[t]

    def _width(self, block: Block) -> int:
        return int(block.program.shapes[next(iter(block.program.inputs))][0])

    def _empty(self, size: int) -> Array:
        return np.zeros((self._steps, self._rows, size), self._dtype)


def _computing(
    block: Block, program: Program, banks: Mapping[str, Array]
) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """What computes the lines of a step from what it reads; what no step changes is computed here, once."""
    known = {**block.parameters, **{name: banks[name] for name in block.program.banks}}
    parts = factored(program.lines, frozenset(known))
    known |= parts.same(known)
    return lambda read: parts.each({**known, **read})


# ── back ─────────────────────────────────────────────────────────────────────────────────────────


def reached_in_loop(
    done: Pass,
    keys: Sequence[str],
    equations_of: Callable[[Block], BackwardEquations],
    outside: Mapping[str, Sequence[Array]],
) -> dict[str, Array]:
    """Give ∂L/∂ of what each block of a loop gave as far as it comes from other blocks, (T, B, n).

    Args:
        done: the run.
        keys: of the blocks, in the order of computation within a step.
        equations_of: the backward pass through each.
        outside: of each block what comes from outside of the loop, (T, B, n): ∂L/∂ of what it gave, and what is given at
            its other values.
    """
    steps = {
        key: (_RecurrentStep if key in done.runs else _PlainStep)(done, key, equations_of(done.by_key[key]))
        for key in keys
    }
    above = {key: np.array(outside[key][0]) for key in keys}
    for t in reversed(range(len(above[keys[0]]))):
        for key in reversed(keys):
            given = [above[key][t], *(one[t] for one in outside[key][1:])]
            for name, g in steps[key].back(t, given).items():
                _send(done.graph, above, key, name, g, t)
    return above


def _send(graph: Graph, above: dict[str, Array], key: str, name: str, g: Array, t: int) -> None:
    """Add what goes back from an input of a step to what gave it in the loop."""
    for part in graph.entering(key, name):
        source = part.wire.block
        at = t - 1 if part.wire.when is When.BEFORE else t
        if source in above and at >= 0 and t not in part.wire.taught:
            above[source][at] += g[..., part.start : part.stop]


class _PlainStep:
    """A step back through a block without states."""

    def __init__(self, done: Pass, key: str, equations: BackwardEquations) -> None:
        block = done.by_key[key]
        self._inputs = block.program.inputs
        self._equations = equations
        self._known = done.everything(key)
        self._same = {*block.parameters, *block.program.banks}
        self._computed = _computing(block, equations.derived.core, self._known)

    def back(self, t: int, given: Sequence[Array]) -> dict[str, Array]:
        """∂L/∂ of each input of step `t`, (B, n)."""
        known = {name: value[t] for name, value in self._known.items() if name not in self._same}
        outside = dict(zip(self._equations.from_outside, given, strict=True))
        found = self._computed({**known, **outside})
        return {name: found[f"{D}{name}"] for name in self._inputs if f"{D}{name}" in found}


class _RecurrentStep:
    """A step back through a recurrent block, which carries the gradients of its states."""

    def __init__(self, done: Pass, key: str, equations: BackwardEquations) -> None:
        self._run = done.runs[key]
        self._equations = equations
        self._compiled = equations.compiled
        self._function = self._compiled.function(self._run.mode)
        block = self._run.block
        self._prepared = self._compiled.prepare(block.parameters, done.scenario.dtype, self._run.mode)
        self._inputs = tuple(block.program.inputs)
        self._num_rows, self._dtype = done.axis(key).num_rows, done.scenario.dtype
        self._carried: tuple[Array, ...] = ()
        self._segment = -1
        self._known: dict[str, Array] = {}

    def back(self, t: int, given: Sequence[Array]) -> dict[str, Array]:
        """∂L/∂ of each input of step `t`, (B, n); zeros where a row is over."""
        sizes = {name: int(self._run.block.program.shapes[name][0]) for name in self._inputs}
        found = {name: np.zeros((self._num_rows, size), self._dtype) for name, size in sizes.items()}
        if t >= self._run.segments[-1].stop:
            return found
        number, k = self._run.place(t)
        rows = self._run.segments[number].rows
        if number != self._segment:
            self._enter(number, rows)
        order = slice(rows) if self._run.rows is None else self._run.rows.order[:rows]
        core, is_one = self._equations.derived.core, self._run.mode == ONE_ROW
        outside = {
            name: one[order][0][None] if is_one else np.ascontiguousarray(one[order])[None]
            for name, one in zip(self._equations.from_outside, given, strict=True)
        }
        read = [outside[name] if name in outside else self._known[name][k : k + 1] for name in core.inputs]
        carried = [state[0] for state in self._carried] if is_one else list(self._carried)
        kept = self._function(*read, *carried, *self._prepared)
        kept = tuple(array[:, None] if is_one else array for array in kept)
        self._carried = tuple(kept[index][0, :, a:b] for index, a, b in self._compiled.state_columns)
        for name in self._inputs:
            index, a, b = self._compiled.columns[f"{D}{name}"]
            found[name][order] = kept[index][0, :, a:b]
        return found

    def _enter(self, number: int, rows: int) -> None:
        """Come to a segment: rows that end there begin with nothing."""
        states = self._equations.derived.core.states.values()
        begin = [np.zeros((rows, int(shape[0])), self._dtype) for shape in states]
        for state, before in zip(begin, self._carried, strict=False):
            state[: len(before)] = before
        self._carried = tuple(begin)
        self._segment = number
        self._known = self._run.over_segment(number, self._equations.forward_names)
