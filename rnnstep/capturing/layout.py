"""Tensors as a kernel has them, and as a user sees them: packed rows, rows first, no axis of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensor = Any  # torch.Tensor: torch is imported inside functions only
Array = NDArray[Any]


def array(tensor: Tensor) -> Array:
    """Give a tensor's numbers as an array of numpy; of half as many digits as float32, which holds all of them."""
    import torch

    found = tensor.detach().cpu()
    return np.asarray((found.float() if found.dtype in (torch.float16, torch.bfloat16) else found).numpy())


def copied(tensor: Tensor, rows: Tensor | None = None, axis: int = 0) -> Tensor:
    """Give a copy of a tensor, or of some of its rows, cut off from autograd."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor.clone() if rows is None else tensor.index_select(axis, rows.to(tensor.device))


@dataclass(frozen=True, slots=True, eq=False)
class PackedRows:
    """Where the vectors of packed rows stand in the batch.

    Attributes:
        steps: The step of each, (ΣT,).
        rows: The row of the batch of each, (ΣT,).
        order: Which row of the batch each is, longest first, (B,).
        lengths: Of the rows of the batch, (B,).
    """

    steps: NDArray[np.intp]
    rows: NDArray[np.intp]
    order: NDArray[np.intp]
    lengths: NDArray[np.intp]

    @classmethod
    def of(cls, batch_sizes: Tensor, order: Tensor | None) -> PackedRows:
        """Read them from what torch packs with: how many rows are live at each step, and which is which."""
        live = batch_sizes.cpu().numpy().astype(np.intp)
        sorted_rows = np.arange(live[0]) if order is None else order.cpu().numpy().astype(np.intp)
        steps = np.repeat(np.arange(len(live)), live)
        rows = sorted_rows[np.concatenate([np.arange(count) for count in live])]
        return cls(steps, rows, sorted_rows, np.bincount(rows, minlength=int(live[0])))

    def padded(self, data: Array) -> Array:
        """Give (T, B, n) with zeros where rows are over, from vectors (ΣT, n)."""
        whole = np.zeros((int(self.lengths.max()), len(self.lengths), data.shape[-1]), data.dtype)
        whole[self.steps, self.rows] = data
        return whole

    def in_batch_order(self, sorted_states: Array) -> Array:
        """Give states (…, B, n) whose rows lie longest first in the order of the batch."""
        found = np.empty_like(sorted_states)
        found[..., self.order, :] = sorted_states
        return found


Rows = int | slice | Sequence[int]
"""Which rows of a batch are recorded: the first so many, a slice, or their numbers."""


def chosen_rows(rows: Rows | None, count: int) -> list[int] | None:
    """The numbers of the rows that are wanted of so many; None for all of them."""
    if rows is None:
        return None
    if isinstance(rows, int):
        rows = slice(0, rows)
    found = list(range(count)[rows]) if isinstance(rows, slice) else [one for one in rows if one < count]
    return None if found == list(range(count)) else found
