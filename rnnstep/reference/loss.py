"""torch's own losses, called as a user would: once over all steps, or once a step and added up."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.reference.modules import Module, Tensor, array, tensor
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
    if loss.name == "CrossEntropyLoss":
        return criterion(logits.flatten(0, -2), target.flatten())
    return criterion(logits, target)


def criterion_of(loss: Loss) -> Module:
    """The loss of `torch.nn` that has the scenario's name, with the scenario's arguments."""
    from torch import nn

    options: dict[str, Any] = {"reduction": loss.reduction}
    if loss.name == "CrossEntropyLoss":
        options["ignore_index"] = loss.ignore_index
    if loss.name == "SmoothL1Loss":
        options["beta"] = loss.beta
    return getattr(nn, loss.name)(**options)


def prediction_of(scenario: Scenario, logits: Tensor) -> Integers | None:
    """The most likely class of every step, (T, B), or of every row, (B,); None where there are no classes."""
    assert scenario.loss is not None
    if scenario.loss.name != "CrossEntropyLoss":
        return None
    return np.asarray(array(logits.argmax(-1)), np.int64)


def mistake_of(scenario: Scenario) -> str | None:
    """The slip that the scenario's training makes on purpose, if any."""
    return None if scenario.training is None else scenario.training.mistake


def _target(batch: Batch) -> NDArray[Any]:
    assert batch.target is not None
    return np.ascontiguousarray(batch.target)
