"""The engine's run of a batch beside torch's: every check of it, without torch, and what is asked of the result.

Agreement rests on two steps that close a chain. From the states that torch's stepped module had, the compiled
step gives what torch gave ("one step"); and each step of the run is what the equations give from the
run's own states ("own step"). Both hold in chaos too. Beside them stand the differences along the
run, with the bound carried through time ("run", "module").

That bound grows beyond all use along a run of a large or chaotic model. What torch's whole module returned can still
be judged closely (`follow`): its h_{t-1} is known, so that h_t must follow from it by the equations; only a state
that it does not return at every step (an LSTM's c) is carried along, and its error with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.engine.recurrence import BlockRun
from rnnstep.engine.shapes import from_torch_shape
from rnnstep.equations.bounds import Given
from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.time import as_computed
from rnnstep.reference.judge import batch_statistics
from rnnstep.reference.judge.block_bounds import (
    LossBounds,
    as_banks,
    bounded,
    inputs_of,
    side_by_side,
    spans,
)
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.fed import judge_fed
from rnnstep.reference.judge.findings import (
    ALLOWED,
    Finding,
    Judged,
    Kind,
    Tally,
    Verdict,
    differences,
    largest_difference,
    stretches,
)
from rnnstep.reference.judge.followed import FollowedSteps
from rnnstep.reference.judge.recorded import judge_recorded, recorded_output
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.judge.seam import Ends, judge_carried
from rnnstep.reference.judge.step_bounds import OneStep, OwnSteps, StepBounds
from rnnstep.reference.run.forward import ReferencePass
from rnnstep.reference.run.layout import keys_of, states_by_block
from rnnstep.reference.run.loss import of_loss

# ── every check of a batch ───────────────────────────────────────────────────────────────────────


def digest(done: Pass) -> bytes:
    """Give a short name for the results of a run."""
    found = hashlib.blake2b(digest_size=16)
    for run in done.runs.values():
        for name in run.block.program.states:
            found.update(np.ascontiguousarray(run.state(name)).data)
    if done.logits is not None:
        found.update(np.ascontiguousarray(done.logits).data)
    if done.loss is not None:
        found.update(np.float64(done.loss).tobytes())
    return found.digest()


def judge(
    done: Pass,
    reference: ReferencePass,
    errors: RunErrors | None = None,
    is_wanted: Callable[[], bool] | None = None,
    before: Ends | None = None,
) -> Verdict:
    """Compare our run of a batch with torch's.

    Args:
        done: our run.
        reference: torch's.
        errors: those along our run, if they are wanted again.
        is_wanted: whether to go on.
        before: where torch's run of the batch before ended, where states are carried on.

    Raises:
        NotWanted: it is not.
    """
    errors = RunErrors(done) if errors is None else errors
    tally = Tally(done.batch.longest, is_wanted=is_wanted)
    with np.errstate(all="ignore"):  # NaN and infinity are numbers like others here
        judge_carried(before or {}, reference, tally)
        return _Judging(done, reference, errors, tally).verdict()


class _Judging:
    """The checks of one batch, gathered."""

    def __init__(self, done: Pass, reference: ReferencePass, errors: RunErrors, tally: Tally) -> None:
        self._done = done
        self._reference = reference
        self._errors = errors
        self._scenario = done.scenario
        self._reading = Rounding(done.scenario.dtype)
        self._tally = tally
        self._parted: Finding | None = None
        self._followed: dict[str, tuple[FollowedSteps, Tally]] = {}

    def verdict(self) -> Verdict:
        self._judge_input()
        for key, run in self._done.runs.items():
            self._judge_steps(key, run)
        errors = self._errors.states
        self._judge_run(errors)
        self._judge_module(errors)
        self._judge_module_steps()
        self._judge_plain()
        self._judge_loss()
        judge_fed(self._done, self._reference, self._errors, self._tally)
        judge_recorded(self._done, self._errors, self._tally)
        return Verdict(
            faults=tuple(self._tally.faults.values()),
            worst=self._tally.worst,
            max_abs_diff=self._max_abs_diff(),
            differing=self._tally.differing,
            parted=None if self._tally.faults else self._parted,
            digest=digest(self._done),
        )

    # ── one step at a time ───────────────────────────────────────────────────────────

    def _judge_input(self) -> None:
        """What is given, or the rows that are looked up, bit for bit."""
        blocks = self._done.by_key
        for key, whole in (*self._reference.x.items(), *self._reference.read.items()):
            for name, theirs in inputs_of(blocks[key], whole, self._done.axis(key)).items():
                for part in self._done.graph.entering(key, name):
                    source = blocks.get(part.wire.block)
                    if source is not None and source.kind != "lookup":
                        continue
                    here = slice(part.start, part.stop)
                    pair = self._done.entering(key, name)[..., here], theirs[..., here]
                    at = (key, name) if source is None else (source.key, source.output)
                    self._tally.compare("input", *at, *pair, np.zeros(()))

    def _judge_steps(self, key: str, run: BlockRun) -> None:
        """Each step by itself: ours from torch's states, our run's from its own, and the whole module's from its h."""
        bounds = StepBounds(run.block, self._scenario.dtype)
        step, own = OneStep(self._done, self._reference, key, bounds), OwnSteps(run, self._errors, bounds)
        following, output = self._following(key, bounds), next(iter(run.block.program.states))
        of_own, of_module = self._tally.beside(), self._tally.beside()
        for span in spans(run.block, run.num_steps, self._done.batch.num_rows):
            self._judge_one_step(key, step, span)
            for name, (value, error) in own.at(span).items():
                of_own.compare("own step", key, name, run.state(name)[span], value, error, span.start)
            if following is not None:
                value, error = following.take(span)
                of_module.compare("module", key, output, value, following.h[span], error, span.start)
        self._tally.join(of_own)
        if following is not None:
            self._followed[key] = following, of_module

    def _judge_one_step(self, key: str, step: OneStep, span: slice) -> None:
        """Our step from torch's states beside torch's step, and inner values beside the self-check."""
        beside = {**self._reference.states[key], **self._reference.inner[key]}
        names = [name for name in step.names if len(beside[name]) > span.start]
        for name, (ours, bound) in step.at(span, names).items():
            theirs = beside[name][span]
            self._tally.compare(
                "one step", key, name, ours[: len(theirs)], theirs, bound[: len(theirs)], span.start
            )

    # ── along the run ────────────────────────────────────────────────────────────────

    def _judge_run(self, errors: Mapping[str, Mapping[str, Error]]) -> None:
        for key, run in self._done.runs.items():
            for name, theirs in self._reference.states[key].items():
                ours = run.state(name)
                self._tally.compare("run", key, name, ours, theirs, errors[key][name])
                self._look_for_parting(key, name, ours, theirs)

    def _look_for_parting(self, key: str, name: str, ours: Array, theirs: Array) -> None:
        """Note the first step at which half of the digits are gone."""
        steps: list[int] = []
        half = float(np.sqrt(np.finfo(self._scenario.dtype).eps))
        for part in stretches(ours):
            found = differences(ours[part], theirs[part])
            if found.max(initial=0.0) > half:
                with np.errstate(invalid="ignore"):
                    gone = found > half * np.maximum(1.0, np.abs(theirs[part]))
                steps += (part.start + np.flatnonzero(gone.any(axis=(1, 2)))).tolist()
        if not steps:
            return
        t = as_computed(steps, self._done.by_key[key].direction)[0]
        if self._parted is None or (self._parted.t is not None and t < self._parted.t):
            found = differences(ours[t], theirs[t])
            row, element = np.unravel_index(int(np.argmax(found)), found.shape)
            difference = float(found[row, element])
            self._parted = Finding("run", key, name, t, int(row), int(element), difference, float("inf"))

    def _judge_module(self, errors: Mapping[str, Mapping[str, Error]]) -> None:
        """Our results beside those of torch's whole module; of a cell, of its loop and of the whole module."""
        for recurrent in self._scenario.recurrents:
            found = self._reference.of_module(recurrent)
            for result in (found, found.whole):
                if result is None:
                    continue
                output = from_torch_shape(self._scenario, result.output)
                self._judge_output(recurrent, output, errors)
                for name, shown in zip(recurrent.cell.states, (result.h_n, result.c_n), strict=False):
                    if shown is not None:
                        states = states_by_block(self._scenario, recurrent, shown)
                        self._judge_final(recurrent, name, states, errors)

    def _judge_output(
        self, recurrent: Recurrent, output: Array, errors: Mapping[str, Mapping[str, Error]]
    ) -> None:
        name = next(iter(recurrent.cell.states))
        size = output.shape[-1] // recurrent.num_directions
        for position, key in enumerate(keys_of(self._done.blocks, recurrent, recurrent.num_layers - 1)):
            theirs = output[..., position * size : (position + 1) * size]
            self._tally.compare(
                "module", key, name, self._done.runs[key].state(name), theirs, errors[key][name]
            )

    def _judge_final(
        self, recurrent: Recurrent, name: str, theirs: Array, errors: Mapping[str, Mapping[str, Error]]
    ) -> None:
        for position, key in enumerate(keys_of(self._done.blocks, recurrent)):
            run = self._done.runs[key]
            error = self._done.axis(key).final(errors[key][name], run.block.direction)
            self._tally.compare("module", key, f"{name}_n", run.final(name), theirs[position], error, None)

    def _judge_module_steps(self) -> None:
        """The whole modules' output beside the equations, each step from the h before it that the module gave."""
        for recurrent in self._scenario.recurrents:
            result = self._reference.of_module(recurrent)
            result = result.whole or result
            ends = dict(zip(recurrent.cell.states, (result.h_n, result.c_n), strict=False))
            for position, key in enumerate(keys_of(self._done.blocks, recurrent)):
                if key not in self._followed:
                    continue
                following, found = self._followed[key]
                self._tally.join(found, self._done.axis(key), self._done.by_key[key].direction)
                for name, shown in ends.items():
                    if shown is not None:
                        theirs = states_by_block(self._scenario, recurrent, shown)[position]
                        value, error = following.final[name]
                        self._tally.compare("module", key, f"{name}_n", value, theirs, error, None)

    def _following(self, key: str, bounds: StepBounds) -> FollowedSteps | None:
        """The steps of the layer of a whole module that a block is; None where torch has no such module over time."""
        recurrent = self._scenario.recurrent_of(bounds.block)
        if not self._reference.of_module(recurrent).layers:
            return None
        x, h = self._of_layer(recurrent, key)
        return FollowedSteps(bounds.block, x, h, self._reference.first[key], self._done.axis(key), bounds)

    def _of_layer(self, recurrent: Recurrent, key: str) -> tuple[Array, Array]:
        """What entered the layer of a whole module that a block is, and what it gave in the block's direction, (T, B, n)."""
        found, layer = self._reference.of_module(recurrent), self._done.by_key[key].layer
        result = found.whole or found
        layers = (*found.layers[:-1], from_torch_shape(self._scenario, result.output))
        x = self._reference.x[keys_of(self._done.blocks, recurrent)[0]]
        if layer:
            above = recurrent.above(layer - 1)
            x = layers[layer - 1] if above is None else self._done.masks[above.key] * layers[layer - 1]
        keys = keys_of(self._done.blocks, recurrent, layer)
        return x, np.split(layers[layer], len(keys), axis=-1)[keys.index(key)]

    def _judge_plain(self) -> None:
        """Our modules without states on what torch's read beside torch's, then both along the run."""
        for key in self._reference.read:
            self._judge_module_alone(self._done.by_key[key])

    def _judge_module_alone(self, block: Block) -> None:
        theirs = self._reference.gave[block.key]
        if self._scenario.by_key[block.module].reads_batch:
            read = self._reference.read[block.key].reshape(-1, *theirs.shape[-2:])
            ours, (_, error) = batch_statistics.forth(self._done, block.module, Given(read), self._reading)
            self._judge_given(
                block, ours.reshape(theirs.shape), np.broadcast_to(error, ours.shape).reshape(theirs.shape)
            )
            return
        known = inputs_of(block, self._reference.read[block.key], self._done.axis(block.key))
        known |= {one: self._done.entering(block.key, one) for one in block.given}
        if block.program.banks:
            known = {one: value if value.ndim == 3 else value[None] for one, value in known.items()}
            known |= as_banks(self._done, block, self._reference.read_whole[block.key])
            lines = block.program.at_once({**block.parameters, **known})
            ours = lines[block.output].reshape(theirs.shape)
            self._judge_inside(block, known, lines, 0 if theirs.ndim == 3 else None)
        else:
            flat = {one: value.reshape(-1, value.shape[-1]) for one, value in known.items()}
            ours = block.compiled.derive(block.output, {**block.parameters, **flat}).reshape(theirs.shape)
        exactly = {one: Given(value) for one, value in known.items()}
        error = np.reshape(bounded(block, exactly, self._reading)[block.output][1], theirs.shape)
        self._judge_given(block, ours, error)

    def _judge_given(self, block: Block, ours: Array, error: Error) -> None:
        """What a module gave of what torch's read, and of what it read itself, beside what torch's gave."""
        theirs = self._reference.gave[block.key]
        start = 0 if theirs.ndim == 3 else None
        self._tally.compare("one step", block.key, block.output, ours, theirs, error, start)
        shown = self._reference.logits if block.key == self._scenario.scored_module.key else None
        if shown is not None:  # as it is handed out
            theirs = from_torch_shape(self._scenario, shown) if start == 0 else shown.reshape(theirs.shape)
        value, run_error = self._errors.given(block.key)
        pair = value.reshape(theirs.shape), theirs
        self._tally.compare(
            "module", block.key, block.output, *pair, np.reshape(run_error, theirs.shape), start
        )

    def _judge_inside(
        self, block: Block, known: Mapping[str, Array], lines: Mapping[str, Array], start: int | None
    ) -> None:
        """The other values of attention on what torch's read beside torch's."""
        bounds = bounded(block, {one: Given(value) for one, value in known.items()}, self._reading)
        for name, theirs in self._reference.inside[block.key].items():
            ours, error = np.reshape(lines[name], theirs.shape), np.reshape(bounds[name][1], theirs.shape)
            self._tally.compare("one step", block.key, name, ours, theirs, error, start)

    def _judge_loss(self) -> None:
        """Our loss from torch's scores beside torch's own, our own from our own, then both along the run."""
        run, reference = self._done.loss_run, self._reference
        if run is None or reference.loss is None:
            return
        scores = reference.scores
        end = self._done.axis("total").end
        start = end if run.blocks.loss.extent.is_single else 0
        beside = LossBounds(run.blocks, Given(of_loss(self._done, scores)))
        self._judge_total("one step", beside, reference.loss, end)
        for name, theirs in reference.loss_lines.items():
            ours, error = beside.lines[name]
            self._tally.compare("one step", "loss", name, ours, theirs, error, start)
        own = LossBounds(run.blocks, Given(run.outputs))
        self._judge_total("own step", own, run.entries["loss"], end)
        for name in reference.loss_lines:
            value, error = own.lines[name]
            self._tally.compare("own step", "loss", name, run.known[name], value, error, start)
        assert self._errors.loss is not None
        self._judge_total("module", self._errors.loss, reference.loss, end)

    def _judge_total(self, kind: Kind, ours: LossBounds, theirs: Array, end: int) -> None:
        (value, error), shape = ours.loss, (1, 1, 1)
        found = value.reshape(shape), theirs.reshape(shape), error.reshape(shape)
        self._tally.compare(kind, "total", "loss", *found, end)

    def _max_abs_diff(self) -> dict[str, float]:
        found = {}
        for name in ("output", "h_n", "c_n", "logits"):
            theirs = result_of(self._done, self._reference, name)
            if theirs is not None:
                found[name] = largest_difference(getattr(self._done, name), theirs)
        return found


