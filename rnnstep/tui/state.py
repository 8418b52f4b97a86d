"""All that the debugger shows, as one frozen value: what the keys change and the views read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rnnstep.language import Text
from rnnstep.settings import EDIT_STEP
from rnnstep.views.look import Look

if TYPE_CHECKING:
    from rnnstep.session.lesson import Following
    from rnnstep.session.session import Session


@dataclass(frozen=True, eq=False, slots=True)
class ScreenState:
    """A session and how it is looked at; `session` is None while a scenario is being read.

    Attributes:
        look: How the user wants to see things.
        session: Where the user is in a run.
        name: The scenario that is being read or open, as it is called on the screen.
        waiting: Why there is no session yet, for the opening frame.
        edit_step: What `+` adds and `-` takes.
        following: The lesson that is followed, and at which stop.
        has_card: Whether the card of the first start stands over the screen.
    """

    look: Look
    session: Session | None = None
    name: str = ""
    waiting: Text | None = None
    edit_step: float = EDIT_STEP
    following: Following | None = None
    has_card: bool = False

    def seen(self, **changes: Any) -> ScreenState:
        """Give the state with another look."""
        return replace(self, look=replace(self.look, **changes))

    def say(self, text: Text | None) -> ScreenState:
        """Give the state with a message, or none, in the place of any older one, the session's note too."""
        session = self.session
        if session is not None and session.note is not None:
            session = session.say(None)
        return replace(self.seen(message=text), session=session)
