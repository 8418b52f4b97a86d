"""What the tests of checkpoints share: a model as people name it, and what `[weights] file` reads of a folder, or refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from rnnstep.errors import ScenarioError
from rnnstep.modules.linear import Linear
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.file.source import parse_document
from rnnstep.scenario.model import Floats
from rnnstep.scenario.weights.read_weights import read_weights

LSTM = Recurrent("LSTM", 4, 3)
HEAD = Linear(3, 4)


class Net(nn.Module):
    """A model whose modules are named as people name them."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 3)
        self.fc = nn.Linear(3, 4)


class Settings:
    """A class of a program of one's own."""


def document(text: str, folder: Path, *, memory: int = 4 << 30, allow_outside: bool = False):
    limits = Limits(memory=memory, allow_outside=allow_outside)
    return parse_document("scenario.toml", folder, f"[weights]\n{text}\n", limits)


def loaded(
    folder: Path,
    text: str = 'file = "x.safetensors"',
    layers: tuple[Any, ...] = (LSTM,),
    dtype: str = "float32",
    **limits: Any,
) -> Mapping[str, Floats]:
    read = document(text, folder, **limits)
    found, _ = read_weights(read, layers=layers, dtype=np.dtype(dtype))
    read.finish()
    return found


def refusal(
    folder: Path, text: str = 'file = "x.safetensors"', layers: tuple[Any, ...] = (LSTM,), **limits: Any
) -> str:
    with pytest.raises(ScenarioError) as error:
        loaded(folder, text, layers, **limits)
    assert len(error.value.problems) == 1, error.value.into("en")
    assert error.value.into("zh") != error.value.into("en")
    message = error.value.into("en")
    assert message.isprintable()
    return message


def state_of(module: nn.Module, prefix: str = "") -> dict[str, torch.Tensor]:
    return {prefix + name: value.detach().clone() for name, value in module.state_dict().items()}


def save(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    safetensors.torch.save_file({name: value.contiguous() for name, value in tensors.items()}, path)


def assert_is(found: Mapping[str, Floats], module: nn.Module, prefix: str = "") -> None:
    for name, value in module.state_dict().items():
        assert np.array_equal(found[prefix + name], value.numpy()), name
