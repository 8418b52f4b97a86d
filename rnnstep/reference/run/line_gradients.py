"""Every line of a recurrent block and its gradient, a step at a time, by autograd on the equations in torch's operations."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rnnstep.cells.cell import KEEP
from rnnstep.engine import Block, Pass
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import Array
from rnnstep.reference.run.equations import TorchValues
from rnnstep.reference.run.layout import Mask, kept_rows, living_rows, states_before
from rnnstep.reference.run.modules import Tensor, array, tensor
from rnnstep.reference.run.stepping import Along, varying

Arrays = dict[str, Array]


@dataclass(frozen=True, eq=False)
class LineGradients:
    """What going back through every step of a recurrent block gave; nothing where it would take too much memory.

    Attributes:
        values: every line that changes from step to step but the states, (T, B, n).
        inner: ∂L/∂ of those lines, of what enters, and of each state before as far as this step reads it, (T, B, n).
        shares: the share of each step in the gradient of each of the equations' parameters, (T, …).
    """

    values: Arrays = field(default_factory=dict)
    inner: Arrays = field(default_factory=dict)
    shares: Arrays = field(default_factory=dict)


class _StepwiseValues(TorchValues):
    """The reading where a parameter has an axis of steps, (T, m, n), or (T, 1, n) of a vector."""

    def apply(self, op: str, args: tuple[Tensor, ...]) -> Tensor:
        """Torch's operation of the same name."""
        import torch

        return torch.matmul(args[1], args[0].mT) if op == "matmul" else super().apply(op, args)


def line_gradients(
    done: Pass, key: str, values: Along, gradients: Along, *, inner_bytes: int, share_bytes: int
) -> LineGradients:
    """Go back through every step of a block.

    Args:
        done: our run of the batch, for its scenario and shapes.
        key: a recurrent block's.
        values: torch's values along the run.
        gradients: the derivatives of the loss by them.
        inner_bytes: how much the derivatives of lines may take; if more, there is nothing.
        share_bytes: how much the shares may take; if more, there are none.
    """
    block = done.by_key[key]
    steps, rows = values.x[key].shape[:2]
    names = [name for name in varying(block.program) if name not in block.program.states]
    size = sum(int((block.program.shapes[name] or (1,))[0]) for name in names) + values.x[key].shape[-1]
    if steps * rows * size * done.scenario.dtype.itemsize > inner_bytes:
        return LineGradients()
    shared = sum(value.size for value in block.parameters.values())
    has_shares = steps * shared * done.scenario.dtype.itemsize <= share_bytes
    return _Lines(done, block, values, gradients, has_shares=has_shares).go_back(names)


