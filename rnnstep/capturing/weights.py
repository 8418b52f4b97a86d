"""The weights of a module as they were at a call: copied once as long as they stay the same, bit for bit."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from rnnstep.capturing.layout import copied

Tensor = Any  # torch.Tensor: torch is imported inside functions only


def are_same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same numbers, bit for bit: NaN is one number then, and 0 and −0 are two."""
    if one.shape != other.shape or one.dtype is not other.dtype:
        return False
    memcmp = _memcmp()
    if memcmp and one.is_cpu and other.is_cpu and one.is_contiguous() and other.is_contiguous():
        return memcmp(one.data_ptr(), other.data_ptr(), one.nbytes) == 0
    if one.device != other.device:
        return False
    import torch

    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[one.element_size()]
    return torch.equal(one.contiguous().view(integers), other.contiguous().view(integers))


@cache
def _memcmp() -> Callable[[int, int, int], int] | None:
    """C's, which takes a fifth of the time of `torch.equal`; None where it is not found."""
    import ctypes

    try:
        found = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).memcmp
    except (OSError, AttributeError):
        return None
    found.argtypes, found.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t], ctypes.c_int
    return cast(Callable[[int, int, int], int], found)


class OptimizerSteps:
    """How many steps optimizers took while anybody counts: a fused one changes weights without torch's count of changes moving."""

    def __init__(self) -> None:
        self.count = 0
        self._users = 0
        self._handle: Any = None

    def start(self) -> None:
        """Count."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        if self._users == 0:
            self._handle = register_optimizer_step_post_hook(self._stepped)
        self._users += 1

    def stop(self) -> None:
        """Count no more, when nobody else asks for it."""
        self._users -= 1
        if self._users == 0:
            self._handle.remove()

    def _stepped(self, *_: Any) -> None:
        self.count += 1


optimizer_steps = OptimizerSteps()


@dataclass(slots=True, eq=False)
class WeightsAtCall:
    """Copies of a module's weights, under torch's names, and what tells whether the originals are still these.

    Attributes:
        names: Torch's names.
        copies: A copy of each.
        signs: Where each lay and how often it had been changed, as far as torch counts that.
        device: Where they were.
        stamp: How many steps optimizers had taken.
    """

    names: tuple[str, ...]
    copies: tuple[Tensor, ...]
    signs: tuple[int, ...]
    device: str
    stamp: int

    @classmethod
    def of(
        cls, names: tuple[str, ...], weights: tuple[Tensor, ...], copies: tuple[Tensor, ...]
    ) -> WeightsAtCall:
        """Take weights as they are now, and a copy of each."""
        return cls(names, copies, signs_of(weights), str(weights[0].device), optimizer_steps.count)

    def look_like(self, weights: tuple[Tensor, ...]) -> bool:
        """Whether the weights look unchanged, by what torch counts and by optimizers' steps; `.data` is not seen so."""
        return self.stamp == optimizer_steps.count and self.signs == signs_of(weights)

    def are(self, weights: tuple[Tensor, ...]) -> bool:
        """Whether the weights are the same, bit for bit; those that are are known by how they look from then on."""
        if len(self.copies) != len(weights) or not all(map(are_same_bits, self.copies, weights)):
            return False
        self.signs, self.stamp = signs_of(weights), optimizer_steps.count
        return True

    @property
    def nbytes(self) -> int:
        """How much memory the copies take."""
        return sum(one.nbytes for one in self.copies)


_lies_at, _version = operator.methodcaller("data_ptr"), operator.attrgetter("_version")


def signs_of(weights: tuple[Tensor, ...]) -> tuple[int, ...]:
    """Where each tensor lies and how often torch has seen it change; of one of inference mode that is not counted."""
    try:
        return (*map(_lies_at, weights), *map(_version, weights))
    except RuntimeError:
        return tuple(map(_lies_at, weights))


class KeptWeights:
    """The newest copy of the weights of each module."""

    def __init__(self) -> None:
        self._newest: dict[int, WeightsAtCall] = {}

    def copied(self, module: Any, names: tuple[str, ...], weights: tuple[Tensor, ...]) -> WeightsAtCall:
        """Give a copy of weights: the last one where they are still the same."""
        newest = self._newest.get(id(module))
        if newest is not None and newest.names == names and newest.are(weights):
            return newest
        import torch

        with torch.inference_mode(False):  # a copy that is made in it cannot be gone back through afterwards
            copies = tuple(map(copied, weights))
        found = self._newest[id(module)] = WeightsAtCall.of(names, weights, copies)
        return found
