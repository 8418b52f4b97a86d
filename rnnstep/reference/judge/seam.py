"""States that are carried from batch to batch: those that a batch begins with, beside those at which torch's run of the one before ended."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.engine import Pass
from rnnstep.equations.bounds import Pair
from rnnstep.reference.judge.findings import Tally
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.run.forward import ReferencePass
from rnnstep.reference.run.layout import final_states, keys_of, living_rows

Ends = Mapping[str, Mapping[str, Pair]]
"""Torch's states at the end of a batch, (B, n), by block and name, and how far the engine's may be from them."""


def ends(done: Pass, reference: ReferencePass, errors: RunErrors) -> Ends:
    """Give where torch's run of a batch ended, of the modules whose states are carried on."""
    found: dict[str, dict[str, Pair]] = {}
    for recurrent in (one for one in done.scenario.recurrents if one.carry):
        living = living_rows(done.scenario.fed(recurrent, done.batch))
        for key in keys_of(done.blocks, recurrent):
            found[key] = {
                name: (
                    final_states(whole, living, is_reversed=False),
                    done.axis(key).final(errors.states[key][name], "forward"),
                )
                for name, whole in reference.states[key].items()
            }
    return found


def judge_carried(before: Ends, reference: ReferencePass, tally: Tally) -> None:
    """Compare the states that a batch begins with, which torch is given, too, with those at which torch's run before ended."""
    for key, states in before.items():
        for name, (theirs, error) in states.items():
            tally.compare("run", key, f"{name}_0", reference.first[key][name], theirs, error, None)
