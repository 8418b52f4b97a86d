"""An optimizer's lines as values and what they may be off by.

Its arguments, and what is one number for all elements, are Python's floats here and in torch.optim: arithmetic among
them is exact beside the arrays', and one of them is rounded to the dtype where it meets an array.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnnstep.engine import Block
from rnnstep.equations.bounds import Pair
from rnnstep.equations.evaluate import evaluate_lines
from rnnstep.equations.operations import OPERATIONS, Array
from rnnstep.reference.bounds import Rounding


class UpdateRounding(Rounding):
    """The reading of an update."""

    def number(self, value: float) -> Pair:
        """A number, as Python keeps it."""
        return value, np.zeros(())  # type: ignore[return-value]

    def apply(self, op: str, args: tuple[Pair, ...]) -> Pair:
        """An operation of the table."""
        if all(isinstance(value, float) for value, _ in args):
            with np.errstate(all="ignore"):
                return float(OPERATIONS[op].forward(*(value for value, _ in args))), np.zeros(())  # type: ignore[return-value]
        return super().apply(op, tuple(self._met(pair) for pair in args))

    def _met(self, pair: Pair) -> Pair:
        """A number that meets an array: rounded to its dtype."""
        value, error = pair
        if not isinstance(value, float):
            return pair
        with np.errstate(over="ignore"):
            return value, np.asarray(error + abs(float(self._dtype.type(value)) - value))


def number(value: Array, error: float = 0.0) -> Pair:
    """What is one number for all elements, as a Python float."""
    return float(value), np.asarray(error)  # type: ignore[return-value]


def update_lines(block: Block, known: Mapping[str, Pair], dtype: np.dtype[np.floating]) -> dict[str, Pair]:
    """Every line of a block of an update, from what it reads."""
    with np.errstate(all="ignore"):
        return evaluate_lines(block.program.lines, known, UpdateRounding(dtype))
