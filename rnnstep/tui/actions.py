"""The commands that need more than the state: prompts, pages, files, playing, leaving."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.tui.stops import list_stops, next_stop, previous_stop

if TYPE_CHECKING:
    from rnnstep.session.session import Session
    from rnnstep.tui.host import Host
    from rnnstep.tui.sources import Source
    from rnnstep.views.look import Look

Action = Callable[["Host"], None]

_NUMBERS = "0123456789-−０１２３４５６７８９－"  # what a number begins with


def _help(debugger: Host) -> None:
    from rnnstep.tui.page import PageScreen
    from rnnstep.views.help import help_rows

    session = debugger.session
    page = PageScreen(Text("help"), lambda look, width: help_rows(look, width, session), debugger.state.look)
    debugger.app.push_screen(page, debugger.follow_target)


def _info(debugger: Host) -> None:
    from rnnstep.tui.page import PageScreen
    from rnnstep.views.info import info

    session = debugger.session
    if session is not None:
        page = PageScreen(Text("info"), lambda look, width: info(session, look, width), debugger.state.look)
        debugger.app.push_screen(page, debugger.follow_target)


def pick(debugger: Host) -> None:
    """Choose another scenario from the list."""
    from rnnstep.tui.picker import Picker

    def picked(source: Source | None) -> None:
        if source is not None:
            _keeping_edits(debugger, Text("open"), lambda: debugger.files.open(source))
        elif is_first:
            debugger.program.leave(None)

    def followed(target: str) -> Look:
        debugger.follow_target(target)
        return debugger.state.look

    is_first = debugger.session is None and not debugger.files.is_reading
    debugger.app.push_screen(Picker(debugger.state.look, followed, is_first=is_first), picked)


def _save(debugger: Host) -> None:
    session, source = debugger.session, debugger.files.source
    has_file = source is not None and source.path is not None
    if has_file and session is not None and not session.edits and not session.has_unsaved_edits:
        debugger.say(Text("nothing was edited; e edits the number under the cursor"))
    else:
        debugger.ask("save")


def _copy(*, is_latex: bool) -> Action:
    def action(debugger: Host) -> None:
        from rnnstep.views.copied import copied

        assert debugger.session is not None
        found = copied(debugger.session, debugger.state.look, is_latex=is_latex)
        if isinstance(found, Text):
            debugger.say(found)
        else:
            debugger.app.copy_to_clipboard(found)
            debugger.say(Text("copied to the clipboard: {what}", what=found))

    return action


def is_number_asked(session: Session | None, character: str | None) -> bool:
    """Whether a key begins a number that is said of a hidden value."""
    return session is not None and session.is_hidden and character is not None and character in _NUMBERS


def _guess(debugger: Host) -> None:
    session = debugger.session
    if session is not None and not session.is_hidden:
        debugger.say(Text("nothing is hidden; p hides what comes next"))
    else:
        debugger.ask("guess")


def _reload(debugger: Host) -> None:
    source = debugger.files.source
    if source is not None and source.path is None:
        debugger.say(Text("made in memory: there is no file to read again"))
        return
    _keeping_edits(debugger, Text("read again"), debugger.files.reload)


def _other(by: int) -> Action:
    def action(debugger: Host) -> None:
        _keeping_edits(debugger, Text("open"), lambda: debugger.files.other(by))

    return action


def _quit(debugger: Host) -> None:
    def leave() -> None:
        if debugger.files.take_unsaved():  # edits in a scenario that a lesson went on from
            _quit(debugger)
        else:
            debugger.program.leave(debugger.session)

    _keeping_edits(debugger, Text("quit"), leave)


def _keeping_edits(debugger: Host, what: Text, going_on: Callable[[], None]) -> None:
    """Go on, after asking when that would lose an edit."""
    if debugger.session is None or not debugger.session.has_unsaved_edits:
        going_on()
        return
    from rnnstep.tui.unsaved import Unsaved

    def answered(answer: str | None) -> None:
        if answer == "lose":
            going_on()
        elif answer == "save":
            debugger.ask("save")

    debugger.app.push_screen(Unsaved(debugger.state.look, what), answered)


ACTIONS: Mapping[str, Action] = {
    "go": lambda debugger: debugger.ask("go"),
    "edit": lambda debugger: debugger.ask("edit"),
    "watch": lambda debugger: debugger.ask("watch"),
    "break_when": lambda debugger: debugger.ask("break_when"),
    "answers": lambda debugger: debugger.ask("answers"),
    "guess": _guess,
    "beside": lambda debugger: debugger.second.toggle(),
    "save": _save,
    "play": lambda debugger: debugger.player.start(),
    "faster": lambda debugger: debugger.player.change_speed(2),
    "slower": lambda debugger: debugger.player.change_speed(0.5),
    "copy": _copy(is_latex=False),
    "copy_latex": _copy(is_latex=True),
    "theme": lambda debugger: debugger.program.next_theme(),
    "help": _help,
    "info": _info,
    "palette": lambda debugger: debugger.app.action_command_palette(),
    "picture": lambda debugger: debugger.program.save_picture(),
    "open": pick,
    "next_stop": next_stop,
    "previous_stop": previous_stop,
    "stops": list_stops,
    "next_scenario": _other(1),
    "previous_scenario": _other(-1),
    "reload": _reload,
    "quit": _quit,
}
"""What each of these commands does; with the tables of `rnnstep.tui.commands` they are all there are."""

WITHOUT_SESSION = frozenset(
    {"open", "next_scenario", "previous_scenario", "theme", "language", "help", "palette", "quit", "picture"}
)
"""Commands that do something before a scenario is open."""


def can(debugger: Host, command: str) -> bool:
    """Whether a command can do something now."""
    session, files = debugger.session, debugger.files
    if command in ("next_scenario", "previous_scenario"):
        return len(files.sources) > 1
    if command == "reload":
        return files.source is not None and files.source.path is not None
    if command == "cure":
        return session is not None and (
            session.run.is_refused or (session.run.cured or session.mistaken) is not None
        )
    return session is not None or command in WITHOUT_SESSION
