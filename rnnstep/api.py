"""From Python: load a scenario, run it, go back through it, train it, and set torch's numbers beside; mark answers."""

from __future__ import annotations

import os
import sys
from os import PathLike

from rnnstep.capturing import Captured, Stopped, Watcher, capture, debug, watch
from rnnstep.checking import answers_of
from rnnstep.checking.marked_sheet import Marks
from rnnstep.engine import Model, Trace
from rnnstep.engine.learning import Learning
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.reports.gradients import Gradients, gradients
from rnnstep.reports.trace import Run
from rnnstep.reports.training import TrainingRun, check_training, training_run
from rnnstep.scenario.bundled import find
from rnnstep.scenario.file.document import Limits
from rnnstep.scenario.model import Scenario
from rnnstep.scenario.overrides import Overrides, overridden
from rnnstep.scenario.read import read, read_text

__all__ = [
    "Captured",
    "Gradients",
    "LoadedScenario",
    "Marks",
    "Run",
    "Stopped",
    "TrainingRun",
    "Watcher",
    "capture",
    "check",
    "debug",
    "grad",
    "load",
    "loads",
    "trace",
    "train",
    "watch",
]


class LoadedScenario:
    """A scenario ready to run: read, or made in memory, complete, and compiled once.

    Attributes:
        scenario: What it says, frozen.
    """

    def __init__(self, scenario: Scenario) -> None:
        scenario = _filled(scenario)
        self.scenario = scenario
        self._model = Model(scenario)

    def run(self) -> Trace:
        """Run the engine alone; every value is kept, or derived bit for bit from kept ones."""
        return self._model.run()

    def open(self, at: str | None = None) -> None:
        """Open the debugger on it, in this terminal; no file is asked for.

        Args:
            at: A place, such as "3/L0/hh[1]".

        Raises:
            UsageError: There is no terminal.
        """
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(Text("the debugger needs a terminal; trace() gives the numbers without one"))
        from rnnstep.tui.here import open_here

        open_here([(self.scenario.name, lambda: self.scenario)], at)

    def save(self, path: str | PathLike[str], *, replace: bool = False) -> None:
        """Write it as a complete scenario file, with its large arrays beside it.

        Args:
            path: Of the scenario file.
            replace: Whether a file that is there may be replaced.

        Raises:
            UsageError: It cannot be written, or a scenario file cannot say what it is.
        """
        from rnnstep.scenario.file.write import write_scenario

        write_scenario(self.scenario, os.fspath(path), replace=replace)

    def __repr__(self) -> str:
        return f"LoadedScenario({self.scenario.name!r})"


Named = str | PathLike[str] | Scenario | LoadedScenario


def load(path: str | PathLike[str]) -> LoadedScenario:
    """Read a scenario: a path, or the name of a bundled one. torch is imported only for what it alone can draw or read.

    Raises:
        UsageError: There is no such file.
        ScenarioError: The file holds mistakes; all of them, with their places.
    """
    return LoadedScenario(_complete(path))


def loads(text: str) -> LoadedScenario:
    """Read a scenario from a string, as `load` reads a file; files that it names are looked for in the working folder.

    >>> loads('''
    ... [input]
    ... values = [[1.0, 2.0]]
    ... [recurrent]
    ... module = "RNN"
    ... hidden_size = 2
    ... [weights]
    ... seed = 0
    ... ''').run().h_n

    Raises:
        ScenarioError: The text holds mistakes; all of them, with their places.
    """
    return LoadedScenario(_filled(read_text(text)))


def trace(path: Named, *, torch: bool = True) -> Run:
    """Run a scenario and torch on the same numbers.

    Args:
        path: Of a scenario, or the name of a bundled one; or a scenario itself.
        torch: Whether torch's numbers are to stand beside; without them `reference` is None, and so is `agrees` where
            nothing was recorded beside the run.

    Raises:
        UsageError: There is no such file, or torch is needed and cannot be imported.
        ScenarioError: The file holds mistakes; all of them, with their places.
    """
    from rnnstep.reference import check

    scenario = _asked(path, torch=torch)
    done = Model(scenario).run()
    return Run(done, check(done) if torch else None)


def grad(path: Named, *, torch: bool = True) -> Gradients:
    """Run a scenario, go back from its loss, and let autograd do the same.

    >>> found = grad("hello")
    >>> found.parameters["weight_hh"]  # ∂L/∂W_hh, in torch's shape
    >>> found.states[3]["h"]  # ∂L/∂h_4, the total derivative, (B, H)
    >>> found.reference.parameters["weight_hh"]  # autograd's

    Args:
        path: Of a scenario, or the name of a bundled one; or a scenario itself.
        torch: Whether autograd's numbers are to stand beside.

    Raises:
        UsageError: There is no such file, no loss to go back from, or torch is needed and cannot be imported.
        ScenarioError: The file holds mistakes; all of them, with their places.
    """
    return gradients(_asked(path, torch=torch), is_beside=torch)


def train(
    path: Named,
    *,
    epochs: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    torch: bool = True,
) -> TrainingRun:
    """Train a scenario with its optimizer; torch's modules and torch.optim from the same start beside it.

    >>> run = train("hello", lr=0.05)
    >>> [epoch.loss for epoch in run.epochs], run.epochs[-1].prediction  # each before its epoch's update
    >>> run.parameters["weight_hh"]  # as trained

    Args:
        path: Of a scenario, or the name of a bundled one; or a scenario itself.
        epochs: How many, in place of the file's.
        lr: The learning rate, in place of the file's.
        seed: From which the weights are drawn anew.
        torch: Whether torch's training is to stand beside.

    Raises:
        UsageError: There is no such file, no [training], a seed beside weights that are arrays, or torch is needed and
            cannot be imported.
        ScenarioError: The file holds mistakes; all of them, with their places.
    """
    scenario = _read(path)
    check_training(scenario)
    run = training_run(
        _with_torch(overridden(scenario, Overrides(epochs, lr, seed)), torch=torch), is_beside=torch
    )
    run.finish()
    return run


def check(path: Named, answers: str | PathLike[str]) -> Marks:
    """Mark a manual calculation.

    >>> found = check("hello", "h_1 = 0.216 0.251 -0.485 -0.094")
    >>> found.score  # how many are right, of how many
    >>> found.marks[0].status, found.remarks(0).mistakes

    Args:
        path: Of a scenario, or the name of a bundled one; or a scenario itself.
        answers: The path of a file of answers (TOML, CSV); or the answers themselves, `NAME = NUMBERS`, one a line.

    Raises:
        UsageError: There is no such file, or an answer cannot be read.
        ScenarioError: A file holds mistakes; all of them, with their places.
    """
    return Marks.of(Learning(_complete(path)), answers_of([str(answers)], Limits()))


def _read(path: Named) -> Scenario:
    if isinstance(path, Scenario):
        return path
    return path.scenario if isinstance(path, LoadedScenario) else read(find(str(path)))


def _asked(path: Named, *, torch: bool) -> Scenario:
    return _with_torch(_read(path), torch=torch)


def _with_torch(scenario: Scenario, *, torch: bool) -> Scenario:
    """A complete scenario; torch can be imported where it is asked for, and need not be where it is not."""
    from rnnstep.reference import complete, forbid, require

    if torch:
        require()
    else:
        forbid(scenario.pending)
    return complete(scenario)


def _complete(path: Named) -> Scenario:
    return _filled(_read(path))


def _filled(scenario: Scenario) -> Scenario:
    if scenario.pending is None:
        return scenario
    from rnnstep.reference import complete

    return complete(scenario)
