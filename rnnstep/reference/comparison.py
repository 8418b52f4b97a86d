"""Our run beside torch's, as the text trace and the screen ask about it."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rnnstep.engine import Pass
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Error
from rnnstep.reference.judged import Judged
from rnnstep.reference.judging import ALLOWED, Verdict, differences
from rnnstep.reference.layout import alive, initial, joined, previous
from rnnstep.reference.one_step import OneStep
from rnnstep.reference.passes import ReferencePass
from rnnstep.reference.verdict import digest, judge


class Comparison(Judged):
    """One batch of ours beside torch's. `key` is a block's ("L0←"), `t` counts from 0.

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
        rows = self.done.live_rows(t)
        return np.asarray(whole[t] if rows is None else whole[t][rows])

    def difference(self, key: str, name: str, t: int) -> Error | None:
        """|ours − torch's| as they stand side by side, each on its own states, (live rows, n)."""
        theirs = self.value(key, name, t)
        return None if theirs is None else differences(self.done.value(key, name, t), theirs)

    def one_step(self, key: str, name: str, t: int) -> tuple[Error, Error] | None:
        """The difference from torch's own h_prev, by which agreement is judged, and what is allowed, (live rows, n).

        None where that is not to be had, as for `value`, and outside of recurrent blocks.
        """
        theirs = self.value(key, name, t)
        if theirs is None or key not in self.done.runs or name not in self._step(key).names:
            return None
        ours, bound = (part[0] for part in self._step(key).at(slice(t, t + 1))[name])
        rows = self.done.live_rows(t)
        if rows is not None:
            ours, bound = ours[rows], bound[rows]
        return differences(ours, theirs), ALLOWED * bound

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether `value` is torch.nn's own; if not it is a self-check: the same equations in torch's operations."""
        if key in ("loss", "total"):
            return name == "loss" or name == next(iter(self.done.by_key["loss"].program.inputs))
        if not self.reference.is_module:
            return key in ("embedding", "linear")
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
        block = self.done.by_key[key]
        match block.kind, name:
            case "embedding", "x":
                return self.reference.x["L0"]
            case "join", "forward":
                return self._outputs[f"L{block.layer}"]
            case "join", "backward":
                return self._outputs[f"L{block.layer}←"]
            case ("join", "output") | ("dropout", "h"):
                return joined(self.done.blocks, block.layer, self._outputs)
            case "dropout", "output":
                return self.reference.x[f"L{block.layer + 1}"]
            case "linear", "logits":
                return self.reference.logits_by_row
            case "linear", _ if name in block.program.inputs:
                return self.reference.features
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
        logits = self.reference.logits_by_row
        scores = self.reference.features if logits is None else logits
        return scores[None] if scores.ndim == 2 else scores

    def _recurrent(self, key: str, name: str) -> Array | None:
        states, block = self.reference.states[key], self.done.by_key[key]
        if name == "x":
            return self.reference.x[key]
        if name in states:
            return states[name]
        state = name.removesuffix("_prev")
        if state in states:
            first = initial(self.done.scenario, block, state, self.done.batch.num_rows)
            return previous(
                states[state], first, alive(self.done.batch), is_reversed=block.direction == "backward"
            )
        return self.reference.inner[key].get(name)

    @cached_property
    def _outputs(self) -> dict[str, Array]:
        """Each block's h, (T, B, n)."""
        output = next(iter(self.done.scenario.cell.states))
        return {key: states[output] for key, states in self.reference.states.items()}


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
