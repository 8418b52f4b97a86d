"""What another run gave for a batch, recorded and not computed here: it stands beside the engine's results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
RESULTS = ("output", "h_n", "c_n", "logits")
EPS_OF_HALVES = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The distance from 1 to the next number, of dtypes that the engine does not compute in."""


@dataclass(frozen=True, eq=False)
class Recorded:
    """The results of a run of a batch, each in torch's shape; None of what was not recorded.

    Attributes:
        output: Of a cell the stack of its h.
        h_n: The last states.
        c_n: The same of an LSTM's second state.
        logits: What the linear layer gave.
        loss: The loss.
        gradients: ∂loss/∂ of parameters, under torch's names.
        dtype: What the other run computed in, "bfloat16", where it has fewer digits than the scenario's; else None.
    """

    output: Floats | None = None
    h_n: Floats | None = None
    c_n: Floats | None = None
    logits: Floats | None = None
    loss: float | None = None
    gradients: Mapping[str, Floats] = field(default_factory=dict)
    dtype: str | None = None

    def as_arrays(self) -> Recorded:
        """The same with arrays of numpy, whatever was given: lists, tensors."""
        arrays: dict[str, Any] = {name: np.asarray(value) for name, value in self.results.items()}
        gradients = {name: np.asarray(value) for name, value in self.gradients.items()}
        return replace(self, **arrays, gradients=gradients)

    def coarseness(self, dtype: np.dtype[np.floating]) -> float:
        """How many times coarser the other run rounded than one in `dtype`: 1 where it computed in the same."""
        return 1.0 if self.dtype is None else EPS_OF_HALVES[self.dtype] / float(np.finfo(dtype).eps)

    @property
    def results(self) -> dict[str, Floats]:
        """The results of the forward pass that were recorded, under their names."""
        found = {name: getattr(self, name) for name in RESULTS}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """What was recorded: names of results, "loss", and "grad." before those of parameters."""
        loss = () if self.loss is None else ("loss",)
        return (*self.results, *loss, *(f"grad.{name}" for name in self.gradients))
