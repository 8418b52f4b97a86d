"""torch's training of a scenario: torch's modules, torch's loss and torch.optim, from the same start.

And one update of torch.optim's from the numbers that the engine's was given, with each of its lines in torch's operations.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.epoch import CLIP, UpdatePass
from rnnstep.engine.optimizers import TORCH_BUFFERS
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import Array
from rnnstep.reference.run.equations import TorchValues
from rnnstep.reference.run.feeding import fed_itself
from rnnstep.reference.run.gradients import go_back, gradients_of
from rnnstep.reference.run.layout import names_of
from rnnstep.reference.run.loss import loss_of, mistake_of, prediction_of
from rnnstep.reference.run.modules import Tensor, array, tensor
from rnnstep.reference.run.network import FirstStates, Network, Outputs
from rnnstep.scenario.model import Batch, Scenario, Training

TorchOptimizer = Any  # torch.optim.Optimizer
Buffers = Mapping[str, Mapping[str, Array]]  # torch's name of a parameter → its key in the optimizer's state


@dataclass(frozen=True, eq=False)
class TorchEpoch:
    """What torch's training did in one epoch.

    Attributes:
        index: which epoch, from 0.
        loss: the mean over the batches of each one's loss, before its own update. A batch is one update.
        prediction: of each batch the most likely class, before its update: (T, B) of every step, or
            (B,) where the linear layer reads the final state. None where the loss knows no classes.
    """

    index: int
    loss: float
    prediction: tuple[NDArray[np.int64], ...] | None


class TorchTraining:
    """A scenario's model and optimizer in torch, from the scenario's own parameters; nothing is drawn but masks.

    The dropout masks of a forward pass are those that the engine draws: from the seed anew in every pass.

    The slips that a program can go on with are made: `no_zero_grad`, `softmax_before_cross_entropy`, and
    `hidden_not_reset`, where the batch begins with the states at which it ended the epoch before.
    What torch refuses is not (`rnnstep.reference.run.pitfalls` shows its words): the training is the right one.
    """

    def __init__(self, scenario: Scenario) -> None:
        assert scenario.training is not None
        self._scenario = scenario
        self._training: Training = scenario.training
        self._network = Network(scenario)
        self._learnt = {name: one for name, one in self._network.parameters.items() if one.requires_grad}
        self._optimizer = optimizer_of(self._training, self._learnt)
        self._mistake = mistake_of(scenario)
        self._ends: FirstStates = {}
        self.updates = 0
        """How many updates have been made."""

    def epochs(self) -> Iterator[TorchEpoch]:
        """Train, and give each epoch when it is done."""
        for index in range(self._training.epochs):
            yield self.epoch(index)

    def epoch(self, index: int) -> TorchEpoch:
        """Train one epoch more, and number it `index`."""
        losses: list[float] = []
        predictions: list[NDArray[np.int64]] = []
        for number in range(len(self._scenario.batches)):
            loss, prediction = self.update(number)
            losses.append(loss)
            predictions += [] if prediction is None else [prediction]
        return TorchEpoch(index, sum(losses) / len(losses), tuple(predictions) or None)

    def update(self, number: int) -> tuple[float, NDArray[np.int64] | None]:
        """Train on one batch: give its loss and prediction, both before the update."""
        import torch

        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in run_gradients
            return self._update(number)

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters as they are now; copies."""
        return {name: array(value).copy() for name, value in self._learnt.items()}

    @property
    def running(self) -> dict[str, Array]:
        """What torch's modules make of the statistics that batches move; copies."""
        names = [name for one in self._scenario.layers for name in one.moves]
        return {name: array(self._network.parameters[name]).copy() for name in names}

    @property
    def buffers(self) -> Buffers:
        """What the optimizer remembers of each parameter; copies."""
        return buffers_of(self._optimizer, self._learnt)

    @property
    def gradients(self) -> dict[str, Array]:
        """What stands in the parameters' `.grad` now; copies, zeros where there is none."""
        return {name: gradient.copy() for name, gradient in gradients_of(self._learnt).items()}

    @property
    def ends(self) -> FirstStates:
        """The states that the next batch begins with where they go on, with `carry` or by mistake, (L·D, B, n); else none."""
        return self._ends

    def _goes_on(self, name: str, number: int) -> bool:
        """Whether the batch behind number `number`, of the next epoch behind the last, begins with a state at its end."""
        if self._mistake == "hidden_not_reset":
            return True
        carried = [state for one in self._scenario.recurrents if one.carry for state in names_of(one)]
        return name in carried and number + 1 < len(self._scenario.batches)

    def _answer(self, batch: Batch) -> Outputs:
        """What the network gives for a batch as it is now."""
        first = {**self._network.first(batch), **self._ends}
        return self._network(batch, self._scenario.masks_of(batch), first)

    def _fed(self, number: int) -> Batch:
        """A batch, with what the network as it is now feeds itself."""
        batch = self._scenario.batches[number]
        if not self._scenario.feeds:
            return batch
        return fed_itself(self._scenario, batch, lambda one: self._answer(one).gave)

    def _update(self, number: int) -> tuple[float, NDArray[np.int64] | None]:
        """One batch: its loss and prediction, and the update that follows from them."""
        scenario, batch = self._scenario, self._fed(number)
        answer = self._answer(batch)
        self._ends = {name: array(end) for name, end in answer.ends.items() if self._goes_on(name, number)}
        loss = loss_of(scenario, batch, answer.logits)
        if self._mistake != "no_zero_grad":
            self._optimizer.zero_grad()
        go_back(loss)
        take_step(self._training, self._optimizer, self._learnt)
        self.updates += 1
        return float(loss.detach()), prediction_of(scenario, batch, answer.logits)


