"""The screen that a further press of the same key will show, drawn while nobody presses one.

A state alone decides what stands on the screen, so that the next one can be drawn before it is asked for; one who steps
on with → then waits for the terminal alone. Nothing is drawn ahead that would have to be computed first: the way
back of a batch, another epoch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnstep.tui.commands import obey
from rnnstep.tui.state import ScreenState

if TYPE_CHECKING:
    from textual.geometry import Size
    from textual.timer import Timer

    from rnnstep.views.rows import Row

PAUSE = 0.012
"""Seconds after a repaint: it is written by then, and a key that is held down comes again some 30 ms after itself."""

_STEADY = frozenset({"right", "left", "next_step", "previous_step"})
"""Commands that are given again and again."""

_NEAR = ("step", "block", "operation", "element", "term")
"""Levels at which the next place is seldom one that is to be computed first."""


@dataclass(frozen=True, eq=False)
class _Drawn:
    """What a command, given by a key, makes of a state, and the rows of that at a size."""

    before: ScreenState
    command: str
    key: str
    after: ScreenState
    size: Size
    rows: list[Row]


class Ahead:
    """Draws one state ahead.

    Args:
        later: `later(seconds, function)` calls a function on the screen's thread, and gives what can be stopped.
        draw: Gives the rows of a state at a size.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], Timer],
        draw: Callable[[ScreenState, Size], list[Row]],
    ) -> None:
        self._later = later
        self._draw = draw
        self._timer: Timer | None = None
        self._drawn: _Drawn | None = None

    def obeyed(self, state: ScreenState, command: str, key: str) -> ScreenState | None:
        """Give the state after a command that a key gave; None for a command that needs more than the state."""
        drawn = self._drawn
        if drawn is not None and (drawn.before, drawn.command, drawn.key) == (state, command, key):
            return drawn.after
        return obey(state.seen(last_key=key).say(None), command)

    def rows(self, state: ScreenState, size: Size) -> list[Row] | None:
        """Give the rows of a state, where they were drawn ahead."""
        drawn = self._drawn
        return drawn.rows if drawn is not None and drawn.after is state and drawn.size == size else None

    def expect(self, state: ScreenState, command: str, key: str, size: Size) -> None:
        """Draw, in a moment, what the same command would make of this state, if it is one that is given again and again."""
        self.forget()
        if command in _STEADY and state.session is not None and state.session.level in _NEAR:
            self._timer = self._later(PAUSE, lambda: self._look(state, command, key, size))

    def forget(self) -> None:
        """Drop what was drawn: something else was done, or came."""
        self._drawn = None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _look(self, state: ScreenState, command: str, key: str, size: Size) -> None:
        with contextlib.suppress(Exception):  # it will come again when the key does, and is told then
            after = self.obeyed(state, command, key)
            if after is not None and _is_near(state, after):
                self._drawn = _Drawn(state, command, key, after, size, self._draw(after, size))


def _is_near(before: ScreenState, after: ScreenState) -> bool:
    """Whether both are in the same pass of the same batch."""
    here, there = (None if state.session is None else state.session.spot for state in (before, after))
    if here is None or there is None:
        return False
    return (here.epoch, here.batch, here.phase) == (there.epoch, there.batch, there.phase)
