"""How a sequence is fed by what a layer gave at the step before, rather than given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Classes drawn from the softmax in the place of the largest.

    Attributes:
        temperature: what the scores are divided by.
        seed: of numpy's generator.
    """

    temperature: float
    seed: int

    def draws(self, num_steps: int, num_rows: int) -> NDArray[np.float64]:
        """A number of [0, 1) for each step and row, (T, B), those that are over included; the same in every epoch."""
        return np.random.default_rng(self.seed).random((num_steps, num_rows))


@dataclass(frozen=True, eq=False)
class Feed:
    """What is fed at each step of a sequence: the class that a layer said at the step before, or the numbers that it gave.

    Attributes:
        layer: the key of the module.
        first: what is fed at the first step: classes (B,), or numbers (B, n), which are then fed at every step.
        until: the class that ends a row; None: all rows have all steps.
        teacher: at which steps what was wanted at the step before is fed instead, of T; None: nowhere.
        sampling: how classes are drawn; None: the largest score's.
    """

    layer: str
    first: NDArray[Any]
    until: int | None = None
    teacher: tuple[bool, ...] | None = None
    sampling: Sampling | None = None

    @property
    def is_of_classes(self) -> bool:
        """Whether classes are fed, through which no gradient flows; else numbers."""
        return self.first.ndim == 1

    @property
    def taught(self) -> tuple[int, ...]:
        """The steps, from 0, at which what was wanted at the step before is fed."""
        return tuple(t for t, is_told in enumerate(self.teacher or ()) if is_told and t)

    def said(self, scores: NDArray[Any], draws: NDArray[np.float64] | None = None) -> Classes:
        """The classes that scores (T, B, C) say, (T, B): the largest, the first of several; or as they are drawn.

        `draws`, (T, B), are those of the steps, where they are not all from the first on.
        """
        if self.sampling is None:
            return np.asarray(np.argmax(scores, axis=-1), np.int64)
        cumulated = self.cumulated(scores)
        if draws is None:
            draws = self.sampling.draws(*scores.shape[:2])
        reached = np.sum(cumulated <= draws[..., None], axis=-1)
        return np.asarray(np.minimum(reached, scores.shape[-1] - 1), np.int64)

    def cumulated(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """The cumulated softmax that a class is drawn from, in float64: the first class at which it exceeds the draw."""
        assert self.sampling is not None
        over = scores.astype(np.float64) / self.sampling.temperature
        exp = np.exp(over - np.max(over, axis=-1, keepdims=True))
        return np.asarray(np.cumsum(exp / np.sum(exp, axis=-1, keepdims=True), axis=-1))

    def following(self, said: Classes, wanted: NDArray[Any] | None) -> Classes:
        """What is fed at every step, (T, B), where the steps said this: at the first `first`, at others what was said, or wanted, before."""
        fed = np.concatenate((self.first[None], said[:-1]))
        if wanted is not None:
            for t in self.taught:
                fed[t] = wanted[t - 1]
        return fed

    def row_lengths(self, said: Classes) -> tuple[int, ...] | None:
        """How many steps each row has: up to the one that says `until`; None where all have all."""
        if self.until is None:
            return None
        is_end = said == self.until
        ends = np.where(is_end.any(axis=0), is_end.argmax(axis=0) + 1, len(said))
        return tuple(ends.tolist())
