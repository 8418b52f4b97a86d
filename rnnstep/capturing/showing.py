"""Recorded calls on a screen: the debugger in a terminal; where there is none, a picture of its screen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rnnstep.errors import UsageError
from rnnstep.language import Text, environment_language

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario

IN_A_TERMINAL = Text('to step through it: seen.save("calls"), then in a terminal: rnnstep calls')


def is_in_a_loop() -> bool:
    """Whether an event loop runs in this thread, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def has_terminal() -> bool:
    """Whether the debugger can be opened here."""
    return not is_in_a_loop() and sys.stdin.isatty() and sys.stdout.isatty()


def show(scenarios: Sequence[tuple[str, Callable[[], Scenario]]], at: str | None) -> None:
    """Open the debugger on scenarios, by their names and what gives them, at a place of the first; in a notebook show it as a picture, and how to get to a terminal.

    Raises:
        UsageError: There is neither a terminal nor a notebook.
    """
    if has_terminal():
        from rnnstep.tui.here import open_here

        open_here(scenarios, at)
        return
    displayed = _display()
    if displayed is None:
        raise UsageError(
            Text('the debugger needs a terminal; seen.save("calls") writes what `rnnstep calls` opens in one')
        )
    displayed(view(scenarios[0][1](), at, 100, 32))
    displayed(Said(IN_A_TERMINAL.into(environment_language())))


class Said:
    """A line that a notebook shows as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _display() -> Any:
    """What shows an object in a notebook; None outside of one."""
    shell = sys.modules.get("IPython")
    if shell is None or shell.get_ipython() is None:
        return None
    from importlib import import_module

    return import_module("IPython.display").display


def view(scenario: Scenario, at: str | None, width: int, height: int) -> Any:
    """Give the screen at a place of a scenario as a picture."""
    from rnnstep.tui.here import still

    return still(scenario, at, width, height)
