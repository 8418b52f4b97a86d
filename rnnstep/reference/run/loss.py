"""torch's own losses, called as a user would: once over all steps, or once a step and added up.

Beside them each line of a loss in torch's own operations, and the derivatives of the loss by it: a self-check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.loss import LossBlocks
from rnnstep.engine.passes import Pass
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import Array
from rnnstep.reference.run.equations import TorchValues
from rnnstep.reference.run.feeding import said
from rnnstep.reference.run.modules import Module, Tensor, array, tensor
from rnnstep.scenario.model import Batch, Loss, Scenario

Integers = NDArray[np.int64]


def loss_of(scenario: Scenario, batch: Batch, logits: Tensor) -> Tensor:
    """The loss of a batch, a tensor without axes.

    Args:
        scenario: says which loss, how it is reduced, and how it is taken over time.
        batch: holds the target, time-major.
        logits: (T, B, C), or (B, C) where the linear layer reads the final state.
    """
    import torch

    loss, target = scenario.loss, tensor(_target(batch))
    assert loss is not None
    logits = compared(scenario, batch, logits)
    if mistake_of(scenario) == "softmax_before_cross_entropy" and loss.name == "CrossEntropyLoss":
        logits = torch.softmax(logits, -1)
    module = criterion_of(loss)

    def criterion(scores: Tensor, wanted: Tensor) -> Tensor:
        found = module(scores, wanted)
        return found if loss.factor == 1 else loss.factor * found

    if logits.ndim == 3 and loss.over_time == "sum":
        total = logits.new_zeros(())
        for logits_t, target_t in zip(logits, target, strict=True):
            total = total + criterion(logits_t, target_t)
        return total
    if loss.kind.has_classes:
        return criterion(logits.flatten(0, -2), target.flatten())
    return criterion(logits, target)


def compared(scenario: Scenario, batch: Batch, scores: Any) -> Any:
    """The scores, a tensor or an array, that the loss compares with what is wanted: all, or each row's last ones alone."""
    if scenario.loss is None or scenario.loss.at is None or scores.ndim == 2:
        return scores
    lengths = scenario.scored(batch).packed_lengths
    if lengths is None:
        return scores[-1]
    return scores[[length - 1 for length in lengths], range(len(lengths))]


def of_loss(done: Pass, scores: Array) -> Array:
    """The same in the shape of what the block `loss` reads, (T, B, C), or (1, B, C) of one step of each row."""
    assert done.loss_run is not None
    return np.reshape(compared(done.scenario, done.batch, scores), done.loss_run.outputs.shape)


def criterion_of(loss: Loss) -> Module:
    """The loss of `torch.nn` that has the scenario's name, with the scenario's arguments."""
    from torch import nn

    return getattr(nn, loss.name)(**loss.options)


def prediction_of(scenario: Scenario, batch: Batch, logits: Tensor) -> Integers | None:
    """The most likely class of every step, (T, B), or of every row, (B,); None where there are no classes."""
    assert scenario.loss is not None
    if not scenario.loss.kind.has_classes:
        return None
    if scenario.sampled is not None and logits.dim() == 3 and scenario.loss.at is None:
        return np.asarray(array(said(scenario.sampled, logits)), np.int64)
    logits = compared(scenario, batch, logits)
    return np.asarray(array(logits.argmax(-1)), np.int64)


def mistake_of(scenario: Scenario) -> str | None:
    """The slip that the scenario's training makes on purpose, if any."""
    return None if scenario.training is None else scenario.training.mistake


def _target(batch: Batch) -> NDArray[Any]:
    assert batch.target is not None
    return np.ascontiguousarray(batch.target)


# ── the lines of a loss in torch's operations ────────────────────────────────────────────────────


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
