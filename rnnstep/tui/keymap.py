"""Keys of the user's own: `keys.toml` in the folder of settings holds `id = "key,key"` for ids of the table."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from textual.keys import KEY_TO_UNICODE_NAME, REPLACED_KEYS, Keys, key_to_character

from rnnstep.folders import KEYS, config_file
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import closest
from rnnstep.settings import lines_of, no_regular_file
from rnnstep.views.commands import BY_ID

_MODIFIERS = re.compile(r"(?:(?:ctrl|shift|alt|super)\+)*")
_LARGEST = 1 << 16  # bytes


@dataclass(frozen=True, slots=True)
class Keymap:
    """Keys by command, as Textual's `set_keymap` takes them, and what could not be used."""

    keys: Mapping[str, str]
    problems: tuple[Text, ...] = ()


def read_keymap() -> Keymap:
    """Read the user's keys; what is wrong is told and the rest used."""
    path = config_file(KEYS)
    if path is None or not path.exists():
        return Keymap({})
    if not path.is_file():
        return Keymap({}, (no_regular_file(path),))
    from rnnstep.scenario.file.parse_toml import parse_toml

    try:
        with path.open("rb") as file:
            table = parse_toml(file.read(_LARGEST).decode())
    except (OSError, ValueError) as error:
        return Keymap({}, (_problem(path, printable(str(error))),))
    keys: dict[str, str] = {}
    lines = lines_of(path)
    problems: list[Text] = []
    for name, value in table.items():
        problem = _wrong(name, value)
        if problem is None:
            keys[name] = ",".join(key.strip() for key in value.split(","))
        else:
            problems.append(_problem(f"{path}:{lines.get(name, 1)}", problem))
    problems += [_problem(f"{path}:{lines.get(name, 1)}", text) for name, text in _taken(keys)]
    return Keymap(keys, tuple(problems))


def _taken(keys: Mapping[str, str]) -> Iterator[tuple[str, Text]]:
    """Of each command that takes a key of another one's, its name and what is to be said of it."""
    others = {_sent(key): name for name, command in BY_ID.items() if name not in keys for key in command.keys}
    for name, given in keys.items():
        for key in given.split(","):
            other = others.setdefault(_sent(key), name)
            if other != name:
                yield name, Text("`{name}`: `{key}` is taken from `{other}`", name=name, key=key, other=other)


def _sent(key: str) -> str:
    """A key by the character that it sends, `?` of `question_mark`, or by its name."""
    return key if len(key) == 1 else key_to_character(key) or key


def shown(keys: str) -> str:
    """Give the first of a command's keys as people read it: `f2` as F2, `ctrl+g` as ^g, `left` as ←."""
    *modifiers, key = keys.partition(",")[0].split("+")
    names = {"left": "←", "right": "→", "up": "↑", "down": "↓", "space": "␣", "backspace": "⌫"}
    sign = key_to_character(key) or ""
    name = names.get(key) or (sign if sign.isprintable() and sign else key.capitalize())
    signs = {"ctrl": "^", "shift": "⇧", "alt": "⌥", "super": "⌘"}
    return "".join(signs[modifier] for modifier in modifiers) + name


def _problem(path: Path | str, problem: Text | str) -> Text:
    return Text("{path}: {problem}", path=printable(str(path)), problem=problem)


def _wrong(name: str, value: object) -> Text | None:
    """Say what is wrong with an entry."""
    if name not in BY_ID:
        near = closest(name, BY_ID)
        if near is None:
            return Text("`{name}` is no command", name=printable(name))
        return Text("`{name}` is no command; did you mean `{near}`?", name=printable(name), near=near)
    if not isinstance(value, str):
        return Text('`{name}`: expected keys as in "x" or "x,ctrl+x"', name=name)
    for key in value.split(","):
        if not is_key(key.strip()):
            return Text("`{name}`: `{key}` is no key", name=name, key=printable(key.strip()))
    return None


def is_key(key: str) -> bool:
    """Whether Textual ever sends such a key: one character, or a name, with modifiers before it."""
    bare = _MODIFIERS.sub("", key, count=1)
    if len(bare) == 1 or bare in {named.value for named in Keys}:
        return True
    if bare in KEY_TO_UNICODE_NAME or bare in REPLACED_KEYS:
        return True
    try:
        sign = unicodedata.lookup(bare.replace("_", " "))
    except KeyError:
        return False
    return unicodedata.category(sign) != "So"  # no pictures
