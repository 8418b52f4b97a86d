"""A file that is written whole or not at all, and never by mistake over another."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be taken away
    fcntl = None  # type: ignore[assignment]

TAKEN = Text("choose another name")
_PREFIX = ".rnnstep-"
_LEFT_OVER = re.compile(r"\.rnnstep-[a-z0-9_]{8}")  # as `tempfile` calls them


def check_writable(path: Path, *, replace: bool, advice: Text = TAKEN) -> None:
    """Refuse early what could not be written later.

    Args:
        path: the file to be written.
        replace: whether a file that is there may be replaced.
        advice: what to do where one is there and may not.

    Raises:
        UsageError: it is there already, is a folder, or its folder is not there.
    """
    try:
        if path.is_dir():
            raise _unwritable(path, Text("it is a folder"))
        if not path.parent.is_dir():
            raise _unwritable(path, Text("there is no folder {folder}", folder=printable(str(path.parent))))
        if not replace and _is_taken(path):
            raise _taken(path, advice)
    except (OSError, ValueError) as error:
        raise _unwritable(path, _reason(error)) from None


@contextlib.contextmanager
def whole_file(path: Path, *, replace: bool = False, advice: Text = TAKEN) -> Iterator[BinaryIO]:
    """Open a file beside `path` that takes its place when all is on the disk; a link's target is replaced.

    Raises:
        UsageError: as `check_writable`, and for what the system says while it is written.
    """
    check_writable(path, replace=replace, advice=advice)
    with _told(path):
        place = Path(os.path.realpath(path))
    if place.exists() and not _is_plain_file(place):  # /dev/null, a pipe: nothing to be kept whole there
        with _told(path), place.open("wb") as device:
            yield device
        return
    temporary: Path | None = None
    try:
        with _told(path):
            _clear(place.parent)
            file = _locked_temporary(place.parent)
            temporary = Path(file.name)
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if fcntl is not None:  # under the lock
                    _put(temporary, place, replace=replace)
            if fcntl is None:  # Windows moves no file that is open
                _put(temporary, place, replace=replace)
    except FileExistsError:
        raise _taken(path, advice) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _locked_temporary(folder: Path) -> BinaryIO:
    while True:
        file = tempfile.NamedTemporaryFile(dir=folder, prefix=_PREFIX, delete=False)  # noqa: SIM115 - given back
        _is_locked(file.fileno())
        if os.fstat(file.fileno()).st_nlink:
            return file  # type: ignore[return-value]  # the wrapper has all of BinaryIO's methods
        file.close()  # taken for a left-over before it was locked


def _clear(folder: Path) -> None:
    """Take away what a process that was killed left in the folder: a file that is being written is locked."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _LEFT_OVER.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                _remove_unlocked(entry.path)


def _remove_unlocked(path: str) -> None:
    with contextlib.suppress(OSError):
        number = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        try:
            if _is_locked(number):
                Path(path).unlink()
        finally:
            os.close(number)


def _is_locked(number: int) -> bool:
    """Lock an open file until it is closed; whether that could be done, nobody else having locked it."""
    try:
        if fcntl is not None:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody has, or the file system knows no locks
        return False
    return fcntl is not None


def _put(temporary: Path, place: Path, *, replace: bool) -> None:
    temporary.chmod(_mode(place))
    if replace:
        temporary.replace(place)
        return
    try:
        os.link(temporary, place)  # unlike a renaming, refuses what has come to be there meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if _is_taken(place):
            raise FileExistsError from None
        temporary.replace(place)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the system says about a file into our message."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        raise _unwritable(path, _reason(error)) from None


def _taken(path: Path, advice: Text) -> UsageError:
    return UsageError(Text("{path} is there already: {advice}", path=printable(str(path)), advice=advice))


def _unwritable(path: Path, reason: Text | str) -> UsageError:
    return UsageError(Text("cannot write {path}: {reason}", path=printable(str(path)), reason=reason))


def _reason(error: OSError | ValueError) -> str:
    return printable(getattr(error, "strerror", None) or str(error))


def _is_taken(path: Path) -> bool:
    """Whether something is there that must not be lost; a device or a pipe may be written to."""
    return _is_plain_file(path) or (path.is_symlink() and not path.exists())


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _mode(place: Path) -> int:
    """Give the mode of the file to be replaced, or of any new one: a temporary file is the owner's alone."""
    if place.exists():
        return stat.S_IMODE(place.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
