"""The parameters that only torch can give: a seeded embedding, and what stands in torch's own files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.module import Normal, Uniform
from rnnstep.reference.run.installed import require
from rnnstep.reference.run.modules import Tensor, array
from rnnstep.scenario.data.array_files import UnreadableTensor
from rnnstep.scenario.file.document import shown
from rnnstep.scenario.model import Floats, Pending, Scenario
from rnnstep.scenario.weights.parameters import parameter_shapes
from rnnstep.scenario.weights.pending_file import pending_error, take_pending
from rnnstep.scenario.weights.pickles import flat_name, tensors_in
from rnnstep.scenario.weights.seeds import rounded


def complete(scenario: Scenario) -> Scenario:
    """Fill in what is pending; a scenario that lacks nothing comes back as it is.

    Raises:
        ScenarioError: at the place in the scenario that names the file, if the file does not hold what is needed.
    """
    pending = scenario.pending
    if pending is None:
        return scenario
    require(pending)
    if pending.file is not None:
        found = _from_file(scenario, pending, pending.file)
    else:
        assert pending.seed is not None
        found = _drawn(scenario, pending, pending.seed)
    return filled(scenario, found)


def filled(scenario: Scenario, found: Mapping[str, Floats]) -> Scenario:
    """Give the scenario with its pending parameters put in, all in torch's order; its cure too if it lacks the same."""
    known = {**scenario.parameters, **found}
    ordered = {name: known[name] for name in _shapes(scenario)}
    cure = scenario.cure
    if cure is not None and cure.pending == scenario.pending and _shapes(cure) == _shapes(scenario):
        cure = filled(cure, found)
    return replace(scenario, parameters=MappingProxyType(ordered), pending=None, cure=cure)


def _shapes(scenario: Scenario) -> dict[str, tuple[int, ...]]:
    return parameter_shapes(scenario.layers)


def _drawn(scenario: Scenario, pending: Pending, seed: int) -> dict[str, Floats]:
    """Draw the tables that indices are looked up in as torch's constructors do right after `torch.manual_seed(seed)`.

    What is drawn before the last of them is drawn, too; what comes after it is drawn without torch. The random numbers of
    the process go on as if nothing had been drawn.
    """
    import torch

    missing = list(pending.names)
    found: dict[str, Floats] = {}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        for module in scenario.layers:
            for parameter in module.parameters:
                match parameter.first:
                    case Uniform(bound=bound) if missing:
                        torch.empty(parameter.shape).uniform_(-bound, bound)
                    case Normal() if (
                        parameter.name not in pending.names
                    ):  # another module's stands in its place
                        torch.empty(parameter.shape).normal_()
                    case Normal():
                        weight = array(torch.empty(parameter.shape).normal_())
                        missing.remove(parameter.name)
                        if isinstance(module, Embedding) and module.padding_idx is not None:
                            weight[module.padding_idx] = 0
                        found[parameter.name] = rounded(weight, pending.round, scenario.dtype)
    return found


def _from_file(scenario: Scenario, pending: Pending, path: Path) -> Mapping[str, Floats]:
    tensors = _loaded(scenario, pending, path)
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    return take_pending(scenario, pending, shapes, lambda name: _numbers(name, tensors[name])).values


def _loaded(scenario: Scenario, pending: Pending, path: Path) -> dict[str, Tensor]:
    """Load a file with `weights_only`, which runs nothing that the file asks for; give its tensors by name."""
    import pickle

    import torch

    name = shown(path.name)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise pending_error(
            scenario, pending, Text("{file} is refused: it does more than hold tensors", file=name)
        ) from None
    except Exception as error:  # noqa: BLE001 -- torch raises whatever a broken file leads to
        reason = printable(str(error).partition("\n")[0]) or type(error).__name__
        raise pending_error(
            scenario, pending, Text("cannot read {file}: {reason}", file=name, reason=reason)
        ) from None
    if not isinstance(held, Mapping):
        raise pending_error(scenario, pending, Text("{file} is no state_dict saved by torch.save", file=name))
    return {flat_name(keys): value for keys, value in tensors_in(held, torch.is_tensor)}


def _numbers(name: str, value: Tensor) -> NDArray[Any]:
    """Give a tensor's numbers; only what has the right shape comes here, so that an expanded one is no danger."""
    import torch

    is_real = not value.is_complex() and not value.is_quantized and value.layout == torch.strided
    if not is_real or value.device.type != "cpu":
        message = Text("the tensor {name} is of the kind {kind}", name=shown(name), kind=str(value.dtype))
        raise UnreadableTensor(message)
    exact = value.dtype if value.dtype in {torch.float32, torch.float64} else torch.float64
    is_short = value.is_floating_point() and value.element_size() < 4  # as those of safetensors are read
    return array(value.detach().to(torch.float32 if is_short else exact))
