"""From a file on disk, or a text, to a `Document` ready to be read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.file.parse_toml import TOMLDecodeError, parse_toml
from rnnstep.scenario.file.positions import (
    TooDeep,
    line_and_column,
    offset_of,
    statement_start,
    unfinished_start,
)

LARGEST_FILE = 8 << 20  # bytes; larger arrays belong in a file of their own

_KEY = re.compile(r"\[*([^=\]\n]*)")
_CURLY = "“”„‘’「」『』＂"
_WORD = re.compile(r"[A-Za-z_]\w*")
_LONG_NUMBER = re.compile(r"[\d_]{4301,}+")  # more digits than int() takes
_TWICE = ("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key")
_AT_ITS_END = (*_TWICE, "Cannot mutate immutable namespace", "Cannot redefine namespace")
_REASONS = {
    "Cannot mutate immutable namespace": Text(
        "this table is closed: it was written in braces or dotted keys"
    ),
    "Cannot redefine namespace": Text("this table has a header of its own: write its keys there"),
    "Expected '=' after a key": Text("expected `=` after the key"),
    "Expected newline or end of document": Text("expected the end of the line"),
    "Expected ']' at the end of a table declaration": Text("expected `]` at the end of the table's name"),
    "Expected ']]' at the end of an array declaration": Text("expected `]]` at the end of the table's name"),
    "Illegal character '\\n'": Text("the string is not closed"),
    "Found invalid character '\\n'": Text("the string is not closed"),
    "Illegal character": Text("a character that may not stand here"),
    "Found invalid character": Text("a character that may not stand here"),
    "Unclosed array": Text("expected `,` or `]`: the list is not closed"),
    "Unclosed inline table": Text("expected `,` or `}}`: the table in braces is not closed"),
    "Invalid value": Text("expected a value: a string in quotes, a number, true, false, a list or a table"),
    "Invalid statement": Text("expected `key = value` or `[table]`"),
    "Invalid initial character for a key part": Text(
        "a key is letters, digits, - and _, or stands in quotes"
    ),
    "Invalid date or datetime": Text("no date of the calendar"),
    "Invalid hex value": Text("expected \\x and two hexadecimal digits, \\u and four, or \\U and eight"),
    "Escaped character is not a Unicode": Text("Unicode has no character of this number"),
    "Unescaped": Text("a backslash in a string must be written twice, or the string in single quotes"),
}


def open_document(path: Path, limits: Limits) -> Document:
    """Read a file of at most `LARGEST_FILE` bytes in UTF-8 and parse it.

    Raises:
        UsageError: The file cannot be read.
        ScenarioError: It is too large, no UTF-8, or no TOML.
    """
    return parse_document(str(path), path.parent, source_text(path, limits), limits)


def source_text(path: Path, limits: Limits) -> str:
    """Read the text of a file of at most `LARGEST_FILE` bytes in UTF-8.

    Raises:
        UsageError: The file cannot be read.
        ScenarioError: It is too large, or no UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            Text("cannot read {path}: {reason}", path=printable(str(path)), reason=printable(reason))
        ) from None
    document = Document(str(path), path.parent, "", {}, limits)
    if len(data) > LARGEST_FILE:
        document.problem(
            (),
            Text(
                "a file has at most {limit} MiB; put arrays in a file of their own", limit=LARGEST_FILE >> 20
            ),
        )
        document.finish()
    return _decoded(document, data)


def _decoded(document: Document, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode("utf-8", "replace")
        position = line_and_column(before, len(before))
        document.problem((), Text("not UTF-8: save the file in the encoding UTF-8"), position=position)
        document.finish()
        raise


def parse_document(
    path: str, folder: Path, text: str, limits: Limits, *, parse_float: Callable[[str], Any] = float
) -> Document:
    """Parse a text as TOML; `parse_float` makes its decimal numbers.

    Raises:
        ScenarioError: With the line and column that are at fault.
    """
    text = text.removeprefix("\ufeff")
    document = Document(path, folder, text, {}, limits)
    reason: Text | str
    try:
        document.data = parse_toml(text, parse_float)
    except TooDeep as error:
        document.problem(
            (),
            Text("too many dots or brackets inside one another"),
            position=line_and_column(text, error.offset),
        )
    except TOMLDecodeError as error:
        reason, offset = _reason(error, text)
        position = line_and_column(text, offset)
        document.problem((), Text("not valid TOML: {reason}", reason=reason), position=position)
    except ValueError:  # int() refuses a number for its length
        long = _LONG_NUMBER.search(text)
        reason = Text("a number of too many digits")
        position = line_and_column(text, long.start() if long else 0)
        document.problem((), Text("not valid TOML: {reason}", reason=reason), position=position)
    document.finish()
    return document


def _reason(error: TOMLDecodeError, text: str) -> tuple[Text | str, int]:
    """Give tomli's message in our words, as far as they are known, and its offset."""
    at = offset_of(text, error.lineno, error.colno)
    if error.msg.startswith(_AT_ITS_END):
        at = statement_start(text, at)
    elif at >= len(text):
        return Text("the file ends before what begins here is complete"), unfinished_start(text)
    if error.msg.startswith(_TWICE):
        key = _KEY.match(text, at)
        return Text("`{key}` stands here for the second time", key=key[1].strip() if key else ""), at
    if error.msg == "Invalid value" and text[at] in _CURLY:
        return Text('found {quote}: a string stands between straight quotes, "…"', quote=text[at]), at
    word = _WORD.match(text, at)
    if error.msg == "Invalid value" and word:
        meant = word[0].lower() if word[0].lower() in {"true", "false"} else f'"{word[0][:60]}"'
        return Text(
            "found {word}, expected a value; did you mean {meant}?", word=word[0][:60], meant=meant
        ), at
    return next((known for start, known in _REASONS.items() if error.msg.startswith(start)), error.msg), at
