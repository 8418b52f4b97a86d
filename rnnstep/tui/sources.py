"""The scenarios that were asked for: files, by the paths that the user gave, and those made in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rnnstep.language.printable import printable
from rnnstep.scenario import bundled
from rnnstep.tui.options import Options

if TYPE_CHECKING:
    from rnnstep.scenario.file.document import Limits
    from rnnstep.scenario.lesson import Lesson
    from rnnstep.scenario.model import Scenario


@dataclass(frozen=True, slots=True)
class FileSource:
    """A scenario file, by the path that the user gave."""

    path: Path

    @property
    def name(self) -> str:
        """How it is called on the screen."""
        return printable(self.path.stem)

    @property
    def word(self) -> str:
        """What brings the user back to it on the command line: its path, or its bundled name."""
        return bundled.name_of(self.path) or str(self.path)

    def stamp(self) -> tuple[int, int] | None:
        """Give what changes when the file does; None when it cannot be seen."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def read_lesson(self, options: Options) -> Lesson | None:
        """Read the file where it is a lesson; None where it is a scenario.

        Raises:
            UsageError: It cannot be read.
            ScenarioError: It is a lesson that holds mistakes.
        """
        from rnnstep.scenario.lesson import read_lesson

        return read_lesson(self.path, limits_of(options))

    def read(self, options: Options) -> Scenario:
        """Read the file.

        Raises:
            UsageError: It cannot be read.
            ScenarioError: It holds mistakes.
        """
        from rnnstep.scenario.read import read

        return read(
            self.path,
            limits_of(options),
            dtype=options.dtype,
            decimals=options.decimals,
            language=options.language,
            usual_decimals=options.settings.decimals,
        )


@dataclass(frozen=True, slots=True)
class LiveSource:
    """A scenario that is made in memory: no file stands behind it until it is saved.

    Attributes:
        called: Its name.
        make: Gives it, when it is looked at: there may be many, and large.
    """

    called: str
    make: Callable[[], Scenario]

    @classmethod
    def of(cls, scenario: Scenario) -> LiveSource:
        """Give the source of a scenario that is there."""
        return cls(scenario.name, lambda: scenario)

    @property
    def path(self) -> None:
        """None: nothing is remembered of it from one start to the next."""

    @property
    def word(self) -> None:
        """None: no command line comes back to it."""

    @property
    def name(self) -> str:
        """How it is called on the screen."""
        return printable(self.called)

    def stamp(self) -> None:
        """Give None: no other program changes it."""

    def read_lesson(self, options: Options) -> None:
        """Give None: it is a scenario."""

    def read(self, options: Options) -> Scenario:
        """Give it, shown as the options ask."""
        scenario = self.make()
        display = scenario.display
        if options.decimals is not None:
            display = replace(display, decimals=options.decimals)
        if options.language is not None:
            display = replace(display, language=cast(Any, options.language))
        return scenario if display is scenario.display else replace(scenario, display=display)


Source = FileSource | LiveSource


def limits_of(options: Options) -> Limits:
    """Give what a file may ask for, as the options say."""
    from rnnstep.scenario.file.document import Limits

    limits = Limits(allow_outside=options.allow_outside)
    return limits if options.memory_limit is None else replace(limits, memory=options.memory_limit)
