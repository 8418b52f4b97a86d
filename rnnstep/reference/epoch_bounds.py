"""What our loss and our update of a batch may be off by, from given parameters: forth, back and through the optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.engine.backward import BackwardPass
from rnnstep.engine.epoch import CLIP
from rnnstep.engine.trainer import State, Trainer
from rnnstep.equations.bounds import Pair
from rnnstep.equations.operations import Array
from rnnstep.reference.back_sides import OwnWay, RunWay
from rnnstep.reference.bounds import Error, exact
from rnnstep.reference.judging import Tally
from rnnstep.reference.run_errors import RunErrors
from rnnstep.reference.update_bounds import number, update_lines


@dataclass(frozen=True, eq=False)
class Bounded:
    """One batch of ours, trained on from a state.

    Attributes:
        done: our run of the batch.
        back: our way back.
        loss: our loss and its error.
        is_close: whether the errors say something: half of the digits of the largest gradient at least.
        after: our state after the update.
        errors: of each parameter under torch's name, of `w` and of each buffer after the update.
    """

    done: Pass
    back: BackwardPass
    loss: tuple[float, float]
    is_close: bool
    after: State
    errors: Mapping[str, Mapping[str, Error]]


def bounded_update(trainer: Trainer, state: State, index: int) -> Bounded:
    """Train on one batch from a state, and bound what comes of it.

    Args:
        trainer: ours.
        state: what the batch begins with.
        index: which batch.
    """
    model = trainer.model_of(state)
    done = model.run_batch(index)
    back = model.backward(done)
    assert back is not None
    fresh = trainer.flat(back.parameters)
    gradient = trainer.gathered(state, fresh)
    with np.errstate(all="ignore"):
        loss, errors = gradient_errors(done, back)
        flat = np.asarray(trainer.flat(errors), np.float64)
        if state.gathered is not None:  # what was not set to zero is given, and is added to
            flat = flat + np.abs(gradient, dtype=np.float64) * float(np.finfo(gradient.dtype).eps) / 2
        half = float(np.sqrt(np.finfo(gradient.dtype).eps))
        is_close = bool(np.max(flat) <= half * np.max(np.abs(gradient)))
        after = trainer.updated(state, done, fresh)
        return Bounded(done, back, loss, is_close, after, _after_update(trainer, state, gradient, flat))


def gradient_errors(done: Pass, back: BackwardPass) -> tuple[tuple[float, float], dict[str, Error]]:
    """Our loss with its error, and the error of each parameter's gradient along the run, under torch's names."""
    along, unread = RunErrors(done), Tally(done.batch.num_steps, "backward")
    own = OwnWay(back, unread, along)
    own.has_sums = False
    own.go()
    run = RunWay(back, None, unread, along, own.read_by_key)
    run.go()
    errors = {name: np.zeros(value.shape) for name, value in done.scenario.parameters.items()}
    for key, parts in run.sums.items():
        for part, (_, error) in parts.items():
            where = done.by_key[key].kept_in[part]
            errors[where.torch][where.start : where.stop] = error
    assert along.loss is not None
    return (back.loss, float(along.loss.loss[1].reshape(-1)[0])), errors


def _after_update(
    trainer: Trainer, state: State, gradient: Array, flat: Error
) -> dict[str, dict[str, Error]]:
    optimizer = trainer.optimizer
    assert optimizer is not None
    dtype = gradient.dtype
    values, before = trainer.by_name(gradient), trainer.by_name(state.parameters)
    errors = {name: np.asarray(error, np.float64) for name, error in trainer.by_name(flat).items()}
    buffers = {name: trainer.by_name(kept) for name, kept in state.buffers.items()}
    clip: Pair | None = None
    found: dict[str, dict[str, Error]] = {
        name: {kept: np.zeros(before[name].shape) for kept in ("w", *buffers)} for name in trainer.unreached
    }
    for block in trainer.update_blocks(state.updates):
        if block.key == CLIP:
            norms = _norms(trainer, gradient, values, errors)
            clip = update_lines(block, {"norms": norms}, dtype)["clip_coef"]
            continue
        known: dict[str, Pair] = {"w_prev": exact(before[block.key])}
        if optimizer.adds_up:  # the bound of the sum covers that of what is added
            left = np.zeros_like(gradient) if state.gathered is None else state.gathered
            parts = trainer.by_name(left), trainer.by_name(gradient - left)
            known["grad_before"] = exact(parts[0][block.key])
            known["grad_now"] = parts[1][block.key], errors[block.key]
        else:
            known["grad"] = values[block.key], errors[block.key]
        known |= {f"{name}_prev": exact(kept[block.key]) for name, kept in buffers.items()}
        for name, value in optimizer.numbers(state.updates, 1.0).items():
            known[name] = number(value)
        if clip is not None:
            known["clip_coef"] = number(clip[0][0], float(np.max(clip[1])))
        found[block.key] = _kept(block, update_lines(block, known, dtype), buffers)
    return found


def _kept(block: Block, lines: Mapping[str, Pair], buffers: Mapping[str, object]) -> dict[str, Error]:
    return {
        name: np.array(np.broadcast_to(lines[name][1], np.shape(lines[name][0])))
        for name in ("w", *buffers)
        if name in block.program.states
    }


def _norms(
    trainer: Trainer, gradient: Array, values: Mapping[str, Array], errors: Mapping[str, Error]
) -> Pair:
    """The norm of each gradient: that of its errors, and the rounding of as many squares as it has elements."""
    norms = trainer.norms(gradient)
    roundoff = float(np.finfo(norms.dtype).eps) / 2
    names = [name for name in values if name not in trainer.unreached]
    brought = np.array([float(np.sqrt(np.sum(errors[name] ** 2))) for name in names])
    counts = np.array([values[name].size for name in names])
    return norms, brought + np.abs(norms, dtype=np.float64) * (counts + 3) * roundoff
