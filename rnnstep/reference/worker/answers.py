"""What the worker answers: torch's numbers of an epoch, batch by batch and phase by phase, and torch's own training."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from rnnstep.engine import Model
from rnnstep.engine.epoch import Epoch
from rnnstep.engine.trainer import Trainer
from rnnstep.reference.judge.backward import judge_gradients
from rnnstep.reference.judge.findings import NotWanted
from rnnstep.reference.judge.forward import judge
from rnnstep.reference.judge.run_bounds import RunErrors
from rnnstep.reference.judge.update import judge_update
from rnnstep.reference.judge.whole_run import TorchAnswer
from rnnstep.reference.run.forward import run_reference
from rnnstep.reference.run.gradients import run_gradients
from rnnstep.reference.run.pending_parameters import complete
from rnnstep.reference.run.pitfalls import torch_words
from rnnstep.reference.run.training import TorchTraining, run_update
from rnnstep.reference.worker.messages import Completed, PlaceInTraining, Referenced, Reply, Request, Trained
from rnnstep.scenario.model import Scenario

INNER_BYTES = (
    32 << 20
)  # inner values that are worth the way through a pipe; as many bytes again of lines' gradients
SHARE_BYTES = 16 << 20
OTHERS_SECONDS = 20.0  # after which batches that were not asked for are left out
COURSE_SECONDS = 0.2  # of training between two messages


class Answering:
    """Answers one request after another. What was made ready for a scenario serves the other epochs of its training.

    Args:
        has_newer: whether what is being worked on is wanted no more.
    """

    def __init__(self, has_newer: Callable[[], bool]) -> None:
        self._has_newer = has_newer
        self._training = -1
        self._trainer: Trainer | None = None
        self._had_course = False
        self.course: Course | None = None
        """torch's own training of the scenario, which goes on while nothing is asked; None where there is none."""

    def replies(self, request: Request) -> Iterator[Reply]:
        """Give replies, the most urgent first, until all is said or something newer is asked."""
        try:
            yield from self._replies(request)
        except NotWanted:
            return

    def _replies(self, request: Request) -> Iterator[Reply]:
        scenario, place = request.scenario, request.place or PlaceInTraining(request.revision)
        if scenario.pending is not None:
            names = scenario.pending.names
            scenario = complete(scenario)
            yield Completed(request.revision, {name: scenario.parameters[name] for name in names})
        trainer = self._trainer
        if trainer is None or self._training != place.training:
            trainer = self._trainer = Trainer(Model(scenario))
            self._training, self.course, self._had_course = place.training, None, False
        epoch = Epoch(place.epoch, trainer, trainer.start() if place.state is None else place.state)
        end = time.monotonic() + OTHERS_SECONDS
        others = [batch for batch in range(epoch.num_batches) if batch != place.batch]
        for batch in (place.batch, *others):
            if batch != place.batch and time.monotonic() > end:
                break
            for answer in self._answers(epoch, batch, in_parts=batch == place.batch):
                yield Referenced(request.revision, batch, answer)
                if self._has_newer():
                    return
        if not self._had_course and epoch.has_update:
            self.course, self._had_course = Course(place.training, trainer.scenario), True

    def _answers(self, epoch: Epoch, batch: int, *, in_parts: bool) -> Iterator[TorchAnswer]:
        """Torch's word on a batch, all at once; or on the forward pass first, since the rest takes longer."""
        done, share = epoch.forward(batch), INNER_BYTES // epoch.num_batches
        errors = RunErrors(done)
        reference = run_reference(done, inner_bytes=share)
        forward = reference, judge(done, reference, errors, self._is_wanted)
        back = epoch.backward(batch)
        has_word = back is not None and back.has_torchs_word
        if not has_word or in_parts:
            yield TorchAnswer(forward)
        if back is None or not has_word:
            return
        shares, given = SHARE_BYTES // epoch.num_batches, back.given_outside
        gradients = run_gradients(done, given=given, inner_bytes=share, share_bytes=shares)
        backward = gradients, judge_gradients(back, gradients, errors, self._is_wanted)
        update, training = epoch.update(batch), done.scenario.training
        stepped = None
        if update is not None and training is not None:
            torch = run_update(update, training)
            stepped = torch, judge_update(update, torch)
        yield TorchAnswer(None if in_parts else forward, backward, stepped)

    def _is_wanted(self) -> bool:
        return not self._has_newer()


class Course:
    """One scenario's training in torch, as far as it was gone through while there was nothing else to do."""

    def __init__(self, revision: int, scenario: Scenario) -> None:
        assert scenario.training is not None
        self._revision = revision
        self._refused = torch_words(scenario)
        self._left = iter(range(scenario.training.epochs))
        self._training = TorchTraining(scenario)

    def next(self) -> Trained | None:
        """Go on for a little while; give the epochs gone through, or None when there are no more."""
        end = time.monotonic() + COURSE_SECONDS
        epochs = []
        for index in self._left:
            epochs.append(self._training.epoch(index))
            if time.monotonic() > end:
                break
        if not epochs:
            return None
        losses, said = tuple(epoch.loss for epoch in epochs), tuple(epoch.prediction for epoch in epochs)
        refused, self._refused = self._refused, ()
        return Trained(self._revision, epochs[0].index, losses, said, refused)
