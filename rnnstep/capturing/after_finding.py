"""What is done when a watched program has been stopped: the debugger opens on the finding, or the last calls are saved."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from rnnstep.errors import RnnstepError
from rnnstep.language import Text
from rnnstep.language.printable import printable

if TYPE_CHECKING:
    from rnnstep.capturing.captured import Captured
    from rnnstep.capturing.finding import Cause

Say = Callable[[Text], None]


def after_finding(seen: Captured, finding: Cause, stem: str, save: str | None, say: Say) -> None:
    """Open the debugger at a finding; without a terminal, or where a folder is named, save the last calls and say where."""
    from rnnstep.capturing.showing import has_terminal

    if not seen.calls:
        return
    if save is None and has_terminal():
        seen.open(finding.place)
        return
    folder = free_folder(f"rnnstep-{stem}") if save is None else save
    try:
        seen.save(folder)
    except RnnstepError as error:
        say(error.message)
        return
    at = "" if finding.place is None else f" --at {shlex.quote(finding.at or 'start')}"
    say(
        Text(
            "the last calls are in {folder}: `rnnstep {file}{at}` opens this one",
            folder=printable(folder),
            file=printable(shlex.quote(_file_of(seen, finding, folder))),
            at=at,
        )
    )


def free_folder(name: str) -> str:
    """Give a name that nothing has yet: rnnstep-train, rnnstep-train-2."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(one for one in names if not os.path.lexists(one))


def _file_of(seen: Captured, finding: Cause, folder: str) -> str:
    """The file of the call that a finding is in, in a folder where the calls were saved."""
    from rnnstep.capturing.saved import file_name

    call = finding.call or seen.calls[-1]
    return os.path.join(folder, file_name(call, seen.calls))  # noqa: PTH118 - Path would take the user's `./` away
