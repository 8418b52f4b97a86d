"""Three backward passes through one batch, each set beside what the equations make of its numbers.

| side        | its numbers                                 | set beside                                             |
|-------------|---------------------------------------------|--------------------------------------------------------|
| `TorchSteps`  | torch's, of each step anew                  | what autograd sent on from the same step               |
| `EngineSteps`    | the engine's, of each step anew             | what its backward pass sent on from the same step      |
| `EngineRun`    | the engine's, errors carried along the run  | autograd's, along its own run                          |

A side says which numbers it has; the way is `judged_backward`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from rnnstep.engine import Block
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.differentiate import D
from rnnstep.equations.operations import Array
from rnnstep.network.blocks import Direction
from rnnstep.network.time import TimeAxis
from rnnstep.reference.judge.block_bounds import (
    LossBounds,
    Pairs,
    RecurrentBack,
    Steps,
    as_banks,
    core_block,
    inputs_of,
)
from rnnstep.reference.judge.bounds import Error
from rnnstep.reference.judge.circle_bounds import fed_back_around
from rnnstep.reference.judge.findings import Tally
from rnnstep.reference.judge.judged_backward import JudgedBackward, Site, read_beside
from rnnstep.reference.judge.run_bounds import RunErrors, carried_errors
from rnnstep.reference.run.gradients import ReferenceGradients
from rnnstep.reference.run.loss import of_loss


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
        axis = self.done.axis(key)
        return Given(inputs_of(self.done.by_key[key], self._values.read[key], axis)[name])

    def banks(self, block: Block) -> Mapping[str, Pair]:
        """Torch's."""
        whole = self._values.read_whole.get(block.key, {})
        return {name: Given(value) for name, value in as_banks(self.done, block, whole).items()}

    def read(self, key: str) -> tuple[Pairs, Pairs]:
        """Torch's."""
        block, states = self.done.by_key[key], self._values.states[key]
        entering: Pairs = {next(iter(block.program.inputs)): Given(self._values.x[key])}
        entering |= self._known_by_step(key)
        for name, value in states.items():
            before = self.done.axis(key).before(value, self._values.first[key][name], block.direction)
            entering[block.program.before(name)] = Given(before)
        return entering, {name: Given(value) for name, value in states.items()}

    def above(self, block: Block) -> Pairs:
        """Torch's ∂L/∂ of what a block's readers read of it, as far as it comes from them, by the value, (T, B, n)."""
        whole = read_beside(self.done, block, self._gradients)
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

    def banks(self, block: Block) -> Mapping[str, Pair]:
        """The engine's."""
        return {name: Given(value) for name, value in self.done.banks(block.key).items()}

    def read(self, key: str) -> tuple[Pairs, Pairs]:
        """The engine's."""
        run = self.done.runs[key]
        entering: Pairs = {next(iter(run.block.program.inputs)): Given(self._errors.entering(key))}
        entering |= self._known_by_step(key)
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

    def banks(self, block: Block) -> Mapping[str, Pair]:
        """The engine's, along the run."""
        return self._errors.banks(block.key)

    def read(self, key: str) -> tuple[Pairs, Pairs]:
        """The engine's, along the run."""
        run, states = self.done.runs[key], self._errors.states[key]
        error = self._errors.inputs(key)
        entering: Pairs = {next(iter(run.block.program.inputs)): (self._errors.entering(key), error)}
        entering |= self._known_by_step(key)
        before = self._errors.before_errors(key)
        for name, value in self._errors.before(key).items():
            entering[run.block.program.before(name)] = value, before[name]
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
            coarse = recorded.coarseness(self.done.scenario.dtype)
            some = {
                name: (value, error * coarse)
                for name, (value, error) in found.items()
                if kept_in[name].torch in recorded.gradients
            }
            self._compare_parameters("recorded", key, some, self._back.parameters, recorded.gradients)
            self.sums[key] = found

    def _fed_back(self, keys: Sequence[str]) -> Mapping[tuple[str, str], list[Pair]]:
        blocks = [block.key for block in self.done.blocks if block.module in keys]
        return fed_back_around(self, blocks, self._read_by_key)

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
