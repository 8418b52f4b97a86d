"""From a scenario to a session, away from the screen's own thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.session import Session


def session_of(scenario: Scenario, place: str | None = None) -> Session:
    """Run a complete scenario and open it, at `place` if there is one.

    Raises:
        UsageError: It has no such place.
    """
    from rnnstep.session.run import SessionRun
    from rnnstep.session.session import Session

    session = Session.open(SessionRun.of(scenario))
    return session if place is None else session.at(place)
