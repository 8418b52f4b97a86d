"""Names, shapes and order of all parameters, against torch's own modules."""

from __future__ import annotations

import itertools

import pytest
import torch

from rnnstep.cells import MODULES
from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.keys import OPTIMIZERS
from rnnstep.scenario.weights.parameters import parameter_shapes


def shapes_in_torch(
    recurrent: Recurrent, embedding: Embedding | None, linear: Linear | None
) -> list[tuple[str, tuple[int, ...]]]:
    options = {"bias": recurrent.bias}
    if not recurrent.is_cell:
        options |= {"num_layers": recurrent.num_layers, "bidirectional": recurrent.bidirectional}
    if recurrent.proj_size:
        options["proj_size"] = recurrent.proj_size
    module = getattr(torch.nn, recurrent.module)(recurrent.input_size, recurrent.hidden_size, **options)
    named = list(module.named_parameters())
    if embedding is not None:
        table = torch.nn.Embedding(embedding.num_embeddings, embedding.embedding_dim)
        named = [("embedding.weight", table.weight), *named]
    if linear is not None:
        size = recurrent.num_directions * recurrent.output_size
        layer = torch.nn.Linear(size, linear.out_features, bias=linear.bias)
        named += [(f"linear.{name}", value) for name, value in layer.named_parameters()]
    return [(name, tuple(value.shape)) for name, value in named]


def variants() -> list[Recurrent]:
    found = []
    for module, bias in itertools.product(MODULES, (True, False)):
        found.append(Recurrent(module, 3, 4, bias=bias))
        if not module.endswith("Cell"):
            found += [
                Recurrent(
                    module, 3, 4, num_layers, bias=bias, bidirectional=bidirectional, proj_size=proj_size
                )
                for num_layers, bidirectional in itertools.product((1, 3), (True, False))
                for proj_size in ((0, 2) if module == "LSTM" else (0,))
            ]
    return found


@pytest.mark.parametrize("recurrent", variants(), ids=lambda recurrent: repr(recurrent)[10:])
def test_parameters_are_named_shaped_and_ordered_as_in_torch(recurrent: Recurrent) -> None:
    for embedding, linear in (
        (None, None),
        (Embedding(7, 3), Linear(recurrent.size, 5)),
        (None, Linear(recurrent.size, 5, bias=False)),
    ):
        layers = [layer for layer in (embedding, recurrent, linear) if layer is not None]
        shapes = parameter_shapes(layers)
        assert list(shapes.items()) == shapes_in_torch(recurrent, embedding, linear)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_defaults_are_those_of_torch(name: str) -> None:
    optimizer = getattr(torch.optim, name)([torch.nn.Parameter(torch.zeros(1))])
    for argument, default in OPTIMIZERS[name].items():
        assert optimizer.defaults[argument] == default
