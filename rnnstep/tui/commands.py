"""What each command does to the state: one table from a command's id to a function.

Commands that need more than the state (a prompt, a page, a file, a timer) are
methods of the screen, named in `rnnstep.tui.debugger`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from rnnstep.language import LANGUAGES, Text
from rnnstep.scenario.keys import MOST_DECIMALS
from rnnstep.tui.state import ScreenState
from rnnstep.views.look import Fills

if TYPE_CHECKING:
    from rnnstep.session.session import Session

Move = Callable[["Session"], "Session"]


def _nudged(by: float | None) -> Move:
    def move(session: Session) -> Session:
        from rnnstep.session.cursor import nudge

        return nudge(session, by)

    return move


def _followed(session: Session) -> Session:
    from rnnstep.session.cursor import follow

    return follow(session)


def _at_finding(session: Session) -> Session:
    from rnnstep.session.findings import go_to_finding

    return go_to_finding(session)


MOVES: Mapping[str, Move] = {
    "right": lambda session: session.right(),
    "left": lambda session: session.left(),
    "into": lambda session: session.into(),
    "out": lambda session: session.out(),
    "next_step": lambda session: session.same_place(1),
    "previous_step": lambda session: session.same_place(-1),
    "next_row": lambda session: session.other_row(1),
    "previous_row": lambda session: session.other_row(-1),
    "home": lambda session: session.home(),
    "end": lambda session: session.end(),
    "back": lambda session: session.back(),
    "follow": _followed,
    "not_finite": _at_finding,
    "resume": lambda session: session.resume(),
    "resume_back": lambda session: session.resume_back(),
    "breakpoint": lambda session: session.toggle_breakpoint(),
    "unwatch": lambda session: session.drop_watches(),
    "predict": lambda session: session.toggle_predict(),
    "zero": _nudged(None),
    "undo": lambda session: session.undo(),
    "redo": lambda session: session.redo(),
    "cure": lambda session: session.switch_cure(),
}
"""Commands that change the session alone; without a session they do nothing."""


def _revealed(state: ScreenState) -> ScreenState:
    """`.`: show what is hidden; the open question of a stop ends with it."""
    session, following = state.session, state.following
    if session is None:
        return state
    if following is not None and (following.has_choice or session.is_at_asked):
        state = replace(state, following=following.ending("shown"))
        if not session.is_hidden:
            return state
    return replace(state, session=session.reveal())


def _decimals(state: ScreenState, by: int) -> ScreenState:
    decimals = state.look.decimals + by
    if not 0 <= decimals <= MOST_DECIMALS:
        return state.say(Text("decimals go from 0 to {most}", most=MOST_DECIMALS))
    return state.seen(decimals=decimals)


def _stepped(state: ScreenState, sign: int) -> ScreenState:
    return (
        state
        if state.session is None
        else replace(state, session=_nudged(sign * state.edit_step)(state.session))
    )


_NEXT_VIEW: Mapping[Fills, Fills] = {"": "plot", "plot": "listing", "listing": ""}


def _blackboard(state: ScreenState) -> ScreenState:
    """`z`; a plot or a listing that fills the screen makes room for it."""
    is_seen = state.look.is_blackboard and not state.look.fills
    return state.seen(is_blackboard=not is_seen, fills="", shows=())


def _joined(state: ScreenState) -> ScreenState:
    """`j`; a plot or a listing that fills the screen makes room for it. Where it does not stand, that is said."""
    is_seen = state.look.is_joined and not state.look.fills
    changed = state.seen(is_joined=not is_seen, fills="")
    if is_seen or state.session is None:
        return changed
    from rnnstep.views.picture import has_place_for_joined
    from rnnstep.views.scene import Scene

    if has_place_for_joined(Scene(state.session, changed.look)):
        return changed
    return changed.say(
        Text("the joined form stands in a recurrent block of the way forward: go into one with ↓")
    )


def _closed(state: ScreenState) -> ScreenState:
    if not state.look.fills and not state.look.is_blackboard and not state.look.shows:
        return state.say(Text("nothing is open; q quits"))
    return state.seen(fills="", is_blackboard=False, shows=())


def _next_language(state: ScreenState) -> ScreenState:
    after = LANGUAGES.index(state.look.language) + 1
    return state.seen(language=LANGUAGES[after % len(LANGUAGES)])


LOOKS: Mapping[str, Callable[[ScreenState], ScreenState]] = {
    "reveal": _revealed,
    "increase": lambda state: _stepped(state, 1),
    "decrease": lambda state: _stepped(state, -1),
    "blackboard": _blackboard,
    "view": lambda state: state.seen(fills=_NEXT_VIEW[state.look.fills], shows=()),
    "close": _closed,
    "joined": _joined,
    "more_decimals": lambda state: _decimals(state, 1),
    "fewer_decimals": lambda state: _decimals(state, -1),
    "language": _next_language,
}
"""Commands that change how things are seen, or need what the user has set."""


_ZOOMS_AT_START: Mapping[str, Text] = {
    "epoch": Text("start, by whole epochs: → goes through the first one, ↓ goes back inside"),
    "batch": Text("start, by whole batches: → goes through the first one, ↓ goes back inside"),
    "pass": Text("start, by whole passes: → goes through the forward one, ↓ goes back inside"),
    "sequence": Text("start, by whole sequences: → goes through the first one, ↓ goes back inside"),
}


def _zoom_at_start(before: Session, after: Session) -> Text | None:
    """Say what a change of zoom at start is for: nothing on the screen moves."""
    both = before.position, after.position
    if not all(position.is_start for position in both) or both[0].zoom == both[1].zoom:
        return None
    return _ZOOMS_AT_START.get(after.level, Text("start: → computes the first place, ↑ goes out again"))


def obey(state: ScreenState, command: str) -> ScreenState | None:
    """Give the state after a command of these tables; None for a command of the screen's."""
    if command in MOVES:
        if state.session is None:
            return state
        moved = MOVES[command](state.session)
        told = _zoom_at_start(state.session, moved)
        return replace(state if told is None else state.say(told), session=moved)
    if command in LOOKS:
        return LOOKS[command](state)
    return None
