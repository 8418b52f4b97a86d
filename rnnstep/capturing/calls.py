"""One call of `nn.RNN`, `nn.LSTM` or `nn.GRU` as it was: copies of what it was given and gave, and the gradients that came back.

The program is handed a copy of each result, and the kernel's own is kept. So nothing that it does to a state in place
changes what was recorded, a gradient that reaches a result comes from outside alone (the c of an LSTM is used inside its own
h), and neither the numbers nor the order in which autograd adds them up are others than without.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from rnnstep.capturing.edges import Edge, edge_of, listen_to_edges
from rnnstep.capturing.layout import Array, PackedRows, array, copied
from rnnstep.capturing.listening import Heard
from rnnstep.capturing.weights import WeightsAtCall
from rnnstep.scenario.call.recorded_call import HALF_DTYPES, RESULTS, RecordedCall

Tensor = Any  # torch.Tensor: torch is imported inside functions only


Grew = Callable[[int], None]
GRADIENT = "gradient."  # what names of gradients begin with, where they are kept elsewhere
NO_PASS = -1


def current_pass() -> Callable[[], int]:
    """Give what tells the number of the backward pass that goes on in a thread; `NO_PASS` where none does.

    A module that is called within one is computed a second time.
    """
    import torch

    number: Callable[[], int] = torch._C._current_graph_task_id  # noqa: SLF001 - torch.utils.checkpoint asks there, too
    return number


def numeric_type(call: Heard, results: tuple[Tensor, ...]) -> str:
    """The dtype that a kernel computed in: under autocast that of its products, even where it gives float32."""
    import torch

    kind, found = call.x.device.type, results[0].dtype
    if found == torch.float32 and torch.is_autocast_enabled(kind):
        found = torch.get_autocast_dtype(kind)
    return str(found).removeprefix("torch.")


def as_computed(value: Array, dtype: str) -> Array:
    """Round what autocast rounded before it computed."""
    import torch

    if dtype not in HALF_DTYPES:
        return value
    return array(torch.from_numpy(np.array(value, np.float32)).to(getattr(torch, dtype)))


def in_order(kept: Mapping[str, Tensor], name: str) -> tuple[Tensor, ...]:
    """The tensors that are kept as "name.0", "name.1" and so on."""
    return tuple(kept[f"{name}.{k}"] for k in range(sum(one.startswith(f"{name}.") for one in kept)))


class Gathered:
    """Gradients by name, each the sum of what came, as autograd adds it up.

    Attributes:
        by_name: The sums.
        arrived: How many were taken.
        passes: The backward passes in which each came.
        is_of_gradients: Whether any pass was itself recorded by autograd: what follows goes other ways, too.
    """

    def __init__(self, wanted: Wanted) -> None:
        """Take what is recorded."""
        self._grew = wanted.grew
        self.by_name: dict[str, Tensor] = {}
        self.arrived = 0
        self.passes: dict[str, set[int]] = {}
        self.is_of_gradients = False
        self._lock = threading.Lock()
        self._current_pass = current_pass()

    def add(self, name: str, g: Tensor, rows: Tensor | None = None, axis: int = 0) -> None:
        """Take a copy of a gradient: what autograd hands to a hook may become `.grad`, which is written to in place."""
        with self._lock:
            self.arrived += 1
            self.passes.setdefault(name, set()).add(self._current_pass())
            self.is_of_gradients |= sys.modules["torch"].is_grad_enabled()
            known = self.by_name.get(name)
            if known is None:
                kept = self.by_name[name] = copied(g, rows, axis)
                self._grew(kept.nbytes)
            else:
                known.add_(g.detach() if rows is None else copied(g, rows, axis))

    @property
    def nbytes(self) -> int:
        """How much memory they take."""
        return sum(one.nbytes for one in self.by_name.values())

    def tensors(self) -> dict[str, Tensor]:
        """All of them, to be kept elsewhere."""
        return {f"{GRADIENT}{name}": one for name, one in self.by_name.items()}

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Take them back, of all that was kept; none of them, where nothing is given."""
        self.by_name = {
            name.removeprefix(GRADIENT): one for name, one in kept.items() if name.startswith(GRADIENT)
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of calls is recorded.

    Attributes:
        rows: The rows of the batch; None for all.
        gradients: Whether those that come back are.
        shares: Whether what goes on from there to weights and inputs is, too.
        grew: Told how many bytes more are kept.
    """

    rows: tuple[int, ...] | None
    gradients: bool
    shares: bool
    grew: Grew


class WholeCall:
    """One call of a module over time, as it was.

    Attributes:
        call: What the kernel was called with, without its tensors: those are copies.
        weights: The weights as they were.
        gradients: What came back.
        dtype: What was computed in.
        device: Where.
    """

    def __init__(self, call: Heard, weights: WeightsAtCall, wanted: Wanted) -> None:
        import torch

        self.kind, self.nonlinearity = call.kind, call.nonlinearity
        self.num_layers, self.bidirectional = call.num_layers, call.bidirectional
        self.batch_first, self.is_batched, self.p_dropout = call.batch_first, call.is_batched, call.p_dropout
        self.weights = weights
        self.device = str(call.x.device)
        self.dtype = str(call.x.dtype).removeprefix("torch.")
        self.gradients = Gathered(wanted)
        self.has_graph = False
        self._wanted = wanted
        self._rows = None if wanted.rows is None else torch.tensor(wanted.rows)
        self._packed = None if call.batch_sizes is None else PackedRows.of(call.batch_sizes, call.order)
        self._rng = torch.get_rng_state() if call.p_dropout and call.x.device.type == "cpu" else None
        self._x = copied(call.x, self._rows if self._packed is None else None, self._row_axis)
        of_rows = self._rows if self._packed is None else None
        self._first = tuple([copied(one, of_rows, 1) for one in call.states])
        self._shape = tuple(call.x.shape)
        self._gave: tuple[Tensor, ...] = ()
        self._gave_dtype = self.dtype  # of the results: under autocast a GRU keeps its states in float32
        self._is_complete = False
        self._handles: list[Any] = []

    @property
    def _row_axis(self) -> int:
        return 0 if self.batch_first else 1

    @property
    def num_steps(self) -> int:
        """T."""
        return (
            int(self._packed.lengths.max())
            if self._packed is not None
            else self._shape[1 if self.batch_first else 0]
        )

    @property
    def is_complete(self) -> bool:
        """Whether the kernel gave what it computes."""
        return self._is_complete

    @property
    def nbytes(self) -> int:
        """How much memory it takes, its weights and gradients aside."""
        return sum(one.nbytes for one in (self._x, *self._first, *self._gave) if one is not None)

    # ── while the program runs ───────────────────────────────────────────────────────

    def took(self, call: Heard, results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Keep what the kernel gave; give copies to hand on."""
        import torch

        handed = tuple([one.clone() for one in results])
        of_rows = self._rows if self._packed is None else None
        axes = (self._row_axis, 1, 1)
        self._gave = tuple(
            [
                one.detach() if of_rows is None else copied(one, of_rows, axis)
                for one, axis in zip(results, axes, strict=False)
            ]
        )
        self._wanted.grew(sum(one.nbytes for one in self._gave))
        self.dtype = numeric_type(call, results)
        self._gave_dtype = str(results[0].dtype).removeprefix("torch.")
        self._is_complete = True
        self.has_graph = any(one.requires_grad for one in handed)
        if self.has_graph and self._wanted.gradients:
            is_cast = torch.is_autocast_enabled(call.x.device.type)
            has_shares = self._wanted.shares and self._rows is None and not is_cast
            edges = self._edges(call) if has_shares else {}
            roots = [one.grad_fn for one in results if one.grad_fn is not None]
            listen = _Once(self._handles, roots, edges, self.gradients)
            for position, one in enumerate(handed):
                if one.requires_grad:
                    self._handles.append(one.register_hook(partial(self._reached, position, listen)))
        return handed

    def _edges(self, call: Heard) -> Mapping[Edge, tuple[str, ...]]:
        """Each way out of the call's graph, by the names of what it leads to."""
        found: dict[Edge, tuple[str, ...]] = {}
        entering = {"x": call.x, **dict(zip(("h_0", "c_0"), call.states, strict=False))}
        for name, one in {**dict(zip(self.weights.names, call.weights, strict=True)), **entering}.items():
            edge = edge_of(one)
            if edge is not None:
                found[edge] = (*found.get(edge, ()), name)
        return found

    def _reached(self, position: int, listen: _Once, g: Tensor) -> None:
        listen.begin()
        of_rows = self._rows if self._packed is None else None
        self.gradients.add(RESULTS[position], g, of_rows, 1 if position else self._row_axis)

    def takes_gradients_of(self, other: WholeCall) -> None:
        """Let what reaches another call, which computed this one again, count as this one's."""
        other.gradients = self.gradients
        self._handles = other._handles

    def is_again(self, call: Heard) -> bool:
        """Whether a call is of the same numbers, as one that is computed again on the way back is."""
        from rnnstep.capturing.weights import are_same_bits

        return (
            self._rows is None
            and self._shape == tuple(call.x.shape)
            and self.kind == call.kind
            and are_same_bits(self._x, call.x.detach())
            and all(map(are_same_bits, self._first, (one.detach() for one in call.states)))
        )

    def close(self) -> None:
        """Take every hook away."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    # ── afterwards ───────────────────────────────────────────────────────────────────

    def tensors(self) -> dict[str, Tensor]:
        """All numbers but the gradients, to be kept elsewhere."""
        each = {"first": self._first, "gave": self._gave, "weight": self.weights.copies}
        return {
            "x": self._x,
            **{f"{name}.{k}": one for name, every in each.items() for k, one in enumerate(every)},
        }

    def take(self, kept: Mapping[str, Tensor]) -> None:
        """Take them back; none of them, where nothing is given."""
        self._x = kept.get("x")
        self._first, self._gave = in_order(kept, "first"), in_order(kept, "gave")
        self.weights = replace(self.weights, copies=in_order(kept, "weight"))

    def recorded(self) -> RecordedCall:
        """Give all of it as arrays."""
        states = [self._state(one) for one in self._first]
        gave = [self._over_time(self._gave[0]), *map(self._state, self._gave[1:])] if self._gave else []
        is_lstm = len(states) > 1
        return RecordedCall(
            module=self.kind,
            x=as_computed(self._over_time(self._x), self.dtype),
            parameters={
                name: as_computed(array(one), self.dtype)
                for name, one in zip(self.weights.names, self.weights.copies, strict=True)
            },
            output=gave[0] if gave else None,
            h_0=as_computed(states[0], self._gave_dtype),
            c_0=as_computed(states[1], self._gave_dtype) if is_lstm else None,
            h_n=gave[1] if gave else None,
            c_n=gave[2] if gave and is_lstm else None,
            lengths=self._lengths,
            batch_first=self.batch_first,
            nonlinearity=self.nonlinearity,
            p_dropout=float(self.p_dropout),
            masks=self._masks,
            gradients={
                name: self._gradient(name, self.gradients.by_name[name])
                for name in (*RESULTS, *self.weights.names, "x", "h_0", "c_0")
                if name in self.gradients.by_name and (name in RESULTS or self._is_share(name))
            },
            dtype=self.dtype,
        )

    @property
    def _lengths(self) -> tuple[int, ...] | None:
        if self._packed is None:
            return None
        lengths = self._packed.lengths.tolist()
        return tuple(lengths if self._wanted.rows is None else [lengths[row] for row in self._wanted.rows])

    def _over_time(self, value: Tensor) -> Array:
        """What has steps, in the user's layout."""
        found = array(value)
        if self._packed is not None:
            padded = self._packed.padded(found)
            padded = padded if self._wanted.rows is None else padded[:, list(self._wanted.rows)]
            return padded.swapaxes(0, 1) if self.batch_first else padded
        return found if self.is_batched else found.squeeze(self._row_axis)

    def _state(self, value: Tensor) -> Array:
        """States (L·D, B, n), rows in the order of the batch."""
        found = array(value)
        if self._packed is not None:
            found = self._packed.in_batch_order(found)
            found = found if self._wanted.rows is None else found[:, list(self._wanted.rows)]
        return found if self.is_batched else found.squeeze(1)

    def _is_share(self, name: str) -> bool:
        """Whether what autograd sent out is all that followed from what reached the results, and nothing else."""
        passes = self.gradients.passes
        reached = set().union(*(passes.get(one, set()) for one in RESULTS))
        return not self.gradients.is_of_gradients and passes[name] == reached

    def _gradient(self, name: str, g: Tensor) -> Array:
        if name in ("output", "x"):
            return self._over_time(g)
        return self._state(g) if name in ("h_n", "c_n", "h_0", "c_0") else array(g)

    @cached_property
    def _masks(self) -> tuple[Array, ...] | None:
        """Dropout's masks, drawn again from the state that torch's generator was in: once a layer, as the kernels do."""
        import torch

        if self._rng is None:
            return None
        size = self._gave[0].shape[-1] if self._gave else self.weights.copies[1].shape[-1]
        if self._packed is not None:
            shape: tuple[int, ...] = (len(self._packed.steps), size)
        else:
            shape = (self.num_steps, self._shape[self._row_axis], size)
        found = []
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._rng)
            for _ in range(self.num_layers - 1):
                ones = torch.ones(shape, dtype=getattr(torch, self._gave_dtype))
                found.append(self._shown_mask(torch.nn.functional.dropout(ones, self.p_dropout)))
        return tuple(found)

    def _shown_mask(self, mask: Tensor) -> Array:
        if self._packed is not None:
            return self._over_time(mask)
        found = array(mask)
        if self._wanted.rows is not None:
            found = found[:, list(self._wanted.rows)]
        if not self.is_batched:
            return found.squeeze(1)
        return found.swapaxes(0, 1) if self.batch_first else found


class _Once:
    """What is to be listened to when the first gradient of a call arrives: a program that never goes back pays nothing for it."""

    def __init__(
        self,
        handles: list[Any],
        roots: list[Any],
        edges: Mapping[Edge, tuple[str, ...]],
        gradients: Gathered,
    ) -> None:
        self._handles, self._roots, self._edges, self._gradients = handles, roots, edges, gradients

    def begin(self) -> None:
        """Listen, the first time that it is asked."""
        roots, edges, self._roots, self._edges = self._roots, self._edges, [], {}
        if edges:
            self._handles += listen_to_edges(roots, edges, self._gradients.add)
