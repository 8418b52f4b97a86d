"""From the command line to the running debugger: what starts first decides how soon a frame stands.

torch's process is started before Textual is imported, so that both load at the same time, and
the first frame is painted before numpy is there: a scenario is read when the screen stands.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rnnstep.tui.options import Options
from rnnstep.tui.sources import sources_of

BAD_INPUT = 2


def open_debugger(paths: Sequence[str], options: Options) -> int:
    """Open scenarios in the debugger and give the exit status.

    Args:
        paths: Paths of scenario files or folders, or names of bundled scenarios; none opens the picker.
        options: How.

    Raises:
        UsageError: There is no such file or scenario.
    """
    sources = sources_of(paths)
    # Starting its threads is a third of numpy's import, and the matrices here are small.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from rnnstep.tui.app import DebuggerApp

    app = DebuggerApp(sources, options)
    app.run(mouse=options.has_mouse)
    if app.problem is not None:
        print(app.problem, file=sys.stderr)
        return BAD_INPUT
    return 0
