"""A run to step through: a scenario, its model and trace, and torch's word on it when it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from rnnstep.engine import Model, Trace
from rnnstep.equations.operations import Array
from rnnstep.scenario.model import Scenario
from rnnstep.session.tree import Spot, Tree

if TYPE_CHECKING:
    from rnnstep.reference import Checked


@dataclass(frozen=True, eq=False)
class Run:
    """Frozen; a change of the scenario makes a new one with the next `revision`."""

    scenario: Scenario
    trace: Trace
    revision: int = 0
    checked: Checked | None = None  # None while torch's numbers are on their way

    @classmethod
    def of(cls, scenario: Scenario, revision: int = 0) -> Run:
        """Run a scenario. Raises UsageError when parameters are pending."""
        return cls(scenario, Model(scenario).run(), revision)

    @cached_property
    def tree(self) -> Tree:
        """The run's places."""
        return Tree(self.trace)

    def with_checked(self, checked: Checked) -> Run:
        """Put torch's numbers beside ours."""
        return replace(self, checked=checked)

    def value(self, spot: Spot, name: str) -> Array:
        """One value of a spot's block at its step, (live rows, n)."""
        assert spot.key is not None
        assert spot.t is not None
        return self.trace.passes[spot.batch].value(spot.key, name, spot.t)

    def row_index(self, spot: Spot, row: int) -> int | None:
        """Where a row of the batch stands among the live ones of a step; None when it is over."""
        assert spot.t is not None
        if self.is_final(spot):
            return row
        rows = self.trace.passes[spot.batch].live_rows(spot.t)
        if rows is None:
            return row
        found = (rows == row).nonzero()[0]
        return int(found[0]) if len(found) else None

    def known(self, spot: Spot, row: int) -> Mapping[str, Array] | None:
        """All that a block's lines read and give at a step, for one row: parameters and vectors; None when the row is over."""
        index = self.row_index(spot, row)
        if index is None:
            return None
        assert spot.key is not None
        assert spot.t is not None
        done = self.trace.passes[spot.batch]
        values = {name: value[index] for name, value in done.values(spot.key, spot.t).items()}
        return {**done.by_key[spot.key].parameters, **values}

    def is_final(self, spot: Spot) -> bool:
        """Whether a spot is in a linear layer on the final states, in which every row takes part."""
        linear = self.scenario.linear
        return spot.key == "linear" and linear is not None and linear.source == "h_n"

    def num_rows(self, batch: int) -> int:
        """B."""
        return self.scenario.batches[batch].num_rows
