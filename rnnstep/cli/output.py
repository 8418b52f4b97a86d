"""Where results go: standard output, or a file that is written whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.scenario.file.atomic_write import check_writable, whole_file

FORCE = Text("pass --force to replace it")

PIECE = 1 << 16  # characters gathered before they are written: a trace is many short pieces


def write_text(
    pieces: Iterable[str], output: str | None, *, force: bool = False, is_file: bool = False
) -> None:
    """Write a text, piece by piece, to standard output or to the file `output`.

    Args:
        pieces: Of the text.
        output: The file; None for standard output.
        force: Whether a file that is there may be replaced.
        is_file: Whether the text is a file's, read again by a program that expects UTF-8: redirected, it is
            written so in every locale.

    Raises:
        UsageError: The file cannot be written, or is there already and not to be replaced.
    """
    if output is None:
        if is_file and hasattr(sys.stdout, "reconfigure") and not sys.stdout.isatty():
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        _write_pieces(pieces, sys.stdout.write)
        return
    with whole_file(Path(output), replace=force, advice=FORCE) as file:
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
    with whole_file(Path(output), replace=force, advice=FORCE) as file:
        write(file)


def check_output(output: str | None, *, force: bool) -> None:
    """Refuse early what could not be written later, before anything is computed.

    Raises:
        UsageError: `output` is there already, is a folder, or its folder is not there.
    """
    if output is not None:
        check_writable(Path(output), replace=force, advice=FORCE)


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
