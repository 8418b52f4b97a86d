"""The lines of a backward pass as they are shown, read again from what each of them reads, as that is shown.

The gradients of a run come from compiled functions and sums over all steps; what is looked at is made step by step.
So the shown lines of some steps are read once more: each must follow from what its equation reads, as it is shown,
and the sums at the last of them are set beside the gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial

import numpy as np

from rnnstep.engine import Block
from rnnstep.engine.backward import BackwardPass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.differentiate import D
from rnnstep.equations.evaluate import evaluate
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Line, names_in
from rnnstep.network.time import as_computed, opposite
from rnnstep.reference.judge.block_bounds import spread_rows
from rnnstep.reference.judge.bounds import Error, Rounding
from rnnstep.reference.judge.findings import Tally

ALL_STEPS = 8  # of a run of so many; of a longer one some


def judge_shown(back: BackwardPass, tally: Tally, sums: Mapping[str, Mapping[str, Pair]]) -> None:
    """Read the shown lines again.

    Args:
        back: our backward pass.
        tally: where to note what is found.
        sums: ∂L/∂ of each block's parameters from our own numbers, with the errors of sums in any order.
    """
    for block in back.blocks:
        steps = list(_steps(back, block))
        is_of_all = cache(partial(back.is_of_all_rows, block.key))
        if not _judge_together(back, block, steps, tally, is_of_all):
            for t in steps:
                _judge_lines(back, block, t, tally, block.program.lines, is_of_all)
        _judge_sums(back, block, back.values(block.key, steps[-1]), tally, sums.get(block.key, {}))


def _steps(back: BackwardPass, block: Block) -> Iterator[int]:
    """Some of a block's steps, the one that ends its backward pass last."""
    end = back.done.axis(block.key).end
    if block.extent.is_single:
        yield end
        return
    found = range(end + 1) if end < ALL_STEPS else (0, 1, end // 2, end)
    yield from as_computed(found, opposite(block.direction))


_IsOfAll = Callable[[str], bool]  # whether what is under a name is the same seen from each row


def _judge_together(
    back: BackwardPass, block: Block, steps: Sequence[int], tally: Tally, is_of_all: _IsOfAll
) -> bool:
    """Read the lines that are of each row for all of some steps at once, and the others step by step.

    Returns:
        Whether all of them agree; if not nothing is noted, and each step is to be read by itself.
    """
    lines = block.program.lines
    of_rows = [line for line in lines if not is_of_all(line.name)]
    others = [line for line in lines if is_of_all(line.name)]
    read = {name for line in of_rows for name in (line.name, *names_in(line.expression))}
    same = read & (back.equations(block.key).derived.fixed_names | block.parameters.keys())  # at every step
    parts: dict[str, list[Array]] = {name: [] for name in read - same}
    if len(steps) == 1 or not parts:
        return False
    values: Mapping[str, Array] = {}
    of_others = tally.beside()
    for t in steps:
        values = back.values(block.key, t)
        for name, several in parts.items():
            several.append(values[name])
        if not all(
            several[-1].ndim == 1 + len(block.program.shapes[name]) for name, several in parts.items()
        ):
            return False
        _judge_lines(back, block, t, of_others, others, is_of_all)
    if any(len({len(several[k]) for several in parts.values()}) > 1 for k in range(len(steps))):
        return False
    known = {name: Given(np.concatenate(several)) for name, several in parts.items()}
    known |= {name: Given({**values, **block.parameters}[name]) for name in same}
    reading = Rounding(back.scenario.dtype)
    return not of_others.faults and all(
        tally.agrees(known[line.name][0], *evaluate(line.expression, known, reading)) for line in of_rows
    )


def _judge_lines(
    back: BackwardPass, block: Block, t: int, tally: Tally, lines: Sequence[Line], is_of_all: _IsOfAll
) -> None:
    reading, values = Rounding(back.scenario.dtype), back.values(block.key, t)
    rows = {name: Given(value) for name, value in {**block.parameters, **values}.items()}
    alone = rows
    if back.batch.num_rows == 1:  # it is multiplied as the vectors that the equations write
        alone = {
            name: pair if name in block.parameters or is_of_all(name) else Given(pair[0][0])
            for name, pair in rows.items()
        }
    of_block = back.live_rows(block.key, t) if block.kind == "recurrent" else None
    for line in lines:
        shown = values[line.name]
        if is_of_all(line.name):
            value, error = evaluate(line.expression, alone, reading)
            _, bound = np.broadcast_arrays(value, error)
            tally.compare_parameter("own step", block.key, line.name, shown, value, bound)
            continue
        value, error = evaluate(line.expression, rows, reading)
        if of_block is None:
            tally.compare("own step", block.key, line.name, shown[None], value, error, t)
            continue
        shape = (back.batch.num_rows, shown.shape[-1])
        ours, value, error = (spread_rows(part, of_block, shape) for part in (shown, value, error))
        tally.compare("own step", block.key, line.name, ours, value, error, t)


def _judge_sums(
    back: BackwardPass, block: Block, values: Mapping[str, Array], tally: Tally, sums: Mapping[str, Pair]
) -> None:
    for name, (value, error) in sums.items():
        where = back.done.by_key[block.key].kept_in[name]
        is_whole = back.done.graph.num_reading[where] == 1
        whole = where.of(back.parameters[where.torch]) if is_whole else value  # of this block alone
        if f"{D}{name}" in values:
            bound: Error = np.reshape(error, whole.shape)
            tally.compare_parameter("own step", block.key, f"{D}{name}", values[f"{D}{name}"], whole, bound)
