"""A training as JSON and CSV, an epoch at a time as it is done, and its weights as safetensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np

from rnnstep.export.csv_text import csv_line
from rnnstep.export.json_text import members
from rnnstep.export.training import CureEpoch, EpochResult, Prediction, TrainingRun

Result = EpochResult | CureEpoch


# ── JSON ─────────────────────────────────────────────────────────────────────────────


def json_pieces(run: TrainingRun, results: Iterable[EpochResult]) -> Iterator[str]:
    """Give the text of the whole, one line an epoch, as `results` come."""
    yield "{"
    yield from members({"epochs": (_epoch(run, result) for result in results)})
    yield ","
    yield from members(_rest(run))
    yield "}\n"


def training_dict(run: TrainingRun) -> dict[str, Any]:
    """Give the same as a dictionary of plain lists and numbers."""
    return {"epochs": [_epoch(run, result) for result in run.epochs], **_rest(run)}


def _rest(run: TrainingRun) -> dict[str, Any]:
    cure = {} if run.cure is None else {"cure": {"epochs": [_plain(result) for result in run.cure]}}
    return {**_mistake(run), **cure, "max_abs_diff": run.max_abs_diff, "agrees": run.agrees}


def _mistake(run: TrainingRun) -> dict[str, Any]:
    """The mistake made on purpose; where torch refuses it, with its words: the epochs are then the cure's."""
    training = run.scenario.training
    if training is None or training.mistake is None:
        return {}
    refused = [f"{words.error}: {words.message}" for words in run.torch_words]
    return {"mistake": {"name": training.mistake, **({"refused": refused} if run.is_refused else {})}}


def _epoch(run: TrainingRun, result: EpochResult) -> dict[str, Any]:
    found = _plain(result)
    if run.is_module or run.comparison is None:
        found["reference_loss"] = result.reference_loss
    else:
        found |= {"reference_loss": None, "self_check_loss": result.reference_loss}
    if result.test_accuracy is not None:
        found |= {"accuracy": result.accuracy, "test_accuracy": result.test_accuracy}
    return found


def _plain(result: Result) -> dict[str, Any]:
    said = result.prediction
    prediction = {} if said is None else {"prediction": said if isinstance(said, str) else list(said)}
    return {"epoch": result.epoch, "loss": result.loss, **prediction}


# ── CSV ──────────────────────────────────────────────────────────────────────────────


def csv_pieces(run: TrainingRun, results: Iterable[EpochResult]) -> Iterator[str]:
    """Give the text, the header first, one line an epoch; what there is none of stays empty."""
    cure = ("cure_loss", "cure_prediction") if run.cure is not None else ()
    yield csv_line(("epoch", "loss", "reference_loss", "prediction", "accuracy", "test_accuracy", *cure))
    for result in results:
        shown = (
            result.epoch,
            result.loss,
            _number(result.reference_loss),
            joined(result.prediction),
            _number(result.accuracy),
            _number(result.test_accuracy),
        )
        yield csv_line((*shown, *_cured(run, result)))


def _cured(run: TrainingRun, result: EpochResult) -> tuple[Any, ...]:
    if run.cure is None:
        return ()
    if result.epoch > len(run.cure):
        return ("", "")
    cured = run.cure[result.epoch - 1]
    return (cured.loss, joined(cured.prediction))


def joined(said: Prediction | None) -> str:
    """Give what is said as one string, rows with a blank between."""
    if said is None:
        return ""
    return said if isinstance(said, str) else " ".join(said)


def _number(value: float | None) -> float | str:
    return "" if value is None else value


# ── weights ──────────────────────────────────────────────────────────────────────────


def write_weights(run: TrainingRun, file: IO[bytes]) -> None:
    """Write the parameters as trained so far as safetensors, under torch's names and in the scenario's dtype."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(value) for name, value in run.parameters.items()}
    file.write(save(arrays, metadata={"format": "pt"}))
