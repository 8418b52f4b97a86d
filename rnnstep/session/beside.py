"""A second run under the same cursor: which one, and what becomes of it when the first is moved, edited or exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.scenario.beside import called
from rnnstep.scenario.beside_value import BesideValue
from rnnstep.scenario.model import Scenario
from rnnstep.session.breakpoints import PATIENCE
from rnnstep.session.edits import Edit, apply
from rnnstep.session.run import SessionRun

if TYPE_CHECKING:
    from rnnstep.reference import Checked


@dataclass(frozen=True, eq=False)
class RunBeside:
    """Frozen; whatever happens to the first run gives a new one.

    Attributes:
        value: what was asked for.
        run: the second run, in the epoch that stands beside the cursor's as far as it is trained.
        scenario: what it was made of, without the edits that it follows.
    """

    value: BesideValue
    run: SessionRun
    scenario: Scenario

    @classmethod
    def of(cls, value: BesideValue, scenario: Scenario, first: SessionRun) -> RunBeside:
        """Run a scenario that lacks nothing beside a first run; that of an epoch is the first run's own training."""
        run = first if value.epoch is not None else SessionRun.of(scenario)
        return cls(value, run, scenario).along(first)

    def names(self, first: SessionRun) -> tuple[Text, Text]:
        """How the first run and this one are called."""
        return called(self.value, first.scenario, self.run.scenario, first.epoch.index)

    def epoch_beside(self, first: SessionRun) -> int:
        """The epoch, from 0, that stands beside the first run's; there may be no such one."""
        return first.epoch.index if self.value.epoch is None else self.value.epoch

    def along(self, first: SessionRun) -> RunBeside:
        """Go along to the epoch beside the first run's, if that is trained in a moment."""
        wanted = min(self.epoch_beside(first), self.run.tree.num_epochs - 1)
        if wanted == self.run.epoch.index or not self.run.learning.reach(wanted, PATIENCE / 4):
            return self
        return replace(self, run=self.run.at_epoch(wanted, self.run.revision + 1))

    def edited(self, first: SessionRun, edits: Sequence[Edit]) -> RunBeside:
        """Follow edits of the first run, where it is the same but for its dtype, its weights or its epoch."""
        if self.value.kind == "epoch":
            return replace(self, run=first, scenario=first.scenario).along(first)
        if self.value.kind == "weights":
            edits = [edit for edit in edits if edit.target.store != "parameters"]
        elif self.value.kind != "dtype":
            return self.along(first)
        run = SessionRun.of(apply(self.scenario, edits), self.run.revision + 1)
        return replace(self, run=run).along(first)

    def turned(self, left: SessionRun, first: SessionRun) -> RunBeside | None:
        """Stand beside another run of the file, its cure or its mistake; None where that cannot be.

        Args:
            left: the run that was the first.
            first: the one that is now.
        """
        match self.value.kind:
            case "cure":
                run = left if first.scenario is self.run.scenario else self.run
                return replace(self, run=run, scenario=run.scenario).along(first)
            case "epoch":
                is_there = self.epoch_beside(first) < first.tree.num_epochs
                return replace(self, run=first, scenario=first.scenario).along(first) if is_there else None
            case "dtype" | "weights":
                scenario = self.scenario if first.scenario.cure is not None else self.scenario.cure
                if scenario is None or scenario.pending is not None:
                    return None
                return replace(self, run=SessionRun.of(scenario, self.run.revision + 1)).along(first)
        return self.along(first)

    def with_checked(self, checked: Checked) -> RunBeside:
        """Put torch's numbers beside the second run's."""
        return replace(self, run=self.run.with_checked(checked))
