"""Time-major arrays (T, B, n) of a batch: which rows live when, what came before, what is left at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.network.graph import Part
from rnnstep.scenario.model import Scenario


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


def side_by_side(parts: Sequence[Part], by_key: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The arrays (…, n) of the blocks that computed a value, side by side."""
    found = [by_key[part.wire.block] for part in parts]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=-1)
