"""Where the calls of recurrent modules are heard: at the kernels that torch's modules call, through torch's own name for them.

`torch.nn.modules.rnn._VF` is where every RNN, LSTM, GRU and every cell of torch gets its kernel from. While anybody listens
something else stands there, which hands on what the kernel gives. So a call is heard however the module is reached:
`module.forward(x)`, a subclass, `functional_call`, weights made anew by `weight_norm`, another thread. The name is private to
torch; where it is not found, hooks on modules hear what goes through `module(x)`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol, cast

Tensor = Any  # torch.Tensor: torch is imported inside functions only
Module = Any  # torch.nn.Module
Way = Literal["kernels", "hooks"]

KERNELS = {
    "rnn_tanh": ("RNN", "tanh"),
    "rnn_relu": ("RNN", "relu"),
    "lstm": ("LSTM", "tanh"),
    "gru": ("GRU", "tanh"),
    "rnn_tanh_cell": ("RNNCell", "tanh"),
    "rnn_relu_cell": ("RNNCell", "relu"),
    "lstm_cell": ("LSTMCell", "tanh"),
    "gru_cell": ("GRUCell", "tanh"),
}
"""What torch calls its kernels, and the module and nonlinearity that each computes."""


@dataclass(slots=True, eq=False)
class Heard:
    """What a kernel is called with; tensors as they are, not copied.

    Attributes:
        kind: "LSTM", "LSTMCell".
        nonlinearity: "tanh" or "relu".
        module: The module that calls; None where none does.
        x: (T, B, I), (B, T, I) with `batch_first`, of packed rows (ΣT, I); of a cell (B, I).
        states: h_0, and of an LSTM c_0: (L·D, B, n), of packed rows longest first; of a cell (B, n).
        weights: As the kernel takes them, in the order of torch's `_flat_weights_names`.
        has_biases: Whether there are biases among them.
        num_layers, bidirectional, batch_first: As in torch's constructor.
        p_dropout: What is dropped between layers: 0 outside of training.
        batch_sizes: Of packed rows, (T,); else None.
        order: Which row of the batch each packed row is, (B,); None where they lie as they are.
        is_batched: Whether the module was given a batch axis.
        is_fresh: Whether no state was given, so that the module made zeros.
    """

    kind: str
    nonlinearity: str
    module: Module | None
    x: Tensor
    states: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    has_biases: bool
    num_layers: int = 1
    p_dropout: float = 0.0
    bidirectional: bool = False
    batch_first: bool = False
    batch_sizes: Tensor | None = None
    order: Tensor | None = None
    is_batched: bool = True
    is_fresh: bool = False

    @property
    def is_cell(self) -> bool:
        """Whether it is one step of a loop around a cell."""
        return self.kind.endswith("Cell")


Took = Callable[["Heard", tuple[Tensor, ...]], tuple[Tensor, ...]]
"""What takes a call and the results of its kernel, and gives what the program is to have in their place."""


class Listener(Protocol):
    """Who is told of calls."""

    def heard(self, call: Heard) -> Took | None:
        """Take what a kernel is called with, before it runs; None where its results are not wanted."""

    def unseen(self, module: Module | None, kind: str, reason: str) -> None:
        """Take that a call went by which cannot be recorded."""


_lock = threading.RLock()
_listeners: tuple[Listener, ...] = ()  # replaced, never changed: calls of other threads read it
_ears: _Kernels | _Hooks | None = None


@contextmanager
def listening(listener: Listener) -> Iterator[Way]:
    """Tell a listener of every call until the end of the `with`, however it ends; nothing of it stays behind then."""
    way = start(listener)
    try:
        yield way
    finally:
        stop(listener)


def start(listener: Listener) -> Way:
    """Begin to tell a listener of every call; say how they are heard."""
    global _listeners, _ears  # noqa: PLW0603 - torch has one name for its kernels, and so there is one ear
    with _lock:
        if _ears is None:
            there, kernels = _kernels_there()
            ears: _Kernels | _Hooks = _Hooks() if kernels is None else _listening_at(there, kernels)
            ears.put()
            _ears = ears
        _listeners = (*_listeners, listener)
        return _ears.way


def stop(listener: Listener) -> None:
    """Tell a listener nothing more; with the last one everything of ours is taken out of torch."""
    global _listeners, _ears  # noqa: PLW0603 - see `start`
    with _lock:
        _listeners = tuple(one for one in _listeners if one is not listener)
        if not _listeners and _ears is not None:
            _ears.take_away()
            _ears = None


def way_in_use() -> Way | None:
    """How calls are heard now; None while nobody listens."""
    return None if _ears is None else _ears.way


def _kernels_there() -> tuple[Any, tuple[Callable[..., Any], ...] | None]:
    """Where this torch's modules get their kernels from, and the kernels; None where one is not there."""
    from torch.nn.modules import rnn

    there = getattr(rnn, "_VF", None)
    found = tuple([getattr(there, name, None) for name in KERNELS])
    return there, cast(tuple[Callable[..., Any], ...], found) if all(map(callable, found)) else None


