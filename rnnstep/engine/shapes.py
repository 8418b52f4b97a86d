"""Between time-major arrays inside and torch's shapes outside."""

from __future__ import annotations

import numpy as np

from rnnstep.equations.operations import Array
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.model import Scenario


def as_torch_shows(scenario: Scenario, whole: Array) -> Array:
    """Lay out (T, B, n) as torch does: (B, T, n) with `batch_first`, (T, n) when unbatched."""
    if not scenario.is_batched:
        return whole[:, 0]
    return np.swapaxes(whole, 0, 1) if scenario.batch_first else whole


def layer_as_torch_shows(scenario: Scenario, whole: Array) -> Array:
    """The same of what a layer gave; what belongs to no step, (B, n), as it is, or (n,) when unbatched."""
    if whole.ndim == 2:
        return whole if scenario.is_batched else whole[0]
    return as_torch_shows(scenario, whole)


def from_torch_shape(scenario: Scenario, shown: Array) -> Array:
    """The inverse of `as_torch_shows`."""
    if not scenario.is_batched:
        return shown[:, None]
    return np.swapaxes(shown, 0, 1) if scenario.batch_first else shown


def state_as_torch_shows(scenario: Scenario, recurrent: Recurrent, whole: Array) -> Array:
    """Lay out states of a module, (D·L, B, n), as torch does: (B, n) of a cell; without B when unbatched."""
    if recurrent.is_cell:
        whole = whole[0]
        return whole if scenario.is_batched else whole[0]
    return whole if scenario.is_batched else whole[:, 0]
