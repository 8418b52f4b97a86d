"""What each time step gives to a weight's gradient, and their sum so far, in torch's shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rnnstep.engine import Block
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.operations import Array
from rnnstep.equations.shares import SHARE, D

MOST_STEPS = 200  # whose shares are told of: each is computed from all that come before it on the way back


@dataclass(frozen=True, eq=False, slots=True)
class Share:
    """One step on the way back.

    Attributes:
        t: the step, from 0.
        share: what it gives to the gradient.
        total: that and what the steps before it on the way back gave.
    """

    t: int
    share: Array
    total: Array


def parts_of(block: Block) -> dict[str, tuple[str, ...]]:
    """Give torch's parameters that a block uses, each with the equations' parameters that its rows are."""
    found: dict[str, tuple[str, ...]] = {}
    for part, where in block.kept_in.items():
        found[where.torch] = (*found.get(where.torch, ()), part)
    return found


def shares(back: BackwardPass, key: str) -> Mapping[str, list[Share]]:
    """Give every weight of a block under torch's name with its steps, in the order of the way back."""
    block = back.done.by_key[key]
    weights = {torch: parts for torch, parts in parts_of(block).items() if back.parameters[torch].ndim > 1}
    found: dict[str, list[Share]] = {torch: [] for torch in weights}
    for t in steps_back(back, key):
        values = back.values(key, t)
        for torch, parts in weights.items():
            totals = [values[f"{D}{part}"] for part in parts]
            given = [
                values.get(f"{D}{part}{SHARE}", total) for part, total in zip(parts, totals, strict=True)
            ]
            shape = back.parameters[torch].shape
            found[torch].append(Share(t, _joined(given, shape), _joined(totals, shape)))
    return found


def steps_back(back: BackwardPass, key: str) -> Iterator[int]:
    """Give a block's steps in the order of the way back."""
    if key in back.done.runs:
        yield from (t for t, other in back.recurrent_steps() if other == key)
    elif back.done.is_final and key == "linear":
        yield back.batch.num_steps - 1
    else:
        yield from reversed(range(back.batch.num_steps))


def _joined(parts: list[Array], shape: tuple[int, ...]) -> Array:
    return np.concatenate(parts).reshape(shape)
