"""The documents name what there is, each thing on its page, in both languages; their examples and commands work."""

from __future__ import annotations

import re
import shlex
import sys
from functools import cache
from pathlib import Path

import click
import pytest

import rnnstep
from rnnstep.cells import MODULES
from rnnstep.checking import MISTAKES
from rnnstep.cli import BAD_INPUT, main
from rnnstep.cli.root import COMMANDS, _root
from rnnstep.engine import Model
from rnnstep.equations.operations import function_names
from rnnstep.reference import check, complete
from rnnstep.scenario import bundled
from rnnstep.scenario.keys import KEYS as SCENARIO_KEYS
from rnnstep.scenario.lesson import read_lesson
from rnnstep.scenario.read import read, read_text
from rnnstep.session.lesson import check_stops
from rnnstep.session.run import SessionRun
from rnnstep.session.session import Session
from rnnstep.settings import read_settings
from rnnstep.tui.keymap import read_keymap
from rnnstep.views.commands import COMMANDS as KEYS
from rnnstep.views.commands import Command
from rnnstep.views.look import Look
from rnnstep.views.rows import plain
from rnnstep.views.screen import screen

ROOT = Path(__file__).parents[2]
ENGLISH = (
    "README.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if ".zh." not in path.name),
)
CHINESE = tuple(page.replace(".md", ".zh.md") for page in ENGLISH)
PAGES = {"en": ENGLISH, "zh": CHINESE}
KEYS_FILE = "# keys.toml"  # how the example of a file of keys begins, which is no scenario
ANSWERS_FILE = "# homework.toml"
CONFIG_FILE = "# config.toml"
LESSON_FILE = "# lesson.toml"
FENCES = re.DOTALL | re.MULTILINE
STANDS_FOR = {"SCENARIO", "SCENARIO...", "ANSWERS", "FOLDER", "MODULE", "SHELL"}
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
SPELT = {"␣": ("Space", "space"), "⌫": ("Backspace",), "^s": ("Ctrl+S",), "^p": ("Ctrl+P",), "|": (r"\|",)}


@pytest.fixture(params=PAGES)
def language(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[*ENGLISH, *CHINESE])
def page(request: pytest.FixtureRequest) -> str:
    return request.param


def called(name: str, language: str) -> str:
    """The page of that name in a language."""
    return f"docs/{name}.md" if language == "en" else f"docs/{name}.{language}.md"


@cache
def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


@cache
def prose_of(page: str) -> str:
    """A page without its fenced blocks, those in lists included."""
    return re.sub(r"^ *```.*?^ *```$", "", text_of(page), flags=FENCES)


@cache
def spans(page: str) -> tuple[str, ...]:
    """What stands between backticks, outside of fenced blocks."""
    return tuple(span for _, span in re.findall(r"(`+)(.+?)\1(?!`)", prose_of(page)))


@cache
def in_backticks(page: str) -> frozenset[str]:
    return frozenset(word for span in spans(page) for word in span.split())