class _Lines:
    """All steps of a block as one array, forward and back."""

    def __init__(
        self, done: Pass, block: Block, values: Along, gradients: Along, *, has_shares: bool
    ) -> None:
        key, program = block.key, block.program
        self._block = block
        self._reading = _StepwiseValues(done.scenario.dtype)
        recurrent = done.scenario.recurrent_of(block)
        self._living = living_rows(done.scenario.fed(recurrent, done.batch))
        self._steps = len(values.x[key])
        self._reached = self._steps if self._living is None else int(self._living.any(axis=1).sum())
        self._given = {next(iter(program.inputs)): self._leaf(values.x[key])}
        self._after: dict[str, Tensor] = {}
        self._back: dict[str, Tensor] = {}
        for name, value in values.states[key].items():
            is_reversed = block.direction == "backward"
            before = states_before(value, values.first[key][name], self._living, is_reversed=is_reversed)
            self._given[f"{name}_prev"] = self._leaf(before)
            self._after[name] = self._leaf(value)
            self._back[name] = tensor(gradients.states[key][name][: self._reached])
        keep = kept_rows(recurrent, done.batch)
        self._reset = {} if keep is None else {KEEP: tensor(keep[: self._reached])}
        self._parameters = {name: tensor(value) for name, value in block.parameters.items()}
        if has_shares:
            self._parameters = {
                name: self._copied(value).requires_grad_() for name, value in self._parameters.items()
            }
        self._has_shares = has_shares

    def _forward(self, names: list[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Every line, those of `names` as tensors of their own; and what the lines of the states give."""
        seen = {**self._parameters, **self._reset, **self._given}
        ends: dict[str, Tensor] = {}
        for line in self._block.program.lines:
            value = evaluate(line.expression, seen, self._reading)
            if (
                line.name in self._after
            ):  # its total derivative is known: what later lines add is in it already
                ends[line.name], value = value, self._after[line.name]
            seen[line.name] = _followed(value) if line.name in names else value
        return seen, ends

    def way_through(self, name: str) -> Array:
        """∂L/∂ of a state through the other states of the same step, whose total derivatives are known, (T, B, n)."""
        import torch

        _, ends = self._forward([])
        outputs = [other for other in ends if other != name and ends[other].requires_grad]
        (found,) = torch.autograd.grad(
            [ends[other].expand(self._back[other].shape) for other in outputs],
            [self._after[name]],
            [self._back[other] for other in outputs],
            allow_unused=True,
        )
        return self._by_row(self._after[name], found)

    def go_back(self, names: list[str]) -> LineGradients:
        """Give lines, their gradients and those of what was given, and the shares of parameters."""
        import torch

        seen, ends = self._forward(names)
        inner = {name: seen[name] for name in (*self._given, *names)}
        shared = self._parameters if self._has_shares else {}
        outputs = {
            name: value.expand(self._back[name].shape) for name, value in ends.items() if value.requires_grad
        }
        if not outputs:
            found: tuple[Tensor | None, ...] = (None,) * (len(inner) + len(shared))
        else:
            found = torch.autograd.grad(
                list(outputs.values()),
                [*inner.values(), *shared.values()],
                [self._back[name] for name in outputs],
                allow_unused=True,
            )
        by_name = dict(zip((*inner, *shared), found, strict=True))
        return LineGradients(
            {name: self._by_row(seen[name], seen[name]) for name in names},
            {name: self._by_row(value, by_name[name]) for name, value in inner.items()},
            {name: self._share(name, value, by_name[name]) for name, value in shared.items()},
        )

    def _leaf(self, whole: Array) -> Tensor:
        """What is given, (T', B, n), up to the last step that a row reaches.

        Where a packed row is over it repeats the longest one, so that nothing that is not finite arises there.
        """
        part = whole[: self._reached]
        if self._living is not None:
            living: Mask = self._living[: self._reached]
            longest = int(living.sum(axis=0).argmax())
            part = np.where(living[..., None], part, part[:, longest : longest + 1])
        return tensor(part).requires_grad_()

    def _copied(self, parameter: Tensor) -> Tensor:
        """A parameter's own copy for each step, with an axis of rows where it has none."""
        while parameter.ndim < 2:
            parameter = parameter[None]
        return parameter.expand(self._reached, *parameter.shape)

    def _by_step(self, value: Tensor, gradient: Tensor | None) -> Array:
        """(T', …) → (T, …), zeros where the loss does not depend on it, and after the last step that is reached."""
        whole = np.zeros((self._steps, *value.shape[1:]), array(value).dtype)
        if gradient is not None:
            whole[: self._reached] = array(gradient)
        return whole

    def _by_row(self, value: Tensor, gradient: Tensor | None) -> Array:
        """(T', B, n) → (T, B, n), zeros where a row is over: NaN too, if it repeats one whose own is NaN."""
        whole = self._by_step(value, gradient)
        if self._living is not None:
            whole[~self._living] = 0
        return whole

    def _share(self, name: str, value: Tensor, gradient: Tensor | None) -> Array:
        return self._by_step(value, gradient).reshape(self._steps, *self._block.parameters[name].shape)


def _followed(value: Tensor) -> Tensor:
    """A tensor of its own for each line, whose gradient is the line's; one without slope begins anew."""
    return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()


def within_step(done: Pass, key: str, name: str, values: Along, gradients: Along) -> Array:
    """∂L/∂ of a state through the other states of the same step, (T, B, n): of an LSTM's c_t through its h_t."""
    return _Lines(done, done.by_key[key], values, gradients, has_shares=False).way_through(name)


def block_gradients(
    done: Pass, values: Along, gradients: Along, *, inner_bytes: int, share_bytes: int
) -> dict[str, LineGradients]:
    """`line_gradients` of every recurrent block; those that would take too much are left out."""
    most = len(values.x)
    found = {}
    for key in values.x:
        of_block = line_gradients(
            done, key, values, gradients, inner_bytes=inner_bytes // most, share_bytes=share_bytes // most
        )
        if of_block.inner:
            found[key] = of_block
    return found
