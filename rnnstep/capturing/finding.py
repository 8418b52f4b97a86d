"""What a watched program is stopped for, and the exception that stops it."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.capturing.call import Call
from rnnstep.language import Text, environment_language


@dataclass(frozen=True, slots=True, eq=False)
class Cause:
    """What a watched program was stopped for.

    Attributes:
        text: In words, with the place.
        call: The call in which it is; None where none is recorded.
        at: The place in that call; None: its start.
    """

    text: Text
    call: Call | None = None
    at: str | None = None

    @property
    def place(self) -> str | None:
        """As `Captured.open` takes it: "encoder[2]:12/L0/hh[3]"."""
        return None if self.call is None else f"{self.call.place}:{self.at or 'start'}"


class Stopped(BaseException):
    """A watched program is stopped. No `Exception`, as training loops catch those and go on.

    Attributes:
        finding: Why.
    """

    def __init__(self, finding: Cause) -> None:
        super().__init__(finding.text.into(environment_language()))
        self.finding = finding
