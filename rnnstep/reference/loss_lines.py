"""The lines of a loss in torch's own operations, and the derivatives of the loss by them: a self-check of both."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.loss import LossBlocks
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import Array
from rnnstep.reference.modules import Tensor, array, tensor
from rnnstep.reference.operations import TorchValues


def loss_values(blocks: LossBlocks, outputs: Array) -> dict[str, Array]:
    """Every line of the block `loss`, (T, B, n), from the model's outputs, (T, B, n) or (1, B, n)."""
    return {name: array(value) for name, value in _lines(blocks, tensor(outputs)).items()}


def loss_gradients(blocks: LossBlocks, outputs: Array) -> dict[str, Array]:
    """∂L/∂ of every line of the block `loss` that the loss depends on, (T, B, n), by autograd on the lines."""
    import torch

    with torch.enable_grad():
        lines = _lines(blocks, tensor(outputs).requires_grad_())
        reading = TorchValues(outputs.dtype)
        each = next(iter(blocks.total.program.inputs))
        seen = {each: lines[each].reshape(-1)}
        seen |= {name: tensor(value) for name, value in blocks.weights.items()}
        for line in blocks.total.program.lines:
            seen[line.name] = evaluate(line.expression, seen, reading)
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            seen["loss"].sum(), list(lines.values()), allow_unused=True
        )
    return {
        name: array(gradient) for name, gradient in zip(lines, found, strict=True) if gradient is not None
    }


def _lines(blocks: LossBlocks, outputs: Tensor) -> dict[str, Tensor]:
    """Each line as a tensor of its own, so that what reaches it is its own as well."""
    program = blocks.loss.program
    reading = TorchValues(np.dtype(str(outputs.dtype).removeprefix("torch.")))
    seen: dict[str, Tensor] = {next(iter(program.inputs)): outputs}
    seen |= {name: tensor(value) for name, value in given_by_row(blocks).items()}
    for line in program.lines:
        value = evaluate(line.expression, seen, reading)
        seen[line.name] = value.view_as(value) if value.requires_grad else value
    return {line.name: seen[line.name] for line in program.lines}


def given_by_row(blocks: LossBlocks) -> Mapping[str, NDArray[np.generic]]:
    """What the block `loss` is given, with an axis of length one where it is one number a row and no index."""
    return {name: value[..., None] if name == "counts" else value for name, value in blocks.given.items()}
