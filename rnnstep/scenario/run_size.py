"""What a run takes in memory, counted before anything is made."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rnnstep.language import Text
from rnnstep.modules.module import NetworkModule
from rnnstep.modules.recurrent import Recurrent
from rnnstep.scenario.file.document import Document, KeyPath, gibibytes
from rnnstep.scenario.model import Batch, Loss, Training

MOST_LAYERS = 1000  # their number costs time even where each is tiny
_LINES_OF_LOSS = 3  # as wide as the logits: softmax and its logarithm; sigmoid, difference, square


def check_run(
    document: Document,
    *,
    layers: Sequence[NetworkModule],
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
    rows = max((batch.longest * batch.num_rows for batch in batches), default=0)
    copies = 1 if loss is None else 2 if training is None else 3 + _buffers(training)
    scored = None if loss is None else layers[-1].key if loss.of is None else loss.of
    asked = list(_sizes(layers, rows, copies, scored))
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
    deepest = max((layer.num_layers for layer in layers if isinstance(layer, Recurrent)), default=0)
    if deepest > MOST_LAYERS:
        document.problem(
            ("recurrent", "num_layers"),
            Text("`num_layers`: found {found}, expected at most {most}", found=deepest, most=MOST_LAYERS),
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
    layers: Sequence[NetworkModule], rows: int, copies: int, scored: str | None
) -> Iterator[tuple[KeyPath, int]]:
    """Give how many numbers each part holds, parameters and values, under the key that is to blame."""
    rows *= 1 if scored is None else 2  # a value and its gradient
    for layer in layers:
        key = (layer.key or "recurrent", layer.most_to_blame)
        parts = [copies * _parameters(layer), rows * layer.values_a_step]
        if layer.key == scored:
            parts.append(rows * _LINES_OF_LOSS * layer.size)
        yield from ((key, part) for part in (parts if isinstance(layer, Recurrent) else [sum(parts)]))


def _parameters(layer: NetworkModule) -> int:
    if not isinstance(layer, Recurrent):
        return sum(math.prod(one.shape) for one in layer.parameters)
    # Of so many layers that listing them would take too long all but the first have the same shapes.
    first, above = (sum(map(math.prod, layer.shapes_of(number).values())) for number in (0, 1))
    return layer.num_directions * (first + above * (layer.num_layers - 1))
