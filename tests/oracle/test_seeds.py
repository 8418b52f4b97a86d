"""Seeded weights are torch's, bit for bit, in every module and for every kind of seed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from rnnstep.scenario.weights.seeds import LARGEST_SEED, SMALLEST_SEED, seeded_weights


def torch_weights(
    module: nn.Module, embedding: nn.Module | None, linear: nn.Module | None
) -> dict[str, np.ndarray]:
    weights = {}
    for prefix, part in (("embedding.", embedding), ("", module), ("linear.", linear)):
        if part is not None:
            weights.update({prefix + name: value.detach().numpy() for name, value in part.named_parameters()})
    return weights


def assert_same_bits(seed: int, expected: dict[str, np.ndarray], hidden_size: int) -> None:
    shapes = {name: value.shape for name, value in expected.items()}
    drawn = seeded_weights(seed, shapes, hidden_size)
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
        assert_same_bits(seed, torch_weights(cell, None, None), 7)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_stacked_modules_are_drawn_as_torch_draws_them(name: str) -> None:
    options = itertools.product((1, 2, 3), (True, False), (True, False), (0, 2) if name == "LSTM" else (0,))
    for seed, (num_layers, bidirectional, bias, proj_size) in enumerate(options):
        torch.manual_seed(seed)
        projection = {"proj_size": proj_size} if proj_size else {}
        module = getattr(nn, name)(3, 6, num_layers, bias=bias, bidirectional=bidirectional, **projection)
        linear = nn.Linear((proj_size or 6) * (2 if bidirectional else 1), 4, bias=bias)
        assert_same_bits(seed, torch_weights(module, None, linear), 6)


@pytest.mark.parametrize("seed", [SMALLEST_SEED, -(2**32), -1, 2**63, LARGEST_SEED])
def test_the_ends_of_the_range_of_seeds_are_taken_as_torch_takes_them(seed: int) -> None:
    torch.manual_seed(seed)
    assert_same_bits(seed, torch_weights(nn.GRU(2, 3), None, None), 3)


def test_what_follows_a_seeded_embedding_is_drawn_after_as_many_numbers_as_torch_takes() -> None:
    sizes = [(rows, 1) for rows in range(1, 70)] + [(5, 3), (4, 10), (128, 100), (1000, 33), (70001, 1)]
    for seed, (num_embeddings, embedding_dim) in enumerate(sizes):
        padding_idx = 0 if seed % 2 else None
        torch.manual_seed(seed)
        embedding = nn.Embedding(num_embeddings, embedding_dim, padding_idx)
        module = nn.RNN(embedding_dim, 4)
        assert_same_bits(seed, torch_weights(module, embedding, nn.Linear(4, 3)), 4)


def test_the_bounds_of_linear_are_torchs_for_every_number_of_features() -> None:
    for in_features in [*range(1, 200), 257, 1000, 4096]:
        torch.manual_seed(in_features)
        linear = nn.Linear(in_features, 2)
        expected = {f"linear.{name}": value.detach().numpy() for name, value in linear.named_parameters()}
        assert_same_bits(in_features, expected, 1)


def test_more_numbers_than_are_drawn_at_once() -> None:
    torch.manual_seed(3)
    embedding = nn.Embedding(1 << 20, 1)
    module = nn.RNN(1, 1100)
    assert_same_bits(3, torch_weights(module, embedding, None), 1100)
