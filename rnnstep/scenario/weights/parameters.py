"""The parameters of a model under torch's names, and the names that a scenario may use.

A scenario gives a parameter under torch's name, or under its equations' names, gate by gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rnnstep.modules.module import NetworkModule, Parameter
from rnnstep.modules.recurrent import Recurrent


def parameters_of(layers: Iterable[NetworkModule]) -> dict[str, Parameter]:
    """Give every parameter under torch's name, in the order of construction.

    That is `embedding.weight`; the recurrent module's as `named_parameters()` of torch.nn.RNN, LSTM, GRU gives them
    (layer by layer, forward then `_reverse`), a cell's without `_l0`, an own cell's under their own names;
    `linear.weight`, `linear.bias`.
    """
    return {parameter.name: parameter for layer in layers for parameter in layer.own_parameters}


def parameter_shapes(layers: Iterable[NetworkModule]) -> dict[str, tuple[int, ...]]:
    """Give the shapes of the same."""
    return {name: parameter.shape for name, parameter in parameters_of(layers).items()}


def accepted_names(layers: Iterable[NetworkModule]) -> dict[str, tuple[Parameter, int | None]]:
    """Give what a scenario may write: each name with its parameter, and the part or None for the whole.

    A cell's names stand with and without `_l0`; a gate's without it where there
    is one layer and direction, and with layer and direction always.
    """
    accepted: dict[str, tuple[Parameter, int | None]] = {}
    for layer in layers:
        for parameter in layer.own_parameters:
            accepted[parameter.name] = (parameter, None)
            if isinstance(layer, Recurrent):
                for name, index in _other_names(layer, parameter):
                    accepted.setdefault(name, (parameter, index))
    return accepted


def _other_names(recurrent: Recurrent, parameter: Parameter) -> Iterator[tuple[str, int | None]]:
    """Give the names of a recurrent module's parameter beside torch's, and its parts'."""
    is_single = recurrent.num_layers == 1 and not recurrent.bidirectional
    if recurrent.is_cell:
        yield f"{parameter.name}_l0", None
    for index, part in enumerate(parameter.parts):
        yield part, index
        if recurrent.is_cell:
            yield f"{part}_l0", index
        elif is_single:
            yield part.removesuffix("_l0"), index


def partner_of(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Give the other of the two biases that are added, bias_hh_l0 for bias_ih_l0, if `shapes` has it."""
    module, dot, own = name.rpartition(".")
    for one, other in (("bias_ih", "bias_hh"), ("bias_hh", "bias_ih")):
        partner = module + dot + other + own.removeprefix(one)
        if own.startswith(one) and partner in shapes:
            return partner
    return None
