"""The engine's update after a batch beside torch.optim's, from the same parameters, gradients and buffers.

An optimizer's arguments, and what is one number for all elements, are Python's floats here and in torch.optim:
arithmetic among them is exact beside the arrays', and one of them is rounded to the dtype where it meets an array.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from rnnstep.engine import Block
from rnnstep.engine.epoch import CLIP, UpdatePass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.evaluate import Reading, evaluate
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.equations.syntax import Apply, Line, Name
from rnnstep.language import Text
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.findings import Judged, Tally, Verdict, differences
from rnnstep.reference.run.training import ReferenceUpdate
from rnnstep.scenario.model import Training


class UpdateRounding(Rounding):
    """The reading of an update."""

    def number(self, value: float) -> Pair:
        """A number, as Python keeps it."""
        return value, np.zeros(())  # type: ignore[return-value]

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation of the table."""
        if all(isinstance(value, float) for value, _ in args):
            with np.errstate(all="ignore"):
                return float(OPERATIONS[op].forward(*(value for value, _ in args))), np.zeros(())  # type: ignore[return-value]
        return super().apply(op, tuple(self._met(pair) for pair in args))

    def _met(self, pair: Pair) -> Pair:
        """A number that meets an array: rounded to its dtype."""
        value, error = pair
        if not isinstance(value, float):
            return pair
        with np.errstate(over="ignore"):
            return value, np.asarray(error + abs(float(self._dtype.type(value)) - value))


def number(value: Array, error: float = 0.0) -> Pair:
    """What is one number for all elements, as a Python float."""
    return float(value), np.asarray(error)  # type: ignore[return-value]


def update_lines(block: Block, known: Mapping[str, Pair], dtype: np.dtype[np.floating]) -> dict[str, Pair]:
    """Every line of a block of an update, from what it reads."""
    with np.errstate(all="ignore"):
        return moving_lines(block.program.lines, known, UpdateRounding(dtype), dtype)


def moving_lines(
    lines: Sequence[Line], known: Mapping[str, Pair], reading: Reading[Pair], dtype: np.dtype[np.floating]
) -> dict[str, Pair]:
    """Lines in order, as `evaluate_lines`, their bounds wide enough for a mean that torch.optim moves, too."""
    seen = dict(known)
    for line in lines:
        value, error = evaluate(line.expression, seen, reading)
        match line.expression:
            case Apply(
                op="add",
                args=(Apply(op="mul", args=(beta, Name(id=mean))), Apply(op="mul", args=(_, Name(id=g)))),
            ) if mean == f"{line.name}_prev":
                share = float(np.asarray(evaluate(beta, seen, reading)[0]))
                error = error + _lost_in_moving(share, seen[mean][0], seen[g][0], dtype)
        seen[line.name] = value, error
    return {line.name: seen[line.name] for line in lines}


def _lost_in_moving(beta: float, mean: Array, g: Array, dtype: np.dtype[np.floating]) -> Error:
    """What torch's way to move a mean m towards a gradient g loses that β·m + (1 − β)·g does not.

    Where β is below ½ that is g − (1 − (1 − β))·(g − m): 1 − β is rounded, so that the factor of the whole distance is
    off by a unit of 1, not of β. Where it is not, m + (1 − β)·(g − m) loses about as much as the equation.
    """
    if beta >= 0.5:
        return np.zeros(())
    apart = np.abs(np.asarray(g, np.float64) - mean)
    roundoff = float(np.finfo(dtype).eps) / 2
    return np.nan_to_num((1 - beta + 2 * beta) * roundoff * apart, nan=0.0, posinf=0.0)


# ── beside torch.optim ───────────────────────────────────────────────────────────────────────────

ORDERS = 2.0  # times the bound: torch.optim takes other operations than the equations, and about as many


class ComparedUpdate(Judged):
    """One update beside torch's. `key` is a parameter's name in torch, or "clip"; there is one step, 0.

    Attributes:
        update: the engine's.
        reference: torch's.
        verdict: what comparing them gave.
    """

    def __init__(self, update: UpdatePass, reference: ReferenceUpdate, verdict: Verdict) -> None:
        self.update = update
        self.reference = reference
        self.verdict = verdict

    @property
    def parting(self) -> None:
        """An update goes on from the same numbers: it does not part."""

    @property
    def explanation(self) -> Text:
        """One sentence on how the two stand to each other."""
        if self.faults:
            return Text("torch disagrees: {fault}", fault=self.faults[0].message)
        return Text("agrees with torch.optim")

    def value(self, key: str, name: str, t: int = 0) -> Array | None:
        """Torch's value in the parameter's shape: torch.optim's own, or the self-check's; None of what was given."""
        own = self.reference.values.get(key, {}).get(name)
        found = self.reference.lines.get(key, {}).get(name) if own is None else own
        return None if found is None else np.broadcast_to(found, np.shape(self.update.value(key, name, t)))

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether `value` is torch.optim's own; if not it is a self-check: the same equations in torch's operations."""
        return name in self.reference.values.get(key, {})

    def difference(self, key: str, name: str, t: int = 0) -> Error | None:
        """|the engine's − torch's|."""
        theirs = self.value(key, name, t)
        return None if theirs is None else differences(self.update.value(key, name, t), theirs)

    def one_step(self, key: str, name: str, t: int = 0) -> tuple[Error, Error] | None:
        """None: an update goes on from the same numbers anyway."""

    def agrees_at(self, key: str, name: str, t: int = 0) -> bool | None:
        """Whether nothing of a value was found to disagree; None where there is none of torch's."""
        if self.value(key, name, t) is None:
            return None
        differing = self.verdict.differing.get((key, name))
        return differing is None or not differing.any()


