"""A run to step through: a scenario, its training, the epoch that is looked at, and torch's word on it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rnnstep.engine import Block, Pass, Trace
from rnnstep.engine.learning import Learning
from rnnstep.equations.operations import Array
from rnnstep.equations.syntax import Line
from rnnstep.network.blocks import Extent
from rnnstep.scenario.model import Batch, Scenario
from rnnstep.session.tree import Spot, Tree

if TYPE_CHECKING:
    from rnnstep.engine.backward import BackwardPass
    from rnnstep.engine.epoch import Epoch, UpdatePass
    from rnnstep.reference import Checked
    from rnnstep.reference.run.pitfalls import TorchWords
    from rnnstep.reference.worker.messages import Trained


@dataclass(frozen=True, eq=False)
class SessionRun:
    """Frozen; a change of the scenario, and another epoch, make a new one with a `revision` of its own.

    Attributes:
        scenario: as it was read or edited: its parameters are those that training begins with.
        learning: its training; of a scenario without one a single epoch.
        epoch: the epoch whose numbers these are. A spot that is asked about is in it.
        revision: tells runs of a session apart.
        checked: torch's word on the forward passes; None while it is on its way.
        cured: the training without the scenario's mistake; None where there is none, and where torch refuses the mistake.
        torch_losses: torch's own loss of each epoch, as far as torch has trained; one list for all epochs' runs.
        refusals: what torch said to the program with the scenario's mistake; one list for all epochs' runs, too.
        kept: what readers make of this run and would make again, by reader; another run begins with nothing.
    """

    scenario: Scenario
    learning: Learning
    epoch: Epoch
    revision: int = 0
    checked: Checked | None = None
    cured: Learning | None = None
    torch_losses: list[float] = field(default_factory=list)
    refusals: list[TorchWords] = field(default_factory=list)
    kept: dict[Any, dict[Hashable, Any]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, scenario: Scenario, revision: int = 0) -> SessionRun:
        """Open a scenario at its first epoch. Raises UsageError when parameters are pending."""
        learning = Learning(scenario)
        epoch = learning.epoch(0)
        epoch.forward(0)  # whoever opens a run looks at it
        run = cls(learning.scenario, learning, epoch, revision)
        cure = scenario.cure
        has_other = cure is not None and cure.pending is None and not run.is_refused
        return (
            replace(run, cured=Learning(cure, is_looked_through=False))
            if cure is not None and has_other
            else run
        )

    def at_epoch(self, index: int, revision: int) -> SessionRun:
        """Another epoch of the same training, from 0. Trains up to it where nobody has yet."""
        return replace(self, epoch=self.learning.epoch(index), revision=revision, checked=None)

    @property
    def is_refused(self) -> bool:
        """Whether torch raises at the scenario's mistake, so that all numbers are those of its cure."""
        return self.scenario.training is not None and self.scenario.training.is_refused

    @property
    def trainings(self) -> tuple[Learning, ...]:
        """The training, and behind it that of the cure."""
        return (self.learning,) if self.cured is None else (self.learning, self.cured)

    @property
    def trace(self) -> Trace:
        """The epoch's forward passes, each of which is run when it is looked at."""
        return self.epoch.trace

    @cached_property
    def tree(self) -> Tree:
        """The places of all epochs."""
        return Tree(self.learning)

    def note_trained(self, part: Trained) -> None:
        """Put what torch's training came to in some epochs behind what is known."""
        if part.index == len(self.torch_losses):
            self.torch_losses.extend(part.losses)
            self.refusals.extend(part.refused)

    def with_checked(self, checked: Checked) -> SessionRun:
        """Put torch's numbers beside the engine's."""
        return replace(self, checked=checked)

    def batch_of(self, number: int) -> Batch:
        """A batch, with what its network feeds itself with this epoch's numbers."""
        return self.trace.passes[number].batch if self.scenario.feeds else self.scenario.batches[number]

    # ── by place ─────────────────────────────────────────────────────────────────────

    def pass_of(self, spot: Spot) -> Pass | BackwardPass | UpdatePass:
        """The pass that a spot of this epoch is in."""
        assert spot.epoch == self.epoch.index
        assert spot.batch is not None
        passed = self.epoch.passed(spot.phase or "forward", spot.batch)
        assert passed is not None
        return passed

    def block(self, spot: Spot) -> Block:
        """The block of a spot, with the parameters that its pass has."""
        assert spot.key is not None
        return self.pass_of(spot).by_key[spot.key]

    def line(self, spot: Spot) -> Line:
        """The equation of a spot that names an operation."""
        assert spot.operation is not None
        return self.block(spot).program.by_name[spot.operation]

    def value(self, spot: Spot, name: str) -> Array:
        """One value of a spot's block at its step: (live rows, n), or of a parameter in its own shape."""
        assert spot.key is not None
        assert spot.t is not None
        return self.pass_of(spot).value(spot.key, name, spot.t)

    def row_index(self, spot: Spot, row: int) -> int | None:
        """Where a row of the batch stands among the live ones of a step; None when it is over."""
        assert spot.key is not None
        assert spot.t is not None
        return self.pass_of(spot).row_index(spot.key, spot.t, row)

    def known(self, spot: Spot, row: int) -> Mapping[str, Array] | None:
        """All that a block's lines read and give at a step, for one row; None when the row is over.

        Vectors and parameters; of the values of a parameter's gradient or update the whole matrix.
        """
        assert spot.key is not None
        assert spot.t is not None
        return self.pass_of(spot).known(spot.key, spot.t, row)

    def is_live(self, spot: Spot, row: int) -> bool:
        """Whether a row of the batch takes part in a step of a block, of any epoch; nothing is run to know it."""
        assert spot.batch is not None
        assert spot.t is not None
        block = self.tree.block(spot)
        if spot.phase == "update" or block.extent is not Extent.LIVE:
            return True
        if spot.phase == "backward" and not self.tree.block(replace(spot, phase="forward")).program.states:
            return True  # all rows go back at once
        return self.scenario.batches[spot.batch].axis(block.sequence).is_live(spot.t, row)

    def num_rows(self, batch: int) -> int:
        """B."""
        return self.scenario.batches[batch].num_rows
