"""Whether torch's network says the classes that ours was fed: then, fed by itself, it goes the same way step by step."""

from __future__ import annotations

import numpy as np

from rnnstep.engine import Pass
from rnnstep.engine.blocks import last_block_of
from rnnstep.equations.operations import Array
from rnnstep.reference.judge.bounds import Error
from rnnstep.reference.judge.findings import ALLOWED, Tally
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.run.feeding import said
from rnnstep.reference.run.forward import ReferencePass
from rnnstep.reference.run.modules import array, tensor
from rnnstep.scenario.feeding import Classes, Feed


def judge_fed(done: Pass, reference: ReferencePass, errors: RunErrors, tally: Tally) -> None:
    """Set the class that a step was fed beside the one that torch's own scores of the step before say.

    Both stand on the same classes up to there, so one step after the other would have been fed the same.
    Where rounding alone can decide which score is the largest, or on which side a draw falls, either is right.
    """
    for name, feeding in done.scenario.feeds.items():
        fed = done.batch.sequences[name]
        if not feeding.is_of_classes or fed.indices is None or fed.num_steps < 2:
            continue
        key = last_block_of(done.blocks, feeding.layer).key
        theirs = reference.gave[feeding.layer]
        told = array(said(feeding, tensor(theirs)))[:-1]
        ours, error = errors.given(key)
        counts = fed.live_steps(fed.num_steps).T[1:]
        if feeding.teacher is not None:
            counts = counts & ~np.array(feeding.teacher)[1:, None]
        given = fed.indices[1:]
        compared = np.where(counts, told, given)
        open_ = _may_be_either(feeding, ours, np.broadcast_to(error, ours.shape), given, compared)
        bound = np.where(open_, np.inf, 0.0)[..., None]
        pair = given[..., None].astype(np.float64), compared[..., None].astype(np.float64)
        tally.compare("fed", key, done.by_key[key].output, *pair, bound)


def _may_be_either(feeding: Feed, scores: Array, error: Error, ours: Classes, theirs: Classes) -> Array:
    """Where rounding decides between two classes, (T − 1, B)."""
    if feeding.sampling is None:
        pairs = [np.take_along_axis(scores[:-1], one[..., None], -1)[..., 0] for one in (ours, theirs)]
        return np.asarray(np.abs(pairs[0] - pairs[1]) <= 2 * ALLOWED * np.max(error[:-1], axis=-1))
    cumulated, draws = feeding.cumulated(scores), feeding.sampling.draws(*scores.shape[:2])
    nearest = np.min(np.abs(cumulated - draws[..., None]), axis=-1)[:-1]
    # A score's error moves a probability by half of it at most, the sum of several by no more than it.
    allowed = ALLOWED * np.max(error[:-1], axis=-1) / feeding.sampling.temperature + 1e-12
    return np.asarray(nearest <= allowed)
