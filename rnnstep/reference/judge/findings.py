"""Two arrays of numbers set beside what they may differ by: what agrees, what is worst, what is at fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from rnnstep.equations.operations import Array
from rnnstep.language import Text
from rnnstep.network.blocks import Direction
from rnnstep.network.time import Mask, TimeAxis
from rnnstep.reference.judge.bounds import A_NUMBER, Error

_MEASURED = ("one step", "epoch")  # the kinds whose difference counts though it is allowed: `Tally.worst`
NUMBERS_AT_ONCE = 1 << 15  # of a long run, so that what is made of them stays in the cache
ALLOWED = 2.0  # times the bound: both programs may be off by it, to opposite sides

# How two numbers were set beside each other:
# "one step"   our compiled step from torch's own states, beside torch's step
# "own step"   each step of our run beside its equations, from the run's own states
# "run"        our run beside torch's stepped modules, each on its own states
# "module"     our results beside those of torch's whole module
# "recorded"   our results beside those that were recorded, each on its own states
# "fed"        the class that a step was fed, beside what torch's scores of the step before say
# "input"      what entered the module, beside torch's embedding
# "epoch"      our loss and update from torch's parameters and buffers, beside torch's
Kind = Literal["one step", "own step", "run", "module", "recorded", "fed", "input", "epoch"]
Phase = Literal["forward", "backward", "update"]


def undecided(step: int) -> Text:
    """Say that two runs part, from a step on (from 1), where one of them alone is finite."""
    return Text(
        "no step disagrees with torch; from step {step} on the two are not finite alike: so near to overflow the order"
        " of a sum decides, and neither confirms the other",
        step=step,
    )


@dataclass(frozen=True, slots=True)
class Finding:
    """The worst place of two arrays set beside each other, and in how many places they disagree.

    `t` is None in what has no step (`h_n`, `c_n`); `key` is a block's, "L0←"; `row` and `element` count from 0.
    `index` is the place in a parameter, or in its gradient, which belong to no row; `within` is where the
    batch stands in a training: "e7:2:".
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
    phase: Phase = "forward"
    index: tuple[int, ...] | None = None
    within: str = ""

    @property
    def share(self) -> float:
        """How much of what is allowed the difference takes up; above 1 it is a disagreement."""
        if self.difference == 0 or np.isinf(self.allowed):
            return 0.0
        return self.difference / self.allowed if self.allowed else float("inf")

    @property
    def is_beyond_digits(self) -> bool:
        """Whether one of the two alone is finite, or they are different infinities: no last digit that has grown."""
        return not np.isfinite(self.difference)

    @property
    def message(self) -> Text:
        """Say what disagrees, where, and by how much."""
        values: dict[str, Any] = {
            "place": self.place,
            "difference": f"{self.difference:.3g}",
            "allowed": f"{self.allowed:.3g}",
        }
        if self.kind == "epoch":
            return Text(
                "{place}: from torch's own parameters before it, ours and torch's differ by {difference},"
                " allowed {allowed}",
                **values,
            )
        match self.phase:
            case "backward":
                return _of_backward_pass(self.kind, values)
            case "update":
                return _of_update(self.kind, values)
        return _of_run(self.kind, values)

    @property
    def place(self) -> str:
        """Where it is, as the program writes places: `3/L0/hh[1]`, `backward:3/L0/∂hh[1]`, `update:weight_hh/m[1,0]`."""
        step = "" if self.t is None else f"{self.t + 1}/"
        start = "" if self.phase == "forward" else f"{self.phase}:"
        inside = (self.element,) if self.index is None else self.index
        return f"{self.within}{start}{step}{self.key}/{self.name}[{','.join(map(str, inside))}]"


def _of_run(kind: Kind, values: Mapping[str, Any]) -> Text:
    match kind:
        case "one step":
            return Text(
                "{place}: from the same h_prev, ours and torch's differ by {difference}, allowed {allowed}",
                **values,
            )
        case "own step":
            return Text(
                "{place}: our run differs from its own equations by {difference}, allowed {allowed}", **values
            )
        case "run":
            return Text(
                "{place}: along the run, ours and torch's differ by {difference}, allowed {allowed}", **values
            )
        case "module":
            return Text(
                "{place}: ours and the result of torch's module differ by {difference}, allowed {allowed}",
                **values,
            )
        case "fed":
            return Text("{place}: torch's scores say another class than the one that was fed", **values)
        case "recorded":
            return Text(
                "{place}: ours and what was recorded differ by {difference}, allowed {allowed}", **values
            )
    return Text("{place}: ours and the row of torch's embedding differ by {difference}", **values)


def _of_backward_pass(kind: Kind, values: Mapping[str, Any]) -> Text:
    match kind:
        case "own step":
            return Text(
                "{place}: our way back differs from its own equations by {difference}, allowed {allowed}",
                **values,
            )
        case "run":
            return Text(
                "{place}: along the way back, ours and autograd's differ by {difference}, allowed {allowed}",
                **values,
            )
        case "fed":
            return Text("{place}: torch's scores say another class than the one that was fed", **values)
        case "recorded":
            return Text(
                "{place}: ours and the recorded gradient differ by {difference}, allowed {allowed}", **values
            )
        case "module":
            return Text(
                "{place}: ours and the gradient of torch's module differ by {difference}, allowed {allowed}",
                **values,
            )
    return Text(
        "{place}: from autograd's own numbers of the step, ours and autograd's differ by {difference},"
        " allowed {allowed}",
        **values,
    )


