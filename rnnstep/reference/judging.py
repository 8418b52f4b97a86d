"""Two arrays of numbers set beside what they may differ by: what agrees, what is worst, what is at fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rnnstep.equations.operations import Array
from rnnstep.language import Text
from rnnstep.reference.bounds import Error
from rnnstep.reference.layout import Mask

ALLOWED = 2.0  # times the bound: both programs may be off by it, to opposite sides

# How two numbers were set beside each other:
# "one step"   our compiled step from torch's own states, beside torch's step
# "own step"   each step of our run beside its equations, from the run's own states
# "run"        our run beside torch's stepped modules, each on its own states
# "module"     our results beside those of torch's whole module
# "input"      what entered the module, beside torch's embedding
Kind = Literal["one step", "own step", "run", "module", "input"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst place of two arrays set beside each other, and in how many places they disagree.

    `t` is None in what has no step (`h_n`, `c_n`); `key` is a block's, "L0←"; `row` and `element` count from 0.
    """

    kind: Kind
    key: str
    name: str
    t: int | None
    row: int
    element: int
    difference: float
    allowed: float
    count: int = 0

    @property
    def share(self) -> float:
        """How much of what is allowed the difference takes up; above 1 it is a disagreement."""
        if self.difference == 0 or np.isinf(self.allowed):
            return 0.0
        return self.difference / self.allowed if self.allowed else float("inf")

    @property
    def message(self) -> Text:
        """Say what disagrees, where, and by how much."""
        values: dict[str, Any] = {
            "place": f"{self.key}/{self.name}[{self.element}]" if self.t is None else self._place,
            "difference": f"{self.difference:.3g}",
            "allowed": f"{self.allowed:.3g}",
        }
        match self.kind:
            case "one step":
                return Text(
                    "{place}: from the same h_prev, ours and torch's differ by {difference}, allowed {allowed}",
                    **values,
                )
            case "own step":
                return Text(
                    "{place}: our run differs from its own equations by {difference}, allowed {allowed}",
                    **values,
                )
            case "run":
                return Text(
                    "{place}: along the run, ours and torch's differ by {difference}, allowed {allowed}",
                    **values,
                )
            case "module":
                return Text(
                    "{place}: ours and the result of torch's module differ by {difference}, allowed {allowed}",
                    **values,
                )
            case "input":
                return Text("{place}: ours and the row of torch's embedding differ by {difference}", **values)

    @property
    def _place(self) -> str:
        assert self.t is not None
        return f"{self.t + 1}/{self.key}/{self.name}[{self.element}]"


@dataclass(frozen=True, eq=False)
class Verdict:
    """What comparing one batch gave.

    Attributes:
        faults: the disagreements, the worst place of each array and kind; none if all agrees.
        worst: where a difference of one step takes up most of what is allowed.
        max_abs_diff: of `output`, `h_n`, `c_n`, `logits`, along the run.
        differing: by block and name the places that disagree, (T, B, n); only where some do.
        parted: the first place where the runs have parted though every step agrees, or None.
        digest: of our results, so that a verdict is not taken for another run's.
    """

    faults: tuple[Finding, ...]
    worst: Finding | None
    max_abs_diff: Mapping[str, float]
    differing: Mapping[tuple[str, str], Mask]
    parted: Finding | None
    digest: bytes

    @property
    def agrees(self) -> bool:
        """Whether nothing disagrees."""
        return not self.faults


def differences(ours: Array, theirs: Array) -> Error:
    """|ours − theirs| in float64: 0 where both are the same infinity or both NaN, infinity where just one is."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.abs(np.subtract(ours, theirs, dtype=np.float64))
    strange = ~np.isfinite(found)
    if strange.any():
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        found[strange] = np.where(same[strange], 0.0, np.inf)
    return found


def shares(found: Error, allowed: Error) -> Error:
    """How much of what is allowed each difference takes up; nothing where all is allowed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((found == 0) | np.isinf(allowed), 0.0, found / allowed)


class Tally:
    """What comparing array after array of a batch has found.

    Attributes:
        faults: the worst place of each kind, block and name that disagrees.
        differing: by block and name the places that disagree, (T, B, n); only where some do.
        worst: where a difference of one step takes up most of what is allowed.
    """

    def __init__(self, num_steps: int) -> None:
        self._num_steps = num_steps
        self.faults: dict[tuple[Kind, str, str], Finding] = {}
        self.differing: dict[tuple[str, str], Mask] = {}
        self.worst: Finding | None = None

    def compare(
        self, kind: Kind, key: str, name: str, ours: Array, theirs: Array, bound: Error, start: int | None = 0
    ) -> None:
        """Set arrays (steps, B, n) from step `start` on, or (B, n) with `start` None, beside each other.

        `bound` is of the error of one of them; each may be off by it, to opposite sides.
        """
        found = differences(ours, theirs)
        if not found.size:
            return
        with np.errstate(over="ignore"):
            allowed = np.broadcast_to(ALLOWED * bound, found.shape)
        share = shares(found, allowed)
        at = tuple(int(index) for index in np.unravel_index(int(np.argmax(share)), share.shape))
        differs = share > 1
        t = None if start is None else start + at[0]
        count = int(np.count_nonzero(differs))
        finding = Finding(kind, key, name, t, at[-2], at[-1], float(found[at]), float(allowed[at]), count)
        if kind == "one step" and (self.worst is None or finding.share > self.worst.share):
            self.worst = finding
        if count:
            self._note(finding)
            if start is not None:
                self._mark(key, name, differs, start)

    def _note(self, finding: Finding) -> None:
        place = (finding.kind, finding.key, finding.name)
        known = self.faults.get(place)
        if known is None or finding.share > known.share:
            self.faults[place] = finding

    def _mark(self, key: str, name: str, differs: Mask, start: int) -> None:
        shape = (self._num_steps, *differs.shape[1:])
        whole = self.differing.setdefault((key, name), np.zeros(shape, np.bool_))
        whole[start : start + len(differs)] |= differs