def blocks(page: str) -> list[tuple[str, str]]:
    """The fenced blocks in order, each with its language."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text_of(page), flags=FENCES)


def without_comments(text: str) -> str:
    return re.sub(r" *#.*", "", text)


# ── everything is named ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", bundled.names())
def test_every_bundled_scenario_is_named(language: str, name: str) -> None:
    assert name in in_backticks(called("scenarios", language))


@pytest.mark.parametrize("name", bundled.lessons())
def test_every_bundled_lesson_is_named(language: str, name: str) -> None:
    assert name in in_backticks(called("lessons", language))


def test_the_lesson_can_be_followed(language: str, tmp_path: Path) -> None:
    (text,) = (text for kind, text in blocks(called("lessons", language)) if text.startswith(LESSON_FILE))
    path = tmp_path / "lesson.toml"
    path.write_text(text, "utf-8")
    lesson = read_lesson(path)
    assert lesson is not None
    check_stops(lesson, opened, complete)


def opened(path: Path) -> Session:
    return Session.open(SessionRun.of(read(path)))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_named(language: str, module: str) -> None:
    assert f'"{module}"' in in_backticks(called("scenario-file", language))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_is_named(language: str, command: str) -> None:
    assert re.search(rf"\brnnstep {command}\b", text_of(called("commands", language)), flags=re.ASCII)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_named(language: str, option: str) -> None:
    assert re.search(rf"(?<![\w-]){option}(?![\w-])", text_of(called("commands", language)), flags=re.ASCII)


@pytest.mark.parametrize(
    "command", [command for command in KEYS if command.keys], ids=lambda command: command.id
)
def test_every_key_is_named(language: str, command: Command) -> None:
    assert in_backticks(called("keys", language)) & {command.shown, *SPELT.get(command.shown, ())}


def test_every_id_of_a_key_is_named(language: str) -> None:
    assert {command.id for command in KEYS} <= in_backticks(called("keys", language))


@pytest.mark.parametrize("name", rnnstep.__all__)
def test_every_public_name_is_named(language: str, name: str) -> None:
    assert name in in_backticks(called("python", language))


def test_every_mistake_is_named(language: str) -> None:
    assert set(MISTAKES) <= in_backticks(called("homework", language))


@pytest.mark.parametrize("table", sorted(SCENARIO_KEYS))
def test_every_key_of_a_scenario_is_named(language: str, table: str) -> None:
    words = set(re.findall(r"\w+", " ".join(in_backticks(called("scenario-file", language)))))
    assert set(SCENARIO_KEYS[table]) <= words


@pytest.mark.parametrize("name", function_names())
def test_every_function_of_equations_is_named(language: str, name: str) -> None:
    assert name in in_backticks(called("scenario-file", language))


# ── what stands there is so ──────────────────────────────────────────────────────────────────


def test_the_test_line_is_the_one_that_ci_runs() -> None:
    line = "python -m pip install -c constraints.txt '.[test]' && python -m pytest"
    assert line in text_of(".ci/run")
    assert line in text_of("README.md")
    assert line in text_of("README.zh.md")


def test_there_are_enough_examples(language: str) -> None:
    found = [kind for page in PAGES[language] for kind, _ in blocks(page)]
    assert found.count("toml") >= 6
    assert found.count("python") >= 5


def test_examples_in_python_run_and_scenarios_are_read_and_confirmed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind, text in blocks(page):
        if kind == "python":
            exec(compile(text, page, "exec"), {})
        elif kind == "toml" and not text.startswith((KEYS_FILE, ANSWERS_FILE, CONFIG_FILE, LESSON_FILE)):
            assert check(Model(complete(read_text(text, tmp_path / "example.toml"))).run()).agrees


def commands_on(page: str) -> list[list[str]]:
    """The arguments of every `rnnstep` line in blocks and between backticks.

    Those with a word that stands for another, and those that are a command's name alone, are no lines to type.
    """
    lines = [line for kind, text in blocks(page) if kind in {"", "sh"} for line in text.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines if line.startswith("rnnstep")]
    found += [
        shlex.split(span)
        for span in spans(page)
        if span.startswith("rnnstep ") and span.removeprefix("rnnstep ") not in COMMANDS
    ]
    return [words[1:] for words in found if words[0] == "rnnstep" and not STANDS_FOR & set(words)]


def test_every_command_that_is_shown_is_taken(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (homework,) = (text for _, text in blocks("docs/homework.md") if text.startswith(ANSWERS_FILE))
    Path("homework.toml").write_text(homework, "utf-8")
    Path("answers.toml").write_text('[[answer]]\nstep = 1\nname = "a"\nvalue = "0.12 ?"\n', "utf-8")
    Path("train.py").write_text("import sys\nassert __name__ == '__main__'\nprint(sys.argv)\n", "utf-8")
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # what `run` takes for its program
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    for arguments in commands_on(page):
        assert main(arguments) != BAD_INPUT, (arguments, capsys.readouterr().err)


def test_commands_are_shown() -> None:
    assert len(commands_on("README.md")) >= 9
    assert ["hello", "--at", "3/L0/hh[1]"] in commands_on("docs/lessons.md")


def test_homework_is_marked_as_is_said(
    language: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = called("homework", language)
    (example,) = (text for _, text in blocks(page) if text.startswith(ANSWERS_FILE))
    path = tmp_path / "homework.toml"
    path.write_text(example, "utf-8")
    assert main(["check", "hello", str(path), "--language", language]) == 1
    marked = capsys.readouterr().out
    assert marked.strip() in text_of(page)


def screen_at(place: str, edit: str | None = None) -> str:
    """The largest screen at a place of hello, each run of blanks as one."""
    session = Session.open(SessionRun.of(complete(read(bundled.find("hello"))))).go(place)
    session = session.edit_text(edit) if edit else session
    return " ".join(plain(screen(session, Look(torch="none"), 200, 60)).split())


@pytest.mark.parametrize("name", ["README", "docs/lessons"])
def test_worked_lines_are_those_of_the_screen(language: str, name: str) -> None:
    page = f"{name}.md" if language == "en" else f"{name}.{language}.md"
    found = re.findall(r"(?m)^ *(?:step|第) (\d)(?: 步)? +(hh\[1\] .+)$", text_of(page))
    assert len(found) == 2
    for step, line in found:
        assert line in screen_at(f"{step}/L0/hh[1]")


def test_numbers_of_the_lessons_are_those_of_the_run(
    language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def numbers_in(text: str) -> set[str]:
        return set(re.findall(r"(?<![\d.])\d\.\d{4}(?!\d)", text))

    main(["trace", "hello"])
    main(["grad", "hello"])
    seen = [
        capsys.readouterr().out,
        screen_at("5/loss/p"),
        screen_at("backward:4/L0/∂h[1]"),
        screen_at("update:weight_hh"),
        screen_at("3/L0/hh[1]", "W_hh[1,0] = 0"),
    ]
    said = numbers_in(text_of(called("lessons", language)))
    assert len(said) > 40
    assert said <= numbers_in(" ".join(seen))


def test_examples_of_keys_and_settings_of_ones_own_are_taken(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "rnnstep" / "keys.toml"
    path.parent.mkdir()
    (example,) = (text for _, text in blocks(called("keys", language)) if text.startswith(KEYS_FILE))
    path.write_text(example, encoding="utf-8")
    taken = read_keymap()
    assert taken.keys
    assert not taken.problems
    (example,) = (text for _, text in blocks(called("keys", language)) if text.startswith(CONFIG_FILE))
    path.with_name("config.toml").write_text(example, encoding="utf-8")
    taken = read_settings()
    assert None not in taken
    assert taken.is_whole


# ── the pages hang together ──────────────────────────────────────────────────────────────────


def anchors_of(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-").lower() for heading in headings}


def links_of(page: str) -> list[tuple[Path, str]]:
    """Where a page leads to: each link's file, and the heading there or nothing."""
    found = re.findall(r"\]\(([^)#]*)#?([^)]*)\)", prose_of(page))
    return [((ROOT / page).parent / file if file else ROOT / page, anchor) for file, anchor in found]


