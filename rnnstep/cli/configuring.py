"""`rnnstep config`: the settings in force, and where each is from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from rnnstep.cli.commands import GivenOptions, Subcommand
from rnnstep.cli.options import language_option, theme_option
from rnnstep.folders import CONFIG, KEYS, config_file, state_folder
from rnnstep.language import Text, environment_language
from rnnstep.language.printable import printable
from rnnstep.settings import EDIT_STEP, NAMES, lines_of, problems, read_settings

if TYPE_CHECKING:
    from pathlib import Path

BAD_INPUT = 2
DEFAULT = Text("by default")


def run(given: GivenOptions, speech: str) -> int:
    """Print a row a setting: its name, its value and its source; then the files."""
    from rnnstep.cli.speech import say_plainly

    settings = read_settings()
    options = {"language": given.language, "theme": given.theme}
    usual = {"language": environment_language(), "theme": "dark", "decimals": 4, "edit_step": EDIT_STEP}
    path = config_file(CONFIG)
    lines = {} if path is None else lines_of(path)
    rows = []
    for name in NAMES:
        found = getattr(settings, name)
        if options.get(name) is not None:
            rows.append((name, options[name], Text("option")))
        elif found is not None:
            rows.append((name, found, Text("{place}", place=f"{_shown(path)}:{lines.get(name, 1)}")))
        else:
            rows.append((name, usual[name], _locale() if name == "language" else DEFAULT))
    for name, value, source in rows:
        click.echo(f"{name:9}  {value!s:13}  {source.into(speech)}")
    click.echo()
    folder = state_folder()
    for title, file in ((CONFIG, path), (KEYS, config_file(KEYS)), (Text("state"), folder)):
        head = title if isinstance(title, str) else title.into(speech)
        click.echo(f"{head:11}  {_there(file).into(speech)}")
    wrong = [] if settings.is_whole else [problems()]
    told = [error.into(speech) for error in wrong if error is not None] + _wrong_keys(speech)
    for line in told:
        say_plainly(line)
    return BAD_INPUT if told else 0


def _locale() -> Text:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return Text("locale: {name}={value}", name=name, value=printable(os.environ[name]))
    return DEFAULT


def _there(path: Path | None) -> Text:
    if path is None:
        return Text("there is no home folder to look in")
    return (
        Text("{path}", path=_shown(path)) if path.exists() else Text("{path} (not there)", path=_shown(path))
    )


def _shown(path: Path | None) -> str:
    return printable(str(path))


def _wrong_keys(speech: str) -> list[str]:
    path = config_file(KEYS)
    if path is None or not path.exists():
        return []
    from rnnstep.tui.keymap import read_keymap

    return [problem.into(speech) for problem in read_keymap().problems]


COMMAND = Subcommand(
    "config",
    run,
    [theme_option(), language_option()],
    usage="rnnstep config",
    about=Text(
        "Print the settings of the screen in force, and where each is from.\n"
        "An option beats the scenario's [display], that the file config.toml, and that the locale."
    ),
)
