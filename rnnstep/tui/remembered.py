"""What the program remembers from one start to the next: the files that were open, where one was in each, the card.

It stands in the folder of `rnnstep.folders.state_folder`, as JSON. Nothing depends on it: where it cannot be read all is
as at the first start, and where it cannot be written nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rnnstep.folders import state_folder
from rnnstep.tui.state_file import read_table, write_table

NAME = "remembered.json"
MOST_FILES = 50

_LARGEST = 1 << 18  # bytes
_LONGEST_PLACE = 200  # characters


@dataclass(frozen=True, slots=True)
class Remembered:
    """Frozen; what changes is written at once.

    Attributes:
        places: where one was in each file, the file that was open last first.
        has_seen_card: whether the card of the first start was shown.
    """

    places: Mapping[Path, str]
    has_seen_card: bool = False

    def at(self, path: Path, place: str) -> Remembered:
        """Give the same with a file as the one that was open last, and where one is in it."""
        key = path.absolute()
        others = {other: at for other, at in self.places.items() if other != key}
        kept = dict(list(others.items())[: MOST_FILES - 1])
        return replace(self, places={key: place[:_LONGEST_PLACE], **kept})

    def place(self, path: Path) -> str | None:
        """Give where one was in a file; None where it is not known, or was the start."""
        place = self.places.get(path.absolute())
        return None if place in (None, "start") else place


def recall() -> Remembered:
    """Read what is remembered; nothing where there is none, and where another program wrote over it."""
    table = read_table(_path(), _LARGEST)
    files = table.get("files")
    places: dict[Path, str] = {}
    for entry in files if isinstance(files, list) else []:
        name, place = (entry.get("path"), entry.get("place")) if isinstance(entry, dict) else (None, None)
        if isinstance(name, str) and isinstance(place, str) and "\0" not in name and len(places) < MOST_FILES:
            places.setdefault(Path(name), place[:_LONGEST_PLACE])
    return Remembered(places, table.get("card") == "seen")


def remember(found: Remembered) -> None:
    """Write what is remembered, atomically; a disk that takes nothing is no reason to stop anybody."""
    path = _path()
    if path is None:
        return
    table = {
        "card": "seen" if found.has_seen_card else "not seen",
        "files": [{"path": str(file), "place": place} for file, place in found.places.items()],
    }
    write_table(path, table)


def _path() -> Path | None:
    folder = state_folder()
    return None if folder is None else folder / NAME
