"""From Python: load a scenario, run it, and set torch's numbers beside."""

from __future__ import annotations

from os import PathLike

from rnnstep.engine import Model, Trace
from rnnstep.export.run import Run
from rnnstep.scenario.bundled import find
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.read import read

__all__ = ["LoadedScenario", "Run", "load", "trace"]


class LoadedScenario:
    """A scenario ready to run: read, complete, and compiled once.

    Attributes:
        scenario: What the file says, frozen.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._model = Model(scenario)

    def run(self) -> Trace:
        """Run the engine alone; every value is kept, or derived bit for bit from kept ones."""
        return self._model.run()

    def __repr__(self) -> str:
        return f"LoadedScenario({self.scenario.name!r})"


def load(path: str | PathLike[str]) -> LoadedScenario:
    """Read a scenario: a path, or the name of a bundled one. torch is imported only for what it alone can draw or read.

    Raises:
        UsageError: There is no such file.
        ScenarioError: The file holds mistakes; all of them, with their places.
    """
    scenario = read(find(str(path)))
    if scenario.pending is not None:
        from rnnstep.reference import complete

        scenario = complete(scenario)
    return LoadedScenario(scenario)


def trace(path: str | PathLike[str]) -> Run:
    """Run a scenario and torch on the same numbers.

    Raises:
        UsageError: There is no such file.
        ScenarioError: The file holds mistakes; all of them, with their places.
    """
    from rnnstep.reference import check

    done = load(path).run()
    return Run(done, check(done))
