"""Time-major arrays (T, B, n) of a batch: which rows live when, what came before, what is left at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block, Pass
from rnnstep.equations.operations import Array
from rnnstep.scenario.model import Batch, Recurrent, Scenario

Mask = NDArray[np.bool_]


def alive(batch: Batch) -> Mask | None:
    """Which rows take part in which step, (T, B); None when all do in all."""
    if not batch.packed or batch.lengths is None:
        return None
    return np.arange(batch.num_steps)[:, None] < np.asarray(batch.lengths)


def initial(scenario: Scenario, block: Block, name: str, rows: int) -> Array:
    """A block's state before its first step, (B, n), as `[initial_state]` gives it, else zeros."""
    given = scenario.initial_state.get(f"{name}_0")
    if given is None:
        return np.zeros((rows, int(block.program.states[name][0])), scenario.dtype)
    position = block.layer * scenario.recurrent.num_directions + (block.direction == "backward")
    return np.ascontiguousarray(given[position])


def previous(
    states: NDArray[Any], first: NDArray[Any], living: Mask | None, *, is_reversed: bool
) -> NDArray[Any]:
    """What each step read of a state, (T, B, n): the state of the step before, at first `first` (B, n)."""
    if not is_reversed:
        return np.concatenate((first[None], states[:-1]))
    shifted = np.concatenate((states[1:], first[None]))
    if living is not None:  # a row that is packed begins at its own last step
        begins = ~np.concatenate((living[1:], np.zeros_like(living[:1])))
        shifted[begins] = np.broadcast_to(first, shifted.shape)[begins]
    return shifted


def final(states: NDArray[Any], batch: Batch, *, is_reversed: bool) -> NDArray[Any]:
    """A state at the end of the run, (B, n): at each row's true length, or at step 0 going backwards."""
    if is_reversed:
        return np.asarray(states[0])
    if not batch.packed or batch.lengths is None:
        return np.asarray(states[-1])
    lengths = np.asarray(batch.lengths)
    return np.asarray(states[lengths - 1, np.arange(len(lengths))])


def last_step(batch: Batch) -> int:
    """The last step that any row takes part in, from 0."""
    return max(batch.last_step(row) for row in range(batch.num_rows))


def states_by_block(scenario: Scenario, shown: Array) -> Array:
    """Lay out h_n or c_n as (D·L, B, n), from the shape that torch returns."""
    if not scenario.is_batched:
        shown = shown[..., None, :]
    return shown[None] if scenario.recurrent.is_cell else shown


def last_layer(recurrent: Recurrent, whole: Array) -> Array:
    """The last layer's final states out of all (D·L, B, n), both directions joined, (B, D·n)."""
    return np.concatenate(list(whole[-recurrent.num_directions :]), axis=-1)


def keys_of(blocks: Sequence[Block], layer: int) -> list[str]:
    """The recurrent blocks of a layer: `["L0"]`, or `["L0", "L0←"]`."""
    return [block.key for block in blocks if block.kind == "recurrent" and block.layer == layer]


def joined(blocks: Sequence[Block], layer: int, by_key: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """A layer's arrays (…, n), both directions joined, (…, D·n)."""
    parts = [by_key[key] for key in keys_of(blocks, layer)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def layer_inputs(done: Pass) -> dict[str, Array]:
    """What entered each recurrent block of our run, (T, B, I)."""
    output = next(iter(done.scenario.cell.states))
    found: dict[str, Array] = {}
    x = done.x
    for layer in range(done.scenario.recurrent.num_layers):
        keys = keys_of(done.blocks, layer)
        found.update(dict.fromkeys(keys, x))
        x = joined(done.blocks, layer, {key: done.runs[key].state(output) for key in keys})
        mask = done.masks.get(f"dropout{layer}")
        if mask is not None:
            x = mask * x
    return found
