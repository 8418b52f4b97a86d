"""The files that a scenario names, as seen from another folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.toml import Changes, string_text

NAMING = tuple((*above, table, "file") for above in ((), ("cure",)) for table in ("input", "data", "weights"))


def file_changes(data: Mapping[str, Any], changes: Changes, folder: Path, target: Path) -> Changes:
    """Give the file names of a scenario in `folder` as a copy in the folder `target` must write them.

    Args:
        data: The scenario's keys and values.
        changes: What is changed in it anyway: a file no longer named is none.
        folder: Where the scenario stands.
        target: Where the copy will stand.

    Raises:
        UsageError: A file beside the scenario would lie outside the copy's folder, where nothing is read.
    """
    here, there = folder.resolve(), target.resolve()
    found: Changes = {}
    if here == there:
        return found
    for place in NAMING:
        name = _at(data, place)
        if name is None or place in changes or Path(name).is_absolute():
            continue
        path = Path(os.path.normpath(here / name))
        if path.is_relative_to(here) and not path.is_relative_to(there):
            raise UsageError(
                Text(
                    "the scenario reads {file} beside it, and nothing outside its own folder: save it in {folder}",
                    file=printable(name),
                    folder=printable(str(folder)),
                )
            )
        found[place] = string_text(Path(os.path.relpath(path, there)).as_posix())
    return found


def _at(data: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    value: Any = data
    for key in place:
        value = value.get(key, {})
    return value or None
