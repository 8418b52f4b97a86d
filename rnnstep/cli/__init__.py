"""The command line: `main` finds the command, runs it, and turns what went wrong into a message.

Only click is imported before it is known what is asked for; a command imports its room when
it runs, so that `--help`, `list` and `--version` need neither numpy nor torch nor Textual.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from rnnstep.cli.threads import limit_threads

INTERRUPTED = 130  # 128 + SIGINT, as the shell reports it
READER_GONE = 141  # 128 + SIGPIPE
BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (those of the process by default) and give the exit status.

    0 fine, 1 the numbers disagree, 2 bad input or usage, 130 interrupted, 141 the reader of
    our output is gone.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    limit_threads()
    _open_closed_streams()
    try:
        gc.disable()  # imports make much and free nothing: looking for garbage is a twentieth of `--help`
        from rnnstep.cli.root import run

        gc.enable()
        status = run(given)
        if sys.stdout is not None and not sys.stdout.closed:  # as a program that was run may have left it
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop(sys.stdout)
        return READER_GONE
    except OSError as error:
        # Files are opened elsewhere with messages of their own: what is left is our own output.
        return _cannot_write(given, error)
    return status


def _open_closed_streams() -> None:
    """Put a stream in the place of each that the caller closed (`>&-`), so that no file opened later takes its number.

    What is printed fails as on a full disk, with a message; messages that nobody can read go nowhere.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    number = os.open(os.devnull, os.O_RDONLY)
    while number < 2:
        number = os.dup(number)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _cannot_write(given: list[str], error: OSError) -> int:
    from rnnstep.cli.speech import language_of, say
    from rnnstep.language import Text

    _drop(sys.stdout)
    reason = error.strerror or str(error)
    say(Text("cannot write to standard output: {reason}", reason=reason), language_of(given))
    return BAD_INPUT


def _drop(stream: object) -> None:
    """Let what is still buffered go nowhere, or Python complains about it at its end."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[attr-defined]  # a stream that tests put there may have none
        os.close(nowhere)
    except (AttributeError, OSError, ValueError):
        return
