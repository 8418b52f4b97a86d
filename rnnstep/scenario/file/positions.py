"""Where in a TOML text each key, table header and array element stands.

tomli gives the data without places. This walk over the same text gives the
places without the data; it judges nothing: on a text that tomli refuses it
stops where it no longer understands and keeps what it has found.
"""

from __future__ import annotations

import re
from contextlib import suppress

KeyPath = tuple[str | int, ...]

MOST_KEY_PARTS = 32  # of one dotted key; tomli's time grows with their square
MOST_NESTING = 32  # of brackets; tomli recurses

_BLANK = re.compile(r"[ \t]*+")
_SPACE = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_BETWEEN = re.compile(r"(?:[ \t\r\n,]++|#[^\n]*+)*+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]++")
_BASIC = re.compile(r'"[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"')
_LITERAL = re.compile(r"'[^'\n]*+'")
_LONG_BASIC_END = re.compile(r'\\.|"{3,5}', re.DOTALL)
_LONG_LITERAL_END = re.compile(r"'{3,5}")
_SCALAR = re.compile(r"[^,\]}#\n]++")
_NO_BRACKET = re.compile(r"[^\"'#\[\]{}]*+")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))")
_ESCAPED = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


class TooDeep(ValueError):
    """A key of too many parts, or too many brackets in one another, from an offset on."""

    def __init__(self, offset: int) -> None:
        super().__init__("too many dots or brackets inside one another")
        self.offset = offset


class _Stopped(Exception):
    """The text is not understood from here on."""


def positions(text: str) -> dict[KeyPath, tuple[int, int]]:
    """Give line and column, from 1, of every path that tomli yields for `text`.

    A key stands where it is first written, a table at its header's bracket, an
    element where its value begins; columns count characters.
    """
    return {place: line_and_column(text, offset) for place, offset in offsets(text).items()}


def offsets(text: str, *, with_elements: bool = True) -> dict[KeyPath, int]:
    """Give the offset in `text` of every path; without those below arrays it takes a tenth of the time."""
    walk = _Walk(text, with_elements=with_elements)
    with suppress(_Stopped, TooDeep):
        walk.document()
    return walk.found


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Give line and column, from 1, of an offset."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def offset_of(text: str, line: int, column: int) -> int:
    """Give the offset of a line and column from 1."""
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start + column - 1


def statement_start(text: str, offset: int) -> int:
    """Give where the innermost header or `key = value` begins that holds, or ends at, an offset."""
    walk = _Walk(text, with_elements=False)
    with suppress(_Stopped, TooDeep):
        walk.document()
    pairs = walk.statements + [(start, len(text)) for start in walk.unfinished]
    return max((start for start, end in pairs if start < offset <= end), default=offset)


def unfinished_start(text: str) -> int:
    """Give where the innermost header or `key = value` begins that is not complete where the text ends."""
    walk = _Walk(text, with_elements=False)
    with suppress(_Stopped, TooDeep):
        walk.document()
    return max((start for start in walk.unfinished if start < len(text)), default=len(text))


def check_depth(text: str) -> None:
    """Make sure that tomli reads `text` in time proportional to its length, without deep recursion.

    Raises:
        TooDeep: At the key or bracket that goes too far.
    """
    with suppress(_Stopped):  # tomli stops there, or before it, too
        _Walk(text, with_elements=False).document()


