"""What enters an update in a hand calculation: the gradient, and what the optimizer keeps."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from rnnstep.checking import several_steps
from rnnstep.checking.rounding import shown
from rnnstep.checking.step import Fed, Step
from rnnstep.engine.epoch import CLIP, UpdatePass
from rnnstep.engine.structure import Phase, Stage
from rnnstep.equations.intervals import point
from rnnstep.network.blocks import Block


class Paper(Protocol):
    """What is asked of a hand calculation."""

    sheet: Any
    slip: Any
    reading: Any
    no_doubts: Any

    def step(self, phase: Phase, key: str, t: int) -> Step:
        """All of a block's values at a step."""

    def stage(self, phase: Phase) -> Stage:
        """The blocks of a pass."""


def entering_update(paper: Paper, block: Block, update: UpdatePass) -> Step:
    """Give what one parameter's update reads beside it, or the clipping of all gradients; `update` is the run's own."""
    found = Step()
    if block.key == CLIP:
        optimizer = paper.sheet.learning.trainer.optimizer
        assert optimizer is not None
        grads: list[Fed] = [
            paper.sheet.gradient(paper, key) for key in paper.stage("update").by_key if key != CLIP
        ]
        found.take("norms", several_steps.norms(grads, optimizer.clamped, paper.reading))
        return found
    ours = update.values(block.key)
    for name in block.program.inputs:
        found.take(name, (point(np.asarray(ours[name], np.float64)), paper.no_doubts))
    for name in ("grad", "grad_now"):
        if name in block.program.inputs:
            found.take(name, paper.slip.gradient(paper, block.key))
    if "clip_coef" in block.program.inputs:
        step = paper.step("update", CLIP, 0)
        found.take("clip_coef", (step.values["clip_coef"], step.doubts["clip_coef"]))
    for state in block.program.states:
        before = block.program.before(state)
        found.take(before, (shown(np.asarray(ours[before]), paper.reading.decimals), paper.no_doubts))
        own = paper.sheet.learnt(paper, block.key, state)
        if own is not None:
            found.take(before, (own[0], paper.no_doubts | own[1].any()))
    return found
