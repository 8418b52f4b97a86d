"""What an answer is about: some lines' results, and where they lie in it."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.checking.own import Place
from rnnstep.language import Text

Slices = tuple[slice | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a target's numbers: a line's value, and where it lies in the target."""

    place: Place
    at: Slices


@dataclass(frozen=True, eq=False)
class Target:
    """What an answer is about.

    Attributes:
        parts: the lines whose results it is.
        shape: of all of it.
        row: of the batch, from 0; 0 of what belongs to all rows.
        t: the step, from 0; None of the whole run.
        layer, direction: of a recurrent block's value; None otherwise.
    """

    parts: tuple[Part, ...]
    shape: tuple[int, ...]
    row: int
    t: int | None = None
    layer: int | None = None
    direction: str | None = None


class NoTarget(Exception):
    """An answer that no number of the run belongs to; `message` says why."""

    def __init__(self, message: Text, key: str = "name") -> None:
        super().__init__(message)
        self.message = message
        self.key = key
