"""Where results go: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, BinaryIO

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable

PIECE = 1 << 16  # characters gathered before they are written: a trace is many short pieces


def write_text(pieces: Iterable[str], output: str | None, *, force: bool = False) -> None:
    """Write a text, piece by piece, to standard output or to the file `output`.

    Raises:
        UsageError: The file cannot be written, or is there already and not to be replaced.
    """
    if output is None:
        _write_pieces(pieces, sys.stdout.write)
        return
    with _file(output, force=force) as file:
        _write_pieces(pieces, lambda piece: file.write(piece.encode("utf-8", "backslashreplace")))


def write_binary(write: Callable[[IO[bytes]], None], output: str | None, *, force: bool = False) -> None:
    """Let `write` fill standard output, or the file `output`.

    Raises:
        UsageError: As `write_text`; and standard output is a terminal.
    """
    if output is None:
        if sys.stdout.isatty():
            raise UsageError(Text("this format is not for a terminal: give --output FILE"))
        sys.stdout.flush()
        write(sys.stdout.buffer)
        return
    with _file(output, force=force) as file:
        write(file)


def check_output(output: str | None, *, force: bool) -> None:
    """Refuse early what could not be written later, before anything is computed.

    Raises:
        UsageError: `output` is there already, is a folder, or its folder is not there.
    """
    if output is None:
        return
    path = Path(output)
    try:
        if path.is_dir():
            raise _unwritable(output, Text("it is a folder"))
        if not path.parent.is_dir():
            raise _unwritable(output, Text("there is no folder {folder}", folder=printable(str(path.parent))))
        if not force and _is_plain_file(path):
            raise UsageError(
                Text("{path} is there already; pass --force to replace it", path=printable(output))
            )
    except (OSError, ValueError) as error:
        raise _unwritable(output, _reason(error)) from None


def _write_pieces(pieces: Iterable[str], write: Callable[[str], object]) -> None:
    gathered: list[str] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if size >= PIECE:
            write("".join(gathered))
            gathered.clear()
            size = 0
    write("".join(gathered))


@contextlib.contextmanager
def _file(output: str, *, force: bool) -> Iterator[BinaryIO]:
    """Open a file beside `output` that takes its place when all is written."""
    check_output(output, force=force)
    path = Path(os.path.realpath(output))
    if path.exists() and not _is_plain_file(path):  # /dev/null, a pipe: nothing to be kept whole there
        with _told(output), path.open("wb") as device:
            yield device
        return
    temporary: Path | None = None
    try:
        with _told(output):
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".rnnstep-", delete=False) as file:
                temporary = Path(file.name)
                yield file  # type: ignore[misc]  # the wrapper has all of BinaryIO's methods
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(_usual_mode(path))
            _put(temporary, path, output, force=force)
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _put(temporary: Path, path: Path, output: str, *, force: bool) -> None:
    if force:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)  # unlike a renaming, refuses what has come to be there meanwhile
    except FileExistsError:
        check_output(output, force=False)
    except OSError:  # a file system without links
        check_output(output, force=False)
        temporary.replace(path)


@contextlib.contextmanager
def _told(output: str) -> Iterator[None]:
    """Turn what the system says about a file into our message."""
    try:
        yield
    except OSError as error:
        raise _unwritable(output, _reason(error)) from None


def _unwritable(output: str, reason: Text | str) -> UsageError:
    return UsageError(Text("cannot write {path}: {reason}", path=printable(output), reason=reason))


def _reason(error: OSError | ValueError) -> str:
    return printable(getattr(error, "strerror", None) or str(error))


def _is_plain_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _usual_mode(path: Path) -> int:
    """Give the mode of the file to be replaced, or of any new one: a temporary file is the owner's alone."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
