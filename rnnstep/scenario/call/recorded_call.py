"""One call as arrays of numpy in torch's shapes: what a scenario is made of, what is saved, and what is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
RESULTS = ("output", "h_n", "c_n")
HALF_DTYPES = ("float16", "bfloat16")


@dataclass(frozen=True, eq=False)
class RecordedCall:
    """What a module was given and gave in one call, or a cell in one chain of calls.

    Attributes:
        module: "LSTM", "LSTMCell": torch's class.
        x: (T, B, I), (B, T, I) with `batch_first`, or (T, I) without a batch; padded with zeros where rows were packed.
        parameters: The weights at the call, under torch's names.
        output: In the layout of x; of a cell the stack of its h. None where the call did not end.
        h_0, c_0, h_n, c_n: In torch's shapes; of a cell (B, n) or (n,).
        lengths: Of packed rows, (B,).
        batch_first, nonlinearity: As in torch's constructor.
        p_dropout: What was dropped between layers: 0 outside of training.
        masks: What dropout multiplied each layer's output but the last one's with, in that output's layout; None where
            nothing was dropped, or where the masks are not to be had.
        reset: Of a cell 1 where a row's states were zeros before a step, whatever the step before gave, else 0, (T, B), B = 1
            without a batch; None where no row began anew.
        gradients: The gradients that reached `output`, `h_n` and `c_n` from outside; and what autograd made of them:
            this call's share under the names of parameters, of `x`, `h_0` and `c_0`. Of an LSTMCell whose c is read elsewhere
            at other steps than the last, what reached them stands under "c", in the layout of the output.
        dtype: What the model computed in, "float32", "bfloat16"; arrays of half the size are given as float32.
    """

    module: str
    x: Array
    parameters: Mapping[str, Array]
    output: Array | None = None
    h_0: Array | None = None
    c_0: Array | None = None
    h_n: Array | None = None
    c_n: Array | None = None
    lengths: tuple[int, ...] | None = None
    batch_first: bool = False
    nonlinearity: str = "tanh"
    p_dropout: float = 0.0
    masks: tuple[Array, ...] | None = None
    reset: Array | None = None
    gradients: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    dtype: str = "float32"

    @property
    def is_cell(self) -> bool:
        """Whether it is a chain of calls of a cell."""
        return self.module.endswith("Cell")

    @property
    def is_half(self) -> bool:
        """Whether the model computed in fewer digits than float32 has."""
        return self.dtype in HALF_DTYPES

    @property
    def is_batched(self) -> bool:
        """Whether x has an axis of rows."""
        return self.x.ndim == 3

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self.x.shape[1 if self.batch_first and self.is_batched else 0])

    @property
    def num_rows(self) -> int:
        """B; 1 without an axis of rows."""
        return int(self.x.shape[0 if self.batch_first else 1]) if self.is_batched else 1

    @property
    def has_gradients(self) -> bool:
        """Whether a gradient reached any of its results."""
        return any(name in self.gradients for name in RESULTS)

    def time_major(self, shown: Array) -> Array:
        """Lay x or an output out as (T, B, n)."""
        if not self.is_batched:
            return shown[:, None]
        return shown.swapaxes(0, 1) if self.batch_first else shown

    def result(self, name: str) -> Array | None:
        """One of the results under its name."""
        found: Array | None = getattr(self, name)
        return found

    @property
    def results(self) -> dict[str, Array]:
        """The results under their names."""
        return {name: value for name in RESULTS if (value := self.result(name)) is not None}

    @property
    def is_finite(self) -> bool:
        """Whether every result is."""
        return all(bool(np.isfinite(value).all()) for value in self.results.values())

    @property
    def norms(self) -> NDArray[np.float64]:
        """The largest norm of any row's output at each step, (T,); NaN or infinity where one is."""
        if self.output is None:
            return np.zeros(0)
        steps = self.time_major(self.output).astype(np.float64)
        with np.errstate(all="ignore"):
            return np.asarray(np.sqrt((steps**2).sum(axis=-1)).max(axis=1, initial=0.0))

    @property
    def nbytes(self) -> int:
        """How much memory the arrays take."""
        every = [self.x, *self.parameters.values(), *self.results.values(), *self.gradients.values()]
        every += [one for one in (self.h_0, self.c_0, self.reset, *(self.masks or ())) if one is not None]
        return sum(one.nbytes for one in every)
