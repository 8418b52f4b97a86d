"""Recorded calls on the disk: a scenario file and a file of tensors for each, in order of computation, and where.txt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.call.call_files import bytes_of, call_text, printable_name
from rnnstep.scenario.call.recorded_call import RecordedCall
from rnnstep.scenario.file.atomic_write import check_writable, whole_file

WHERE = "where.txt"


class Savable(Protocol):
    """A recorded call, and which it is."""

    name: str
    number: int
    index: int

    @property
    def place(self) -> str:
        """What it is called: "encoder[2]"."""

    @property
    def recorded(self) -> RecordedCall:
        """Its arrays."""


def save_calls(calls: Sequence[Savable], where: str, folder: str) -> None:
    """Write calls into a folder of their own, and a table of them.

    Raises:
        UsageError: The folder is there and not empty, or cannot be written.
    """
    path = Path(folder)
    try:
        path.mkdir(exist_ok=True)
        is_taken = any(path.iterdir())
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            Text("cannot write {path}: {reason}", path=printable(folder), reason=reason)
        ) from None
    if is_taken:
        raise UsageError(
            Text("{folder} is there already, and not empty; choose another name", folder=printable(folder))
        )
    for call in calls:
        save_call(call.recorded, call.place, call.number, str(path / file_name(call, calls)))
    with whole_file(path / WHERE) as file:
        file.write(where.encode())


def file_name(call: Savable, calls: Sequence[Savable]) -> str:
    """The name of a call's scenario file among others: "007-encoder-2.toml"."""
    digits = max(3, len(str(calls[-1].index)))
    return f"{call.index:0{digits}}-{printable_name(call.name)}-{call.number}.toml"


def save_call(call: RecordedCall, title: str, number: int, path: str, *, replace: bool = False) -> None:
    """Write one call as a scenario file, its tensors beside it.

    Raises:
        UsageError: A file is there and may not be replaced, or cannot be written.
    """
    scenario = Path(path)
    tensors = scenario.with_suffix(".safetensors")
    for one in (scenario, tensors):
        check_writable(one, replace=replace)
    text = call_text(call, title=title, file=tensors.name, number=number)
    with whole_file(tensors, replace=replace) as file:
        file.write(bytes_of(call))
    with whole_file(scenario, replace=replace) as file:
        file.write(text.encode())
