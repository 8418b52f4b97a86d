"""What goes through the model: from [input], or the rows of [data]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnstep.language import Text
from rnnstep.scenario.data import read_data
from rnnstep.scenario.document import Document
from rnnstep.scenario.input import read_input
from rnnstep.scenario.model import Batch
from rnnstep.scenario.table import Table


@dataclass(frozen=True)
class Samples:
    """Batches, and the sizes that follow from them."""

    batches: tuple[Batch, ...]
    input_size: int | None  # of x_t; None where an embedding comes before
    num_indices: int | None  # how many an embedding must hold
    is_batched: bool = True
    test_batches: tuple[Batch, ...] = ()
    classes: tuple[str, ...] | None = None  # the names in [data]


def read_samples(
    document: Document, vocabulary: tuple[str, ...] | None, dtype: np.dtype[np.floating]
) -> Samples | None:
    """Give what [input] or [data] hold, or None if there is neither, or a mistake in it."""
    root = document.root
    if vocabulary is None and root.has("vocabulary"):
        return None
    has_embedding = root.has("embedding")
    recurrent = root.raw("recurrent")
    if root.has("data"):
        for other in ("input", "target"):
            if root.has(other):
                root.problem(other, Text("[{table}] and [data] exclude each other", table=other))
        data = read_data(document, vocabulary=vocabulary, has_embedding=has_embedding, dtype=dtype)
        if data is None or root.has("input"):
            return None
        return Samples(
            data.train,
            data.input_size,
            data.num_indices,
            test_batches=data.test,
            classes=data.classes,
        )
    if not root.has("input"):
        document.problem(
            (),
            Text(
                "`[input]` is missing: expected one of {keys} in it",
                keys="text, indices, values, file, random",
            ),
        )
        return None
    given = read_input(
        document,
        vocabulary=vocabulary,
        has_embedding=has_embedding,
        recurrent_table=Table(document, ("recurrent",), recurrent if isinstance(recurrent, dict) else {}),
        dtype=dtype,
    )
    if given is None:
        return None
    return Samples(given.batches, given.input_size, given.num_indices, given.is_batched)
