"""The screens that the likely next keys will show, drawn while nobody presses one.

A state alone decides what stands on the screen, so that the next one can be drawn before it is asked for; one who steps
on with →, or keeps to another key, then waits for the terminal alone. Nothing is drawn ahead that would have to be
computed first: the backward pass of a batch, another epoch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnstep.tui.commands import obey
from rnnstep.tui.state import ScreenState
from rnnstep.views.commands import BY_ID

if TYPE_CHECKING:
    from textual.geometry import Size
    from textual.timer import Timer

    from rnnstep.views.rows import Row

PAUSE = 0.012
"""Seconds after a repaint: it is written by then, and a key that is held down comes again some 30 ms after itself."""

_STEADY = frozenset({"right", "left", "next_step", "previous_step"})
"""Commands that are given again and again."""

_LIKELY = "right"
"""The command that may follow any other."""

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
    """Draws a few states ahead.

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
        self._expected: ScreenState | None = None
        self._drawn: list[_Drawn] = []

    def obeyed(self, state: ScreenState, command: str, key: str) -> ScreenState | None:
        """Give the state after a command that a key gave; None for a command that needs more than the state."""
        for drawn in self._drawn:
            if (drawn.before, drawn.command, drawn.key) == (state, command, key):
                return drawn.after
        return obey(state.seen(last_key=key).say(None), command)

    def rows(self, state: ScreenState, size: Size) -> list[Row] | None:
        """Give the rows of a state, where they were drawn ahead."""
        for drawn in self._drawn:
            if drawn.after is state and drawn.size == size:
                return drawn.rows
        return None

    def expect(self, state: ScreenState, command: str, size: Size) -> None:
        """Draw, in a moment, what the command that led here makes of this state if it comes again, and what → does."""
        self.forget()
        if state.session is not None and state.session.level in _NEAR:
            self._expected = state
            commands = dict.fromkeys([command, _LIKELY] if command in _STEADY else [_LIKELY])
            self._look_later(state, list(commands), size)

    def forget(self) -> None:
        """Drop what was drawn: something else was done, or came."""
        self._drawn = []
        self._expected = None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _look_later(self, state: ScreenState, commands: list[str], size: Size) -> None:
        self._timer = self._later(PAUSE, lambda: self._look(state, commands, size))

    def _look(self, state: ScreenState, commands: list[str], size: Size) -> None:
        if state is not self._expected:  # the timer had run out already when it was stopped
            return
        command, *others = commands
        key = state.look.key(BY_ID[command])
        with contextlib.suppress(Exception):  # it will come again when the key does, and is told then
            after = self.obeyed(state, command, key)
            if after is not None and _is_near(state, after):
                self._drawn.append(_Drawn(state, command, key, after, size, self._draw(after, size)))
        if others:
            self._look_later(state, others, size)


def _is_near(before: ScreenState, after: ScreenState) -> bool:
    """Whether both are in the same pass of the same batch."""
    here, there = (None if state.session is None else state.session.spot for state in (before, after))
    if here is None or there is None:
        return False
    return (here.epoch, here.batch, here.phase) == (there.epoch, there.batch, there.phase)
