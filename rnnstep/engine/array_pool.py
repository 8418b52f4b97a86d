"""Memory for large arrays of a run, used again when nobody holds what was written to it.

The first touch of new memory costs a tenth of a run. And the system begins each large piece at the same place of a page, so that the
rows of a step, which an operation reads from one array and writes to another, would be kept in the same few places of the processor's
cache: pieces begin a part of a page apart, which makes an LSTM of 256 units and 32 rows a sixth faster.
"""

from __future__ import annotations

import itertools
import math
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.equations.operations import Array

LEAST_BYTES = 1 << 20  # of an array, below which new memory costs next to nothing
MOST_FREE_BYTES = 1 << 29  # kept for later at most, beyond which the oldest goes back to the system

PAGE_BYTES = 4096
APART_BYTES = 1088  # from the beginning of one array to that of the next, in a page

Memory = NDArray[np.uint8]


class ArrayPool:
    """Gives arrays to write to, large ones in memory that came back from others of as many bytes."""

    def __init__(self) -> None:
        self._free: deque[Memory] = deque()
        self._starts = itertools.cycle(range(0, PAGE_BYTES, APART_BYTES))

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Give an array of whatever numbers; its memory comes back when neither it nor a part of it is held any more."""
        nbytes = math.prod(shape) * dtype.itemsize
        if nbytes < LEAST_BYTES:
            return np.empty(shape, dtype)
        memory = self._came_back(nbytes)
        if memory is None:
            start = next(self._starts)
            memory = np.empty(start + nbytes, np.uint8)[start:]
        return np.asarray(_Lent(memory, shape, dtype, self._take_back))

    def _came_back(self, nbytes: int) -> Memory | None:
        """Memory of a size that is free; None where there is none."""
        for _ in range(len(self._free)):
            try:
                memory = self._free.popleft()
            except IndexError:  # another thread was quicker
                return None
            if memory.nbytes == nbytes:
                return memory
            self._free.append(memory)
        return None

    def _take_back(self, memory: Memory) -> None:
        self._free.append(memory)
        while sum(one.nbytes for one in tuple(self._free)) > MOST_FREE_BYTES:
            with suppress(IndexError):  # another thread was quicker
                self._free.popleft()


class _Lent:
    """What an array and all its parts hold as their base, so that its end is the end of them all."""

    def __init__(
        self, memory: Memory, shape: tuple[int, ...], dtype: np.dtype[Any], back: Callable[[Memory], None]
    ) -> None:
        self.__array_interface__ = memory.view(dtype).reshape(shape).__array_interface__
        weakref.finalize(self, back, memory).atexit = False
