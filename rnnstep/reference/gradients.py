"""autograd's gradients of what our engine ran: of every parameter, of every h_t and c_t, of every line."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rnnstep.engine import Pass
from rnnstep.equations.operations import Array
from rnnstep.reference.gradient_lines import block_gradients, plain_shares, within_step
from rnnstep.reference.gradient_steps import Along, go_back, gradients_of, step_through
from rnnstep.reference.loss import loss_of
from rnnstep.reference.loss_lines import loss_gradients, loss_values
from rnnstep.reference.network import Network
from rnnstep.scenario.model import Scenario

INNER_BYTES = 64 << 20  # gradients of lines of one batch at most; the lines take as much again
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
        lines: self-check, by block: every line but the states, (T, B, n), from `values` of the same step: what
            the way back reads. Missing where `inner` is.
        shares: self-check, by block, "linear" and "embedding" too: the share of each step in ∂L/∂W of each of the
            equations' parameters, `W_hh`, `b_ih` …, (T, m, n) or (T, m); of a linear layer on the final state
            (1, …). A block whose shares would take too much is missing.
        loss_lines: self-check: every line of the block `loss`, from `values`, (T, B, n); (1, B, n) of the final state.
        loss_inner: self-check: ∂L/∂ of every line of the block `loss`, likewise.
        self_checked: the states whose gradient torch's modules do not give away whole, c of an LSTM with a
            projection: its way through the h_t of the same step is that of the equations.
    """

    is_module: bool
    loss: float
    parameters: Mapping[str, Array]
    stepped_loss: float
    stepped_parameters: Mapping[str, Array]
    values: Along
    gradients: Along
    inner: Mapping[str, Mapping[str, Array]]
    lines: Mapping[str, Mapping[str, Array]]
    shares: Mapping[str, Mapping[str, Array]]
    loss_lines: Mapping[str, Array] = field(default_factory=dict)
    loss_inner: Mapping[str, Array] = field(default_factory=dict)
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
    self_checked = _self_checked(scenario)
    gradients = _completed(done, self_checked, stepped.values, stepped.gradients)
    lines = block_gradients(done, stepped.values, gradients, inner_bytes=inner_bytes, share_bytes=share_bytes)
    shares = {key: found.shares for key, found in lines.items() if found.shares}
    assert done.loss_run is not None
    losses, scores = done.loss_run.blocks, stepped.values.logits.reshape(done.loss_run.outputs.shape)
    return ReferenceGradients(
        is_module=not scenario.recurrent.is_own,
        loss=float(loss.detach()),
        parameters=gradients_of(network.parameters),
        stepped_loss=stepped.loss,
        stepped_parameters=stepped.parameters,
        values=stepped.values,
        gradients=gradients,
        inner={key: found.inner for key, found in lines.items()},
        lines={key: found.values for key, found in lines.items()},
        shares=shares | plain_shares(done, stepped.values, gradients, share_bytes=share_bytes),
        loss_lines=loss_values(losses, scores),
        loss_inner=loss_gradients(losses, scores),
        self_checked=self_checked,
    )


def _self_checked(scenario: Scenario) -> tuple[str, ...]:
    """A module with a projection returns c_t beside the h_t made of it: its gradient lacks the way through h_t."""
    return ("c",) if scenario.recurrent.proj_size else ()


def _completed(done: Pass, names: tuple[str, ...], values: Along, gradients: Along) -> Along:
    """Add to some states' gradients what reaches them within the step, by autograd on the equations."""
    if not names:
        return gradients
    states = {
        key: {
            name: value + within_step(done, key, name, values, gradients) if name in names else value
            for name, value in by_name.items()
        }
        for key, by_name in gradients.states.items()
    }
    return replace(gradients, states=states)
