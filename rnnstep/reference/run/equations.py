"""The equations in torch's own operations: one more reading of their trees, the self-check of inner values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rnnstep.reference.run.modules import Tensor


class TorchValues:
    """The reading as torch's tensors, in the dtype of the scenario."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        import torch

        self._dtype = getattr(torch, dtype.name)
        self._table = _table(self._dtype)

    def number(self, value: float) -> Tensor:
        """A number of an equation, without axes."""
        import torch

        return torch.tensor(value, dtype=self._dtype)

    def pick(self, base: Tensor, index: int) -> Tensor:
        """One element of a vector, as a vector of length one."""
        start = index % base.shape[-1]
        return base[..., start : start + 1]

    def apply(self, op: str, args: tuple[Tensor, ...]) -> Tensor:
        """Torch's operation of the same name."""
        return self._table[op](*args)


def _table(dtype: Any) -> dict[str, Callable[..., Tensor]]:
    import torch
    from torch.nn import functional

    def as_number(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *args: function(*args).to(dtype)

    def beside(a: Tensor, b: Tensor) -> Tensor:
        rows = np.broadcast_shapes(tuple(a.shape[:-1]), tuple(b.shape[:-1]))
        return torch.cat((a.expand(*rows, -1), b.expand(*rows, -1)), -1)

    return {
        "add": torch.add,
        "sub": torch.sub,
        "mul": torch.mul,
        "div": torch.div,
        "matmul": lambda w, x: torch.matmul(x, w.T),
        "neg": torch.neg,
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "relu": torch.relu,
        "exp": torch.exp,
        "log": torch.log,
        "sqrt": torch.sqrt,
        "abs": torch.abs,
        "softmax": lambda a: torch.softmax(a, -1),
        "log_softmax": lambda a: torch.log_softmax(a, -1),
        "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
        "smooth_l1": lambda a, b: functional.smooth_l1_loss(
            a, torch.zeros_like(a), reduction="none", beta=float(b)
        ),
        "chosen": lambda a, i: torch.gather(a, -1, i.long()[..., None]),
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "sum": lambda a: torch.sum(a, -1, keepdim=True),
        "mean": lambda a: torch.mean(a, -1, keepdim=True),
        "max": lambda a: torch.amax(a, -1, keepdim=True),
        "min": lambda a: torch.amin(a, -1, keepdim=True),
        "norm": lambda a: torch.linalg.vector_norm(a, dim=-1, keepdim=True),
        "cat": beside,
        "part": lambda a, i, j: a[..., int(i) : int(j) or None],
        "layer_norm": lambda a, w, b: functional.layer_norm(a, a.shape[-1:]) * w + b,
        "normalized": lambda a, e: functional.layer_norm(a, a.shape[-1:], eps=float(e)),
        "standardized": lambda a, m, v, e: (a - m) / torch.sqrt(v + e),
        "isnan": as_number(torch.isnan),
        "isinf": as_number(torch.isinf),
        "isfinite": as_number(torch.isfinite),
        "any": as_number(lambda a: torch.any(a != 0, -1, keepdim=True)),
        "all": as_number(lambda a: torch.all(a != 0, -1, keepdim=True)),
        "argmax": as_number(lambda a: torch.argmax(a, -1, keepdim=True)),
        "lt": as_number(torch.lt),
        "le": as_number(torch.le),
        "gt": as_number(torch.gt),
        "ge": as_number(torch.ge),
        "eq": as_number(torch.eq),
        "ne": as_number(torch.ne),
        "and": as_number(torch.logical_and),
        "or": as_number(torch.logical_or),
        "not": as_number(torch.logical_not),
    }
