"""The command palette: every command of the table, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.markup import escape

from rnnstep.language import Text
from rnnstep.tui.actions import can
from rnnstep.views.commands import COMMANDS, Command
from rnnstep.views.look import Look

if TYPE_CHECKING:
    from rnnstep.tui.host import Host


_LINES = 2  # of each command: its name and its sentence


class Palette(CommandPalette):
    """Textual's palette in the language and the signs of the screen."""

    # Its emoji is not in every projector's font, and of uncertain width.
    DEFAULT_CSS = """
    Palette SearchIcon { display: none; }
    Palette.-ascii #--input, Palette.-ascii #--input.--list-visible { border: none; }
    Palette.-ascii CommandList, Palette.-ascii CommandList.--populating { border: none; scrollbar-size: 0 0; }
    Palette.-ascii LoadingIndicator { visibility: hidden; }
    """

    # Textual's own take the height of lines that are not laid out yet, and end the application (KeyError).
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pagedown", "leaf(1)", show=False),
        Binding("pageup", "leaf(-1)", show=False),
    ]

    def __init__(self, look: Look) -> None:
        super().__init__(id="--command-palette", placeholder=look.say(Text("search the commands")))
        self.set_class(look.alphabet.is_ascii, "-ascii")

    def action_leaf(self, pages: int) -> None:
        """Go on or back by as many commands as are seen at once."""
        commands = self.query_one(CommandList)
        if commands.option_count:
            seen = max(1, commands.scrollable_content_region.height // _LINES)
            wanted = (commands.highlighted or 0) + pages * seen
            commands.highlighted = max(0, min(wanted, commands.option_count - 1))


class Commands(Provider):
    """Finds commands by their names, sentences and ids in the language of the screen."""

    @property
    def _debugger(self) -> Host:
        return cast("Host", self.screen)

    def _offered(self) -> Iterator[Command]:
        return (one for one in COMMANDS if one.id != "palette" and can(self._debugger, one.id))

    async def discover(self) -> Hits:
        """Give every command that can do something, in the order of the help."""
        say = self._debugger.state.look.say
        for command in self._offered():
            name = Content(self._name(command))
            yield DiscoveryHit(name, self._runner(command), help=escape(say(command.sentence)))

    async def search(self, query: str) -> Hits:
        """Give the commands whose name, sentence or id has the letters typed."""
        matcher = self.matcher(query)
        say = self._debugger.state.look.say
        for command in self._offered():
            name, sentence = self._name(command), say(command.sentence)
            score = max(matcher.match(text) for text in (name, sentence, command.id))
            if score > 0:
                yield Hit(score, Content(name), self._runner(command), text=name, help=escape(sentence))

    def _name(self, command: Command) -> str:
        look = self._debugger.state.look
        return f"{look.say(command.name)}  {look.key(command)}".rstrip()

    def _runner(self, command: Command) -> Callable[[], None]:
        debugger = self._debugger
        return lambda: debugger.run(command.id)
