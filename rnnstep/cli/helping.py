"""`rnnstep help WORD`: the help of a command, or what a scenario is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rnnstep.cli.commands import WIDTH, Argument, GivenOptions, Subcommand
from rnnstep.cli.options import ScenarioName, language_option
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from pathlib import Path


def run(given: GivenOptions, speech: str) -> int:
    """Print the help of what is named; without a word that of the program."""
    context = click.get_current_context()
    assert context.parent is not None
    root = context.parent
    assert isinstance(root.command, click.Group)
    if given.word is None:
        click.echo(root.get_help())
        return 0
    command = root.command.get_command(root, given.word)
    if command is not None:
        with click.Context(command, root, given.word, obj=speech, terminal_width=WIDTH) as below:
            click.echo(below.get_help())
        return 0
    from rnnstep.cli.opening import found

    _tell(found(given.word, is_first=True), given.word, speech)
    return 0


def _tell(path: Path, word: str, language: str) -> None:
    """Say what a scenario is about, from its file's first lines alone; of a folder the names of those in it."""
    from rnnstep.scenario.bundled import SUFFIX
    from rnnstep.views.compose import wrap
    from rnnstep.views.markdown import plain_markdown

    if path.is_dir():
        for file in sorted(path.glob(f"*{SUFFIX}")):
            click.echo(printable(str(file)))
        return
    title, summary = (_words(path, key, language) for key in ("title", "summary"))
    click.echo(printable(title) or printable(path.stem))
    if summary:
        click.echo()
        for line in wrap(printable(plain_markdown(summary), is_multiline=True), WIDTH):
            click.echo(line)
    click.echo()
    click.echo(Text("`rnnstep {word}` opens it.", word=printable(word)).into(language))


def _words(path: Path, key: str, language: str) -> str:
    from rnnstep.scenario.file.document import Limits
    from rnnstep.scenario.file.source import open_document

    found = open_document(path, Limits()).root.raw(key)
    if isinstance(found, dict):
        found = found.get(language) or found.get("en") or found.get("zh")
    return found if isinstance(found, str) else ""


COMMAND = Subcommand(
    "help",
    run,
    [Argument("WORD", required=False, type=ScenarioName(or_command=True)), language_option()],
    usage="rnnstep help [COMMAND|SCENARIO]",
    about=Text("Show the help of a command, or what a scenario is about."),
)
