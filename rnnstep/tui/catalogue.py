"""What there is to choose from, and what finds it; titles and summaries are read without numpy and so without the rest.

First come the lessons, the user's own files that were open last, then the bundled scenarios in the order of the course.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnnstep.language import LANGUAGES, Text
from rnnstep.language.printable import printable
from rnnstep.scenario import bundled
from rnnstep.scenario.bundled import KEYWORDS, course, lesson_name_of, lessons
from rnnstep.scenario.file.parse_toml import parse_toml
from rnnstep.tui.remembered import Remembered
from rnnstep.views.markdown import plain_markdown
from rnnstep.views.picker import Entry

MOST_RECENT = 5
_LARGEST = 1 << 20  # bytes of a user's own file, whose title is read before it is chosen
_NOT_FOUND = 99


def catalogue(language: str, remembered: Remembered | None = None) -> tuple[Entry, ...]:
    """Give all entries in a language."""
    root = bundled.folder()
    return (
        *(_entry(name, path, language, Text("Lessons")) for name, path in lessons().items()),
        *_recent(language, remembered),
        *(
            _entry(name, root / f"{name}{bundled.SUFFIX}", language, heading)
            for heading, names in course()
            for name in names
        ),
    )


def _recent(language: str, remembered: Remembered | None) -> list[Entry]:
    """The files that were open last and are there still; the bundled ones stand below in any case."""
    found: list[Entry] = []
    for path in () if remembered is None else remembered.places:
        try:
            is_there = path.is_file() and path.stat().st_size <= _LARGEST and not _is_bundled(path)
        except OSError:
            is_there = False
        if is_there:
            entry = _entry(printable(path.stem), path, language, Text("Open last"))
            place = remembered.place(path) if remembered is not None else None
            found.append(
                entry if place is None else replace(entry, title=f"{entry.title}  {printable(place)}".strip())
            )
        if len(found) == MOST_RECENT:
            break
    return found


def _is_bundled(path: Path) -> bool:
    return bundled.name_of(path) is not None or lesson_name_of(path) is not None


def _entry(name: str, path: Path, language: str, heading: Text) -> Entry:
    try:
        table: dict[str, Any] = parse_toml(path.read_text("utf-8"))
    except (OSError, ValueError):
        table = {}
    both = [_words(table, key, other) for key in ("title", "summary") for other in LANGUAGES]
    keywords = KEYWORDS.get(name, "") if name in (bundled.name_of(path), lesson_name_of(path)) else str(path)
    title, summary = (_words(table, key, language) for key in ("title", "summary"))
    return Entry(name, path, title, summary, heading, keywords.lower(), " ".join(both).lower())


def _words(table: dict[str, Any], key: str, language: str) -> str:
    found = table.get(key, "")
    if isinstance(found, dict):
        found = found.get(language) or found.get("en") or found.get("zh") or ""
    return printable(" ".join(plain_markdown(str(found)).split()))


def found_by(entries: Sequence[Entry], typed: str) -> tuple[Entry, ...]:
    """Give the entries that have all words typed, those first whose names have them; in their order otherwise."""
    words = typed.lower().split()
    if not words:
        return tuple(entries)
    ranked = [(max(_rank(entry, word) for word in words), entry) for entry in entries]
    return tuple(entry for rank, entry in sorted(ranked, key=lambda pair: pair[0]) if rank < _NOT_FOUND)


def _rank(entry: Entry, word: str) -> int:
    """How well an entry is found by a word: by its whole name 0, by how a name begins 1, … not at all `_NOT_FOUND`."""
    name = entry.name.lower()
    last = name.rpartition("/")[2]
    parts = last.replace("-", "_").split("_")
    ways = (
        word in (name, last),
        name.startswith(word) or last.startswith(word),
        any(part.startswith(word) for part in parts),
        word in name,
        any(part.startswith(word) for part in entry.title.lower().split()),
        word in entry.keywords,
        word in entry.both,
    )
    return ways.index(True) if True in ways else _NOT_FOUND
