"""The scenarios that were asked for: where each is, how the user called it, whether it changed on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario import bundled


@dataclass(frozen=True, slots=True)
class Source:
    """A scenario file: `given` is what brings the user back to it, a path or a bundled name."""

    given: str
    path: Path

    @property
    def name(self) -> str:
        """How it is called on the screen."""
        return printable(self.path.stem)

    def stamp(self) -> tuple[int, int] | None:
        """Give what changes when the file does; None when it cannot be seen."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


def sources_of(arguments: Sequence[str]) -> tuple[Source, ...]:
    """Give the scenario files that the arguments mean, a folder's in alphabetical order.

    Raises:
        UsageError: There is no such file, or a folder holds none.
    """
    found: list[Source] = []
    for argument in arguments:
        path = bundled.find(argument)
        if not path.is_dir():
            found.append(Source(argument, path))
            continue
        inside = sorted(path.glob(f"*{bundled.SUFFIX}"))
        if not inside:
            raise UsageError(Text("{path}: there is no scenario in this folder", path=printable(argument)))
        found += [Source(str(one), one) for one in inside]
    return tuple(found)
