"""What a run says, in letters or names of classes, and how much of it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstep.engine.passes import Pass


@dataclass(frozen=True, slots=True)
class Score:
    """How many answers were right, of how many."""

    right: int = 0
    count: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.count + other.count)

    @property
    def share(self) -> float | None:
        """The share of right answers; None of none."""
        return self.right / self.count if self.count else None


def has_classes(done: Pass) -> bool:
    """Whether the outputs are scores of classes, of which the largest is the answer."""
    target = done.batch.target
    if target is not None:
        return target.dtype.kind in "iu"
    vocabulary = done.scenario.vocabulary
    return vocabulary is not None and done.scores.shape[-1] == len(vocabulary)


def prediction(done: Pass) -> tuple[str, ...] | None:
    """What each row says: a word of the classes' letters, or the class of its final state; None without classes."""
    if not has_classes(done):
        return None
    names = done.scenario.class_names
    said = done.prediction
    if said.ndim == 1:
        return tuple(_name(names, int(index)) for index in said)
    between = "" if names is not None and all(len(name) == 1 for name in names) else " "
    return tuple(
        between.join(_name(names, int(index)) for index in said[:length, row])
        for row, length in enumerate(done.scenario.scored(done.batch).true_lengths)
    )


def score(done: Pass) -> Score:
    """Count the right answers, those whose target counts for nothing left out."""
    target = done.batch.target
    if target is None or target.dtype.kind not in "iu" or not has_classes(done):
        return Score()
    ignored = done.scenario.loss.ignore_index if done.scenario.loss is not None else -100
    counted = target != ignored
    return Score(int(np.count_nonzero((done.prediction == target) & counted)), int(np.count_nonzero(counted)))


def _name(names: tuple[str, ...] | None, index: int) -> str:
    return str(index) if names is None or index >= len(names) else names[index]
