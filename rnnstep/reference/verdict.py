"""Our run of a batch beside torch's: every check of one batch, without torch.

Agreement rests on two steps that close a chain. From the states that torch's stepped module had, our compiled
step gives what torch gave ("one step"); and each step of our run is what the equations give from the
run's own states ("own step"). Both hold in chaos too. Beside them stand the differences along the
run, with the bound carried through time ("run", "module").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from rnnstep.engine import Pass
from rnnstep.engine.recurrence import BlockRun
from rnnstep.engine.shapes import from_torch_shape
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Error, Rounding, exact
from rnnstep.reference.judging import Finding, Kind, Tally, Verdict, differences
from rnnstep.reference.layout import final, initial, keys_of, last_step, states_by_block
from rnnstep.reference.loss_bounds import LossBounds
from rnnstep.reference.module_steps import Followed, follow
from rnnstep.reference.one_step import OneStep, Rows, bounded, spans
from rnnstep.reference.passes import ReferencePass
from rnnstep.reference.run_errors import RunErrors


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
) -> Verdict:
    """Compare our run of a batch with torch's.

    Args:
        done: our run.
        reference: torch's.
        errors: those along our run, if they are wanted again.
        is_wanted: whether to go on.

    Raises:
        NotWanted: it is not.
    """
    errors = RunErrors(done) if errors is None else errors
    with np.errstate(all="ignore"):  # NaN and infinity are numbers like others here
        return _Judging(done, reference, errors, Tally(done.batch.num_steps, is_wanted=is_wanted)).verdict()


class _Judging:
    """The checks of one batch, gathered."""

    def __init__(self, done: Pass, reference: ReferencePass, errors: RunErrors, tally: Tally) -> None:
        self._done = done
        self._reference = reference
        self._errors = errors
        self._scenario = done.scenario
        self._living = errors.living
        self._reading = Rounding(done.scenario.dtype)
        self._tally = tally
        self._parted: Finding | None = None

    def verdict(self) -> Verdict:
        self._judge_input()
        for key, run in self._done.runs.items():
            self._judge_one_step(key, run)
            self._judge_own_steps(key, run)
        errors = self._errors.states
        self._judge_run(errors)
        self._judge_module(errors)
        self._judge_module_steps()
        self._judge_logits()
        self._judge_loss()
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
        key = "L0" if self._scenario.embedding is None else "embedding"
        self._tally.compare("input", key, "x", self._done.x, self._reference.x["L0"], np.zeros(()))

    def _judge_one_step(self, key: str, run: BlockRun) -> None:
        """Our step from torch's states beside torch's step, and inner values beside the self-check."""
        step = OneStep(self._done, self._reference, key)
        states, inner = self._reference.states[key], self._reference.inner[key]
        for span in spans(step.block, run.num_steps, self._done.batch.num_rows):
            for name, (ours, bound) in step.at(span).items():
                theirs = states[name][span] if name in states else inner[name][span]
                self._tally.compare(
                    "one step", key, name, ours[: len(theirs)], theirs, bound[: len(theirs)], span.start
                )

    def _judge_own_steps(self, key: str, run: BlockRun) -> None:
        """Every kept line of our run beside the equations, read from the run's own states."""
        block = run.block
        entering = {next(iter(block.program.inputs)): self._errors.entering[key]}
        entering |= {f"{name}_prev": value for name, value in self._errors.before(key).items()}
        kept = [name for name in block.compiled.columns if _is_kept(run, name)]
        for span in spans(block, run.num_steps, self._done.batch.num_rows):
            rows = Rows(self._living, span)
            known = {name: exact(rows.of(value)) for name, value in entering.items()}
            bounds = bounded(block, known, self._reading)
            for name in kept:
                value, error = (rows.back(part) for part in bounds[name])
                self._tally.compare("own step", key, name, run.state(name)[span], value, error, span.start)

    # ── along the run ────────────────────────────────────────────────────────────────

    def _judge_run(self, errors: Mapping[str, Mapping[str, Error]]) -> None:
        for key, run in self._done.runs.items():
            for name, theirs in self._reference.states[key].items():
                ours = run.state(name)
                self._tally.compare("run", key, name, ours, theirs, errors[key][name])
                self._look_for_parting(key, name, ours, theirs)

    def _look_for_parting(self, key: str, name: str, ours: Array, theirs: Array) -> None:
        """Note the first step at which half of the digits are gone."""
        found = differences(ours, theirs)
        half = float(np.sqrt(np.finfo(self._scenario.dtype).eps))
        with np.errstate(invalid="ignore"):
            gone = found > half * np.maximum(1.0, np.abs(theirs))
        steps = np.flatnonzero(gone.any(axis=(1, 2)))
        if not steps.size:
            return
        t = int(steps[-1 if self._done.by_key[key].direction == "backward" else 0])
        if self._parted is None or (self._parted.t is not None and t < self._parted.t):
            row, element = np.unravel_index(int(np.argmax(found[t])), found[t].shape)
            difference = float(found[t, row, element])
            self._parted = Finding("run", key, name, t, int(row), int(element), difference, float("inf"))

    def _judge_module(self, errors: Mapping[str, Mapping[str, Error]]) -> None:
        """Our results beside those of torch's whole module; of a cell, of its loop and of the whole module."""
        reference = self._reference
        for result in (reference, reference.whole):
            if result is None:
                continue
            self._judge_output(from_torch_shape(self._scenario, result.output), errors)
            for name, shown in zip(self._scenario.cell.states, (result.h_n, result.c_n), strict=False):
                if shown is not None:
                    self._judge_final(name, states_by_block(self._scenario, shown), errors)

    def _judge_output(self, output: Array, errors: Mapping[str, Mapping[str, Error]]) -> None:
        name = next(iter(self._scenario.cell.states))
        size = output.shape[-1] // self._scenario.recurrent.num_directions
        last = [
            key
            for key, run in self._done.runs.items()
            if run.block.layer == self._scenario.recurrent.num_layers - 1
        ]
        for position, key in enumerate(last):
            theirs = output[..., position * size : (position + 1) * size]
            self._tally.compare(
                "module", key, name, self._done.runs[key].state(name), theirs, errors[key][name]
            )

    def _judge_final(self, name: str, theirs: Array, errors: Mapping[str, Mapping[str, Error]]) -> None:
        for position, (key, run) in enumerate(self._done.runs.items()):
            error = final(errors[key][name], self._done.batch, is_reversed=run.is_reversed)
            self._tally.compare("module", key, f"{name}_n", run.final(name), theirs[position], error, None)

    def _judge_module_steps(self) -> None:
        """The whole module's output beside the equations, each step from the h before it that the module gave."""
        reference = self._reference
        output, *others = self._scenario.cell.states
        if not reference.layers:
            return
        result = reference.whole or reference
        layers = (*reference.layers[:-1], from_torch_shape(self._scenario, result.output))
        x = reference.x["L0"]
        ends = dict(zip((output, *others), (result.h_n, result.c_n), strict=False))
        for layer, whole in enumerate(layers):
            keys = keys_of(self._done.blocks, layer)
            for key, h in zip(keys, np.split(whole, len(keys), axis=-1), strict=True):
                block = self._done.by_key[key]
                first = {
                    n: initial(self._scenario, block, n, self._done.batch.num_rows) for n in (output, *others)
                }
                followed = follow(block, x, h, first, self._living)
                self._tally.compare(
                    "module", key, output, followed.values[output], h, followed.errors[output]
                )
                for name, shown in ends.items():
                    if shown is not None:
                        self._judge_end(key, name, followed, states_by_block(self._scenario, shown))
            mask = self._done.masks.get(f"dropout{layer}")
            x = whole if mask is None else mask * whole

    def _judge_end(self, key: str, name: str, followed: Followed, shown: Array) -> None:
        is_reversed = self._done.runs[key].is_reversed
        value, error = (
            final(part[name], self._done.batch, is_reversed=is_reversed)
            for part in (followed.values, followed.errors)
        )
        position = list(self._done.runs).index(key)
        self._tally.compare("module", key, f"{name}_n", value, shown[position], error, None)

    def _judge_logits(self) -> None:
        """Our linear layer on torch's features beside torch's, then both along the run."""
        block = self._done.by_key.get("linear")
        if block is None or self._reference.logits_by_row is None or self._reference.logits is None:
            return
        features, logits = self._reference.features, self._reference.logits_by_row
        start = 0 if features.ndim == 3 else None
        name = next(iter(block.program.inputs))
        known = {**block.parameters, name: features.reshape(-1, features.shape[-1])}
        ours = block.compiled.derive("logits", known).reshape(logits.shape)
        error = bounded(block, {name: exact(features)}, self._reading)["logits"][1]
        self._tally.compare("one step", "linear", "logits", ours, logits, error, start)
        shown = self._reference.logits
        ours, run_error = self._errors.logits
        theirs = from_torch_shape(self._scenario, shown) if start == 0 else shown.reshape(ours.shape)
        self._tally.compare("module", "linear", "logits", ours, theirs, run_error, start)

    def _judge_loss(self) -> None:
        """Our loss from torch's scores beside torch's own, our own from our own, then both along the run."""
        run, reference = self._done.loss_run, self._reference
        if run is None or reference.loss is None:
            return
        scores = reference.features if reference.logits_by_row is None else reference.logits_by_row
        end = last_step(self._done.batch)
        start = end if self._done.is_final else 0
        beside = LossBounds(run.blocks, exact(scores.reshape(run.outputs.shape)))
        self._judge_total("one step", beside, reference.loss, end)
        for name, theirs in reference.loss_lines.items():
            ours, error = beside.lines[name]
            self._tally.compare("one step", "loss", name, ours, theirs, error, start)
        own = LossBounds(run.blocks, exact(run.outputs))
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
            theirs = getattr(self._reference, name)
            if theirs is not None:
                found[name] = float(np.max(differences(getattr(self._done, name), theirs), initial=0.0))
        return found


def _is_kept(run: BlockRun, name: str) -> bool:
    """Whether a line is stored for the whole run; of a very long one the states alone are."""
    index = run.block.compiled.columns[name][0]
    return all(
        segment.kept is not None and len(segment.kept[index]) == segment.stop - segment.start
        for segment in run.segments
    )
