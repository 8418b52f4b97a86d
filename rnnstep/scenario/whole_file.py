"""A file that is written whole or not at all, and never by mistake over another."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable


def write_whole(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file beside `path` that takes its place when all is on the disk; a link's target is replaced.

    Raises:
        UsageError: It cannot be written, or is there already and is not to be replaced.
    """
    if not path.parent.is_dir():
        raise _unwritable(path, Text("there is no folder {folder}", folder=printable(str(path.parent))))
    if not replace and os.path.lexists(path):
        raise _taken(path)
    temporary: Path | None = None
    try:
        place = Path(os.path.realpath(path))
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".rnnstep-", delete=False) as file:
            temporary = Path(file.name)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(_mode(place))
        if replace:
            temporary.replace(place)
        else:
            _put(temporary, place)
    except FileExistsError:
        raise _taken(path) from None
    except (OSError, ValueError) as error:
        reason = printable(getattr(error, "strerror", None) or str(error))
        raise _unwritable(path, reason) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _put(temporary: Path, place: Path) -> None:
    try:
        os.link(temporary, place)  # unlike a renaming, refuses what has come to be there meanwhile
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(place):
            raise FileExistsError from None
        temporary.replace(place)


def _mode(place: Path) -> int:
    """Give the mode of the file to be replaced, or of any new one: a temporary file is the owner's alone."""
    if place.exists():
        return stat.S_IMODE(place.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _taken(path: Path) -> UsageError:
    return UsageError(Text("{path} is there already: choose another name", path=printable(str(path))))


def _unwritable(path: Path, reason: Text | str) -> UsageError:
    return UsageError(Text("cannot write {path}: {reason}", path=printable(str(path)), reason=reason))
