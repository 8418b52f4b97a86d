"""Both READMEs name what there is: every bundled scenario, module, command, option and key."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest

from rnnstep.cells import MODULES
from rnnstep.cli.root import COMMANDS, _root
from rnnstep.scenario import bundled
from rnnstep.views.commands import COMMANDS as KEYS
from rnnstep.views.commands import Command

READMES = ("README.md", "README.zh.md")
OPTIONS = sorted(
    {
        name
        for command in (_root(), *COMMANDS.values())
        for param in command.params
        if isinstance(param, click.Option)
        for name in param.opts
        if name.startswith("--")
    }
)
SPELT = {"␣": ("Space", "space"), "⌫": ("Backspace",), "^s": ("Ctrl+S",), "^p": ("Ctrl+P",)}

pytestmark = pytest.mark.parametrize("readme", READMES)


@cache
def text_of(readme: str) -> str:
    return (Path(__file__).parents[2] / readme).read_text("utf-8")


@cache
def in_backticks(readme: str) -> frozenset[str]:
    """The words between backticks, outside of fenced blocks."""
    prose = re.sub(r"^```.*?^```", "", text_of(readme), flags=re.DOTALL | re.MULTILINE)
    spans = re.findall(r"(`+)(.+?)\1(?!`)", prose)
    return frozenset(word for _, span in spans for word in span.split())


def test_the_test_line_is_the_one_that_ci_runs(readme: str) -> None:
    line = "python -m pip install -c constraints.txt '.[test]' && python -m pytest"
    assert line in text_of(".ci/run")
    assert line in text_of(readme)


@pytest.mark.parametrize("name", bundled.names())
def test_every_bundled_scenario_is_named(readme: str, name: str) -> None:
    assert name in in_backticks(readme)


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_named(readme: str, module: str) -> None:
    assert re.search(rf"\b{module}\b", text_of(readme), flags=re.ASCII)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_named(readme: str, command: str) -> None:
    assert re.search(rf"\brnnstep {command}\b", text_of(readme), flags=re.ASCII)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_named(readme: str, option: str) -> None:
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", text_of(readme), flags=re.ASCII)


@pytest.mark.parametrize(
    "command", [command for command in KEYS if command.keys], ids=lambda command: command.id
)
def test_every_key_is_named(readme: str, command: Command) -> None:
    assert in_backticks(readme) & {command.shown, *SPELT.get(command.shown, ())}
