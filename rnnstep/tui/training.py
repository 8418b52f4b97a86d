"""Training goes on beside the screen, so that the loss curve grows while one looks and any epoch can be gone to.

On the way the run is looked through for the first number that is not finite; one without epochs, too.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnstep.session.run import SessionRun

TELLING = 0.25  # seconds between two repaints for the curve's sake
REST = 0.002  # seconds that an epoch leaves to the keys


class TrainingThread:
    """Goes through the epochs of the run that is looked at, in a thread; those of its cure after it."""

    def __init__(self, later: Callable[..., object], told: Callable[[], None]) -> None:
        """Take the way to the screen's thread, and what is called there when more epochs are done."""
        self._later = later
        self._told = told
        self._run: SessionRun | None = None

    def follow(self, run: SessionRun) -> None:
        """Train this run, and no other any more; another epoch of the same training goes on as it is."""
        is_known = self._run is not None and self._run.learning is run.learning
        self._run = run
        if not is_known:
            threading.Thread(target=self._train, args=(run,), daemon=True, name="rnnstep-training").start()

    def stop(self) -> None:
        """Train no more."""
        self._run = None

    def _is_wanted(self, run: SessionRun) -> bool:
        return self._run is not None and self._run.learning is run.learning

    def _train(self, run: SessionRun) -> None:
        if run.learning.num_epochs == 1:
            run.learning.look_on(math.inf, lambda: self._is_wanted(run))
            if run.learning.finding is not None and self._is_wanted(run):
                self._later(self._told)
            return
        told, has_told = time.monotonic(), False
        for learning in run.trainings:
            while self._is_wanted(run) and len(learning.records) < learning.num_epochs:
                learning.advance()
                is_found = run.learning.finding is not None and not has_told
                if is_found or time.monotonic() - told > TELLING:
                    told, has_told = time.monotonic(), has_told or is_found
                    self._later(self._told)
                time.sleep(REST)
        if self._is_wanted(run):
            self._later(self._told)
