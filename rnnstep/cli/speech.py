"""In which language the command line speaks, and how it says what is wrong."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from rnnstep.language import LANGUAGES, Text, environment_language
from rnnstep.language.printable import printable


def language_of(arguments: Sequence[str]) -> str:
    """Give what `--language` says, else the environment: known before anything is parsed, for help and errors."""
    given = None
    for word, following in zip(arguments, [*arguments, ""][1:], strict=True):
        if word == "--":
            break
        if word == "--language":
            given = following
        elif word.startswith("--language="):
            given = word.partition("=")[2]
    return given if given in LANGUAGES else environment_language()


def say(message: Text, language: str) -> None:
    """Write a message to standard error."""
    say_plainly(message.shortened().into(language))


def say_plainly(text: str) -> None:
    """Write a text to standard error, whatever its encoding can spell; nowhere if a program that was run has closed it."""
    if sys.stderr is None or sys.stderr.closed:
        return
    line = printable(text, is_multiline=True) + "\n"
    encoding = sys.stderr.encoding or "utf-8"
    with contextlib.suppress(OSError):
        sys.stderr.write(line.encode(encoding, "backslashreplace").decode(encoding))


def can_spell(text: str) -> bool:
    """Whether standard output's encoding has these characters."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
