"""From a file to a session, away from the screen's own thread."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rnnstep.tui.options import Options
from rnnstep.tui.sources import Source

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.session import Session


def read(source: Source, options: Options) -> Scenario:
    """Read a source's file.

    Raises:
        UsageError: It cannot be read.
        ScenarioError: It holds mistakes.
    """
    from rnnstep.scenario.file.document import Limits
    from rnnstep.scenario.read import read as read_file

    limits = Limits(allow_outside=options.allow_outside)
    if options.memory_limit is not None:
        limits = replace(limits, memory=options.memory_limit)
    return read_file(
        source.path,
        limits,
        dtype=options.dtype,
        decimals=options.decimals,
        language=options.language,
        usual_decimals=options.settings.decimals,
    )


def session_of(scenario: Scenario, place: str | None = None) -> Session:
    """Run a complete scenario and open it, at `place` if there is one.

    Raises:
        UsageError: It has no such place.
    """
    from rnnstep.session.run import Run
    from rnnstep.session.session import Session

    session = Session.open(Run.of(scenario))
    return session if place is None else session.at(place)
