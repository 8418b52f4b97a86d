"""A whole run beside torch's: all its batches, in the forward pass, the backward pass and the update."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from rnnstep.engine import Trace
from rnnstep.engine.epoch import Epoch
from rnnstep.engine.trace import Results
from rnnstep.language import Text
from rnnstep.reference.judge.backward import ComparedGradients, compare_gradients
from rnnstep.reference.judge.findings import Finding, Verdict, disagreement, undecided
from rnnstep.reference.judge.forward import Comparison, compare, judge
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.judge.seam import Ends, ends
from rnnstep.reference.judge.update import ComparedUpdate, compare_update
from rnnstep.reference.run.forward import ReferencePass
from rnnstep.reference.run.gradients import ReferenceGradients
from rnnstep.reference.run.training import ReferenceUpdate

Phase = Literal["forward", "backward", "update"]
Beside = Comparison | ComparedGradients | ComparedUpdate


class Checked(Results):
    """A whole run, all its batches, beside torch's. The results are torch's; of a user-defined cell the self-check's.

    Attributes:
        trace: our run.
        comparisons: of the forward pass of each batch; None where torch has no word on it yet.
        backward: of the backward pass of each batch; None where there is none, or not yet.
        updates: of the update after each batch; None where there is none, or not yet.
    """

    def __init__(
        self,
        trace: Trace,
        comparisons: tuple[Comparison | None, ...],
        backward: tuple[ComparedGradients | None, ...] = (),
        updates: tuple[ComparedUpdate | None, ...] = (),
    ) -> None:
        self.trace = trace
        self.comparisons = comparisons
        missing = (None,) * len(comparisons)
        self.backward = backward or missing
        self.updates = updates or missing

    def beside(self, batch: int, phase: Phase = "forward") -> Beside | None:
        """Torch's word on one phase of a batch; None where it has none, or not yet. All three have the same methods."""
        match phase:
            case "backward":
                return self.backward[batch]
            case "update":
                return self.updates[batch]
        return self.comparisons[batch]

    @property
    def compared(self) -> tuple[Comparison, ...]:
        """The forward passes that torch has a word on."""
        return tuple(one for one in self.comparisons if one is not None)

    @property
    def agrees(self) -> bool:
        """Whether nothing disagrees in any batch."""
        return not self.faults

    @property
    def is_module(self) -> bool:
        """Whether torch.nn has this module; of a user-defined cell all is a self-check."""
        return not self.trace.scenario.has_own_cells

    @cached_property
    def faults(self) -> tuple[tuple[int, Finding], ...]:
        """Every disagreement with the number of its batch, from 0."""
        return tuple(
            (index, fault)
            for every in (self.comparisons, self.backward, self.updates)
            for index, comparison in enumerate(every)
            if comparison is not None
            for fault in comparison.faults
        )

    @cached_property
    def max_abs_diff(self) -> dict[str, float]:
        """The largest difference of `output`, `h_n`, `c_n` and `logits` along the run, where there are such."""
        found: dict[str, float] = {}
        for comparison in self.compared:
            for name, difference in comparison.verdict.max_abs_diff.items():
                found[name] = max(difference, found.get(name, 0.0))
        return found

    @cached_property
    def worst(self) -> Finding | None:
        """Where a difference takes up most of what is allowed: of one step, or of whatever else disagrees."""
        steps = [comparison.verdict.worst for comparison in self.compared]
        found = [fault for _, fault in self.faults] or [worst for worst in steps if worst is not None]
        return max(found, key=lambda finding: finding.share, default=None)

    @property
    def one_step_diff(self) -> float:
        """The difference at `worst`."""
        return self.worst.difference if self.worst else 0.0

    @property
    def tolerance(self) -> float:
        """What is allowed at `worst`."""
        return self.worst.allowed if self.worst else 0.0

    @property
    def used(self) -> float:
        """The share of what is allowed that is taken up at `worst`; above 1 is a disagreement."""
        return self.worst.share if self.worst else 0.0

    @property
    def parting(self) -> Finding | None:
        """Where the runs have first parted though both are right, or None."""
        return next((comparison.parting for comparison in self.compared if comparison.parting), None)

    @property
    def explanation(self) -> Text:
        """One sentence on how the two stand to each other."""
        if not self.agrees:
            return disagreement(self.faults[0][1])
        if self.parting is not None and self.parting.t is not None:
            if self.parting.is_beyond_digits:
                return undecided(self.parting.t + 1)
            return Text(
                "every step agrees with torch; from step {step} on the runs part: with weights this large a last"
                " digit grows from step to step, and both are right",
                step=self.parting.t + 1,
            )
        if not self.is_module:
            return Text("agrees with the same equations in torch's operations (self-check)")
        if self.recorded:
            return Text("agrees with what was recorded, and with torch")
        return Text("agrees with torch")

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of what was recorded of any batch, and stands in the place of torch's."""
        return tuple(dict.fromkeys(name for one in self.compared for name in one.recorded))

    def _each(self) -> Iterator[Any]:
        return iter(self.compared)


@dataclass(frozen=True, eq=False, slots=True)
class TorchAnswer:
    """What torch gave for one batch, each phase with what comparing it gave; None where there is none, or not yet."""

    forward: tuple[ReferencePass, Verdict] | None = None
    backward: tuple[ReferenceGradients, Verdict] | None = None
    update: tuple[ReferenceUpdate, Verdict] | None = None


def check(trace: Trace) -> Checked:
    """Run torch on what `trace` ran, batch by batch, and compare. Imports torch."""
    from rnnstep.reference.run.forward import run_reference

    found = []
    before: Ends = {}
    for done in trace.passes:
        reference, errors = run_reference(done), RunErrors(done)
        found.append(Comparison(done, reference, judge(done, reference, errors, before=before)))
        before = ends(done, reference, errors) if done.scenario.carries else before
    return Checked(trace, tuple(found))


def set_beside(epoch: Epoch, answers: Mapping[int, TorchAnswer]) -> Checked:
    """Set an epoch of the engine's beside what the worker found, by batch; None where one is missing."""
    forward: list[Comparison | None] = []
    backward: list[ComparedGradients | None] = []
    updates: list[ComparedUpdate | None] = []
    for batch in range(epoch.num_batches):
        answer = answers.get(batch, TorchAnswer())
        forward.append(None if answer.forward is None else compare(epoch.forward(batch), *answer.forward))
        back = None if answer.backward is None else epoch.backward(batch)
        update = None if answer.update is None else epoch.update(batch)
        backward.append(
            None if back is None or answer.backward is None else compare_gradients(back, *answer.backward)
        )
        updates.append(
            None if update is None or answer.update is None else compare_update(update, *answer.update)
        )
    return Checked(epoch.trace, tuple(forward), tuple(backward), tuple(updates))
