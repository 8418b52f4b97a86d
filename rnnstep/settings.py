"""Settings of the user's own: `config.toml` in the folder of settings, which speaks for the screen alone.

    language = "zh"       # or "en"
    theme = "light"       # dark, light, high-contrast, 16
    decimals = 3          # how many are shown
    edit_step = 0.05      # what + adds to the number under the cursor, and - takes

An option beats the scenario, the scenario this file, the file the locale. The file is read before the first frame, so
by a parser and little more; what is wrong in it is found out later, when the screen stands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnnstep.errors import RnnstepError, UsageError
from rnnstep.folders import CONFIG, config_file
from rnnstep.language import LANGUAGES, Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import MOST_DECIMALS

THEMES = ("dark", "light", "high-contrast", "16")
EDIT_STEP = 0.1

_LARGEST = 1 << 16  # bytes


class Settings(NamedTuple):
    """What the file says; None where it says nothing, or nothing that can be used.

    Attributes:
        language: "en" or "zh".
        theme: One of `THEMES`.
        decimals: How many are shown.
        edit_step: What `+` adds, above zero.
        is_whole: Whether all of the file could be used; if not, `problems` tells why.
    """

    language: str | None = None
    theme: str | None = None
    decimals: int | None = None
    edit_step: float | None = None
    is_whole: bool = True


def _is_whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_DECIMALS


def _is_step(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 < value < 1e6 and math.isfinite(value)


_USABLE: Mapping[str, Callable[[object], bool]] = {
    "language": lambda value: value in LANGUAGES,
    "theme": lambda value: value in THEMES,
    "decimals": _is_whole_number,
    "edit_step": _is_step,
}
NAMES = tuple(_USABLE)


def read_settings() -> Settings:
    """Read the file; a setting that cannot be used is left out, and so are all of a file that is no TOML."""
    path = config_file(CONFIG)
    if path is None or not path.exists():
        return Settings()
    if not path.is_file():
        return Settings(is_whole=False)
    from rnnstep.scenario.file.parse_toml import parse_toml

    try:
        with path.open("rb") as file:
            table: dict[str, Any] = parse_toml(file.read(_LARGEST).decode("utf-8"))
    except (OSError, ValueError):
        return Settings(is_whole=False)
    usable: dict[str, Any] = {
        name: value
        for name, value in table.items()
        if name in _USABLE and isinstance(value, str | int | float) and _USABLE[name](value)
    }
    return Settings(**usable, is_whole=usable.keys() == table.keys())


def problems() -> RnnstepError | None:
    """Find out what is wrong in the file: file, line and column, what was found, what is expected; None if nothing."""
    path = config_file(CONFIG)
    if path is None or not path.exists():
        return None
    if not path.is_file():  # a pipe would be waited for
        return UsageError(no_regular_file(path))
    from rnnstep.scenario.file.document import Limits
    from rnnstep.scenario.file.source import open_document

    try:
        document = open_document(path, Limits())
        root = document.root
        root.known(*NAMES)
        root.choice("language", LANGUAGES)
        root.choice("theme", THEMES)
        root.integer("decimals", minimum=0, maximum=MOST_DECIMALS)
        root.number("edit_step", above=0, below=1e6)
        document.finish()
    except RnnstepError as error:
        return error
    return None


def no_regular_file(path: Path) -> Text:
    """What is to be said where a folder, a pipe or a device stands in the place of a file of settings."""
    return Text("cannot read {path}: it is no regular file", path=printable(str(path)))


def lines_of(path: Path) -> Mapping[str, int]:
    """Give the line, from 1, of each key that stands above all tables of a file; none where it cannot be read."""
    from rnnstep.scenario.file.positions import positions

    if not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            found = positions(file.read(_LARGEST).decode("utf-8", "replace"))
    except OSError:
        return {}
    return {str(place[0]): line for place, (line, _) in found.items() if len(place) == 1}
