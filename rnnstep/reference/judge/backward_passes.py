"""Three backward passes through one batch, each set beside what the equations make of its numbers.

| side        | its numbers                                 | set beside                                             |
|-------------|---------------------------------------------|--------------------------------------------------------|
| `TorchSteps`  | torch's, of each step anew                  | what autograd sent on from the same step               |
| `EngineSteps`    | the engine's, of each step anew             | what its backward pass sent on from the same step      |
| `EngineRun`    | the engine's, errors carried along the run  | autograd's, along its own run                          |

    loss ─ linear ─ … L1 ─ dropout ─ L0 ─ embedding

Each goes from its loss down to its embedding, block after block, and is always the equations, read as values and what
they may be off by. A side says which numbers it has, and at each block takes what the equations gave there: sets it
beside its own number, and goes on from that one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.differentiate import D
from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.blocks import Direction
from rnnstep.network.description import in_order
from rnnstep.network.graph import Part
from rnnstep.network.time import TimeAxis
from rnnstep.network.wires import When
from rnnstep.reference.judge.block_bounds import (
    LossBounds,
    Pairs,
    RecurrentBack,
    Steps,
    core_block,
    inputs_of,
    plain_back,
)
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.findings import Kind, Tally
from rnnstep.reference.judge.run_bounds import RunErrors, carried_errors
from rnnstep.reference.run.gradients import ReferenceGradients
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
        self._back = back
        self._tally = tally
        self._reading = Rounding(self.done.scenario.dtype)

    # ── what a side has, and what it takes ───────────────────────────────────────────

    @abstractmethod
    def loss(self) -> LossBounds:
        """The loss from the side's scores."""

    @abstractmethod
    def entering(self, key: str, name: str) -> Pair:
        """What a block without states read, (T, B, n), or (B, n)."""

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
        last = {block.module: block for block in self.done.blocks}  # gives what the module gives
        top = last[scenario.layers[-1].key]
        self._sent = {(top.key, top.output): [self._begun()]}
        for key in reversed(in_order(scenario.wiring)):
            module, block = scenario.by_key[key], last[key]
            g = self._met_in_all(block)
            if isinstance(module, Recurrent):
                self._through_module(module, g)
            elif block.kind == "lookup":
                self._through_table(block, g)
            else:
                self._through_plain(block, g)

    def _met_in_all(self, block: Block) -> Pair:
        """∂L/∂ of what a block gave, from all that read it."""
        g = self._sum_sent(block, block.output)
        if len(self._sent[block.key, block.output]) == 1 or block.kind not in ("map", "lookup"):
            return g  # met already, or by each direction
        return self.met(lambda along: along.gave[block.key], block.key, f"{D}{block.output}", g)

    def _sum_sent(self, block: Block, name: str) -> Pair:
        """∂L/∂ of one of a block's values as far as it comes from above, of all that read it; zeros where none does."""
        parts = self._sent.get((block.key, name), [])
        if not parts:
            shape = (*self.done.axis(block.key).shape, int(block.program.shapes[name][0]))
            return Given(np.zeros(shape, self.done.scenario.dtype))
        if len(parts) == 1:
            return parts[0]
        return self._summed(np.stack([value for value, _ in parts]), np.stack([error for _, error in parts]))

    def _summed(self, values: Array, errors: Error) -> Pair:
        """The sum along the first axis, in any order."""
        with np.errstate(all="ignore"):
            largest = np.abs(values, dtype=np.float64).sum(axis=0)
            rounding = len(values) * float(np.finfo(values.dtype).eps) / 2
            return values.sum(axis=0), errors.sum(axis=0) + rounding * (largest + errors.sum(axis=0))

    def _send_back(self, key: str, name: str, g: Pair) -> None:
        """Let ∂L/∂ of what a block read, (T, B, n), or (1, B, n), go to the blocks that gave it."""
        for part in self.done.graph.entering(key, name):
            if part.wire.when is When.DATA:
                continue
            here = slice(part.start, part.stop)
            value: Array = g[0][..., here]
            error: Error = np.broadcast_to(g[1], g[0].shape)[..., here]
            if part.wire.when.is_once:
                if len(value) > 1:  # it was the same at every step
                    summed = self._summed(value, error)
                    value, error = summed[0][None], summed[1][None]
                value = self._onto_step(part, value)
                error = self._onto_step(part, error)
            self._sent.setdefault((part.wire.block, part.wire.value), []).append((value, error))

    def _begun(self) -> Pair:
        """∂L/∂ of the scores: from the loss, or as it is given."""
        given = self._back.given_at_scores
        if given is not None:
            return Given(given)
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
        lines, sums = plain_back(block, known, g)
        self.parameters(block.key, sums)
        for name in block.brought:
            site = _input_of(block, name)
            self._send_back(block.key, name, self.met(site, block.key, f"{D}{name}", lines[f"{D}{name}"]))

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
            pair = self.met(_of("output", key), key, f"{D}{block.output}_above", (value, error))
            above = {block.output: pair} | self._read_at_ends(block)
            steps = Steps(*self.read(key), above, self.is_remade, self.completed.get(key, ()))
            dtype = self.done.scenario.dtype
            living = self.done.axis(key).alive()
            back = RecurrentBack(block, steps, living, dtype, has_sums=self.has_sums)
            found = self._through_recurrent(key, back)
            found = self.met(_of("x", key), key, f"{D}{next(iter(block.program.inputs))}", found)
            self.parameters(key, back.parameters)
            below = found if below is None else self._reading.apply("add", (below, found))
        assert below is not None
        return self.met(_of("entered", keys[0]), *self._above(keys[0]), below)

    def _read_at_ends(self, block: Block) -> Pairs:
        """∂L/∂ of the states beside the output that blocks above read where each row ended, as far as it comes from there."""
        found: Pairs = {}
        for name in block.program.states:
            if name != block.output and (block.key, name) in self._sent:
                g = self._sum_sent(block, name)
                found[name] = self.met(self._ends_of(block, name), block.key, f"{D}{name}_above", g)
        return found

    def _ends_of(self, block: Block, name: str) -> Site:
        axis = self.done.axis(block.key)
        return lambda along: axis.at_final(along.ends[block.key][name], block.direction)

    def _through_recurrent(self, key: str, back: RecurrentBack) -> Pair:
        """Go back through a recurrent block, span by span; give ∂L/∂ of what entered it, (T, B, I)."""
        block = self.done.by_key[key]
        name = next(iter(block.program.inputs))
        axis = self.done.axis(key)
        shape = (axis.num_steps, axis.num_rows, int(block.program.shapes[name][0]))
        whole = np.zeros(shape, self.done.scenario.dtype), np.zeros(shape)
        for span, lines in self._spans(key, back):
            if f"{D}{name}" in lines:  # nothing goes below from a cell that does not read what enters it
                for part, found in zip(whole, lines[f"{D}{name}"], strict=True):
                    part[span] = found
            self._compare_lines(key, span, lines)
        return whole

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
        for name, (value, error) in found.items():
            where = self.done.by_key[key].kept_in[name]
            one, other = (
                value if side is None else side[where.torch][where.start : where.stop]
                for side in (ours, theirs)
            )
            self._tally.compare_parameter(kind, key, f"{D}{name}", one, other, error)


