"""The scenarios that were asked for: where each is, how the user called it, whether it changed on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnnstep.language.printable import printable
from rnnstep.scenario import bundled


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario file, by the path that the user gave."""

    path: Path

    @property
    def name(self) -> str:
        """How it is called on the screen."""
        return printable(self.path.stem)

    @property
    def word(self) -> str:
        """What brings the user back to it on the command line: its path, or its bundled name."""
        return bundled.name_of(self.path) or str(self.path)

    def stamp(self) -> tuple[int, int] | None:
        """Give what changes when the file does; None when it cannot be seen."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size
