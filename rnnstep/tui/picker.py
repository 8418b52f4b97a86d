"""The picker: a list of scenarios, narrowed by typing; a path may be typed instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, Static

from rnnstep.errors import RnnstepError
from rnnstep.language import Text
from rnnstep.scenario import bundled
from rnnstep.tui.canvas import Canvas
from rnnstep.tui.catalogue import catalogue, found_by
from rnnstep.tui.modal import Modal
from rnnstep.tui.page import PageScreen
from rnnstep.tui.remembered import recall
from rnnstep.tui.sources import FileSource, Source
from rnnstep.views.look import Look
from rnnstep.views.picker import picker, picker_help

LEFT_TO_THE_LIST = ("q", "question_mark", "fullwidth_question_mark", "？")


class _Line(Input):
    """The line that is typed in; a `q` or `?` in the empty one is left to the picker."""

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether a key is a letter of what is typed."""
        is_left = key in LEFT_TO_THE_LIST and not self.value
        return not is_left and super().check_consume_key(key, character)


class Picker(Modal[Source]):
    """Dismissed with the scenario chosen, or None; before the first scenario, that is to quit."""

    DEFAULT_CSS = """
    Picker { layout: vertical; background: $background; }
    Picker Static { height: auto; max-height: 4; padding: 0 1; color: $text-muted; background: $panel; }
    Picker Input { background: $panel; color: $foreground; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("q", "dismiss(None)", show=False, priority=True),  # before the line takes it for a letter
        Binding("question_mark,？", "help", show=False, priority=True),
        Binding("f1", "help", show=False, priority=True),
        Binding("ctrl+c", "app.leave", show=False, priority=True),
        Binding("down,ctrl+n", "choose(1)", show=False),
        Binding("up", "choose(-1)", show=False),
        Binding("pagedown", "choose(10)", show=False),
        Binding("pageup", "choose(-10)", show=False),
    ]

    def __init__(self, look: Look, follow: Callable[[str], Look], *, is_first: bool) -> None:
        """Take how everything looks, and what does what a target of the help says and gives the look after it."""
        super().__init__()
        self._look = look
        self._follow = follow
        self._is_first = is_first
        self._hint = (
            Text("↑ ↓ and Enter open one; type to search, or a path; ? help; Esc or q quits")
            if is_first
            else Text("↑ ↓ and Enter open one; type to search, or a path; ? help; Esc or q closes")
        )
        self._all = catalogue(look.language, recall())
        self._shown = self._all
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """The list, and below it the line that is typed in."""
        yield Canvas()
        yield Static(Content(self._look.say(self._hint)))
        yield _Line(compact=True)

    def on_mount(self) -> None:
        """Typing narrows the list from the first key."""
        self.query_one(Input).focus()

    @on(Canvas.Resized)
    def paint(self) -> None:
        """Paint the list."""
        canvas = self.query_one(Canvas)
        typed = self.query_one(Input).value
        canvas.show(
            picker(self._shown, self._chosen, typed, self._look, *canvas.size, is_first=self._is_first)
        )

    @on(Input.Changed)
    def _narrow(self, event: Input.Changed) -> None:
        self._shown = found_by(self._all, event.value)
        self._chosen = 0
        self._say(self._hint)
        self.paint()

    @on(Input.Submitted)
    def _open(self, event: Input.Submitted) -> None:
        typed = event.value.strip()
        if self._shown and not _is_path(typed):
            self.dismiss(FileSource(self._shown[self._chosen].path))
            return
        try:
            path = bundled.find(str(Path(typed).expanduser()))
        except (RnnstepError, RuntimeError) as error:
            self._say(
                error.message
                if isinstance(error, RnnstepError)
                else Text("{path}: there is no such file", path=typed)
            )
            return
        if path.is_dir():
            self._say(Text("this is a folder; a scenario is a file"))
        else:
            self.dismiss(FileSource(path))

    def _say(self, text: Text) -> None:
        self.query_one(Static).update(Content(self._look.say(text)))

    def action_choose(self, by: int) -> None:
        """Go down or up in the list."""
        self._chosen = max(0, min(self._chosen + by, len(self._shown) - 1))
        self.paint()

    def action_help(self) -> None:
        """Say what the program is, and what the keys do."""
        self.app.push_screen(PageScreen(Text("help"), picker_help, self._look), self._helped)

    def _helped(self, target: str | None) -> None:
        """The page lets the language and the colours be changed; all its other targets are the debugger's."""
        if target in ("press language", "press theme"):
            self._look = self._follow(target)
            self._all = catalogue(self._look.language, recall())
            self._shown = found_by(self._all, self.query_one(Input).value)
            self._say(self._hint)
            self.paint()

    @on(Canvas.Scrolled)
    def _wheel(self, message: Canvas.Scrolled) -> None:
        self.action_choose(message.direction)

    @on(Canvas.Clicked)
    def _click(self, message: Canvas.Clicked) -> None:
        number = int(message.target.removeprefix("pick "))
        self.dismiss(FileSource(self._shown[number].path))


def _is_path(typed: str) -> bool:
    return "/" in typed or "\\" in typed or typed.endswith(bundled.SUFFIX)
