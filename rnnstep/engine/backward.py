"""Backpropagation through time: the backward pass through one run of a batch, every gradient of it at hand.

    total ─ loss ─ linear ─ … L1 ─ dropout ─ L0 (L0→ and L0← from their join) ─ embedding

The backward pass through a block is its equations' vector-Jacobian products, last line first
(`rnnstep.equations.differentiate`): of a recurrent block step by step, from the step computed last to the
first; of any other block for all steps at once, as none of them reads another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.backward_equations import BackwardEquations
from rnnstep.engine.block_backward import RecurrentBackward, StatelessBackward
from rnnstep.engine.loops import reached_in_loop
from rnnstep.engine.passes import Pass
from rnnstep.equations.differentiate import ROWS, D
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import names_in
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.network.blocks import Block, Extent
from rnnstep.network.graph import Graph, Part
from rnnstep.network.wires import When
from rnnstep.scenario.model import Batch


class BlockBackward(Protocol):
    """The backward pass through one block."""

    gradients: dict[str, Array]

    def values(self, t: int) -> dict[str, Array]:
        """All values of a step, (rows, n); of what is summed over rows as it is."""

    def gradient(self, name: str) -> Array:
        """∂L/∂ of one of the block's inputs over all steps, (T, B, n)."""

    def suspect(self) -> int | None:
        """The step that comes first in the backward pass of those that may have a number that is not finite, or None."""


_RECENT, _RECENT_BYTES = 4, 64 << 20
"""So many steps' values are kept, or as many as take so much memory: what is asked for at one is asked for there again."""

_Step = tuple[str, int]  # the block's key, and which of its steps

GivenGradients = Mapping[tuple[str, str], Array]
"""Gradients by the block and the value that they are given at: ("L0", "c") → (T, B, n), of what is computed once (1, B, n)."""


@dataclass(frozen=True, eq=False, slots=True)
class GivenOutside:
    """Gradients that are given where another program reads what torch's modules return.

    Attributes:
        scores: At what the last block gives, (T, B, n), or (1, B, n) of the final states.
        ends: At states where each row ended, by block and name, (B, n).
        through: At states of a cell after every step, likewise, (T, B, n): a loop around the cell has them.
    """

    scores: Array
    ends: Mapping[tuple[str, str], Array]
    through: Mapping[tuple[str, str], Array] = field(default_factory=lambda: MappingProxyType({}))


