"""From the command line to the running debugger: what starts first decides how soon a frame stands.

torch's process is started before Textual is imported, so that both load at the same time, and
the first frame is painted before numpy is there: a scenario is read when the screen stands.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from rnnstep.language import Text
from rnnstep.language.printable import printable
from rnnstep.tui.options import Options
from rnnstep.tui.signals import Ending
from rnnstep.tui.sources import Source
from rnnstep.tui.torch import Torch

if TYPE_CHECKING:
    from rnnstep.tui.app import DebuggerApp
    from rnnstep.tui.torch import Heard, WorkerLike

BAD_INPUT = 2
PATIENCE = 0.001
"""Seconds that the threads of keys and of the terminal wait for one that computes."""


def open_debugger(sources: Sequence[Source], options: Options) -> int:
    """Open scenarios in the debugger and give the exit status; none opens the picker."""
    # Starting its threads is a third of numpy's import, and the matrices here are small.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    was_collecting = gc.isenabled()
    gc.disable()  # a tenth of Textual's import; on again when the first frame stands
    was_patient = sys.getswitchinterval()
    sys.setswitchinterval(PATIENCE)
    app: DebuggerApp | None = None
    with Ending() as ending:
        torch = Torch(_process)
        ending.last = torch.close
        try:
            from rnnstep.tui.app import DebuggerApp

            app = DebuggerApp(sources, options, torch)
            ending.ask(app, partial(_end_at_once, app, torch))
            app.run(mouse=options.has_mouse)
        except BaseException:
            _keep_edits(app)
            raise
        finally:
            (gc.enable if was_collecting else gc.disable)()
            sys.setswitchinterval(was_patient)
            torch.close()
        if ending.status is not None or (app.return_code and app.problem is None):
            _keep_edits(app)
    if app.problem is not None:
        sys.stderr.write(f"{app.problem}\n")
        return BAD_INPUT
    if app.farewell:
        sys.stdout.write(f"{app.farewell}\n")
    return ending.status or app.return_code or 0


def _keep_edits(app: DebuggerApp | None) -> None:
    """Keep what was edited and not saved, and say so; and remember where the user was."""
    session = None if app is None else app.debugger.session
    if app is None or session is None or app.debugger.files.source is None:
        return
    from rnnstep.tui.kept_edits import keep, keep_whole

    app.debugger.files.leave()
    source = app.debugger.files.source
    text: Text | None = None
    if source.path is None:
        file = keep_whole(session)
        if file is not None:
            text = Text("edits that were not saved are kept in {path}", path=printable(str(file)))
    elif keep(source.path, session):
        text = Text(
            "edits that were not saved are kept, and offered when {name} is opened again", name=source.name
        )
    if text is not None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            sys.stderr.write(text.into(app.debugger.state.look.language) + "\n")
            sys.stderr.flush()


def _end_at_once(app: DebuggerApp, torch: Torch) -> None:
    """Do what is to be done where the application does not leave by itself."""
    torch.close()
    if app.terminal is not None:
        app.terminal.give_back()
    _keep_edits(app)


def _process(heard: Heard) -> WorkerLike:
    from rnnstep.reference.worker.client import Worker

    return Worker(heard)
