"""What is said in text where numbers are not finite: since when, where it begins, and why."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rnnstep.cli.page import TextPage
from rnnstep.language import Text
from rnnstep.reports.gradients import Gradients
from rnnstep.reports.trace import Run
from rnnstep.reports.training import TrainingRun
from rnnstep.scenario.model import Scenario
from rnnstep.session.findings import in_words, written
from rnnstep.session.run import SessionRun as Stepped
from rnnstep.views.compose import wrap

PATIENCE = 600.0  # seconds: no training is gone through further than it was


def of_run(run: Run, page: TextPage) -> Iterator[str]:
    """Say where what a run gives begins not to be finite."""
    passes = run.trace.passes
    if not all(np.isfinite(done.scores).all() and np.isfinite(done.features).all() for done in passes):
        yield from _lines(replace(run.scenario, training=None), page, agrees=run.agrees)


def of_gradients(found: Gradients, page: TextPage) -> Iterator[str]:
    """Say where a loss or a gradient begins not to be finite."""
    for back in found.passes:
        numbers = [np.asarray(back.loss), *back.parameters.values()]
        if not all(np.isfinite(one).all() for one in numbers):
            yield from _lines(replace(found.scenario, training=None), page, agrees=found.agrees)
            return


def of_training(run: TrainingRun, page: TextPage) -> Iterator[str]:
    """Say where a training begins not to be finite."""
    is_finite = all(math.isfinite(epoch.loss) for epoch in run.epochs)
    if not is_finite or not all(np.isfinite(one).all() for one in run.parameters.values()):
        yield from _lines(run.scenario, page, agrees=run.agrees)


def _lines(scenario: Scenario, page: TextPage, *, agrees: bool | None) -> Iterator[str]:
    run = Stepped.of(scenario)
    run.learning.look_on(PATIENCE)
    finding = run.learning.finding
    if finding is None:
        return
    value = written(finding.value)
    words = in_words(run.at_epoch(finding.epoch, 1) if finding.epoch else run, finding)
    is_at_step = finding.phase == "forward" and finding.key != "total"
    both = {"value": value, "step": finding.t + 1, "epoch": finding.epoch + 1}
    if scenario.training is not None and finding.epoch:
        since = (
            Text("both {value} from epoch {epoch}", **both)
            if agrees
            else Text("{value} from epoch {epoch}", **both)
        )
    elif is_at_step:
        since = (
            Text("both {value} from step {step}", **both)
            if agrees
            else Text("{value} from step {step}", **both)
        )
    else:
        since = Text("both {value}", **both) if agrees else Text("{value}", **both)
    for line in wrap(page.say(Text("{since}: {words}", since=since, words=words)), page.width - 2):
        yield f"  {line}"
