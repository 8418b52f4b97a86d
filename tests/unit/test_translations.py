"""Every message has its translations, with the same placeholders; and every translation has its message."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import string
from collections.abc import Mapping
from pathlib import Path

import pytest

import rnnstep
from rnnstep.language import LANGUAGES, Text, translations

PACKAGE = Path(rnnstep.__file__).parent
ROOMS = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.parent.parent.name != "language"
)


def code_of(room: str) -> str:
    return (PACKAGE / room).read_text(encoding="utf-8")


@functools.cache
def calls(room: str) -> tuple[ast.Call, ...]:
    code = code_of(room)
    return tuple(
        node
        for node in (ast.walk(ast.parse(code)) if "Text" in code else ())
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Text"
    )


def literal(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def templates() -> dict[str, str]:
    """Give every English template and the room that says it."""
    return {text: room for room in ROOMS for call in calls(room) if (text := literal(call)) is not None}


def tables(language: str = "zh") -> dict[str, Mapping[str, str]]:
    folder = importlib.import_module(f"rnnstep.language.{language}")
    return {
        module.name: importlib.import_module(f"{folder.__name__}.{module.name}").TABLE
        for module in pkgutil.iter_modules(folder.__path__)
    }


every_translation = pytest.mark.parametrize("language", LANGUAGES[1:])


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def is_signs_alone(template: str) -> bool:
    """Whether there is nothing to translate: `{place}`, `L{layer}`."""
    return not any(part.strip() for part, *_ in string.Formatter().parse(template))


@pytest.mark.parametrize("room", [room for room in ROOMS if "Text(" in code_of(room)])
def test_a_text_is_a_literal_with_its_values_by_name(room):
    for call in calls(room):
        where = f"{room}:{call.lineno}"
        template = literal(call)
        if room == "scenario/file/document.py" and template is None:
            continue  # a message made safe to print: the template of another one
        assert template is not None, where
        assert len(call.args) == 1, where
        given = {keyword.arg for keyword in call.keywords}
        if None not in given:
            assert given == placeholders(template), where


@every_translation
def test_every_message_has_its_translation(language):
    table = translations(language)
    missing = {
        template: room
        for template, room in templates().items()
        if template not in table and not is_signs_alone(template)
    }
    assert missing == {}


@every_translation
def test_no_translation_is_left_over(language):
    said = templates().keys()
    assert [one for table in tables(language).values() for one in table if one not in said] == []


@every_translation
def test_two_tables_do_not_say_the_same_message_differently(language):
    found: dict[str, str] = {}
    for table in tables(language).values():
        for template, translation in table.items():
            assert found.setdefault(template, translation) == translation


@every_translation
def test_a_translation_has_the_placeholders_of_its_message(language):
    for template, translation in translations(language).items():
        assert placeholders(template) == placeholders(translation), template
        assert translation.strip(), template


def test_chinese_has_chinese_marks():
    for chinese in translations("zh").values():
        assert not {"...", "，,", "。."} & {chinese[index : index + 2] for index in range(len(chinese))}


@pytest.mark.parametrize("word", ["方程", "规矩", "去往"])
def test_words_that_courses_do_not_use_are_not_used(word):
    assert not [template for table in tables().values() for template in table if word in table[template]]


def test_a_block_is_no_module_of_torchs():
    said = translations("zh")
    blocks = {template for template in said if "block" in template and "module" not in template}
    assert not {template for template in blocks if "模块" in said[template]}


def test_a_forward_pass_and_a_forward_direction_have_words_of_their_own():
    """torch's courses say 前向 of the pass; 正向 is one of the two directions of a layer."""
    of_directions = ("direction", "half", "side by side", "order", "_reverse")
    said = translations("zh")
    for template, chinese in said.items():
        is_of_direction = any(word in template for word in of_directions)
        assert "正向" not in chinese or is_of_direction, template
    assert said["forward"] == "前向"


def test_a_text_within_a_text_is_translated_with_it():
    text = Text("`{key}`: found {found}, expected {expected}", key="k", found="x", expected=Text("a number"))
    assert text.into("en") == "`k`: found x, expected a number"
    assert "a number" not in text.into("zh")
    assert "found" not in text.into("zh")
