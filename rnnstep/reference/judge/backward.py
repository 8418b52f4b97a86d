"""The engine's backward pass of a batch beside torch's: every check of it, without torch, and what is asked of the result.

As for the forward pass, two steps close a chain. From torch's own numbers of a step (its states, its total ∂L/∂h_t
and ∂L/∂c_t, what reached it from above) the equations give what autograd sent on ("one step"); and each step of the
engine's backward pass is what the equations give from its own numbers ("own step"). The gradients of parameters are the
sums of the shares that follow from these numbers, in any order. Beside them stand the differences along the run, with the
bound carried through time, forward and back again ("run", "module").

What is looked at is made step by step, and read once more: `shown_lines`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.differentiate import ROWS, D
from rnnstep.equations.operations import Array
from rnnstep.equations.program import Program
from rnnstep.equations.syntax import Apply, Name
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.network.time import as_computed, opposite
from rnnstep.reference.judge.backward_passes import EngineRun, EngineSteps, TorchSteps, one_step_back
from rnnstep.reference.judge.block_bounds import Pairs, inputs_of, side_by_side
from rnnstep.reference.judge.bounds import Error
from rnnstep.reference.judge.findings import (
    ALLOWED,
    Finding,
    Judged,
    Tally,
    Verdict,
    differences,
    disagreement,
    undecided,
)
from rnnstep.reference.judge.judged_backward import read_beside
from rnnstep.reference.judge.recorded import gradients_beside
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.judge.shown_lines import judge_shown
from rnnstep.reference.run.gradients import ReferenceGradients
from rnnstep.reference.run.loss import of_loss
from rnnstep.scenario.recorded_shapes import check_recorded

# ── every check of a batch ───────────────────────────────────────────────────────────────────────


def digest_of_backward_pass(back: BackwardPass) -> bytes:
    """Give a short name for the results of a backward pass."""
    found = hashlib.blake2b(digest_size=16)
    for gradient in back.parameters.values():
        found.update(np.ascontiguousarray(gradient).data)
    for key, run in back.done.runs.items():
        for name in run.block.program.states:
            found.update(np.ascontiguousarray(back.states(key, name)).data)
    found.update(np.float64(back.loss).tobytes())
    return found.digest()


def judge_gradients(
    back: BackwardPass,
    reference: ReferenceGradients,
    errors: RunErrors | None = None,
    is_wanted: Callable[[], bool] | None = None,
) -> Verdict:
    """Compare our backward pass of a batch with torch's.

    Args:
        back: the engine's.
        reference: torch's.
        errors: those along our run, if they are there already.
        is_wanted: whether to go on.

    Raises:
        NotWanted: it is not.
        UsageError: our backward pass begins where torch's modules return nothing, or what was recorded has other shapes.
    """
    _check_has_word(back)
    check_recorded(back.scenario, back.batch)
    tally = Tally(back.batch.longest, "backward", is_wanted=is_wanted)
    errors = RunErrors(back.done) if errors is None else errors
    with np.errstate(all="ignore"):  # NaN and infinity are numbers like others here
        TorchSteps(back, reference, tally).go()
        own = EngineSteps(back, tally, errors)
        own.go()
        EngineRun(back, reference, tally, errors, own.read_by_key).go()
        judge_shown(back, tally, own.sums)
    return Verdict(
        faults=tuple(tally.faults.values()),
        worst=tally.worst,
        max_abs_diff=_max_abs_diff(back, reference),
        differing=tally.differing,
        parted=None if tally.faults else _parting(back, reference),
        digest=digest_of_backward_pass(back),
    )


def _check_has_word(back: BackwardPass) -> None:
    """Torch goes back from the loss, or from what is given at what its modules return: of inner values it is not asked."""
    if not back.has_torchs_word:
        raise UsageError(
            Text(
                "torch's gradients stand beside those of a loss, or of what is given where torch's modules return it"
            )
        )


def _max_abs_diff(back: BackwardPass, reference: ReferenceGradients) -> dict[str, float]:
    loss, gradients = gradients_beside(back, reference)
    parameters = [differences(back.parameters[name], theirs) for name, theirs in gradients.items()]
    states = [
        differences(back.states(key, name), theirs)
        for key, by_name in reference.states.items()
        for name, theirs in by_name.items()
    ]
    return {
        "loss": float(differences(np.array([back.loss]), np.array([loss]))[0]),
        "parameters": max((float(np.max(part, initial=0.0)) for part in parameters), default=0.0),
        "states": max((float(np.max(part, initial=0.0)) for part in states), default=0.0),
    }


def _parting(back: BackwardPass, reference: ReferenceGradients) -> Finding | None:
    """The first step of the backward pass at which half of the digits of a state's gradient are gone, or None."""
    half = float(np.sqrt(np.finfo(back.scenario.dtype).eps))
    parted: Finding | None = None
    for key, by_name in reference.states.items():
        for name, theirs in by_name.items():
            found = differences(back.states(key, name), theirs)
            gone = found > half * float(np.nan_to_num(np.max(np.abs(theirs), initial=0.0), posinf=0.0))
            steps = np.flatnonzero(gone.any(axis=(1, 2)))
            if not steps.size:
                continue
            t = int(as_computed(steps, opposite(back.done.by_key[key].direction))[0])
            row, element = (
                int(index) for index in np.unravel_index(int(np.argmax(found[t])), found[t].shape)
            )
            if parted is None or (parted.t is not None and t > parted.t):
                difference = float(found[t, row, element])
                parted = Finding(
                    "run", key, f"{D}{name}", t, row, element, difference, float("inf"), phase="backward"
                )
    return parted