def torch_update(
    training: Training,
    parameters: Mapping[str, Array],
    gradients: Mapping[str, Array],
    buffers: Buffers,
    updates: int,
) -> tuple[dict[str, Array], Buffers]:
    """Take one step of torch.optim, after `clip_grad_norm_` where the training asks for it, from given numbers.

    Args:
        training: the optimizer and its arguments.
        parameters: before the update, under torch's names.
        gradients: of each of them; a parameter without one is left alone, as torch does.
        buffers: what the optimizer remembers of each parameter under torch's own keys: `momentum_buffer`,
            `exp_avg`, `exp_avg_sq`, `max_exp_avg_sq`, `square_avg`, `grad_avg`, `sum`. Before the first update torch
            remembers nothing, and what is given here does not matter.
        updates: how many updates have been made before.

    Returns:
        The parameters and the buffers after the update.
    """
    import torch
    from torch import nn

    made = {name: nn.Parameter(tensor(value)) for name, value in parameters.items()}
    optimizer = optimizer_of(training, made)
    for name, parameter in made.items():
        if name in gradients:
            parameter.grad = tensor(gradients[name])
        if updates and name in gradients:
            kept = {key: tensor(value) for key, value in buffers.get(name, {}).items()}
            has_count = training.optimizer != "SGD"
            count = {"step": torch.tensor(float(updates))} if has_count else {}
            optimizer.state[parameter] = {**count, **kept}
    take_step(training, optimizer, made)
    return {name: array(value) for name, value in made.items()}, buffers_of(optimizer, made)


def optimizer_of(training: Training, parameters: Mapping[str, Tensor]) -> TorchOptimizer:
    """The optimizer of torch.optim that has the scenario's name, on the parameters, with the scenario's arguments."""
    from torch import optim

    return getattr(optim, training.optimizer)(list(parameters.values()), **training.arguments)


def take_step(
    training: Training, optimizer: TorchOptimizer, parameters: Mapping[str, Tensor]
) -> Tensor | None:
    """Clip the gradients, which stay clipped, if the training asks for it, by value and then by norm, and update.

    Gives their norm before it was clipped.
    """
    from torch.nn.utils import clip_grad_norm_, clip_grad_value_

    norm = None
    if training.clip_grad_value is not None:
        clip_grad_value_(list(parameters.values()), training.clip_grad_value)
    if training.clip_grad_norm is not None:
        norm = clip_grad_norm_(list(parameters.values()), training.clip_grad_norm)
    optimizer.step()
    return norm


def buffers_of(optimizer: TorchOptimizer, parameters: Mapping[str, Tensor]) -> Buffers:
    """What an optimizer remembers of each parameter, under torch's own keys; copies, without the count of steps."""
    return {
        name: {
            key: array(value).copy()
            for key, value in optimizer.state.get(parameter, {}).items()
            if key != "step" and value is not None
        }
        for name, parameter in parameters.items()
    }


# ── one update ───────────────────────────────────────────────────────────────────────────────────

Lines = dict[str, Array]


@dataclass(frozen=True, eq=False)
class ReferenceUpdate:
    """One step of torch.optim beside one of the engine's, from the same parameters, gradients and buffers.

    Attributes:
        values: by torch's name of the parameter, under our names: `w` after the update, and the buffers `m`, `v` …;
            of the clipping `total_norm`. All of it torch's own.
        lines: self-check, under the same names: every line in torch's operations; of the clipping, `norms` too.
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
        update: the engine's; its parameters, gradients and buffers are used, its results are not.
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
