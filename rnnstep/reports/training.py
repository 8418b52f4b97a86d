"""A training with torch's beside it, epoch by epoch, and its JSON and CSV: what `rnnstep.train` gives. Its weights as safetensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from rnnstep.engine import Model
from rnnstep.engine.prediction import Score, prediction, score
from rnnstep.engine.trainer import Record, State, Trainer
from rnnstep.equations.operations import Array
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.reports.formats import csv_line, members
from rnnstep.reports.gradients import check_loss
from rnnstep.reports.trace import verdict
from rnnstep.scenario.model import Batch, Scenario

if TYPE_CHECKING:
    from rnnstep.reference import TorchWords, TrainingComparison

Prediction = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EpochResult:
    """What an epoch came to, before its update.

    Attributes:
        epoch: which, from 1.
        loss: the loss; of several batches their mean, each before its own update.
        prediction: what a batch of one says; else what each row says; None where there are no classes.
        reference_loss: torch's loss; of a user-defined cell that of its equations in torch's operations; None where
            torch was not asked, as the difference and the agreement are then.
        difference: how far the two are apart, each training on its own way.
        accuracy: the share of right answers; None without classes.
        test_accuracy: that of the rows kept apart; None without them.
        agrees: whether all that was judged of it, from torch's own numbers before its updates, is torch's.
    """

    epoch: int
    loss: float
    prediction: Prediction | None
    reference_loss: float | None
    difference: float | None
    accuracy: float | None
    test_accuracy: float | None
    agrees: bool | None


@dataclass(frozen=True, slots=True)
class CureEpoch:
    """What an epoch of the cure came to, before its update; as `EpochResult`."""

    epoch: int
    loss: float
    prediction: Prediction | None
    accuracy: float | None


class _Course:
    """A training without torch's beside it, as far as it has gone: the cure's, or all there is."""

    def __init__(self, scenario: Scenario) -> None:
        assert scenario.training is not None
        self.scenario = scenario
        self.num_epochs = scenario.training.epochs
        self.trainer = Trainer(Model(scenario))
        self.state = self.trainer.start()

    def advance(self) -> Record:
        """Go through an epoch."""
        record, self.state = self.trainer.advance(self.state)
        return record


class TrainingRun:
    """A scenario's training as far as it has gone, torch's modules and torch.optim from the same start beside it.

    Attributes:
        scenario: what is trained.
        num_epochs: how many epochs there are.
        epochs: what those came to that are done.
        comparison: both trainings, and what comparing them gave; None where torch was not asked.
        cure: what the epochs of the scenario's cure came to; None without one, and where torch refuses the
            mistake, so that what is trained is the cure.
        is_refused: whether torch raises at the scenario's mistake; what is trained then is the cure.
        torch_words: what torch said to the program with the mistake, where it refuses that.
    """

    def __init__(self, scenario: Scenario, *, is_beside: bool = True) -> None:
        check_training(scenario)
        from rnnstep.reference import TrainingComparison, torch_words

        training = scenario.training
        assert training is not None
        self.scenario = scenario
        self.num_epochs = training.epochs
        self.epochs: list[EpochResult] = []
        self.comparison = TrainingComparison(scenario) if is_beside else None
        self._ours: TrainingComparison | _Course = self.comparison or _Course(scenario)
        self.is_refused = training.is_refused
        self._cured = _Course(scenario.cure) if scenario.cure is not None and not self.is_refused else None
        self.cure: list[CureEpoch] | None = None if self._cured is None else []
        self.torch_words: tuple[TorchWords, ...] = (
            torch_words(scenario) if self.is_refused and is_beside else ()
        )

    @property
    def is_module(self) -> bool:
        """Whether torch.nn has this module; else what stands beside is a self-check."""
        return not self.scenario.has_own_cells

    @property
    def is_done(self) -> bool:
        """Whether all epochs are."""
        return len(self.epochs) >= self.num_epochs

    def advance(self) -> EpochResult:
        """Go through one more epoch, of the engine's, of torch's, and of the cure's."""
        done = None if self.comparison is None else self.comparison.advance()
        if done is None:
            assert isinstance(self._ours, _Course)
            record = self._ours.advance()
        else:
            record = done.record
        result = EpochResult(
            epoch=len(self.epochs) + 1,
            loss=record.loss,
            prediction=single(self.scenario, record.prediction),
            reference_loss=None if done is None else done.torch.loss,
            difference=None if done is None else done.difference,
            accuracy=record.accuracy,
            test_accuracy=record.test_accuracy,
            agrees=None if done is None else done.agrees,
        )
        cured = self._cured
        if cured is not None and self.cure is not None and len(self.cure) < cured.num_epochs:
            other = cured.advance()
            said = single(cured.scenario, other.prediction)
            self.cure.append(CureEpoch(result.epoch, other.loss, said, other.accuracy))
        self.epochs.append(result)
        return result

    def finish(self) -> None:
        """Go through all epochs that are left."""
        while not self.is_done:
            self.advance()

    @property
    def updates(self) -> int:
        """How many updates were made."""
        return self._ours.state.updates

    @property
    def parameters(self) -> dict[str, Array]:
        """The parameters as trained so far, under torch's names; copies."""
        trained = self._ours.trainer.parameters_at(self._ours.state)
        return {name: value.copy() for name, value in trained.items()}

    @property
    def after(self) -> Record:
        """What the model comes to as trained so far, from the scenario's own first states."""
        return _asked(self._ours.trainer, self._ours.state)

    @property
    def cure_after(self) -> Record | None:
        """The same of the cure."""
        return None if self._cured is None else _asked(self._cured.trainer, self._cured.state)

    @property
    def max_abs_diff(self) -> dict[str, float] | None:
        """How far the losses are apart at most, each training on its own way."""
        return None if self.comparison is None else self.comparison.max_abs_diff

    @property
    def agrees(self) -> bool | None:
        """Whether our training is torch's, judged update by update from torch's own numbers."""
        return None if self.comparison is None else self.comparison.agrees

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain lists and numbers, as `rnnstep train --format json` prints it."""
        return training_dict(self)

    def __repr__(self) -> str:
        return (
            f"TrainingRun({self.scenario.name!r}, {len(self.epochs)} epochs, {verdict(agrees=self.agrees)})"
        )


def training_run(scenario: Scenario, *, is_beside: bool = True) -> TrainingRun:
    """Make a scenario ready to be trained, what only torch can draw put in, its cure's as well; torch beside if it is to.

    Raises:
        UsageError: There is no [training], or nothing to learn.
    """
    check_training(scenario)
    from dataclasses import replace

    from rnnstep.reference import complete

    cure = None if scenario.cure is None else complete(scenario.cure)
    return TrainingRun(replace(complete(scenario), cure=cure), is_beside=is_beside)


def check_training(scenario: Scenario) -> None:
    """Make sure that a scenario can be trained.

    Raises:
        UsageError: It cannot.
    """
    check_loss(scenario)
    if scenario.training is None:
        raise UsageError(
            Text(
                '{name}: there is no [training]; add one, such as optimizer = "Adam", lr = 0.1, epochs = 15',
                name=scenario.name,
            )
        )


def single(scenario: Scenario, said: Sequence[str] | None) -> Prediction | None:
    """Give one string for a batch of one, else one a row."""
    if said is None:
        return None
    is_single = len(scenario.batches) == 1 and scenario.batches[0].num_rows == 1
    return said[0] if is_single else tuple(said)


def wanted(scenario: Scenario) -> Prediction | None:
    """Give what is to be answered, written as the prediction is; None where it is numbers. `_` counts for nothing."""
    words = [
        _wanted_word(scenario, batch, row) for batch in scenario.batches for row in range(batch.num_rows)
    ]
    return None if None in words else single(scenario, [word for word in words if word is not None])


def _wanted_word(scenario: Scenario, batch: Batch, row: int) -> str | None:
    target = batch.target
    if target is None or target.dtype.kind not in "iu":
        return None
    length = scenario.scored(batch).true_lengths[row]
    classes = [int(target[row])] if target.ndim == 1 else target[:length, row].tolist()
    names = scenario.class_names or ()
    ignored = scenario.loss.ignore_index if scenario.loss is not None else -100
    spelt = ["_" if one == ignored else names[one] if 0 <= one < len(names) else str(one) for one in classes]
    return ("" if names and all(len(name) == 1 for name in names) else " ").join(spelt)


def _asked(trainer: Trainer, state: State) -> Record:
    """What a model comes to with a state's parameters, from the scenario's own first states."""
    model = trainer.model_of(State(state.parameters, updates=state.updates))
    losses: list[float] = []
    said: list[str] = []
    right, test = Score(), Score()
    for done in model.passes():
        assert done.loss is not None
        losses.append(done.loss)
        said += prediction(done) or ()
        right += score(done)
    for index in range(len(trainer.scenario.test_batches)):
        test += score(model.run_test_batch(index))
    return Record(0, float(np.mean(losses)), tuple(said) or None, right.share, test.share)


# ── JSON and CSV ─────────────────────────────────────────────────────────────────────────────────

Result = EpochResult | CureEpoch


# ── JSON ─────────────────────────────────────────────────────────────────────────────


def training_json(run: TrainingRun, results: Iterable[EpochResult]) -> Iterator[str]:
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


def training_csv(run: TrainingRun, results: Iterable[EpochResult]) -> Iterator[str]:
    """Give the text, the header first, one line an epoch; what there is none of stays empty."""
    cure = ("cure_loss", "cure_prediction") if run.cure is not None else ()
    yield csv_line(("epoch", "loss", "reference_loss", "prediction", "accuracy", "test_accuracy", *cure))
    for result in results:
        shown = (
            result.epoch,
            result.loss,
            _number(result.reference_loss),
            joined_classes(result.prediction),
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
    return (cured.loss, joined_classes(cured.prediction))


def joined_classes(said: Prediction | None) -> str:
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
