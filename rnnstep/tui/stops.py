"""From stop to stop: what Tab, a presenter's remote, a digit and the list of stops do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rnnstep.language import Text

if TYPE_CHECKING:
    from rnnstep.session.lesson import Following
    from rnnstep.tui.host import Host
    from rnnstep.tui.state import ScreenState


def next_stop(debugger: Host) -> None:
    """`Tab`: show what is asked, else go to the next stop; from elsewhere back to numbers that are asked for."""
    following, session = _following(debugger), debugger.session
    if following is None or session is None:
        return
    is_here = following.is_at(session) if following.stop.asks_value else following.is_in(session)
    is_elsewhere = following.is_open and not is_here
    if debugger.state.following is None or is_elsewhere:
        debugger.files.go_to_stop(following)  # the first Tab, or back to what is asked
    elif following.is_open:
        debugger.change(replace(_shown(debugger), following=following.ending("shown")))
    elif following.is_last and _is_here(debugger, following):
        debugger.say(Text("this is the last stop; S lists them all"))
    else:
        debugger.files.go_to_stop(following.at(following.number + (not following.is_last)))


def previous_stop(debugger: Host) -> None:
    """`Shift+Tab`: to the stop before."""
    following = debugger.state.following
    if following is None:
        next_stop(debugger)
    elif following.number == 0:
        debugger.say(Text("this is the first stop"))
    else:
        debugger.files.go_to_stop(following.at(following.number - 1))


def first_stop(debugger: Host) -> None:
    """F5 of a remote: to the first stop."""
    following = debugger.state.following
    if following is not None:
        debugger.files.go_to_stop(following.at(0))


REMOTE: Mapping[str, Callable[[Host], None]] = {
    "pagedown": next_stop,
    "pageup": previous_stop,
    "f5": first_stop,
}
"""What a presenter's remote sends, and what it does while a lesson is open."""

REMOTE_NAMES = {"pagedown": "PgDn", "pageup": "PgUp", "f5": "F5"}
"""What these keys are called on the screen."""


def list_stops(debugger: Host) -> None:
    """`S`: the list, from which one can be gone to."""
    from rnnstep.tui.stop_list import CLOSE, StopList

    following = _following(debugger)
    if following is None:
        return

    def chosen(number: int | None) -> None:
        if number == CLOSE:
            session = debugger.session
            closed = None if session is None else session.asking(is_open=False)
            debugger.change(replace(debugger.state, following=None, session=closed).say(None))
        elif number is not None:
            debugger.files.go_to_stop(following.at(number))

    debugger.app.push_screen(StopList(following, debugger.state.look), chosen)


def choose(debugger: Host, option: int) -> None:
    """Answer the question of the stop with one of its options, from 1."""
    following = debugger.state.following
    if following is None or not following.has_choice or option > len(following.stop.options):
        return
    answered = following.choose(option)
    debugger.change(replace(debugger.state.say(None), following=answered))


def is_option(debugger: Host, character: str | None) -> bool:
    """Whether a key is the digit of an option that can be chosen now."""
    following = debugger.state.following
    is_digit = character is not None and len(character) == 1 and character.isdecimal()
    return (
        is_digit
        and following is not None
        and following.has_choice
        and _is_here(debugger, following)
        and 1 <= int(character or 0) <= len(following.stop.options)
    )


def _is_here(debugger: Host, following: Following) -> bool:
    return debugger.session is not None and following.is_in(debugger.session)


def _shown(debugger: Host) -> ScreenState:
    """The state with the asked numbers shown."""
    state, session = debugger.state.say(None), debugger.session
    assert session is not None
    return replace(state, session=replace(session, is_revealed=True).asking(is_open=False))


def _following(debugger: Host) -> Following | None:
    """The lesson that is followed, or the one that the scenario's own stops are; says so where there is none."""
    if debugger.state.following is not None:
        return debugger.state.following
    from rnnstep.scenario.lesson import own_lesson
    from rnnstep.session.lesson import Following

    session = debugger.session
    lesson = None if session is None else own_lesson(session.run.scenario)
    if lesson is None:
        debugger.say(Text("this scenario has no stops; `o` opens a lesson, whose stops Tab goes along"))
        return None
    return Following(lesson)
