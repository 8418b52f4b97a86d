"""What a way back shows at a step, line by line: each must follow from what its equation reads, as it is shown.

The gradients of a run come from compiled functions and sums over all steps; what is looked at is made step by step.
So the shown lines of some steps are read once more, and the sums at the last of them set beside the gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.bounds import Pair
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import Array
from rnnstep.reference.bounds import Error, Rounding, exact
from rnnstep.reference.derived import D
from rnnstep.reference.judging import Tally
from rnnstep.reference.layout import last_step

ALL_STEPS = 8  # of a run of so many; of a longer one some


def judge_shown(back: BackwardPass, tally: Tally, sums: Mapping[str, Mapping[str, Pair]]) -> None:
    """Read the shown lines again.

    Args:
        back: our way back.
        tally: where to note what is found.
        sums: ∂L/∂ of each block's parameters from our own numbers, with the errors of sums in any order.
    """
    for block in back.blocks:
        steps = list(_steps(back, block))
        for t in steps:
            values = back.values(block.key, t)
            _judge_lines(back, block, t, values, tally)
            if t == steps[-1]:
                _judge_sums(back, block, values, tally, sums.get(block.key, {}))


def _steps(back: BackwardPass, block: Block) -> Iterator[int]:
    """Some of a block's steps, the one that ends its way back last."""
    end = last_step(back.batch)
    if block.kind == "total" or (back.done.is_final and block.kind in ("linear", "loss")):
        yield end
        return
    found = range(end + 1) if end < ALL_STEPS else (0, 1, end // 2, end)
    yield from found if block.direction == "backward" else reversed(found)


def _judge_lines(back: BackwardPass, block: Block, t: int, values: Mapping[str, Array], tally: Tally) -> None:
    reading = Rounding(back.scenario.dtype)
    rows = {name: exact(value) for name, value in {**block.parameters, **values}.items()}
    # A batch of one row is multiplied as the vectors that the equations write.
    alone = {
        name: pair if name in block.parameters or back.is_of_all_rows(block.key, name) else exact(pair[0][0])
        for name, pair in rows.items()
    }
    of_block = back.live_rows(t) if block.kind == "recurrent" else None
    for line in block.program.lines:
        shown = values[line.name]
        if back.is_of_all_rows(block.key, line.name):
            value, error = evaluate(line.expression, alone if back.batch.num_rows == 1 else rows, reading)
            _, bound = np.broadcast_arrays(value, error)
            tally.compare_parameter("own step", block.key, line.name, shown, value, bound)
            continue
        value, error = (
            np.broadcast_to(part, shown.shape) for part in evaluate(line.expression, rows, reading)
        )
        whole = tuple(_spread(part, of_block, back.batch.num_rows) for part in (shown, value, error))
        tally.compare("own step", block.key, line.name, whole[0], whole[1], whole[2], t)


def _spread(part: NDArray[Any], rows: NDArray[np.intp] | None, count: int) -> NDArray[Any]:
    """(live rows, n) → (1, B, n)."""
    if rows is None:
        return part[None]
    whole = np.zeros((1, count, part.shape[-1]), part.dtype)
    whole[0, rows] = part
    return whole


def _judge_sums(
    back: BackwardPass, block: Block, values: Mapping[str, Array], tally: Tally, sums: Mapping[str, Pair]
) -> None:
    for name, (_, error) in sums.items():
        where = back.done.by_key[block.key].kept_in[name]
        whole = back.parameters[where.torch][where.start : where.stop]
        if f"{D}{name}" in values:
            bound: Error = np.reshape(error, whole.shape)
            tally.compare_parameter("own step", block.key, f"{D}{name}", values[f"{D}{name}"], whole, bound)
