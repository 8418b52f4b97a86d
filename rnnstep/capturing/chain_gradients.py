"""What goes back through a loop around a cell: the gradients that reach each step's states, and what all steps send to the weights.

A loop comes here twice at each step, so little is done: one hook on each state, and one on each node that sends something to a
weight, which is searched for in the first step's graph and looked up at the same place in the others.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from rnnstep.capturing.calls import GRADIENT, Wanted, current_pass
from rnnstep.capturing.edges import Edge, GraphNode, Out, Outlets, edge_of
from rnnstep.capturing.layout import Array, array, copied
from rnnstep.capturing.listening import Heard

Tensor = Any  # torch.Tensor: torch is imported inside functions only
_follows = operator.attrgetter("requires_grad")


class ChainGradients:
    """What went back through one loop around a cell.

    Attributes:
        totals: What reached a state in all, by the step and which of the states it is: (B, n).
        arrived: How many gradients were taken.
    """

    def __init__(self, names: tuple[str, ...], rows: Tensor | None, wanted: Wanted) -> None:
        """Take torch's names of the weights, the rows that are wanted (None for all), and what is recorded."""
        self.totals: dict[tuple[int, int], Tensor] = {}
        self.arrived = 0
        self._names, self._rows = names, rows
        self._wanted = wanted
        self._passes: set[int] = set()  # of autograd, that reached states
        self._newest_pass = -1
        self._handles: list[Any] = []
        self._sent: list[_NodeShares] = []
        self._outlets: Outlets | None = None  # of the newest step's graph
        self._hears: list[_NodeShares] = []  # at them
        self._weights: tuple[Tensor, ...] = ()  # whose ways were looked up last, where they are leaves
        self._are_followed: tuple[bool, ...] = ()
        self._ways: Mapping[Edge, tuple[str, ...]] = {}
        self._lock = threading.Lock()
        self._current_pass = current_pass()

    # ── while the program runs ───────────────────────────────────────────────────────

    def listen_to_states(self, t: int, states: Sequence[Tensor]) -> None:
        """Take what will reach the states that a step hands on."""
        for k, one in enumerate(states):
            node = one.grad_fn
            if node is not None:
                self._handles.append(node.register_prehook(partial(self._reached, (t, k), one.output_nr)))

    def listen_to_weights(self, roots: Sequence[GraphNode], call: Heard) -> None:
        """Take what a step will send to the weights: which call it is, and the nodes that gave its results."""
        ways = self._to_weights(call.weights)
        nodes = None if self._outlets is None else self._outlets.nodes(roots, ways)
        if nodes is None:
            entering = [edge for one in (call.x, *call.states) if (edge := edge_of(one)) is not None]
            self._outlets = Outlets(roots, entering, ways)
            self._hears = [_NodeShares(out, self._wanted) for out in self._outlets.out]
            self._sent += self._hears
            nodes = self._outlets.nodes(roots, ways) or []
        for node, hears in zip(nodes, self._hears, strict=True):
            self._handles.append(node.register_hook(hears))

    def _to_weights(self, weights: tuple[Tensor, ...]) -> Mapping[Edge, tuple[str, ...]]:
        """Each way to a weight; looked up once of leaves."""
        known, are_followed = self._weights, tuple(map(_follows, weights))
        if (
            len(known) == len(weights)
            and all(map(operator.is_, known, weights))
            and are_followed == self._are_followed
        ):
            return self._ways
        ways: dict[Edge, tuple[str, ...]] = {}
        for name, weight in zip(self._names, weights, strict=True):
            edge = edge_of(weight)
            if edge is not None:
                ways[edge] = (*ways.get(edge, ()), name)
        if list(ways.values()) != list(self._ways.values()):
            self._outlets = None
        self._weights = weights if all(one.grad_fn is None for one in weights) else ()
        self._are_followed, self._ways = are_followed, ways
        return ways

    def _reached(self, which: tuple[int, int], position: int, came: tuple[Tensor | None, ...]) -> None:
        """Take a copy of what reached a state: what autograd hands to a hook may become `.grad`, which is written to in place."""
        g = came[position]
        if g is None:
            return
        with self._lock:
            self.arrived += 1
            number = self._current_pass()
            if number != self._newest_pass:
                self._newest_pass = number
                self._passes.add(number)
            known = self.totals.get(which)
            if known is None:
                kept = self.totals[which] = copied(g, self._rows)
                self._wanted.grew(kept.nbytes)
            else:
                known.add_(g.detach() if self._rows is None else copied(g, self._rows))

    def close(self) -> None:
        """Take every hook away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._weights, self._ways, self._outlets = (), {}, None

    # ── afterwards ───────────────────────────────────────────────────────────────────

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return sum(one.nbytes for one in self.tensors().values())

    def tensors(self) -> dict[str, Tensor]:
        """All of them, to be kept elsewhere."""
        states = {f"{GRADIENT}state.{t}.{k}": one for (t, k), one in self.totals.items()}
        sums = {
            f"{GRADIENT}sent.{number}.{k}": one
            for number, sent in enumerate(self._sent)
            for k, one in enumerate(sent.sums)
            if one is not None
        }
        return {**states, **sums}

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Take them back, of all that was kept; none of them, where nothing is given."""
        self.totals = {}
        for sent in self._sent:
            sent.sums = [None for _ in sent.out]
        for name, one in kept.items():
            if name.startswith(f"{GRADIENT}state."):
                t, k = name.split(".")[2:]
                self.totals[int(t), int(k)] = one
            elif name.startswith(f"{GRADIENT}sent."):
                number, k = name.split(".")[2:]
                self._sent[int(number)].sums[int(k)] = one

    def shares(self) -> dict[str, Array]:
        """What all steps sent to each weight; none where that is not all that followed from what reached the states."""
        found: dict[str, Tensor] = {}
        passes: dict[str, set[int]] = {}
        for sent in self._sent:
            if sent.is_of_gradients:
                return {}
            for name, share, its in sent.by_name():
                found[name] = found[name] + share if name in found else share
                passes[name] = passes.get(name, set()) | its
        names = [name for name in self._names if name in found and passes[name] == self._passes]
        return {name: array(found[name]) for name in names}


