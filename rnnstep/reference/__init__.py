"""torch beside the engine. This room is the only one that imports torch, and only inside functions.

    complete(scenario) -> Scenario          fill in what only torch can give (`scenario.pending`)

    require(), forbid(pending)              torch can be imported; nothing lacks what torch alone can give: else a UsageError

    check(trace) -> Checked                 run torch on what the trace ran, and compare: all batches
        .agrees .faults .explanation        nothing disagrees; (batch, Finding) each; one sentence as Text
        .max_abs_diff                       {"output", "h_n", "c_n"?, "logits"?}, along the run
        .one_step_diff .tolerance .used     where a one-step difference takes up most of what is allowed
        .worst .parting                     that place (Finding); where two right runs part, or None
        .is_module                          False for a user-defined cell: all of it is a self-check
        .output .h_n .c_n .logits           torch's, in torch's shapes; lists where there are several batches
        .comparisons[batch] -> Comparison   of the forward pass; None while torch has no word on it
        .beside(batch, phase)               Comparison, ComparedGradients or ComparedUpdate; None where (or while)
                                            torch has no word: `check` gives the forward pass, the worker all three

    compare(done, run_reference(done)) -> Comparison             the forward pass of one batch
    check_gradients(done, back) -> ComparedGradients             the backward pass: with torch
    compare_gradients(back, run_gradients(done))                 the same; comparing needs no torch
    check_update(update, training) -> ComparedUpdate             the update: with torch
    compare_update(update, run_update(update, training))         the same; comparing needs no torch
        .agrees .faults .worst              nothing disagrees; Findings; where most of what is allowed is taken up
        .explanation .max_abs_diff          (but of a Comparison, whose `.verdict` has the latter)
        .value(key, name, t)                torch's value in the shape of the engine's, or None where there is none
        .is_module_confirmed(key, name)     True: torch.nn's (torch.optim's) own number. False: self-check
        .difference(key, name, t)           |ours − torch's| as shown, each on its own run
        .one_step(key, name, t)             (difference, allowed) from torch's own numbers of the step, or None
        .agrees_at(key, name, t)            nothing was found to disagree there
      and of gradients
        .loss .parameters .states           torch's: of the whole module; ∂L/∂h_t, ∂L/∂c_t by block and name
        .agrees_on(kind, name, key)         the same for whole arrays: "loss", "parameters", "states"

    TrainingComparison(scenario)            our training and torch's from the same start
        .advance() .epochs()                -> ComparedEpoch: .record (ours) .torch .difference .agrees .finding
        .agrees .max_abs_diff .parting .explanation     of the epochs so far

    run_reference, run_gradients            torch alone: ReferencePass, ReferenceGradients
    TorchTraining(scenario)                 torch's modules and torch.optim alone
        .epochs() -> TorchEpoch, …          .index .loss .prediction, each before its update
    torch_update(training, …)               one step of torch.optim from given numbers
    torch_words(scenario)                   what torch says to the scenario's mistake, where it refuses it

    Worker(on_reply)                        the same in a process of its own, for the screen
        .submit(revision, scenario, place)  the newest scenario, and which epoch and batch of it (`PlaceInTraining`);
                                            older ones' replies are dropped
        .close()                            at once, whatever it is doing
    set_beside(epoch, answers) -> Checked   an epoch of the engine's beside what the worker gave (`judge.whole_run.TorchAnswer`), by batch

A block's `key` is "L0", "L0←", "embedding", "join0", "dropout0", "linear", "loss", "total"; of an update torch's name
of the parameter, or "clip". `t` counts from 0. A `Finding` has `phase kind key name t row element index difference
allowed share place` and a `message`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnstep.reference.judge.backward import ComparedGradients, check_gradients, compare_gradients
    from rnnstep.reference.judge.findings import Finding
    from rnnstep.reference.judge.forward import Comparison, compare
    from rnnstep.reference.judge.training import ComparedEpoch, TrainingComparison
    from rnnstep.reference.judge.update import ComparedUpdate, check_update, compare_update
    from rnnstep.reference.judge.whole_run import Checked, TorchAnswer, check, set_beside
    from rnnstep.reference.run.forward import ReferencePass, run_reference
    from rnnstep.reference.run.gradients import ReferenceGradients, run_gradients
    from rnnstep.reference.run.installed import forbid, require
    from rnnstep.reference.run.pending_parameters import complete
    from rnnstep.reference.run.pitfalls import TorchWords, torch_words
    from rnnstep.reference.run.stepping import Along
    from rnnstep.reference.run.training import (
        ReferenceUpdate,
        TorchEpoch,
        TorchTraining,
        run_update,
        torch_update,
    )
    from rnnstep.reference.worker.client import Worker

__all__ = [
    "Along",
    "Checked",
    "ComparedEpoch",
    "ComparedGradients",
    "ComparedUpdate",
    "Comparison",
    "Finding",
    "ReferenceGradients",
    "ReferencePass",
    "ReferenceUpdate",
    "TorchAnswer",
    "TorchEpoch",
    "TorchTraining",
    "TorchWords",
    "TrainingComparison",
    "Worker",
    "check",
    "check_gradients",
    "check_update",
    "compare",
    "compare_gradients",
    "compare_update",
    "complete",
    "forbid",
    "require",
    "run_gradients",
    "run_reference",
    "run_update",
    "set_beside",
    "torch_update",
    "torch_words",
]

_ROOMS = {
    "Along": "run.stepping",
    "TorchAnswer": "judge.whole_run",
    "Checked": "judge.whole_run",
    "ComparedEpoch": "judge.training",
    "ComparedGradients": "judge.backward",
    "ComparedUpdate": "judge.update",
    "Comparison": "judge.forward",
    "Finding": "judge.findings",
    "ReferenceGradients": "run.gradients",
    "ReferencePass": "run.forward",
    "ReferenceUpdate": "run.training",
    "TorchEpoch": "run.training",
    "TorchTraining": "run.training",
    "TorchWords": "run.pitfalls",
    "TrainingComparison": "judge.training",
    "Worker": "worker.client",
    "check": "judge.whole_run",
    "check_gradients": "judge.backward",
    "check_update": "judge.update",
    "compare": "judge.forward",
    "compare_gradients": "judge.backward",
    "compare_update": "judge.update",
    "complete": "run.pending_parameters",
    "forbid": "run.installed",
    "require": "run.installed",
    "run_gradients": "run.gradients",
    "run_reference": "run.forward",
    "run_update": "run.training",
    "set_beside": "judge.whole_run",
    "torch_update": "run.training",
    "torch_words": "run.pitfalls",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: the screen starts its worker before numpy is there."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