# ── torch's number for each value that is shown ──────────────────────────────────────────────────


class ShownGradients:
    """torch's numbers along its stepped run, forth and back, as our backward pass names them."""

    def __init__(self, back: BackwardPass, reference: ReferenceGradients) -> None:
        self._back = back
        self._done = back.done
        self._reference = reference

    def value(self, key: str, name: str, t: int) -> Array | None:
        """One value of a block at a step, in the shape of the engine's; None where there is none."""
        block = self._back.by_key[key]
        bare = name.removesuffix(ROWS)
        if name == bare and self._back.is_of_all_rows(key, name):
            return self._of_parameter(block, name, t)
        whole = self._whole(block, bare)
        if whole is None:
            return None
        found: Array = whole[0 if len(whole) == 1 else t]
        rows = self._done.live_rows(key, t) if block.kind == "recurrent" else None
        if rows is None:
            return found
        if name == bare:
            return found[rows]
        of_all = np.zeros_like(found)  # zeros where a row is over, as in the engine's
        of_all[rows] = found[rows]
        return of_all

    def is_of_module(self, key: str, name: str) -> bool:
        """Whether a value is torch.nn's own, and no self-check."""
        if not self._reference.is_module or name.endswith(ROWS):
            return False
        block = self._done.by_key[key]
        bare = name.removeprefix(D)
        if block.kind in ("loss", "total"):
            scores = next(iter(self._done.by_key["loss"].program.inputs))
            return name == "loss" or (block.kind == "loss" and bare == scores)
        if block.kind != "recurrent":
            return bare in (*block.program.inputs, block.output)
        if bare == name:
            return name in (*block.brought, *block.program.states, *block.program.befores)
        is_state = bare in block.program.states and bare not in self._reference.self_checked.get(
            block.key, ()
        )
        return is_state or bare in block.program.inputs or name == self._above(block)

    def _whole(self, block: Block, name: str) -> Array | None:
        """A value over all steps, (T, B, n); (1, …) of what is there once."""
        match block.kind:
            case "recurrent":
                return self._recurrent(self._done.by_key[block.key], name)
            case "loss":
                return self._of_loss(name)
            case "total":
                return self._of_total(name)
        whole = self._between(self._done.by_key[block.key], name)
        return whole if whole is None or whole.ndim == 3 else whole[None]

    # ── recurrent blocks ─────────────────────────────────────────────────────────────

    def _recurrent(self, block: Block, name: str) -> Array | None:
        gradients, key = self._reference.gradients, block.key
        if not name.startswith(D):
            return self._forward(block, name)
        bare = name.removeprefix(D)
        if bare in gradients.states[key]:
            return gradients.states[key][bare]
        if bare in block.program.inputs:
            return gradients.x[key]
        if name == self._above(block):
            return gradients.output[key]
        if bare.endswith("_above"):
            beside = read_beside(self._done, self._done.by_key[key], gradients)
            if (state := bare.removesuffix("_above")) in beside:
                return beside[state]
        inner = self._reference.inner.get(key, {})
        program = self._back.by_key[key].program
        for before in block.program.befores:
            if program.before(f"{D}{before}") == name and before in inner:
                first = np.zeros(inner[before].shape[1:], inner[before].dtype)
                return self._done.axis(key).before(inner[before], first, opposite(block.direction))
        return inner.get(bare)

    def _forward(self, block: Block, name: str) -> Array | None:
        values, key = self._reference.values, block.key
        if name in values.states[key]:
            return values.states[key][name]
        if name in block.brought:
            return values.x[key]
        for state in block.program.states:
            if block.program.before(state) == name:
                first = values.first[key][state]
                return self._done.axis(key).before(values.states[key][state], first, block.direction)
        return self._reference.lines.get(key, {}).get(name)

    def _above(self, block: Block) -> str:
        """The name of what comes from above, which the backward pass alone reads."""
        program = self._back.by_key[block.key].program
        start = f"{D}{block.output}_above"
        return next((name for name in program.inputs if name.startswith(start)), start)

    # ── other blocks ─────────────────────────────────────────────────────────────────

    def _between(self, block: Block, name: str) -> Array | None:
        """What stands between blocks: (T, B, n), or (B, n) of the final state."""
        along = self._reference.gradients if name.startswith(D) else self._reference.values
        bare, graph = name.removeprefix(D), self._done.graph
        match block.kind, bare:
            case "map", block.output:
                return along.gave[block.key]
            case "map", _ if bare in block.brought:
                if (
                    bare in block.windows and name != bare
                ):  # torch has what goes back through all of a window alone
                    return None
                return inputs_of(block, along.read[block.key], self._done.axis(block.key))[bare]
            case "join", _ if bare in block.program.inputs:
                (part,) = graph.entering(block.key, bare)
                return along.output[part.wire.block]
            case "join", "output":
                return side_by_side(graph.computed_by(block.key), along.output)
            case "mask", "h":
                (part,) = graph.entering(block.key, bare)
                return side_by_side(graph.computed_by(part.wire.block), along.output)
            case "mask", block.output:
                return along.entered[graph.readers(block.key)[0].reader]
            case "lookup", block.output:
                return along.gave[block.key]
        return None

    def _of_loss(self, name: str) -> Array | None:
        run = self._done.loss_run
        assert run is not None
        along = self._reference.gradients if name.startswith(D) else self._reference.values
        if name.removeprefix(D) == next(iter(run.blocks.loss.program.inputs)):
            return of_loss(self._done, along.scores)
        if name.startswith(D):
            return self._reference.loss_inner.get(name.removeprefix(D))
        return self._reference.loss_lines.get(name)

    def _of_total(self, name: str) -> Array | None:
        run = self._done.loss_run
        assert run is not None
        known = {f"{D}loss": 1.0, "loss": self._reference.stepped_loss}.get(name)
        if known is not None:
            return np.full((1, 1, 1), known, run.outputs.dtype)
        lines = self._reference.loss_inner if name.startswith(D) else self._reference.loss_lines
        found = lines.get(name.removeprefix(D))
        is_each = name.removeprefix(D) == next(iter(run.blocks.total.program.inputs))
        return found.reshape(1, 1, -1) if found is not None and is_each else None

    # ── parameters ───────────────────────────────────────────────────────────────────

    def _of_parameter(self, block: Block, name: str, t: int) -> Array | None:
        """The share of a step, or the sum of those that come before it in the backward pass, with it or without."""
        known = self._parts.get(block.key, {}).get(name)
        if known is None:
            return None
        part, kind = known
        shares = self._reference.shares.get(block.key, {}).get(part)
        if shares is None:
            return None
        k = 0 if len(shares) == 1 else t
        if kind == "share":
            return np.asarray(shares[k])
        is_from_start = block.direction == "backward"
        with_it = 1 if kind == "sum" else 0
        some = shares[: k + with_it] if is_from_start else shares[k + 1 - with_it :]
        return np.asarray(some.sum(axis=0), shares.dtype)

    @cached_property
    def _parts(self) -> dict[str, dict[str, tuple[str, str]]]:
        """What each name of a parameter's gradient stands for: the parameter, and "share", "sum" or "later"."""
        return {
            block.key: {
                name: (part, kind)
                for part in block.kept_in
                for name, kind in _names(block.program, f"{D}{part}")
            }
            for block in self._back.blocks
        }


