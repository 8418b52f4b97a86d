"""Every message has its Chinese, with the same placeholders; and every Chinese line has its message."""

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
from rnnstep.language import Text, zh

PACKAGE = Path(rnnstep.__file__).parent
ROOMS = sorted(
    path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if path.parent.name != "zh"
)


@functools.cache
def calls(room: str) -> tuple[ast.Call, ...]:
    code = (PACKAGE / room).read_text(encoding="utf-8")
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


def tables() -> dict[str, Mapping[str, str]]:
    return {
        module.name: importlib.import_module(f"{zh.__name__}.{module.name}").ZH
        for module in pkgutil.iter_modules(zh.__path__)
    }


def placeholders(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def is_signs_alone(template: str) -> bool:
    """Whether there is nothing to translate: `{place}`, `L{layer}`."""
    return not any(part.strip() for part, *_ in string.Formatter().parse(template))


@pytest.mark.parametrize("room", [room for room in ROOMS if calls(room)])
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


def test_every_message_has_its_chinese():
    table = zh.table()
    missing = {
        template: room
        for template, room in templates().items()
        if template not in table and not is_signs_alone(template)
    }
    assert missing == {}


def test_no_chinese_is_left_over():
    said = templates().keys()
    assert {name: [one for one in table if one not in said] for name, table in tables().items()} == {
        name: [] for name in tables()
    }


def test_two_tables_do_not_say_the_same_message_differently():
    found: dict[str, str] = {}
    for table in tables().values():
        for template, chinese in table.items():
            assert found.setdefault(template, chinese) == chinese


@pytest.mark.parametrize("name", sorted(tables()))
def test_chinese_has_the_placeholders_of_its_message_and_is_chinese(name):
    for template, chinese in tables()[name].items():
        assert placeholders(template) == placeholders(chinese), template
        assert chinese.strip(), template
        assert not {"...", "，,", "。."} & {chinese[index : index + 2] for index in range(len(chinese))}


@pytest.mark.parametrize("word", ["方程", "规矩", "去往"])
def test_words_that_courses_do_not_use_are_not_used(word):
    assert not [template for table in tables().values() for template in table if word in table[template]]


def test_a_block_is_no_module_of_torchs():
    said = {template: chinese for table in tables().values() for template, chinese in table.items()}
    blocks = {template for template in said if "block" in template and "module" not in template}
    assert not {template for template in blocks if "模块" in said[template]}


def test_a_forward_pass_and_a_forward_direction_have_words_of_their_own():
    """torch's courses say 前向 of the pass; 正向 is one of the two directions of a layer."""
    of_directions = ("direction", "half", "side by side", "order", "_reverse")
    said = {template: chinese for table in tables().values() for template, chinese in table.items()}
    for template, chinese in said.items():
        is_of_direction = any(word in template for word in of_directions)
        assert "正向" not in chinese or is_of_direction, template
    assert said["forward"] == "前向"


def test_a_text_within_a_text_is_translated_with_it():
    text = Text("`{key}`: found {found}, expected {expected}", key="k", found="x", expected=Text("a number"))
    assert text.into("en") == "`k`: found x, expected a number"
    assert "a number" not in text.into("zh")
    assert "found" not in text.into("zh")
