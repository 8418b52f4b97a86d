"""torch's process as the screen uses it: requests go out, replies come back on the screen's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.reference import Checked
    from rnnstep.scenario.model import Floats, Scenario
    from rnnstep.session.run import Run


class Torch(Protocol):
    """What the debugger asks of torch. Answers come later, by calls on the screen's thread."""

    def check(self, run: Run, done: Callable[[Checked | Text], None]) -> None:
        """Ask for torch's numbers beside a run's; a `Text` says why there are none."""

    def complete(self, scenario: Scenario, done: Callable[[dict[str, Floats] | Text], None]) -> None:
        """Ask for the parameters that a scenario waits for."""

    def close(self) -> None:
        """End the process."""