def result_of(done: Pass, reference: ReferencePass, name: str) -> Array | None:
    """What stands beside a result of the engine's, `output`, `h_n` …, in torch's shape: what was recorded, else torch's."""
    recorded = None if done.batch.recorded is None else done.batch.recorded.results.get(name)
    found: Array | None = getattr(reference, name) if recorded is None else recorded
    return found


# ── what is asked of it ──────────────────────────────────────────────────────────────────────────


class Comparison(Judged):
    """One batch of the engine's beside torch's. `key` is a block's ("L0←"), `t` counts from 0.

    Attributes:
        done: our run.
        reference: torch's.
        verdict: what comparing them gave.
    """

    def __init__(self, done: Pass, reference: ReferencePass, verdict: Verdict) -> None:
        self.done = done
        self.reference = reference
        self.verdict = verdict
        self._steps: dict[str, OneStep] = {}

    def value(self, key: str, name: str, t: int) -> Array | None:
        """Torch's value, (live rows, n): torch.nn's own, or the self-check's (`is_module_confirmed` says which).

        None where there is none: a mask, what is of parameters alone, inner values of the late steps
        of a very long run.
        """
        whole = self._whole(key, name)
        if whole is None:
            return None
        if key in ("loss", "total"):  # of every row, those that are over too
            return np.asarray(whole[0 if len(whole) == 1 else t])
        if whole.ndim == 2:
            return whole
        if t >= len(whole):
            return None
        rows = self.done.live_rows(key, t)
        return np.asarray(whole[t] if rows is None else whole[t][rows])

    def difference(self, key: str, name: str, t: int) -> Error | None:
        """|the engine's − torch's| as they stand side by side, each on its own states, (live rows, n)."""
        theirs = self.value(key, name, t)
        return None if theirs is None else differences(self.done.value(key, name, t), theirs)

    def one_step(self, key: str, name: str, t: int) -> tuple[Error, Error] | None:
        """The difference from torch's own h_prev, by which agreement is judged, and what is allowed, (live rows, n).

        None where that is not to be had, as for `value`, and outside of recurrent blocks.
        """
        theirs = self.value(key, name, t)
        if theirs is None or key not in self.done.runs or name not in self._step(key).names:
            return None
        if self.is_recorded(key, name):
            return None
        ours, bound = (part[0] for part in self._step(key).at(slice(t, t + 1))[name])
        rows = self.done.live_rows(key, t)
        if rows is not None:
            ours, bound = ours[rows], bound[rows]
        return differences(ours, theirs), ALLOWED * bound

    @property
    def output(self) -> Array | None:
        """What stands beside our `output`, in torch's shape: what was recorded, else torch's; so do the next three."""
        return result_of(self.done, self.reference, "output")

    @property
    def h_n(self) -> Array | None:
        """Beside our `h_n`."""
        return result_of(self.done, self.reference, "h_n")

    @property
    def c_n(self) -> Array | None:
        """Beside our `c_n`."""
        return result_of(self.done, self.reference, "c_n")

    @property
    def logits(self) -> Array | None:
        """Beside our `logits`."""
        return result_of(self.done, self.reference, "logits")

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of what was recorded, and stands in the place of torch's."""
        recorded = self.done.batch.recorded
        names = () if recorded is None else recorded.names
        return tuple(
            name for name in names if not name.startswith("grad.")
        )  # those stand beside the backward pass

    def is_recorded(self, key: str, name: str) -> bool:
        """Whether `value` was recorded, and is not torch's."""
        return recorded_output(self.done, key, name) is not None

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether `value` is torch.nn's own; if not it is a self-check: the same equations in torch's operations."""
        if key in ("loss", "total"):
            return name == "loss" or name == next(iter(self.done.by_key["loss"].program.inputs))
        if not self.reference.is_module:
            return self.done.by_key[key].kind in ("lookup", "map")
        if key not in self.done.runs:
            return True
        states = self.done.by_key[key].program.states
        return name == "x" or name.removesuffix("_prev") in states

    def agrees_at(self, key: str, name: str, t: int) -> bool | None:
        """Whether nothing of a value at a step was found to disagree; None where there is none of torch's."""
        if self.value(key, name, t) is None:
            return None
        differing = self.verdict.differing.get((key, name))
        return differing is None or not differing[t].any()

    def _step(self, key: str) -> OneStep:
        if key not in self._steps:
            self._steps[key] = OneStep(self.done, self.reference, key)
        return self._steps[key]

    def _whole(self, key: str, name: str) -> Array | None:
        """A value over all steps, (T, B, n), or (B, n) of what is there once."""
        if key in self.done.runs:
            return self._recurrent(key, name)
        block, graph = self.done.by_key[key], self.done.graph
        match block.kind, name:
            case "join", _ if name in block.program.inputs:
                (part,) = graph.entering(key, name)
                return self._outputs[part.wire.block]
            case "join", "output":
                return side_by_side(graph.computed_by(key), self._outputs)
            case "mask", "h":
                (part,) = graph.entering(key, name)
                return side_by_side(graph.computed_by(part.wire.block), self._outputs)
            case "mask", block.output:
                return self.reference.x[graph.readers(key)[0].reader]
            case "lookup" | "map", block.output:
                return self.reference.gave.get(key)
            case "map", _ if name in self.reference.inside.get(key, {}):
                return self.reference.inside[key][name]
            case "map", _ if name in block.brought:
                read = self.reference.read.get(key)
                return None if read is None else inputs_of(block, read, self.done.axis(key)).get(name)
            case "loss", _:
                return self._of_loss(name)
            case "total", "loss":
                return None if self.reference.loss is None else self.reference.loss.reshape(1, 1, 1)
            case "total", _:
                lines = self.reference.loss_lines
                return lines[name].reshape(1, 1, -1) if name in lines else None
        return None

    def _of_loss(self, name: str) -> Array | None:
        """A value of the block `loss`, (T, B, n); (1, B, n) of the final state."""
        if name != next(iter(self.done.by_key["loss"].program.inputs)):
            return self.reference.loss_lines.get(name)
        return of_loss(self.done, self.reference.scores)

    def _recurrent(self, key: str, name: str) -> Array | None:
        states, block = self.reference.states[key], self.done.by_key[key]
        if name == "x":
            return self.reference.x[key]
        if name in states:
            recorded = recorded_output(self.done, key, name)
            return states[name] if recorded is None else recorded
        state = name.removesuffix("_prev")
        if state in states:
            first = self.reference.first[key][state]
            return self.done.axis(key).before(states[state], first, block.direction)
        return self.reference.inner[key].get(name)

    @cached_property
    def _outputs(self) -> dict[str, Array]:
        """Each block's h, (T, B, n)."""
        return {key: states[self.done.by_key[key].output] for key, states in self.reference.states.items()}


def compare(done: Pass, reference: ReferencePass, verdict: Verdict | None = None) -> Comparison:
    """Set our run of a batch beside torch's.

    Args:
        done: our run.
        reference: what `run_reference` gave for it, here or in another process.
        verdict: of the same two, if it was reached already; one of other numbers is not believed.
    """
    if verdict is None or verdict.digest != digest(done):
        verdict = judge(done, reference)
    return Comparison(done, reference, verdict)
