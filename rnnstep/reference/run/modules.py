"""torch's modules made of the engine's parameters. They are made without memory or random numbers of their own."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.model import Scenario

Tensor = Any  # torch.Tensor: torch is imported inside functions only
Module = Any  # torch.nn.Module
Parameters = Mapping[str, Any]  # under torch's names: arrays, or tensors that autograd follows


def tensor(array: NDArray[Any]) -> Tensor:
    """Give a copy as a tensor, of the same dtype."""
    import torch

    return torch.from_numpy(np.array(array))


def array(value: Tensor) -> NDArray[Any]:
    """Give a tensor's numbers as an array of numpy."""
    return np.asarray(value.detach().cpu().numpy())


def leaves(scenario: Scenario) -> dict[str, Tensor]:
    """The parameters under torch's names as torch.nn.Parameter, what autograd gives the gradients of; buffers as tensors."""
    from torch import nn

    return {
        name: nn.Parameter(tensor(value)) if name in scenario.learnt else tensor(value)
        for name, value in scenario.parameters.items()
    }


def whole_module(recurrent: Recurrent, parameters: Parameters) -> Module:
    """torch.nn.RNN, LSTM or GRU of a description; for a cell, the whole module of the same name with its weights.

    Of tensors the module works on these very ones.
    """
    suffix, before = "_l0" if recurrent.is_cell else "", recurrent.before_names
    made = _constructor(recurrent, is_cell=False)(
        recurrent.input_size,
        recurrent.hidden_size,
        num_layers=recurrent.num_layers,
        batch_first=recurrent.batch_first and not recurrent.is_cell,
        bidirectional=recurrent.bidirectional,
        device="meta",
        **recurrent.own_arguments(is_cell=False),
    )
    names = {name: recurrent.kept_as(before + name.removesuffix(suffix)) for name in made.state_dict()}
    return _recurrent(made, names, parameters)


def layer_module(recurrent: Recurrent, layer: int, parameters: Parameters) -> Module:
    """One layer of a module, all its directions, time-major: for a chain with dropout between."""
    made = _constructor(recurrent, is_cell=False)(
        recurrent.input_size_of(layer),
        recurrent.hidden_size,
        bidirectional=recurrent.bidirectional,
        device="meta",
        **recurrent.own_arguments(is_cell=False),
    )
    before = recurrent.before_names
    names = {name: before + name.replace("_l0", f"_l{layer}") for name in made.state_dict()}
    return _recurrent(made, {name: recurrent.kept_as(kept) for name, kept in names.items()}, parameters)


def plain_module(description: NetworkModule, parameters: Parameters) -> Module:
    """Torch's module of a description that is no recurrent one, on the parameters that it has among those given."""
    import torch

    places, names = description.arguments
    kind = getattr(torch.nn, description.torch)
    memory = {"device": "meta"} if description.parameters else {}  # one without parameters takes no device
    if "_weight" in inspect.signature(kind).parameters:
        # An Embedding that is given no rows draws them, without memory by way of torch's compiler: 1.2 s to import.
        names = {**names, "_weight": torch.empty(places, device="meta")}
    made = kind(*places, **names, **memory)
    own = {
        one.name.removeprefix(f"{description.key}."): parameters[description.kept_as(one.name)]
        for one in description.parameters
    }
    if "num_batches_tracked" in made.state_dict():  # which no number depends on
        own["num_batches_tracked"] = torch.zeros((), dtype=torch.long)
    filled = _filled(made, own)
    if description.reads_batch:
        filled.train()
    if description.has_channels:
        filled.register_forward_pre_hook(_with_channels)
        filled.register_forward_hook(_with_features)
    return filled


def _with_channels(_module: Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """(T, B, n) as (B, n, T), which a module over time takes; what has no steps stays."""
    return tuple(x.permute(1, 2, 0) if x.ndim == 3 else x for x in given)


def _with_features(_module: Module, _given: tuple[Tensor, ...], gave: Tensor) -> Tensor:
    """(B, n, T) as (T, B, n)."""
    return gave.permute(2, 0, 1) if gave.ndim == 3 else gave


def added(description: NetworkModule, x: Tensor) -> Tensor:
    """The sum of what stands side by side in x, each of the size that comes out; torch has no module for it."""
    first, *others = x.split(description.size, -1)
    for other in others:
        first = first + other
    return first


def called(
    module: Module,
    x: Tensor,
    states: tuple[Tensor, ...],
    lengths: Sequence[int] | None,
    *,
    batch_first: bool,
    num_steps: int,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Call a whole module as a user would; give `output` and the final states.

    Args:
        module: torch.nn.RNN, LSTM or GRU.
        x: in the module's layout.
        states: h_0 (and c_0).
        lengths: of the rows of a packed batch; None where nothing is packed.
        batch_first: whether (B, T, n) is the module's layout.
        num_steps: T, which the output is padded to.
    """
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    hx: Any = states[0] if len(states) == 1 else states
    if lengths is None:
        output, ends = module(x, hx)
    else:
        packed = pack_padded_sequence(x, list(lengths), batch_first=batch_first, enforce_sorted=False)
        packed_output, ends = module(packed, hx)
        output, _ = pad_packed_sequence(packed_output, batch_first=batch_first, total_length=num_steps)
    return output, ends if isinstance(ends, tuple) else (ends,)


def one_layer(recurrent: Recurrent, block: Block, parameters: Parameters, *, is_cell: bool) -> Module:
    """One layer in one direction as torch.nn.RNN, LSTM or GRU; or as torch's cell, of a whole module too."""
    made = _constructor(recurrent, is_cell=is_cell)(
        recurrent.input_size_of(block.layer),
        recurrent.hidden_size,
        device="meta",
        **recurrent.own_arguments(is_cell=is_cell),
    )
    names = {
        name: recurrent.torch_name(name.removesuffix("_l0"), block.layer, block.direction)
        for name in made.state_dict()
    }
    return _recurrent(made, {name: recurrent.kept_as(kept) for name, kept in names.items()}, parameters)


def _recurrent(made: Module, names: Mapping[str, str], parameters: Parameters) -> Module:
    """Fill a recurrent module: under torch's names what the scenario has under its own.

    Of one bias the other is zeros that autograd does not follow: torch's modules have both or none.
    """
    known = {name: parameters[kept] for name, kept in names.items() if kept in parameters}
    _filled(made, known | {name: _no_bias(made, name, known) for name in names if name not in known})
    for name in names:
        if name not in known:
            made.get_parameter(name).requires_grad_(False)
    return made


def _no_bias(made: Module, name: str, known: Parameters) -> Tensor:
    """Zeros in the place of the other bias.

    Raises:
        KeyError: The parameter is another one, and has to be there.
    """
    import torch

    if not name.startswith("bias_hh"):
        raise KeyError(name)
    first = known[name.replace("bias_hh", "bias_ih")]
    dtype = first.dtype if isinstance(first, torch.Tensor) else tensor(first).dtype
    return torch.zeros(made.get_parameter(name).shape, dtype=dtype)


def _constructor(recurrent: Recurrent, *, is_cell: bool) -> Any:
    from torch import nn

    name = recurrent.module.removesuffix("Cell")
    return getattr(nn, f"{name}Cell" if is_cell else name)


def _filled(module: Module, parameters: Parameters) -> Module:
    """Put arrays in as copies, and tensors as they are, so that modules may share one leaf."""
    module.load_state_dict(
        {
            name: tensor(value) if isinstance(value, np.ndarray) else value
            for name, value in parameters.items()
        },
        assign=True,
    )
    return module.eval()