@lru_cache(maxsize=1)
def _listening_at(there: Any, kernels: tuple[Callable[..., Any], ...]) -> _Kernels:
    """What stands in the place of what gives these kernels; made once, as it takes longer than to record a call."""
    return _Kernels(there, dict(zip(KERNELS, kernels, strict=True)))


# ── kernels ──────────────────────────────────────────────────────────────────────────────────────


class _Kernels:
    """What stands in the place of `torch.nn.modules.rnn._VF` while anybody listens."""

    way: Way = "kernels"

    def __init__(self, real: Any, kernels: Mapping[str, Callable[..., Any]]) -> None:
        """Take what stands there, and torch's kernels by their names."""
        import torch
        from torch.nn.modules import rnn

        self._rnn: Any = rnn
        self._globals = vars(rnn)
        self._real = real
        self._why = _reasons()
        self._is_compiling = torch.compiler.is_compiling
        self._heard = {
            name: (self._cell if name.endswith("_cell") else self._whole)(kernel, *KERNELS[name])
            for name, kernel in kernels.items()
        }
        for one in self._heard.values():
            _leave_to_python(one)

    def __getattr__(self, name: str) -> Any:
        """A kernel that is heard, to torch's modules; to all others, such as a compiler of scripts, torch's own."""
        if self._is_compiling():  # which goes through here line by line
            return getattr(self._real, name)
        heard = self._heard.get(name)
        if heard is not None and sys._getframe(1).f_globals is self._globals:  # noqa: SLF001 - inspect's way is slow
            return heard
        return getattr(self._real, name)

    def put(self) -> None:
        """Stand there."""
        self._rnn._VF = self  # noqa: SLF001 - the one place where all calls pass

    def take_away(self) -> None:
        """Leave; where another has taken the place since, it keeps it, and nobody is told any more."""
        if self._rnn._VF is self:  # noqa: SLF001 - see above
            self._rnn._VF = self._real  # noqa: SLF001 - see above

    def _whole(self, real: Callable[..., Any], kind: str, nonlinearity: str) -> Callable[..., Any]:
        why = self._why

        def heard(*given: Any) -> Any:
            listeners = _listeners
            if not listeners:
                return real(*given)
            calling = sys._getframe(1).f_locals  # noqa: SLF001 - the module and its rows' order stand there
            is_packed = not isinstance(given[3], bool)
            x, batch_sizes, hx, weights, *options = (given[0], None, *given[1:]) if not is_packed else given
            has_biases, num_layers, dropout, is_training, bidirectional = options[:5]
            packed = calling.get("orig_input")
            call = Heard(
                kind,
                nonlinearity,
                calling.get("self"),
                x,
                (hx,) if not isinstance(hx, (tuple, list)) else tuple(hx),
                tuple(weights),
                has_biases,
                num_layers,
                dropout if is_training and num_layers > 1 else 0.0,
                bidirectional,
                bool(options[5])
                if not is_packed
                else bool(getattr(calling.get("self"), "batch_first", False)),
                batch_sizes,
                getattr(packed, "sorted_indices", None) if is_packed else None,
                calling.get("is_batched", True),
                calling.get("h_zeros") is not None,
            )
            return _told(listeners, call, why(x), real, given)

        return heard

    def _cell(self, real: Callable[..., Any], kind: str, nonlinearity: str) -> Callable[..., Any]:
        why, here = self._why, sys._getframe  # noqa: SLF001 - see above

        def heard(x: Tensor, hx: Any, *weights: Tensor | None) -> Any:  # a loop comes here at every step
            listeners = _listeners
            if not listeners:
                return real(x, hx, *weights)
            calling = here(1).f_locals
            has_biases = len(weights) > 2 and weights[2] is not None
            call = Heard(
                kind,
                nonlinearity,
                calling.get("self"),
                x,
                tuple(hx) if isinstance(hx, (tuple, list)) else (hx,),
                weights if has_biases else weights[:2],
                has_biases,
                is_batched=calling.get("is_batched", True),
                is_fresh="zeros" in calling,
            )
            return _told(listeners, call, why(x), real, (x, hx, *weights))

        return heard


def _leave_to_python(function: Callable[..., Any]) -> None:
    """Let a compiler that sees frames begin pass by a function and all that it calls: it is no part of the program."""
    import torch

    frames = torch._C._dynamo.eval_frame  # noqa: SLF001 - torch.compiler.disable imports the whole compiler for it
    skip = getattr(frames, "_FrameAction", None)
    if skip is not None and hasattr(frames, "set_code_exec_strategy"):
        strategy = frames._FrameExecStrategy(skip.SKIP, skip.SKIP)  # noqa: SLF001 - see above
        frames.set_code_exec_strategy(function.__code__, strategy)


