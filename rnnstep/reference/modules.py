"""torch's modules made of the engine's parameters. They are made without memory or random numbers of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnstep.engine import Block
from rnnstep.engine.blocks import torch_name
from rnnstep.scenario.model import Recurrent, Scenario

Tensor = Any  # torch.Tensor: torch is imported inside functions only
Module = Any  # torch.nn.Module


def tensor(array: NDArray[Any]) -> Tensor:
    """Give a copy as a tensor, of the same dtype."""
    import torch

    return torch.from_numpy(np.array(array))


def array(value: Tensor) -> NDArray[Any]:
    """Give a tensor's numbers as an array of numpy."""
    return np.asarray(value.detach().cpu().numpy())


def whole_module(scenario: Scenario) -> Module:
    """The scenario's torch.nn.RNN, LSTM or GRU; for a cell, the whole module of the same name with its weights."""
    recurrent = scenario.recurrent
    suffix = "_l0" if recurrent.is_cell else ""
    parameters = {f"{name}{suffix}": value for name, value in scenario.parameters.items() if "." not in name}
    made = _constructor(recurrent, is_cell=False)(
        recurrent.input_size,
        recurrent.hidden_size,
        num_layers=recurrent.num_layers,
        batch_first=recurrent.batch_first and not recurrent.is_cell,
        bidirectional=recurrent.bidirectional,
        device="meta",
        **_options(recurrent, is_cell=False),
    )
    return _filled(made, parameters)


def layer_module(scenario: Scenario, layer: int) -> Module:
    """One layer of the module, all its directions, time-major: for a chain with dropout between."""
    recurrent = scenario.recurrent
    made = _constructor(recurrent, is_cell=False)(
        _input_size(recurrent, layer),
        recurrent.hidden_size,
        bidirectional=recurrent.bidirectional,
        device="meta",
        **_options(recurrent, is_cell=False),
    )
    names = {name: name.replace("_l0", f"_l{layer}") for name in made.state_dict()}
    return _filled(made, {name: scenario.parameters[kept] for name, kept in names.items()})


def step_module(scenario: Scenario, block: Block) -> Module:
    """One layer in one direction: what is stepped; torch's cell for a cell."""
    recurrent = scenario.recurrent
    made = _constructor(recurrent, is_cell=recurrent.is_cell)(
        _input_size(recurrent, block.layer),
        recurrent.hidden_size,
        device="meta",
        **_options(recurrent, is_cell=recurrent.is_cell),
    )
    names = {
        name: torch_name(recurrent, name.removesuffix("_l0"), block.layer, block.direction)
        for name in made.state_dict()
    }
    return _filled(made, {name: scenario.parameters[kept] for name, kept in names.items()})


def _constructor(recurrent: Recurrent, *, is_cell: bool) -> Any:
    from torch import nn

    name = recurrent.module.removesuffix("Cell")
    return getattr(nn, f"{name}Cell" if is_cell else name)


def _options(recurrent: Recurrent, *, is_cell: bool) -> dict[str, Any]:
    """The arguments that only some of torch's classes take."""
    options: dict[str, Any] = {"bias": recurrent.bias}
    if recurrent.module.startswith("RNN"):
        options["nonlinearity"] = recurrent.nonlinearity
    if recurrent.proj_size and not is_cell:
        options["proj_size"] = recurrent.proj_size
    return options


def _input_size(recurrent: Recurrent, layer: int) -> int:
    return recurrent.input_size if layer == 0 else recurrent.output_size * recurrent.num_directions


def _filled(module: Module, parameters: Mapping[str, NDArray[Any]]) -> Module:
    module.load_state_dict({name: tensor(value) for name, value in parameters.items()}, assign=True)
    return module.eval()