class BackwardPass:
    """The backward pass of one batch, from its loss or from gradients that are given.

    Attributes:
        done: The forward run.
        given: The gradients that it begins with; None where it begins with the loss.
        parameters: ∂L/∂ of each parameter, under torch's names and in its shapes. Where gradients G are given, L is Σ G ⊙ v
            over the values v that they are given at.
    """

    phase = "backward"

    def __init__(
        self,
        done: Pass,
        equations_of: Callable[[Block], BackwardEquations],
        dtype: np.dtype[np.floating],
        given: GivenGradients | None = None,
    ) -> None:
        self.done = done
        self.scenario = done.scenario
        self.batch = done.batch
        self.index = done.index
        self.given = given
        self._reached = blocks_reached(done.graph, done.blocks, given)
        self._equations_of = equations_of
        self._dtype = dtype
        self._of_blocks: dict[str, BlockBackward] = {}
        self._in_loops: dict[str, Array] = {}  # of each block of a loop what reaches what it gave
        self._recent: dict[_Step, dict[str, Array]] = {}
        self._go()
        found: dict[str, Array] = {}
        for one in self._of_blocks.values():
            for name, value in one.gradients.items():  # a parameter that two blocks read is one
                found[name] = found[name] + value if name in found else value
        self.parameters = {
            name: found[name] if name in found else np.zeros_like(value)
            for name, value in done.scenario.learnt.items()
        }

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks in the order of the backward pass; each has the key of its forward block."""
        return tuple(self._equations_of(block).block(block) for block in self._reached)

    @cached_property
    def by_key(self) -> dict[str, Block]:
        """Each block under its key."""
        return {block.key: block for block in self.blocks}

    @property
    def loss(self) -> float:
        """The loss of the forward run; where gradients are given, the sum of what they are multiplied with."""
        if self.given is None:
            assert self.done.loss_run is not None
            return self.done.loss_run.loss
        return float(sum(np.sum(self._over_time(*at) * g) for at, g in self.given.items()))

    def _over_time(self, key: str, name: str) -> Array:
        """A value over all steps, (T, B, n); zeros where a row of a recurrent block is over."""
        if key not in self.done.runs:
            return self.done.everything(key)[name]
        run, axis = self.done.runs[key], self.done.axis(key)
        whole = np.zeros((axis.num_steps, axis.num_rows, int(run.block.program.shapes[name][0])), self._dtype)
        for t in axis.order("forward"):
            rows = run.live_rows(t)
            whole[t, slice(None) if rows is None else rows] = run.value(name, t)
        return whole

    @cached_property
    def given_outside(self) -> GivenOutside | None:
        """What is given, where it is at the scores, and beside them at final states, or states of a cell; else None.

        None, too, where there is a loss.
        """
        scored = self.done.scored
        at_scores = (scored.key, scored.output)
        if self.given is None or at_scores not in self.given:
            return None
        ends: dict[tuple[str, str], Array] = {}
        through: dict[tuple[str, str], Array] = {}
        for (key, name), g in self.given.items():
            if (key, name) == at_scores:
                continue
            if key not in self.done.runs or name not in self.done.by_key[key].program.states:
                return None
            axis, direction = self.done.axis(key), self.done.by_key[key].direction
            at_end = axis.final(g, direction)
            if np.array_equal(axis.at_final(at_end, direction), g, equal_nan=True):
                ends[key, name] = at_end
            elif self.scenario.recurrent_of(self.done.by_key[key]).is_cell:
                through[key, name] = g
            else:
                return None
        return GivenOutside(self.given[at_scores], ends, through)

    @property
    def has_torchs_word(self) -> bool:
        """Whether torch can go back, too: from a loss, or from gradients of what its modules return."""
        return self.given is None or self.given_outside is not None

    # ── going ────────────────────────────────────────────────────────────────────────

    def _go(self) -> None:
        """Go through the blocks, the last first: all that reads one has been gone through then."""
        for block in self._reached:
            loop = self.done.graph.loop_of.get(block.key, ())
            if loop and block.key == loop[-1]:
                self._go_through(loop)
            above = self._from_outside(block)
            run = self.done.runs.get(block.key)
            if run is None:
                self._of_blocks[block.key] = StatelessBackward(
                    block, self._equations_of(block), self._known(block), above
                )
            else:
                self._of_blocks[block.key] = RecurrentBackward(run, self._equations_of(block), above)

    def _go_through(self, loop: Sequence[str]) -> None:
        """Find what reaches each block of a loop; all others that read one have been gone through."""
        outside = {key: self._from_outside(self.done.by_key[key]) for key in loop}
        self._in_loops |= reached_in_loop(self.done, loop, self._equations_of, outside)

    def _from_outside(self, block: Block) -> list[Array]:
        """∂L/∂ of what a block gave as far as it comes from above, (T, B, n); and what is given at its other values."""
        others = self._equations_of(block).derived.given
        return [
            self._in_loops[block.key] if block.key in self._in_loops else self._above(block, block.output),
            *(self._above(block, name) for name in others),
        ]

    def _above(self, block: Block, name: str) -> Array:
        """∂L/∂ of a value of a block, (T, B, n), summed over all that read it, and what is given; of the loss itself one."""
        readers = [part for part in self.done.graph.readers(block.key) if part.wire.value == name]
        parts = [self._sent_back(part) for part in readers if part.reader in self._of_blocks]
        if self.given is not None and (block.key, name) in self.given:
            parts.append(self.given[block.key, name])
        if block.reads_all_rows:  # what is the same in each row gets back what comes from all of them
            parts = [part.sum(axis=1, keepdims=True) for part in parts]
        if parts:
            return sum(parts[1:], start=parts[0])
        size = int(block.program.shapes[name][0])
        if block.extent is Extent.ONCE and self.given is None:
            return np.ones((1, 1, 1), self._dtype)
        steps = 1 if block.extent.is_single else self.done.axis(block.key).num_steps
        rows = 1 if block.reads_all_rows else self.batch.num_rows
        return np.zeros((steps, rows, size), self._dtype)

    def _sent_back(self, part: Part) -> Array:
        """What one reader sends back along its wire, (T, B, n)."""
        state = self.done.by_key[part.reader].state_before(part.name)
        if state is not None:
            g = self.first_state(part.reader, state)[None]
        else:
            g = self._of_blocks[part.reader].gradient(part.name)
        reader = self.done.by_key[part.reader]
        if reader.reads_all_rows and part.name in reader.program.banks:
            g = g[0, : self.done.num_read(part.reader)].reshape(-1, self.batch.num_rows, g.shape[-1])
        elif part.wire.when is When.ALL and part.name in reader.program.banks:
            g = g.swapaxes(0, 1)[: self.done.axis(part.wire.block).num_steps]
        elif part.wire.when is When.ALL:
            return g.reshape(*self.done.whole(part.wire.block).shape[:2], 1)
        elif part.wire.when is When.OFFSET:
            steps = self.done.axis(part.wire.block).num_steps
            several = self.done.axis(part.reader).out_of_window(g, part.wire, steps)
            g = sum(several[1:], start=several[0])
        if g.shape[-1] != part.stop - part.start:
            g = g[..., part.start : part.stop]
        if part.wire.when is When.BEFORE:  # of the first step it goes to the first state
            return self.done.axis(part.wire.block).from_step_after(g, part.wire.taught)
        if not part.wire.when.is_once:
            return np.asarray(g)
        # What is the same at every step is sent back from every step.
        return self._onto_step(part, g[0] if len(g) == 1 else g.sum(axis=0))

    def _onto_step(self, part: Part, g: Array) -> Array:
        """Put ∂L/∂ of what a wire brings once a row, (B, n), where that was computed, (T, B, n); else it is (1, B, n)."""
        axis = self.done.axis(part.wire.block)
        if self.done.by_key[part.wire.block].extent.is_single:
            return g[None]
        whole = np.zeros((axis.num_steps, axis.num_rows, part.stop - part.start), g.dtype)
        if part.wire.when is not When.LAST:
            axis.sent_back(g, whole, part.wire.when, "forward")
            return whole
        for one in self.done.graph.origins(part.reader, part.name):
            if part.start <= one.start < part.stop:
                onto = whole[..., one.start - part.start : one.stop - part.start]
                direction = self.done.by_key[one.wire.block].direction
                axis.sent_back(
                    g[:, one.start - part.start : one.stop - part.start], onto, When.LAST, direction
                )
        return whole

    def _known(self, block: Block) -> dict[str, Array]:
        """What the backward pass of a block without states reads of the forward pass, (T, B, n)."""
        known = dict(self.done.everything(block.key))
        if block.reads_all_rows:  # the first row alone: the others are the same
            return {
                name: value[:1] if name in block.program.banks else value[:, :1]
                for name, value in known.items()
            }
        if "index" in known:
            known["index"] = self._indices(block, known["index"])
        return known

    def _indices(self, block: Block, indices: Array) -> Array:
        """The rows that were looked up, (T, B); −1 where torch adds nothing to the row of `padding_idx`."""
        skipped = self.scenario.lookup_of(block).padding_idx
        return np.asarray(indices if skipped is None else np.where(indices == skipped, -1, indices))

    # ── looking ──────────────────────────────────────────────────────────────────────

    def states(self, key: str, name: str) -> Array:
        """∂L/∂ of a state after each step, whatever way it reaches the loss, (T, B, n); zeros where a row is over."""
        found = self._of_blocks[key]
        assert isinstance(found, RecurrentBackward)
        return found.state(name)

    def entering(self, key: str, name: str) -> Array:
        """∂L/∂ of what a block read under a name, (T, B, n): of x, too, that is data."""
        with np.errstate(all="ignore"):
            return self._of_blocks[key].gradient(name)

    def first_state(self, key: str, name: str) -> Array:
        """∂L/∂ of a state before each row's first step, h_0 or c_0, (B, n)."""
        block = self.done.by_key[key]
        before = self.states(key, block.program.before(name))
        axis = self.done.axis(key)
        first = np.stack([before[axis.first_step(block.direction, row), row] for row in range(axis.num_rows)])
        for part in self.done.graph.readers(key):  # of the step before the first one
            if part.wire.when is When.BEFORE and part.wire.value == name and part.reader in self._of_blocks:
                first = first + self._of_blocks[part.reader].gradient(part.name)[0, :, part.start : part.stop]
        return first

    def of_block(self, key: str) -> BlockBackward:
        """The backward pass through a block."""
        return self._of_blocks[key]

    def equations(self, key: str) -> BackwardEquations:
        """A block's backward pass as equations."""
        return self._equations_of(self.done.by_key[key])

    def live_rows(self, key: str, t: int) -> NDArray[np.intp] | None:
        """The rows of the batch that take part in a block's step; None when all do."""
        return self.done.live_rows(key, t)

    def row_index(self, key: str, t: int, row: int) -> int | None:
        """Where a row of the batch stands among those of a block's step; None when it is over."""
        if key not in self.done.runs:  # of other blocks all rows are there
            block = self.by_key[key]
            return 0 if block.extent is Extent.ONCE or block.reads_all_rows else row
        return self.done.row_index(key, t, row)

    def value(self, key: str, name: str, t: int) -> Array:
        """One value of a block at step `t`, (rows, n); of what is summed over rows as it is."""
        return self.values(key, t)[name]

    def values(self, key: str, t: int) -> dict[str, Array]:
        """All values of a block at step `t`: what its lines read, parameters aside, and what they give."""
        recent = self._recent  # another thread may put another step's there
        if (key, t) not in recent:
            with np.errstate(all="ignore"):
                found = self._of_blocks[key].values(t)
            self._recent = recent = _with_room({(key, t): found, **recent})
        return recent[key, t]

    def known(self, key: str, t: int, row: int) -> dict[str, Array] | None:
        """All that a block's lines read and give at a step, for one row; None when the row is over."""
        index = self.row_index(key, t, row)
        if index is None:
            return None
        values = {
            name: value if self.is_of_all_rows(key, name) else value[index]
            for name, value in self.values(key, t).items()
        }
        return {**self.by_key[key].parameters, **values}

    def is_of_all_rows(self, key: str, name: str) -> bool:
        """Whether a value belongs to a parameter, or gathers all rows, and so is the same seen from each row."""
        derived = self._equations_of(self.done.by_key[key]).derived
        is_of_parameter = name.startswith(D) and name not in derived.names_of_rows
        return is_of_parameter or name.endswith(ROWS) or name in derived.fixed_names

    def recurrent_steps(self) -> Iterator[tuple[int, str]]:
        """Give (t, block key) of every recurrent step in the order of the backward pass."""
        yield from reversed(list(self.done.recurrent_steps()))


