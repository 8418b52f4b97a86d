"""`rnnstep SCENARIO…`: the debugger; the trace as text where there is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rnnstep.cli.beside import beside_option
from rnnstep.cli.commands import Argument, GivenOptions, Option
from rnnstep.cli.options import (
    ScenarioName,
    WholeNumber,
    language_option,
    limits,
    reading_options,
    showing_options,
    theme_option,
)
from rnnstep.errors import RnnstepError, UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import MOST_STOPS

if TYPE_CHECKING:
    from pathlib import Path


def params() -> list[click.Parameter]:
    """Give the options and the argument of the command."""
    return [
        Argument("SCENARIO", nargs=-1, type=ScenarioName()),
        Option("--at", metavar="PLACE", about=Text("open at a place, such as 3/L0/hh[1]")),
        beside_option(),
        *screen_options(),
    ]


def screen_options() -> list[Option]:
    """What changes how the screen opens: at a stop, in which language, colours and signs."""
    return [
        Option("--stop", type=WholeNumber(1, MOST_STOPS), about=Text("open at a stop, from 1")),
        language_option(),
        theme_option(),
        *showing_options(),
        *reading_options(),
        Option("--no-mouse", is_flag=True, about=Text("leave the mouse to the terminal")),
        Option("--remote", is_flag=True, about=Text("a presenter's remote: b and . blank the screen")),
    ]


def run(given: GivenOptions, speech: str) -> int:
    """Open the debugger on the scenarios, or the picker on none."""
    paths = scenario_files(given.scenario)
    if given.beside is not None:
        _check_beside(given.beside)
    if not is_terminal():
        if not paths:
            click.echo(click.get_current_context().get_help())
            return 0
        return _print_all(paths, given, speech)
    return open_screen(paths, given, at=given.at, beside=given.beside)


def is_terminal() -> bool:
    """Whether the debugger can open: keys come from a terminal, and it is seen on one."""
    return sys.stdout.isatty() and sys.stdin.isatty()


def open_screen(
    paths: Sequence[Path], given: GivenOptions, *, at: str | None = None, beside: str | None = None
) -> int:
    """Open the debugger on files, or the picker on none, and give the exit status."""
    from rnnstep.settings import read_settings
    from rnnstep.tui.options import Options
    from rnnstep.tui.sources import FileSource
    from rnnstep.tui.start import open_debugger

    return open_debugger(
        [FileSource(path) for path in paths],
        Options(
            language=given.language,
            at=at,
            beside=beside,
            theme=given.theme,
            decimals=given.decimals,
            dtype=given.dtype,
            is_ascii=given.ascii,
            has_mouse=not given.no_mouse,
            is_remote=given.remote,
            memory_limit=given.memory_limit,
            allow_outside=given.allow_outside,
            settings=read_settings(),
            stop=given.stop,
        ),
    )


def _check_beside(text: str) -> None:
    """Tell what cannot be meant before a screen opens. Raises UsageError."""
    from rnnstep.scenario.beside_value import read_value
    from rnnstep.scenario.bundled import find

    value = read_value(text)
    if value.kind == "scenario":
        find(value.value)


def scenario_files(words: Sequence[str]) -> list[Path]:
    """Give the files that paths, folders and bundled names stand for, in order.

    Raises:
        UsageError: One stands for nothing.
    """
    from rnnstep.scenario.bundled import SUFFIX

    files: list[Path] = []
    for position, word in enumerate(words):
        path = found(word, is_first=position == 0)
        if not path.is_dir():
            files.append(path)
            continue
        try:
            within = sorted(
                entry for entry in path.iterdir() if entry.suffix == SUFFIX and not entry.is_dir()
            )
        except OSError as error:
            reason = error.strerror or str(error)
            raise UsageError(
                Text("cannot read {path}: {reason}", path=printable(word), reason=reason)
            ) from None
        if not within:
            raise UsageError(Text("{path}: no scenario (*.toml) in this folder", path=printable(word)))
        files += within
    return files


def found(word: str, *, is_first: bool) -> Path:
    """Find a scenario; what may be a command misspelt is told as one."""
    from rnnstep.scenario.bundled import find, lessons, names
    from rnnstep.scenario.keys import closest

    try:
        return find(word)
    except UsageError:
        if word in lessons():
            raise UsageError(
                Text("{name} is a lesson: `rnnstep lesson {name}` opens it", name=word)
            ) from None
        root = click.get_current_context().find_root()
        commands = root.command.list_commands(root) if isinstance(root.command, click.Group) else []
        guess = closest(word, [*names(), *commands]) if is_first and "." not in word else None
        if guess not in commands:
            raise
        message = Text(
            "{name}: no command, file or bundled scenario of this name; did you mean `rnnstep {guess}`?",
            name=printable(word),
            guess=guess,
        )
        raise UsageError(message) from None


def _print_all(paths: Sequence[Path], given: GivenOptions, speech: str) -> int:
    """Print each trace, or the stops of a lesson, as text; a bad file is told, and does not keep the others back."""
    from rnnstep.cli.lesson_text import print_stops
    from rnnstep.cli.speech import say_plainly
    from rnnstep.cli.tracing import write_trace
    from rnnstep.scenario.lesson import read_lesson

    as_text = GivenOptions(**vars(given), format="text", watch=(), until=None, output=None, force=False)
    worst = 0
    for number, path in enumerate(paths):
        if number:
            click.echo()
        try:
            lesson = read_lesson(path, limits(given))
            worst = max(
                worst, write_trace(path, as_text) if lesson is None else print_stops(lesson, given, speech)
            )
        except RnnstepError as error:
            if len(paths) == 1:
                raise
            sys.stdout.flush()
            say_plainly(error.into(speech))
            worst = 2
    return worst
