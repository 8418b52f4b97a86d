"""What views make of a run is kept with the run: it goes when the run goes, as after each edit."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from rnnstep.session.run import SessionRun

P = ParamSpec("P")
R = TypeVar("R")


def by_run(
    most: int,
) -> Callable[[Callable[Concatenate[SessionRun, P], R]], Callable[Concatenate[SessionRun, P], R]]:
    """Keep up to `most` results of a function of a run and of other arguments, all of them hashable.

    `functools.lru_cache` would hold the runs themselves, and with them all that was computed before an edit.
    """

    def decorate(
        function: Callable[Concatenate[SessionRun, P], R],
    ) -> Callable[Concatenate[SessionRun, P], R]:
        @wraps(function)
        def kept(run: SessionRun, /, *args: P.args, **named: P.kwargs) -> R:
            found: dict[Hashable, R] = run.kept.setdefault(function, {})
            key = (args, *named.items()) if named else args
            if key in found:
                result = found[key] = found.pop(key)  # the last used is the last to go
                return result
            result = found[key] = function(run, *args, **named)
            if len(found) > most:
                del found[next(iter(found))]
            return result

        return kept

    return decorate
