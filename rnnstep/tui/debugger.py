"""The debugger's screen: one canvas, painted from the state; keys and clicks change the state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import var
from textual.screen import Screen

from rnnstep.errors import RnnstepError
from rnnstep.tui.canvas import Canvas
from rnnstep.tui.commands import obey
from rnnstep.tui.options import Options
from rnnstep.tui.reading import read, session_of
from rnnstep.tui.sources import Source
from rnnstep.tui.state import State
from rnnstep.views.alphabet import alphabet
from rnnstep.views.commands import BY_ID, COMMANDS
from rnnstep.views.look import Look
from rnnstep.views.opening import opening

if TYPE_CHECKING:
    from rnnstep.session.session import Session
    from rnnstep.views.rows import Row


class Debugger(Screen[None]):
    """Steps through the scenarios of `sources`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(",".join(command.keys), f"command('{command.id}')", id=command.id, show=False)
        for command in COMMANDS
    ]

    state: var[State] = var(State(Look()), init=False)

    def __init__(self, sources: Sequence[Source], options: Options) -> None:
        super().__init__()
        self.sources = tuple(sources)
        self.options = options
        look = Look(
            language=options.first_language,
            alphabet=alphabet(is_ascii=options.is_ascii),
            is_remote=options.is_remote,
        )
        self.set_reactive(Debugger.state, State(look, name=sources[0].name))

    def compose(self) -> ComposeResult:
        yield Canvas()

    def on_mount(self) -> None:
        self.call_after_refresh(self.open)

    def open(self) -> None:
        threading.Thread(target=self._read, args=(self.sources[0],), daemon=True).start()

    def _read(self, source: Source) -> None:
        try:
            session = session_of(read(source, self.options), self.options.place)
        except RnnstepError as error:
            self.app.call_from_thread(self.app.fail, error.into(self.state.look.language))
            return
        import rnnstep.views.screen
        self.app.call_from_thread(self.opened, session)

    def opened(self, session: Session) -> None:
        self.state = replace(self.state, session=session)

    def watch_state(self) -> None:
        self.paint()

    @on(Canvas.Resized)
    def paint(self) -> None:
        canvas = self.query_one(Canvas)
        width, height = canvas.size
        state = self.state
        if state.session is None:
            rows = opening(state.name, state.look, width, height, state.waiting)
        else:
            from rnnstep.views.screen import screen

            rows = screen(state.session, state.look, width, height)
        canvas.show(rows)

    def action_command(self, command: str) -> None:
        self.state = obey(self.state.seen(last_key=BY_ID[command].shown, message=None), command) or self.state
        if command == "quit":
            self.app.exit(0)
        if command == "theme":
            from rnnstep.tui.themes import PALETTES, theme_name
            names = list(PALETTES)
            self.app.theme = theme_name(names[(names.index(self.app.theme.removeprefix("rnnstep-")) + 1) % len(names)])

    @on(Canvas.Clicked)
    def obey_click(self, message: Canvas.Clicked) -> None:
        verb, _, what = message.target.partition(" ")
        if verb == "go" and self.state.session:
            self.state = replace(self.state, session=self.state.session.go(what))
        elif verb == "press":
            self.action_command(what)
