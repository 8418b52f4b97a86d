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

NAMING = (("input", "file"), ("data", "file"), ("weights", "file"))


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
    for table, key in NAMING:
        name = data.get(table, {}).get(key)
        if name is None or (table, key) in changes or Path(name).is_absolute():
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
        found[table, key] = string_text(Path(os.path.relpath(path, there)).as_posix())
    return found