def _of_update(kind: Kind, values: Mapping[str, Any]) -> Text:
    if kind == "own step":
        return Text(
            "{place}: our update differs from its own equations by {difference}, allowed {allowed}", **values
        )
    return Text(
        "{place}: from the same gradients, our update and torch.optim's differ by {difference},"
        " allowed {allowed}",
        **values,
    )


@dataclass(frozen=True, eq=False)
class Verdict:
    """What comparing one batch gave.

    Attributes:
        faults: the disagreements, the worst place of each array and kind; none if all agrees.
        worst: where a difference of one step takes up most of what is allowed.
        max_abs_diff: of `output`, `h_n`, `c_n`, `logits`, along the run; of a backward pass of `loss`, `parameters`,
            `states`.
        differing: by block and name the places that disagree, (T, B, n), or in a parameter's shape; only where
            some do.
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


def disagreement(fault: Finding) -> Text:
    """Say who disagrees, and at what."""
    if fault.kind == "recorded":
        return Text("what was recorded disagrees: {fault}", fault=fault.message)
    return Text("torch disagrees: {fault}", fault=fault.message)


def differences(ours: Array, theirs: Array) -> Error:
    """|ours − theirs| in float64: 0 where both are the same infinity or both NaN, infinity where just one is."""
    found = _distance(ours, theirs)
    if not _is_finite(found):
        strange = ~np.isfinite(found)
        same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
        found[strange] = np.where(same[strange], 0.0, np.inf)
    return found


def _distance(ours: Array, theirs: Array) -> Error:
    with np.errstate(invalid="ignore", over="ignore"):
        found: Error = np.asarray(np.subtract(ours, theirs, dtype=np.float64))
    np.abs(found, out=found)
    return found


def _is_finite(positive: Error) -> bool:
    return bool(np.maximum.reduce(positive, axis=None, initial=0.0) < np.inf)


def stretches(whole: Array) -> Iterator[slice]:
    """Cut an array along its first axis so that what is made of a part stays in the cache."""
    length = max(1, NUMBERS_AT_ONCE * len(whole) // max(1, whole.size))
    return (slice(start, start + length) for start in range(0, len(whole), length))


def largest_difference(ours: Array, theirs: Array) -> float:
    """The largest of `differences`; 0 where there are no numbers."""
    if ours.shape != theirs.shape:
        ours, theirs = np.broadcast_arrays(ours, theirs)
    parts = (differences(ours[part], theirs[part]) for part in stretches(ours))
    return max((float(part.max(initial=0.0)) for part in parts), default=0.0)


def shares(found: Error, allowed: Error) -> Error:
    """How much of what is allowed each difference takes up; nothing where all is allowed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((found == 0) | np.isinf(allowed), 0.0, found / allowed)


class NotWanted(Exception):
    """What is being judged is wanted no more: something newer was asked for."""


