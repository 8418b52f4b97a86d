"""The parameters of a model under torch's names, and the names that a scenario may use.

A scenario gives a parameter under torch's name, or under its equations' names, gate by gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rnnstep.modules.module import NetworkModule, Parameter
from rnnstep.modules.recurrent import Recurrent


def parameters_of(layers: Iterable[NetworkModule]) -> dict[str, Parameter]:
    """Give every parameter under torch's name, in the order of construction.

    That is `embedding.weight`; the recurrent module's as `named_parameters()` of torch.nn.RNN, LSTM, GRU gives them
    (layer by layer, forward then `_reverse`), a cell's without `_l0`, an own cell's under their own names;
    `linear.weight`, `linear.bias`.
    """
    return {parameter.name: parameter for layer in layers for parameter in layer.parameters}


def parameter_shapes(layers: Iterable[NetworkModule]) -> dict[str, tuple[int, ...]]:
    """Give the shapes of the same."""
    return {name: parameter.shape for name, parameter in parameters_of(layers).items()}


def accepted_names(
    parameters: Mapping[str, Parameter], recurrent: Recurrent
) -> dict[str, tuple[Parameter, int | None]]:
    """Give what a scenario may write: each name with its parameter, and the part or None for the whole.

    A cell's names stand with and without `_l0`; a gate's without it where there
    is one layer and direction, and with layer and direction always.
    """
    accepted: dict[str, tuple[Parameter, int | None]] = {}
    is_single = recurrent.num_layers == 1 and not recurrent.bidirectional
    for parameter in parameters.values():
        accepted[parameter.name] = (parameter, None)
        if "." in parameter.name:
            continue
        if recurrent.is_cell:
            accepted[f"{parameter.name}_l0"] = (parameter, None)
        for index, part in enumerate(parameter.parts):
            accepted.setdefault(part, (parameter, index))
            if recurrent.is_cell:
                accepted.setdefault(f"{part}_l0", (parameter, index))
            elif is_single:
                accepted.setdefault(part.removesuffix("_l0"), (parameter, index))
    return accepted


def partner_of(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    """Give the other of the two biases that are added, bias_hh_l0 for bias_ih_l0, if `shapes` has it."""
    for one, other in (("bias_ih", "bias_hh"), ("bias_hh", "bias_ih")):
        if name.startswith(one) and other + name.removeprefix(one) in shapes:
            return other + name.removeprefix(one)
    return None
