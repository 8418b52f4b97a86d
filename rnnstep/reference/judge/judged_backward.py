"""A backward pass through a batch, set beside what the equations make of a side's numbers: the way that all sides go.

    loss ─ linear ─ … L1 ─ dropout ─ L0 ─ embedding

It goes from the loss down, module after module, each when all that read it have sent back, and is always the equations,
read as values and what they may be off by. At each block it takes what the equations gave there: sets it beside the
side's own number, and goes on from that one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.differentiate import D
from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Where
from rnnstep.network.description import in_order, loops, with_feeds
from rnnstep.network.graph import Part
from rnnstep.network.time import TimeAxis
from rnnstep.network.wires import When
from rnnstep.reference.judge import batch_statistics
from rnnstep.reference.judge.block_bounds import (
    LossBounds,
    Pairs,
    RecurrentBack,
    Steps,
    as_steps,
    inputs_of,
    over_steps,
    plain_back,
)
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.findings import Kind, Tally
from rnnstep.reference.run.layout import keys_of
from rnnstep.reference.run.loss import of_loss
from rnnstep.reference.run.stepping import Along

Site = Callable[[Along], Array]  # what stands between two blocks, in the terms of torch's stepped run


class JudgedBackward(ABC):
    """A side's backward pass, its numbers set beside what the equations make of them.

    Attributes:
        kind: how.
        done: the engine's run of the batch, for its scenario, blocks and masks.
        is_remade: as of `Steps`.
        completed: by block, as of `Steps`.
        has_sums: whether ∂L/∂ of the recurrent parameters is wanted.
        sums: ∂L/∂ of each block's parameters as the equations give them.
    """

    kind: Kind
    is_remade = False
    completed: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    has_sums = True

    def __init__(self, back: BackwardPass, tally: Tally) -> None:
        self.done = back.done
        self.sums: dict[str, Pairs] = {}
        self._sent: dict[tuple[str, str], list[Pair]] = {}  # ∂L/∂ of a block's value, from each that read it
        self._shares: dict[tuple[Kind, Where], list[Pair]] = {}  # of each parameter, block by block
        self._back = back
        self._tally = tally
        self._reading = Rounding(self.done.scenario.dtype)
        self._scouted: dict[tuple[str, str], list[Pair]] | None = None  # while a circle is gone round before

    # ── what a side has, and what it takes ───────────────────────────────────────────

    @abstractmethod
    def loss(self) -> LossBounds:
        """The loss from the side's scores."""

    @abstractmethod
    def entering(self, key: str, name: str) -> Pair:
        """What a block without states read, (T, B, n), or (B, n)."""

    @abstractmethod
    def banks(self, block: Block) -> Mapping[str, Pair]:
        """What a block without states reads whole, (B, S, n)."""

    @abstractmethod
    def read(self, key: str) -> tuple[Mapping[str, Pair], Mapping[str, Pair]]:
        """What each step of a block read, `x` and `h_prev` …, and the states after it, (T, B, n)."""

    @abstractmethod
    def parameters(self, key: str, found: Pairs) -> None:
        """Take ∂L/∂ of a block's parameters."""

    @abstractmethod
    def met(self, site: Site, key: str, name: str, found: Pair) -> Pair:
        """Take ∂L/∂ of what stands between two blocks, under its name in one of them; give what to go on from."""

    @abstractmethod
    def took(self, loss: LossBounds) -> None:
        """Take the loss, forth and back."""

    @abstractmethod
    def _spans(self, key: str, back: RecurrentBack) -> Iterator[tuple[slice, Pairs]]:
        """Go back through a recurrent block."""

    @abstractmethod
    def _compare_lines(self, key: str, span: slice, lines: Pairs) -> None:
        """Set the lines of some steps beside what the side has."""

    # ── the way ──────────────────────────────────────────────────────────────────────

    def go(self) -> None:
        """Go all the way: through each module, the last first, when all that read it have sent back."""
        scenario = self.done.scenario
        last = self._last = {block.module: block for block in self.done.blocks}  # gives what the module gives
        top = last[scenario.scored_module.key]
        self._sent = {(top.key, top.output): [self._begun()]}
        for (key, name), g in self._given_beside():
            self._sent.setdefault((key, name), []).append(g)
        wiring = with_feeds(scenario.wiring, scenario.wired_feeds)
        order = in_order(wiring)
        circles = {key: circle for circle in loops(wiring) for key in circle}
        known: set[str] = set()
        for key in reversed(order):
            if key in circles and key not in known:
                known |= set(circles[key])
                for at, pairs in self._fed_back([one for one in order if one in circles[key]]).items():
                    self._sent.setdefault(at, []).extend(pairs)
            self._through(key)

    def _through(self, key: str) -> None:
        """Go through a module, by its key."""
        module, block = self.done.scenario.by_key[key], self._last[key]
        g = self._met_in_all(block)
        if isinstance(module, Recurrent):
            self._through_module(module, g)
        elif block.kind == "lookup":
            self._through_table(block, g)
        elif module.reads_batch:
            self._through_batch(block, g)
        else:
            self._through_plain(block, g)

    def _fed_back(self, keys: Sequence[str]) -> Mapping[tuple[str, str], list[Pair]]:
        """What comes back from step to step within a circle, by the block and the value that was read of the step before.

        What a step of a recurrent module sends on follows from its total ∂L/∂h_t, which a side has of all steps. So it is
        found by going round once before anything is set beside anything.

        Args:
            keys: of its modules, in the order of computation within a step.
        """
        sent, tally = self._sent, self._tally
        found: dict[tuple[str, str], list[Pair]] = {}
        feeds = set(keys) & set(self.done.scenario.wired_feeds.values())
        # What a module without states was sent of the step after it is known one round later, and all behind it then.
        for _ in range(1 if not feeds else 1 + self.done.axis(self._last[keys[0]].key).num_steps):
            self._sent = {at: list(pairs) for at, pairs in sent.items()}
            for at, pairs in found.items():
                self._sent.setdefault(at, []).extend(pairs)
            before, found = found, {}
            self._tally, self._scouted = Tally(self.done.batch.longest, "backward"), found
            for key in reversed(keys):
                self._through(key)
            if _are_same(before, found):
                break
        self._sent, self._tally, self._scouted = sent, tally, None
        return found

    def _met_in_all(self, block: Block) -> Pair:
        """∂L/∂ of what a block gave, from all that read it."""
        g = self._sum_sent(block, block.output)
        if len(self._sent.get((block.key, block.output), ())) < 2 or block.kind not in ("map", "lookup"):
            return g  # met already, or by each direction
        return self.met(lambda along: along.gave[block.key], block.key, f"{D}{block.output}", g)

    def sent(self, block: Block) -> Pairs:
        """∂L/∂ of a block's values as far as it was sent back so far, (T, B, n); of its output in any case."""
        names = dict.fromkeys([block.output, *(name for key, name in self._sent if key == block.key)])
        return {name: self._sum_sent(block, name) for name in names}

    def _sum_sent(self, block: Block, name: str) -> Pair:
        """∂L/∂ of one of a block's values as far as it comes from above, of all that read it; zeros where none does."""
        parts = self._sent.get((block.key, name), [])
        if not parts:
            shape = (*self.done.axis(block.key).shape, int(block.program.shapes[name][0]))
            return Given(np.zeros(shape, self.done.scenario.dtype))
        return self._added(parts)

    def _sent_to_states(self, key: str, name: str) -> list[Pair]:
        """What comes back to a block's own states beside what its layer is sent: first states of another module are theirs."""
        is_last = key in {one.key for one in self._last.values()}
        return [] if is_last else self._sent.get((key, name), [])

    def _added(self, parts: Sequence[Pair]) -> Pair:
        """The sum of what several readers send back."""
        if len(parts) == 1:
            return parts[0]
        return over_steps(np.stack([value for value, _ in parts]), np.stack([error for _, error in parts]))

    def _send_back(self, key: str, name: str, g: Pair) -> None:
        """Let ∂L/∂ of what a block read, (T, B, n), or (1, B, n), go to the blocks that gave it."""
        for part in self.done.graph.entering(key, name):
            if not part.wire.block:
                continue
            here = slice(part.start, part.stop)
            value: Array = g[0][..., here]
            error: Error = np.broadcast_to(g[1], g[0].shape)[..., here]
            if part.wire.when is When.BEFORE:
                self._send_back_in_time(part, value, error)
                continue
            if part.wire.when.is_once:
                if len(value) > 1:  # it was the same at every step
                    summed = over_steps(value, error)
                    value, error = summed[0][None], summed[1][None]
                value = self._onto_step(part, value)
                error = self._onto_step(part, error)
            self._sent.setdefault((part.wire.block, part.wire.value), []).append((value, error))

    def _send_back_in_time(self, part: Part, value: Array, error: Error) -> None:
        """Let ∂L/∂ of what was read of the step before, (T, B, n), go there; of the first step to what gave the first state."""
        at = part.wire.block, part.wire.value
        axis = self.done.axis(part.wire.block)
        taught = part.wire.taught
        sent = axis.from_step_after(value, taught), axis.from_step_after(error, taught)
        is_round = part.wire.block in self.done.graph.loop_of.get(part.reader, ())
        if self._scouted is not None:
            if is_round:
                self._scouted.setdefault(at, []).append(sent)
            return
        if not is_round:  # else it was found before
            self._sent.setdefault(at, []).append(sent)
        self._send_back(part.wire.block, f"{part.wire.value}_0", (value[:1], error[:1]))

    def _given_beside(self) -> Iterator[tuple[tuple[str, str], Pair]]:
        """∂L/∂ of states that is given where each row ended, or of a cell at every step, (T, B, n), by block and name."""
        outside = self._back.given_outside
        if outside is None:
            return
        for (key, name), g in outside.ends.items():
            direction = self.done.by_key[key].direction
            yield (key, name), Given(self.done.axis(key).at_final(g, direction))
        for at, g in outside.through.items():
            yield at, Given(g)

    def _begun(self) -> Pair:
        """∂L/∂ of the scores: from the loss, or as it is given."""
        outside = self._back.given_outside
        if outside is not None:
            return Given(outside.scores)
        loss = self.loss()
        self.took(loss)
        score = f"{D}{next(iter(loss.blocks.loss.program.inputs))}"
        g = self.met(lambda along: of_loss(self.done, along.scores), "loss", score, loss.back[score])
        (part,) = self.done.graph.entering("loss", score.removeprefix(D))
        return (self._onto_step(part, g[0]), self._onto_step(part, g[1])) if part.wire.when.is_once else g

    def _through_plain(self, block: Block, g: Pair) -> None:
        """Go through a block that acts on each step alone."""
        known: Pairs = {one: Given(self.done.entering(block.key, one)) for one in block.given}
        for name in block.brought:
            value, error = self.entering(block.key, name)
            shape = (*g[0].shape[:2], value.shape[-1])
            known[name] = (value.reshape(shape), np.broadcast_to(error, value.shape).reshape(shape))
        known |= self.banks(block)
        lines, sums = plain_back(block, known, g)
        self._parameters_of(block.key, sums)
        for name in block.program.banks.keys() - set(block.constant):
            self._send_back(block.key, name, self._met_whole(block, name, lines[f"{D}{name}"]))
        if block.windows:
            first = next(iter(block.windows))
            back = self._out_of_windows(block, lines)
            back = self.met(lambda along: along.read[block.key], block.key, f"{D}{first}", back)
            self._send_back(block.key, first, back)
            return
        for name in block.brought:
            site = _input_of(block, name, self.done.axis(block.key))
            self._send_back(block.key, name, self.met(site, block.key, f"{D}{name}", lines[f"{D}{name}"]))

    def _parameters_of(self, key: str, found: Pairs) -> None:
        """Take ∂L/∂ of a block's parameters, once."""
        if self._scouted is None:
            self.parameters(key, found)

    def _through_batch(self, block: Block, g: Pair) -> None:
        """Go through a module that takes mean and variance of the whole batch, and through these."""
        name = block.brought[0]
        value, error = self.entering(block.key, name)
        shape = (*g[0].shape[:2], value.shape[-1])
        x = value.reshape(shape), np.broadcast_to(error, value.shape).reshape(shape)
        found, sums = batch_statistics.back(self.done, block.module, x, g)
        self._parameters_of(block.key, sums)
        site = _input_of(block, name, self.done.axis(block.key))
        self._send_back(block.key, name, self.met(site, block.key, f"{D}{name}", found))

    def _met_whole(self, block: Block, name: str, found: Pair) -> Pair:
        """∂L/∂ of what a block reads whole, (B, S, n), step by step of what gave it, (S', B, n)."""
        by_step = as_steps(found, self.done.axis(self.done.graph.bank_source(block.key)).num_steps)
        return self.met(lambda along: along.read_whole[block.key][name], block.key, f"{D}{name}", by_step)

    def _out_of_windows(self, block: Block, lines: Pairs) -> Pair:
        """∂L/∂ of what windows are read of, (T, B, n): the sum of what each step of a window sends back."""
        axis = self.done.axis(block.key)
        steps = self.done.axis_read(block.key, next(iter(block.windows.values()))).num_steps
        total: Pair | None = None
        for name, wire in block.windows.items():
            value, error = lines[f"{D}{name}"]
            error = np.broadcast_to(error, np.shape(value))
            values, errors = (axis.out_of_window(one, wire, steps) for one in (value, error))
            for part in zip(values, errors, strict=True):
                total = part if total is None else self._reading.apply("add", (total, part))
        assert total is not None
        return total

    def _through_module(self, recurrent: Recurrent, g: Pair) -> None:
        """Go through a recurrent module from ∂L/∂ of what it gave."""
        for layer in reversed(range(recurrent.num_layers)):
            above = recurrent.above(layer)
            if above is not None:
                g = self._reading.apply("mul", (Given(self.done.masks[above.key]), g))
            g = self._through_layer(keys_of(self.done.blocks, recurrent, layer), g)
        first = keys_of(self.done.blocks, recurrent, 0)[0]
        self._send_back(first, next(iter(self.done.by_key[first].program.inputs)), g)

    def _onto_step(self, part: Part, g: NDArray[Any]) -> NDArray[Any]:
        """Put ∂L/∂ of what a wire brings once a row, (1, B, n), where that was computed, (T, B, n)."""
        axis, graph = self.done.axis(part.wire.block), self.done.graph
        if self.done.by_key[part.wire.block].extent.is_single:
            return g
        whole = np.zeros((axis.num_steps, *g.shape[1:]), g.dtype)
        if part.wire.when is not When.LAST:
            axis.sent_back(g[0], whole, part.wire.when, "forward")
            return whole
        for one in graph.origins(part.reader, part.name):
            if part.start <= one.start < part.stop:
                here = slice(one.start - part.start, one.stop - part.start)
                direction = self.done.by_key[one.wire.block].direction
                axis.sent_back(g[0, :, here], whole[..., here], When.LAST, direction)
        return whole

    def _through_layer(self, keys: list[str], g: Pair) -> Pair:
        """Go through the blocks of a layer from ∂L/∂ of their outputs, side by side; give that of what entered."""
        parts = [np.split(part, len(keys), axis=-1) for part in g]
        below: Pair | None = None
        for key, value, error in zip(keys, *parts, strict=True):
            block = self.done.by_key[key]
            parts_of_all = [(value, error), *self._sent_to_states(key, block.output)]
            pair = self.met(_of("output", key), key, f"{D}{block.output}_above", self._added(parts_of_all))
            above = {block.output: pair} | self._read_beside(block)
            steps = Steps(*self.read(key), above, self.is_remade, self.completed.get(key, ()))
            dtype = self.done.scenario.dtype
            living = self.done.axis(key).alive()
            back = RecurrentBack(block, steps, living, dtype, has_sums=self.has_sums)
            found = self._through_recurrent(key, back)
            found = self.met(_of("x", key), key, f"{D}{next(iter(block.program.inputs))}", found)
            self._parameters_of(key, back.parameters)
            below = found if below is None else self._reading.apply("add", (below, found))
        assert below is not None
        return self.met(_of("entered", keys[0]), *self._above(keys[0]), below)

    def _read_beside(self, block: Block) -> Pairs:
        """∂L/∂ of the states beside the output as far as it comes from those that read them, where a row ended or at every step."""
        found: Pairs = {}
        for name in block.program.states:
            if name != block.output and (block.key, name) in self._sent:
                g = self._sum_sent(block, name)
                found[name] = self.met(self._beside(block, name), block.key, f"{D}{name}_above", g)
        return found

    def _beside(self, block: Block, name: str) -> Site:
        return lambda along: read_beside(self.done, block, along)[name]

    def _through_recurrent(self, key: str, back: RecurrentBack) -> Pair:
        """Go back through a recurrent block, span by span; give ∂L/∂ of what entered it, (T, B, I)."""
        block = self.done.by_key[key]
        name = next(iter(block.program.inputs))
        axis = self.done.axis(key)
        shape = (axis.num_steps, axis.num_rows, int(block.program.shapes[name][0]))
        whole = np.zeros(shape, self.done.scenario.dtype), np.zeros(shape)
        wired = [state for state in block.program.states if f"{state}_0" in block.wires]
        first = {state: self._empty(key, state) for state in wired}
        for span, lines in self._spans(key, back):
            for state, pair in first.items():
                for part, found in zip(pair, lines[f"{D}{block.program.before(state)}"], strict=True):
                    part[span] = found
            if f"{D}{name}" in lines:  # nothing goes below from a cell that does not read what enters it
                for part, found in zip(whole, lines[f"{D}{name}"], strict=True):
                    part[span] = found
            self._compare_lines(key, span, lines)
        for state, (value, error) in first.items():
            self._send_back_first(block, state, value, error)
        return whole

    def _known_by_step(self, key: str) -> Pairs:
        """What a block knows of each of its steps beside what enters, (T, B, n)."""
        return {name: Given(value) for name, value in self.done.known_by_step(key).items()}

    def _empty(self, key: str, name: str) -> tuple[Array, Error]:
        shape = (*self.done.axis(key).shape, int(self.done.by_key[key].program.shapes[name][0]))
        return np.zeros(shape, self.done.scenario.dtype), np.zeros(shape)

    def _send_back_first(self, block: Block, state: str, value: Array, error: Error) -> None:
        """Let ∂L/∂ of a state before each step, (T, B, n), at the first step go to the block that gave the first state."""
        axis, rows = self.done.axis(block.key), range(self.done.batch.num_rows)
        first = [axis.first_step(block.direction, row) for row in rows]
        begun: Pair = value[first, rows][None], error[first, rows][None]
        name = f"{D}{block.program.before(state)}"
        met = self.met(lambda along: along.first[block.key][state][None], block.key, name, begun)
        self._send_back(block.key, f"{state}_0", met)

    def _above(self, key: str) -> tuple[str, str]:
        """The block that gave what enters a layer, by its first block, and the name of its gradient there."""
        reader = self.done.by_key[key]
        name = next(iter(reader.program.inputs))
        part, *others = self.done.graph.entering(reader.key, name)
        if part.wire.when is not When.SAME or others:
            return reader.key, f"{D}{name}"
        above = "_above" if self.done.by_key[part.wire.block].program.states else ""
        return part.wire.block, f"{D}{part.wire.value}{above}"

    def _through_table(self, table: Block, g: Pair) -> None:
        _, sums = plain_back(table, {"index": Given(self._places(table))}, g)
        self.parameters(table.key, sums)

    def _places(self, table: Block) -> Array:
        """The rows that were looked up, (T, B); −1 for those of `padding_idx`, which do not learn."""
        indices = self.done.data(table.key, "index")
        skipped = self.done.scenario.lookup_of(table).padding_idx
        return np.asarray(indices if skipped is None else np.where(indices == skipped, -1, indices))

    def start(self, key: str, whole: Array) -> int:
        """The step of the first of a block's steps in an array: what is there once stands at the last one."""
        return self.done.axis(key).end if len(whole) == 1 else 0

    # ── beside each other ────────────────────────────────────────────────────────────

    def _compare_loss(self, kind: Kind, ours: Array | float, theirs: Array | float, error: Error) -> None:
        shape = (1, 1, 1)
        pair = np.reshape(ours, shape), np.reshape(theirs, shape)
        self._tally.compare(
            kind, "total", "loss", *pair, error.reshape(shape), self.done.axis("total").end, "forward"
        )

    def _compare_parameters(
        self,
        kind: Kind,
        key: str,
        found: Pairs,
        ours: Mapping[str, Array] | None,
        theirs: Mapping[str, Array] | None,
    ) -> None:
        """Set gradients under torch's names beside each other; None stands for what was found."""
        self.sums[key] = found
        for name, share in found.items():
            where = self.done.by_key[key].kept_in[name]
            shares = self._shares.setdefault((kind, where), [])
            shares.append(share)
            if len(shares) < self.done.graph.num_reading[where]:
                continue  # another block reads it, too
            value, error = self._added(shares)
            one, other = (value if side is None else where.of(side[where.torch]) for side in (ours, theirs))
            self._tally.compare_parameter(kind, key, f"{D}{name}", one, other, error)


def _are_same(one: Mapping[tuple[str, str], list[Pair]], other: Mapping[tuple[str, str], list[Pair]]) -> bool:
    """Whether two rounds found the same gradients."""
    return one.keys() == other.keys() and all(
        np.array_equal(a[0], b[0], equal_nan=True)
        for at in one
        for a, b in zip(one[at], other[at], strict=True)
    )


def _input_of(block: Block, name: str, axis: TimeAxis) -> Site:
    """One of the inputs of a module without states."""
    return lambda along: inputs_of(block, along.read[block.key], axis)[name]


def read_beside(done: Pass, block: Block, along: Along) -> dict[str, Array]:
    """What is read of a block's states beside the first, where rows ended or at every step, by name, (T, B, n)."""
    axis = done.axis(block.key)
    found = {
        name: axis.at_final(value, block.direction) for name, value in along.ends.get(block.key, {}).items()
    }
    for name, value in along.through.get(block.key, {}).items():
        found[name] = found[name] + value if name in found else value
    return found


def _of(name: str, key: str) -> Site:
    """One block's, or one layer's."""
    return lambda along: np.asarray(getattr(along, name)[key])
