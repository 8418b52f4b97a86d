"""The weights that torch draws from a seed, without torch and bit for bit.

torch's generator is the Mersenne Twister (MT19937) begun by the low 32 bits of the
seed, and numpy has the same one. A uniform float32 takes one 32-bit number of it and
keeps 24 bits (aten/src/ATen/core/TransformationHelper.h, `uniform_real`). What
`normal_` gives depends on the machine's vector unit and is left to torch; how many
numbers it takes does not, so that all that is drawn after it can be drawn here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rnnstep.modules.module import Filled, NetworkModule, Normal, Uniform

SMALLEST_SEED: Final = -(2**63)  # what torch.manual_seed takes
LARGEST_SEED: Final = 2**64 - 1
_AT_ONCE = 1 << 20  # numbers drawn at once: they take 8 bytes each before they are float32


class TorchGenerator:
    """The state of torch's CPU generator after `torch.manual_seed(seed)`."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.MT19937(0)
        np.random.RandomState(self._bits).seed(seed & 0xFFFFFFFF)
        self._kept = 0  # normal numbers that torch has drawn already, the second of a pair

    def uniform(self, shape: tuple[int, ...], bound: float) -> NDArray[np.float32]:
        """Draw as `torch.empty(shape).uniform_(-bound, bound)` does."""
        low, high = np.float32(-bound), np.float32(bound)
        scale = float(high - low)
        drawn = np.empty(math.prod(shape), np.float32)
        for start in range(0, drawn.size, _AT_ONCE):
            part = drawn[start : start + _AT_ONCE]
            part[:] = (self._bits.random_raw(part.size) & 0xFFFFFF) * 2.0**-24 * scale + float(low)
        return drawn.reshape(shape)

    def skip_normal(self, size: int) -> None:
        """Pass over what `torch.empty(size).normal_()` takes (DistributionTemplates.h, `normal_kernel`).

        From 16 values on, one number each, and the last 16 are drawn again where
        the size is no multiple of 16; below, pairs of doubles of four numbers a pair, of which torch keeps the second for
        the next time that fewer than 16 are asked for.
        """
        if size >= 16:
            self._skip(size if size % 16 == 0 else size + 16)
        else:
            new = size - self._kept
            self._skip(4 * ((new + 1) // 2))
            self._kept = new % 2

    def _skip(self, count: int) -> None:
        for start in range(0, count, _AT_ONCE):
            self._bits.random_raw(min(_AT_ONCE, count - start), output=False)


def seeded_weights(seed: int, layers: Iterable[NetworkModule]) -> dict[str, NDArray[np.float32]]:
    """Draw as `torch.manual_seed(seed)`, then constructing the modules, does.

    Args:
        seed: From `SMALLEST_SEED` to `LARGEST_SEED`.
        layers: The modules in the order in which they are constructed; each says what is drawn, and how.

    Returns:
        Every parameter of theirs under torch's name, but what is drawn normal.
    """
    generator = TorchGenerator(seed)
    drawn: dict[str, NDArray[np.float32]] = {}
    for layer in layers:
        kept = {parameter.name for parameter in layer.own_parameters}
        for parameter in layer.drawn:
            match parameter.first:
                case Uniform(bound=bound):
                    values = generator.uniform(parameter.shape, bound)
                case Filled(value=value):
                    values = np.full(parameter.shape, value, np.float32)
                case Normal():
                    generator.skip_normal(math.prod(parameter.shape))
                    continue
            if parameter.name in kept:
                drawn[parameter.name] = values
    return drawn


def rounded(
    values: NDArray[np.floating], decimals: int | None, dtype: np.dtype[np.floating]
) -> NDArray[np.floating]:
    """Give drawn values in `dtype`, rounded to `decimals` if there are any: alike in both dtypes."""
    if decimals is None:
        return values.astype(dtype)
    return np.round(values.astype(np.float64), decimals).astype(dtype)
