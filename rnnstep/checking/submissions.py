"""Which files of a folder are a class's answers, and what there is of those who handed in something else.

Files of answers stand in the folder, or one folder deeper, as learning platforms export them: `Ada_123/answers.toml`.
Nobody is lost: a file of another kind, a folder without answers, a link that leads outside are rows with an error.
"""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from rnnstep.checking.reading import ENDINGS, KINDS
from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.file.document import Limits

NO_ANSWERS = ("__macosx", "thumbs.db", "desktop.ini")  # what systems leave in folders; hidden files, too


@dataclass(frozen=True, slots=True)
class Submission:
    """What one row is of.

    Attributes:
        name: as it stands in the folder, "ada.toml" or "Ada_123/answers.toml", safe to print.
        path: of the file.
        error: why it is not to be opened; None where it is.
    """

    name: str
    path: Path
    error: Text | None = None


@dataclass(frozen=True, slots=True)
class Submissions:
    """A folder's.

    Attributes:
        rows: by name.
        left_out: how many files of other kinds stand beside answers in somebody's own folder.
    """

    rows: tuple[Submission, ...]
    left_out: int = 0


def submissions(folder: Path, limits: Limits, but: Collection[Path] = ()) -> Submissions:
    """Find what was handed in.

    Args:
        folder: of a class.
        limits: whether links may lead outside of it.
        but: files that are none of it wherever they stand: the scenario, the rows that were written the last time.

    Raises:
        UsageError: there is no such folder, or no file of answers in it.
    """
    finder = _Finder(folder, limits, but)
    try:
        rows = tuple(finder.all())
    except OSError as error:
        reason = printable(error.strerror or str(error))
        raise UsageError(
            Text("cannot read {path}: {reason}", path=printable(str(folder)), reason=reason)
        ) from None
    if not any(row.path.suffix.lower() in ENDINGS for row in rows):
        raise UsageError(
            Text("there are no files of answers (.toml, .csv, .txt) in {path}", path=printable(str(folder)))
        )
    return Submissions(rows, finder.left_out)


class _Finder:
    """Goes through one folder, and counts what it leaves out."""

    def __init__(self, folder: Path, limits: Limits, but: Collection[Path]) -> None:
        self.left_out = 0
        self._folder = folder
        self._whole = folder.resolve()
        self._limits = limits
        self._but = {path.resolve() for path in but}

    def all(self) -> Iterator[Submission]:
        for path in self._inside(self._folder):
            error = self._link_error(path)
            if error is None and path.is_dir():
                yield from self._of_one(path)
                continue
            if error is None and path.suffix.lower() not in ENDINGS:
                error = KINDS
            yield Submission(printable(path.name), path, error)

    def _inside(self, folder: Path) -> list[Path]:
        """What stands in a folder, without what nobody put there to be marked."""
        return sorted(
            path
            for path in folder.iterdir()
            if not path.name.startswith((".", "~$"))
            and path.name.lower() not in NO_ANSWERS
            and not (self._but and path.is_file() and path.resolve() in self._but)
        )

    def _of_one(self, folder: Path) -> Iterator[Submission]:
        """What stands in somebody's own folder."""
        name = printable(folder.name)
        try:
            inside = self._inside(folder)
        except OSError as error:
            reason = printable(error.strerror or str(error))
            yield Submission(f"{name}/", folder, Text("cannot be read: {reason}", reason=reason))
            return
        answers = [path for path in inside if path.suffix.lower() in ENDINGS and not _is_folder(path)]
        for path in answers:
            yield Submission(f"{name}/{printable(path.name)}", path, self._link_error(path))
        if answers:
            self.left_out += sum(not _is_folder(path) for path in inside) - len(answers)
        else:
            none = Text("there is no file of answers (.toml, .csv, .txt) in it")
            yield Submission(f"{name}/", folder, none)

    def _link_error(self, path: Path) -> Text | None:
        """Why a link is not followed; None for one that may be, and for what is none."""
        if self._limits.allow_outside or not path.is_symlink():
            return None
        try:
            end = path.resolve(strict=True)
        except (OSError, RuntimeError):  # nothing there; or round and round
            return Text("a link that leads nowhere")
        if not end.is_relative_to(self._whole):
            return Text("a link that leads outside of the folder: --allow-outside follows it")
        return Text("a link to a folder: it is not followed") if end.is_dir() else None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def unreadable(path: Path) -> Text | None:
    """Why a path is not to be opened as a file, so that no pipe is waited for; None where it may be."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return Text("no plain file: a folder, a pipe or a device")
        path.open("rb").close()
    except OSError as error:
        return Text("cannot be read: {reason}", reason=printable(error.strerror or str(error)))
    return None
