"""What autograd sends out of one call: to its weights and inputs, and to nothing else of the program.

A hook on a weight sees the sum of all that used it, and an alias of it would change the order in which that sum is taken,
and so its last digits. So the nodes of the call's own graph are listened to that send something out of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

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


# ── steps of a loop ──────────────────────────────────────────────────────────────────────────────


class Out(NamedTuple):
    """One way out of a node.

    Attributes:
        position: Which of the node's ways it is.
        names: What the edge at its end is called.
        is_transposed: Whether a transposition stands between them, as before the weight of a linear map.
    """

    position: int
    names: tuple[str, ...]
    is_transposed: bool


class Outlets:
    """The nodes of one step's graph that send something to weights, which are at the same places in the graphs of other steps.

    Attributes:
        out: Of each node its ways to weights.
    """

    def __init__(
        self, roots: Sequence[GraphNode], reads: Sequence[Edge], names: Mapping[Edge, tuple[str, ...]]
    ) -> None:
        """Search the graph of one step.

        Args:
            roots: The nodes that gave the step's results.
            reads: The edges to what the step reads, behind which is the graph of others.
            names: What each edge to a weight is called.
        """
        self.out: list[tuple[Out, ...]] = []
        paths: list[tuple[int, ...]] = []
        waiting: deque[tuple[GraphNode, tuple[int, ...]]] = deque(
            (node, (k,)) for k, node in enumerate(roots)
        )
        known = set(roots)
        while waiting:
            node, path = waiting.popleft()
            out = []
            for position, edge in enumerate(node.next_functions):
                if edge[0] is None or edge in reads:
                    continue
                end, is_transposed = _end_of(edge)
                if end in names:
                    out.append(Out(position, names[end], is_transposed))
                elif edge[0] not in known:
                    known.add(edge[0])
                    waiting.append((edge[0], (*path, position)))
            if out:
                self.out.append(tuple(out))
                paths.append(path)
        # Each node on the way to one, once: from which of those before it, the roots first, and along which way.
        begin: dict[tuple[int, ...], int] = {(k,): k for k in range(len(roots))}
        self._hops: list[tuple[int, int]] = []
        for path in paths:
            for length in range(2, len(path) + 1):
                if path[:length] not in begin:
                    begin[path[:length]] = len(begin)
                    self._hops.append((begin[path[: length - 1]], path[length - 1]))
        # What tells that a node is the one: a way straight to a weight, where there is one.
        self._ends = [
            (begin[path], min(out, key=lambda one: one.is_transposed))
            for path, out in zip(paths, self.out, strict=True)
        ]

    def nodes(
        self, roots: Sequence[GraphNode], names: Mapping[Edge, tuple[str, ...]]
    ) -> list[GraphNode] | None:
        """The nodes at these places of another step's graph; None where that graph is another."""
        nodes = list(roots)
        try:
            for begin, position in self._hops:
                nodes.append(nodes[begin].next_functions[position][0])
            for end, (position, known, is_transposed) in self._ends:
                edge = nodes[end].next_functions[position]
                if names.get(edge[0].next_functions[0] if is_transposed else edge) != known:
                    return None
        except (AttributeError, IndexError):  # nothing there
            return None
        return [nodes[end] for end, _ in self._ends]


def _end_of(edge: Edge) -> tuple[Edge, bool]:
    """Where an edge leads to, and whether through a transposition, which sends on nothing but what it is sent."""
    if edge[0].name() == "TBackward0":
        return edge[0].next_functions[0], True
    return edge, False