def digest_of_update(update: UpdatePass) -> bytes:
    """Give a short name for the results of an update."""
    found = hashlib.blake2b(digest_size=16)
    for block in update.blocks:
        if block.key != CLIP:
            found.update(np.ascontiguousarray(update.value(block.key, "w")).data)
            found.update(np.ascontiguousarray(update.value(block.key, "grad")).data)
    return found.digest()


def judge_update(update: UpdatePass, reference: ReferenceUpdate) -> Verdict:
    """Compare our update with torch's: each line with its own equation, and from the same numbers with torch's."""
    tally = Tally(1, "update")
    largest = {"parameters": 0.0, "buffers": 0.0}
    clip: Pair | None = None
    with np.errstate(all="ignore"):
        for block in update.blocks:
            values = update.values(block.key)
            given = _given(block, values, clip)
            if block.key == CLIP:
                given["norms"] = values["norms"], _norms_error(update, values["norms"])
                theirs = reference.lines[CLIP]["norms"]
                tally.compare_parameter("one step", CLIP, "norms", values["norms"], theirs, given["norms"][1])
            bounds = update_lines(block, given, update.gradient.dtype)
            clip = bounds.get("clip_coef", clip)
            _judge_lines(block.key, values, bounds, reference, tally)
            for name, theirs in reference.values[block.key].items():
                if block.key != CLIP:
                    kind = "parameters" if name == "w" else "buffers"
                    found = float(np.max(differences(values[name], theirs), initial=0.0))
                    largest[kind] = max(found, largest[kind])
    return Verdict(
        faults=tuple(tally.faults.values()),
        worst=tally.worst,
        max_abs_diff=largest,
        differing=tally.differing,
        parted=None,
        digest=digest_of_update(update),
    )


def _given(block: Block, values: Mapping[str, Array], clip: Pair | None) -> dict[str, Pair]:
    """What a block's lines read: arrays as they are, numbers as Python's."""
    program = block.program
    known = {
        name: Given(values[name]) if np.ndim(values[name]) else number(values[name])
        for name in (*program.inputs, *program.befores)
    }
    if "clip_coef" in known and clip is not None:
        known["clip_coef"] = number(values["clip_coef"], float(np.max(clip[1])))
    return known


def _norms_error(update: UpdatePass, norms: Array) -> Error:
    """What the norm of each gradient may be off by: the sum of as many squares as it has elements, and a root."""
    roundoff = float(np.finfo(norms.dtype).eps) / 2
    counts = [update.value(block.key, "grad").size for block in update.blocks if block.key != CLIP]
    return np.asarray(np.abs(norms, dtype=np.float64) * (np.array(counts) + 3) * roundoff)


def _judge_lines(
    key: str,
    values: Mapping[str, Array],
    bounds: Mapping[str, Pair],
    reference: ReferenceUpdate,
    tally: Tally,
) -> None:
    for name, (value, error) in bounds.items():
        ours = np.asarray(values[name])
        allowed = np.broadcast_to(error, np.shape(ours))
        tally.compare_parameter("own step", key, name, ours, np.broadcast_to(value, np.shape(ours)), allowed)
        for theirs in (reference.values.get(key, {}).get(name), reference.lines.get(key, {}).get(name)):
            if theirs is not None:
                other = np.broadcast_to(theirs, np.shape(ours))
                tally.compare_parameter("one step", key, name, ours, other, ORDERS * allowed)


def compare_update(
    update: UpdatePass, reference: ReferenceUpdate, verdict: Verdict | None = None
) -> ComparedUpdate:
    """Set our update beside torch's.

    Args:
        update: the engine's.
        reference: what `run_update` gave for it, here or in another process.
        verdict: of the same two, if it was reached already; one of other numbers is not believed.
    """
    if verdict is None or verdict.digest != digest_of_update(update):
        verdict = judge_update(update, reference)
    return ComparedUpdate(update, reference, verdict)


def check_update(update: UpdatePass, training: Training) -> ComparedUpdate:
    """Let torch.optim take the step that our update takes, and compare. Imports torch."""
    from rnnstep.reference.run.training import run_update

    return compare_update(update, run_update(update, training))
