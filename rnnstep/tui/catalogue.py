"""The bundled scenarios with their titles and summaries, read without numpy and so without the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rnnstep.language.printable import printable
from rnnstep.scenario import bundled
from rnnstep.scenario.parse import parse_toml
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.picker import Entry

_FIRST = "hello"  # where a newcomer begins


def catalogue(language: str) -> tuple[Entry, ...]:
    """Give the bundled scenarios in a language: the first lesson, then the others by the alphabet."""
    root = bundled.folder()
    names = sorted(bundled.names(), key=lambda name: (name != _FIRST, name))
    return tuple(_entry(name, root / f"{name}{bundled.SUFFIX}", language) for name in names)


def _entry(name: str, path: Path, language: str) -> Entry:
    try:
        table: dict[str, Any] = parse_toml(path.read_text("utf-8"))
    except (OSError, ValueError):
        table = {}
    return Entry(name, path, _words(table, "title", language), _words(table, "summary", language))


def _words(table: dict[str, Any], key: str, language: str) -> str:
    found = table.get(key, "")
    if isinstance(found, dict):
        found = found.get(language) or found.get("en") or found.get("zh") or ""
    return printable(" ".join(plain_markdown(str(found)).split()))