class _NodeShares:
    """What one node of each step's graph sent to weights.

    Attributes:
        out: Its ways to weights.
        sums: What went out along each of its ways, added up as autograd does; None before anything did.
        passes: The backward passes in which something went along each.
        is_of_gradients: Whether any pass was itself recorded by autograd: what follows goes other ways, too.
    """

    def __init__(self, out: tuple[Out, ...], wanted: Wanted) -> None:
        import torch

        self.out, self._grew = out, wanted.grew
        self.sums: list[Tensor | None] = [None for _ in out]
        self.passes: list[set[int]] = [set() for _ in out]
        self.is_of_gradients = False
        self._positions = [one.position for one in out]
        self._lock = threading.Lock()
        self._current_pass, self._is_grad_enabled = current_pass(), torch.is_grad_enabled

    def __call__(self, gave: tuple[Tensor | None, ...], _came: tuple[Tensor | None, ...]) -> None:
        """Take what the node sends."""
        with self._lock:
            if self._is_grad_enabled():
                self.is_of_gradients = True
                return
            number, sums = self._current_pass(), self.sums
            for k, position in enumerate(self._positions):
                g = gave[position]
                if g is None:
                    continue
                self.passes[k].add(number)
                known = sums[k]
                if known is None:  # a copy: it may become `.grad`, which is written to in place
                    kept = sums[k] = copied(g)
                    self._grew(kept.nbytes)
                else:
                    known.add_(g)

    def by_name(self) -> Iterator[tuple[str, Tensor, set[int]]]:
        """The share of each weight, with the passes in which anything was sent."""
        for one, g, passes in zip(self.out, self.sums, self.passes, strict=True):
            if g is not None:
                for name in one.names:
                    yield name, g.t() if one.is_transposed else g, passes
