"""Seeded weights are torch's, bit for bit, in every module and for every kind of seed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.modules.embedding import Embedding
from rnnstep.modules.linear import Linear
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.weights.seeds import LARGEST_SEED, SMALLEST_SEED, seeded_weights


def described(
    module: nn.Module | None, embedding: nn.Module | None, linear: nn.Module | None
) -> Iterator[tuple[str, nn.Module, NetworkModule]]:
    """torch's modules with what stands before their parameters' names, and as they are described here."""
    if embedding is not None:
        yield "embedding.", embedding, Embedding(embedding.num_embeddings, embedding.embedding_dim)
    if module is not None:
        names = ("num_layers", "bias", "bidirectional", "proj_size")
        options = {name: getattr(module, name) for name in names if hasattr(module, name)}
        sizes = module.input_size, module.hidden_size
        yield "", module, Recurrent(type(module).__name__, *sizes, **options)
    if linear is not None:
        sizes = linear.in_features, linear.out_features
        yield "linear.", linear, Linear(*sizes, bias=linear.bias is not None)


def assert_same_bits(
    seed: int,
    module: nn.Module | None,
    embedding: nn.Module | None = None,
    linear: nn.Module | None = None,
) -> None:
    every = list(described(module, embedding, linear))
    expected = {
        prefix + name: value.detach().numpy()
        for prefix, part, _ in every
        for name, value in part.named_parameters()
    }
    drawn = seeded_weights(seed, [layer for _, _, layer in every])
    assert list(drawn) == [name for name in expected if name != "embedding.weight"]
    for name, value in drawn.items():
        assert value.dtype == np.float32
        assert np.array_equal(value, expected[name]), name


@pytest.mark.parametrize("seed", [0, 1, 2, 42, 2**31, 2**32 - 1, 2**32, 2**32 + 7, -1, -12345])
@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
def test_cells_are_drawn_as_torch_draws_them(name: str, seed: int) -> None:
    for bias in (True, False):
        torch.manual_seed(seed)
        cell = getattr(nn, name)(5, 7, bias=bias)
        assert_same_bits(seed, cell, None, None)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_stacked_modules_are_drawn_as_torch_draws_them(name: str) -> None:
    options = itertools.product((1, 2, 3), (True, False), (True, False), (0, 2) if name == "LSTM" else (0,))
    for seed, (num_layers, bidirectional, bias, proj_size) in enumerate(options):
        torch.manual_seed(seed)
        projection = {"proj_size": proj_size} if proj_size else {}
        module = getattr(nn, name)(3, 6, num_layers, bias=bias, bidirectional=bidirectional, **projection)
        linear = nn.Linear((proj_size or 6) * (2 if bidirectional else 1), 4, bias=bias)
        assert_same_bits(seed, module, None, linear)


@pytest.mark.parametrize("seed", [SMALLEST_SEED, -(2**32), -1, 2**63, LARGEST_SEED])
def test_the_ends_of_the_range_of_seeds_are_taken_as_torch_takes_them(seed: int) -> None:
    torch.manual_seed(seed)
    assert_same_bits(seed, nn.GRU(2, 3), None, None)


def test_what_follows_a_seeded_embedding_is_drawn_after_as_many_numbers_as_torch_takes() -> None:
    sizes = [(rows, 1) for rows in range(1, 70)] + [(5, 3), (4, 10), (128, 100), (1000, 33), (70001, 1)]
    for seed, (num_embeddings, embedding_dim) in enumerate(sizes):
        padding_idx = 0 if seed % 2 else None
        torch.manual_seed(seed)
        embedding = nn.Embedding(num_embeddings, embedding_dim, padding_idx)
        module = nn.RNN(embedding_dim, 4)
        assert_same_bits(seed, module, embedding, nn.Linear(4, 3))


def test_the_bounds_of_linear_are_torchs_for_every_number_of_features() -> None:
    for in_features in [*range(1, 200), 257, 1000, 4096]:
        torch.manual_seed(in_features)
        linear = nn.Linear(in_features, 2)
        assert_same_bits(in_features, None, None, linear)


def test_more_numbers_than_are_drawn_at_once() -> None:
    torch.manual_seed(3)
    embedding = nn.Embedding(1 << 20, 1)
    module = nn.RNN(1, 1100)
    assert_same_bits(3, module, embedding, None)


@pytest.mark.parametrize("sizes", [(5, 3), (5, 3, 7), (15, 1), (1, 2, 3), (4, 20, 3), (3, 16, 5)])
def test_what_a_seed_draws_after_several_small_tables_is_torchs(sizes):
    """Of fewer than 16 normal numbers torch draws pairs, and keeps the second for the next table."""
    layers = [Embedding(3, size, key=f"e{size}_{place}") for place, size in enumerate(sizes)]
    drawn = seeded_weights(7, [*layers, Linear(3, 2)])
    torch.manual_seed(7)
    for size in sizes:
        nn.Embedding(3, size)
    linear = nn.Linear(3, 2)
    np.testing.assert_array_equal(drawn["linear.weight"], linear.weight.detach().numpy())
    np.testing.assert_array_equal(drawn["linear.bias"], linear.bias.detach().numpy())
