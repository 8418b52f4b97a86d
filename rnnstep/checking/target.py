"""What an answer is about: some lines' results, and where they lie in it."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.checking.own import Place
from rnnstep.language import Text

Slices = tuple[slice | int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a target's numbers.

    Attributes:
        place: the line whose value they are.
        at: where they lie in the target.
        row: of the batch, from 0; None of the target's own.
        scale: what the line's value is multiplied with, as a step's own loss with the factor of the loss.
    """

    place: Place
    at: Slices
    row: int | None = None
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Target:
    """What an answer is about.

    Attributes:
        parts: the lines whose results it is; what none of them is of, as padding, is zeros.
        shape: of all of it.
        row: of the batch, from 0; 0 of what belongs to all rows, or holds them all.
        t: the step, from 0; None of the whole run.
        layer, direction: of a recurrent block's value; None otherwise.
    """

    parts: tuple[Part, ...]
    shape: tuple[int, ...]
    row: int
    t: int | None = None
    layer: int | None = None
    direction: str | None = None

    def row_of(self, part: Part) -> int:
        """The row of the batch that a part is of."""
        return self.row if part.row is None else part.row


class NoTarget(Exception):
    """An answer that no number of the run belongs to; `message` says why."""

    def __init__(self, message: Text, key: str = "name") -> None:
        super().__init__(message)
        self.message = message
        self.key = key
