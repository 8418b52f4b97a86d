"""Attention as one writes it with torch's own functions: torch.nn has no module of these scores."""

from __future__ import annotations

from collections.abc import Mapping

from rnnstep.modules.attention import Attention
from rnnstep.reference.run.modules import Tensor


def attended(
    module: Attention,
    parameters: Mapping[str, Tensor],
    query: Tensor,
    whole: Mapping[str, Tensor],
    live: Tensor | None,
) -> Tensor:
    """Give the context; arguments as of `attended_lines`."""
    return attended_lines(module, parameters, query, whole, live)["context"]


def attended_lines(
    module: Attention,
    parameters: Mapping[str, Tensor],
    query: Tensor,
    whole: Mapping[str, Tensor],
    live: Tensor | None,
) -> dict[str, Tensor]:
    """Give the scores, padded steps included, and the weights, (T, B, S), or (B, S), and the context.

    Args:
        module: how it scores.
        parameters: of the whole network, under their names.
        query: (T, B, D_q), or of no step (B, D_q).
        whole: the memory, (S, B, D_m), and the values where they are others, (S, B, D_v).
        live: which steps of the memory a row has, (B, S); None where all have all.
    """
    import torch

    memory = whole["memory"]
    values = whole.get("values", memory)
    asked = query.transpose(0, 1) if query.dim() == 3 else query[:, None]  # (B, T, D_q)
    scores = _scores(module, parameters, asked, memory.transpose(0, 1))
    masked = scores if live is None else scores.masked_fill(~live[:, None], float("-inf"))
    weights = torch.softmax(masked, -1)
    lines = {"scores": scores, "weights": weights, "context": torch.bmm(weights, values.transpose(0, 1))}
    return {name: value.transpose(0, 1) if query.dim() == 3 else value[:, 0] for name, value in lines.items()}


def _scores(module: Attention, parameters: Mapping[str, Tensor], query: Tensor, memory: Tensor) -> Tensor:
    """(B, T, D_q) and (B, S, D_m) give (B, T, S)."""
    import torch

    own = {
        one.name.removeprefix(f"{module.key}."): parameters[module.kept_as(one.name)]
        for one in module.parameters
    }
    match module.score:
        case "dot":
            return torch.bmm(query, memory.mT)
        case "scaled_dot":
            return torch.bmm(query, memory.mT) / module.query_size**0.5
        case "general":
            return torch.bmm(query @ own["W_a"], memory.mT)
    mixed = torch.tanh((query @ own["W_a"].mT)[:, :, None] + (memory @ own["U_a"].mT)[:, None])
    return mixed @ own["v_a"]
