"""Time-major arrays (T, B, n) of a batch: which rows live when, what came before, what is left at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.model import Batch, FedSequence, Scenario

Mask = NDArray[np.bool_]

# What is about time stands here a second time on purpose. The engine has it from `rnnstep.network.time`; were it read
# from there, a mistake in it would be in both runs and no comparison would show it. Only the description is shared.


def living_rows(fed: FedSequence) -> Mask | None:
    """Which rows take part in which step of a sequence, (T, B); None where all do, or the padding is walked over."""
    if fed.packed_lengths is None:
        return None
    living = np.zeros((fed.num_steps, fed.num_rows), np.bool_)
    for row, length in enumerate(fed.packed_lengths):
        living[:length, row] = True
    return living


def first_states(scenario: Scenario, recurrent: Recurrent, batch: Batch) -> dict[str, Array]:
    """Each state of a module before a batch's first step, (D·L, B, n): layer by layer, forward before backward, as torch has h_0."""
    every = scenario.initial_state if batch.initial_state is None else batch.initial_state
    found = {}
    for name, size in recurrent.state_sizes.items():
        given = every.get(f"{recurrent.before_places}{name}_0")
        zeros = np.zeros((recurrent.num_states, batch.num_rows, size), scenario.dtype)
        found[name] = zeros if given is None else given
    return found


def kept_rows(recurrent: Recurrent, batch: Batch) -> Array | None:
    """0 where a row's states are zeros before a step, else 1, (T, B, 1); None where no row begins anew."""
    return batch.keep if recurrent.has_resets else None


def names_of(module: Recurrent) -> list[str]:
    """What the states of a module are called among those of all: "h", of one of several "encoder.h"."""
    return [f"{module.before_places}{name}" for name in module.cell.states]


def of_layer(recurrent: Recurrent, layer: int) -> slice:
    """Which of the states (D·L, B, n) are a layer's."""
    return slice(layer * recurrent.num_directions, (layer + 1) * recurrent.num_directions)


def states_before(states: Array, first: Array, living: Mask | None, *, is_reversed: bool) -> Array:
    """The state that each step read, (T, B, n), from those after every step; anything where a row is over."""
    before = np.empty_like(states)
    if not is_reversed:
        before[0], before[1:] = first, states[:-1]
        return before
    before[-1], before[:-1] = first, states[1:]
    if living is not None:
        last, rows = living.sum(axis=0) - 1, np.arange(living.shape[1])
        before[last, rows] = first
    return before


def final_states(states: Array, living: Mask | None, *, is_reversed: bool) -> Array:
    """A state where each row's run ended, (B, n), from those after every step."""
    if is_reversed or living is None:
        return np.asarray(states[0 if is_reversed else -1])
    return np.asarray(states[living.sum(axis=0) - 1, np.arange(living.shape[1])])


def states_by_block(scenario: Scenario, recurrent: Recurrent, shown: Array) -> Array:
    """Lay out h_n or c_n of a module as (D·L, B, n), from the shape that torch returns."""
    if not scenario.is_batched:
        shown = shown[..., None, :]
    return shown[None] if recurrent.is_cell else shown


def joined_ends(module: Recurrent, ends: tuple[Any, ...]) -> dict[str, Any]:
    """The last layer's final states, joined, (B, D·n), out of all of each state, (L·D, B, n)."""
    import torch

    last = [torch.cat(list(each[-module.num_directions :]), -1) for each in ends]
    return dict(zip(("h_n", "c_n"), last, strict=False))


def keys_of(blocks: Sequence[Block], recurrent: Recurrent, layer: int | None = None) -> list[str]:
    """The recurrent blocks of a module, or of one of its layers: `["L0"]`, or `["L0", "L0←"]`."""
    return [
        block.key
        for block in blocks
        if block.program.states and block.module == recurrent.key and layer in (None, block.layer)
    ]


def joined(keys: Sequence[str], by_key: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The arrays (…, n) of both directions of a layer joined, (…, D·n)."""
    parts = [by_key[key] for key in keys]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
