"""Texts of a file that may be given in both languages: titles, summaries, what is said at a stop."""

from __future__ import annotations

from dataclasses import dataclass

from rnnstep.language import LANGUAGES, Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Table, shown


@dataclass(frozen=True, slots=True)
class Localized:
    """A text in English and Chinese; the one given stands for both."""

    en: str = ""
    zh: str = ""

    def into(self, language: str) -> str:
        """Give the text in `language`, or the other one where it is missing."""
        return (self.zh or self.en) if language == "zh" else (self.en or self.zh)

    def __bool__(self) -> bool:
        return bool(self.en or self.zh)


EXPECTED = Text('a string, or {{en = "…", zh = "…"}}')


def read_localized(table: Table, key: str, default: str = "") -> Localized:
    """Give a text that is a string, or `{en = "…", zh = "…"}`, safe to print; `default` where it is absent."""
    raw = table.raw(key)
    if isinstance(raw, dict):
        both = table.table(key)
        assert both is not None
        both.known(*LANGUAGES)
        return Localized(*(_printable(both.string(language, "")) for language in LANGUAGES))
    if raw is not None and not isinstance(raw, str):
        table.wrong(key, EXPECTED)
        return Localized()
    return Localized(en=_printable(table.string(key, default)))


def read_localized_list(table: Table, key: str) -> tuple[Localized, ...]:
    """Give a list of such texts; () where it is absent or holds another thing, which is noted."""
    raw = table.raw(key)
    if not isinstance(raw, list):
        if raw is not None:
            table.wrong(key, Text("a list of strings"))
        return ()
    found: list[Localized] = []
    for number, entry in enumerate(raw):
        names = entry.keys() <= set(LANGUAGES) if isinstance(entry, dict) else False
        texts = entry.values() if isinstance(entry, dict) and names else (entry,)
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            name = f"{key}[{number}]"
            told = Text(
                "`{key}`: found {found}, expected {expected}", key=name, found=shown(entry), expected=EXPECTED
            )
            table.problem((key, number), told)
            return ()
        by_language = entry if isinstance(entry, dict) else {"en": entry}
        found.append(Localized(**{name: _printable(text) for name, text in by_language.items()}))
    return tuple(found)


def _printable(text: str | None) -> str:
    return printable(text or "", is_multiline=True)