class Tally:
    """What comparing array after array of a batch has found. Raises `NotWanted` as soon as it is not.

    Attributes:
        faults: the worst place of each kind, block and name that disagrees.
        differing: by block and name the places that disagree, (T, B, n), or in a parameter's shape; only where
            some do.
        worst: where a difference of one step takes up most of what is allowed.
    """

    def __init__(
        self,
        num_steps: int,
        phase: Phase = "forward",
        within: str = "",
        is_wanted: Callable[[], bool] | None = None,
    ) -> None:
        self._is_wanted = is_wanted
        self._num_steps = num_steps
        self._phase = phase
        self._within = within
        self.faults: dict[tuple[Kind, str, str], Finding] = {}
        self.differing: dict[tuple[str, str], Mask] = {}
        self.worst: Finding | None = None

    def compare(
        self,
        kind: Kind,
        key: str,
        name: str,
        ours: Array,
        theirs: Array,
        bound: Error,
        start: int | None = 0,
        phase: Phase | None = None,
    ) -> None:
        """Set arrays (steps, B, n) from step `start` on, or (B, n) with `start` None, beside each other.

        `bound` is of the error of one of them; each may be off by it, to opposite sides. `phase` is given where
        it is not the tally's own.
        """
        if self._is_wanted is not None and not self._is_wanted():
            raise NotWanted
        if kind not in _MEASURED and _is_within(ours, theirs, bound):
            return
        compared = _set_beside(ours, theirs, bound)
        if compared is None:
            return
        differs, at, difference, allowed = compared
        t = None if start is None else start + at[0]
        count = int(np.count_nonzero(differs))
        phase = self._phase if phase is None else phase
        measured = difference, allowed, count, phase, None, self._within
        self._note(Finding(kind, key, name, t, at[-2], at[-1], *measured))
        if count and start is not None:
            self._mark(key, name, differs, start)

    def compare_parameter(
        self, kind: Kind, key: str, name: str, ours: Array, theirs: Array, bound: Error
    ) -> None:
        """Set parameters, or what is as large as one, beside each other, in whatever shape they have."""
        if kind not in _MEASURED and _is_within(ours, theirs, bound):
            return
        compared = _set_beside(ours, theirs, bound)
        if compared is None:
            return
        differs, at, difference, allowed = compared
        count = int(np.count_nonzero(differs))
        measured = difference, allowed, count, self._phase, at, self._within
        self._note(Finding(kind, key, name, None, 0, 0, *measured))
        if count:
            known = self.differing.get((key, name))
            self.differing[key, name] = differs if known is None else known | differs

    def agrees(self, ours: Array, theirs: Array, bound: Error) -> bool:
        """Whether all of two arrays differ by no more than is allowed; nothing is noted of what does."""
        if self._is_wanted is not None and not self._is_wanted():
            raise NotWanted
        return _is_within(ours, theirs, bound)

    def beside(self) -> Tally:
        """An empty tally of the same batch, for what is found at the same time and belongs behind this one: `join`."""
        return Tally(self._num_steps, self._phase, self._within, self._is_wanted)

    def join(self, other: Tally, axis: TimeAxis | None = None, direction: Direction = "forward") -> None:
        """Take over what a tally of the same batch has found; where it counts steps as a direction computes them, their axis is given."""
        for finding in other.faults.values():
            t, row = finding.t, finding.row
            if axis is not None and t is not None and axis.is_live(t, row):  # padding is in no order
                t = axis.order(direction, row)[t]
            self._note(replace(finding, t=t))
        for (key, name), differs in other.differing.items():
            self._mark(key, name, differs if axis is None else axis.in_order(differs, direction), 0)

    def take(self, verdict: Verdict) -> None:
        """Take over what a verdict found of a whole batch."""
        found = (*verdict.faults, *([] if verdict.worst is None else [verdict.worst]))
        for finding in found:
            self._note(replace(finding, within=self._within))

    def _note(self, finding: Finding) -> None:
        if finding.kind in _MEASURED and (self.worst is None or finding.share > self.worst.share):
            self.worst = finding
        if not finding.count:
            return
        place = (finding.kind, finding.key, finding.name)
        known = self.faults.get(place)
        if known is None or finding.share > known.share:
            self.faults[place] = finding

    def _mark(self, key: str, name: str, differs: Mask, start: int) -> None:
        shape = (self._num_steps, *differs.shape[1:])
        whole = self.differing.setdefault((key, name), np.zeros(shape, np.bool_))
        whole[start : start + len(differs)] |= differs


def _is_within(ours: Array, theirs: Array, bound: Error) -> bool:
    """Whether all differences are finite and no larger than is allowed; a quick answer, for nearly all there is."""
    if not ours.shape == theirs.shape == np.shape(bound):
        ours, theirs, bound = np.broadcast_arrays(ours, theirs, bound)
    with np.errstate(invalid="ignore", over="ignore"):
        for part in stretches(ours) if ours.size > NUMBERS_AT_ONCE else (...,):
            found = np.abs(np.subtract(ours[part], theirs[part], dtype=np.float64))
            if not ((found <= ALLOWED * bound[part]).all() and _is_finite(found)):
                return False
    return True


def _set_beside(
    ours: Array, theirs: Array, bound: Error
) -> tuple[Mask, tuple[int, ...], float, float] | None:
    """Where two arrays disagree; and the place, the difference and what is allowed where it takes up most."""
    found = differences(ours, theirs)
    if not found.size:
        return None
    with np.errstate(over="ignore"):
        allowed = np.asarray(ALLOWED * bound)
    if allowed.shape != found.shape:
        allowed = np.broadcast_to(allowed, found.shape)
    is_plain = allowed.min() > 0 and _is_finite(allowed)
    share = found / allowed if is_plain else shares(found, allowed)
    is_a_number = np.zeros(()) if is_plain else np.equal(bound, A_NUMBER)
    if is_a_number.any():  # Infinity is beside a number as may be; NaN is none.
        is_apart = np.broadcast_to(is_a_number, found.shape) & (np.isnan(ours) != np.isnan(theirs))
        share, allowed = np.where(is_apart, np.inf, share), np.where(is_apart, 0.0, allowed)
    at = tuple(int(index) for index in np.unravel_index(int(np.argmax(share)), share.shape))
    return share > 1, at, float(found[at]), float(allowed[at])


# ── what is asked of a verdict ───────────────────────────────────────────────────────────────────


class Judged:
    """What torch's word on something of the engine's comes to; `verdict` says what comparing the two gave."""

    verdict: Verdict

    @property
    def recorded(self) -> tuple[str, ...]:
        """The names of what was recorded, and stands in the place of torch's."""
        return ()

    def is_recorded(self, key: str, name: str) -> bool:  # noqa: ARG002 - nothing is, but in the forward pass
        """Whether what stands beside a value was recorded, and is not torch's."""
        return False

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
