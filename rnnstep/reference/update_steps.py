"""torch's update from the numbers that ours was given: torch.optim's own results, and every line in torch's operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rnnstep.engine.epoch import CLIP, UpdatePass
from rnnstep.engine.optimizers import TORCH_BUFFERS
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.reference.modules import Tensor, array, tensor
from rnnstep.reference.operations import TorchValues
from rnnstep.reference.training import optimizer_of, take_step
from rnnstep.scenario.model import Training

Lines = dict[str, Array]


@dataclass(frozen=True, eq=False)
class ReferenceUpdate:
    """One step of torch.optim beside one of ours, from the same parameters, gradients and buffers.

    Attributes:
        values: by torch's name of the parameter, under our names: `w` after the update, and the buffers `m`, `v` …;
            of the clipping `total_norm`. All of it torch's own.
        lines: self-check, likewise: every line in torch's operations; of the clipping, `norms` too.
    """

    values: Mapping[str, Lines]
    lines: Mapping[str, Lines] = field(default_factory=dict)


class _Values(TorchValues):
    """The reading where numbers are Python's floats until they meet an array, as in torch.optim."""

    def number(self, value: float) -> Tensor:
        """A number without axes, which takes the dtype of what stands beside it."""
        import torch

        return torch.tensor(value, dtype=torch.float64)


def run_update(update: UpdatePass, training: Training) -> ReferenceUpdate:
    """Let torch.optim take the step that `update` takes.

    Args:
        update: ours; its parameters, gradients and buffers are used, its results are not.
        training: the optimizer with its arguments.
    """
    import torch
    from torch import nn

    given = {block.key: update.values(block.key) for block in update.blocks if block.key != CLIP}
    made = {name: nn.Parameter(tensor(values["w_prev"])) for name, values in given.items()}
    optimizer = optimizer_of(training, made)
    for name, values in given.items():
        made[name].grad = tensor(values["grad"])
        if update.before.updates:
            count = {"step": torch.tensor(float(update.before.updates))}
            kept = {key: tensor(values[f"{ours}_prev"]) for ours, key in _buffers(training, values).items()}
            optimizer.state[made[name]] = kept if training.optimizer == "SGD" else {**count, **kept}
    norm = take_step(training, optimizer, made)
    found = {
        name: {"w": array(made[name])}
        | {ours: array(optimizer.state[made[name]][key]) for ours, key in _buffers(training, values).items()}
        for name, values in given.items()
    }
    lines = {name: _lines(update, name, values) for name, values in given.items()}
    if norm is not None:
        given_to_it = "grad" if training.clip_grad_value is None else "clamped"
        norms = torch.stack([torch.linalg.vector_norm(tensor(one[given_to_it])) for one in given.values()])
        found[CLIP] = {"total_norm": array(norm).reshape(1)}
        lines[CLIP] = {"norms": array(norms), **_lines(update, CLIP, {"norms": array(norms)})}
    return ReferenceUpdate(found, lines)


def _buffers(training: Training, values: Mapping[str, Array]) -> dict[str, str]:
    """Our names of what the optimizer keeps, and torch's."""
    known = TORCH_BUFFERS[training.optimizer]
    return {ours: key for ours, key in known.items() if f"{ours}_prev" in values}


def _lines(update: UpdatePass, key: str, values: Mapping[str, Array]) -> Lines:
    program = update.by_key[key].program
    read = (*program.inputs, *program.befores)
    known = {name: tensor(np.asarray(values[name])) for name in read}
    found = evaluate_lines(program.lines, known, _Values(update.gradient.dtype))
    return {name: array(value) for name, value in found.items()}
