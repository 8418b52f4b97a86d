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
Kind = tuple[Any, Any]  # shape and dtype

BLOCK = 16 << 20  # bytes; what is not touched of it takes no memory
LARGE_PAGE = 2 << 20  # bytes, at addresses that it divides
ALIGNMENT = 64  # bytes, as torch's own
AT_ONCE = 1 << 20  # bytes of rooms for one shape, and
MOST_ROOMS = 64  # how many
SPARE = 2  # blocks that are kept although nothing lies in them


class Copies:
    """Makes copies, each cut off from autograd.

    A loop copies tensors of the same few shapes, so room is made for some of a shape at once, each time for twice as many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block: Tensor = None  # which lives as long as this, or any copy in it
        self._at = BLOCK  # where in it the next room begins
        self._rooms: dict[Kind, list[Tensor]] = {}  # what nothing was copied into so far
        self._next: dict[Kind, int] = {}  # for how many room is made next

    def of(self, tensor: Tensor, rows: Tensor | None = None, axis: int = 0) -> Tensor:
        """A copy of a tensor, or of some of its rows."""
        if tensor.requires_grad:
            tensor = tensor.detach()
        if rows is not None:
            return tensor.index_select(axis, rows.to(tensor.device))
        if not (tensor.is_cpu and tensor.is_contiguous()):
            return tensor.clone()
        try:
            room = self._rooms[tensor.shape, tensor.dtype].pop()
        except (KeyError, IndexError):
            room = self._make_room(tensor)
        return tensor.clone() if room is None else room.copy_(tensor)

    def _make_room(self, tensor: Tensor) -> Tensor | None:
        """Room for a copy, and for those after it; None where a tensor has no numbers, or too many."""
        import torch

        size = -(-tensor.nbytes // ALIGNMENT) * ALIGNMENT
        if not 0 < size <= BLOCK // 2:
            return None
        key = tensor.shape, tensor.dtype
        with self._lock, torch.inference_mode(False):  # or nothing could be written there outside of it
            if self._at + size > BLOCK:
                self._begin_block()
            # Not much more than was copied so far: what is left over at the end of a block is lost.
            count = min(self._next.get(key, 1), max(1, AT_ONCE // size), (BLOCK - self._at) // size)
            self._next[key] = min(2 * count, MOST_ROOMS)
            begin, self._at = self._at, self._at + count * size
            numbers = self._block[begin : self._at].view(tensor.dtype)
            strides = size // tensor.element_size(), *tensor.stride()
            *others, found = numbers.as_strided((count, *tensor.shape), strides).unbind()
            self._rooms[key] = others
        return found

    def _begin_block(self) -> None:
        import torch

        self._rooms.clear()
        whole = torch.from_numpy(_lent())
        self._block, self._at = whole[-whole.data_ptr() % LARGE_PAGE :][:BLOCK], 0


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
    if not hasattr(mmap, "MAP_PRIVATE"):  # Windows
        return mmap.mmap(-1, size)
    # By itself Python maps what a forked process would write into, too.
    found = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # Linux
        with suppress(OSError):  # of a kernel without large pages
            found.madvise(mmap.MADV_HUGEPAGE)
    return found
