"""Our way back through a batch beside torch's, as the text, the screen and the files ask about it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnstep.engine import Pass
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.differentiate import ROWS, D
from rnnstep.equations.operations import Array
from rnnstep.language import Text
from rnnstep.reference.back_sides import one_step_back
from rnnstep.reference.back_verdict import digest_of_way_back, judge_way_back
from rnnstep.reference.bounds import Error
from rnnstep.reference.gradients import ReferenceGradients
from rnnstep.reference.judged import Judged
from rnnstep.reference.judging import ALLOWED, Verdict, differences, undecided
from rnnstep.reference.layout import last_step
from rnnstep.reference.run_errors import RunErrors
from rnnstep.reference.torch_gradients import TorchGradients
from rnnstep.reference.way_back import Pairs


class ComparedGradients(Judged):
    """One batch's way back beside torch's. `key` is a block's ("L0←"), names are those of our way back ("∂a").

    Attributes:
        back: ours.
        reference: torch's.
        verdict: what comparing them gave.
    """

    def __init__(self, back: BackwardPass, reference: ReferenceGradients, verdict: Verdict) -> None:
        self.back = back
        self.reference = reference
        self.verdict = verdict
        self._torch = TorchGradients(back, reference)
        self._steps: dict[tuple[str, int], Pairs] = {}

    # ── the whole ────────────────────────────────────────────────────────────────────

    @property
    def is_module(self) -> bool:
        """Whether torch.nn has this module; of a cell of one's own all is a self-check."""
        return self.reference.is_module

    @property
    def loss(self) -> float:
        """That of torch's whole module."""
        return self.reference.loss

    @property
    def parameters(self) -> Mapping[str, Array]:
        """∂L/∂ of each parameter by torch's whole module, under torch's names and in its shapes."""
        return self.reference.parameters

    @property
    def states(self) -> Mapping[str, Mapping[str, Array]]:
        """∂L/∂h_t, ∂L/∂c_t of torch's stepped cells, by block and name, (T, B, n); zeros where a row is over."""
        return self.reference.states

    @property
    def explanation(self) -> Text:
        """One sentence on how the two stand to each other."""
        if self.faults:
            return Text("torch disagrees: {fault}", fault=self.faults[0].message)
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
        """Torch's value in the shape of ours: (live rows, n); of shares and sums of parameters (m, n) or (m,).

        torch.nn's own, or the self-check's (`is_module_confirmed` says which): sums of parameters are those of
        torch's shares of the steps. None where there is none: a mask, what is of parameters alone, inner values of
        a very long run.
        """
        return self._torch.value(key, name, t)

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether `value` is torch.nn's own; if not it is a self-check: the same equations in torch's operations."""
        return self._torch.is_of_module(key, name)

    def difference(self, key: str, name: str, t: int) -> Error | None:
        """|ours − torch's| as they stand side by side, each on its own run, in their shape."""
        theirs = self.value(key, name, t)
        return None if theirs is None else differences(self.back.value(key, name, t), theirs)

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
        rows = self.back.live_rows(t)
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
        """Whether a block's way back ends at a step."""
        if self.back.done.is_final and key == "linear":
            return True
        is_reversed = self.back.by_key[key].direction == "backward"
        return t == (last_step(self.back.batch) if is_reversed else 0)


def compare_gradients(
    back: BackwardPass, reference: ReferenceGradients, verdict: Verdict | None = None
) -> ComparedGradients:
    """Set our way back through a batch beside torch's.

    Args:
        back: ours.
        reference: what `run_gradients` gave for its forward run, here or in another process.
        verdict: of the same two, if it was reached already; one of other numbers is not believed.
    """
    if verdict is None or verdict.digest != digest_of_way_back(back):
        verdict = judge_way_back(back, reference)
    return ComparedGradients(back, reference, verdict)


def check_gradients(done: Pass, back: BackwardPass, errors: RunErrors | None = None) -> ComparedGradients:
    """Go back with torch on what `done` was given, and compare. Imports torch.

    Args:
        done: our run of a batch that has a target.
        back: our way back through it.
        errors: those along our run, if they are there already.
    """
    from rnnstep.reference.gradients import run_gradients

    reference = run_gradients(done)
    return ComparedGradients(back, reference, judge_way_back(back, reference, errors))
