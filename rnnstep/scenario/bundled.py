"""The scenarios that come with the program, and what a name on the command line stands for."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path

from rnnstep.errors import UsageError
from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.scenario.keys import closest

SUFFIX = ".toml"


def folder() -> Path:
    """Give the folder of the bundled scenarios: in an installed wheel, or in a source checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "bundled"
    return installed if installed.is_dir() else package.parent / "scenarios"


@functools.cache
def _paths() -> Mapping[str, Path]:
    root = folder()
    found = sorted(root.rglob(f"*{SUFFIX}"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in found}


def names() -> tuple[str, ...]:
    """Give the names of the bundled scenarios, in alphabetical order."""
    return tuple(_paths())


@functools.cache
def _folders() -> Mapping[str, Path]:
    root = folder()
    return {path.parent.relative_to(root).as_posix(): path.parent for path in _paths().values()}


def name_of(path: Path) -> str | None:
    """Give the name that a path has as a bundled scenario's, such as `pitfalls/oholo`; None if it is not one's."""
    root = folder()
    name = path.relative_to(root).with_suffix("").as_posix() if path.is_relative_to(root) else ""
    return name if _paths().get(name) == path else None


def find(name_or_path: str) -> Path:
    """Give the path of a scenario file or folder; what exists as a path goes before a bundled name.

    A folder of the bundled ones has a name too: `pitfalls`.

    Raises:
        UsageError: There is neither, with the likely meaning if there is one.
    """
    path = Path(name_or_path)
    if name_or_path and "\0" not in name_or_path and os.path.lexists(path):
        return path
    if name_or_path in _paths():
        return _paths()[name_or_path]
    if name_or_path != "." and name_or_path in _folders():
        return _folders()[name_or_path]
    shown = printable(name_or_path)
    if path.suffix or path.name != name_or_path:
        guess = closest(path.name, _neighbours(path.parent))
        if guess is None:
            raise UsageError(Text("{path}: there is no such file", path=shown))
        likely = printable(str(path.parent / guess))
        raise UsageError(
            Text("{path}: there is no such file; did you mean {likely}?", path=shown, likely=likely)
        )
    guess = closest(name_or_path, (*names(), *_folders()))
    if guess is None:
        raise UsageError(
            Text(
                "{name}: no file and no bundled scenario of this name; `rnnstep list` names them", name=shown
            )
        )
    raise UsageError(
        Text(
            "{name}: no file and no bundled scenario of this name; did you mean {guess}?",
            name=shown,
            guess=guess,
        )
    )


def _neighbours(parent: Path) -> list[str]:
    try:
        return [entry.name for entry in parent.iterdir()]
    except (OSError, ValueError):
        return []
