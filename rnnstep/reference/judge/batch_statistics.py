"""Modules that take mean and variance of a whole batch: their blocks one after the other, forth and back, with bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnnstep.engine import Block, Pass
from rnnstep.equations.bounds import Given, Pair
from rnnstep.equations.operations import Array
from rnnstep.equations.shares import D
from rnnstep.reference.judge.block_bounds import Pairs, bounded, over_steps, plain_back
from rnnstep.reference.judge.bounds import Rounding


def blocks_of(done: Pass, module: str) -> list[Block]:
    """The blocks of a module: its statistics, and what applies them."""
    return [block for block in done.blocks if block.module == module]


def forth(done: Pass, module: str, x: Pair, reading: Rounding) -> tuple[Array, Pair]:
    """Give what a module gives as the engine computes it, and by its equations with their error, from what it read, (T, B, n)."""
    *statistics, last = blocks_of(done, module)
    ours: dict[str, Array] = {}
    for block in statistics:
        read = {name: value for name, (value, _) in _read(done, block, x, {}).items()}
        ours |= block.program.at_once(
            {**read, **{name: ours[name] for name in block.program.inputs if name in ours}}
        )
    read = {last.brought[0]: x[0], **{name: ours[name] for name in last.brought[1:]}}
    given = last.program.at_once({**last.parameters, **read})[last.output]
    return given, bounded(last, _entering(last, x, _statistics(done, statistics, x, reading)), reading)[
        last.output
    ]


def back(done: Pass, module: str, x: Pair, g: Pair) -> tuple[Pair, Pairs]:
    """Give ∂L/∂ of what a module read, (T, B, n), with its error, and ∂L/∂ of its parameters, from ∂L/∂ of what it gave."""
    *statistics, last = blocks_of(done, module)
    reading = Rounding(g[0].dtype)
    known = _statistics(done, statistics, x, reading)
    lines, sums = plain_back(last, _entering(last, x, known), g)
    parts = [_whole(lines[f"{D}{last.brought[0]}"])]
    sent = {name: [_summed(lines[f"{D}{name}"])] for name in last.brought[1:]}
    for block in reversed(statistics):
        lines, _ = plain_back(block, _read(done, block, x, known), added(sent[block.output]))
        for name in block.brought:
            sent[name].append(_whole(lines[f"{D}{name}"]))
        value, error = (part[0] for part in _whole(lines[f"{D}xs"]))
        count = done.num_read(block.key)
        parts.append((value[:count].reshape(x[0].shape), error[:count].reshape(x[0].shape)))
    return added(parts), sums


def added(parts: Sequence[Pair]) -> Pair:
    """The sum of arrays of one shape, in any order."""
    if len(parts) == 1:
        return parts[0]
    return over_steps(np.stack([value for value, _ in parts]), np.stack([_whole(part)[1] for part in parts]))


def _statistics(done: Pass, blocks: Sequence[Block], x: Pair, reading: Rounding) -> dict[str, Pair]:
    """Each statistic, (1, 1, n): the same of all rows."""
    found: dict[str, Pair] = {}
    for block in blocks:
        found[block.output] = bounded(block, _read(done, block, x, found), reading)[block.output]
    return found


def _read(done: Pass, block: Block, x: Pair, known: Mapping[str, Pair]) -> dict[str, Pair]:
    """What a statistic is made of: all vectors, how many there are, and the statistics before it."""
    found: dict[str, Pair] = {name: Given(done.entering(block.key, name)[:, :1]) for name in block.given}
    for name, value in done.banks(block.key).items():
        found[name] = Given(value[:1])
    value, error = (np.broadcast_to(part, x[0].shape).reshape(-1, x[0].shape[-1]) for part in x)
    whole = np.zeros(found["xs"][0].shape, value.dtype), np.zeros(found["xs"][0].shape)
    whole[0][:, : len(value)], whole[1][:, : len(value)] = value, error
    return {**found, "xs": whole, **{name: known[name] for name in block.program.inputs if name in known}}


def _entering(last: Block, x: Pair, known: Mapping[str, Pair]) -> dict[str, Pair]:
    """What each step reads, (T, B, n)."""
    shape = x[0].shape
    same = {
        name: (np.broadcast_to(known[name][0], shape), np.broadcast_to(known[name][1], shape))
        for name in last.brought[1:]
    }
    return {last.brought[0]: x, **same}


def _whole(pair: Pair) -> Pair:
    value = np.asarray(pair[0])
    return value, np.broadcast_to(np.asarray(pair[1], np.float64), value.shape)


def _summed(pair: Pair) -> Pair:
    """The sum over the steps and rows, (1, 1, n)."""
    whole, errors = _whole(pair)
    value, error = over_steps(
        whole.reshape(-1, whole.shape[-1]), np.asarray(errors, np.float64).reshape(-1, whole.shape[-1])
    )
    return value[None, None], error[None, None]
