"""What the program says, in English and in other languages.

A message is a `Text`: an English template and the values put into it. The
English is written where the message arises; the Chinese stands in the tables
of `rnnstep.language.zh`, keyed by the English template, and is looked up when
the message is shown. A test reads the source for every `Text("…")` and asks
that each has its Chinese with the same placeholders; it would ask the same of
any other language.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

LANGUAGES = ("en", "zh")
"""English, and the folders of this one that have its translations."""

LONGEST_VALUE = 500  # characters of what a message repeats


@dataclass(frozen=True, slots=True, init=False)
class Text:
    """A message: an English `template` in `str.format` syntax and its `values`.

    Values may be `Text` themselves; they are translated with the whole.
    """

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def __init__(self, template: str, /, **values: Any) -> None:
        object.__setattr__(self, "template", template)
        object.__setattr__(self, "values", values)

    def into(self, language: str) -> str:
        """Give the message in one of `LANGUAGES`; English where it has no translation."""
        template = self.template
        if language != "en":
            template = translations(language).get(template, template)
        values = {
            name: value.into(language) if isinstance(value, Text) else value
            for name, value in self.values.items()
        }
        return template.format_map(values)

    def shortened(self) -> Text:
        """Give the message with each value that is longer than `LONGEST_VALUE` cut in its middle.

        Messages repeat what was found, and a file or an argument may hold a megabyte of it.
        """
        return type(self)(self.template, **{name: _shortened(value) for name, value in self.values.items()})

    def exchanged(self, others: Mapping[str, str]) -> Text:
        """Give the message with others in the place of those of its values that are names in `others`."""
        values = {
            name: others.get(value, value) if isinstance(value, str) else value
            for name, value in self.values.items()
        }
        return type(self)(self.template, **values)

    def __str__(self) -> str:
        return self.into("en")


def _shortened(value: Any) -> Any:
    if isinstance(value, Text):
        return value.shortened()
    if isinstance(value, str) and len(value) > LONGEST_VALUE:
        return f"{value[: LONGEST_VALUE - 100]} … {value[-97:]}"
    return value


@cache
def translations(language: str) -> Mapping[str, str]:
    """Give every message's translation, keyed by the English template: the tables of the language's folder as one."""
    import importlib
    import pkgutil

    folder = importlib.import_module(f"{__name__}.{language}")
    merged: dict[str, str] = {}
    for module in pkgutil.iter_modules(folder.__path__):
        merged.update(importlib.import_module(f"{folder.__name__}.{module.name}").TABLE)
    return merged


def environment_language() -> str:
    """Give the language of the environment's locale where it is one of the program's, else "en"."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(name)
        if value:
            return next((language for language in LANGUAGES if value.lower().startswith(language)), "en")
    return "en"
