"""How many threads numpy and torch may start, before they are imported."""

from __future__ import annotations

import os

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

_set_here: list[str] = []


def limit_threads() -> None:
    """Let numpy and torch have one thread each, where the environment does not say how many.

    One step is too small to share: with a thread for each core torch waits for its own threads, on a busy machine for
    seconds. Who wants more sets them.
    """
    for name in NAMES:
        if name not in os.environ:
            os.environ[name] = "1"
            _set_here.append(name)


def give_back_threads() -> None:
    """Leave the environment as it was: a program of the user's own has as many threads as without us."""
    while _set_here:
        os.environ.pop(_set_here.pop(), None)
