"""What a run takes in memory, counted before anything is made."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.network.description import Embedding, Linear, Recurrent
from rnnstep.scenario.file.document import Document, KeyPath, gibibytes
from rnnstep.scenario.model import Batch, Loss, Training
from rnnstep.scenario.weights.parameters import layer_input_size, layer_shapes, linear_in_features

if TYPE_CHECKING:
    from rnnstep.cells.cell import Cell

MOST_LAYERS = 1000  # their number costs time even where each is tiny
_LINES_OF_LOSS = 3  # as wide as the logits: softmax and its logarithm; sigmoid, difference, square


def check_run(
    document: Document,
    *,
    recurrent: Recurrent,
    cell: Cell,
    embedding: Embedding | None,
    linear: Linear | None,
    loss: Loss | None,
    training: Training | None,
    batches: tuple[Batch, ...],
    itemsize: int,
) -> bool:
    """Whether parameters, and every value of the largest batch, stay within the limit.

    With a loss each value has a gradient, and each parameter too; training keeps the
    updated parameters and the optimizer's buffers beside them. Notes a problem at the
    key that asks for most if it is too much.
    """
    rows = max((batch.num_steps * batch.num_rows for batch in batches), default=0)
    has_loss = loss is not None
    copies = 1 if loss is None else 2 if training is None else 3 + _buffers(training)
    asked = list(_sizes(recurrent, cell, embedding, linear, rows, copies, has_loss=has_loss))
    total = sum(size for _, size in asked) * itemsize
    if total > document.limits.memory:
        place = max(asked, key=lambda one: one[1])[0]
        document.problem(
            place,
            Text(
                "`{key}`: this scenario takes {size} GiB, more than the limit of {limit} GiB (--memory-limit)",
                key=place[-1],
                size=gibibytes(total),
                limit=gibibytes(document.limits.memory),
            ),
        )
        return False
    if recurrent.num_layers > MOST_LAYERS:
        document.problem(
            ("recurrent", "num_layers"),
            Text(
                "`num_layers`: found {found}, expected at most {most}",
                found=recurrent.num_layers,
                most=MOST_LAYERS,
            ),
        )
        return False
    return True


def _buffers(training: Training) -> int:
    """Give how many numbers the optimizer keeps for each parameter."""
    arguments = training.arguments
    if training.optimizer.startswith("Adam"):
        return 2 + bool(arguments["amsgrad"])
    if training.optimizer == "Adagrad":
        return 1
    return (training.optimizer == "RMSprop") + bool(arguments["momentum"]) + bool(arguments.get("centered"))


def _sizes(
    recurrent: Recurrent,
    cell: Cell,
    embedding: Embedding | None,
    linear: Linear | None,
    rows: int,
    copies: int,
    *,
    has_loss: bool,
) -> Iterator[tuple[KeyPath, int]]:
    """Give how many numbers each part holds, parameters and values, under the key that is to blame."""
    rows *= 1 + has_loss  # a value and its gradient
    lines_of_logits = 1 + _LINES_OF_LOSS * has_loss
    if embedding is not None:
        widest = max("num_embeddings", "embedding_dim", key=lambda key: getattr(embedding, key))
        yield ("embedding", widest), copies * embedding.num_embeddings * embedding.embedding_dim
    widest = max("hidden_size", "input_size", "num_layers", key=lambda key: getattr(recurrent, key))
    layers_above = recurrent.num_layers - 1
    first, above = _size_of_layer(recurrent, cell, 0), _size_of_layer(recurrent, cell, 1)
    yield ("recurrent", widest), copies * (first + above * layers_above)
    yield ("recurrent", widest), rows * _values_per_step(recurrent, cell)
    features = linear_in_features(recurrent)
    if linear is not None:
        yield (
            ("linear", "out_features"),
            linear.out_features * (copies * (features + 1) + rows * lines_of_logits),
        )
    elif has_loss:
        yield ("recurrent", widest), rows * _LINES_OF_LOSS * features


def _size_of_layer(recurrent: Recurrent, cell: Cell, layer: int) -> int:
    one = sum(math.prod(shape) for shape in layer_shapes(recurrent, cell, layer).values())
    return one * recurrent.num_directions


def _values_per_step(recurrent: Recurrent, cell: Cell) -> int:
    """Give how many numbers one step of one row leaves behind in all layers."""
    sizes = cell.sizes(recurrent.input_size, recurrent.hidden_size, recurrent.proj_size)
    program = cell.program.sized(sizes)
    lines = sum(math.prod(map(int, program.shapes[name])) for name in program.names)
    inputs = layer_input_size(recurrent, 0) + layer_input_size(recurrent, 1) * (recurrent.num_layers - 1)
    return inputs + lines * recurrent.num_layers * recurrent.num_directions
