"""The loss and its gradients along torch's cells, stepped one time step, layer and direction at a time.

Every tensor on the way keeps its gradient (`retain_grad`). h_t and c_t are the very tensors that all that comes after
is made of, so that what they keep is the total derivative; of nn.LSTMCell c_t is what its h_t is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.equations.operations import Array
from rnnstep.reference.layout import alive, keys_of
from rnnstep.reference.loss import loss_of
from rnnstep.reference.modules import Tensor, array, tensor
from rnnstep.reference.network import Network
from rnnstep.reference.walk import Walk, cell_stepper, equations_stepper, walk


@dataclass(frozen=True, eq=False)
class Along:
    """Arrays along a stepped run: torch's values, or the derivatives of the loss by them.

    Attributes:
        entered: what enters each layer, (T, B, I), by its number. As a derivative: by what all its blocks read.
        x: what enters each block, (T, B, I). As a derivative: by what this block alone read.
        states: each state after every step, (T, B, n), zeros where a packed row is over. As a derivative: the
            total one, with what comes from above and from the step after.
        output: the first state as what stands above the block reads it, (T, B, n). As a derivative: what comes from
            above alone, that of a final state that the linear layer reads included; also in the padding, whose
            zeros are read as well.
        features: what the linear layer reads, (T, B, D·n), or (B, D·n) of the final states.
        logits: what the loss reads, (T, B, C) or (B, C).
    """

    entered: Mapping[int, Array]
    x: Mapping[str, Array]
    states: Mapping[str, Mapping[str, Array]]
    output: Mapping[str, Array]
    features: Array
    logits: Array


@dataclass(frozen=True, eq=False)
class Stepped:
    """What a stepped run gave: its loss, the gradients of torch's parameters, values and derivatives along it."""

    loss: float
    parameters: Mapping[str, Array]
    values: Along
    gradients: Along


def step_through(done: Pass, *, by_equations: bool = False) -> Stepped:
    """Step torch's cells over what `done` was given, and go back from the loss.

    Args:
        done: our run of the batch; its parameters, input and masks are used, its results are not.
        by_equations: step by the equations in torch's operations instead.
    """
    run = _Run(done, by_equations=by_equations)
    loss = loss_of(done.scenario, done.batch, run.logits)
    go_back(loss)
    return Stepped(
        float(loss.detach()), gradients_of(run.network.parameters), run.along(array), run.along(_gradient)
    )


def go_back(loss: Tensor) -> None:
    """`loss.backward()`; a loss that no parameter reaches has no gradients, and torch raises."""
    if loss.requires_grad:
        loss.backward()


def gradients_of(parameters: Mapping[str, Tensor]) -> dict[str, Array]:
    """The gradient of each parameter; zeros where the loss does not depend on it, and torch has None."""
    return {name: _gradient(parameter) for name, parameter in parameters.items()}


def _gradient(value: Tensor) -> Array:
    return np.zeros_like(array(value)) if value.grad is None else array(value.grad)


class _Run:
    """The forward pass, with every tensor of it kept."""

    def __init__(self, done: Pass, *, by_equations: bool) -> None:
        self._done = done
        self._living = alive(done.batch)
        self._stepper = equations_stepper if by_equations else cell_stepper
        self.network = Network(done.scenario)
        self._first = self.network.first(done.batch)
        self._entered: dict[int, Tensor] = {}
        self._x: dict[str, Tensor] = {}
        self._walks: dict[str, Walk] = {}
        self._output: dict[str, Tensor] = {}
        self._features = _keeping(self._read(self._stacked()))
        self.logits = _keeping(self.network.linear(self._features))

    def along(self, of: Callable[[Tensor], Array]) -> Along:
        """Give arrays of all tensors: of their values, or of their gradients."""
        names = tuple(self._done.scenario.cell.states)
        return Along(
            entered={layer: of(x) for layer, x in self._entered.items()},
            x={key: of(x) for key, x in self._x.items()},
            states={
                key: {name: _over_time(done, state, of) for state, name in enumerate(names)}
                for key, done in self._walks.items()
            },
            output={key: of(output) for key, output in self._output.items()},
            features=of(self._features),
            logits=of(self.logits),
        )

    def _stacked(self) -> Tensor:
        """Step layer after layer; give the last one's output, (T, B, D·n)."""
        import torch

        done = self._done
        x = self.network.entered(done.batch)
        for layer in range(done.scenario.recurrent.num_layers):
            # What enters at the very bottom is data, and is to have a gradient as well.
            x = self._entered[layer] = _keeping(x if x.requires_grad else x.clone().requires_grad_())
            keys = keys_of(done.blocks, layer)
            for key in keys:
                self._walk(done.by_key[key], x)
            outputs = [self._output[key] for key in keys]
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            mask = done.masks.get(f"dropout{layer}")
            x = x if mask is None else tensor(mask) * x
        return x

    def _walk(self, block: Block, x: Tensor) -> None:
        """Step one block on a tensor of its own, which keeps what this block alone sends back."""
        x = self._x[block.key] = _keeping(x.view_as(x))
        is_reversed = block.direction == "backward"
        position = block.layer * self._done.scenario.recurrent.num_directions + is_reversed
        first = tuple(tensor(state[position]).requires_grad_() for state in self._first.values())
        step = self._stepper(self._done.scenario, block, self.network.parameters)

        def keeping_step(x_t: Tensor, before: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return tuple(_keeping(state) for state in step(x_t, before))

        done = walk(keeping_step, x, first, self._living, is_reversed=is_reversed)
        self._walks[block.key] = done
        self._output[block.key] = _keeping(done.whole(0))

    def _read(self, stacked: Tensor) -> Tensor:
        """What the linear layer reads: every step, or the final states as they stand in the blocks' outputs.

        Taken from there and not from the last step, so that an output's gradient holds all that comes from above.
        """
        import torch

        scenario, batch = self._done.scenario, self._done.batch
        if scenario.linear is None or scenario.linear.source == "output":
            return stacked
        last = torch.tensor([batch.last_step(row) for row in range(batch.num_rows)])
        ends = []
        for key in keys_of(self._done.blocks, scenario.recurrent.num_layers - 1):
            output, is_reversed = self._output[key], self._done.by_key[key].direction == "backward"
            ends.append(output[0] if is_reversed else output[last, torch.arange(batch.num_rows)])
        return ends[0] if len(ends) == 1 else torch.cat(ends, -1)


def _keeping(value: Tensor) -> Tensor:
    """Let a tensor keep its gradient; one that depends on nothing that has a gradient has none to keep."""
    if value.requires_grad:
        value.retain_grad()
    return value


def _over_time(done: Walk, state: int, of: Callable[[Tensor], Array]) -> Array:
    """A state's array of every step, (T, B, n), zeros where a packed row is over."""
    end = done.ends[state]
    whole = np.zeros((done.shape[0], *end.shape), array(end).dtype)
    for t, states in done.after.items():
        live = done.live[t]
        whole[t, slice(None) if live is None else array(live)] = of(states[state])
    return whole
