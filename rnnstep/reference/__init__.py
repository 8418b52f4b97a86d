"""torch beside the engine. This room is the only one that imports torch, and only inside functions.

    complete(scenario) -> Scenario          fill in what only torch can give (`scenario.pending`)
    check(trace) -> Checked                 run torch on what the trace ran, and compare: all batches
        .agrees .faults .explanation        nothing disagrees; (batch, Finding) each; one sentence as Text
        .max_abs_diff                       {"output", "h_n", "c_n"?, "logits"?}, along the run
        .one_step_diff .tolerance .used     where a one-step difference takes up most of what is allowed
        .worst .parting                     that place (Finding); where two right runs part, or None
        .is_module                          False for a cell of one's own: all of it is a self-check
        .output .h_n .c_n .logits           torch's, in torch's shapes; lists where there are several batches
        .comparisons[batch] -> Comparison

    run_reference(done) -> ReferencePass    one batch: torch alone
    compare(done, reference) -> Comparison  one batch: no torch needed
        .value(key, name, t)                torch's value, (live rows, n), or None where there is none
        .is_module_confirmed(key, name)     True: torch.nn's own number. False: self-check
        .difference(key, name, t)           |ours − torch's| as shown, each on its own states
        .one_step(key, name, t)             (difference, allowed) from torch's own h_prev, or None
        .agrees_at(key, name, t)            nothing was found to disagree there

    run_gradients(done) -> ReferenceGradients   one batch that has a target: torch's loss and autograd's gradients
        .loss .parameters                   of the whole module: torch's name → ∂L/∂W in torch's shape
        .states[key][name]                  ∂L/∂h_t, ∂L/∂c_t of torch's stepped cells, total, (T, B, n)
        .inner[key][name]                   ∂L/∂v of every other line (self-check), where it is not too much
        .shares[key][parameter]             each step's share in ∂L/∂W (self-check), (T, …), likewise
        .is_module_confirmed(key, name)     True: torch.nn's own number. False: self-check
        .values .gradients -> Along         torch's numbers along the stepped run, and ∂L/∂ them
    TorchTraining(scenario)                 torch's modules and torch.optim from the same start
        .epochs() -> TorchEpoch, …          .index .loss .prediction, each before its update
    torch_update(training, …)               one step of torch.optim from given numbers
    torch_words(scenario)                   what torch says to the scenario's mistake, where it refuses it

    Worker(on_reply)                        the same in a process of its own, for the screen
        .submit(revision, scenario)         the newest scenario; older ones' replies are dropped
        .close()                            at once, whatever it is doing

A block's `key` is "L0", "L0←", "embedding", "join0", "dropout0", "linear"; `t` counts from 0. A `Finding` has
`kind key name t row element difference allowed share` and a `message`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnstep.reference.checked import Checked, check
    from rnnstep.reference.client import Worker
    from rnnstep.reference.comparison import Comparison, compare
    from rnnstep.reference.gradient_steps import Along
    from rnnstep.reference.gradients import ReferenceGradients, run_gradients
    from rnnstep.reference.judging import Finding
    from rnnstep.reference.passes import ReferencePass
    from rnnstep.reference.pending import complete
    from rnnstep.reference.pitfalls import TorchWords, torch_words
    from rnnstep.reference.run import run_reference
    from rnnstep.reference.training import TorchEpoch, TorchTraining, torch_update

__all__ = [
    "Along",
    "Checked",
    "Comparison",
    "Finding",
    "ReferenceGradients",
    "ReferencePass",
    "TorchEpoch",
    "TorchTraining",
    "TorchWords",
    "Worker",
    "check",
    "compare",
    "complete",
    "run_gradients",
    "run_reference",
    "torch_update",
    "torch_words",
]

_ROOMS = {
    "Along": "gradient_steps",
    "Checked": "checked",
    "Comparison": "comparison",
    "Finding": "judging",
    "ReferenceGradients": "gradients",
    "ReferencePass": "passes",
    "TorchEpoch": "training",
    "TorchTraining": "training",
    "TorchWords": "pitfalls",
    "Worker": "client",
    "check": "checked",
    "compare": "comparison",
    "complete": "pending",
    "run_gradients": "gradients",
    "run_reference": "run",
    "torch_update": "training",
    "torch_words": "pitfalls",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is: the screen starts its worker before numpy is there."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
