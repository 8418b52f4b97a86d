"""What is fed to a sequence whose steps are what a layer said at the step before.

A step's class depends on the steps before it alone. So a run on any guess has the right class at one step more than the
guess had at least, and what a run feeds itself is where nothing changes any more: the numbers of that run are those
that are shown, and what they say is what was fed. Mostly a few runs suffice; where they do not, the guess is found step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine.blocks import last_block_of
from rnnstep.equations.operations import Array
from rnnstep.scenario.data.feeding import with_classes, with_sequences
from rnnstep.scenario.feeding import Classes, Feed
from rnnstep.scenario.model import Batch, FedSequence, Scenario

if TYPE_CHECKING:
    from rnnstep.engine.passes import Pass


MOST_GUESSES = 8
"""Runs that are made before a sequence is found step by step."""


def fed(
    scenario: Scenario,
    batch: Batch,
    run: Callable[[Batch], Pass],
    stepped: Callable[[str, Batch], Batch],
) -> Batch:
    """Give a batch with what its network feeds itself: the classes of every step, and where each row ends.

    Args:
        scenario: with the layers that feed.
        batch: what is given, and a first guess.
        run: the network on a batch, without a loss.
        stepped: finds what one sequence is fed step by step, which rounding may tell from what `run` says.
    """
    feeds = {name: one for name, one in scenario.feeds.items() if one.is_of_classes}
    wanted = batch.target if batch.open_target is None else batch.open_target
    told = {name: _told(batch.sequences[name], scenario.feeds[name], wanted) for name in scenario.wired_feeds}
    guess = with_sequences(batch, {**told, **{name: _open(batch.sequences[name]) for name in feeds}})
    steps = sum(guess.sequences[name].num_steps for name in feeds)
    for number in range(steps + 1):
        if number == MOST_GUESSES and len(feeds) == 1:
            guess = stepped(next(iter(feeds)), guess)
        done = run(guess)
        said = {name: _said(done, one) for name, one in feeds.items()}
        found = {name: one.following(said[name], wanted) for name, one in feeds.items()}
        if all(np.array_equal(found[name], guess.sequences[name].indices) for name in feeds):  # type: ignore[arg-type]
            break
        guess = with_sequences(guess, {name: _of(guess.sequences[name], found[name]) for name in feeds})
    numbers = {name: _numbers(done, name, key) for name, key in scenario.wired_feeds.items()}
    ended = {name: _ended(guess.sequences[name], one.row_lengths(said[name])) for name, one in feeds.items()}
    return _without_targets(scenario, with_sequences(guess, {**ended, **numbers}), wanted)


class FedStepByStep:
    """A batch one of whose sequences is fed while it is gone along.

    Attributes:
        batch: with arrays of its own, which are written into.
    """

    def __init__(self, scenario: Scenario, name: str, batch: Batch) -> None:
        old = batch.sequences[name]
        assert old.indices is not None
        self._indices = old.indices.copy()
        self._values = None if old.values is None else old.values.copy()
        self._feed = scenario.feeds[name]
        self._wanted = batch.target if batch.open_target is None else batch.open_target
        sampling = self._feed.sampling
        self._draws = None if sampling is None else sampling.draws(*self._indices.shape)
        self.batch = with_sequences(batch, {name: replace(old, indices=self._indices, values=self._values)})

    def say(self, t: int, scores: Array) -> None:
        """Feed the step after `t` with what its scores say, (B, C)."""
        if t + 1 == len(self._indices):
            return
        if self._feed.teacher is not None and self._feed.teacher[t + 1] and self._wanted is not None:
            self._indices[t + 1] = self._wanted[t]
        else:
            draws = None if self._draws is None else self._draws[t : t + 1]
            self._indices[t + 1] = self._feed.said(scores[None], draws)[0]
        if self._values is not None:
            self._values[t + 1] = 0
            np.put_along_axis(self._values[t + 1], self._indices[t + 1][:, None], 1, axis=-1)


def _said(done: Pass, feeding: Feed) -> Classes:
    return feeding.said(done.whole(last_block_of(done.blocks, feeding.layer).key))


def _numbers(done: Pass, sequence: str, layer: str) -> FedSequence:
    """A sequence that is fed what a layer gave at the step before."""
    key = last_block_of(done.blocks, layer).key
    fed, old = np.concatenate((done.first(key)[None], done.whole(key)[:-1])), done.batch.sequences[sequence]
    taught = list(done.scenario.feeds[sequence].taught)
    if taught and old.values is not None:
        fed[taught] = old.values[taught]
    return replace(old, values=fed)


def _told(sequence: FedSequence, feed: Feed, wanted: NDArray[np.generic] | None) -> FedSequence:
    """A sequence of numbers with what was wanted at the step before where a teacher says so."""
    if not feed.taught or wanted is None or sequence.values is None:
        return sequence
    values, taught = sequence.values.copy(), np.array(feed.taught)
    values[taught] = wanted[taught - 1]
    return replace(sequence, values=values)


def _open(sequence: FedSequence) -> FedSequence:
    """The sequence with all rows to the last step."""
    return replace(sequence, lengths=None, packed=False)


def _of(sequence: FedSequence, classes: Classes) -> FedSequence:
    if sequence.values is None:
        return replace(sequence, indices=classes)
    return with_classes(sequence, classes, sequence.values.shape[2], sequence.values.dtype)


def _ended(sequence: FedSequence, lengths: tuple[int, ...] | None) -> FedSequence:
    return sequence if lengths is None else replace(sequence, lengths=lengths, packed=True)


def _without_targets(scenario: Scenario, batch: Batch, target: NDArray[np.generic] | None) -> Batch:
    """A batch without what is wanted of steps at which a row has ended."""
    feeding = scenario.feeds.get(scenario.scored_sequence)
    loss = scenario.loss
    if feeding is None or feeding.until is None or target is None or loss is None or target.ndim != 2:
        return batch
    steps = np.arange(len(target))[:, None]
    is_over: NDArray[np.bool_] = steps >= np.array(scenario.scored(batch).true_lengths)
    return replace(batch, target=np.where(is_over, loss.ignore_index, target), open_target=target)