def test_what_a_link_names_is_there(page: str) -> None:
    links = links_of(page)
    assert links
    for file, anchor in links:
        assert file.is_file()
        assert not anchor or anchor in anchors_of(file.resolve().relative_to(ROOT).as_posix())


def test_every_page_is_led_to_by_the_readme_and_leads_back(language: str) -> None:
    readme, *others = PAGES[language]
    assert {ROOT / other for other in others} <= {file for file, _ in links_of(readme)}
    for other in others:
        assert ROOT / readme in {file.resolve() for file, _ in links_of(other)}


def test_every_page_leads_to_its_other_language() -> None:
    for one, other in zip(ENGLISH, CHINESE, strict=True):
        assert ROOT / other in {file.resolve() for file, _ in links_of(one)}
        assert ROOT / one in {file.resolve() for file, _ in links_of(other)}


def test_no_page_is_in_one_language_alone() -> None:
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")} == {
        *ENGLISH[1:],
        *CHINESE[1:],
    }


@pytest.mark.parametrize(("english", "chinese"), [*zip(ENGLISH, CHINESE, strict=True)])
def test_both_languages_have_the_same_parts_and_examples(english: str, chinese: str) -> None:
    assert [
        re.findall(r"^#+", line)[0] for line in prose_of(english).splitlines() if line.startswith("#")
    ] == [re.findall(r"^#+", line)[0] for line in prose_of(chinese).splitlines() if line.startswith("#")]
    ours, theirs = (
        [without_comments(text) for kind, text in blocks(page) if kind] for page in (english, chinese)
    )
    assert ours == theirs


def test_the_front_door_is_two_pages_at_most(language: str) -> None:
    assert len(text_of(PAGES[language][0]).splitlines()) <= 120
