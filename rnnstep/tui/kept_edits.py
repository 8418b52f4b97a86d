"""Edits that were not saved when the program ended against the user's will: kept, and offered at the next start.

A file a scenario in the folder `unsaved` of `rnnstep.folders.state_folder`, written whole or not at all, as JSON.
Nothing in it is trusted: what does not fit the scenario is not offered.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnstep.folders import state_folder

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.edits import Edit
    from rnnstep.session.session import Session

FOLDER = "unsaved"
_LARGEST = 1 << 20  # bytes
_MOST_AXES = 8


def keep(path: Path, session: Session) -> bool:
    """Keep what of a scenario's numbers was edited and not saved; whether there was any, and it could be kept.

    Args:
        path: the scenario's file.
        session: where it is looked at, edits and all.
    """
    from rnnstep.errors import RnnstepError
    from rnnstep.scenario.whole_file import whole_file

    edits = session.unsaved_numbers()
    file = _file_of(path)
    if file is None or not edits:
        return False
    table = {
        "path": str(path.absolute()),
        "edits": [
            {
                "store": edit.target.store,
                "key": edit.target.key,
                "index": list(edit.target.index),
                "shown": edit.target.shown,
                "value": edit.value,
            }
            for edit in edits
        ],
    }
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(file, replace=True) as out:
            out.write(json.dumps(table, indent=1).encode("utf-8", "backslashreplace"))
    except (OSError, RnnstepError):
        return False
    return True


def kept(path: Path, scenario: Scenario) -> tuple[Edit, ...]:
    """Give the edits that were kept of a scenario's file, where they all fit it; else none."""
    from rnnstep.session.edits import Edit, Target, changes

    file = _file_of(path)
    table: Any = None
    if file is not None:
        with contextlib.suppress(OSError, ValueError, RecursionError), file.open("rb") as found:
            table = json.loads(found.read(_LARGEST))
    entries = table.get("edits") if isinstance(table, dict) else None
    edits: list[Edit] = []
    try:
        for entry in entries or ():
            store, key, shown = (str(entry[name]) for name in ("store", "key", "shown"))
            index = tuple(_whole(number) for number in entry["index"][:_MOST_AXES])
            edit = Edit(Target(store, key, index, shown), float(entry["value"]))
            if store not in ("parameters", "initial_state", "values"):
                return ()
            if changes(scenario, edit):
                edits.append(edit)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError):
        return ()
    return tuple(edits)


def drop(path: Path) -> None:
    """Keep a scenario's edits no longer."""
    file = _file_of(path)
    if file is not None:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)


def _whole(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError(number)
    return number


def _file_of(path: Path) -> Path | None:
    folder = state_folder()
    name = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return None if folder is None else folder / FOLDER / f"{name}.json"
