"""Markdown as plain text, marks taken away and nothing else interpreted; or with its strong words and code in styles."""

from __future__ import annotations

import re
from itertools import groupby

from rnnstep.views.compose import RowBlock, wrap
from rnnstep.views.rows import Span

_FENCE = re.compile(r"\s*(```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$")
_ITEM = re.compile(r"(\s*)[-*+]\s+(.*)$")
_NUMBERED = re.compile(r"(\s*)(\d{1,9})[.)]\s+(.*)$")
_QUOTE = re.compile(r"^\s{0,3}>\s?")
_CODE = re.compile(r"(`+)(?!`)(.{1,2000}?)(?<!`)\1(?!`)")
# Bounded, so that a text of brackets alone takes no quadratic time.
_LINK = re.compile(r"!?\[([^\[\]]{0,500})\]\(([^()\s]{0,500})(?:\s+\"[^\"]{0,200}\")?\)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+\-.!>~|])")
_STRONG = (
    re.compile(r"\*\*(?=\S)([^*]{1,2000}?)(?<=\S)\*\*"),
    re.compile(r"(?<!\w)__(?=\S)([^_]{1,2000}?)(?<=\S)__(?!\w)"),
)
_EMPHASIS = (
    re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,2000}?)(?<=\S)\*(?![\w*])"),
    # `h_prev and c_prev` holds no emphasis: a word may have underscores inside.
    re.compile(r"(?<!\w)_(?=[^\s_])([^\n]{0,2000}?[^\s_])_(?!\w)"),
)
# The private use area, of which nothing is left of a text itself: what is taken as it is, and where styles begin and end.
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_KEPT_FROM, _MOST_KEPT = 0xE000, 6000
_KEPT = re.compile(f"[{chr(_KEPT_FROM)}-{chr(_KEPT_FROM + _MOST_KEPT - 1)}]")
_STRONG_BEGINS, _CODE_BEGINS, _ENDS = "\uf8fd\uf8fe\uf8ff"
_STYLES = str.maketrans("", "", _STRONG_BEGINS + _CODE_BEGINS + _ENDS)


def plain_markdown(text: str) -> str:
    """Give Markdown as people would type it without: `**h**` as `h`, `- x` as `• x`, links as their text.

    Lines of one paragraph are joined, so that a screen can break them anew; paragraphs,
    list items and code keep their own lines. What is no Markdown stays as it is.
    """
    return _read(text).translate(_STYLES)


def _read(text: str) -> str:
    """The plain text, with the beginnings and ends of styles in it."""
    lines: list[str] = []
    paragraph: list[str] = []
    is_code = False

    def close() -> None:
        if paragraph:
            lines.append(_joined(paragraph))
            paragraph.clear()

    for line in _PRIVATE.sub("\ufffd", text).strip("\n").split("\n"):
        if _FENCE.match(line):
            close()
            is_code = not is_code
        elif is_code:
            lines.append(line.rstrip())
        elif not line.strip():
            close()
            if lines and lines[-1]:
                lines.append("")
        elif heading := _HEADING.match(line):
            close()
            lines.append(_inline(heading[1]))
        elif item := _ITEM.match(line):
            close()
            paragraph.append(f"{item[1]}• {item[2].strip()}")
        elif numbered := _NUMBERED.match(line):
            close()
            paragraph.append(f"{numbered[1]}{numbered[2]}. {numbered[3].strip()}")
        else:
            paragraph.append(_QUOTE.sub("", line).strip())
    close()
    return "\n".join(lines).strip("\n")


def _joined(lines: list[str]) -> str:
    """Join the lines of a paragraph: with a blank, but with none between Chinese characters."""
    whole = lines[0]
    for line in lines[1:]:
        is_chinese = bool(whole and line) and ord(whole[-1]) >= 0x2E80 and ord(line[0]) >= 0x2E80
        whole += line if is_chinese else f" {line}"
    return _inline(whole)


def _inline(text: str) -> str:
    """Take the marks inside a line away; what stands in code or after a backslash is kept as it is."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        if len(kept) == _MOST_KEPT:
            return found[found.re.groups]
        kept.append(found[found.re.groups])
        return chr(_KEPT_FROM + len(kept) - 1)

    text = _CODE.sub(lambda found: f"{_CODE_BEGINS}{keep(found)}{_ENDS}", text)
    text = _LINK.sub(r"\1", _ESCAPED.sub(keep, text))
    for mark in _STRONG:
        text = mark.sub(rf"{_STRONG_BEGINS}\1{_ENDS}", text)
    for mark in _EMPHASIS:
        text = mark.sub(r"\1", text)
    return _KEPT.sub(lambda found: kept[ord(found[0]) - _KEPT_FROM], text)


_BREAKS = " ([{"


def styled_markdown(text: str, cells: int, *, code: str = "label", strong: str = "bold") -> RowBlock:
    """Give Markdown in rows of at most `cells`, as `plain_markdown` does, its code and strong words in roles of their own."""
    styled: list[tuple[str, str]] = []
    styles = [""]
    for character in _read(text):
        if character in (_STRONG_BEGINS, _CODE_BEGINS):
            styles.append(strong if character == _STRONG_BEGINS else code)
        elif character == _ENDS:
            styles.pop()
        else:
            styled.append((character, styles[-1]))
    # Code is broken nowhere, as long as it fits on a line: blanks and brackets in it stand as letters meanwhile.
    whole = "".join("_" if mark == code and character in _BREAKS else character for character, mark in styled)
    rest = iter(zip(whole, styled, strict=True))
    rows: RowBlock = []
    for line in wrap(whole, cells):
        # What the line lacks are blanks at which the text was broken.
        found = [next(pair for standing, pair in rest if standing == character) for character in line]
        runs = groupby(found, key=lambda pair: pair[1])
        rows.append(tuple(Span("".join(character for character, _ in run), style) for style, run in runs))
    return rows
