"""Changing values in a TOML text while its comments, its order and its look stay."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tomlkit
from numpy.typing import NDArray
from tomlkit.container import Container
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Comment, InlineTable, Item, Key, Null, Whitespace

from rnnstep.scenario.file.parse_toml import parse_toml

Changes = dict[tuple[str, ...], str | None]
"""The TOML that a path of keys is to have; None where it goes."""


def string_text(text: str) -> str:
    """Write a string as TOML; JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def array_text(values: NDArray[np.floating]) -> str:
    """Write an array as TOML: rows of a matrix under each other, numbers that read back to the same floats."""
    return _nested(_number_texts(values), 0)


def _number_texts(values: NDArray[np.floating]) -> NDArray[np.str_]:
    """Give each number with as few digits as its dtype needs: 0.31, not 0.3100000023841858."""
    texts = values.astype(np.str_)
    # A text is read as a float64 and then rounded: twice rounded may be another number.
    with np.errstate(all="ignore"):
        back = texts.astype(np.float64).astype(values.dtype)
    differs = (back != values) & ~np.isnan(values)
    return np.where(differs, values.astype(np.float64).astype(np.str_), texts) if differs.any() else texts


def _nested(texts: NDArray[np.str_], indent: int) -> str:
    if texts.ndim == 1:
        return f"[{', '.join(texts)}]"
    inner = [_nested(part, indent + 2) for part in texts]
    if texts.shape[0] == 1 and "\n" not in inner[0]:
        return f"[{inner[0]}]"
    blank = " " * (indent + 2)
    return "[\n" + "".join(f"{blank}{part},\n" for part in inner) + " " * indent + "]"


def changed_data(data: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Give a file's data with changes made."""
    changed = copy.deepcopy(dict(data))
    for (*tables, key), text in changes.items():
        table = changed
        for name in tables:
            table = table.setdefault(name, {})
        if text is None:
            table.pop(key, None)
        else:
            table[key] = parse_toml(f"value = {text}")["value"]
    return changed


def changed_text(text: str, changes: Changes) -> str | None:
    """Give a text with changes made; None where it is written in a way that cannot be changed piece by piece."""
    # tomlkit takes seconds for a large array: it gets a word for each, which no string of the text holds.
    word = "value"
    while word in text:
        word += "_"
    words = {path: f"{word}{number}" for number, path in enumerate(changes)}
    try:
        document = tomlkit.parse(text)
        for path, value in changes.items():
            if value is None:
                _remove(document, path)
            else:
                _put(document, path, words[path])
        changed = tomlkit.dumps(document)
        for path, value in changes.items():
            changed = changed.replace(f'"{words[path]}"', value or "")
        parse_toml(changed)
    except (
        TOMLKitError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
    ):  # tomlkit has several ways to give up
        return None
    return changed.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else changed


def plain_text(data: Mapping[str, Any]) -> str:
    """Write data as TOML without a text to go by."""
    return tomlkit.dumps(data)


def _remove(document: Any, path: tuple[str, ...]) -> None:
    table = document
    for name in path[:-1]:
        table = table[name]
    del table[path[-1]]


def _put(document: Any, path: tuple[str, ...], word: str) -> None:
    table = document
    for depth, name in enumerate(path[:-1]):
        if name not in table:
            if depth == 0:
                _append_table(document, name)
            else:
                _append(table, path[depth:], word)
                return
        table = table[name]
    if path[-1] in table:
        table[path[-1]] = tomlkit.string(word)
    else:
        _append(table, path[-1:], word)


def _append_table(document: tomlkit.TOMLDocument, name: str) -> None:
    if not document.as_string().endswith("\n"):
        document.add(tomlkit.nl())
    document.add(tomlkit.nl())
    document.append(name, tomlkit.table())


def _append(table: Any, keys: tuple[str, ...], word: str) -> None:
    """Put a new key after the table's last one, before the empty lines and comments that lead to the next table."""
    if isinstance(table, InlineTable):
        text = f'"{word}"'
        for key in keys[:0:-1]:
            text = f"{{{key} = {text}}}"
        table.append(keys[0], tomlkit.value(text))
        return
    container = table if isinstance(table, Container) else table.value
    led: list[tuple[Key | None, Item]] = []
    while container.body and isinstance(container.body[-1][1], Whitespace | Comment | Null):
        led.insert(0, container.body.pop())
    table.append(keys[0] if len(keys) == 1 else tomlkit.key(list(keys)), tomlkit.string(word))
    container.body.extend(led)
