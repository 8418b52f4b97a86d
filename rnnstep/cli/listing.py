"""`rnnstep list`: the bundled scenarios, one a line."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import click

from rnnstep.cli.commands import GivenOptions, Subcommand
from rnnstep.cli.options import language_option
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from pathlib import Path


def run(given: GivenOptions, speech: str) -> int:
    """Print name and title of each in the order of the course; on a terminal under its headings, in its width."""
    from rnnstep.scenario.bundled import SUFFIX, course, folder

    is_terminal = sys.stdout.isatty()
    sections = course()
    every = max((len(name) for _, names in sections for name in names), default=0)
    for number, (heading, names) in enumerate(sections):
        if is_terminal:
            click.echo(("\n" if number else "") + heading.into(speech))
        most = max(map(len, names)) if is_terminal else every
        for name in names:
            title = _title(folder() / f"{name}{SUFFIX}", speech)
            for line in _in_terminal(title, most + 2) if is_terminal else [title]:
                click.echo(f"{name:{most}}  {line}".rstrip())
                name = ""  # noqa: PLW2901 - the lines below have none
    return 0


def _in_terminal(title: str, column: int) -> list[str]:
    """Break a title where it does not fit beside its name."""
    from rnnstep.views.compose import wrap

    return wrap(title, max(18, shutil.get_terminal_size().columns - column))


def _title(path: Path, language: str) -> str:
    """Give a scenario's title, read without numpy and so without the rest of the file."""
    from rnnstep.scenario.file.parse_toml import parse_toml

    title = parse_toml(path.read_text("utf-8")).get("title", "")
    if isinstance(title, dict):
        title = title.get(language) or title.get("en") or title.get("zh") or ""
    return printable(str(title))


COMMAND = Subcommand(
    "list",
    run,
    [language_option()],
    usage="rnnstep list",
    about=Text("List the bundled scenarios in the order of a course, one a line, name first."),
)