def _input_of(block: Block, name: str) -> Site:
    """One of the inputs of a module without states."""
    return lambda along: inputs_of(block, along.read[block.key])[name]


def _of(name: str, key: str) -> Site:
    """One block's, or one layer's."""
    return lambda along: np.asarray(getattr(along, name)[key])


# ── the sides ────────────────────────────────────────────────────────────────────────────────────


class TorchSteps(JudgedBackward):
    """From torch's numbers of each step."""

    kind = "one step"
    is_remade = True  # the self-check reads its equations from the states before

    def __init__(self, back: BackwardPass, reference: ReferenceGradients, tally: Tally) -> None:
        super().__init__(back, tally)
        self._reference = reference
        self.completed = reference.self_checked
        self._values, self._gradients = reference.values, reference.gradients

    def loss(self) -> LossBounds:
        """From torch's scores."""
        run = self.done.loss_run
        assert run is not None
        return LossBounds(run.blocks, Given(of_loss(self.done, self._values.scores)))

    def took(self, loss: LossBounds) -> None:
        """Set it beside torch.nn's, and its lines beside the self-check's."""
        self._compare_loss(self.kind, loss.loss[0], self._reference.stepped_loss, loss.loss[1])
        for name, theirs in self._reference.loss_inner.items():
            if f"{D}{name}" in loss.back:
                value, error = loss.back[f"{D}{name}"]
                start = self.start("loss", theirs)
                self._tally.compare(self.kind, "loss", f"{D}{name}", value, theirs, error, start)

    def entering(self, key: str, name: str) -> Pair:
        """Torch's."""
        return Given(inputs_of(self.done.by_key[key], self._values.read[key])[name])

    def read(self, key: str) -> tuple[Pairs, Pairs]:
        """Torch's."""
        block, states = self.done.by_key[key], self._values.states[key]
        entering: Pairs = {next(iter(block.program.inputs)): Given(self._values.x[key])}
        for name, value in states.items():
            first = self.done.scenario.first_state(block, name, self.done.batch)
            before = self.done.axis(key).before(value, first, block.direction)
            entering[block.program.before(name)] = Given(before)
        return entering, {name: Given(value) for name, value in states.items()}

    def above(self, block: Block) -> Pairs:
        """Torch's ∂L/∂ of what a block's readers read of it, as far as it comes from them, by the value, (T, B, n)."""
        ends = self._gradients.ends.get(block.key, {})
        whole = {name: self._ends_of(block, name)(self._gradients) for name in ends}
        whole[block.output] = self._gradients.output[block.key]
        return {name: Given(value) for name, value in whole.items()}

    def met(self, site: Site, key: str, name: str, found: Pair) -> Pair:
        """Set it beside autograd's, and go on from that."""
        theirs = np.reshape(site(self._gradients), found[0].shape)
        self._tally.compare(self.kind, key, name, found[0], theirs, found[1], self.start(key, theirs))
        return Given(theirs)

    def parameters(self, key: str, found: Pairs) -> None:
        """Set the sums beside the gradients of the same stepped run."""
        self._compare_parameters(self.kind, key, found, None, self._reference.stepped_parameters)

    def _spans(self, key: str, back: RecurrentBack) -> Iterator[tuple[slice, Pairs]]:
        totals = self._gradients.states[key]
        return back.through({name: Given(value) for name, value in totals.items()})

    def _compare_lines(self, key: str, span: slice, lines: Pairs) -> None:
        known = {**self._reference.inner.get(key, {}), **self._gradients.states[key]}
        inputs = self.done.by_key[key].program.inputs
        for name, theirs in known.items():
            if f"{D}{name}" in lines and name not in inputs:  # what goes below is met by itself
                value, error = lines[f"{D}{name}"]
                self._tally.compare(self.kind, key, f"{D}{name}", value, theirs[span], error, span.start)


