"""Text from files, made safe to print."""

from __future__ import annotations

import unicodedata


def printable(text: str, *, is_multiline: bool = False) -> str:
    r"""Give `text` with all that steers a terminal written as an escape: ESC becomes `\x1b`.

    Escaped are control characters (C0, DEL, C1), the marks that turn the
    direction of writing, other invisible format characters, line separators,
    and what Unicode has not assigned. With `is_multiline`, newlines stay and
    tabs become blanks. Everything that comes from a file (titles, letters of a
    vocabulary, names of classes, keys in messages) passes through here before
    it is shown.
    """
    if text.isprintable():
        return text
    return "".join(_visible(character, is_multiline=is_multiline) for character in text)


def _visible(character: str, *, is_multiline: bool) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if is_multiline and character in "\n\t":
        return "\n" if character == "\n" else "    "
    return character.encode("unicode_escape").decode("ascii")
