"""Edits that were not saved when the program ended against the user's will: kept, and offered at the next start.

A file a scenario in the folder `unsaved` of `rnnstep.folders.state_folder`, written whole or not at all, as JSON.
Nothing in it is trusted: what does not fit the scenario is not offered.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnstep.errors import RnnstepError
from rnnstep.folders import state_folder
from rnnstep.tui.state_file import read_table, write_table

if TYPE_CHECKING:
    from rnnstep.scenario.model import Scenario
    from rnnstep.session.edits import Edit
    from rnnstep.session.session import Session

FOLDER = "unsaved"
_LARGEST = 1 << 28  # bytes: an edit takes some 150, and a scenario may have a million numbers
_MOST_AXES = 8


def keep(path: Path, session: Session) -> bool:
    """Keep what of a scenario's numbers was edited and not saved; whether there was any, and it could be kept.

    Args:
        path: the scenario's file.
        session: where it is looked at, edits and all.
    """
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
    return write_table(file, table)


def keep_whole(session: Session) -> Path | None:
    """Write a scenario without a file that was edited and not saved as a scenario file; None where that cannot be.

    Args:
        session: Where it is looked at, edits and all.
    """
    from rnnstep.scenario.file.save import save

    folder = state_folder()
    if folder is None or not session.unsaved_numbers():
        return None
    scenario = session.run.scenario
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", scenario.name)[:60] or "scenario"
    with contextlib.suppress(OSError, RnnstepError):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        numbers = itertools.count(2)
        path = folder / FOLDER / f"{stem}.toml"
        while path.exists():
            path = folder / FOLDER / f"{stem}-{next(numbers)}.toml"
        save(scenario, session.edits, path)
        return path
    return None


def kept(path: Path, scenario: Scenario) -> tuple[Edit, ...]:
    """Give the edits that were kept of a scenario's file, where they all fit it; else none."""
    from rnnstep.session.edits import Edit, EditTarget, changes

    edits: list[Edit] = []
    try:
        for entry in read_table(_file_of(path), _LARGEST).get("edits") or ():
            store, key, shown = (str(entry[name]) for name in ("store", "key", "shown"))
            index = tuple(_whole(number) for number in entry["index"][:_MOST_AXES])
            edit = Edit(EditTarget(store, key, index, shown), float(entry["value"]))
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
