"""autograd's gradients of what our engine ran: of every parameter, of every h_t and c_t, of every line."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rnnstep.engine import Pass
from rnnstep.equations.operations import Array
from rnnstep.reference.gradient_lines import block_gradients
from rnnstep.reference.gradient_steps import Along, go_back, gradients_of, step_through
from rnnstep.reference.loss import loss_of
from rnnstep.reference.network import Network
from rnnstep.scenario.model import Scenario

INNER_BYTES = 64 << 20  # gradients of lines of one batch at most
SHARE_BYTES = 16 << 20  # shares of steps in the gradients of one batch's parameters at most


@dataclass(frozen=True, eq=False)
class ReferenceGradients:
    """torch's loss and gradients of one batch, as arrays of numpy. A block's key is "L0", "L0←".

    Attributes:
        is_module: whether torch.nn has this module. If not (a cell of one's own) everything here comes
            from the equations in torch's operations, and is a self-check only.
        loss: of the whole module, called as a user would; of a cell, looped over.
        parameters: ∂L/∂W of every parameter under torch's name and in its shape, by `loss.backward()`
            on that; zeros where the loss does not depend on one (and torch has None).
        stepped_loss: of torch's cells stepped one time step, layer and direction at a time.
        stepped_parameters: the gradients on that way. Along a chaotic run torch parts from itself.
        values: torch's numbers along the stepped run.
        gradients: the derivatives of the stepped loss by them, kept by `retain_grad`.
        inner: self-check, by block: ∂L/∂v of every other line, and of `x`, `h_prev` as far as this step reads it,
            (T, B, n), by autograd on the equations in torch's operations, from `values` and `gradients`
            of the same step. A block whose gradients would take too much memory is missing.
        shares: self-check, by block: the share of each step in ∂L/∂W of each of the equations' parameters,
            `W_hh`, `b_ih` …, (T, m, n) or (T, m). A block whose shares would take too much is missing.
        self_checked: the states whose gradient torch's modules do not give away, c of an LSTM with a projection:
            it comes from stepping the equations.
    """

    is_module: bool
    loss: float
    parameters: Mapping[str, Array]
    stepped_loss: float
    stepped_parameters: Mapping[str, Array]
    values: Along
    gradients: Along
    inner: Mapping[str, Mapping[str, Array]]
    shares: Mapping[str, Mapping[str, Array]]
    self_checked: tuple[str, ...] = ()

    @property
    def states(self) -> Mapping[str, Mapping[str, Array]]:
        """∂L/∂h_t and ∂L/∂c_t, the total derivatives, by block: (T, B, n), zeros where a packed row is over."""
        return self.gradients.states

    def is_module_confirmed(self, key: str, name: str) -> bool:
        """Whether the gradient of a block's value is torch.nn's own number, and no self-check."""
        is_state = name in self.states[key] and name not in self.self_checked
        return self.is_module and (is_state or name == "x")


def run_gradients(
    done: Pass, *, inner_bytes: int = INNER_BYTES, share_bytes: int = SHARE_BYTES
) -> ReferenceGradients:
    """Take the loss and go back with torch, on what `done` was given.

    Args:
        done: our run of a batch that has a target; its parameters, input and masks are used, its results are not.
        inner_bytes: how much memory the gradients of lines may take.
        share_bytes: how much memory the shares of steps may take.
    """
    import torch

    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that projections are slower, that a mask of p = 1 is all zeros
        return _run(done, inner_bytes, share_bytes)


def _run(done: Pass, inner_bytes: int, share_bytes: int) -> ReferenceGradients:
    scenario = done.scenario
    network = Network(scenario)
    loss = loss_of(scenario, done.batch, network(done.batch, done.masks).logits)
    go_back(loss)
    stepped = step_through(done)
    gradients = stepped.gradients
    self_checked = _self_checked(scenario)
    if self_checked:
        gradients = _taken(self_checked, gradients, step_through(done, by_equations=True).gradients)
    inner, shares = block_gradients(
        done, stepped.values, gradients, inner_bytes=inner_bytes, share_bytes=share_bytes
    )
    return ReferenceGradients(
        is_module=not scenario.recurrent.is_own,
        loss=float(loss.detach()),
        parameters=gradients_of(network.parameters),
        stepped_loss=stepped.loss,
        stepped_parameters=stepped.parameters,
        values=stepped.values,
        gradients=gradients,
        inner=inner,
        shares=shares,
        self_checked=self_checked,
    )


def _self_checked(scenario: Scenario) -> tuple[str, ...]:
    """A module with a projection returns c_t beside the h_t made of it: its gradient lacks the way through h_t."""
    return ("c",) if scenario.recurrent.proj_size else ()


def _taken(names: tuple[str, ...], gradients: Along, others: Along) -> Along:
    """The gradients with some states' taken from another run."""
    states = {
        key: {name: others.states[key][name] if name in names else value for name, value in by_name.items()}
        for key, by_name in gradients.states.items()
    }
    return replace(gradients, states=states)
