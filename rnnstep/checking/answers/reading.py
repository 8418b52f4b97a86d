"""Where answers come from: a file by its ending, standard input, or what was typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rnnstep.checking.answers.answer import Answers
from rnnstep.checking.answers.lines import NOTHING, inline_answers, is_said, line_answers
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Document, Limits
from rnnstep.scenario.file.positions import line_and_column
from rnnstep.scenario.file.source import LARGEST_FILE, source_text

ENDINGS = (".toml", ".csv", ".txt")  # "" is taken, too: what a shell's <( ) gives has none
KINDS = Text("answers are TOML (.toml), CSV (.csv) or lines such as h_1 = 0.54 ? 0.00 0.84 (.txt)")
MOST_WORDS = 200_000  # a gradient of an LSTM's weight_hh with 128 units has 65,536 numbers
_WORD = re.compile(r"[^\s,;]+")
_TABLE = re.compile(r"^[ \t]*(\[|answer[ \t]*=)", re.MULTILINE)  # no line of answers begins so


def read_answers(path: Path, limits: Limits) -> Answers:
    """Read a file of answers by its ending: TOML, CSV, or a text of lines or of TOML.

    Raises:
        UsageError: it cannot be read, or is of another kind.
        ScenarioError: it holds mistakes; all of them, with their places.
    """
    ending = path.suffix.lower()
    if ending not in ("", *ENDINGS):
        raise UsageError(Text("{path}: {kinds}", path=printable(str(path)), kinds=KINDS))
    text = source_text(path, limits)
    _check_amount(text, path, limits)
    if ending == ".csv":
        from rnnstep.checking.answers.csv_table import csv_answers

        return csv_answers(text, path, limits)
    if ending == ".toml":
        return _toml(text, path, limits)
    return text_answers(text, path, limits)


def text_answers(text: str, path: Path, limits: Limits) -> Answers:
    """Read a text that is lines of answers or a whole TOML file; which of them it shows itself.

    Raises:
        ScenarioError: it holds mistakes; all of them, with their places.
    """
    return (_toml if _TABLE.search(text) else line_answers)(text, path, limits)


def given_answers(data: bytes, name: str, limits: Limits) -> Answers:
    """Read what came through standard input: the same.

    Args:
        data: its first bytes, LARGEST_FILE + 1 of them at most.
        name: how it is called in messages.
        limits: what it may ask for.

    Raises:
        ScenarioError: it is too large, no UTF-8, or holds mistakes; all of them, with their places.
    """
    document = Document(name, Path(), "", {}, limits)
    text = ""
    if len(data) > LARGEST_FILE:
        limit = LARGEST_FILE >> 20
        document.problem((), Text("answers have at most {limit} MiB", limit=limit), position=(1, 1))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        document.problem((), Text("not UTF-8: save the file in the encoding UTF-8"), position=(line, 1))
    document.finish()
    _check_amount(text, Path(name), limits)
    return text_answers(text, Path(name), limits)


def _check_amount(text: str, path: Path, limits: Limits) -> None:
    """Refuse, before any is read, more numbers and words than anybody works out.

    Raises:
        ScenarioError: there are more than `MOST_WORDS`.
    """
    first_over = next(islice(_WORD.finditer(text), MOST_WORDS, None), None)
    if first_over is not None:
        document = Document(str(path), path.parent, text, {}, limits)
        message = Text("more than {most} numbers and words: too many for answers", most=f"{MOST_WORDS:,}")
        document.problem((), message, position=line_and_column(text, first_over.start()))
        document.finish()


def _toml(text: str, path: Path, limits: Limits) -> Answers:
    from rnnstep.checking.answers.toml_tables import toml_answers

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
        if not is_said(text):
            raise UsageError(_no_answer(text, is_alone=len(texts) == 1))
    return inline_answers(texts, limits)


def _no_answer(text: str, *, is_alone: bool) -> Text:
    """What is to be said of a text that is neither a file nor answers."""
    if not text.strip():
        return NOTHING
    if not is_alone:
        return Text("`{text}`: one file of answers, or NAME = NUMBERS", text=printable(text[:80]))
    path = printable(text[:200])
    if _is_folder(text):
        return Text("{path} is a folder: `rnnstep grade` marks every file of one", path=path)
    return Text("{path}: there is no such file", path=path)


def file_of(text: str) -> Path | None:
    """Give the file that a text is the path of; None where it is none's, as of most answers that are typed."""
    try:
        path = Path(text.strip()).expanduser()
        return path if path.exists() and not path.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, nobody's home
        return None


def _is_folder(text: str) -> bool:
    try:
        return Path(text.strip()).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False
