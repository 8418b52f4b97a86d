"""What pages, the picker and questions have in common: they go once, whatever asks them to."""

from __future__ import annotations

from textual.await_complete import AwaitComplete
from textual.screen import ModalScreen, ScreenResultType


class Modal(ModalScreen[ScreenResultType]):
    """A screen over the debugger; when it is gone, or covered, nothing dismisses it."""

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Go, with a result; a second time (another key, a click on what is still seen) nothing is popped."""
        return super().dismiss(result) if self.is_current else AwaitComplete()