class _Walk:
    """One pass over a text; `at` is the offset reached, `found` holds the offset of each place."""

    def __init__(self, text: str, *, with_elements: bool = True) -> None:
        self.text = text
        self.at = 0
        self.found: dict[KeyPath, int] = {}
        self.statements: list[tuple[int, int]] = []  # where each header and pair begins and ends
        self.unfinished: list[int] = []  # where those begin that have not ended yet, the innermost last
        self._with_elements = with_elements
        self._tables_in: dict[KeyPath, int] = {}  # how many [[…]] each array of tables has so far

    def document(self) -> None:
        header: KeyPath = ()
        while True:
            self._skip(_SPACE)
            if self.at >= len(self.text):
                return
            if self.text[self.at] == "[":
                header = self._header()
            else:
                self._value(self._key(header))

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        if match is None:
            raise _Stopped
        self.at = match.end()

    def _starts(self, characters: str) -> bool:
        return self.text.startswith(characters, self.at)

    def _header(self) -> KeyPath:
        """Read `[a.b]` or `[[a.b]]` and give the place of its table."""
        start = self.at
        self.unfinished.append(start)
        is_array = self._starts("[[")
        self.at += 2 if is_array else 1
        place: KeyPath = ()
        parts = self._key_parts()
        for part, _ in parts[:-1]:
            place = self._into_last((*place, part))
            self.found.setdefault(place, start)
        place = (*place, parts[-1][0])
        if is_array:
            self.found.setdefault(place, start)
            self._tables_in[place] = self._tables_in.get(place, 0) + 1
        place = self._into_last(place)
        self.found[place] = start
        self._skip(_BLANK)
        closing = "]]" if is_array else "]"
        if not self._starts(closing):
            raise _Stopped
        self.at += len(closing)
        self._finish()
        return place

    def _finish(self) -> None:
        self.statements.append((self.unfinished.pop(), self.at))

    def _into_last(self, place: KeyPath) -> KeyPath:
        count = self._tables_in.get(place)
        return place if count is None else (*place, count - 1)

    def _key(self, table: KeyPath) -> KeyPath:
        """Read `a.b =` and give the place of its value."""
        self.unfinished.append(self.at)
        place = table
        for part, offset in self._key_parts():
            place = (*place, part)
            self.found.setdefault(place, offset)
        self._skip(_BLANK)
        if not self._starts("="):
            raise _Stopped
        self.at += 1
        return place

    def _key_parts(self) -> list[tuple[str, int]]:
        """Read the parts of a dotted key, each with its offset."""
        parts: list[tuple[str, int]] = []
        while True:
            self._skip(_BLANK)
            start = self.at
            if len(parts) == MOST_KEY_PARTS:
                raise TooDeep(parts[0][1])
            parts.append((self._key_part(), start))
            self._skip(_BLANK)
            if not self._starts("."):
                return parts
            self.at += 1

    def _key_part(self) -> str:
        start = self.at
        if self._starts('"'):
            self._skip(_BASIC)
            return _ESCAPE.sub(_unescape, self.text[start + 1 : self.at - 1])
        if self._starts("'"):
            self._skip(_LITERAL)
            return self.text[start + 1 : self.at - 1]
        self._skip(_BARE_KEY)
        return self.text[start : self.at]

    def _value(self, place: KeyPath | None) -> None:
        """Walk over one value and all that is in it; `place` is that of the value."""
        nesting: list[tuple[KeyPath, int]] = []  # each open bracket's place, its elements so far; −1: a table
        while place is not None:
            self._skip(_BLANK if not nesting else _SPACE)
            if nesting:
                self.found.setdefault(place, self.at)
            if self._starts("[") or self._starts("{"):
                if len(nesting) == MOST_NESTING:
                    raise TooDeep(self.at)
                nesting.append((place, 0 if self._starts("[") else -1))
                self.at += 1
            else:
                self._plain_value()
                self._finish_pair(nesting)
            place = self._next_place(nesting)

    def _finish_pair(self, nesting: list[tuple[KeyPath, int]]) -> None:
        """Note that a value has ended, and with it its pair unless it is an element of an array."""
        if not nesting or nesting[-1][1] < 0:
            self._finish()

    def _next_place(self, nesting: list[tuple[KeyPath, int]]) -> KeyPath | None:
        """Go on to the next value within the open brackets; None when all are closed."""
        while nesting:
            self._skip(_BETWEEN)
            if self._starts("]") or self._starts("}"):
                self.at += 1
                nesting.pop()
                self._finish_pair(nesting)
                continue
            place, count = nesting[-1]
            if count < 0:
                return self._key(place)
            if not self._with_elements:
                self._skip(_NO_BRACKET)
                if self._starts("]") or self._starts("#"):
                    continue
                return place
            nesting[-1] = (place, count + 1)
            return (*place, count)
        return None

    def _plain_value(self) -> None:
        """Walk over a string, or over a number, date or word."""
        if self._starts('"""'):
            self.at += 3
            self._to_end_of_long(_LONG_BASIC_END)
        elif self._starts("'''"):
            self.at += 3
            self._to_end_of_long(_LONG_LITERAL_END)
        elif self._starts('"'):
            self._skip(_BASIC)
        elif self._starts("'"):
            self._skip(_LITERAL)
        else:
            self._skip(_SCALAR)

    def _to_end_of_long(self, end: re.Pattern[str]) -> None:
        for match in end.finditer(self.text, self.at):
            if match[0][0] != "\\":
                self.at = match.end()
                return
        raise _Stopped


def _unescape(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code is None:
        return _ESCAPED.get(match[4], match[4])
    number = int(code, 16)
    return chr(number) if number < 0x110000 else ""
