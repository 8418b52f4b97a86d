"""From the command line to the running debugger: what starts first decides how soon a frame stands.

torch's process is started before Textual is imported, so that both load at the same time, and
the first frame is painted before numpy is there: a scenario is read when the screen stands.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnnstep.tui.options import Options
from rnnstep.tui.sources import Source
from rnnstep.tui.torch import Torch

if TYPE_CHECKING:
    from rnnstep.tui.torch import Heard, Worker

BAD_INPUT = 2


def open_debugger(paths: Sequence[Path], options: Options) -> int:
    """Open scenario files in the debugger and give the exit status; no path opens the picker."""
    # Starting its threads is a third of numpy's import, and the matrices here are small.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # a tenth of Textual's import; on again when the first frame stands
    torch = Torch(_process)
    try:
        from rnnstep.tui.app import DebuggerApp

        app = DebuggerApp([Source(path) for path in paths], options, torch)
        app.run(mouse=options.has_mouse)
    finally:
        gc.enable()
        torch.close()
    if app.problem is not None:
        sys.stderr.write(f"{app.problem}\n")
        return BAD_INPUT
    if app.farewell:
        sys.stdout.write(f"{app.farewell}\n")
    return app.return_code or 0


def _process(heard: Heard) -> Worker:
    from rnnstep.reference.client import Worker

    return Worker(heard)