class EngineSteps(JudgedBackward):
    """From our own numbers of each step.

    Attributes:
        read_by_key: what each step of a block reads of the step after it, `∂h_next`, (T, B, n).
    """

    kind = "own step"

    def __init__(self, back: BackwardPass, tally: Tally, errors: RunErrors, *, has_sums: bool = True) -> None:
        super().__init__(back, tally)
        self.has_sums = has_sums
        self._errors = errors
        self.read_by_key: dict[str, Mapping[str, Array]] = {}

    def loss(self) -> LossBounds:
        """From our own scores."""
        run = self.done.loss_run
        assert run is not None
        return LossBounds(run.blocks, Given(run.outputs))

    def took(self, loss: LossBounds) -> None:
        """Set our loss beside it."""
        self._compare_loss(self.kind, self._back.loss, *loss.loss)

    def entering(self, key: str, name: str) -> Pair:
        """The engine's."""
        return Given(self.done.entering(key, name))

    def read(self, key: str) -> tuple[Pairs, Pairs]:
        """The engine's."""
        run = self.done.runs[key]
        entering: Pairs = {next(iter(run.block.program.inputs)): Given(self._errors.entering(key))}
        for name, value in self._errors.before(key).items():
            entering[run.block.program.before(name)] = Given(value)
        return entering, {name: Given(run.state(name)) for name in run.block.program.states}

    def met(self, site: Site, key: str, name: str, found: Pair) -> Pair:  # noqa: ARG002 - the engine has the totals alone
        """Go on from it."""
        return found

    def parameters(self, key: str, found: Pairs) -> None:
        """Set our gradients beside the sums."""
        self._compare_parameters(self.kind, key, found, self._back.parameters, None)

    def _spans(self, key: str, back: RecurrentBack) -> Iterator[tuple[slice, Pairs]]:
        names = back.block.program.states
        yield from back.through({name: Given(self._back.states(key, name)) for name in names})
        self.read_by_key[key] = back.read

    def _compare_lines(self, key: str, span: slice, lines: Pairs) -> None:
        for name in self.done.by_key[key].program.states:
            value, error = lines[f"{D}{name}"]
            ours = self._back.states(key, name)[span]
            self._tally.compare(self.kind, key, f"{D}{name}", ours, value, error, span.start)


