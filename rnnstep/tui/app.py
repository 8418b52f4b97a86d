"""The Textual application: themes, keys, and the one screen that everything happens on."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.theme import Theme

from rnnstep.language import Text
from rnnstep.scenario.bundled import lesson_name_of
from rnnstep.tui.debugger import Debugger
from rnnstep.tui.options import Options
from rnnstep.tui.palettes import DARK, PALETTES, Palette
from rnnstep.tui.sources import Source
from rnnstep.tui.themes import textual_theme, theme_name
from rnnstep.tui.toasts import Toasts
from rnnstep.tui.torch import Torch

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.driver import Driver

    from rnnstep.session.session import Session
    from rnnstep.tui.driver import TerminalDriver


@cache
def _theme(palette: Palette) -> Theme:
    return textual_theme(palette)


def _commands() -> type[Provider]:
    from rnnstep.tui.palette import Commands

    return Commands


class DebuggerApp(App[int], inherit_bindings=False):
    """Holds the debugger's screen; what it leaves behind is read after it has run.

    Attributes:
        problem: Why there was nothing to show, for standard error; None when all went well.
        farewell: The command that comes back to the same place; "" where there is none.
        debugger: The screen.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "leave", show=False, priority=True)]
    TITLE = "rnnstep"
    COMMANDS = {_commands}  # noqa: RUF012  # Textual's own declaration
    COMMAND_PALETTE_BINDING = "ctrl+p"
    CSS = Toasts.CSS

    def __init__(self, sources: Sequence[Source], options: Options, torch: Torch) -> None:
        # Before Textual builds its style sheets from it: set later, all of them are parsed twice.
        self.set_reactive(App.theme, theme_name(options.theme or options.settings.theme or DARK.name))
        super().__init__()
        self.problem: str | None = None
        self.farewell = ""
        self._options = options
        self.debugger = Debugger(sources, options, torch)
        torch.attach(self.debugger.call_later, self.debugger.trained)

    def get_driver_class(self) -> type[Driver]:
        """Read and write by our own driver where Textual would by its own for terminals."""
        usual = super().get_driver_class()
        if usual.__name__ != "LinuxDriver":  # Windows's, a browser's, or another that was asked for
            return usual
        from rnnstep.tui.driver import TerminalDriver

        return TerminalDriver

    @property
    def terminal(self) -> TerminalDriver | None:
        """What the debugger is seen on, where that is a terminal."""
        is_terminal = type(self._driver).__name__ == "TerminalDriver"  # it cannot be imported everywhere
        return cast("TerminalDriver", self._driver) if is_terminal else None

    def get_default_screen(self) -> Debugger:
        """Open on the debugger."""
        return self.debugger

    def take_keymap(self) -> None:
        """Use the keys of the user's own, and tell what is wrong with them; called when a frame stands."""
        from rnnstep.tui.keymap import read_keymap, shown

        found = read_keymap()
        if found.keys:
            self.set_keymap(found.keys)
            self.debugger.use_keys({name: shown(keys) for name, keys in found.keys.items()})
        for problem in found.problems:
            self.debugger.toasts.tell(problem)
        if not self._options.settings.is_whole:
            from rnnstep.settings import problems

            wrong = problems()
            if wrong is not None:
                self.debugger.toasts.tell_settings(wrong)

    def get_theme(self, theme_name: str) -> Theme | None:
        """Give a theme by Textual's name for it; the program's own are made when they are asked for."""
        palette = PALETTES.get(theme_name.removeprefix("rnnstep-"))
        return super().get_theme(theme_name) if palette is None else _theme(palette)

    def next_theme(self) -> None:
        """Go on to the next of the four themes."""
        names = [theme_name(name) for name in PALETTES]
        name = names[(names.index(self.theme) + 1) % len(names)]
        self.register_theme(_theme(PALETTES[name.removeprefix("rnnstep-")]))
        self.theme = name

    def action_command_palette(self) -> None:
        """Open the palette."""
        from rnnstep.tui.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(self.debugger.state.look))

    def save_picture(self) -> None:
        """Save the screen as an SVG in the working directory."""
        from rnnstep.tui.picture import save_picture

        self.debugger.say(save_picture(self))

    def fail(self, problem: str) -> None:
        """Leave, with a message for standard error."""
        self.problem = problem
        self.exit(return_code=2)

    def leave(self, session: Session | None) -> None:
        """Leave, with the line that comes back to where the session is."""
        source = self.debugger.files.source
        if session is not None and source is not None:
            self.debugger.files.leave()
        if session is not None and source is not None and source.word is not None:
            words, at = self._way_back(session, source.word)
            self.farewell = shlex.join([*words, *at])
            finding = None if session.edits else session.run.learning.finding
            if finding is not None:
                from rnnstep.session.findings import place_of, written

                look = self.debugger.state.look
                opened = ["rnnstep", source.word, *self._options.words()]
                there = shlex.join([*opened, "--at", place_of(session.tree, finding)])
                text = Text("the first {value}: {command}", value=written(finding.value), command=there)
                self.farewell += f"\n{text.into(look.language)}"
        self.exit()

    def _way_back(self, session: Session, word: str) -> tuple[list[str], list[str]]:
        """The command that opens what is open, and what it is told to be where the user is: a place or a stop."""
        options = [*self._options.words()]
        following = self.debugger.state.following
        if following is None:
            at = [] if session.place_and_row == "start" else ["--at", session.place_and_row]
            beside = None if session.beside is None else session.beside.value.word
            return ["rnnstep", word, *options, *(["--beside", beside] if beside is not None else [])], at
        stop = ["--stop", str(following.number + 1)]
        lesson = following.lesson
        if lesson.is_own or lesson.path is None:
            return ["rnnstep", word, *options], stop
        name = lesson_name_of(lesson.path) or str(lesson.path)
        return ["rnnstep", "lesson", name, *options], stop

    def action_leave(self) -> None:
        """Quit from whatever page is open."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.debugger.run("quit")
