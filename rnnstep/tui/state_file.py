"""Files of JSON in the folder of what the program remembers: read without trust, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_table(path: Path | None, largest: int) -> dict[str, Any]:
    """Give the table in a file of at most `largest` bytes; an empty one where there is none, or something else."""
    table: Any = None
    if path is not None:
        with contextlib.suppress(OSError, ValueError, RecursionError), path.open("rb") as file:
            table = json.loads(file.read(largest))
    return table if isinstance(table, dict) else {}


def write_table(path: Path, table: Mapping[str, Any]) -> bool:
    """Write a table, atomically, in a folder that is made where it is missing; whether that could be done."""
    from rnnstep.errors import RnnstepError
    from rnnstep.scenario.file.atomic_write import whole_file

    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(path, replace=True) as file:
            file.write(json.dumps(table, indent=1).encode("utf-8", "backslashreplace"))
    except (OSError, RnnstepError):
        return False
    return True
