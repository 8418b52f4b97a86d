"""What the comparisons with torch have in common: the questions that a verdict answers."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.reference.judging import Finding, Verdict


class Judged:
    """What torch's word on something of ours comes to; `verdict` says what comparing the two gave."""

    verdict: Verdict

    @property
    def agrees(self) -> bool:
        """Whether nothing disagrees."""
        return self.verdict.agrees

    @property
    def faults(self) -> tuple[Finding, ...]:
        """The disagreements, each with its place and message; none if all agrees."""
        return self.verdict.faults

    @property
    def parting(self) -> Finding | None:
        """Where the two have first parted though both are right, or None."""
        return self.verdict.parted

    @property
    def worst(self) -> Finding | None:
        """Where a difference takes up most of what is allowed: of one step, or of whatever else disagrees."""
        return max(self.faults, key=lambda fault: fault.share, default=self.verdict.worst)

    @property
    def tolerance(self) -> float:
        """What is allowed at `worst`."""
        return self.worst.allowed if self.worst else 0.0

    @property
    def max_abs_diff(self) -> Mapping[str, float]:
        """The largest difference of each kind of value, each program on its own run."""
        return self.verdict.max_abs_diff
