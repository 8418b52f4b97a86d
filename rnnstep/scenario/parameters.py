"""The names and shapes of all parameters, as torch constructs them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rnnstep.scenario.model import Embedding, Linear, Recurrent

if TYPE_CHECKING:
    from rnnstep.cells import Cell


def parameter_shapes(
    recurrent: Recurrent, cell: Cell, embedding: Embedding | None, linear: Linear | None
) -> dict[str, tuple[int, ...]]:
    """Give each parameter's shape under torch's name, in the order of construction.

    That is `embedding.weight`; the recurrent module's as `named_parameters()` of
    torch.nn.RNN, LSTM, GRU gives them (layer by layer, forward then `_reverse`), a
    cell's without `_l0`, an own cell's under their own names; `linear.weight`,
    `linear.bias`.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    if embedding is not None:
        shapes["embedding.weight"] = (embedding.num_embeddings, embedding.embedding_dim)
    for layer in range(recurrent.num_layers):
        of_layer = layer_shapes(recurrent, cell, layer)
        for suffix in suffixes(recurrent, layer):
            shapes.update((name + suffix, shape) for name, shape in of_layer.items())
    if linear is not None:
        shapes["linear.weight"] = (linear.out_features, linear_in_features(recurrent))
        if linear.bias:
            shapes["linear.bias"] = (linear.out_features,)
    return shapes


def suffixes(recurrent: Recurrent, layer: int) -> Iterator[str]:
    """Give what torch appends to the names of a layer's directions: `_l0`, `_l0_reverse`; "" for a cell."""
    if recurrent.is_cell:
        yield ""
        return
    yield f"_l{layer}"
    if recurrent.bidirectional:
        yield f"_l{layer}_reverse"


def layer_shapes(recurrent: Recurrent, cell: Cell, layer: int) -> Mapping[str, tuple[int, ...]]:
    """Give the shapes of one direction of a layer under torch's names without suffix."""
    parts = cell.parameter_shapes(
        layer_input_size(recurrent, layer), recurrent.hidden_size, recurrent.proj_size
    )
    return {stack.torch: _stacked([parts[part] for part in stack.parts]) for stack in cell.stacks}


def _stacked(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    if len(shapes) == 1:
        return shapes[0]
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def layer_input_size(recurrent: Recurrent, layer: int) -> int:
    """Give the size of what a layer reads: x, or the joined h of the directions below."""
    return recurrent.input_size if layer == 0 else recurrent.output_size * recurrent.num_directions


def linear_in_features(recurrent: Recurrent) -> int:
    """Give the size of the linear layer's input: the last layer's h of all directions."""
    return recurrent.output_size * recurrent.num_directions