def _with_room(recent: Mapping[_Step, dict[str, Array]]) -> dict[_Step, dict[str, Array]]:
    """The newest of some steps' values, one at least, and as many as there is room for."""
    kept: dict[_Step, dict[str, Array]] = {}
    size = 0
    for at, values in recent.items():
        size += sum(value.nbytes for value in values.values())
        if kept and (len(kept) == _RECENT or size > _RECENT_BYTES):
            break
        kept[at] = values
    return kept


def blocks_reached(
    graph: Graph, blocks: Sequence[Block], given: Iterable[tuple[str, str]] | None
) -> tuple[Block, ...]:
    """The blocks that anything goes back through, the last first: all from a loss, or those below where gradients are given."""
    if given is None:
        return tuple(reversed(blocks))
    keys = {key for key, _ in given}
    reached = keys.union(*(graph.below(key) for key in keys))
    return tuple(block for block in reversed(blocks) if block.key in reached)


def given_gradients(
    blocks: Mapping[str, Block], batch: Batch, above: GivenGradients, dtype: np.dtype[np.floating]
) -> GivenGradients:
    """Gradients given at values of a batch, as a backward pass begins with them.

    Raises:
        UsageError: No block computes such a value, or it has another shape.
    """
    found = {}
    for (key, name), given in above.items():
        block = blocks.get(key)
        where = f"{key}/{name}"
        if block is None or name not in block.program.by_name or not block.program.shapes[name]:
            raise UsageError(
                Text("a gradient is given at a value that a block computes; found {place}", place=where)
            )
        if name in _of_parameters(block):
            raise UsageError(
                Text("{place} is made of parameters alone: no gradient is given there", place=where)
            )
        rows = 1 if block.extent is Extent.ONCE else batch.num_rows
        steps = 1 if block.extent.is_single else batch.axis(block.sequence).num_steps
        expected = (steps, rows, *map(int, block.program.shapes[name]))
        if np.shape(given) != expected:
            raise UsageError(
                Text(
                    "{name}: found {found}, expected {expected}",
                    name=where,
                    found=str(np.shape(given)),
                    expected=str(expected),
                )
            )
        found[key, name] = np.ascontiguousarray(given, dtype)
    return found


def _of_parameters(block: Block) -> set[str]:
    """The lines that read parameters alone."""
    found: set[str] = set()
    for line in block.program.lines:
        if all(name in block.program.parameters or name in found for name in names_in(line.expression)):
            found.add(line.name)
    return found