def _told(
    listeners: Sequence[Listener],
    call: Heard,
    reason: str | None,
    real: Callable[..., Any],
    given: tuple[Any, ...],
) -> Any:
    """Run a kernel, and let listeners take what it was given and gave; but not where there is a reason against it."""
    if reason is not None:
        for one in listeners:
            one.unseen(call.module, call.kind, reason)
        return real(*given)
    taking = []
    for one in listeners:
        took = one.heard(call)
        if took is not None:
            taking.append(took)
    gave = real(*given)
    is_one = not isinstance(gave, tuple)
    results = (gave,) if is_one else gave
    for took in reversed(taking):
        results = took(call, results)
    return results[0] if is_one else results


def _reasons() -> Callable[[Tensor], str | None]:
    """Give what says of an input why its call has no numbers to record; None where it has."""
    import torch

    plain = (torch.Tensor, torch.nn.Parameter)
    is_traced = torch._C._get_tracing_state  # noqa: SLF001 - as torch.jit.is_tracing does
    level = torch._C._functorch.maybe_current_level  # noqa: SLF001 - vmap, grad of torch.func

    def why(x: Tensor) -> str | None:
        if is_traced() is not None:
            return "traced"
        if level() is not None:
            return "torch.func"
        if type(x) not in plain:
            return type(x).__name__
        return "meta" if x.is_meta else None

    return why


# ── hooks ────────────────────────────────────────────────────────────────────────────────────────


class _Hooks:
    """Hooks on all modules, where the kernels are not found: they hear what is called as `module(x)`."""

    way: Way = "hooks"

    def __init__(self) -> None:
        import torch

        self._handles: list[Any] = []
        self._calls = threading.local()
        self._why = _reasons()
        self._is_compiling = torch.compiler.is_compiling

    def put(self) -> None:
        """Hook every module."""
        from torch.nn.modules import module

        self._handles = [
            module.register_module_forward_pre_hook(self._before),
            module.register_module_forward_hook(self._after),
        ]

    def take_away(self) -> None:
        """Unhook them."""
        for handle in self._handles:
            handle.remove()

    def _before(self, module: Module, given: tuple[Any, ...]) -> None:
        call = _heard_by_hook(module, given)
        if call is None:
            return
        listeners, reason = _listeners, "compiled" if self._is_compiling() else self._why(call.x)
        taking: list[Took] = []
        if reason is None:
            taking = [took for one in listeners if (took := one.heard(call)) is not None]
        else:
            for one in listeners:
                one.unseen(module, call.kind, reason)
        stack: list[tuple[Module, Heard, list[Took]]] = self._calls.__dict__.setdefault("stack", [])
        stack.append((module, call, taking))

    def _after(self, module: Module, _given: tuple[Any, ...], gave: Any) -> Any:
        stack: list[tuple[Module, Heard, list[Took]]] = self._calls.__dict__.setdefault("stack", [])
        while stack:  # a call that raised has left its place
            at, call, taking = stack.pop()
            if at is module:
                return _handed_on(call, taking, gave) if taking else None
        return None


def _handed_on(call: Heard, taking: Sequence[Took], gave: Any) -> Any:
    """Let listeners take what a module returned, as its kernel gave it; give what the program is to have."""
    if call.is_cell:
        results = gave if isinstance(gave, tuple) else (gave,)
    else:
        output, ends = gave
        ends = ends if isinstance(ends, tuple) else (ends,)
        if call.order is not None:
            ends = tuple(end.index_select(-2, call.order) for end in ends)
        results = (output.data if call.batch_sizes is not None else output, *ends)
    if not call.is_batched:
        axis = 0 if call.is_cell else (0 if call.batch_first else 1)
        results = (
            results[0].unsqueeze(axis),
            *(one.unsqueeze(0 if call.is_cell else 1) for one in results[1:]),
        )
    for took in reversed(taking):
        results = took(call, results)
    if not call.is_batched:
        axis = 0 if call.is_cell else (0 if call.batch_first else 1)
        results = (results[0].squeeze(axis), *(one.squeeze(0 if call.is_cell else 1) for one in results[1:]))
    if call.is_cell:
        return results if isinstance(gave, tuple) else results[0]
    output, *ends = results
    if call.order is not None:
        back = call.order.argsort()
        ends = [end.index_select(-2, back) for end in ends]
    output = gave[0]._replace(data=output) if call.batch_sizes is not None else output
    return output, tuple(ends) if len(ends) > 1 else ends[0]


