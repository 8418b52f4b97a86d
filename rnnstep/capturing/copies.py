"""Copies of tensors, one behind the other in large blocks of memory.

A loop around a cell is copied some kilobytes at a time. Where the allocator takes them from the system, and gives them back at
the end, every page is a fault, and all of them can take longer than the steps. So the system is asked for large pages, and a
block or two stay for whoever records next.
"""

from __future__ import annotations

import mmap
import threading
import weakref
from contextlib import suppress
from typing import Any

import numpy as np

Tensor = Any  # torch.Tensor: torch is imported inside functions only

BLOCK = 16 << 20  # bytes; what is not touched of it takes no memory
LARGE_PAGE = 2 << 20  # bytes, at addresses that it divides
ALIGNMENT = 64  # bytes, as torch's own
SPARE = 2  # blocks that are kept although nothing lies in them


class Copies:
    """Makes copies, each cut off from autograd."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block: Tensor = None  # which lives as long as this, or any copy in it
        self._as_dtype: dict[Any, Tensor] = {}  # it, as numbers of each dtype
        self._at = BLOCK  # where in it the next copy lies

    def of(self, tensor: Tensor, rows: Tensor | None = None, axis: int = 0) -> Tensor:
        """A copy of a tensor, or of some of its rows."""
        if tensor.requires_grad:
            tensor = tensor.detach()
        if rows is not None:
            return tensor.index_select(axis, rows.to(tensor.device))
        size = tensor.nbytes
        if not 0 < size <= BLOCK // 2 or not (tensor.is_cpu and tensor.is_contiguous()):
            return tensor.clone()
        with self._lock:
            at = self._at
            if at + size > BLOCK:
                self._begin_block()
                at = 0
            self._at = at + -(-size // ALIGNMENT) * ALIGNMENT
            numbers = self._as_dtype.get(tensor.dtype)
            if numbers is None:
                numbers = self._numbers(tensor.dtype)
        found = numbers.as_strided(tensor.shape, tensor.stride(), at // tensor.element_size())
        return found.copy_(tensor)

    def _begin_block(self) -> None:
        import torch

        self._block, self._as_dtype = None, {}
        with torch.inference_mode(False):  # or nothing could be written into it afterwards
            whole = torch.from_numpy(_lent())
            self._block = whole[-whole.data_ptr() % LARGE_PAGE :][:BLOCK]

    def _numbers(self, dtype: Any) -> Tensor:
        import torch

        with torch.inference_mode(False):
            found = self._as_dtype[dtype] = self._block.view(dtype)
        return found


_spare: list[mmap.mmap] = []


def _lent() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A block, which is spare again when the last tensor in it is gone."""
    try:
        block = _spare.pop()
    except IndexError:
        block = _new_block()
    found = np.frombuffer(block, np.uint8)
    weakref.finalize(found, _take_back, block).atexit = False
    return found


def _take_back(block: mmap.mmap) -> None:
    if len(_spare) < SPARE:
        _spare.append(block)


def _new_block() -> mmap.mmap:
    """Memory that has room for a block wherever large pages begin in it."""
    size = BLOCK + LARGE_PAGE
    if not hasattr(mmap, "MADV_HUGEPAGE"):  # as on all but Linux
        return mmap.mmap(-1, size)
    found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # of a kernel without large pages
        found.madvise(mmap.MADV_HUGEPAGE)
    return found
