"""Where answers come from: a file by its ending, or what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rnnstep.checking.answer_text import inline_answers
from rnnstep.checking.answers import Answers
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.document import Limits
from rnnstep.scenario.source import source_text


def read_answers(path: Path, limits: Limits) -> Answers:
    """Read a file of answers: TOML, or CSV by its ending.

    Raises:
        UsageError: it cannot be read.
        ScenarioError: it holds mistakes; all of them, with their places.
    """
    text = source_text(path, limits)
    if path.suffix.lower() == ".csv":
        from rnnstep.checking.answer_csv import csv_answers

        return csv_answers(text, path, limits)
    from rnnstep.checking.answer_toml import toml_answers

    return toml_answers(text, path, limits)


def answers_of(texts: Sequence[str], limits: Limits) -> Answers:
    """Read what somebody gave: the path of one file of answers, or answers themselves, `NAME = NUMBERS`.

    Raises:
        UsageError: there is no such file, or an answer cannot be read.
        ScenarioError: the file holds mistakes; all of them, with their places.
    """
    if len(texts) == 1:
        path = file_of(texts[0])
        if path is not None:
            return read_answers(path, limits)
    for text in texts:
        if "=" not in text and "＝" not in text:
            if len(texts) == 1:
                raise UsageError(Text("{path}: there is no such file", path=printable(text[:200])))
            raise UsageError(
                Text("`{text}`: one file of answers, or NAME = NUMBERS", text=printable(text[:80]))
            )
    return inline_answers(texts, limits)


def file_of(text: str) -> Path | None:
    """Give the file that a text is the path of; None where it is none's, as of most answers that are typed."""
    try:
        path = Path(text.strip()).expanduser()
        return path if path.exists() and not path.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, nobody's home
        return None