def _names(program: Program, total: str) -> list[tuple[str, str]]:
    """The names of a parameter's share in a step, and of its sums."""
    line = program.by_name.get(total)
    if line is None:
        return []
    if total not in program.states:
        return [(total, "share")]
    found = [(total, "sum"), (program.before(total), "later")]
    match line.expression:
        case Apply(op="add", args=(_, Name(id=share))):
            found.append((share, "share"))
    return found


# ── what is asked of it ──────────────────────────────────────────────────────────────────────────


class ComparedGradients(Judged):
    """One batch's backward pass beside torch's. `key` is a block's ("L0←"), names are those of our backward pass ("∂a").

    Attributes:
        back: the engine's.
        reference: torch's.
        verdict: what comparing them gave.
    """

    def __init__(self, back: BackwardPass, reference: ReferenceGradients, verdict: Verdict) -> None:
        self.back = back
        self.reference = reference
        self.verdict = verdict
        self._torch = ShownGradients(back, reference)
        self._steps: dict[tuple[str, int], Pairs] = {}

    # ── the whole ────────────────────────────────────────────────────────────────────

    @property
    def is_module(self) -> bool:
        """Whether torch.nn has this module; of a user-defined cell all is a self-check."""
        return self.reference.is_module

    @property
    def loss(self) -> float:
        """What stands beside the engine's: that of torch's whole module, or what was recorded."""
        return gradients_beside(self.back, self.reference)[0]

    @property
    def parameters(self) -> Mapping[str, Array]:
        """∂L/∂ of each parameter by torch's whole module, or as it was recorded, in torch's shapes."""
        return gradients_beside(self.back, self.reference)[1]

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of what was recorded of the loss and its gradients, and stands in the place of torch's."""
        recorded = self.back.batch.recorded
        return (
            () if recorded is None else tuple(name for name in recorded.names if name not in recorded.results)
        )

    @property
    def states(self) -> Mapping[str, Mapping[str, Array]]:
        """∂L/∂h_t, ∂L/∂c_t of torch's stepped cells, by block and name, (T, B, n); zeros where a row is over."""
        return self.reference.states

    @property
    def explanation(self) -> Text:
        """One sentence on how the two stand to each other."""
        if self.faults:
            return disagreement(self.faults[0])
        if self.parting is not None and self.parting.t is not None:
            if self.parting.is_beyond_digits:
                return undecided(self.parting.t + 1)
            return Text(
                "every step of the way back agrees with autograd; at step {step} the ways have parted: with weights"
                " this large a last digit grows from step to step, and both are right",
                step=self.parting.t + 1,
            )
        if not self.is_module:
            return Text("agrees with autograd on the same equations in torch's operations (self-check)")
        if self.recorded:
            return Text("agrees with what was recorded, and with autograd")
        return Text("agrees with autograd")

    def agrees_on(self, kind: str, name: str, key: str = "") -> bool:
        """Whether nothing was found to disagree in a whole array.

        Args:
            kind: "loss", "parameters" or "states".
            name: torch's name of the parameter; or the state's.
            key: the block of a state.
        """
        if kind == "loss":
            return all(fault.name != "loss" for fault in self.faults)
        if kind == "states":
            return all((fault.key, fault.name) != (key, f"{D}{name}") for fault in self.faults)
        parts = {
            (block.key, f"{D}{part}")
            for block in self.back.done.blocks
            for part, where in block.kept_in.items()
            if where.torch == name
        }
        return all((fault.key, fault.name) not in parts for fault in self.faults)

    # ── by place ─────────────────────────────────────────────────────────────────────

    def value(self, key: str, name: str, t: int) -> Array | None:
        """Torch's value in the shape of the engine's: (live rows, n); of shares and sums of parameters (m, n) or (m,).

        torch.nn's own, or the self-check's (`is_module_confirmed` says which): sums of parameters are those of
        torch's shares of the steps. None where there is none: a mask, what is of parameters alone, inner values of
        a very long run.
        """
        return self._torch.value(key, name, t)

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether `value` is torch.nn's own; if not it is a self-check: the same equations in torch's operations."""
        return self._torch.is_of_module(key, name)

    def difference(self, key: str, name: str, t: int) -> Error | None:
        """|the engine's − torch's| as they stand side by side, each on its own run, in their shape."""
        theirs = self.value(key, name, t)
        if theirs is None:
            return None
        return differences(self.back.value(key, name, t), theirs)

    def one_step(self, key: str, name: str, t: int) -> tuple[Error, Error] | None:
        """The difference from torch's own numbers of the step, by which agreement is judged, and what is allowed.

        (live rows, n). None where that is not to be had, as for `value`, and outside of recurrent blocks.
        """
        theirs = self.value(key, name, t)
        if theirs is None or key not in self.back.done.runs or not name.startswith(D):
            return None
        if (key, t) not in self._steps:
            with np.errstate(all="ignore"):  # the step that is looked at is kept, and no other
                self._steps = {(key, t): one_step_back(self.back, self.reference, key, t)}
        found = self._steps[key, t].get(name)
        if found is None:
            return None
        rows = self.back.live_rows(key, t)
        live = slice(None) if rows is None else rows
        return differences(found[0][live], theirs), ALLOWED * found[1][live]

    def agrees_at(self, key: str, name: str, t: int) -> bool | None:
        """Whether nothing of a value at a step was found to disagree; None where there is none of torch's."""
        if self.value(key, name, t) is None:
            return None
        bare = name.removesuffix(ROWS)
        differing = self.verdict.differing.get((key, bare))
        if differing is None:
            return True
        if self.back.is_of_all_rows(key, bare):  # the sum of all steps is what is judged
            return not differing.any() or not self._is_last(key, t)
        return not differing[t].any()

    def _is_last(self, key: str, t: int) -> bool:
        """Whether a block's backward pass ends at a step."""
        if self.back.by_key[key].extent.is_single:
            return True
        return t == self.back.done.axis(key).order(self.back.by_key[key].direction)[0]


def compare_gradients(
    back: BackwardPass, reference: ReferenceGradients, verdict: Verdict | None = None
) -> ComparedGradients:
    """Set our backward pass through a batch beside torch's.

    Args:
        back: the engine's.
        reference: what `run_gradients` gave for its forward run, here or in another process.
        verdict: of the same two, if it was reached already; one of other numbers is not believed.
    """
    if verdict is None or verdict.digest != digest_of_backward_pass(back):
        verdict = judge_gradients(back, reference)
    return ComparedGradients(back, reference, verdict)


def check_gradients(done: Pass, back: BackwardPass, errors: RunErrors | None = None) -> ComparedGradients:
    """Go back with torch on what `done` was given, and compare. Imports torch.

    Args:
        done: our run of a batch that has a target.
        back: our backward pass through it.
        errors: those along our run, if they are there already.

    Raises:
        UsageError: our backward pass begins where torch's modules return nothing.
    """
    _check_has_word(back)
    from rnnstep.reference.run.gradients import run_gradients

    reference = run_gradients(done, given=back.given_outside)
    return ComparedGradients(back, reference, judge_gradients(back, reference, errors))
