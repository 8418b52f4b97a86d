"""Where the user's settings stand, and where the program keeps what it remembers: the platform's own folders.

| | Linux | macOS | Windows |
|---|---|---|---|
| settings | `$XDG_CONFIG_HOME` or `~/.config` | `~/Library/Application Support` | `%LOCALAPPDATA%` |
| what is remembered | `$XDG_STATE_HOME` or `~/.local/state` | the same | the same |

In each a folder `rnnstep`. Nothing is made here, and nothing read.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

PROGRAM = "rnnstep"
CONFIG = "config.toml"
KEYS = "keys.toml"


def config_file(name: str) -> Path | None:
    """Give where a file of settings stands, whether it is there or not; None where the user has no home folder.

    One that stands where the first versions looked on every platform, in `~/.config/rnnstep`, is found too.
    """
    usual = _folder("user_config_path")
    path = None if usual is None else usual / name
    if path is None or not path.is_file():
        older = _older_folder() / name
        if older.is_absolute() and older.is_file():
            return older
    return path


def state_folder() -> Path | None:
    """Give the folder for what the program remembers, whether it is there or not; None where there is no home."""
    return _folder("user_state_path")


def _folder(kind: str) -> Path | None:
    import platformdirs

    try:
        path: Path = getattr(platformdirs, kind)(PROGRAM, appauthor=False)
    except (OSError, RuntimeError):  # a user without a home folder
        return None
    return path if path.is_absolute() else None


def _older_folder() -> Path:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config")
    with contextlib.suppress(RuntimeError):  # stays relative without a home, and so is not looked into
        home = home.expanduser()
    return home / PROGRAM
