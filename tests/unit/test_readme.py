"""Both READMEs name what there is: every bundled scenario, module, command, option and key; their examples work."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import click
import pytest

from rnnstep.cells import MODULES
from rnnstep.cli import main
from rnnstep.cli.root import COMMANDS, _root
from rnnstep.engine import Model
from rnnstep.equations.operations import function_names
from rnnstep.reference import check, complete
from rnnstep.scenario import bundled
from rnnstep.scenario.keys import KEYS as SCENARIO_KEYS
from rnnstep.scenario.read import read_text
from rnnstep.tui.keymap import read_keymap
from rnnstep.views.commands import COMMANDS as KEYS
from rnnstep.views.commands import Command

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh.md")
KEYS_FILE = "# keys.toml"  # how the example of a file of keys begins, which is no scenario
ANSWERS_FILE = "# homework.toml"
FENCES = re.DOTALL | re.MULTILINE
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


@pytest.fixture(params=READMES)
def readme(request: pytest.FixtureRequest) -> str:
    return request.param


@cache
def text_of(readme: str) -> str:
    return (ROOT / readme).read_text("utf-8")


@cache
def in_backticks(readme: str) -> frozenset[str]:
    """The words between backticks, outside of fenced blocks."""
    prose = re.sub(r"^```.*?^```", "", text_of(readme), flags=FENCES)
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


@pytest.mark.parametrize("table", sorted(SCENARIO_KEYS))
def test_every_key_of_a_scenario_is_named(readme: str, table: str) -> None:
    words = set(re.findall(r"\w+", " ".join(in_backticks(readme))))
    assert set(SCENARIO_KEYS[table]) <= words


@pytest.mark.parametrize("name", function_names())
def test_every_function_of_equations_is_named(readme: str, name: str) -> None:
    assert name in in_backticks(readme)


def test_every_id_of_a_key_is_named(readme: str) -> None:
    assert {command.id for command in KEYS} <= in_backticks(readme)


def test_examples_in_python_run_and_scenarios_are_read_and_confirmed(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(readme)
    assert [language for language, _ in found].count("toml") >= 6
    for language, text in found:
        if language == "python":
            exec(compile(text, readme, "exec"), {})
        elif language == "toml" and not text.startswith((KEYS_FILE, ANSWERS_FILE)):
            assert check(Model(complete(read_text(text, tmp_path / "example.toml"))).run()).agrees


def test_homework_is_marked_as_is_said(
    readme: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = (text for _, text in blocks(readme) if text.startswith(ANSWERS_FILE))
    path = tmp_path / "homework.toml"
    path.write_text(example, "utf-8")
    language = "zh" if "zh" in readme else "en"
    assert main(["check", "hello", str(path), "--language", language]) == 1
    marked = capsys.readouterr().out
    assert marked.strip() in text_of(readme)


def test_example_of_ones_own_keys_is_taken(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "rnnstep" / "keys.toml"
    path.parent.mkdir()
    (example,) = (text for _, text in blocks(readme) if text.startswith(KEYS_FILE))
    path.write_text(example, encoding="utf-8")
    taken = read_keymap()
    assert taken.keys
    assert not taken.problems


def test_what_a_link_names_is_there(readme: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", text_of(readme))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_a_link_within_names_a_heading(readme: str) -> None:
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text_of(readme), flags=FENCES), flags=re.MULTILINE
    )
    anchors = {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text_of(readme))) <= anchors


def test_both_have_the_same_examples() -> None:
    english, chinese = (
        [without_comments(text) for language, text in blocks(readme) if language] for readme in READMES
    )
    assert english == chinese


def blocks(readme: str) -> list[tuple[str, str]]:
    """The fenced blocks in order, each with its language."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text_of(readme), flags=FENCES)


def without_comments(text: str) -> str:
    return re.sub(r" *#.*", "", text)
