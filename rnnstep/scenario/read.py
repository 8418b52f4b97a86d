"""From a scenario file to a `Scenario`: every table in turn, all mistakes told at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnstep.cells import Cell, cell_for
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario import modules
from rnnstep.scenario.document import Document, Limits
from rnnstep.scenario.heading import ASCII, read_display, read_localized, read_vocabulary
from rnnstep.scenario.input import read_target
from rnnstep.scenario.memory import check_run
from rnnstep.scenario.model import Embedding, Linear, Recurrent, Scenario
from rnnstep.scenario.own_cells import check_output, read_own_cells
from rnnstep.scenario.parameters import linear_in_features
from rnnstep.scenario.samples import Samples, read_samples
from rnnstep.scenario.source import open_document, parse_document
from rnnstep.scenario.state import read_initial_state
from rnnstep.scenario.task import read_loss, read_training
from rnnstep.scenario.weights import read_weights

NO_LIMITS_GIVEN = Limits()


def read(
    path: str | Path,
    limits: Limits = NO_LIMITS_GIVEN,
    *,
    dtype: str | None = None,
    decimals: int | None = None,
    language: str | None = None,
) -> Scenario:
    """Read a scenario file.

    Args:
        path: Of the file.
        limits: What it may ask for.
        dtype: "float32" or "float64", in place of the file's.
        decimals: How many are shown, in place of the file's.
        language: "en" or "zh", in place of the file's.

    Raises:
        UsageError: The file cannot be read.
        ScenarioError: It holds mistakes; all of them, with their places.
    """
    path = Path(path)
    shown = {"dtype": dtype, "decimals": decimals, "language": language}
    return _read(open_document(path, limits), path, shown)


def read_text(
    text: str,
    path: str | Path = "scenario.toml",
    limits: Limits = NO_LIMITS_GIVEN,
    *,
    dtype: str | None = None,
    decimals: int | None = None,
    language: str | None = None,
) -> Scenario:
    """Read a scenario from a text as if it stood in `path`; as `read` otherwise."""
    path = Path(path)
    shown = {"dtype": dtype, "decimals": decimals, "language": language}
    return _read(parse_document(str(path), path.parent, text, limits), path, shown)


@dataclass(frozen=True)
class _Model:
    """The modules that the data passes through, without their weights."""

    embedding: Embedding | None
    recurrent: Recurrent
    cell: Cell
    linear: Linear | None


def _read(document: Document, path: Path, shown: dict[str, Any]) -> Scenario:
    root = document.root
    root.known()
    recurrent = root.raw("recurrent")
    is_bidirectional = isinstance(recurrent, dict) and recurrent.get("bidirectional") is True
    vocabulary = read_vocabulary(document)
    heading = {
        "name": printable(path.stem),
        "path": path,
        "source": document.text,
        "title": read_localized(document, "title"),
        "summary": read_localized(document, "summary"),
        "display": read_display(document, is_bidirectional=is_bidirectional, **shown),
        "vocabulary": vocabulary,
        "is_ascii": vocabulary is ASCII,
        "memory_limit": document.limits.memory,
    }
    dtype = np.dtype(heading["display"].dtype)
    samples = read_samples(document, vocabulary, dtype)
    model = _read_model(document, vocabulary, samples)
    task = {
        "loss": read_loss(document, model.recurrent if model else None),
        "training": read_training(document),
    }
    rest: dict[str, Any] = {}
    if model is not None and samples is not None:
        rest = _read_numbers(document, vocabulary, samples, model, dtype)
    document.finish()
    assert model is not None
    assert samples is not None
    return Scenario(**heading, **vars(model), **task, **rest)


def _read_model(
    document: Document, vocabulary: tuple[str, ...] | None, samples: Samples | None
) -> _Model | None:
    """Give the modules, or None where a mistake leaves their shapes unknown."""
    own = read_own_cells(document)
    module = modules.read_module(document, own)
    embedding = modules.read_embedding(document, num_indices=samples.num_indices if samples else None)
    data_size = embedding.embedding_dim if embedding else samples.input_size if samples else None
    linear = modules.read_linear(document, num_outputs=_num_outputs(document, vocabulary, samples))
    if module is None:
        return None
    recurrent = modules.read_recurrent(document, module, is_own=module in own, data_size=data_size)
    for name, part in (("embedding", embedding), ("linear", linear)):
        if part is None and document.root.has(name):
            return None
    if recurrent is None:
        return None
    cell = own[module] if recurrent.is_own else _built_in(recurrent)
    if cell is None or (recurrent.is_own and not check_output(document, recurrent, cell)):
        return None
    return _Model(embedding, recurrent, cell, linear)


def _built_in(recurrent: Recurrent) -> Cell:
    return cell_for(
        recurrent.module,
        nonlinearity=recurrent.nonlinearity,
        bias=recurrent.bias,
        proj_size=recurrent.proj_size,
    )


def _num_outputs(
    document: Document, vocabulary: tuple[str, ...] | None, samples: Samples | None
) -> int | None:
    """Give the number of classes or values that the target has, where that is plain from the file."""
    if samples is not None and samples.classes is not None:
        return len(samples.classes)
    target = document.root.raw("target")
    if not isinstance(target, dict):
        return None
    values = target.get("values")
    if values is None:
        return len(vocabulary) if vocabulary is not None else None
    size = None
    while isinstance(values, list) and values:
        size = len(values)
        values = values[0]
    return size


def _read_numbers(
    document: Document,
    vocabulary: tuple[str, ...] | None,
    samples: Samples,
    model: _Model,
    dtype: np.dtype[np.floating],
) -> dict[str, Any]:
    """Give all that has the model's shapes: targets, weights, initial states."""
    recurrent, linear = model.recurrent, model.linear
    if not check_run(document, **vars(model), batches=samples.batches, itemsize=dtype.itemsize):
        return {}
    is_final = linear is not None and linear.source == "h_n"
    num_outputs = linear.out_features if linear is not None else linear_in_features(recurrent)
    batches = samples.batches
    if document.root.has("target") and samples.classes is None:
        batches = read_target(
            document,
            batches=batches,
            vocabulary=vocabulary,
            num_classes=num_outputs,
            is_final=is_final,
            out_features=num_outputs,
            batch_first=recurrent.batch_first,
            is_batched=samples.is_batched,
            dtype=dtype,
        )
    elif samples.classes is not None:
        _check_classes(document, samples.classes, num_outputs, is_final=is_final)
    parameters, pending = read_weights(document, **vars(model), dtype=dtype)
    initial_state = read_initial_state(
        document,
        recurrent=recurrent,
        cell=model.cell,
        num_rows=batches[0].num_rows,
        is_batched=samples.is_batched,
        dtype=dtype,
    )
    return {
        "batches": batches,
        "test_batches": samples.test_batches,
        "is_batched": samples.is_batched,
        "target_vocabulary": _target_vocabulary(document, vocabulary, samples, num_outputs),
        "parameters": parameters,
        "pending": pending,
        "initial_state": initial_state,
    }


def _check_classes(document: Document, classes: tuple[str, ...], num_outputs: int, *, is_final: bool) -> None:
    """Make sure that the labels of [data] have logits to be compared with."""
    if not is_final:
        place = ("linear", "from") if document.root.has("linear") else ("data",)
        document.problem(place, Text('[data] has one label a row: expected [linear] with `from = "h_n"`'))
    elif num_outputs < len(classes):
        document.problem(
            ("linear", "out_features"),
            Text(
                "`out_features`: found {found}, expected at least {count}, the classes of [data]",
                found=num_outputs,
                count=len(classes),
            ),
        )


def _target_vocabulary(
    document: Document, vocabulary: tuple[str, ...] | None, samples: Samples, num_outputs: int
) -> tuple[str, ...] | None:
    """Give the names of the classes: of [data], or of the vocabulary where the target is made of it."""
    if samples.classes is not None:
        return samples.classes
    target = document.root.raw("target")
    if not isinstance(target, dict) or vocabulary is None:
        return None
    is_letters = "text" in target or ("indices" in target and num_outputs == len(vocabulary))
    return vocabulary if is_letters else None