def _heard_by_hook(module: Module, given: tuple[Any, ...]) -> Heard | None:
    """What a module is called with, as its kernel will be; None of any other module."""
    import torch
    from torch.nn.utils.rnn import PackedSequence

    if not given or not isinstance(module, (torch.nn.RNNBase, torch.nn.RNNCellBase)):
        return None
    x, hx = given[0], given[1] if len(given) > 1 else None
    packed = x if isinstance(x, PackedSequence) else None
    x = x if packed is None else packed.data
    is_cell = isinstance(module, torch.nn.RNNCellBase)
    module = cast(Any, module)
    is_batched = packed is not None or x.ndim == (2 if is_cell else 3)
    kind, nonlinearity = _kind_of(module)
    names = WEIGHTS_OF_CELL if is_cell else module._flat_weights_names  # noqa: SLF001 - the kernel's order
    weights = tuple(getattr(module, name) for name in names if getattr(module, name, None) is not None)
    first = bool(getattr(module, "batch_first", False))
    states = () if hx is None else tuple(hx) if isinstance(hx, tuple) else (hx,)
    if not is_batched:
        x = x.unsqueeze(0 if is_cell or first else 1)
        states = tuple(one.unsqueeze(0 if is_cell else 1) for one in states)
    batch_sizes, order = (None, None) if packed is None else (packed.batch_sizes, packed.sorted_indices)
    if not states:
        states = _zeros_of(module, x, batch_sizes)
    elif order is not None:
        states = tuple(one.index_select(-2, order) for one in states)
    options: dict[str, Any] = {}
    if not is_cell:
        is_dropping = module.training and module.num_layers > 1
        options = {
            "num_layers": module.num_layers,
            "p_dropout": module.dropout if is_dropping else 0.0,
            "bidirectional": module.bidirectional,
            "batch_first": first,
            "batch_sizes": batch_sizes,
            "order": order,
        }
    return Heard(
        kind,
        nonlinearity,
        module,
        x,
        states,
        weights,
        bool(module.bias),
        is_batched=is_batched,
        is_fresh=hx is None,
        **options,
    )


WEIGHTS_OF_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _kind_of(module: Module) -> tuple[str, str]:
    """Torch's class that a module is of, and its nonlinearity."""
    import torch

    for name in dict(KERNELS.values()):
        if isinstance(module, getattr(torch.nn, name)):
            return name, getattr(module, "nonlinearity", "tanh")
    return "RNN", getattr(module, "nonlinearity", "tanh")


def _zeros_of(module: Module, x: Tensor, batch_sizes: Tensor | None) -> tuple[Tensor, ...]:
    """The states that a module makes where none is given."""
    import torch

    is_lstm = isinstance(module, (torch.nn.LSTM, torch.nn.LSTMCell))
    if isinstance(module, torch.nn.RNNCellBase):
        return (x.new_zeros(x.shape[0], module.hidden_size),) * (2 if is_lstm else 1)
    first = 0 if module.batch_first else 1
    rows = int(batch_sizes[0]) if batch_sizes is not None else x.shape[first]
    count = module.num_layers * (2 if module.bidirectional else 1)
    sizes = (module.proj_size or module.hidden_size, *([module.hidden_size] if is_lstm else []))
    return tuple(x.new_zeros(count, rows, size) for size in sizes)


def names_of_weights(call: Heard) -> tuple[str, ...]:
    """Torch's names of a call's weights, in their order."""
    if call.is_cell:
        return WEIGHTS_OF_CELL[: len(call.weights)]
    known = getattr(call.module, "_flat_weights_names", None)
    if known is not None and len(known) == len(call.weights):
        return tuple(known)
    each = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if call.has_biases else [])]
    directions = ("", "_reverse") if call.bidirectional else ("",)
    if len(call.weights) != len(each) * call.num_layers * len(directions):
        each.append("weight_hr")
    return tuple(
        f"{name}_l{layer}{direction}"
        for layer in range(call.num_layers)
        for direction in directions
        for name in each
    )


def modules_by_name(model: Any) -> Mapping[int, str]:
    """What each module under what is listened to is called, by its id: nested names as `named_modules` has them."""
    import torch

    if model is None:
        return {}
    if isinstance(model, torch.nn.Module):
        return {id(one): plain_name(name) for name, one in model.named_modules()}
    every = dict(model) if isinstance(model, Mapping) else dict(enumerate(model))
    found: dict[int, str] = {}
    for key, each in every.items():
        for name, one in each.named_modules():
            name = plain_name(name)  # noqa: PLW2901 - the same name, as the user knows it
            found.setdefault(id(one), f"{key}.{name}".strip(".") if isinstance(key, str) else name)
    return found


def plain_name(name: str) -> str:
    """Give a module's name without what `torch.compile` puts around it."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")
