"""Losses that are scaled before autograd goes back: gradients that overflow then are how a `torch.amp.GradScaler` finds its scale."""

from __future__ import annotations

import gc
from typing import Any


def may_be_of_scale() -> bool:
    """Whether a gradient that is not finite may be so for a scale alone, and the update is then left out.

    So it is while a GradScaler has a loss scaled by more than 1. It halves its scale at each such pass: what is still not finite
    at 1 is so without a scale, too. It is asked where a gradient is not finite, which is rare, so all objects may be looked through
    for those that refer to the class, as its instances do.
    """
    import torch

    kinds: list[type] = [torch.amp.GradScaler]
    for kind in kinds:
        kinds += kind.__subclasses__()
    scalers = [one for one in gc.get_referrers(*kinds) if issubclass(type(one), torch.amp.GradScaler)]
    # Before its first loss a scaler has no scale yet, and gives the one that it would begin with.
    return any(one.is_enabled() and one._scale is not None and one.get_scale() > 1 for one in scalers)  # noqa: SLF001 - see above


def leaves_out(optimizer: Any) -> bool:
    """Whether an update that begins changes nothing: a fused optimizer is told by the scaler that gradients are not finite."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found.item())
