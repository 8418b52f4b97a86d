"""Our way back of a batch beside torch's: every check of it, without torch.

As for the forward pass, two steps close a chain. From torch's own numbers of a step (its states, its total ∂L/∂h_t
and ∂L/∂c_t, what reached it from above) our equations give what autograd sent on ("one step"); and each step of our
way back is what the equations give from its own numbers ("own step"). The gradients of parameters are the sums of
the shares that follow from these numbers, in any order. Beside them stand the differences along the run, with the
bound carried forth through time and back again ("run", "module").
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np

from rnnstep.engine.backward import BackwardPass
from rnnstep.reference.back_sides import OwnWay, RunWay, TorchWay
from rnnstep.reference.derived import D
from rnnstep.reference.gradients import ReferenceGradients
from rnnstep.reference.judging import Finding, Tally, Verdict, differences
from rnnstep.reference.run_errors import RunErrors
from rnnstep.reference.shown_lines import judge_shown


def digest_of_way_back(back: BackwardPass) -> bytes:
    """Give a short name for the results of a way back."""
    found = hashlib.blake2b(digest_size=16)
    for gradient in back.parameters.values():
        found.update(np.ascontiguousarray(gradient).data)
    for key, run in back.done.runs.items():
        for name in run.block.program.states:
            found.update(np.ascontiguousarray(back.states(key, name)).data)
    found.update(np.float64(back.loss).tobytes())
    return found.digest()


def judge_way_back(
    back: BackwardPass,
    reference: ReferenceGradients,
    errors: RunErrors | None = None,
    is_wanted: Callable[[], bool] | None = None,
) -> Verdict:
    """Compare our way back of a batch with torch's.

    Args:
        back: ours.
        reference: torch's.
        errors: those along our run, if they are there already.
        is_wanted: whether to go on.

    Raises:
        NotWanted: it is not.
    """
    tally = Tally(back.batch.num_steps, "backward", is_wanted=is_wanted)
    errors = RunErrors(back.done) if errors is None else errors
    with np.errstate(all="ignore"):  # NaN and infinity are numbers like others here
        TorchWay(back, reference, tally).go()
        own = OwnWay(back, tally, errors)
        own.go()
        RunWay(back, reference, tally, errors, own.read_by_key).go()
        judge_shown(back, tally, own.sums)
    return Verdict(
        faults=tuple(tally.faults.values()),
        worst=tally.worst,
        max_abs_diff=_max_abs_diff(back, reference),
        differing=tally.differing,
        parted=None if tally.faults else _parting(back, reference),
        digest=digest_of_way_back(back),
    )


def _max_abs_diff(back: BackwardPass, reference: ReferenceGradients) -> dict[str, float]:
    parameters = [differences(back.parameters[name], theirs) for name, theirs in reference.parameters.items()]
    states = [
        differences(back.states(key, name), theirs)
        for key, by_name in reference.states.items()
        for name, theirs in by_name.items()
    ]
    return {
        "loss": float(differences(np.array([back.loss]), np.array([reference.loss]))[0]),
        "parameters": max((float(np.max(part, initial=0.0)) for part in parameters), default=0.0),
        "states": max((float(np.max(part, initial=0.0)) for part in states), default=0.0),
    }


def _parting(back: BackwardPass, reference: ReferenceGradients) -> Finding | None:
    """The first step of the way back at which half of the digits of a state's gradient are gone, or None."""
    half = float(np.sqrt(np.finfo(back.scenario.dtype).eps))
    parted: Finding | None = None
    for key, by_name in reference.states.items():
        for name, theirs in by_name.items():
            found = differences(back.states(key, name), theirs)
            gone = found > half * float(np.nan_to_num(np.max(np.abs(theirs), initial=0.0), posinf=0.0))
            steps = np.flatnonzero(gone.any(axis=(1, 2)))
            if not steps.size:
                continue
            t = int(steps[0 if back.done.by_key[key].direction == "backward" else -1])
            row, element = (
                int(index) for index in np.unravel_index(int(np.argmax(found[t])), found[t].shape)
            )
            if parted is None or (parted.t is not None and t > parted.t):
                difference = float(found[t, row, element])
                parted = Finding(
                    "run", key, f"{D}{name}", t, row, element, difference, float("inf"), phase="backward"
                )
    return parted
