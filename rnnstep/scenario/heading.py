"""What stands above the tables, and how things are shown: title, summary, vocabulary, [display]."""

from __future__ import annotations

from typing import cast

from rnnstep.language import LANGUAGES, Text
from rnnstep.language.printable import printable
from rnnstep.scenario.document import Document
from rnnstep.scenario.model import Display, Localized
from rnnstep.scenario.table import shown

ASCII = tuple(map(chr, range(128)))
MOST_DECIMALS = 17  # a float64 has no more digits


def read_localized(document: Document, key: str) -> Localized:
    """Give a text that is a string, or `{en = "…", zh = "…"}`, safe to print."""
    root = document.root
    if isinstance(root.raw(key), dict):
        table = root.table(key)
        assert table is not None
        table.known(*LANGUAGES)
        english, chinese = table.string("en", "") or "", table.string("zh", "") or ""
        return Localized(printable(english, is_multiline=True), printable(chinese, is_multiline=True))
    if root.has(key) and not isinstance(root.raw(key), str):
        root.wrong(key, Text('a string, or {{en = "…", zh = "…"}}'))
    return (
        Localized(en=printable(root.string(key, "") or "", is_multiline=True))
        if _is_string(root.raw(key))
        else Localized()
    )


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def read_vocabulary(document: Document) -> tuple[str, ...] | None:
    """Give the letters or words whose position is their index; None if absent or wrong."""
    root = document.root
    raw = root.raw("vocabulary")
    if raw is None:
        return None
    if raw == "ascii":
        return ASCII
    expected = Text('a list of different strings, or "ascii"')
    if not isinstance(raw, list) or not raw:
        root.wrong("vocabulary", expected)
        return None
    first_at: dict[str, int] = {}
    for index, entry in enumerate(raw):
        name = f"vocabulary[{index}]"
        if not isinstance(entry, str) or not entry:
            root.problem(
                ("vocabulary", index),
                Text(
                    "`{key}`: found {found}, expected {expected}",
                    key=name,
                    found=shown(entry),
                    expected=Text("a string that is not empty"),
                ),
            )
            return None
        if entry in first_at:
            root.problem(
                ("vocabulary", index),
                Text(
                    "`{key}`: {found} stands twice, already at index {first}",
                    key=name,
                    found=shown(entry),
                    first=first_at[entry],
                ),
            )
            return None
        first_at[entry] = index
    return tuple(raw)


def read_display(
    document: Document,
    *,
    is_bidirectional: bool,
    dtype: str | None = None,
    decimals: int | None = None,
    language: str | None = None,
) -> Display:
    """Give [display]; what is passed here (from the command line) wins over the file."""
    table = document.table("display")
    order = "layer" if is_bidirectional else "time"
    if table is None:
        return _display(decimals if decimals is not None else 4, dtype or "float32", language, order)
    table.known()
    in_file = table.integer("decimals", 4, minimum=0, maximum=MOST_DECIMALS)
    file_dtype = table.choice("dtype", ("float32", "float64"), "float32")
    file_language = table.choice("language", LANGUAGES)
    file_order = table.choice("order", ("time", "layer"), order)
    if is_bidirectional and file_order == "time":
        table.problem(
            "order",
            Text(
                '`order`: found "time", but a bidirectional module goes layer by layer: its backward'
                ' direction needs the last step first; expected "layer"'
            ),
        )
    return _display(
        decimals if decimals is not None else cast(int, in_file),
        dtype or cast(str, file_dtype),
        language or file_language,
        cast(str, file_order),
    )


def _display(decimals: int, dtype: str, language: str | None, order: str) -> Display:
    return Display(decimals, dtype, language, order)  # type: ignore[arg-type]  # checked to be of the literals