class EngineRun(JudgedBackward):
    """From our own numbers, with their errors carried along the run; set beside torch's where those are given."""

    kind = "run"

    def __init__(
        self,
        back: BackwardPass,
        reference: ReferenceGradients | None,
        tally: Tally,
        errors: RunErrors,
        read_by_key: Mapping[str, Mapping[str, Array]],
    ) -> None:
        super().__init__(back, tally)
        self._reference = reference
        self._errors = errors
        self._read_by_key = read_by_key

    def loss(self) -> LossBounds:
        """The engine's, along the run."""
        assert self._errors.loss is not None
        return self._errors.loss

    def took(self, loss: LossBounds) -> None:
        """Set our loss beside that of torch's whole module."""
        if self._reference is not None:
            self._compare_loss("module", self._back.loss, self._reference.loss, loss.loss[1])
        recorded = self.done.batch.recorded
        if recorded is not None and recorded.loss is not None:
            self._compare_loss("recorded", self._back.loss, recorded.loss, loss.loss[1])

    def entering(self, key: str, name: str) -> Pair:
        """The engine's, along the run."""
        return self._errors.read(key, name)

    def read(self, key: str) -> tuple[Pairs, Pairs]:
        """The engine's, along the run."""
        run, states = self.done.runs[key], self._errors.states[key]
        error = self._errors.inputs(key)
        entering = {next(iter(run.block.program.inputs)): (self._errors.entering(key), error)}
        for name, value in self._errors.before(key).items():
            before = _shifted(states[name], run.block.direction)
            entering[run.block.program.before(name)] = value, before
        return entering, {name: (run.state(name), states[name]) for name in run.block.program.states}

    def met(self, site: Site, key: str, name: str, found: Pair) -> Pair:  # noqa: ARG002 - the engine has the totals alone
        """Go on from it."""
        return found

    def parameters(self, key: str, found: Pairs) -> None:
        """Set our gradients beside those of torch's whole module."""
        self.sums[key] = found
        if self._reference is not None:
            self._compare_parameters("module", key, found, self._back.parameters, self._reference.parameters)
        recorded = self.done.batch.recorded
        if recorded is not None and recorded.gradients:
            kept_in = self.done.by_key[key].kept_in
            some = {name: pair for name, pair in found.items() if kept_in[name].torch in recorded.gradients}
            self._compare_parameters("recorded", key, some, self._back.parameters, recorded.gradients)
            self.sums[key] = found

    def _spans(self, key: str, back: RecurrentBack) -> Iterator[tuple[slice, Pairs]]:
        core, read = back.derivation.core, self._read_by_key[key]
        core_of_block = core_block(back.block, back.derivation)
        errors = carried_errors(
            core_of_block,
            back.entering,
            {name: read[core.before(name)] for name in core.states},
            self.done.scenario.dtype,
            self.done.axis(key).alive(),
        )
        return back.along(
            {
                core.before(name): (read[core.before(name)], _shifted(error, core_of_block.direction))
                for name, error in errors.items()
            }
        )

    def _compare_lines(self, key: str, span: slice, lines: Pairs) -> None:
        states = {} if self._reference is None else self._reference.states[key]
        for name, theirs in states.items():
            ours = self._back.states(key, name)[span]
            error = lines[f"{D}{name}"][1]
            self._tally.compare(self.kind, key, f"{D}{name}", ours, theirs[span], error, span.start)


def _shifted(error: Error, direction: Direction) -> Error:
    """The error of what each step read of the step before it, in the order of computation; there is none in rows that are over."""
    return TimeAxis(error.shape[0], error.shape[1]).before(error, np.zeros(error.shape[1:]), direction)


def one_step_back(back: BackwardPass, reference: ReferenceGradients, key: str, t: int) -> Pairs:
    """Every line of a recurrent block at one step, (B, n), from torch's numbers of that step and the one after it."""
    way = TorchSteps(back, reference, Tally(back.batch.longest, "backward"))
    block = back.done.by_key[key]
    is_reversed = block.direction == "backward"
    part = slice(max(t - 1, 0), t + 1) if is_reversed else slice(t, t + 2)
    entering, after = way.read(key)
    steps = Steps(
        _part(entering, part),
        _part(after, part),
        _part(way.above(block), part),
        way.is_remade,
        way.completed.get(key, ()),
    )
    alive = back.done.axis(key).alive()
    living = None if alive is None else alive[part]
    totals = {name: Given(value[part]) for name, value in reference.gradients.states[key].items()}
    through = RecurrentBack(block, steps, living, back.scenario.dtype).through(totals)
    found: Pairs = {}
    for _, lines in through:
        found = {
            name: (value[t - part.start], error[t - part.start]) for name, (value, error) in lines.items()
        }
    return found


def _part(pairs: Mapping[str, Pair], part: slice) -> Pairs:
    return {name: (value[part], error[part]) for name, (value, error) in pairs.items()}
