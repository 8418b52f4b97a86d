r"""Text for LaTeX: signs that it reads otherwise, and which letters every program that compiles it has."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

_SIGNS: Mapping[str, str] = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': "''",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "↔": r"$\leftrightarrow$",
    "⇒": r"$\Rightarrow$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "⊙": r"$\odot$",
    "≠": r"$\ne$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "∂": r"$\partial$",
    "…": r"\dots{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "\u00a0": "~",
}
_GREEK = "αβγδεζηθικλμνξπρστυφχψω"
_LATIN = range(0xC0, 0x180)  # accented letters, which all of them know


def is_plain(text: str) -> bool:
    """Whether pdflatex has all letters of a text."""
    return all(map(_is_plain, text))


def texted(text: str, *, only_plain: bool = False) -> str:
    """Give a text as LaTeX writes it; `only_plain` leaves out what pdflatex has not."""
    shown = (character for character in text if not only_plain or _is_plain(character))
    return "".join(_SIGNS.get(character) or _greek(character) or character for character in shown)


def in_mathematics(text: str) -> str:
    """Give mathematics with names of any letters: Greek ones as LaTeX calls them, others as text."""
    return re.sub(r"[^\x00-\x7f]+", lambda found: "".join(map(_letter, found[0])), text)


def _is_plain(character: str) -> bool:
    return character.isascii() or character in _SIGNS or ord(character) in _LATIN or bool(_greek(character))


def _letter(character: str) -> str:
    greek = _greek(character)
    return greek[1:-1] if greek else rf"\text{{{character}}}"


def _greek(character: str) -> str:
    r"""`$\alpha{}$` of α; nothing of what is no small Greek letter."""
    if character not in _GREEK:
        return ""
    name = unicodedata.name(character).removeprefix("GREEK SMALL LETTER ").lower()
    return rf"$\{name.replace('lamda', 'lambda')}{{}}$"
