"""What autograd sends out of one call: to its weights and inputs, and to nothing else of the program.

A hook on a weight sees the sum of all that used it, and an alias of it would change the order in which that sum is taken,
and so its last digits. So the nodes of the call's own graph are listened to that send something out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

Tensor = Any  # torch.Tensor: torch is imported inside functions only
GraphNode = Any  # torch.autograd.graph.Node
Edge = tuple[GraphNode, int]
Sent = Callable[[str, Tensor], None]


def edge_of(tensor: Tensor) -> Edge | None:
    """Where autograd sends a tensor's gradient; None where it has none."""
    if not tensor.requires_grad:
        return None
    if tensor.grad_fn is not None:
        return tensor.grad_fn, tensor.output_nr
    below: Edge = tensor.view_as(tensor).grad_fn.next_functions[0]
    return below


def listen_to_edges(
    roots: Sequence[GraphNode], names: Mapping[Edge, tuple[str, ...]], sent: Sent
) -> list[Any]:
    """Hear what goes out of a graph along some edges.

    Args:
        roots: The nodes that gave the call's results.
        names: What each edge out of the call is called.
        sent: Told of each gradient that goes along one, in the order in which autograd adds them up.

    Returns:
        The handles of the hooks.
    """
    handles = []
    waiting = list(dict.fromkeys(roots))
    known = set(waiting)
    while waiting:
        node = waiting.pop()
        out: list[tuple[int, tuple[str, ...]]] = []
        for position, edge in enumerate(node.next_functions):
            if edge[0] is None:
                continue
            if edge in names:
                out.append((position, names[edge]))
            elif edge[0] not in known:
                known.add(edge[0])
                waiting.append(edge[0])
        if out:
            handles.append(node.register_hook(partial(_pass_on, tuple(out), sent)))
    return handles


def _pass_on(
    out: Sequence[tuple[int, tuple[str, ...]]],
    sent: Sent,
    gave: tuple[Tensor | None, ...],
    _came: tuple[Tensor | None, ...],
) -> None:
    for position, names in out:
        g = gave[position]
        if g is not None:
            for name in names:
                sent(name, g.detach())
